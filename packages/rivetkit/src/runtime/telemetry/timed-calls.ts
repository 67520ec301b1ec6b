import type { TimerWheel, WheelTimer } from "../timers/timer-wheel.ts";

/** Calls of an actor that are timed one by one in a stretch. */
export const TIMED_MAX = 32;
/** Of those beyond it, one of so many is. */
export const TIMED_EVERY = 32;
/** How long a stretch is (ms). */
export const STRETCH_MS = 20;

/**
 * Which calls of one incarnation are timed. Looking at the clock twice takes a fiftieth of a small call that came with many
 * others, and what is measured by it as long again. So of many in a stretch of time only some are.
 */
export class TimedCalls {
	/** What the last one took that was timed and never left the stack (ms). Those that are not timed count as long. */
	tookMs = 0;
	readonly #timers: Pick<TimerWheel, "schedule">;
	/** Calls until the next one that is timed. */
	#skips = 0;
	#timed = 0;
	#stretchBeganMs = Number.NEGATIVE_INFINITY;
	/** Runs while calls may be skipped: what comes after the many is timed again. */
	#timer: WheelTimer | null = null;

	constructor(timers: Pick<TimerWheel, "schedule">) {
		this.#timers = timers;
	}

	/** Whether the next call is to be left untimed. */
	skips(): boolean {
		if (this.#skips === 0) return false;
		this.#skips--;
		return true;
	}

	/** One that is timed begins. @param nowMs - of any clock */
	began(nowMs: number): void {
		// The wall clock may be set back.
		if (Math.abs(nowMs - this.#stretchBeganMs) >= STRETCH_MS) {
			this.#stretchBeganMs = nowMs;
			this.#timed = 0;
		}
		if (++this.#timed < TIMED_MAX) return;
		this.#skips = TIMED_EVERY - 1;
		this.#timer ??= this.#timers.schedule(STRETCH_MS, () => this.end());
	}

	/** The many are over, or the incarnation is. */
	end(): void {
		this.#timer?.cancel();
		this.#timer = null;
		this.#skips = 0;
	}
}
