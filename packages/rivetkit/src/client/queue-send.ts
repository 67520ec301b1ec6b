/** Options of `handle.send(queue, body, options)`. */
export interface QueueSendOptions {
	/** Wait until a consumer completed the message. Default false: return when it is stored. */
	readonly wait?: boolean;
	/**
	 * With `wait`: how long to wait (ms). The message stays queued after a timeout; 0 or less times out
	 * at once without storing it. Without it the wait ends when the transport gives up.
	 */
	readonly timeout?: number;
	/** Ends the wait; the call rejects with the signal's reason. */
	readonly signal?: AbortSignal;
}

/** What became of a message whose sender waited. */
export interface QueueSendResult<Response = unknown> {
	readonly status: "completed" | "timedOut";
	/** What the consumer passed to `complete`; absent after a timeout. */
	readonly response?: Response;
}
