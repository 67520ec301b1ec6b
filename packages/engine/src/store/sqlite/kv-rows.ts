import type { StorageOp, StorageRange } from "@rivetkit/protocol";
import { toStoredBytes } from "../stored-values.ts";
import {
	prepareListQuery,
	type SqliteConnection,
	type SqliteListQuery,
	type SqliteStatement,
	type SqliteValue,
} from "./engine.ts";

/** Rows removed in one go when an actor's data goes: larger actors take several transactions. */
const REMOVAL_ROWS = 128;
const PAGE_BYTES = 4096;

type Direction = "forward" | "reverse" | "forwardToEnd" | "reverseToEnd";

/** The `kv` and `removals` tables. Everything here runs inside the caller's transaction. */
export class KvRows {
	readonly #get: SqliteListQuery;
	readonly #put: SqliteStatement;
	readonly #delete: SqliteStatement;
	readonly #deleteFrom: SqliteStatement;
	readonly #deleteBetween: SqliteStatement;
	/** Without a limit. It is a statement of its own because SQLite takes half as long for it. */
	readonly #scan: Record<Direction, SqliteListQuery>;
	readonly #scanSome: Record<Direction, SqliteListQuery>;
	readonly #deleteSome: SqliteStatement;
	readonly #bytes: SqliteStatement;
	readonly #hasAny: SqliteStatement;
	readonly #addRemoval: SqliteStatement;
	readonly #firstRemoval: SqliteStatement;
	readonly #endRemoval: SqliteStatement;

	constructor(connection: SqliteConnection) {
		const scans = (limit: "LIMIT ?" | ""): Record<Direction, SqliteListQuery> => {
			const scan = (condition: string, order: string) =>
				prepareListQuery(
					connection,
					`SELECT key, value FROM kv WHERE actor = ? AND key >= ? ${condition}
					ORDER BY key ${order} ${limit}`,
				);
			return {
				forward: scan("AND key < ?", "ASC"),
				reverse: scan("AND key < ?", "DESC"),
				forwardToEnd: scan("", "ASC"),
				reverseToEnd: scan("", "DESC"),
			};
		};
		this.#get = prepareListQuery(connection, "SELECT value FROM kv WHERE actor = ? AND key = ?");
		// Cheaper than INSERT OR REPLACE, which deletes first; writes no page when the value is the same.
		this.#put = connection.prepare(
			"INSERT INTO kv VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET value = excluded.value",
		);
		this.#delete = connection.prepare("DELETE FROM kv WHERE actor = ? AND key = ?");
		this.#deleteFrom = connection.prepare("DELETE FROM kv WHERE actor = ? AND key >= ?");
		this.#deleteBetween = connection.prepare(
			"DELETE FROM kv WHERE actor = ? AND key >= ? AND key < ?",
		);
		this.#scan = scans("");
		this.#scanSome = scans("LIMIT ?");
		this.#deleteSome = connection.prepare(
			"DELETE FROM kv WHERE actor = ? AND key IN (SELECT key FROM kv WHERE actor = ? ORDER BY key LIMIT ?)",
		);
		// The length of a blob is known without reading it.
		this.#bytes = connection.prepare(
			"SELECT coalesce(sum(length(key) + length(value)), 0) AS bytes FROM kv WHERE actor = ?",
		);
		this.#hasAny = connection.prepare("SELECT 1 AS found FROM kv WHERE actor = ? LIMIT 1");
		this.#addRemoval = connection.prepare("INSERT INTO removals VALUES (?)");
		this.#firstRemoval = connection.prepare("SELECT actor FROM removals LIMIT 1");
		this.#endRemoval = connection.prepare("DELETE FROM removals WHERE actor = ?");
	}

	get(rowId: number, key: Uint8Array): Uint8Array | null {
		return (this.#get.get(rowId, toStoredBytes(key))?.[0] ?? null) as Uint8Array | null;
	}

	scan(rowId: number, range: StorageRange): [key: Uint8Array, value: Uint8Array][] {
		const { reverse = false, limit } = range;
		const bounds: SqliteValue[] = [rowId, toStoredBytes(range.start)];
		if (range.end !== null) {
			bounds.push(toStoredBytes(range.end));
		}
		const direction =
			`${reverse ? "reverse" : "forward"}${range.end === null ? "ToEnd" : ""}` as const;
		const rows =
			limit === undefined
				? this.#scan[direction].all(...bounds)
				: this.#scanSome[direction].all(...bounds, Math.max(0, limit));
		return rows as [key: Uint8Array, value: Uint8Array][];
	}

	bytes(rowId: number): number {
		return this.#bytes.get(rowId)!.bytes as number;
	}

	/** About how many pages it wrote, for the checkpointer's estimate. */
	apply(rowId: number, ops: readonly StorageOp[]): number {
		let pages = ops.length;
		for (const op of ops) {
			switch (op.op) {
				case "put":
					this.#put.get(rowId, toStoredBytes(op.key), toStoredBytes(op.value));
					pages += op.value.byteLength / PAGE_BYTES;
					break;
				case "delete":
					this.#delete.get(rowId, toStoredBytes(op.key));
					break;
				case "deleteRange":
					if (op.end === null) {
						this.#deleteFrom.get(rowId, toStoredBytes(op.start));
					} else {
						this.#deleteBetween.get(rowId, toStoredBytes(op.start), toStoredBytes(op.end));
					}
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
		this.#deleteSome.get(rowId, rowId, REMOVAL_ROWS);
		if (!this.#hasAny.get(rowId)) {
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
		this.#deleteSome.get(rowId, rowId, REMOVAL_ROWS);
		if (!this.#hasAny.get(rowId)) {
			this.#endRemoval.get(rowId);
		}
		return true;
	}
}
