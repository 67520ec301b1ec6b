/** What a database provider gets: the actor and raw bytes of its own, private to databases (api 11.3). */
export interface DatabaseProviderContext {
	readonly actorId: string;
	readonly kv: DatabaseKv;
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

/** What `db` takes. `createClient` runs once per start; its result is `c.db`. */
export interface DatabaseProvider<Client> {
	createClient(context: DatabaseProviderContext): Promise<Client>;
	/** Runs on every start, before any other hook of the actor. */
	onMigrate(client: Client): void | Promise<void>;
	/** Runs once per created client, also when the start failed. */
	onDestroy?(client: Client): void | Promise<void>;
}
