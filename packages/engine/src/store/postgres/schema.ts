import { StoreError } from "../store.ts";
import type { PostgresConnection } from "./connection.ts";

/** Version of the tables below. */
export const FORMAT_VERSION = 4;

/** Held while tables are made or changed. */
const MIGRATION_LOCK = 0x52564b54;

/**
 * What takes an empty database (version 0) and each older format one version further. Within a minor version
 * of RivetKit they only add, so that nodes before and after an upgrade work side by side.
 *
 * - `meta`: the format, and the secret that nodes of one cluster share.
 * - `nodes`: leases. An epoch is one life of a node; who lost its lease comes back as another epoch.
 * - `writers`: connections that write, and what each committed last, to be read after it broke: the number of
 *   the transaction, and which of its commits were refused.
 * - `actors`: one row per actor, destroyed ones included while their tombstone is kept. `owner` is the epoch
 *   that runs it; `wake_after` (ms) holds its alarm back while somebody deals with it, and
 *   its restart until a pause is over.
 *   The index for lists is over expressions, so that no plan takes it for a look-up by key: without statistics it
 *   looked as good as the unique one, and read all actors of a name.
 *   Another one has the former holders of a key, which no other index finds.
 * - `kv`: what actors store, in key order. `put_ts` is null unless the one who put it said when.
 * - `removals`: actors that are gone but whose `kv` rows are still being removed.
 * - `inventory`: what is known beside actors, see `Inventory`.
 * - `names`: every name that has or had an actor; `kept` when the last trace in `actors` may be gone.
 */
const MIGRATIONS: readonly string[] = [
	`
CREATE TABLE rivetkit.nodes (
	epoch bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	name text COLLATE "C" NOT NULL,
	address text COLLATE "C" NOT NULL,
	version text COLLATE "C" NOT NULL,
	names text[] COLLATE "C" NOT NULL DEFAULT '{}',
	actors integer NOT NULL DEFAULT 0,
	is_draining boolean NOT NULL DEFAULT false,
	lease_until timestamptz NOT NULL,
	started timestamptz NOT NULL DEFAULT clock_timestamp()
) WITH (fillfactor = 50);

CREATE TABLE rivetkit.writers (
	id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	fence bigint NOT NULL DEFAULT 0,
	token bigint NOT NULL DEFAULT 0,
	refused bigint[] NOT NULL DEFAULT '{}',
	used timestamptz NOT NULL DEFAULT clock_timestamp()
) WITH (fillfactor = 50);

CREATE FUNCTION rivetkit.take_turn(writer bigint, expected bigint, next bigint) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
	UPDATE rivetkit.writers SET token = next, refused = '{}', used = clock_timestamp()
	WHERE id = writer AND fence = expected;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'writer % was superseded', writer USING ERRCODE = 'RVK01';
	END IF;
END $$;

CREATE TABLE rivetkit.actors (
	row_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	create_ts bigint NOT NULL,
	start_ts bigint,
	connectable_ts bigint,
	sleep_ts bigint,
	destroy_ts bigint,
	alarm_ts bigint,
	wake_after bigint NOT NULL DEFAULT 0,
	owner bigint,
	generation bigint NOT NULL,
	initialised boolean NOT NULL DEFAULT false,
	connected boolean NOT NULL DEFAULT false,
	id text COLLATE "C" NOT NULL UNIQUE,
	namespace text COLLATE "C" NOT NULL,
	name text COLLATE "C" NOT NULL,
	key text COLLATE "C" NOT NULL,
	runner_name_selector text COLLATE "C" NOT NULL,
	crash_policy text COLLATE "C" NOT NULL,
	datacenter text COLLATE "C" NOT NULL,
	input bytea
) WITH (fillfactor = 80);
CREATE UNIQUE INDEX actors_live ON rivetkit.actors (namespace, name, key) WHERE destroy_ts IS NULL;
CREATE INDEX actors_newest ON rivetkit.actors ((namespace || ''), (name || ''), create_ts, id);
CREATE INDEX actors_alarm ON rivetkit.actors (alarm_ts, id) WHERE alarm_ts IS NOT NULL;
CREATE INDEX actors_connected ON rivetkit.actors (id) WHERE connected;
CREATE INDEX actors_destroyed ON rivetkit.actors (destroy_ts, id) WHERE destroy_ts IS NOT NULL;

CREATE TABLE rivetkit.kv (
	actor bigint NOT NULL,
	key bytea NOT NULL,
	value bytea NOT NULL,
	PRIMARY KEY (actor, key)
) WITH (fillfactor = 80);

CREATE TABLE rivetkit.removals (actor bigint PRIMARY KEY);

CREATE TABLE rivetkit.names (
	namespace text COLLATE "C" NOT NULL,
	name text COLLATE "C" NOT NULL,
	kept boolean NOT NULL DEFAULT false,
	PRIMARY KEY (namespace, name)
);

INSERT INTO rivetkit.meta VALUES
	('secret', replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''));
`,
	`
CREATE TABLE rivetkit.inventory (
	kind text COLLATE "C" NOT NULL,
	scope text COLLATE "C" NOT NULL,
	name text COLLATE "C" NOT NULL,
	value text NOT NULL,
	create_ts bigint NOT NULL,
	PRIMARY KEY (kind, scope, name)
);
CREATE INDEX inventory_newest ON rivetkit.inventory (kind, scope, create_ts, name);
`,
	`
CREATE INDEX actors_former ON rivetkit.actors (namespace, name, key, create_ts, id) WHERE destroy_ts IS NOT NULL;
`,
	`
ALTER TABLE rivetkit.kv ADD COLUMN put_ts bigint;
`,
];

