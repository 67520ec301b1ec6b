import type { AtomicScope, Savepoint } from "../commit/batch-part.ts";
import type { KeyId } from "./keys.ts";
import { RangeSet } from "./range-set.ts";
import type { SizeEstimate } from "./size-estimate.ts";
import type { Entry } from "./values.ts";
import type { WriteLayer } from "./write-layer.ts";

/** What a key had in the open batch before the scope wrote to it. */
interface Before {
	readonly entry: Entry | undefined;
	/** Bytes that the first write of the batch took off the estimate. */
	readonly base: number;
}

/** Where the writes are. */
export interface KvUndoTarget {
	readonly open: WriteLayer;
	readonly size: SizeEstimate;
	/** The savepoint has ended. */
	ended(): void;
}

/** What a `c.atomic` wrote to `c.kv` and nobody else has overwritten, and what was there before. */
export class KvUndo implements Savepoint {
	readonly #scope: AtomicScope;
	readonly #target: KvUndoTarget;
	readonly #before = new Map<KeyId, Before>();
	#emptiedBefore: RangeSet;
	/** Ranges that others emptied meanwhile. */
	#emptiedByOthers: [start: KeyId, end: KeyId][] = [];
	#emptiedByScope = false;

	constructor(scope: AtomicScope, target: KvUndoTarget) {
		this.#scope = scope;
		this.#target = target;
		this.#emptiedBefore = target.open.emptied.copy();
	}

	/** A key is about to be written: `entry` is what the open batch has for it. */
	writes(id: KeyId, entry: Entry | undefined, base: number): void {
		if (!this.#scope.isRunning) this.#before.delete(id);
		else if (!this.#before.has(id)) this.#before.set(id, { entry, base });
	}

	/** A range is about to be emptied. */
	empties(start: KeyId, end: KeyId): void {
		if (this.#scope.isRunning) {
			this.#emptiedByScope = true;
			for (const [id, entry] of this.#target.open.entriesIn({ start, end })) {
				this.writes(id, entry, 0);
			}
			return;
		}
		this.#emptiedByOthers.push([start, end]);
		for (const id of this.#before.keys()) {
			if (start <= id && id < end) this.#before.delete(id);
		}
	}

	/** All writes are gone. */
	rolledBack(): void {
		this.#before.clear();
		this.#emptiedBefore = new RangeSet();
		this.#emptiedByOthers = [];
		this.#emptiedByScope = false;
	}

	rewind(): void {
		const { open, size } = this.#target;
		for (const [id, { entry, base }] of this.#before) {
			const restored = entry === undefined ? base : bytesOf(id, entry);
			size.takenBack(restored, bytesOf(id, open.points.get(id)));
			open.restore(id, entry);
		}
		if (this.#emptiedByScope) {
			const emptied = this.#emptiedBefore;
			for (const [start, end] of this.#emptiedByOthers) emptied.add(start, end);
			open.restoreEmptied(emptied);
		}
		this.release();
	}

	release(): void {
		this.#target.ended();
	}
}

/** What an entry counts in the size of an actor. */
export function bytesOf(id: KeyId, entry: Entry | undefined): number {
	return entry === undefined || entry.value === null ? 0 : id.length + entry.size;
}
