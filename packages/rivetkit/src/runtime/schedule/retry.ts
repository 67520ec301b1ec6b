/** When and how often a failed call is tried again. Times in milliseconds. */
export interface RetryPolicy {
	/** Tries in all. */
	readonly attempts: number;
	readonly delay: number;
	readonly factor: number;
	readonly maxDelay: number;
}

export const ATTEMPTS_MAX = 1_000;
export const NO_RETRY: RetryPolicy = {
	attempts: 1,
	delay: 1_000,
	factor: 2,
	maxDelay: 3_600_000,
};

/** How long a call waits after its n-th failure; null when that was the last try. */
export function pauseAfter(policy: RetryPolicy, failures: number): number | null {
	if (failures >= policy.attempts) return null;
	return Math.ceil(Math.min(policy.maxDelay, policy.delay * policy.factor ** (failures - 1)));
}

const INTERRUPTION_FIRST_MS = 1_000;
const INTERRUPTION_MAX_MS = 300_000;

/**
 * How long a call that a crash or a stop cut off waits before it is made again, by how many tries before
 * that one were cut off, too. The first time it does not wait; an action that brings its process down
 * must not do so in a circle.
 */
export function pauseAfterInterruption(earlier: number): number {
	if (earlier === 0) return 0;
	return Math.min(INTERRUPTION_MAX_MS, INTERRUPTION_FIRST_MS * 2 ** (earlier - 1));
}
