import { KEPT, LastDurations } from "./last-durations.ts";

/** Hears that so many calls took so long (ms). */
export type Told = (tookMs: number, calls: number) => void;

/**
 * Calls of one kind that are not timed: they count as long as the last samples did, in turn. What they took is told when all of
 * these are samples of the same time as they, and when somebody asks.
 */
export class UntimedCalls {
	readonly #samples = new LastDurations();
	readonly #told: Told;
	#calls = 0;
	/** Samples since it told of the calls. */
	#fresh = 0;

	constructor(told: Told) {
		this.#told = told;
	}

	/** Whether there are as many samples as are kept. */
	get isKnown(): boolean {
		return this.#samples.isFull;
	}

	/** Whether all samples are newer than what it told of: the next one would take the place of one of them. */
	get isRenewed(): boolean {
		return this.#fresh >= KEPT;
	}

	/** So many have ended. */
	count(calls: number): void {
		this.#calls += calls;
	}

	/** A sample has ended. */
	add(tookMs: number): void {
		this.#samples.add(tookMs);
		this.#fresh++;
	}

	/** As how long the next one counts, for one that is a piece of work of its own after all. */
	nextMs(): number {
		return this.#samples.next();
	}

	tell(): void {
		this.#fresh = 0;
		if (this.#calls === 0) return;
		const calls = this.#calls;
		this.#calls = 0;
		this.#samples.share(calls, this.#told);
	}

	/** Forgets the samples. */
	clear(): void {
		this.tell();
		this.#samples.clear();
	}
}
