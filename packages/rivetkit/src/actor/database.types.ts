import type { RawAccess, SqlExecutor, TransactionOptions } from "../db/raw-access.types.ts";

/** What a database provider gets: the actor, and two ways to store (api 11.3). */
export interface DatabaseProviderContext {
	readonly actorId: string;
	/** Raw bytes of the provider's own, private to databases. */
	readonly kv: DatabaseKv;
	/** The actor's own SQLite database, for providers that build upon it. The same one at every call. */
	openSqlite(): Promise<SqlDatabase>;
	/** Set by hosts that bring a database of their own (Durable Objects). */
	overrideRawDatabaseClient?(): Promise<unknown>;
	overrideDrizzleDatabaseClient?(): Promise<unknown>;
}

export interface DatabaseKv {
	batchPut(entries: readonly (readonly [key: Uint8Array, value: Uint8Array])[]): Promise<void>;
	/** In the order of the keys; `null` for missing ones. */
	batchGet(keys: readonly Uint8Array[]): Promise<(Uint8Array | null)[]>;
	batchDelete(keys: readonly Uint8Array[]): Promise<void>;
}

/** `execute`, and the same with rows as lists of values, which keeps columns of the same name apart. */
export interface SqlValuesExecutor extends SqlExecutor {
	values(sql: string, ...parameters: unknown[]): Promise<unknown[][]>;
}

/** An actor's SQLite database as providers see it. */
export interface SqlDatabase extends RawAccess, SqlValuesExecutor {
	transaction<T>(
		work: (tx: SqlValuesExecutor) => T | Promise<T>,
		options?: TransactionOptions,
	): Promise<T>;
}

/** What `db` takes. `createClient` runs once per start; its result is `c.db`. */
export interface DatabaseProvider<Client> {
	createClient(context: DatabaseProviderContext): Promise<Client>;
	/** Runs on every start, before any other hook of the actor. A throw leaves no trace in the database. */
	onMigrate(client: Client): void | Promise<void>;
	/** Runs once per created client, also when the start failed. */
	onDestroy?(client: Client): void | Promise<void>;
}
