import type { KeyId } from "./keys.ts";

/** Ids with `start <= id < end`. */
export interface IdRange {
	readonly start: KeyId;
	/** Exclusive; null is behind everything. */
	readonly end: KeyId | null;
}

type ClosedRange = IdRange & { readonly end: KeyId };

/** What a range takes in memory besides its bounds. */
const RANGE_OVERHEAD_BYTES = 64;

/** A set of ids made of ranges: disjoint, in order, none touching the next. */
export class RangeSet {
	#ranges: readonly ClosedRange[];
	/** Memory it takes, about. */
	bytes: number;

	constructor(ranges: readonly ClosedRange[] = [], bytes = 0) {
		this.#ranges = ranges;
		this.bytes = bytes;
	}

	get isEmpty(): boolean {
		return this.#ranges.length === 0;
	}

	/** A copy that does not change with this one. */
	copy(): RangeSet {
		return new RangeSet(this.#ranges, this.bytes);
	}

	[Symbol.iterator](): Iterator<ClosedRange> {
		return this.#ranges[Symbol.iterator]();
	}

	add(start: KeyId, end: KeyId): void {
		if (start >= end) return;
		// The ranges that it meets become one with it.
		const from = this.#firstEndingAtOrAfter(start);
		let to = from;
		let [first, last] = [start, end];
		for (; to < this.#ranges.length; to++) {
			const range = this.#ranges[to]!;
			if (range.start > end) break;
			if (range.start < first) first = range.start;
			if (range.end > last) last = range.end;
			this.bytes -= heldBytes(range);
		}
		const joined = { start: first, end: last };
		this.bytes += heldBytes(joined);
		this.#ranges = this.#ranges.toSpliced(from, to - from, joined);
	}

	has(id: KeyId): boolean {
		if (this.#ranges.length === 0) return false;
		// A range that ends at the id does not have it, but the next one may begin there.
		for (let at = this.#firstEndingAtOrAfter(id); at < this.#ranges.length; at++) {
			const { start, end } = this.#ranges[at]!;
			if (start > id) return false;
			if (id < end) return true;
		}
		return false;
	}

	/** What of `range` is not in the set, in order. */
	gapsIn(range: IdRange): IdRange[] {
		const gaps: IdRange[] = [];
		let { start } = range;
		for (const covered of this.#ranges) {
			if (range.end !== null && covered.start >= range.end) break;
			if (covered.end <= start) continue;
			if (covered.start > start) gaps.push({ start, end: covered.start });
			start = covered.end;
		}
		if (range.end === null || start < range.end) gaps.push({ start, end: range.end });
		return gaps;
	}

	#firstEndingAtOrAfter(id: KeyId): number {
		let low = 0;
		let high = this.#ranges.length;
		while (low < high) {
			const middle = (low + high) >>> 1;
			if (this.#ranges[middle]!.end < id) low = middle + 1;
			else high = middle;
		}
		return low;
	}
}

function heldBytes({ start, end }: ClosedRange): number {
	return start.length + end.length + RANGE_OVERHEAD_BYTES;
}
