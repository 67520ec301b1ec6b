/** An ordered map on one sorted array: logarithmic look-ups, linear (but memmove-fast) inserts. */
export class SortedMap<K, V> {
	readonly #compare: (a: K, b: K) => number;
	readonly #entries: { readonly key: K; value: V }[] = [];

	constructor(compare: (a: K, b: K) => number) {
		this.#compare = compare;
	}

	get size(): number {
		return this.#entries.length;
	}

	get(key: K): V | undefined {
		const entry = this.#entries[this.#indexOf(key)];
		return entry !== undefined && this.#compare(entry.key, key) === 0 ? entry.value : undefined;
	}

	set(key: K, value: V): void {
		const index = this.#indexOf(key);
		const entry = this.#entries[index];
		if (entry !== undefined && this.#compare(entry.key, key) === 0) {
			entry.value = value;
		} else {
			this.#entries.splice(index, 0, { key, value });
		}
	}

	delete(key: K): void {
		const index = this.#indexOf(key);
		const entry = this.#entries[index];
		if (entry !== undefined && this.#compare(entry.key, key) === 0) {
			this.#entries.splice(index, 1);
		}
	}

	/** Removes `start <= key < end`; `null` means to the end. */
	deleteRange(start: K, end: K | null): void {
		const [from, to] = this.#bounds(start, end);
		this.#entries.splice(from, to - from);
	}

	/** Entries with `start <= key < end`, in order or `reverse`d, at most `limit`. */
	range(
		start: K,
		end: K | null,
		options: { limit?: number | undefined; reverse?: boolean | undefined } = {},
	): readonly { readonly key: K; readonly value: V }[] {
		const [from, to] = this.#bounds(start, end);
		const count = Math.max(0, Math.min(options.limit ?? Number.POSITIVE_INFINITY, to - from));
		return options.reverse
			? this.#entries.slice(to - count, to).reverse()
			: this.#entries.slice(from, from + count);
	}

	first(): { readonly key: K; readonly value: V } | undefined {
		return this.#entries[0];
	}

	#bounds(start: K, end: K | null): [from: number, to: number] {
		const from = this.#indexOf(start);
		const to = end === null ? this.#entries.length : this.#indexOf(end);
		return [from, Math.max(from, to)];
	}

	/** Where `key` is or would be inserted. */
	#indexOf(key: K): number {
		let low = 0;
		let high = this.#entries.length;
		while (low < high) {
			const middle = (low + high) >>> 1;
			if (this.#compare(this.#entries[middle]!.key, key) < 0) {
				low = middle + 1;
			} else {
				high = middle;
			}
		}
		return low;
	}
}
