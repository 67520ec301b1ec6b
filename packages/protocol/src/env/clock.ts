/**
 * Time and randomness, passed in so that tests can drive them. Nothing below the outermost entry
 * calls `Date.now`, `setTimeout` or `Math.random` by itself.
 */

/** A timer that can be stopped. Stopping one that has fired does nothing. */
export interface Timer {
	stop(): void;
}

/** Wall-clock time and one-shot timers, both in milliseconds. */
export interface Clock {
	/** Milliseconds since the Unix epoch. */
	now(): number;
	/**
	 * What it may be now at the latest, in the same unit: for clocks that know the time only within bounds, of which
	 * {@link now} is the lower one. What is to be done after a while is planned from here. Default: {@link now}.
	 */
	latest?(): number;
	/**
	 * Calls `fn` once, not before `delayMs` have passed. Any finite delay is legal, however far: the
	 * clock splits waits over 2^31 - 1 ms itself. Negative delays count as 0.
	 */
	after(delayMs: number, fn: () => void): Timer;
}

const SET_TIMEOUT_MAX_MS = 2_147_483_647;

/**
 * The process's own clock. It looks up the global timers at each call, so a test that installs fake
 * timers moves it. Timers do not keep the process alive when `keepProcessAlive` is false.
 */
export function systemClock(options: { keepProcessAlive?: boolean } = {}): Clock {
	const keepProcessAlive = options.keepProcessAlive ?? true;
	return {
		now: () => Date.now(),
		after(delayMs, fn) {
			const due = Date.now() + Math.max(0, delayMs);
			let handle: ReturnType<typeof setTimeout>;
			const arm = () => {
				const left = Math.max(0, due - Date.now());
				handle = setTimeout(
					left > SET_TIMEOUT_MAX_MS ? arm : fn,
					Math.min(left, SET_TIMEOUT_MAX_MS),
				);
				if (!keepProcessAlive && typeof handle === "object" && "unref" in handle) {
					(handle as { unref(): void }).unref();
				}
			};
			arm();
			return { stop: () => clearTimeout(handle) };
		},
	};
}
