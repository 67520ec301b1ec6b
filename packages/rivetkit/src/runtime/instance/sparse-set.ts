/** A set that takes no room while it is empty. Most actors are idle most of the time. */
export class SparseSet<T> implements Iterable<T> {
	#members: Set<T> | null = null;

	get size(): number {
		return this.#members?.size ?? 0;
	}

	add(member: T): void {
		this.#members ??= new Set();
		this.#members.add(member);
	}

	delete(member: T): void {
		if (this.#members?.delete(member) && this.#members.size === 0) this.#members = null;
	}

	/** In order of insertion. Members may be added and deleted meanwhile. */
	[Symbol.iterator](): Iterator<T> {
		return (this.#members ?? []).values();
	}
}
