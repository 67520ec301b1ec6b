/** Durations whose values are kept. */
export const KEPT = 8;

/** The last few durations of some kind (ms), for what is like them and is not timed. */
export class LastDurations {
	readonly #ms = new Float64Array(KEPT);
	#kept = 0;
	#newest = KEPT - 1;
	#turn = 0;

	get isFull(): boolean {
		return this.#kept === KEPT;
	}

	add(ms: number): void {
		this.#newest = (this.#newest + 1) % KEPT;
		this.#ms[this.#newest] = ms;
		if (this.#kept < KEPT) this.#kept++;
	}

	/** Each of them in turn, so that one that is long counts for its part. 0 if there was none yet. */
	next(): number {
		if (++this.#turn >= this.#kept) this.#turn = 0;
		return this.#ms[this.#turn]!;
	}

	/** The same for many, with how many each of them is for. */
	share(count: number, tell: (ms: number, count: number) => void): void {
		const kept = Math.max(1, this.#kept);
		const more = count % kept;
		const each = (count - more) / kept;
		for (let at = 0; at < kept; at++) {
			const of = at < more ? each + 1 : each;
			if (of > 0) tell(this.#ms[(this.#turn + 1 + at) % kept]!, of);
		}
		this.#turn = (this.#turn + more) % kept;
	}

	clear(): void {
		this.#kept = 0;
		this.#newest = KEPT - 1;
		this.#ms.fill(0);
	}
}
