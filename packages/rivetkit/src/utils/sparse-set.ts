/**
 * A set that takes no room while it is empty, and next to none with one member. Most actors are idle most of
 * the time, and most of what they keep a set for comes alone.
 */
export class SparseSet<T extends object | string> implements Iterable<T> {
	#only: T | null = null;
	/** Made with the second member, kept until the last one goes. */
	#members: Set<T> | null = null;

	get size(): number {
		return this.#members?.size ?? (this.#only === null ? 0 : 1);
	}

	has(member: T): boolean {
		return this.#members?.has(member) ?? this.#only === member;
	}

	add(member: T): void {
		if (this.#members) this.#members.add(member);
		else if (this.#only === null) this.#only = member;
		else if (this.#only !== member) {
			this.#members = new Set([this.#only, member]);
			this.#only = null;
		}
	}

	delete(member: T): void {
		if (this.#only === member) this.#only = null;
		else if (this.#members?.delete(member) && this.#members.size === 0) this.#members = null;
	}

	clear(): void {
		this.#only = null;
		this.#members = null;
	}

	/** In order of insertion. Members may be deleted meanwhile; one that is added meanwhile may be left out. */
	[Symbol.iterator](): Iterator<T> {
		if (this.#members) return this.#members.values();
		return (this.#only === null ? [] : [this.#only]).values();
	}
}
