import type { DatabaseSync, DatabaseSyncOptions, StatementSync } from "node:sqlite";
import type {
	Authorizer,
	Bindings,
	PrepareOptions,
	SqliteConnection,
	SqliteEngine,
	SqliteStatement,
	SqlValue,
} from "./engine.ts";
import { narrow } from "./rows.ts";
import { SqliteError } from "./sqlite-error.ts";

export type NodeDatabaseClass = new (path: string, options?: DatabaseSyncOptions) => DatabaseSync;

/** For Node and for Deno, whose module is the same. */
export function nodeEngine(Database: NodeDatabaseClass): SqliteEngine {
	return {
		name: "node:sqlite",
		open: (path, { readOnly = false } = {}) =>
			attempt(undefined, () => new NodeConnection(new Database(path, { readOnly }))),
	};
}

class NodeConnection implements SqliteConnection {
	readonly #database: DatabaseSync;

	constructor(database: DatabaseSync) {
		this.#database = database;
		// Where it exists: SQL must not be able to damage the file (shadow tables, writable_schema).
		database.enableDefensive?.(true);
	}

	get inTransaction(): boolean {
		return this.#database.isTransaction ?? this.#probe();
	}

	/** Node before 22.16 does not tell, but a transaction cannot begin inside another one. */
	#probe(): boolean {
		try {
			this.#database.exec("BEGIN");
		} catch {
			return true;
		}
		this.#database.exec("ROLLBACK");
		return false;
	}

	exec(sql: string): void {
		attempt(sql, () => this.#database.exec(sql));
	}

	prepare(sql: string, options: PrepareOptions = {}): SqliteStatement {
		return attempt(sql, () => {
			const statement = this.#database.prepare(sql);
			return typeof statement.setReturnArrays === "function"
				? new ArrayStatement(statement, sql, options)
				: new ObjectStatement(this.#database, statement, sql, options);
		});
	}

	authorize(isAllowed: Authorizer): void {
		const SQLITE_OK = 0;
		const SQLITE_DENY = 1;
		this.#database.setAuthorizer?.((action, first, second) =>
			isAllowed(action, first, second) ? SQLITE_OK : SQLITE_DENY,
		);
	}

	close(): void {
		attempt(undefined, () => this.#database.close());
	}
}

/** Node's statements; rows as lists where it can, which is also the faster way to make objects of them. */
abstract class NodeStatement implements SqliteStatement {
	protected readonly statement: StatementSync;
	protected readonly sql: string;
	readonly #numbered: boolean;
	/** Whether every integer is read as a bigint, because some may need it. */
	#wide: boolean;

	constructor(statement: StatementSync, sql: string, options: PrepareOptions) {
		this.statement = statement;
		this.sql = sql;
		this.#numbered = options.numbered ?? false;
		this.#wide = options.runsOnce ?? false;
		if (this.#wide) statement.setReadBigInts(true);
	}

	abstract readonly columns: readonly string[] | null;
	abstract readonly withEveryColumn: SqliteStatement;
	/** The list of one row as the engine gave it. */
	protected abstract valuesOf(raw: unknown): SqlValue[];

	run(bindings: Bindings): void {
		try {
			// Without rows it does the same as `run`, which makes an object that nobody reads: a fifth of an insert.
			if (isList(bindings) && !this.#numbered) this.statement.get(...bindings);
			else this.statement.get(byName(bindings));
		} catch (error) {
			throw toSqliteError(error, this.sql);
		}
	}

	get(bindings: Bindings): SqlValue[] | undefined {
		return this.#reading(() => {
			const raw: unknown =
				isList(bindings) && !this.#numbered
					? this.statement.get(...bindings)
					: this.statement.get(byName(bindings));
			return raw === undefined ? undefined : this.#read(raw);
		});
	}

	all(bindings: Bindings): SqlValue[][] {
		return this.#reading(() => {
			const rows = (
				isList(bindings) && !this.#numbered
					? this.statement.all(...bindings)
					: this.statement.all(byName(bindings))
			) as unknown[];
			for (let index = 0; index < rows.length; index++) rows[index] = this.#read(rows[index]);
			return rows as SqlValue[][];
		});
	}

	*iterate(bindings: Bindings): IterableIterator<SqlValue[]> {
		// A row that was passed over cannot be read again.
		if (!this.#wide) this.#widen();
		try {
			const rows =
				isList(bindings) && !this.#numbered
					? this.statement.iterate(...bindings)
					: this.statement.iterate(byName(bindings));
			for (const raw of rows) yield this.#read(raw);
		} catch (error) {
			throw toSqliteError(error, this.sql);
		}
	}

	finalize(): void {
		// Before Node 26 the garbage collector does it, or closing the database.
		(this.statement as { close?(): void }).close?.();
	}

	#read(raw: unknown): SqlValue[] {
		const values = this.valuesOf(raw);
		return this.#wide ? narrow(values) : values;
	}

	/** Again with wide integers, if need be: it only reads then (see PrepareOptions.runsOnce). */
	#reading<T>(read: () => T): T {
		try {
			return read();
		} catch (error) {
			if (this.#wide || !isTooLarge(error)) throw toSqliteError(error, this.sql);
		}
		this.#widen();
		return this.#reading(read);
	}

	#widen(): void {
		this.#wide = true;
		this.statement.setReadBigInts(true);
	}
}

