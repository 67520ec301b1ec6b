import { LastDurations } from "./last-durations.ts";

/** Hears that so many calls took so long (ms). */
export type Told = (tookMs: number, calls: number) => void;

/**
 * Calls of one kind that are not timed: they count as long as the last samples did, in turn. Each of them is one addition;
 * what they took is told before the samples change, and when somebody asks.
 */
export class UntimedCalls {
	readonly #samples = new LastDurations();
	readonly #told: Told;
	#calls = 0;

	constructor(told: Told) {
		this.#told = told;
	}

	/** Whether there are as many samples as are kept. */
	get isKnown(): boolean {
		return this.#samples.isFull;
	}

	/** One has ended. */
	count(): void {
		this.#calls++;
	}

	/** A sample has ended. The first one stands for those before it, too. */
	add(tookMs: number): void {
		if (!this.#samples.isEmpty) this.tell();
		this.#samples.add(tookMs);
	}

	/** As how long the next one counts, for one that is a piece of work of its own after all. */
	nextMs(): number {
		return this.#samples.next();
	}

	tell(): void {
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
