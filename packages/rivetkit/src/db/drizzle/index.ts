import type { SqliteRemoteDatabase } from "drizzle-orm/sqlite-proxy";
import type { DatabaseProvider } from "../../actor/database.types.ts";
import { refuseToOpen } from "../not-available.ts";
import type { RawAccess } from "../raw-access.types.ts";

export * from "drizzle-orm/sqlite-core";

/** What drizzle-kit's "durable-sqlite" output exports. */
export interface DrizzleMigrations {
	readonly journal: {
		readonly entries: readonly {
			readonly idx: number;
			/** Milliseconds since the epoch. */
			readonly when: number;
			readonly tag: string;
			readonly breakpoints?: boolean;
		}[];
	};
	/** SQL by `m` and the four-digit index: `m0000`. */
	readonly migrations: Readonly<Record<string, string>>;
}

export interface DrizzleOptions<Schema extends Record<string, unknown>> {
	/** Tables, as an object of what `sqliteTable` returns. */
	schema?: Schema | undefined;
	/** Run once each and in order, each in a transaction. */
	migrations?: DrizzleMigrations | undefined;
}

/** `c.db` of `rivetkit/db/drizzle`: a Drizzle database, with plain SQL beside it (api 11.2). */
export type DrizzleAccess<Schema extends Record<string, unknown>> = SqliteRemoteDatabase<Schema> &
	Pick<RawAccess, "execute" | "close">;

/** The actor's own SQLite database as a Drizzle database in `c.db`. */
export function db<Schema extends Record<string, unknown> = Record<string, never>>(
	_options: DrizzleOptions<Schema> = {},
): DatabaseProvider<DrizzleAccess<Schema>> {
	return { createClient: refuseToOpen, onMigrate: () => {}, onDestroy: (client) => client.close() };
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