class ArrayStatement extends NodeStatement {
	readonly columns: readonly string[];

	constructor(statement: StatementSync, sql: string, options: PrepareOptions) {
		super(statement, sql, options);
		this.columns = statement.columns().map(({ name }) => name);
		statement.setReturnArrays(true);
	}

	get withEveryColumn(): this {
		return this;
	}

	protected valuesOf(raw: SqlValue[]): SqlValue[] {
		return raw;
	}
}

/** Node before 22.16: rows come as objects, and nobody tells the columns before there is one. */
class ObjectStatement extends NodeStatement {
	columns: readonly string[] | null = null;
	readonly #database: DatabaseSync;
	readonly #options: PrepareOptions;
	#renamed: SqliteStatement | null = null;

	constructor(
		database: DatabaseSync,
		statement: StatementSync,
		sql: string,
		options: PrepareOptions,
	) {
		super(statement, sql, options);
		this.#database = database;
		this.#options = options;
	}

	get withEveryColumn(): SqliteStatement {
		this.#renamed ??= this.#rename();
		return this.#renamed;
	}

	/**
	 * The same query with columns of different names, so that an object holds all of them in order. How
	 * many there are SQLite tells in the error about a wrong number of names.
	 */
	#rename(): SqliteStatement {
		const prepare = (names: readonly string[]) =>
			new ObjectStatement(
				this.#database,
				this.#database.prepare(
					`WITH rivetkit_rows (${names.join(", ")}) AS (\n${this.sql}\n) SELECT * FROM rivetkit_rows`,
				),
				this.sql,
				this.#options,
			);
		try {
			return prepare(["c0"]);
		} catch (error) {
			const count = /has (\d+) values for 1 columns/.exec((error as Error).message)?.[1];
			// Not a query. What RETURNING and PRAGMA give has columns of different names.
			if (count === undefined) return this;
			return prepare(Array.from({ length: Number(count) }, (_unused, index) => `c${index}`));
		}
	}

	protected valuesOf(raw: Record<string, SqlValue>): SqlValue[] {
		this.columns ??= Object.keys(raw);
		return this.columns.map((column) => raw[column]!);
	}
}

function isList(bindings: Bindings): bindings is readonly SqlValue[] {
	return Array.isArray(bindings);
}

/** Node before 22.16 takes `?1` for a name. */
function byName(bindings: Bindings): Record<string, SqlValue> {
	return isList(bindings)
		? Object.fromEntries(bindings.map((value, index) => [`?${index + 1}`, value]))
		: bindings;
}

function isTooLarge(error: unknown): boolean {
	return (error as { code?: unknown } | null)?.code === "ERR_OUT_OF_RANGE";
}

function attempt<T>(sql: string | undefined, work: () => T): T {
	try {
		return work();
	} catch (error) {
		throw toSqliteError(error, sql);
	}
}

function toSqliteError(error: unknown, sql: string | undefined): unknown {
	const { errcode, message } = error as { errcode?: unknown; message?: unknown };
	if (typeof errcode !== "number") return error;
	return new SqliteError(String(message), errcode, sql, { cause: error });
}
