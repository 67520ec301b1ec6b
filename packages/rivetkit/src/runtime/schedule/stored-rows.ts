import type { AtomicScope, BatchPart, OpenBatch, Savepoint } from "../commit/batch-part.ts";
import { UndoLog } from "../commit/undo-log.ts";

/** How rows of one kind are stored. */
export interface RowLayout<Row> {
	key(sequence: number): Uint8Array;
	encode(row: Row): Uint8Array;
}

/**
 * A small table of one actor, kept in memory and written through the actor's commits. Rows are immutable:
 * a change replaces one. A commit that fails takes the table back to what is stored.
 */
export class StoredRows<Row extends { readonly sequence: number }> implements BatchPart {
	readonly #layout: RowLayout<Row>;
	readonly #rows = new Map<number, Row>();
	/** Changed since the last batch was taken. */
	readonly #fresh = new Set<number>();
	/** In the batch that is being committed; null for a deleted row. */
	readonly #taken = new Map<number, Row | null>();
	/** What is stored of rows that are fresh or taken; null for nothing. */
	readonly #stored = new Map<number, Row | null>();
	readonly #changed: (before: Row | undefined, after: Row | undefined) => void;
	#undo: UndoLog | null = null;

	/** @param changed - told of every change in memory, also of those that are taken back */
	constructor(
		layout: RowLayout<Row>,
		changed: (before: Row | undefined, after: Row | undefined) => void = () => {},
	) {
		this.#layout = layout;
		this.#changed = changed;
	}

	get size(): number {
		return this.#rows.size;
	}

	get(sequence: number): Row | undefined {
		return this.#rows.get(sequence);
	}

	/** In no particular order. */
	values(): Iterable<Row> {
		return this.#rows.values();
	}

	/** A row as it is stored. */
	load(row: Row): void {
		this.#put(row.sequence, row);
	}

	set(row: Row): void {
		this.#noteUndo(row.sequence, row);
		this.#touch(row.sequence);
		this.#put(row.sequence, row);
	}

	delete(sequence: number): void {
		this.#noteUndo(sequence, undefined);
		this.#touch(sequence);
		this.#put(sequence, undefined);
	}

	#put(sequence: number, after: Row | undefined): void {
		const before = this.#rows.get(sequence);
		if (after) this.#rows.set(sequence, after);
		else this.#rows.delete(sequence);
		this.#changed(before, after);
	}

	#noteUndo(sequence: number, after: Row | undefined): void {
		const before = this.#rows.get(sequence);
		this.#undo?.note(() => {
			if (this.#rows.get(sequence) !== after) return;
			this.#touch(sequence);
			this.#put(sequence, before);
		});
	}

	#touch(sequence: number): void {
		this.#fresh.add(sequence);
		if (!this.#stored.has(sequence)) this.#stored.set(sequence, this.#rows.get(sequence) ?? null);
	}

	take(batch: OpenBatch): void {
		for (const sequence of this.#fresh) {
			const row = this.#rows.get(sequence) ?? null;
			if (row === this.#stored.get(sequence)) {
				this.#stored.delete(sequence);
				continue;
			}
			const key = this.#layout.key(sequence);
			batch.ops.push(
				row ? { op: "put", key, value: this.#layout.encode(row) } : { op: "delete", key },
			);
			this.#taken.set(sequence, row);
		}
		this.#fresh.clear();
	}

	committed(): void {
		for (const [sequence, row] of this.#taken) {
			if (this.#fresh.has(sequence)) this.#stored.set(sequence, row);
			else this.#stored.delete(sequence);
		}
		this.#taken.clear();
	}

	rollBack(): void {
		for (const [sequence, row] of this.#stored) {
			if (row !== (this.#rows.get(sequence) ?? null)) this.#put(sequence, row ?? undefined);
		}
		this.#stored.clear();
		this.#fresh.clear();
		this.#taken.clear();
		this.#undo?.clear();
	}

	savepoint(scope: AtomicScope): Savepoint {
		this.#undo = new UndoLog(scope, () => {
			this.#undo = null;
		});
		return this.#undo;
	}
}
