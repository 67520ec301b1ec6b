import type {
	Bindings,
	PrepareOptions,
	SqliteConnection,
	SqliteEngine,
	SqliteStatement,
	SqlRow,
	SqlValue,
} from "./engine.ts";
import { narrow } from "./rows.ts";
import { SqliteError } from "./sqlite-error.ts";

/** The part of `bun:sqlite` that is used; Node's types do not know it. */
interface BunDatabase {
	readonly inTransaction: boolean;
	exec(sql: string): unknown;
	prepare(sql: string): BunStatement;
	close(throwOnError?: boolean): void;
}

interface BunStatement {
	readonly columnNames: readonly string[];
	run(...bindings: unknown[]): unknown;
	values(...bindings: unknown[]): SqlValue[][];
	iterate(...bindings: unknown[]): Iterable<SqlRow>;
	safeIntegers(on: boolean): unknown;
	finalize(): void;
}

export type BunDatabaseClass = new (
	path: string,
	options: { readonly?: boolean; readwrite?: boolean; create?: boolean },
) => BunDatabase;

export function bunEngine(Database: BunDatabaseClass): SqliteEngine {
	return {
		name: "bun:sqlite",
		open: (path, { readOnly = false } = {}) =>
			attempt(undefined, () => {
				const options = readOnly ? { readonly: true } : { readwrite: true, create: true };
				return new BunConnection(new Database(path, options));
			}),
	};
}

class BunConnection implements SqliteConnection {
	readonly #database: BunDatabase;
	/** Bun leaves a database open whose statements are not finalized. */
	readonly #statements = new Set<BunPrepared>();

	constructor(database: BunDatabase) {
		this.#database = database;
	}

	get inTransaction(): boolean {
		return this.#database.inTransaction;
	}

	exec(sql: string): void {
		attempt(sql, () => this.#database.exec(sql));
	}

	prepare(sql: string, _options?: PrepareOptions): SqliteStatement {
		return attempt(sql, () => {
			const statement = new BunPrepared(this.#database.prepare(sql), sql, this.#statements);
			this.#statements.add(statement);
			return statement;
		});
	}

	/** Bun has no authorizer. */
	authorize(): void {}

	close(): void {
		for (const statement of [...this.#statements]) statement.finalize();
		attempt(undefined, () => this.#database.close(true));
	}
}

class BunPrepared implements SqliteStatement {
	readonly columns: readonly string[];
	readonly #statement: BunStatement;
	readonly #sql: string;
	readonly #siblings: Set<BunPrepared>;

	constructor(statement: BunStatement, sql: string, siblings: Set<BunPrepared>) {
		this.#statement = statement;
		this.#sql = sql;
		this.#siblings = siblings;
		// Without this, large integers lose digits silently.
		statement.safeIntegers(true);
		this.columns = [...statement.columnNames];
	}

	get withEveryColumn(): this {
		return this;
	}

	run(bindings: Bindings): void {
		attempt(this.#sql, () => this.#statement.run(...list(bindings)));
	}

	get(bindings: Bindings): SqlValue[] | undefined {
		return this.all(bindings)[0];
	}

	all(bindings: Bindings): SqlValue[][] {
		const rows = attempt(this.#sql, () => this.#statement.values(...list(bindings)));
		for (const row of rows) narrow(row);
		return rows;
	}

	/** Bun pulls rows as objects only, so rows with columns of the same name are read at once. */
	*iterate(bindings: Bindings): IterableIterator<SqlValue[]> {
		if (new Set(this.columns).size < this.columns.length) {
			yield* this.all(bindings);
			return;
		}
		try {
			for (const row of this.#statement.iterate(...list(bindings))) {
				yield narrow(this.columns.map((column) => row[column]!));
			}
		} catch (error) {
			throw toSqliteError(error, this.#sql);
		}
	}

	finalize(): void {
		this.#siblings.delete(this);
		this.#statement.finalize();
	}
}

function list(bindings: Bindings): readonly unknown[] {
	return Array.isArray(bindings) ? bindings : [bindings];
}

function attempt<T>(sql: string | undefined, work: () => T): T {
	try {
		return work();
	} catch (error) {
		throw toSqliteError(error, sql);
	}
}

function toSqliteError(error: unknown, sql: string | undefined): unknown {
	const { errno, name, message } = error as { errno?: unknown; name?: unknown; message?: unknown };
	if (name !== "SQLiteError" || typeof errno !== "number") return error;
	return new SqliteError(String(message), errno, sql, { cause: error });
}
