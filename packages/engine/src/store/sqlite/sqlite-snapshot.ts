import type { ActorRecord, ActorSnapshot } from "../store.ts";
import { ActorRows } from "./actor-rows.ts";
import type { SqliteConnection, SqliteEngine } from "./engine.ts";
import { KvRows } from "./kv-rows.ts";

/** A read transaction of its own, beside the writer. */
export class SqliteSnapshot implements ActorSnapshot {
	readonly record: ActorRecord;
	readonly #connection: SqliteConnection;
	readonly #kv: KvRows;
	readonly #rowId: number;
	#start = new Uint8Array(0);
	#isOpen = true;

	readonly #closed: (snapshot: SqliteSnapshot) => void;

	constructor(
		connection: SqliteConnection,
		record: ActorRecord,
		rowId: number,
		closed: (snapshot: SqliteSnapshot) => void,
	) {
		this.record = record;
		this.#closed = closed;
		this.#connection = connection;
		this.#kv = new KvRows(connection);
		this.#rowId = rowId;
	}

	/** `undefined` for an actor that is destroyed or unknown. */
	static open(
		engine: SqliteEngine,
		file: string,
		actorId: string,
		closed: (snapshot: SqliteSnapshot) => void,
	): SqliteSnapshot | undefined {
		const connection = engine.open(file);
		try {
			connection.exec("PRAGMA query_only = 1; PRAGMA busy_timeout = 0; BEGIN");
			const actors = new ActorRows(connection);
			const record = actors.byId(actorId);
			const live = actors.live(actorId);
			if (record !== undefined && live !== undefined) {
				return new SqliteSnapshot(connection, record, live.rowId, closed);
			}
		} catch (error) {
			connection.close();
			throw error;
		}
		connection.close();
		return undefined;
	}

	next(limit: number): [key: Uint8Array, value: Uint8Array][] {
		if (!this.#isOpen) {
			throw new Error("The snapshot is closed");
		}
		const entries = this.#kv.scan(this.#rowId, { start: this.#start, end: null, limit });
		const last = entries.at(-1)?.[0];
		if (last !== undefined) {
			// The least key after it.
			this.#start = new Uint8Array(last.byteLength + 1);
			this.#start.set(last);
		}
		return entries;
	}

	close(): void {
		if (this.#isOpen) {
			this.#isOpen = false;
			this.#connection.close();
			this.#closed(this);
		}
	}
}
