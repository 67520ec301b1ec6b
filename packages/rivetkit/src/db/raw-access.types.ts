/**
 * What may stand for a parameter: `null`, numbers, texts, bigints of 64 bits, bytes (`Uint8Array`,
 * `ArrayBuffer`, `number[]`), booleans (0 and 1) and dates (ISO text), one per `?`; or one plain object
 * for `:name`, `@name` and `$name`. Anything else is refused with the index of the parameter.
 */
export type SqlParameter = unknown;

/** One row by column. Integers beyond 2^53 are bigints, blobs are `Uint8Array`. */
export type SqlRow = Record<string, unknown>;

/** The part of `c.db` that works inside a transaction as well. */
export interface SqlExecutor {
	/**
	 * Runs SQL and returns its rows. With parameters one statement, without them any number, whose rows
	 * follow each other.
	 */
	execute<Row = SqlRow>(sql: string, ...parameters: SqlParameter[]): Promise<Row[]>;
}

export interface TransactionOptions {
	/** Longest time the transaction stays open (ms). Default 60,000. */
	timeout?: number | undefined;
}

/** `c.db` of `rivetkit/db`: the actor's own SQLite database (api 11.1). Calls run one after the other. */
export interface RawAccess extends SqlExecutor {
	/** Exclusive; commits when `work` returns and rolls back when it throws. */
	transaction<T>(
		work: (tx: SqlExecutor) => T | Promise<T>,
		options?: TransactionOptions,
	): Promise<T>;
	/** The runtime calls it when the actor stops. */
	close(): Promise<void>;
}
