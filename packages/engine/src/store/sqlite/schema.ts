import fs from "node:fs";
import { COLD_KEYS_START } from "@rivetkit/protocol";
import { StoreError } from "../store.ts";
import type { SqliteConnection } from "./engine.ts";

/** "RVKT": marks an SQLite file as a RivetKit store (`PRAGMA application_id`). */
export const APPLICATION_ID = 0x52564b54;

/** Version of the tables below (`PRAGMA user_version`). */
export const FORMAT_VERSION = 6;

const INVENTORY = `
CREATE TABLE inventory (
	kind TEXT NOT NULL,
	scope TEXT NOT NULL,
	name TEXT NOT NULL,
	value TEXT NOT NULL,
	create_ts INTEGER NOT NULL,
	PRIMARY KEY (kind, scope, name)
) WITHOUT ROWID, STRICT;
CREATE INDEX inventory_newest ON inventory (kind, scope, create_ts, name);
`;

/** As `isLeftRunning` says. */
export const IS_LEFT_RUNNING =
	"crash_policy = 'restart' AND start_ts IS NOT NULL AND sleep_ts IS NULL AND destroy_ts IS NULL";
const LEFT_RUNNING = `CREATE INDEX actors_left_running ON actors (id) WHERE ${IS_LEFT_RUNNING};`;

const PUT_TS = "put_ts INTEGER";

const kvTable = (name: string, ...more: readonly string[]) => `
CREATE TABLE ${name} (
	actor INTEGER NOT NULL,
	key BLOB NOT NULL,
	value BLOB NOT NULL,
	${more.map((column) => `${column},`).join(" ")}
	PRIMARY KEY (actor, key)
) WITHOUT ROWID, STRICT;
`;

/**
 * - `actors`: one row per actor, destroyed ones included while their tombstone is kept. `row_id` is
 *   the actor's short name in the other tables and is never used twice.
 * - `inputs`: apart from `actors`, so that a change of a record does not copy a large input.
 * - `kv`: what actors store, in key order. `put_ts` is null unless the one who put it said when.
 * - `cold`: the same of keys from {@link COLD_KEYS_START} on. Among the rows of `kv` they would spread those that are
 *   written all the time over more pages, and a commit writes whole pages.
 * - `removals`: actors that are gone but whose `kv` and `cold` rows are still being removed.
 * - `names`: every name that has or had an actor; `kept` when the last trace in `actors` may be gone.
 * - `inventory`: what is known beside actors, see `Inventory`.
 * - `meta`: `checkpoints` counts restarts of the write-ahead log.
 */
const TABLES = `
CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID, STRICT;
INSERT INTO meta VALUES ('checkpoints', 0);

CREATE TABLE actors (
	row_id INTEGER PRIMARY KEY,
	id TEXT NOT NULL UNIQUE,
	namespace TEXT NOT NULL,
	name TEXT NOT NULL,
	key TEXT NOT NULL,
	runner_name_selector TEXT NOT NULL,
	crash_policy TEXT NOT NULL,
	datacenter TEXT NOT NULL,
	generation INTEGER NOT NULL DEFAULT -1,
	initialised INTEGER NOT NULL DEFAULT 0,
	create_ts INTEGER NOT NULL,
	start_ts INTEGER,
	connectable_ts INTEGER,
	sleep_ts INTEGER,
	destroy_ts INTEGER,
	alarm_ts INTEGER,
	connected INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE UNIQUE INDEX actors_live ON actors (namespace, name, key) WHERE destroy_ts IS NULL;
CREATE INDEX actors_newest ON actors (namespace, name, create_ts, id);
CREATE INDEX actors_alarm ON actors (alarm_ts, id) WHERE alarm_ts IS NOT NULL;
CREATE INDEX actors_connected ON actors (id) WHERE connected = 1;
${LEFT_RUNNING}
CREATE INDEX actors_destroyed ON actors (destroy_ts, id) WHERE destroy_ts IS NOT NULL;
CREATE INDEX actors_destroyed_key ON actors (namespace, name, key) WHERE destroy_ts IS NOT NULL;

CREATE TABLE inputs (actor INTEGER PRIMARY KEY, input BLOB NOT NULL) STRICT;

${kvTable("kv", PUT_TS)}
${kvTable("cold", PUT_TS)}

CREATE TABLE removals (actor INTEGER PRIMARY KEY) STRICT;

CREATE TABLE names (
	namespace TEXT NOT NULL,
	name TEXT NOT NULL,
	kept INTEGER NOT NULL DEFAULT 0,
	PRIMARY KEY (namespace, name)
) WITHOUT ROWID, STRICT;
${INVENTORY}`;

const COLD_KEYS = `x'${COLD_KEYS_START.toString(16).padStart(2, "0")}'`;

