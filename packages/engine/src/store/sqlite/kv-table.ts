import type { StorageRange } from "@rivetkit/protocol";
import type { TimedEntry } from "../store.ts";
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
type Scans = Readonly<Record<Direction, SqliteListQuery>>;

/** Rows with the times of their entries; most stores are never asked for them. */
interface TimedQueries {
	readonly get: SqliteListQuery;
	readonly scan: Scans;
	readonly scanSome: Scans;
}

const TIMED = "key, value, put_ts";

/** One table of actors' keys and values. Everything here runs inside the caller's transaction. */
export class KvTable {
	readonly #connection: SqliteConnection;
	readonly #name: "kv" | "cold";
	readonly #get: SqliteListQuery;
	readonly #put: SqliteStatement;
	readonly #delete: SqliteStatement;
	readonly #deleteFrom: SqliteStatement;
	readonly #deleteBetween: SqliteStatement;
	/** Without a limit. It is a statement of its own because SQLite takes half as long for it. */
	readonly #scan: Scans;
	readonly #scanSome: Scans;
	readonly #deleteSome: SqliteStatement;
	readonly #bytes: SqliteStatement;
	readonly #hasAny: SqliteStatement;
	#timed: TimedQueries | undefined;

	constructor(connection: SqliteConnection, name: "kv" | "cold") {
		this.#connection = connection;
		this.#name = name;
		this.#get = this.#prepareGet("value");
		// Cheaper than INSERT OR REPLACE, which deletes first; writes no page when the value is the same.
		this.#put = connection.prepare(
			`INSERT INTO ${name} VALUES (?, ?, ?, ?)
			ON CONFLICT DO UPDATE SET value = excluded.value, put_ts = excluded.put_ts`,
		);
		this.#delete = connection.prepare(`DELETE FROM ${name} WHERE actor = ? AND key = ?`);
		this.#deleteFrom = connection.prepare(`DELETE FROM ${name} WHERE actor = ? AND key >= ?`);
		this.#deleteBetween = connection.prepare(
			`DELETE FROM ${name} WHERE actor = ? AND key >= ? AND key < ?`,
		);
		this.#scan = this.#prepareScans("key, value", "");
		this.#scanSome = this.#prepareScans("key, value", "LIMIT ?");
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

	scan(rowId: number, range: StorageRange): KvEntry[] {
		return rowsIn(rowId, range, this.#scan, this.#scanSome) as KvEntry[];
	}

	getTimed(rowId: number, key: Uint8Array): TimedEntry | null {
		const row = this.#timedQueries().get.get(rowId, toStoredBytes(key));
		return row ? timedEntry(row) : null;
	}

	scanTimed(rowId: number, range: StorageRange): TimedEntry[] {
		const { scan, scanSome } = this.#timedQueries();
		return rowsIn(rowId, range, scan, scanSome).map(timedEntry);
	}

	#timedQueries(): TimedQueries {
		this.#timed ??= {
			get: this.#prepareGet(TIMED),
			scan: this.#prepareScans(TIMED, ""),
			scanSome: this.#prepareScans(TIMED, "LIMIT ?"),
		};
		return this.#timed;
	}

	#prepareGet(columns: string): SqliteListQuery {
		return prepareListQuery(
			this.#connection,
			`SELECT ${columns} FROM ${this.#name} WHERE actor = ? AND key = ?`,
		);
	}

	#prepareScans(columns: string, limit: "LIMIT ?" | ""): Scans {
		const scan = (condition: string, order: string) =>
			prepareListQuery(
				this.#connection,
				`SELECT ${columns} FROM ${this.#name} WHERE actor = ? AND key >= ? ${condition}
				ORDER BY key ${order} ${limit}`,
			);
		return {
			forward: scan("AND key < ?", "ASC"),
			reverse: scan("AND key < ?", "DESC"),
			forwardToEnd: scan("", "ASC"),
			reverseToEnd: scan("", "DESC"),
		};
	}

	bytes(rowId: number): number {
		return this.#bytes.get(rowId)!.bytes as number;
	}

	put(rowId: number, key: Uint8Array, value: Uint8Array, putTs: number | null): void {
		this.#put.get(rowId, toStoredBytes(key), toStoredBytes(value), putTs);
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

function rowsIn(
	rowId: number,
	{ start, end, reverse = false, limit }: StorageRange,
	all: Scans,
	some: Scans,
): SqliteValue[][] {
	const bounds: SqliteValue[] = [rowId, toStoredBytes(start)];
	if (end !== null) {
		bounds.push(toStoredBytes(end));
	}
	const direction = `${reverse ? "reverse" : "forward"}${end === null ? "ToEnd" : ""}` as const;
	return limit === undefined
		? all[direction].all(...bounds)
		: some[direction].all(...bounds, Math.max(0, limit));
}

function timedEntry(row: readonly SqliteValue[]): TimedEntry {
	const [key, value, putTs] = row as [Uint8Array, Uint8Array, number | null];
	return { key, value, putTs };
}
