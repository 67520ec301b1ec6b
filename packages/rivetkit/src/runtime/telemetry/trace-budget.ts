const SECOND_MS = 1_000;
/** An actor that begins more traces than this in a second is a busy one. */
const QUIET_MAX = 10;
/** Spans of one trace that cost nothing of the budget in the second in which it began. */
export const SPANS_OF_TRACE_MAX = 128;
/**
 * Spans that a trace may go on with for each time it takes from the budget again: a `run` with all its steps is one trace,
 * and would take as many spans for each as others have in a whole trace.
 */
export const SPANS_AGAIN_MAX = 8;

/** What one incarnation has asked of the budget. */
export class BudgetShare {
	/** The second that {@link asked} is about. */
	second = 0;
	asked = 0;
	askedBefore = 0;
	/** Pieces of work that were left out, and the trail does not say so yet. */
	untold = 0;
}

/** How long a trace may go on without asking again. */
export interface Admission {
	second: number;
	spansLeft: number;
}

/**
 * How many traces the actors of a host begin in a second: beyond that, work is only measured. A second
 * begins with the first trace after the last one is over. Busy actors share one half of it; the other is
 * for those that were quiet in this second and the one before. Failed and slow work is kept beyond it,
 * within a tenth of its own.
 */
export class TraceBudget {
	readonly #max: number;
	#beganMs = Number.NEGATIVE_INFINITY;
	/** Grows; one that follows the last at once is one higher. */
	#second = 1;
	#left = 0;
	#lateLeft = 0;
	/** Pieces of work that were left out since the process began. */
	leftOut = 0;

	constructor(maxPerSecond: number) {
		this.#max = maxPerSecond;
	}

	/** @param nowMs - of any clock; the caller has looked at it anyway */
	admits(share: BudgetShare, nowMs: number): boolean {
		this.#follow(nowMs);
		if (!this.#hasLeft(share)) return false;
		this.#left--;
		return true;
	}

	/**
	 * Whether {@link admits} would refuse, without a look at the clock: as of the second that the last look was in. If it would
	 * not, nothing has been asked yet.
	 */
	refuses(share: BudgetShare): boolean {
		if (!this.#hasLeft(share)) return true;
		share.asked--;
		return false;
	}

	/** Counts that it has asked. */
	#hasLeft(share: BudgetShare): boolean {
		const second = this.#second;
		if (share.second !== second) {
			share.askedBefore = share.second === second - 1 ? share.asked : 0;
			share.asked = 0;
			share.second = second;
		}
		share.asked++;
		const isBusy = share.asked > QUIET_MAX || share.askedBefore > QUIET_MAX;
		// Of an odd number the busy ones get more: one that is alone gets all of a budget of 1.
		return this.#left > (isBusy ? this.#max >> 1 : 0);
	}

	/** A trace that was admitted now. */
	admission(): Admission {
		return { second: this.#second, spansLeft: SPANS_OF_TRACE_MAX };
	}

	/** One more span of a trace: asks for it again once it is too large or goes on for too long. */
	continues(trace: Admission, share: BudgetShare, nowMs: number): boolean {
		this.#follow(nowMs);
		if (trace.second !== this.#second || trace.spansLeft === 0) {
			if (!this.admits(share, nowMs)) return false;
			trace.second = this.#second;
			trace.spansLeft = SPANS_AGAIN_MAX;
		}
		trace.spansLeft--;
		return true;
	}

	/** Whether something that was left out is recorded now that it has failed, or took long. */
	admitsLate(nowMs: number): boolean {
		this.#follow(nowMs);
		if (this.#lateLeft === 0) return false;
		this.#lateLeft--;
		return true;
	}

	#follow(nowMs: number): void {
		const passedMs = nowMs - this.#beganMs;
		// The wall clock may be set back; a commit begins a little before what was asked about last.
		if (Math.abs(passedMs) < SECOND_MS) return;
		this.#second += passedMs < 2 * SECOND_MS ? 1 : 2;
		this.#beganMs = nowMs;
		this.#left = this.#max;
		this.#lateLeft = Math.ceil(this.#max / 10);
	}
}
