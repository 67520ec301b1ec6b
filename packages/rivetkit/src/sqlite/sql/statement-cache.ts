/**
 * Compiled statements by their text, at most `capacity`. The one dropped is the oldest that was not used
 * since the last look at it, so a hit costs no reordering.
 */
export class StatementCache<Entry extends CachedEntry> {
	readonly #capacity: number;
	readonly #entries = new Map<string, Entry>();

	constructor(capacity: number) {
		this.#capacity = capacity;
	}

	get size(): number {
		return this.#entries.size;
	}

	get(text: string): Entry | undefined {
		const entry = this.#entries.get(text);
		if (entry !== undefined) entry.used = true;
		return entry;
	}

	set(text: string, entry: Entry): void {
		if (this.#entries.size >= this.#capacity) this.#makeRoom();
		this.#entries.set(text, entry);
	}

	clear(): void {
		for (const entry of this.#entries.values()) entry.drop();
		this.#entries.clear();
	}

	#makeRoom(): void {
		// Ends at the latest after one round, when nothing counts as used any more.
		for (const [text, entry] of this.#entries) {
			this.#entries.delete(text);
			if (!entry.used) {
				entry.drop();
				return;
			}
			entry.used = false;
			this.#entries.set(text, entry);
		}
	}
}

export interface CachedEntry {
	/** Whether it was asked for since it was last looked at. */
	used: boolean;
	/** It is out of the cache for good. */
	drop(): void;
}
