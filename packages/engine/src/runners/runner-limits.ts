import { RUNNER_KV_STORE_BYTES_MAX } from "@rivetkit/protocol/runner";

/** Limits of runners (times in ms; contract: engine 4.7, 4.8, 6, 8). */
export interface RunnerLimits {
	/** How often a runner is pinged. Default 3,000. */
	readonly pingIntervalMs: number;
	/** Silence after which a runner gets no actors. Default 10,000. */
	readonly runnerEligibleThresholdMs: number;
	/** Silence after which a runner is lost with its actors; it is told this. Default 15,000. */
	readonly runnerLostThresholdMs: number;
	/** From the start command to the word that the actor runs. Default 30,000. */
	readonly actorStartThresholdMs: number;
	/** From the stop command to the word that it has stopped. Default 30,000. */
	readonly actorStopThresholdMs: number;
	/** How long an actor waits for a slot. Default 60,000. */
	readonly slotWaitMs: number;
	/** How long a message of a client whose socket is held may be without acknowledgement. Default 30,000. */
	readonly messageAckTimeoutMs: number;
	/** How often such messages are looked for. Default 15,000. */
	readonly messageAckLookMs: number;
	/**
	 * Bytes of an answer's body; one that is larger is a 502, and its runner stays connected (Q9). Default 128 MiB. What the
	 * whole frame may have is 256 MiB, whatever this is: a larger one closes the socket.
	 */
	readonly responseBodyBytesMax: number;
	/** Bytes that one actor may store, about. Default 10 GiB. */
	readonly kvBytesMax: number;
	/**
	 * Bytes of calls and messages that wait for one runner without a socket to come back, and of all that may wait in the
	 * socket of a slow one when a client whose socket is not held, and that has more than 1 MiB there, sends more. Default 32 MiB.
	 */
	readonly tunnelBacklogBytesMax: number;
	/** How many of them. Default 10,000. */
	readonly tunnelBacklogMessagesMax: number;
	/** Clients that have left, of which one runner may not have heard it; the oldest is forgotten first. Default 100,000. */
	readonly tunnelBacklogEndsMax: number;
	/** Incarnations that one call is offered to. Default 7 (contract: engine 3.7). */
	readonly attemptsMax: number;
	/** Pause before the second one, doubled each time. Default 150. */
	readonly attemptPauseMs: number;
	/** How long a new socket may be silent. Default 5,000. */
	readonly initTimeoutMs: number;
	/** First pause between starts after crashes, doubled each time. Default 2,000. */
	readonly retryBaseMs: number;
	/** Default 8. */
	readonly backoffExponentMax: number;
	/** Without a crash for as long, the next one is the first again. Default 600,000. */
	readonly retryResetMs: number;
}

export const RUNNER_LIMITS: RunnerLimits = {
	pingIntervalMs: 3_000,
	runnerEligibleThresholdMs: 10_000,
	runnerLostThresholdMs: 15_000,
	actorStartThresholdMs: 30_000,
	actorStopThresholdMs: 30_000,
	slotWaitMs: 60_000,
	messageAckTimeoutMs: 30_000,
	messageAckLookMs: 15_000,
	responseBodyBytesMax: 128 * 1024 * 1024,
	kvBytesMax: RUNNER_KV_STORE_BYTES_MAX,
	tunnelBacklogBytesMax: 32 * 1024 * 1024,
	tunnelBacklogMessagesMax: 10_000,
	tunnelBacklogEndsMax: 100_000,
	attemptsMax: 7,
	attemptPauseMs: 150,
	initTimeoutMs: 5_000,
	retryBaseMs: 2_000,
	backoffExponentMax: 8,
	retryResetMs: 600_000,
};
