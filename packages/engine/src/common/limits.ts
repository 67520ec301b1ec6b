/**
 * Every limit of the engine's front, with its default and its source in the contract. Pass changed ones
 * as `limits` of `createEngine`.
 */
export interface EngineLimits {
	/** Bytes of one HTTP request body to an actor. Default 128 MiB (lifecycle 21). */
	readonly httpBodyBytesMax: number;
	/** Bytes of one JSON body to the management API. Default 8 MiB: 4 MiB of input as base64, and room. */
	readonly apiBodyBytesMax: number;
	/** Bytes of an actor's input, decoded. Default 4 MiB (lifecycle 21). */
	readonly inputBytesMax: number;
	/** Bytes of one WebSocket message from a client. Default 32 MiB (lifecycle 21). */
	readonly webSocketMessageBytesMax: number;
	/** How long an HTTP call may take until its answer begins. Default 5 min (protocol 2.7). */
	readonly requestTimeoutMs: number;
	/**
	 * How long a live actor may take to take over an accepted WebSocket, its hooks included. Default 15 s
	 * (protocol 2.7). The wait for the actor is limited by `readyTimeoutMs` and `routeTimeoutMs`.
	 */
	readonly webSocketOpenTimeoutMs: number;
	/** How long the peer may take to answer a close frame. Default 10 s. */
	readonly webSocketCloseTimeoutMs: number;
	/**
	 * Messages from one client that wait while its actor sleeps; one more closes the socket. Default 65,535
	 * (lifecycle 9.4).
	 */
	readonly webSocketPendingMessagesMax: number;
	/**
	 * Bytes from one client that its actor has not finished with, awake or asleep; more closes the socket.
	 * Default 128 MiB (lifecycle 9.4).
	 */
	readonly webSocketPendingBytesMax: number;
	/** How long a client of a sleeping actor waits for it to wake. Default 90 s (lifecycle 9.4). */
	readonly webSocketWakeTimeoutMs: number;
	/**
	 * How long an actor is left asleep after one of its clients has left, so that the leaving of many wakes
	 * it once. Default 1 s (engine 4.12).
	 */
	readonly closeWakeDelayMs: number;
	/** How long one wait for an actor to become ready may take. Default 30 s (engine 3.6). */
	readonly readyTimeoutMs: number;
	/** All waits of one call for its actor together. Default 60 s (engine 3.6). */
	readonly routeTimeoutMs: number;
	/**
	 * Sleeping actors that are started at the same time because their alarm is due; as many again because a
	 * client sent them a message, because one has left, and because an engine that is gone had them run. The others
	 * wait in line; one that waits for room on a runner makes place for the next. Default 64.
	 */
	readonly wakesAtOnceMax: number;
	/**
	 * Starts of one pool that wait for room on runners, or for the end of a pause after a crash, while no further actor of it
	 * is woken by its alarm, or because an engine that is gone had it run: those stay in the store until there is room.
	 * Default 10,000.
	 */
	readonly wakesWaitingMax: number;
	/** Incarnations that one call is offered to. Default 3 (protocol 2.3). */
	readonly attemptsMax: number;
	/** How long a client may take to send a request's head. Default 15 s. */
	readonly headersTimeoutMs: number;
	/** Bytes of a request's head. Default 32 KiB. */
	readonly headerBytesMax: number;
	/** How long an idle HTTP connection stays open. Default 65 s, above the usual proxies' 60 s. */
	readonly keepAliveTimeoutMs: number;
	/** How long closing waits for calls in flight and for close handshakes. Default 5 s. */
	readonly closeGraceMs: number;
	/** TCP connections at the same time; more are dropped at once. Default 0: what the system allows. */
	readonly connectionsMax: number;
	/**
	 * Calls per minute from one address to one actor. Default 0 (off): a development machine is one
	 * address with many legitimate callers. The contract's number for public servers is 1200.
	 */
	readonly requestsPerMinuteMax: number;
	/** Calls in flight from one address to one actor. Default 0 (off); public servers: 32. */
	readonly requestsInFlightMax: number;
	/** Actors that are exported at the same time. Default 4. */
	readonly exportsAtOnceMax: number;
	/**
	 * How long one export may take; then it breaks off. Meanwhile the store keeps what is overwritten.
	 * Default 10 min.
	 */
	readonly exportTimeoutMs: number;
}

export const DEFAULT_LIMITS: EngineLimits = {
	httpBodyBytesMax: 128 * 1024 * 1024,
	apiBodyBytesMax: 8 * 1024 * 1024,
	inputBytesMax: 4 * 1024 * 1024,
	webSocketMessageBytesMax: 32 * 1024 * 1024,
	requestTimeoutMs: 300_000,
	webSocketOpenTimeoutMs: 15_000,
	webSocketCloseTimeoutMs: 10_000,
	webSocketPendingMessagesMax: 65_535,
	webSocketPendingBytesMax: 128 * 1024 * 1024,
	webSocketWakeTimeoutMs: 90_000,
	closeWakeDelayMs: 1_000,
	readyTimeoutMs: 30_000,
	routeTimeoutMs: 60_000,
	wakesAtOnceMax: 64,
	wakesWaitingMax: 10_000,
	attemptsMax: 3,
	headersTimeoutMs: 15_000,
	headerBytesMax: 32 * 1024,
	keepAliveTimeoutMs: 65_000,
	closeGraceMs: 5_000,
	connectionsMax: 0,
	requestsPerMinuteMax: 0,
	requestsInFlightMax: 0,
	exportsAtOnceMax: 4,
	exportTimeoutMs: 600_000,
};

/** Defaults with what the caller changed. Throws a `RangeError` that names a limit that is too small or no number. */
export function engineLimits(changed: Partial<EngineLimits> = {}): EngineLimits {
	const limits = { ...DEFAULT_LIMITS, ...changed };
	for (const [name, value] of Object.entries(limits)) {
		// None at a time would be none ever.
		const least = name === "wakesAtOnceMax" || name === "wakesWaitingMax" ? 1 : 0;
		if (typeof value !== "number" || !(value >= least)) {
			throw new RangeError(
				`limits.${name} must be a number of at least ${least}, got ${String(value)}`,
			);
		}
	}
	return limits;
}
