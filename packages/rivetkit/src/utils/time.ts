import { type Clock, systemClock } from "@rivetkit/protocol";

/** Resolves after `ms`, however far that is. */
export function sleep(ms: number, clock: Clock = systemClock()): Promise<void> {
	return new Promise((resolve) => {
		clock.after(ms, resolve);
	});
}

/**
 * A function whose promises resolve once per tick. Ticks are at fixed times from the call on and do not
 * drift; ticks nobody waited for are skipped.
 */
export function interval(ms: number, clock: Clock = systemClock()): () => Promise<void> {
	if (!Number.isFinite(ms) || ms <= 0) {
		throw new TypeError(`interval expects milliseconds greater than 0, found ${ms}`);
	}
	const start = clock.now();
	let lastTick = 0;
	return () => {
		const elapsed = clock.now() - start;
		lastTick = Math.max(lastTick + 1, Math.ceil(elapsed / ms));
		return sleep(lastTick * ms - elapsed, clock);
	};
}

export interface LongTimeoutHandle {
	/** Stops the timer; does nothing when it has fired. */
	abort(): void;
}

/** `setTimeout` without its limit of 2^31 - 1 ms. */
export function setLongTimeout(
	fn: () => void,
	ms: number,
	clock: Clock = systemClock(),
): LongTimeoutHandle {
	const timer = clock.after(ms, fn);
	return { abort: () => timer.stop() };
}
