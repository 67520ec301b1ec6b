import type { ErasedQueue } from "../../actor/erased.ts";

/** How long a message waits after its delivery number `attempt` came to nothing (ms): doubling, bounded. */
export function retryDelayMs(declaration: ErasedQueue | undefined, attempt: number): number {
	const delay = declaration?.retryDelay;
	if (!delay) return 0;
	// The exponent stays in a range where powers of two are numbers.
	return Math.min(delay.maxMs, delay.initialMs * 2 ** Math.min(attempt - 1, 64));
}

/** Whether a message that was handed out `attempt` times must not be handed out again. */
export function isExhausted(declaration: ErasedQueue | undefined, attempt: number): boolean {
	return attempt >= (declaration?.maxAttempts ?? Number.POSITIVE_INFINITY);
}
