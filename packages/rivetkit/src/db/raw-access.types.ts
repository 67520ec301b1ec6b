/**
 * What may stand for a parameter: `null`, numbers, texts, bigints of 64 bits, bytes (`Uint8Array`,
 * `ArrayBuffer`, `number[]`), booleans (0 and 1) and dates (ISO text), one per `?`; or one plain object
 * for `:name`, `@name` and `$name`. Anything else is refused with the index of the parameter
 * (`database.invalid_parameter`).
 */
export type SqlParameter = unknown;

/** One row by column. Integers beyond 2^53 are bigints, blobs are `Uint8Array`. */
export type SqlRow = Record<string, unknown>;

/** The part of `c.db` that works inside a transaction as well. */
export interface SqlExecutor {
	/**
	 * Runs SQL and returns its rows. With parameters one statement, without them any number, whose rows
	 * follow each other.
	 *
	 * Resolves when the statement has run, not when it is on disk: it is committed with everything else
	 * the actor wrote (ruling 18). Rejects with `SqliteError`, or with a `database.*` error when the
	 * statement is refused, or its result is over `options.maxQueryRows`, `options.maxQueryBytes` or
	 * `options.queryTimeout`.
	 */
	execute<Row = SqlRow>(sql: string, ...parameters: SqlParameter[]): Promise<Row[]>;
}

export interface TransactionOptions {
	/** Longest time the transaction stays open (ms). Default 60,000. */
	timeout?: number | undefined;
}

/** `c.db` of `rivetkit/db`: the actor's own SQLite database (api 11.1). Calls run one after the other. */
export interface RawAccess extends SqlExecutor {
	/**
	 * Runs `work` with the database to itself: first come, first served; calls of others wait. Commits when
	 * `work` returns and rolls back when it throws. Inside, use `tx`: `c.db` itself is refused there
	 * (`database.nested_transaction`), as it would wait for its own end; `SAVEPOINT` works.
	 */
	transaction<T>(
		work: (tx: SqlExecutor) => T | Promise<T>,
		options?: TransactionOptions,
	): Promise<T>;
	/**
	 * Rows of one query as they are read, for results over the limits of `execute`. They are those of the
	 * moment the loop began, whatever is written meanwhile. Sees neither what an open transaction has
	 * written nor temporary tables. Ends with an error (`database.stream_timed_out`) when nobody reads for
	 * `options.queryTimeout`; at most 16 are open at a time (`database.too_many_streams`).
	 */
	stream<Row = SqlRow>(sql: string, ...parameters: SqlParameter[]): AsyncIterableIterator<Row>;
	/** The runtime calls it when the actor stops. Everything after it rejects with `database.closed`. */
	close(): Promise<void>;
}