/**
 * Makes the tables in an empty database, or checks that they are ones this version knows, and migrates them.
 * Several nodes may do so at the same time. Throws a `StoreError` (`newer_format`).
 */
export async function prepareTables(
	connection: PostgresConnection,
	address: string,
): Promise<void> {
	const version = await formatVersion(connection);
	refuseNewer(version, address);
	if (version === FORMAT_VERSION) {
		return;
	}
	await connection.query({ text: `SELECT pg_advisory_lock(${MIGRATION_LOCK})` });
	try {
		for (let from = await formatVersion(connection); from < FORMAT_VERSION; from++) {
			// Statements without parameters in one message are one transaction.
			await connection.query({
				text:
					"CREATE SCHEMA IF NOT EXISTS rivetkit;" +
					"CREATE TABLE IF NOT EXISTS rivetkit.meta (name text PRIMARY KEY, value text NOT NULL);" +
					MIGRATIONS[from] +
					`INSERT INTO rivetkit.meta VALUES ('format', '${from + 1}') ` +
					"ON CONFLICT (name) DO UPDATE SET value = excluded.value",
			});
		}
	} finally {
		await connection.query({ text: `SELECT pg_advisory_unlock(${MIGRATION_LOCK})` });
	}
	refuseNewer(await formatVersion(connection), address);
}

/** 0 where there are no tables. */
async function formatVersion(connection: PostgresConnection): Promise<number> {
	const [table] = await connection.query<{ exists: boolean }>({
		text: "SELECT to_regclass('rivetkit.meta') IS NOT NULL AS exists",
	});
	if (!table!.exists) {
		return 0;
	}
	const [row] = await connection.query<{ value: string }>({
		text: "SELECT value FROM rivetkit.meta WHERE name = 'format'",
	});
	return Number(row?.value ?? 0);
}

function refuseNewer(version: number, address: string): void {
	if (version > FORMAT_VERSION) {
		throw new StoreError(
			"newer_format",
			address,
			`The tables at ${address} have format ${version}, made by a newer version of RivetKit; this one knows ` +
				`up to format ${FORMAT_VERSION}. Nothing was changed: use the newer version, or another database.`,
		);
	}
}
