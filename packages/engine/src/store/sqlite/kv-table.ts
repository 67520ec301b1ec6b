import type { StorageRange } from "@rivetkit/protocol";
import { toStoredBytes } from "../stored-values.ts";
import {
	prepareListQuery,
	type SqliteConnection,
	type SqliteListQuery,
	type SqliteStatement,
	type SqliteValue,
} from "./engine.ts";

/** In ascending order of the keys, or descending where that was asked for. */
export type KvEntry = [key: Uint8Array, value: Uint8Array];

type Direction = "forward" | "reverse" | "forwardToEnd" | "reverseToEnd";

/** One table of actors' keys and values. Everything here runs inside the caller's transaction. */
export class KvTable {
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

	constructor(connection: SqliteConnection, name: "kv" | "cold") {
		const scans = (limit: "LIMIT ?" | ""): Record<Direction, SqliteListQuery> => {
			const scan = (condition: string, order: string) =>
				prepareListQuery(
					connection,
					`SELECT key, value FROM ${name} WHERE actor = ? AND key >= ? ${condition}
					ORDER BY key ${order} ${limit}`,
				);
			return {
				forward: scan("AND key < ?", "ASC"),
				reverse: scan("AND key < ?", "DESC"),
				forwardToEnd: scan("", "ASC"),
				reverseToEnd: scan("", "DESC"),
			};
		};
		this.#get = prepareListQuery(
			connection,
			`SELECT value FROM ${name} WHERE actor = ? AND key = ?`,
		);
		// Cheaper than INSERT OR REPLACE, which deletes first; writes no page when the value is the same.
		this.#put = connection.prepare(
			`INSERT INTO ${name} VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET value = excluded.value`,
		);
		this.#delete = connection.prepare(`DELETE FROM ${name} WHERE actor = ? AND key = ?`);
		this.#deleteFrom = connection.prepare(`DELETE FROM ${name} WHERE actor = ? AND key >= ?`);
		this.#deleteBetween = connection.prepare(
			`DELETE FROM ${name} WHERE actor = ? AND key >= ? AND key < ?`,
		);
		this.#scan = scans("");
		this.#scanSome = scans("LIMIT ?");
		this.#deleteSome = connection.prepare(
			`DELETE FROM ${name} WHERE actor = ? AND key IN (SELECT key FROM ${name} WHERE actor = ? ORDER BY key LIMIT ?)`,
		);
		// The length of a blob is known without reading it.
		this.#bytes = connection.prepare(
			`SELECT coalesce(sum(length(key) + length(value)), 0) AS bytes FROM ${name} WHERE actor = ?`,
		);
		this.#hasAny = connection.prepare(`SELECT 1 AS found FROM ${name} WHERE actor = ? LIMIT 1`);
	}

	get(rowId: number, key: Uint8Array): Uint8Array | null {
		return (this.#get.get(rowId, toStoredBytes(key))?.[0] ?? null) as Uint8Array | null;
	}

	scan(rowId: number, { start, end, reverse = false, limit }: StorageRange): KvEntry[] {
		const bounds: SqliteValue[] = [rowId, toStoredBytes(start)];
		if (end !== null) {
			bounds.push(toStoredBytes(end));
		}
		const direction = `${reverse ? "reverse" : "forward"}${end === null ? "ToEnd" : ""}` as const;
		const rows =
			limit === undefined
				? this.#scan[direction].all(...bounds)
				: this.#scanSome[direction].all(...bounds, Math.max(0, limit));
		return rows as KvEntry[];
	}

	bytes(rowId: number): number {
		return this.#bytes.get(rowId)!.bytes as number;
	}

	put(rowId: number, key: Uint8Array, value: Uint8Array): void {
		this.#put.get(rowId, toStoredBytes(key), toStoredBytes(value));
	}

	delete(rowId: number, key: Uint8Array): void {
		this.#delete.get(rowId, toStoredBytes(key));
	}

	deleteRange(rowId: number, start: Uint8Array, end: Uint8Array | null): void {
		if (end === null) {
			this.#deleteFrom.get(rowId, toStoredBytes(start));
		} else {
			this.#deleteBetween.get(rowId, toStoredBytes(start), toStoredBytes(end));
		}
	}

	/** Deletes up to so many rows. True when none is left. */
	deleteSome(rowId: number, rows: number): boolean {
		this.#deleteSome.get(rowId, rowId, rows);
		return !this.#hasAny.get(rowId);
	}
}
