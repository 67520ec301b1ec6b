const COMPACT_FROM = 64;

/**
 * A binary heap whose members may stop to count at any time: nobody takes them out, they are skipped when
 * they come up, and swept out before they are the larger half. So everything is O(log n), amortised.
 */
export class LazyHeap<T> {
	readonly #isBefore: (a: T, b: T) => boolean;
	readonly #counts: (member: T) => boolean;
	/** Null while there are none, so that an idle one costs next to nothing. */
	#members: T[] | null = null;
	#compactAt = COMPACT_FROM;

	/** `counts` tells whether a member is still one; once it is none it must stay so. */
	constructor(isBefore: (a: T, b: T) => boolean, counts: (member: T) => boolean) {
		this.#isBefore = isBefore;
		this.#counts = counts;
	}

	push(member: T): void {
		if (this.#members === null) {
			this.#members = [member];
			return;
		}
		if (this.#members.length >= this.#compactAt) this.#compact();
		this.#members.push(member);
		this.#rise(this.#members.length - 1);
	}

	/** The first member that counts. */
	peek(): T | undefined {
		while (this.#members !== null) {
			const first = this.#members[0]!;
			if (this.#counts(first)) return first;
			this.#dropFirst();
		}
		return undefined;
	}

	/** Takes the first member that counts. */
	pop(): T | undefined {
		const first = this.peek();
		if (first !== undefined) this.#dropFirst();
		return first;
	}

	#dropFirst(): void {
		const members = this.#members!;
		const last = members.pop()!;
		if (members.length === 0) {
			this.#members = null;
			return;
		}
		members[0] = last;
		this.#sink(0);
	}

	#compact(): void {
		const members = this.#members!.filter(this.#counts);
		this.#members = members;
		for (let index = (members.length >> 1) - 1; index >= 0; index--) this.#sink(index);
		this.#compactAt = Math.max(COMPACT_FROM, members.length * 2);
	}

	#rise(from: number): void {
		const members = this.#members!;
		const member = members[from]!;
		let index = from;
		while (index > 0) {
			const above = (index - 1) >> 1;
			if (!this.#isBefore(member, members[above]!)) break;
			members[index] = members[above]!;
			index = above;
		}
		members[index] = member;
	}

	#sink(from: number): void {
		const members = this.#members!;
		const member = members[from]!;
		let index = from;
		for (;;) {
			let below = 2 * index + 1;
			if (below >= members.length) break;
			if (below + 1 < members.length && this.#isBefore(members[below + 1]!, members[below]!)) {
				below++;
			}
			if (!this.#isBefore(members[below]!, member)) break;
			members[index] = members[below]!;
			index = below;
		}
		members[index] = member;
	}
}
