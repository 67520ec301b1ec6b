import type { Inventory, InventoryEntry, InventoryKind, InventoryPosition } from "../inventory.ts";
import { fromStoredText, toStoredText } from "../stored-values.ts";
import type { Row } from "./connection.ts";

const COLUMNS = "kind, scope, name, value, create_ts";

interface EntryRow extends Row {
	readonly kind: InventoryKind;
	readonly scope: string;
	readonly name: string;
	readonly value: string;
	readonly create_ts: number;
}

type Query = <R extends Row>(text: string, values: readonly unknown[]) => Promise<R[]>;

/** The inventory in the tables of {@link prepareTables}. */
export class InventoryRows implements Inventory {
	readonly #query: Query;

	/** @param query - runs one statement, again when its connection breaks */
	constructor(query: Query) {
		this.#query = query;
	}

	async insert(entry: InventoryEntry): Promise<boolean> {
		await this.#query(
			`INSERT INTO rivetkit.inventory (${COLUMNS}) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING`,
			valuesOf(entry),
		);
		return (await this.get(entry.kind, entry.scope, entry.name))?.value === entry.value;
	}

	async put(entry: InventoryEntry): Promise<void> {
		await this.#query(
			`INSERT INTO rivetkit.inventory (${COLUMNS}) VALUES ($1, $2, $3, $4, $5) ` +
				"ON CONFLICT (kind, scope, name) DO UPDATE SET value = excluded.value",
			valuesOf(entry),
		);
	}

	async delete(kind: InventoryKind, scope: string, name: string): Promise<boolean> {
		const deleted = await this.#query(
			"DELETE FROM rivetkit.inventory WHERE kind = $1 AND scope = $2 AND name = $3 RETURNING name",
			[kind, toStoredText(scope), toStoredText(name)],
		);
		return deleted.length > 0;
	}

	async get(kind: InventoryKind, scope: string, name: string): Promise<InventoryEntry | undefined> {
		const [row] = await this.#query<EntryRow>(
			`SELECT ${COLUMNS} FROM rivetkit.inventory WHERE kind = $1 AND scope = $2 AND name = $3`,
			[kind, toStoredText(scope), toStoredText(name)],
		);
		return row && toEntry(row);
	}

	async listByName(
		kind: InventoryKind,
		scope: string,
		limit: number,
		after?: string,
	): Promise<InventoryEntry[]> {
		const rows = await this.#query<EntryRow>(
			`SELECT ${COLUMNS} FROM rivetkit.inventory WHERE kind = $1 AND scope = $2 ` +
				"AND ($3::text IS NULL OR name > $3) ORDER BY name LIMIT $4",
			[
				kind,
				toStoredText(scope),
				after === undefined ? null : toStoredText(after),
				Math.max(0, limit),
			],
		);
		return rows.map(toEntry);
	}

	async listNewest(
		kind: InventoryKind,
		scope: string,
		limit: number,
		before?: InventoryPosition,
	): Promise<InventoryEntry[]> {
		const { createTs = Number.MAX_SAFE_INTEGER, name = "" } = before ?? {};
		const rows = await this.#query<EntryRow>(
			`SELECT ${COLUMNS} FROM rivetkit.inventory WHERE kind = $1 AND scope = $2 ` +
				"AND (create_ts, name) < ($3::int8, $4) ORDER BY create_ts DESC, name DESC LIMIT $5",
			[kind, toStoredText(scope), createTs, toStoredText(name), Math.max(0, limit)],
		);
		return rows.map(toEntry);
	}

	async listKind(kind: InventoryKind): Promise<InventoryEntry[]> {
		const rows = await this.#query<EntryRow>(
			`SELECT ${COLUMNS} FROM rivetkit.inventory WHERE kind = $1 ORDER BY scope, name`,
			[kind],
		);
		return rows.map(toEntry);
	}
}

function valuesOf({ kind, scope, name, value, createTs }: InventoryEntry): unknown[] {
	return [kind, toStoredText(scope), toStoredText(name), value, createTs];
}

function toEntry(row: EntryRow): InventoryEntry {
	return {
		kind: row.kind,
		scope: fromStoredText(row.scope),
		name: fromStoredText(row.name),
		value: row.value,
		createTs: row.create_ts,
	};
}
