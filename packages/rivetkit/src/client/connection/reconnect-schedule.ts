/** Delay before the first retry (contract: protocol 3.9). Doubles up to {@link RETRY_MAX_MS}. */
const RETRY_FIRST_MS = 250;
const RETRY_MAX_MS = 30_000;
/** A connection that lived this long was healthy: the schedule starts over (contract: api 15.5). */
export const HEALTHY_AFTER_MS = 5_000;

/**
 * When to try again: at once after the loss of a healthy connection, then 250, 500, 1000 … 30 000 ms
 * after each failed attempt. A connection that opens and is lost at once counts as a failed attempt,
 * but for the first time, so a server that closes every connection sees the schedule and not a loop.
 */
export class ReconnectSchedule {
	#failures = 0;
	#immediateRetryUsed = false;

	/** Delay after an attempt that did not lead to a connection. */
	afterFailure(): number {
		this.#failures++;
		return Math.min(RETRY_MAX_MS, RETRY_FIRST_MS * 2 ** (this.#failures - 1));
	}

	/** Delay after the loss of a connection that was open for `openMs`. */
	afterLoss(openMs: number): number {
		if (openMs >= HEALTHY_AFTER_MS) {
			this.#failures = 0;
		} else if (this.#failures > 0 || this.#immediateRetryUsed) {
			return this.afterFailure();
		}
		this.#immediateRetryUsed = true;
		return 0;
	}
}
