import { type Clock, type Random, systemClock, systemRandom } from "@rivetkit/protocol";
import { TOMBSTONE_LIMITS, type TombstoneLimits } from "../tombstones.ts";
import { PostgresConnection } from "./connection.ts";
import { addressOf, clientConfig, type PostgresSettings } from "./connection-settings.ts";
import { PostgresStore } from "./postgres-store.ts";
import { prepareTables } from "./schema.ts";

/** How long one statement may take (ms); it is then rolled back and reported, or tried again. */
const STATEMENT_TIMEOUT_MS = 30_000;

export interface PostgresStoreOptions extends PostgresSettings {
	/** Ages tombstones and times retries. Default: the process's own clock. */
	readonly clock?: Clock;
	readonly random?: Random;
	readonly tombstones?: Partial<TombstoneLimits>;
	/** Limit of one statement (ms). Default 30 s. */
	readonly statementTimeoutMs?: number;
	/** How the sessions are called in `pg_stat_activity`. Default `rivetkit`. */
	readonly applicationName?: string;
}

/**
 * Opens the store in a PostgreSQL (14 or newer); in a database without tables of RivetKit they are made, in the
 * schema `rivetkit`. Any number of processes may share it.
 *
 * Rejects with a `StoreError` whose message names the server and what to do: `unavailable` (no connection, wrong
 * password), `pooled` (a connection pooler answered), `newer_format`, `unsupported` (too old), `failed`.
 */
export async function openPostgresStore(options: PostgresStoreOptions): Promise<PostgresStore> {
	const address = addressOf(options.url);
	const config = await clientConfig(options);
	const connect = () =>
		PostgresConnection.open({
			config,
			address,
			applicationName: options.applicationName ?? "rivetkit",
			statementTimeoutMs: options.statementTimeoutMs ?? STATEMENT_TIMEOUT_MS,
		});
	const first = await connect();
	try {
		await prepareTables(first, address);
	} finally {
		await first.close();
	}
	const store = new PostgresStore({
		connect,
		address,
		clock: options.clock ?? systemClock({ keepProcessAlive: false }),
		random: options.random ?? systemRandom(),
		tombstones: { ...TOMBSTONE_LIMITS, ...options.tombstones },
	});
	await store.open();
	return store;
}
