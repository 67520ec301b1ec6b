import type { Inventory, InventoryEntry, InventoryKind, InventoryPosition } from "../inventory.ts";
import { fromStoredText, toStoredText } from "../stored-values.ts";
import type { CommitQueue } from "./commit-queue.ts";
import type { SqliteConnection, SqliteRow } from "./engine.ts";

const COLUMNS = "kind, scope, name, value, create_ts";

/** The inventory in the tables of {@link prepareTables}. */
export class InventoryRows implements Inventory {
	readonly #queue: CommitQueue;
	readonly #wrote: () => void;
	readonly #statements: ReturnType<typeof prepare>;

	/** @param wrote - told of each write, for the estimate of the log's size */
	constructor(connection: SqliteConnection, queue: CommitQueue, wrote: () => void) {
		this.#queue = queue;
		this.#wrote = wrote;
		this.#statements = prepare(connection);
	}

	insert(entry: InventoryEntry): Promise<boolean> {
		return this.#queue.durable(() => {
			this.#wrote();
			const values = valuesOf(entry);
			const [kind, scope, name, value] = values;
			this.#statements.insert.get(...values);
			return this.#statements.get.get(kind, scope, name)!.value === value;
		});
	}

	put(entry: InventoryEntry): Promise<void> {
		return this.#queue.durable(() => {
			this.#wrote();
			this.#statements.put.get(...valuesOf(entry));
		});
	}

	delete(kind: InventoryKind, scope: string, name: string): Promise<boolean> {
		return this.#queue.durable(() => {
			this.#wrote();
			return this.#statements.delete.run(kind, toStoredText(scope), toStoredText(name)).changes > 0;
		});
	}

	get(kind: InventoryKind, scope: string, name: string): Promise<InventoryEntry | undefined> {
		return this.#queue.read(() => {
			const row = this.#statements.get.get(kind, toStoredText(scope), toStoredText(name));
			return row ? toEntry(row) : undefined;
		});
	}

	listByName(
		kind: InventoryKind,
		scope: string,
		limit: number,
		after?: string,
	): Promise<InventoryEntry[]> {
		return this.#queue.read(() => {
			const { byName, byNameAfter } = this.#statements;
			const stored = toStoredText(scope);
			const count = Math.max(0, limit);
			const rows =
				after === undefined
					? byName.all(kind, stored, count)
					: byNameAfter.all(kind, stored, toStoredText(after), count);
			return rows.map(toEntry);
		});
	}

	listNewest(
		kind: InventoryKind,
		scope: string,
		limit: number,
		before?: InventoryPosition,
	): Promise<InventoryEntry[]> {
		return this.#queue.read(() => {
			const { createTs = Number.MAX_SAFE_INTEGER, name = "" } = before ?? {};
			const rows = this.#statements.newest.all(
				kind,
				toStoredText(scope),
				createTs,
				toStoredText(name),
				Math.max(0, limit),
			);
			return rows.map(toEntry);
		});
	}

	listKind(kind: InventoryKind): Promise<InventoryEntry[]> {
		return this.#queue.read(() => this.#statements.kind.all(kind).map(toEntry));
	}
}

function prepare(connection: SqliteConnection) {
	const select = `SELECT ${COLUMNS} FROM inventory WHERE kind = ?`;
	return {
		insert: connection.prepare(
			`INSERT INTO inventory (${COLUMNS}) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
		),
		put: connection.prepare(
			`INSERT INTO inventory (${COLUMNS}) VALUES (?, ?, ?, ?, ?)
			ON CONFLICT (kind, scope, name) DO UPDATE SET value = excluded.value`,
		),
		delete: connection.prepare("DELETE FROM inventory WHERE kind = ? AND scope = ? AND name = ?"),
		get: connection.prepare(`${select} AND scope = ? AND name = ?`),
		byName: connection.prepare(`${select} AND scope = ? ORDER BY name LIMIT ?`),
		byNameAfter: connection.prepare(`${select} AND scope = ? AND name > ? ORDER BY name LIMIT ?`),
		newest: connection.prepare(
			`${select} AND scope = ? AND (create_ts, name) < (?, ?) ORDER BY create_ts DESC, name DESC LIMIT ?`,
		),
		kind: connection.prepare(`${select} ORDER BY scope, name`),
	};
}

function valuesOf({ kind, scope, name, value, createTs }: InventoryEntry) {
	return [kind, toStoredText(scope), toStoredText(name), value, createTs] as const;
}

function toEntry(row: SqliteRow): InventoryEntry {
	return {
		kind: row.kind as InventoryKind,
		scope: fromStoredText(row.scope as string),
		name: fromStoredText(row.name as string),
		value: row.value as string,
		createTs: row.create_ts as number,
	};
}
