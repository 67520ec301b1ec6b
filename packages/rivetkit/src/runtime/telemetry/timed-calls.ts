import type { TimerWheel, WheelTimer } from "../timers/timer-wheel.ts";
import type { Work } from "./span.ts";

/** Calls of a type of actors that are timed one by one in a stretch. */
export const TIMED_MAX = 8;
/** Of those beyond it, one of so many is. */
export const TIMED_EVERY = 128;
/** How long a stretch is (ms). */
export const STRETCH_MS = 100;

/**
 * Which calls of the actors of one type are timed. Looking at the clock twice takes a fiftieth of a small call that came with
 * many others, and what is measured by it as long again. So of many in a stretch of time only some are: the samples.
 */
export class TimedCalls {
	/** What the last sample took that never left the stack (ms). Calls that are not timed count as long. */
	tookMs = 0;
	/** The last one that began, until it has ended or left the stack. */
	#sample: Work | null = null;
	/** Calls until the next sample. */
	#skips = 0;
	#samples = 0;
	#stretchBeganMs = Number.NEGATIVE_INFINITY;
	/** Runs while calls may be skipped: what comes after the many is timed again. */
	#timer: WheelTimer | null = null;

	/** Whether the next call is none of the samples. */
	skips(): boolean {
		if (this.#skips === 0) return false;
		this.#skips--;
		return true;
	}

	/** A sample begins. @param nowMs - of any clock */
	began(work: Work | null, nowMs: number, timers: Pick<TimerWheel, "schedule">): void {
		this.#sample = work;
		// The wall clock may be set back.
		if (Math.abs(nowMs - this.#stretchBeganMs) >= STRETCH_MS) {
			this.#stretchBeganMs = nowMs;
			this.#samples = 0;
		}
		if (++this.#samples < TIMED_MAX) return;
		this.#skips = TIMED_EVERY - 1;
		this.#timer ??= timers.schedule(STRETCH_MS, () => {
			this.#timer = null;
			this.#skips = 0;
		});
	}

	/** A call has ended that was timed and never left the stack; one of a quiet actor need not be a sample. */
	ended(work: Work, tookMs: number): void {
		if (work !== this.#sample) return;
		this.#sample = null;
		this.tookMs = tookMs;
	}
}
