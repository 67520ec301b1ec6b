import { StoreError } from "../store.ts";

/** The little of SQLite that the store uses; every supported runtime has an engine of its own. */
export interface SqliteConnection {
	/** Runs statements without results. */
	exec(sql: string): void;
	/**
	 * Compiles one statement, which lives as long as the connection. Only `?` parameters: Node 22.13
	 * takes `?1` for a named one.
	 */
	prepare(sql: string): SqliteStatement;
	close(): void;
}

export interface SqliteStatement {
	/**
	 * Runs the statement and gives its first row; without one `undefined` (Node, Deno) or `null` (Bun).
	 * Writes use it too, when it does not matter how many rows they change: it is the cheapest call.
	 */
	get(...values: SqliteValue[]): SqliteRow | null | undefined;
	all(...values: SqliteValue[]): SqliteRow[];
	/** Runs the statement and tells how many rows it changed. */
	run(...values: SqliteValue[]): { readonly changes: number };
}

export type SqliteValue = string | number | null | Uint8Array;
export type SqliteRow = Record<string, SqliteValue>;

export interface SqliteEngine {
	readonly module: SqliteModule;
	/** Opens a database file for reading and writing; creates it when there is none. */
	open(path: string): SqliteConnection;
}

/** A query whose rows are lists of its columns, in their order. */
export interface SqliteListQuery {
	get(...values: SqliteValue[]): SqliteValue[] | null | undefined;
	all(...values: SqliteValue[]): SqliteValue[][];
}

/**
 * Compiles a query for what is read often: making and reading an object with its columns' names costs Node
 * as much again as finding the row. Engines that cannot make lists (Node before 22.16, Bun) make objects,
 * which are turned into lists; so no two columns may have one name.
 */
export function prepareListQuery(connection: SqliteConnection, sql: string): SqliteListQuery {
	const statement: SqliteStatement & { setReturnArrays?(enabled: boolean): void } =
		connection.prepare(sql);
	if (statement.setReturnArrays !== undefined) {
		statement.setReturnArrays(true);
		return statement as unknown as SqliteListQuery;
	}
	return {
		get: (...values) => {
			const row = statement.get(...values);
			return row && Object.values(row);
		},
		all: (...values) => statement.all(...values).map((row) => Object.values(row)),
	};
}

export type SqliteModule = "node:sqlite" | "bun:sqlite";

/**
 * The SQLite engine built into this runtime: `node:sqlite` on Node and Deno, `bun:sqlite` on Bun.
 * Loaded here and not by an import statement, because a missing built-in module would make the whole
 * package fail to load. Throws a `StoreError` (`unsupported`) when there is none; `path` is for its
 * message.
 */
export async function loadSqliteEngine(path: string): Promise<SqliteEngine> {
	const module: SqliteModule = "Bun" in globalThis ? "bun:sqlite" : "node:sqlite";
	const Database = await loadDatabaseClass(module, path);
	return {
		module,
		open: (file) => (module === "bun:sqlite" ? finalizing(new Database(file)) : new Database(file)),
	};
}

/** The engines' database classes have this shape, so they are used as they are. */
type DatabaseClass = new (path: string) => SqliteConnection;

/** Bun leaves a database open whose statements are not finalized; Node does that when it closes. */
function finalizing(database: SqliteConnection): SqliteConnection {
	const statements: { finalize(): void }[] = [];
	return {
		exec: (sql) => database.exec(sql),
		prepare: (sql) => {
			const statement = database.prepare(sql);
			statements.push(statement as SqliteStatement & { finalize(): void });
			return statement;
		},
		close: () => {
			for (const statement of statements.splice(0)) {
				statement.finalize();
			}
			database.close();
		},
	};
}

async function loadDatabaseClass(module: SqliteModule, path: string): Promise<DatabaseClass> {
	let cause: unknown;
	try {
		// Before Bun 1.2 and Node 22.3 there was no getBuiltinModule; import() does there.
		const builtin = process.getBuiltinModule?.(module) ?? (await import(/* @vite-ignore */ module));
		const Database = (module === "bun:sqlite" ? builtin?.Database : builtin?.DatabaseSync) as
			| DatabaseClass
			| undefined;
		if (Database !== undefined) {
			return Database;
		}
	} catch (error) {
		cause = error;
	}
	throw new StoreError(
		"unsupported",
		path,
		`Cannot open the store ${path}: this runtime (${runtimeName()}) has no built-in SQLite. ` +
			"Use Node.js 22.13 or newer, Bun 1.2 or newer, or Deno 2.2 or newer.",
		{ cause },
	);
}

function runtimeName(): string {
	const { versions } = process;
	if (versions.bun !== undefined) {
		return `Bun ${versions.bun}`;
	}
	return versions.deno === undefined ? `Node.js ${versions.node}` : `Deno ${versions.deno}`;
}
