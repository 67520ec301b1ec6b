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
	/** Not handed to a consumer before this has passed (ms). Default 0. Ours: see {@link priority}. */
	readonly delay?: number;
	/**
	 * Messages with a higher one are handed out first; a whole number. Default 0. Servers that do not know
	 * this option refuse the message, as they do with the other three of ours: `feature.unsupported`.
	 */
	readonly priority?: number;
	/** Dropped when no consumer took it within this time (ms), and when it is given back after it. Default: never. */
	readonly ttl?: number;
	/**
	 * A send with the key of a message of the last 24 hours, to the same queue, stores nothing and stands
	 * for that message (lifecycle W-Q-10). 1 to 512 bytes. When that has left its queue, waiting for it resolves with what
	 * became of it for as long as that is kept (60 s, if a sender waited for it), and with "completed" after that.
	 */
	readonly dedupeKey?: string;
}

/** What became of a message whose sender waited. */
export interface QueueSendResult<Response = unknown> {
	readonly status: "completed" | "timedOut";
	/** What the consumer passed to `complete`; absent after a timeout. */
	readonly response?: Response;
}

/** The options that travel beside a message; absent when there are none. */
export type QueueMessageOptions = Pick<
	QueueSendOptions,
	"delay" | "priority" | "ttl" | "dedupeKey"
>;

/** With those that are unknown: the server refuses them by name. */
export function messageOptionsOf({
	wait: _wait,
	timeout: _timeout,
	signal: _signal,
	...options
}: QueueSendOptions): QueueMessageOptions | undefined {
	return Object.values(options).some((value) => value !== undefined) ? options : undefined;
}
