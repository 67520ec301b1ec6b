/** The stored bound is this much above what is stored, so that few commits have to raise it. */
const HEADROOM_BYTES = 64 * 1024;

/**
 * How many bytes of keys and values an actor has: an upper bound that costs no reads. A write to a key
 * whose old value is not in memory counts in full, a delete of one not at all; counting (`KvKeeper`)
 * makes the estimate exact again when it reaches the limit.
 *
 * What is stored is rounded up, and is what the next incarnation begins with.
 */
export class SizeEstimate {
	#committed = 0;
	/** Growth by the batch being committed, and by what was written since. */
	#inFlight = 0;
	#open = 0;
	#stored = 0;
	#taken: number | null = null;
	#isExact = true;
	/** While the entries are counted: bytes put since. */
	#putMeanwhile: number | null = null;
	#countedOverPending = false;
	readonly #limit: number;

	constructor(limit: number) {
		this.#limit = limit;
	}

	get bytes(): number {
		return this.#committed + this.#inFlight + this.#open;
	}

	/** Whether {@link bytes} is what there is, not more. */
	get isExact(): boolean {
		return this.#isExact && this.#putMeanwhile === null;
	}

	load(stored: number): void {
		this.#stored = stored;
		this.#committed = stored;
		this.#isExact = stored === 0;
	}

	/** An entry of `size` bytes takes the place of one of `previous` bytes; undefined: nobody knows. */
	replaced(previous: number | undefined, size: number): void {
		this.#open += size - (previous ?? 0);
		if (previous === undefined) this.#isExact = false;
		this.#changedMeanwhile(size);
	}

	/** Writes are taken back: what they put in place of what was there. */
	takenBack(restored: number, size: number): void {
		this.#open += restored - size;
		this.#changedMeanwhile(restored);
	}

	/** Entries are deleted that nobody knows the size of. */
	shrank(): void {
		this.#isExact = false;
		this.#changedMeanwhile(0);
	}

	/** Whether the count saw the entry before or after the change, nobody knows. */
	#changedMeanwhile(size: number): void {
		if (this.#putMeanwhile === null) return;
		this.#putMeanwhile += size;
		this.#isExact = false;
	}

	/** What to store with this batch; null when the stored bound still holds. */
	take(): number | null {
		this.#inFlight = this.#open;
		this.#open = 0;
		const bytes = this.#committed + this.#inFlight;
		const isClose = bytes <= this.#stored && bytes + 3 * HEADROOM_BYTES > this.#stored;
		this.#taken = isClose ? null : Math.max(0, bytes) + HEADROOM_BYTES;
		return this.#taken;
	}

	committed(): void {
		this.#committed += this.#inFlight;
		this.#inFlight = 0;
		this.#stored = this.#taken ?? this.#stored;
		this.#taken = null;
		this.#countedOverPending = false;
	}

	rollBack(): void {
		this.#inFlight = 0;
		this.#open = 0;
		this.#taken = null;
		if (!this.#countedOverPending) return;
		// What was counted is not what is stored: count again before anything is refused.
		this.#countedOverPending = false;
		this.#committed = this.#limit;
		this.#isExact = false;
	}

	countBegins(): void {
		this.#isExact = true;
		this.#putMeanwhile = 0;
	}

	/** `counted`: bytes of all entries, written ones included; null when it failed. */
	countEnds(counted: number | null): void {
		if (counted === null) {
			this.#isExact = false;
		} else {
			this.#countedOverPending = true;
			this.#committed = counted + (this.#putMeanwhile ?? 0);
			this.#inFlight = 0;
			this.#open = 0;
		}
		this.#putMeanwhile = null;
	}
}
