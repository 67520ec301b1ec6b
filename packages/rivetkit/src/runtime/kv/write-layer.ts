import type { StorageOp } from "@rivetkit/protocol";
import { BatchEncoder } from "./batch-encoder.ts";
import { type KeyId, storedKey } from "./keys.ts";
import { type IdRange, RangeSet } from "./range-set.ts";
import { type Entry, NO_ENTRY, storedBytes } from "./values.ts";

/** What a key takes in memory besides itself and its value. */
const ENTRY_OVERHEAD_BYTES = 64;

/** The entries of a batch of up to this much (memory) are kept for reads when it is committed. */
export const CACHED_BATCH_BYTES_MAX: number = 32 * 1024;

/** Memory of one written key. */
export function heldBytes(id: KeyId, entry: Entry): number {
	return id.length + entry.size + ENTRY_OVERHEAD_BYTES;
}

/**
 * The writes of one batch, as what they come to: ranges that are emptied first, then one entry per key.
 */
export class WriteLayer {
	readonly #points = new Map<KeyId, Entry>();
	#emptied = new RangeSet();
	#pointBytes = 0;
	/** Ids in order; null until somebody asks for them. */
	#sorted: KeyId[] | null = null;
	/** Ids that are not in `#sorted` yet. */
	#unsorted: KeyId[] = [];

	get isEmpty(): boolean {
		return this.#points.size === 0 && this.#emptied.isEmpty;
	}

	/** Memory it takes, about. */
	get bytes(): number {
		return this.#pointBytes + this.#emptied.bytes;
	}

	get points(): ReadonlyMap<KeyId, Entry> {
		return this.#points;
	}

	get emptied(): RangeSet {
		return this.#emptied;
	}

	/** What the key has because of these writes; undefined when they do not concern it. */
	get(id: KeyId): Entry | undefined {
		const entry = this.#points.get(id);
		if (entry !== undefined) return entry;
		return this.#emptied.isEmpty || !this.#emptied.has(id) ? undefined : NO_ENTRY;
	}

	/** `previous` is what the layer's points have for the key. */
	set(id: KeyId, entry: Entry, previous: Entry | undefined): void {
		if (previous === undefined) {
			this.#pointBytes += heldBytes(id, entry);
			if (this.#sorted !== null) this.#unsorted.push(id);
		} else {
			this.#pointBytes += entry.size - previous.size;
		}
		this.#points.set(id, entry);
	}

	/** Empties a range, and forgets what was written to keys in it before. */
	deleteRange(start: KeyId, end: KeyId): void {
		const ids = this.#order();
		const from = firstAtOrAfter(ids, start);
		const to = firstAtOrAfter(ids, end);
		for (const id of ids.splice(from, to - from)) {
			this.#pointBytes -= heldBytes(id, this.#points.get(id)!);
			this.#points.delete(id);
		}
		this.#emptied.add(start, end);
	}

	/** For taking writes back: puts `entry`, or nothing, in the place of what is written to the key. */
	restore(id: KeyId, entry: Entry | undefined): void {
		const current = this.#points.get(id);
		if (entry !== undefined) {
			this.set(id, entry, current);
		} else if (current !== undefined) {
			this.#pointBytes -= heldBytes(id, current);
			this.#points.delete(id);
			this.#sorted = null;
			this.#unsorted = [];
		}
	}

	/** For taking writes back. */
	restoreEmptied(emptied: RangeSet): void {
		this.#emptied = emptied;
	}

	/** Written keys in a range, in order, deleted ones included. */
	entriesIn({ start, end }: IdRange): [id: KeyId, entry: Entry][] {
		const ids = this.#order();
		const from = firstAtOrAfter(ids, start);
		const to = end === null ? ids.length : firstAtOrAfter(ids, end);
		const entries: [KeyId, Entry][] = [];
		for (let at = from; at < to; at++) entries.push([ids[at]!, this.#points.get(ids[at]!)!]);
		return entries;
	}

	/** Its writes, as few as they can be. Nothing more is written to it after that. */
	addTo(ops: StorageOp[]): void {
		for (const { start, end } of this.#emptied) {
			ops.push({ op: "deleteRange", start: storedKey(start), end: storedKey(end) });
		}
		// A small batch stays in the read cache, and must not keep more in memory than it seems to.
		const encoder = this.bytes > CACHED_BATCH_BYTES_MAX ? new BatchEncoder(this.#points) : null;
		for (const [id, entry] of this.#points) {
			const { value } = entry;
			if (value === null) {
				if (!this.#emptied.has(id)) ops.push({ op: "delete", key: storedKey(id) });
			} else if (encoder !== null) {
				ops.push({ op: "put", key: encoder.key(id), value: encoder.value(value, entry.size) });
			} else {
				const bytes = storedBytes(value);
				ops.push({ op: "put", key: storedKey(id), value: bytes });
				// A short text may be a piece of a long one.
				if (bytes !== value) this.#points.set(id, { value: bytes, size: entry.size });
			}
		}
	}

	#order(): KeyId[] {
		if (this.#sorted === null) {
			this.#sorted = [...this.#points.keys()].sort();
		} else if (this.#unsorted.length > 0) {
			this.#sorted = merged(this.#sorted, this.#unsorted.sort());
			this.#unsorted = [];
		}
		return this.#sorted;
	}
}

/** The index of the first id that is not before `id`. */
function firstAtOrAfter(ids: readonly KeyId[], id: KeyId): number {
	let low = 0;
	let high = ids.length;
	while (low < high) {
		const middle = (low + high) >>> 1;
		if (ids[middle]! < id) low = middle + 1;
		else high = middle;
	}
	return low;
}

/** Up to here moving the ids behind each addition is cheaper than copying them all. */
const INSERTED_MAX = 8;

/** Both in order. May change `sorted`. */
function merged(sorted: KeyId[], additions: readonly KeyId[]): KeyId[] {
	if (additions.length <= INSERTED_MAX) {
		for (const id of additions) sorted.splice(firstAtOrAfter(sorted, id), 0, id);
		return sorted;
	}
	const all: KeyId[] = [];
	let from = 0;
	for (const id of additions) {
		for (; from < sorted.length && sorted[from]! < id; from++) all.push(sorted[from]!);
		all.push(id);
	}
	for (; from < sorted.length; from++) all.push(sorted[from]!);
	return all;
}
