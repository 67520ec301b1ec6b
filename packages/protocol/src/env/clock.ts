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
	/**
	 * Whether {@link now} moves only as {@link after} does: nobody sets it, and no machine that it belongs to is
	 * suspended. A wait for a time then needs one timer, however far. Default false.
	 */
	readonly isNeverSet?: boolean;
}

/**
 * A timer is set for no longer than this (ms) and looks at the wall clock again: one that was set forward, or a
 * machine that was suspended, makes what waits for a time late by this much at the most.
 */
const LOOK_AGAIN_MS = 600_000;

/** For how long (ms) to set a timer that waits for `ts`, in ms since the epoch. When it fires, look at the clock. */
export function delayUntil(clock: Clock, ts: number): number {
	const leftMs = ts - clock.now();
	return clock.isNeverSet ? leftMs : Math.min(leftMs, LOOK_AGAIN_MS);
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
