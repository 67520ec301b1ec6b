/** A map that takes no room while it is empty; see {@link SparseSet}. */
export class SparseMap<K, V> implements Iterable<[K, V]> {
	#entries: Map<K, V> | null = null;

	get size(): number {
		return this.#entries?.size ?? 0;
	}

	has(key: K): boolean {
		return this.#entries?.has(key) ?? false;
	}

	get(key: K): V | undefined {
		return this.#entries?.get(key);
	}

	set(key: K, value: V): void {
		this.#entries ??= new Map();
		this.#entries.set(key, value);
	}

	delete(key: K): boolean {
		if (!this.#entries?.delete(key)) return false;
		if (this.#entries.size === 0) this.#entries = null;
		return true;
	}

	clear(): void {
		this.#entries = null;
	}

	/** In order of insertion. */
	keys(): Iterable<K> {
		return this.#entries?.keys() ?? [];
	}

	values(): Iterable<V> {
		return this.#entries?.values() ?? [];
	}

	[Symbol.iterator](): Iterator<[K, V]> {
		return (this.#entries ?? new Map<K, V>()).entries();
	}
}
