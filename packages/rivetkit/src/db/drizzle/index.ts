import type { SqliteRemoteDatabase } from "drizzle-orm/sqlite-proxy";
import type { DatabaseProvider, SqlDatabase } from "../../actor/database.types.ts";
import type { RawAccess } from "../raw-access.types.ts";
import { drizzleOver } from "./client.ts";
import { checkMigrations, type DrizzleMigrations, migrate } from "./migrate.ts";

export * from "drizzle-orm/sqlite-core";
export type { DrizzleMigrations } from "./migrate.ts";
export { readMigrations } from "./read-migrations.ts";

export interface DrizzleOptions<Schema extends Record<string, unknown>> {
	/** Tables, as an object of what `sqliteTable` returns. */
	schema?: Schema | undefined;
	/**
	 * Run once each and in order, each in a transaction. One that fails leaves the database as it was, and
	 * the actor does not start (`database.migration_failed`); one that was changed after it had been applied
	 * is refused (`database.migration_changed`).
	 */
	migrations?: DrizzleMigrations | undefined;
}

/** `c.db` of `rivetkit/db/drizzle`: a Drizzle database, with plain SQL beside it (api 11.2). */
export type DrizzleAccess<Schema extends Record<string, unknown>> = SqliteRemoteDatabase<Schema> &
	Pick<RawAccess, "execute" | "stream" | "close">;

/**
 * The actor's own SQLite database as a Drizzle database in `c.db`. Throws a `TypeError` for migrations of another form
 * than drizzle-kit's.
 */
export function db<Schema extends Record<string, unknown> = Record<string, never>>(
	options: DrizzleOptions<Schema> = {},
): DatabaseProvider<DrizzleAccess<Schema>> {
	if (options.migrations !== undefined) checkMigrations(options.migrations);
	// By client and not in variables: one provider serves all actors of a definition (W-DB-4).
	const databases = new WeakMap<object, SqlDatabase>();
	return {
		createClient: async (context) => {
			const overridden = await context.overrideDrizzleDatabaseClient?.();
			if (overridden !== undefined) return overridden as DrizzleAccess<Schema>;
			const database = await context.openSqlite();
			const client = Object.assign(drizzleOver(database, options.schema), {
				execute: database.execute.bind(database),
				stream: database.stream.bind(database),
				close: database.close.bind(database),
			}) as DrizzleAccess<Schema>;
			databases.set(client, database);
			return client;
		},
		onMigrate: async (client) => {
			const database = databases.get(client);
			if (database && options.migrations) await migrate(database, options.migrations);
		},
		onDestroy: (client) => client.close(),
	};
}

/** Configuration of drizzle-kit; any of its properties may be given. */
export interface DrizzleKitConfig {
	schema?: string | string[] | undefined;
	out?: string | undefined;
	readonly [property: string]: unknown;
}

/** Fills in what drizzle-kit needs to know about actors' databases. */
export function defineConfig<const Config extends DrizzleKitConfig>(
	config: Config,
): Config & { readonly dialect: "sqlite"; readonly driver: "durable-sqlite" } {
	return { ...config, dialect: "sqlite", driver: "durable-sqlite" };
}
