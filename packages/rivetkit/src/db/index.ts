import type { DatabaseProvider } from "../actor/database.types.ts";
import { refuseToOpen } from "./not-available.ts";
import type { RawAccess } from "./raw-access.types.ts";

export type { DatabaseProvider, DatabaseProviderContext } from "../actor/database.types.ts";
export type {
	RawAccess,
	SqlExecutor,
	SqlParameter,
	SqlRow,
	TransactionOptions,
} from "./raw-access.types.ts";

export interface DatabaseOptions {
	/** Runs on every start, before any other hook of the actor: create and change tables here. */
	onMigrate?: ((db: RawAccess) => void | Promise<void>) | undefined;
}

/** The actor's own SQLite database as `c.db`. */
export function db(options: DatabaseOptions = {}): DatabaseProvider<RawAccess> {
	return {
		createClient: refuseToOpen,
		onMigrate: async (client) => {
			await options.onMigrate?.(client);
		},
		onDestroy: (client) => client.close(),
	};
}
