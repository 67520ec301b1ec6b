/** What a ring keeps. */
export interface Kept {
	/** About what it takes in memory. */
	readonly bytes: number;
	isDropped: boolean;
}

/** The last entries, within two limits: the oldest ones go first. */
export class Ring<Entry extends Kept> {
	readonly #entriesMax: number;
	readonly #bytesMax: number;
	/** Told of each change of {@link bytes}. */
	readonly #grew: (bytes: number) => void;
	#entries: (Entry | undefined)[] = [];
	#first = 0;
	#bytes = 0;

	constructor(entriesMax: number, bytesMax: number, grew: (bytes: number) => void) {
		this.#entriesMax = entriesMax;
		this.#bytesMax = bytesMax;
		this.#grew = grew;
	}

	get size(): number {
		return this.#entries.length - this.#first;
	}

	get bytes(): number {
		return this.#bytes;
	}

	push(entry: Entry): void {
		entry.isDropped = false;
		this.#entries.push(entry);
		this.grow(entry.bytes);
	}

	/** An entry takes more than it did when it was pushed. */
	grow(bytes: number): void {
		this.#bytes += bytes;
		this.#grew(bytes);
		// The newest stays, whatever it takes.
		while (this.size > 1 && (this.size > this.#entriesMax || this.#bytes > this.#bytesMax)) {
			this.#dropFirst();
		}
	}

	#dropFirst(): void {
		const entry = this.#entries[this.#first]!;
		this.#entries[this.#first++] = undefined;
		entry.isDropped = true;
		this.dropped(entry);
		this.#bytes -= entry.bytes;
		this.#grew(-entry.bytes);
		if (this.#first > 32 && this.#first * 2 > this.#entries.length) {
			this.#entries = this.#entries.slice(this.#first);
			this.#first = 0;
		}
	}

	clear(): void {
		for (const entry of this) {
			entry.isDropped = true;
			this.dropped(entry);
		}
		this.#grew(-this.#bytes);
		this.#entries = [];
		this.#first = 0;
		this.#bytes = 0;
	}

	/** An entry made room for others. */
	protected dropped(_entry: Entry): void {}

	/** Oldest first. */
	*[Symbol.iterator](): Generator<Entry> {
		for (let at = this.#first; at < this.#entries.length; at++) yield this.#entries[at]!;
	}
}

/** A ring that knows of which of its entries it has let go: ids grow. */
export class NumberedRing<Entry extends Kept & { readonly id: number }> extends Ring<Entry> {
	#droppedId = 0;

	/** The newest entry that is not kept any more; 0 while all are. */
	get droppedId(): number {
		return this.#droppedId;
	}

	protected override dropped({ id }: Entry): void {
		this.#droppedId = id;
	}
}