/** What takes a store of each older format one version further. */
const MIGRATIONS: Readonly<Record<number, string>> = {
	1:
		"ALTER TABLE actors ADD COLUMN connected INTEGER NOT NULL DEFAULT 0;" +
		"CREATE INDEX actors_connected ON actors (id) WHERE connected = 1;",
	2: INVENTORY,
	3: `${kvTable("cold")}
		INSERT INTO cold SELECT * FROM kv WHERE key >= ${COLD_KEYS};
		DELETE FROM kv WHERE key >= ${COLD_KEYS};`,
	4: `ALTER TABLE kv ADD COLUMN ${PUT_TS}; ALTER TABLE cold ADD COLUMN ${PUT_TS};`,
	5: LEFT_RUNNING,
};

const NEWER = (file: string, version: number) =>
	new StoreError(
		"newer_format",
		file,
		`The store ${file} has format ${version}, written by a newer version of RivetKit; this one reads ` +
			`up to format ${FORMAT_VERSION}. Nothing was changed: use the newer version, or another ` +
			"directory (RIVETKIT_STORAGE_PATH).",
	);

const DAMAGED = (file: string, what: string, options?: ErrorOptions) =>
	new StoreError(
		"damaged",
		file,
		`The store ${file} cannot be used: ${what}. Nothing was overwritten: restore the whole directory ` +
			"from a backup, or move it away to start empty.",
		options,
	);

/**
 * Looks at the file before SQLite does, because SQLite would recover, and so change, whatever it can
 * make sense of. Throws a `StoreError` (`damaged`, `newer_format`).
 */
export function inspectFile(file: string): void {
	const bytes = sizeOf(file);
	const walBytes = sizeOf(`${file}-wal`);
	if (bytes === 0) {
		if (walBytes > 0) {
			throw DAMAGED(file, "it is missing or empty, but its write-ahead log is there");
		}
		return;
	}
	if (sizeOf(`${file}-journal`) > 0) {
		// Its creation was cut short; SQLite rolls that back, then `prepareTables` looks.
		return;
	}
	const header = Buffer.alloc(100);
	const descriptor = fs.openSync(file, "r");
	try {
		fs.readSync(descriptor, header, 0, header.byteLength, 0);
	} finally {
		fs.closeSync(descriptor);
	}
	if (bytes < header.byteLength || header.toString("latin1", 0, 16) !== "SQLite format 3\0") {
		throw DAMAGED(file, "it is not an SQLite database");
	}
	checkIdentity(file, header.readUInt32BE(68), header.readUInt32BE(60));
	// The page count is only kept up when these two counters agree; a log may hold the missing pages.
	const pageCountIsValid = header.readUInt32BE(24) === header.readUInt32BE(92);
	const pageBytes = header.readUInt16BE(16) === 1 ? 65536 : header.readUInt16BE(16);
	const expectedBytes = header.readUInt32BE(28) * pageBytes;
	if (walBytes === 0 && pageCountIsValid && bytes < expectedBytes) {
		throw DAMAGED(file, `it is cut off at ${bytes} of ${expectedBytes} bytes`);
	}
}

/** Makes the tables in an empty file, or checks that they are ones this version knows, and migrates them. */
export function prepareTables(connection: SqliteConnection, file: string): void {
	const { objects } = connection.prepare("SELECT count(*) AS objects FROM sqlite_schema").get()!;
	if (objects === 0 && pragma(connection, "application_id") === 0) {
		// In a rollback-journal transaction with syncs: a power cut leaves the whole schema or nothing.
		connection.exec(
			"PRAGMA synchronous = FULL; BEGIN IMMEDIATE;" +
				`PRAGMA application_id = ${APPLICATION_ID}; PRAGMA user_version = ${FORMAT_VERSION};` +
				`${TABLES} COMMIT;`,
		);
		return;
	}
	const version = pragma(connection, "user_version");
	checkIdentity(file, pragma(connection, "application_id"), version);
	for (let from = version; from < FORMAT_VERSION; from++) {
		connection.exec(
			"PRAGMA synchronous = FULL; BEGIN IMMEDIATE;" +
				`${MIGRATIONS[from]} PRAGMA user_version = ${from + 1}; COMMIT;`,
		);
	}
}

/** What to throw when a statement does not fit the tables, although the file says that it is ours. */
export function unexpectedTables(file: string, cause: Error): StoreError {
	return DAMAGED(file, `its tables are not as expected (${cause.message})`, { cause });
}

function checkIdentity(file: string, applicationId: number, version: number): void {
	if (applicationId !== APPLICATION_ID) {
		throw DAMAGED(file, "it is an SQLite database, but not one of RivetKit's");
	}
	if (version > FORMAT_VERSION) {
		throw NEWER(file, version);
	}
	if (version < 1) {
		throw DAMAGED(file, `its format ${version} was never released`);
	}
}

function pragma(connection: SqliteConnection, name: string): number {
	return connection.prepare(`PRAGMA ${name}`).get()![name] as number;
}

function sizeOf(file: string): number {
	return fs.statSync(file, { throwIfNoEntry: false })?.size ?? 0;
}
