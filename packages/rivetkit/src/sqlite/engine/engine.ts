/** A value as SQLite stores it. Integers are numbers up to 2^53 and bigints beyond. */
export type SqlValue = null | number | bigint | string | Uint8Array;

/** One row by column; of columns with the same name the last one counts. */
export type SqlRow = Record<string, SqlValue>;

/** Values for `?` and `?1` by position, or for named parameters by their full names (`:id`). */
export type Bindings = readonly SqlValue[] | Readonly<Record<string, SqlValue>>;

/**
 * The little of SQLite that actors' databases need; every supported runtime has an engine of its own
 * (`node:sqlite`, `bun:sqlite`). Calls are synchronous and throw `SqliteError`.
 */
export interface SqliteEngine {
	readonly name: "node:sqlite" | "bun:sqlite";
	/** Opens a file, created when it is missing unless `readOnly`. Extensions cannot be loaded. */
	open(path: string, options?: { readonly readOnly?: boolean }): SqliteConnection;
}

export interface SqliteConnection {
	/** Whether a transaction is open. For after errors and control statements: asking may cost. */
	readonly inTransaction: boolean;
	/** Runs statements without parameters and results. */
	exec(sql: string): void;
	/** Compiles one statement. */
	prepare(sql: string, options?: PrepareOptions): SqliteStatement;
	/**
	 * Refuses actions of statements when they are compiled, on engines that have an authorizer; does
	 * nothing on the others, so it can only be the second of two checks.
	 */
	authorize(isAllowed: Authorizer): void;
	/** Rolls back what is open and finalizes all statements. */
	close(): void;
}

/** Gets an action code (https://sqlite.org/c3ref/c_alter_table.html) and what it is about. */
export type Authorizer = (action: number, first: string | null, second: string | null) => boolean;

export interface PrepareOptions {
	/** The statement has `?1` parameters; bindings are still given by position. */
	readonly numbered?: boolean;
	/** It writes and gives rows: it must not be run again because an integer turned out to be large. */
	readonly runsOnce?: boolean;
}

/** Lives as long as its connection and the schema it was compiled for. Rows are lists of values. */
export interface SqliteStatement {
	/** Names of the result columns, empty when it gives no rows; null when only a row can tell. */
	readonly columns: readonly string[] | null;
	/**
	 * The same statement, whose rows have every column: engines that know rows as objects only lose those
	 * with the same name.
	 */
	readonly withEveryColumn: SqliteStatement;
	/** Runs it and drops its rows. */
	run(bindings: Bindings): void;
	/** For statements that give at most one row. */
	get(bindings: Bindings): SqlValue[] | undefined;
	all(bindings: Bindings): SqlValue[][];
	/** Rows as they are pulled. Ending the loop resets the statement. */
	iterate(bindings: Bindings): IterableIterator<SqlValue[]>;
	finalize(): void;
}
