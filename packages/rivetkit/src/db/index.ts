import type { DatabaseProvider } from "../actor/database.types.ts";
import type { RawAccess } from "./raw-access.types.ts";

export type {
	DatabaseKv,
	DatabaseProvider,
	DatabaseProviderContext,
	SqlDatabase,
	SqlValuesExecutor,
} from "../actor/database.types.ts";
export { SqliteError } from "../sqlite/engine/sqlite-error.ts";
export type {
	RawAccess,
	SqlExecutor,
	SqlParameter,
	SqlRow,
	TransactionOptions,
} from "./raw-access.types.ts";

export interface DatabaseOptions {
	/**
	 * Runs on every start, before any other hook of the actor: create and change tables here. Nothing of it
	 * is committed before it ends; a throw leaves the database as it was, and the actor does not start.
	 */
	onMigrate?: ((db: RawAccess) => void | Promise<void>) | undefined;
}

/** The actor's own SQLite database as `c.db` (api 11.1). */
export function db(options: DatabaseOptions = {}): DatabaseProvider<RawAccess> {
	return {
		createClient: async (context) => {
			const overridden = await context.overrideRawDatabaseClient?.();
			return (overridden as RawAccess | undefined) ?? context.openSqlite();
		},
		onMigrate: async (client) => {
			await options.onMigrate?.(client);
		},
		onDestroy: (client) => client.close(),
	};
}
