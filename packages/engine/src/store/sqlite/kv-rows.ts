import { COLD_KEYS_START, type StorageOp, type StorageRange } from "@rivetkit/protocol";
import type { TimedEntry } from "../store.ts";
import type { SqliteConnection, SqliteStatement } from "./engine.ts";
import { type KvEntry, KvTable } from "./kv-table.ts";

/** Rows removed in one go when an actor's data goes: larger actors take several transactions. */
const REMOVAL_ROWS = 128;
const PAGE_BYTES = 4096;
const COLD_START = Uint8Array.of(COLD_KEYS_START);

/**
 * What actors store, as one ordered space of keys: the `kv`, `cold` and `removals` tables. Everything here runs inside
 * the caller's transaction.
 */
export class KvRows {
	readonly #hot: KvTable;
	readonly #cold: KvTable;
	readonly #addRemoval: SqliteStatement;
	readonly #firstRemoval: SqliteStatement;
	readonly #endRemoval: SqliteStatement;

	constructor(connection: SqliteConnection) {
		this.#hot = new KvTable(connection, "kv");
		this.#cold = new KvTable(connection, "cold");
		this.#addRemoval = connection.prepare("INSERT INTO removals VALUES (?)");
		this.#firstRemoval = connection.prepare("SELECT actor FROM removals LIMIT 1");
		this.#endRemoval = connection.prepare("DELETE FROM removals WHERE actor = ?");
	}

	get(rowId: number, key: Uint8Array): Uint8Array | null {
		return this.#tableOf(key).get(rowId, key);
	}

	scan(rowId: number, range: StorageRange): KvEntry[] {
		return this.#across(range, (table, part) => table.scan(rowId, part));
	}

	/** Keys that are not there are left out. */
	timed(rowId: number, which: readonly Uint8Array[] | StorageRange): TimedEntry[] {
		return "start" in which
			? this.#across(which, (table, part) => table.scanTimed(rowId, part))
			: which.flatMap((key) => this.#tableOf(key).getTimed(rowId, key) ?? []);
	}

	#across<T>(range: StorageRange, scan: (table: KvTable, part: StorageRange) => T[]): T[] {
		const { start, end, reverse = false, limit } = range;
		if (endsBeforeCold(end)) return scan(this.#hot, range);
		if (isCold(start)) return scan(this.#cold, range);
		const parts = [
			{ table: this.#hot, range: { ...range, end: COLD_START } },
			{ table: this.#cold, range: { ...range, start: COLD_START } },
		];
		const entries: T[] = [];
		for (const part of reverse ? parts.reverse() : parts) {
			const left = limit === undefined ? {} : { limit: limit - entries.length };
			for (const entry of scan(part.table, { ...part.range, ...left })) entries.push(entry);
		}
		return entries;
	}

	bytes(rowId: number): number {
		return this.#hot.bytes(rowId) + this.#cold.bytes(rowId);
	}

	/** About how many pages it wrote, for the checkpointer's estimate. */
	apply(rowId: number, ops: readonly StorageOp[], putTs: number | null): number {
		let pages = ops.length;
		for (const op of ops) {
			switch (op.op) {
				case "put":
					this.#tableOf(op.key).put(rowId, op.key, op.value, putTs);
					pages += op.value.byteLength / PAGE_BYTES;
					break;
				case "delete":
					this.#tableOf(op.key).delete(rowId, op.key);
					break;
				case "deleteRange":
					if (!isCold(op.start)) this.#hot.deleteRange(rowId, op.start, op.end);
					if (!endsBeforeCold(op.end)) this.#cold.deleteRange(rowId, op.start, op.end);
					break;
			}
		}
		return pages;
	}

	/**
	 * Removes what an actor stored. What is too much for one transaction is noted in `removals`, in the
	 * same transaction; {@link removeSome} does the rest. Nobody can see it meanwhile, because the
	 * actor's row is gone or destroyed. True when nothing is left.
	 */
	removeAll(rowId: number): boolean {
		if (this.#removeSome(rowId)) {
			return true;
		}
		this.#addRemoval.get(rowId);
		return false;
	}

	/** One more step of unfinished removals. False when there is nothing left to remove. */
	removeSome(): boolean {
		const rowId = this.#firstRemoval.get()?.actor;
		if (rowId === undefined) {
			return false;
		}
		if (this.#removeSome(rowId as number)) {
			this.#endRemoval.get(rowId);
		}
		return true;
	}

	/** True when nothing is left. */
	#removeSome(rowId: number): boolean {
		return this.#hot.deleteSome(rowId, REMOVAL_ROWS) && this.#cold.deleteSome(rowId, REMOVAL_ROWS);
	}

	#tableOf(key: Uint8Array): KvTable {
		return isCold(key) ? this.#cold : this.#hot;
	}
}

function isCold(key: Uint8Array): boolean {
	return key.byteLength > 0 && key[0]! >= COLD_KEYS_START;
}

/** Whether a range with this end holds no cold keys. */
function endsBeforeCold(end: Uint8Array | null): boolean {
	return end !== null && (!isCold(end) || (end.byteLength === 1 && end[0] === COLD_KEYS_START));
}
