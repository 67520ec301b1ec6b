import { catalogueError } from "@rivetkit/protocol";
import type {
	DatabaseColumn,
	DatabaseForeignKey,
	DatabaseTable,
} from "@rivetkit/protocol/inspector/answers";
import type { SqlExecutor, SqlRow } from "../../db/raw-access.types.ts";
import { SqliteError } from "../../sqlite/engine/sqlite-error.ts";

/** Rows that one request of the inspector gets at most (contract: protocol 7.3). */
export const DATABASE_ROWS_MAX = 500;

/**
 * Tables and views of a database, for the inspector (contract: protocol 7.3). SQLite's own tables and
 * Drizzle's are left out. What cannot be read has an `error`, and hides no other.
 */
export async function inspectSchema(db: SqlExecutor): Promise<{ tables: DatabaseTable[] }> {
	const found = await db.execute<{ name: string; type: "table" | "view" }>(
		"SELECT name, type FROM sqlite_schema WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND name NOT LIKE '\\_\\_drizzle\\_%' ESCAPE '\\' ORDER BY name",
	);
	const tables: DatabaseTable[] = [];
	for (const { name, type } of found) {
		const table = { schema: "main", name, type } as const;
		tables.push({ table, ...(await partsOf(db, name, type)) });
	}
	return { tables };
}

async function partsOf(
	db: SqlExecutor,
	name: string,
	type: "table" | "view",
): Promise<Omit<DatabaseTable, "table">> {
	try {
		const columns = await db.execute<DatabaseColumn>(
			'SELECT cid, name, type, "notnull", dflt_value, pk FROM pragma_table_xinfo(?) WHERE hidden <> 1',
			name,
		);
		const foreignKeys = await db.execute<DatabaseForeignKey>(
			'SELECT "from", "table", "to", on_update, on_delete FROM pragma_foreign_key_list(?) ORDER BY id, seq',
			name,
		);
		const records = type === "table" ? await countOf(db, name) : null;
		return { columns, foreignKeys, records };
	} catch (error) {
		if (!(error instanceof SqliteError)) throw error;
		return { columns: [], foreignKeys: [], records: null, error: error.message };
	}
}

/**
 * A page of a table's rows. `limit` is cut to 500. Throws `request.invalid` for a table there is not.
 *
 * @param bounded - reads views: what is behind them may have no end
 */
export async function inspectRows(
	db: SqlExecutor,
	bounded: SqlExecutor,
	table: string,
	{ limit = 100, offset = 0 }: { readonly limit?: number; readonly offset?: number } = {},
): Promise<SqlRow[]> {
	const [known] = await db.execute<{ type: "table" | "view" }>(
		"SELECT type FROM sqlite_schema WHERE type IN ('table', 'view') AND name = ?",
		table,
	);
	if (known === undefined) {
		throw catalogueError("request.invalid", { detail: `there is no table '${table}'` });
	}
	const rows = Math.max(0, Math.min(DATABASE_ROWS_MAX, Math.trunc(limit)));
	const from = Math.max(0, Math.trunc(offset));
	const source = known.type === "view" ? bounded : db;
	return source.execute(`SELECT * FROM ${quoted(table)} LIMIT ? OFFSET ?`, rows, from);
}

/** SQL as somebody types it; `args` by position or `properties` by name, not both (`request.invalid`). */
export async function inspectExecute(
	db: SqlExecutor,
	request: {
		readonly sql: string;
		readonly args?: readonly unknown[] | undefined;
		readonly properties?: Readonly<Record<string, unknown>> | undefined;
	},
): Promise<SqlRow[]> {
	const { sql, args, properties } = request;
	if (args !== undefined && properties !== undefined) {
		throw catalogueError("request.invalid", { detail: "either args or properties, not both" });
	}
	return properties === undefined ? db.execute(sql, ...(args ?? [])) : db.execute(sql, properties);
}

async function countOf(db: SqlExecutor, table: string): Promise<number> {
	const [row] = await db.execute<{ count: number }>(
		`SELECT count(*) AS count FROM ${quoted(table)}`,
	);
	return row!.count;
}

function quoted(name: string): string {
	return `"${name.replaceAll('"', '""')}"`;
}
