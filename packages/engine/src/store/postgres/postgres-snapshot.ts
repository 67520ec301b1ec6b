import type { ActorRecord, ActorSnapshot, StoredEntries } from "../store.ts";
import { toStoredText } from "../stored-values.ts";
import type { PostgresConnection } from "./connection.ts";
import { RECORD_COLUMNS, type RecordRow, toBytes, toRecord } from "./records.ts";

/** A transaction of its own that sees one moment for as long as it is open. */
export class PostgresSnapshot implements ActorSnapshot {
	readonly record: ActorRecord;
	readonly #connection: PostgresConnection;
	readonly #rowId: number;
	readonly #onClosed: () => void;
	#after: Uint8Array | null = null;
	#isOpen = true;

	private constructor(
		connection: PostgresConnection,
		record: ActorRecord,
		rowId: number,
		onClosed: () => void,
	) {
		this.#connection = connection;
		this.record = record;
		this.#rowId = rowId;
		this.#onClosed = onClosed;
	}

	static async open(
		connection: PostgresConnection,
		actorId: string,
		onClosed: (snapshot: PostgresSnapshot) => void,
	): Promise<PostgresSnapshot | undefined> {
		// It may be open for as long as whoever reads it takes.
		await connection.query({ text: "SET idle_in_transaction_session_timeout = 0" });
		await connection.query({ text: "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY" });
		const [row] = await connection.query<RecordRow & { row_id: number }>({
			text: `SELECT a.row_id, ${RECORD_COLUMNS} FROM rivetkit.actors AS a WHERE a.id = $1 AND a.destroy_ts IS NULL`,
			values: [toStoredText(actorId)],
		});
		if (row === undefined) {
			await connection.close();
			return undefined;
		}
		const snapshot: PostgresSnapshot = new PostgresSnapshot(
			connection,
			toRecord(row),
			row.row_id,
			() => onClosed(snapshot),
		);
		return snapshot;
	}

	async next(limit: number): Promise<StoredEntries> {
		if (!this.#isOpen) {
			throw new Error("The snapshot is closed");
		}
		const rows = await this.#connection.query<{ key: Buffer; value: Buffer }>({
			name: "page",
			text:
				"SELECT key, value FROM rivetkit.kv WHERE actor = $1 AND ($2::bytea IS NULL OR key > $2) " +
				"ORDER BY key LIMIT $3",
			values: [this.#rowId, this.#after === null ? null : Buffer.from(this.#after), limit],
		});
		this.#after = rows.at(-1)?.key ?? this.#after;
		return rows.map(({ key, value }) => [toBytes(key), toBytes(value)]);
	}

	close(): void {
		if (this.#isOpen) {
			this.#isOpen = false;
			this.#connection.destroy();
			this.#onClosed();
		}
	}
}
