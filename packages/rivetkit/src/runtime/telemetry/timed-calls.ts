import type { Random } from "@rivetkit/protocol";
import type { TimerWheel, WheelTimer } from "../timers/timer-wheel.ts";
import type { Work } from "./span.ts";

/** Calls of a type of actors that are timed one by one in a stretch. */
export const TIMED_MAX = 8;
/** Of those beyond it, one of so many is in the mean; half as many are skipped at least, one and a half times as many at most. */
export const TIMED_EVERY = 128;
/** How long a stretch is (ms). */
export const STRETCH_MS = 100;
/** Samples whose durations are kept. */
export const KEPT = 8;

/**
 * Which calls of the actors of one type are timed. Looking at the clock twice takes a fiftieth of a small call that came with
 * many others, and what is measured by it as long again. So of many in a stretch of time only some are: the samples.
 */
export class TimedCalls {
	/** What the last samples took that were answered and never left the stack (ms). */
	readonly #tookMs = new Float64Array(KEPT);
	#kept = 0;
	#newest = KEPT - 1;
	#turn = 0;
	/** The last one that began, until it has ended. */
	#sample: Work | null = null;
	/** Calls until the next sample. */
	#skips = 0;
	#samples = 0;
	#stretchBeganMs = Number.NEGATIVE_INFINITY;
	/** Runs while calls may be skipped: what comes after the many is timed again. */
	#timer: WheelTimer | null = null;
	/** Of a generator of its own (xorshift): asking the source for each sample would take as long as what it saves. */
	#state: number;

	constructor(random: Random) {
		this.#state = 1 + Math.floor(random.fraction() * (2 ** 32 - 1));
	}

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
		this.#skips = (TIMED_EVERY >> 1) + (this.#draw() % TIMED_EVERY);
		this.#timer ??= timers.schedule(STRETCH_MS, () => this.end());
	}

	/**
	 * A timed call has ended; one of a quiet actor need not be a sample.
	 *
	 * @param tookMs - null when it failed or has left the stack: it says nothing of those that are not timed
	 */
	ended(work: Work, tookMs: number | null): void {
		if (work !== this.#sample) return;
		this.#sample = null;
		if (tookMs === null) return;
		this.#newest = (this.#newest + 1) % KEPT;
		this.#tookMs[this.#newest] = tookMs;
		if (this.#kept < KEPT) this.#kept++;
	}

	/** As how long a call counts that is not timed: what the kept samples took, in turn. One that was slow counts for its part. */
	tookMs(): number {
		if (++this.#turn >= this.#kept) this.#turn = 0;
		return this.#tookMs[this.#turn]!;
	}

	/** The many are over, or an actor of the type has stopped: no timer is left of the last one. */
	end(): void {
		this.#timer?.cancel();
		this.#timer = null;
		this.#skips = 0;
	}

	/** Calls that come in a pattern are not all sampled at the same place of it. */
	#draw(): number {
		let state = this.#state;
		state ^= state << 13;
		state ^= state >>> 17;
		state ^= state << 5;
		this.#state = state;
		return state >>> 0;
	}
}
