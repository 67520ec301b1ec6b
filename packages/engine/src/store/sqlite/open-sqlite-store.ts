import fs from "node:fs";
import path from "node:path";
import { type Clock, systemClock } from "@rivetkit/protocol";
import { type Store, StoreError } from "../store.ts";
import { TOMBSTONE_LIMITS, type TombstoneLimits } from "../tombstones.ts";
import { DirectoryLock } from "./directory-lock.ts";
import { loadSqliteEngine, type SqliteConnection, type SqliteEngine } from "./engine.ts";
import { toStoreError } from "./errors.ts";
import { inspectFile, prepareTables, unexpectedTables } from "./schema.ts";
import { SqliteStore } from "./sqlite-store.ts";
import { type SyncFile, syncDirectory, syncFileData, WalFile } from "./wal-file.ts";

/** The database; SQLite's `-wal` and `-shm` files are part of it while it is open. */
export const STORE_FILE = "store.sqlite";

const PAGE_BYTES = 4096;
const CHECKPOINT_BYTES = 32 * 1024 * 1024;

export interface SqliteStoreOptions {
	/** The data directory; made if it is missing. One process at a time may hold it. */
	readonly directory: string;
	/** Ages tombstones and times retries. Default: the process's own clock. */
	readonly clock?: Clock;
	/**
	 * Length of the write-ahead log, in bytes, at which it is copied into the database file. Longer:
	 * fewer writes in all, more disk space and a longer recovery. Default 32 MiB.
	 */
	readonly checkpointBytes?: number;
	/**
	 * Size of the database file, in bytes, beyond which writes that need more room fail with `full`, as
	 * on a full disk. The log comes on top. Default: no limit but the disk's.
	 */
	readonly maxBytes?: number;
	readonly tombstones?: Partial<TombstoneLimits>;
	/** Puts a file's data on the disk. For tests: a slow or a failing disk. Default `fdatasync`. */
	readonly sync?: SyncFile;
}

/**
 * Opens the store of a data directory; an empty directory becomes an empty store.
 *
 * Rejects with a {@link StoreError} whose message names the path and what to do: `locked` (another
 * process has the directory), `read_only`, `full`, `damaged` (not a store, cut off, another program's
 * database), `newer_format`, `unsupported` (no SQLite in this runtime). Nothing is overwritten then.
 */
export async function openSqliteStore(options: SqliteStoreOptions): Promise<Store> {
	const directory = path.resolve(options.directory);
	const file = path.join(directory, STORE_FILE);
	const engine = await loadSqliteEngine(file);
	prepareDirectory(directory, file);
	const lock = DirectoryLock.acquire(engine, directory);
	let store: SqliteStore;
	try {
		store = openFile(engine, file, lock, options);
	} catch (error) {
		lock.release();
		throw toStoreError(error, file, "Cannot open the store");
	}
	try {
		await syncDirectory(directory);
		await store.start();
		return store;
	} catch (error) {
		await store.close();
		throw toStoreError(error, file, "Cannot open the store");
	}
}

function prepareDirectory(directory: string, file: string): void {
	const { R_OK, W_OK, X_OK } = fs.constants;
	try {
		makeDirectory(directory);
		if (!fs.statSync(directory).isDirectory()) {
			throw Object.assign(new Error("it is a file"), { code: "ENOTDIR" });
		}
		fs.accessSync(directory, R_OK | W_OK | X_OK);
		if (fs.existsSync(file)) {
			fs.accessSync(file, R_OK | W_OK);
		}
	} catch (error) {
		throw toStoreError(error, directory, "Cannot use the data directory");
	}
}

/** Not mkdir's own `recursive`, which never returns where a parent exists but takes no entries. */
function makeDirectory(directory: string): void {
	if (fs.existsSync(directory)) {
		return;
	}
	const parent = path.dirname(directory);
	if (parent !== directory) {
		makeDirectory(parent);
	}
	try {
		fs.mkdirSync(directory);
	} catch (error) {
		// Another process may have made it meanwhile; which of the two gets it, the lock decides.
		if (!fs.existsSync(directory)) {
			throw error;
		}
	}
}

function openFile(
	engine: SqliteEngine,
	file: string,
	lock: DirectoryLock,
	options: SqliteStoreOptions,
): SqliteStore {
	inspectFile(file);
	const connection = engine.open(file);
	let wal: WalFile | undefined;
	try {
		connection.exec(`PRAGMA busy_timeout = 1000; PRAGMA page_size = ${PAGE_BYTES}`);
		connection.exec("PRAGMA fullfsync = 1; PRAGMA checkpoint_fullfsync = 1");
		prepareTables(connection, file);
		useWal(connection, file);
		if (options.maxBytes !== undefined) {
			connection.exec(`PRAGMA max_page_count = ${Math.ceil(options.maxBytes / PAGE_BYTES)}`);
		}
		wal = new WalFile(`${file}-wal`, options.sync ?? syncFileData);
		return new SqliteStore({
			engine,
			connection,
			wal,
			lock,
			file,
			clock: options.clock ?? systemClock({ keepProcessAlive: false }),
			checkpointBytes: options.checkpointBytes ?? CHECKPOINT_BYTES,
			tombstones: { ...TOMBSTONE_LIMITS, ...options.tombstones },
		});
	} catch (error) {
		wal?.close();
		connection.close();
		const known = toStoreError(error, file, "Cannot open the store");
		throw known instanceof StoreError ? known : unexpectedTables(file, known);
	}
}

/** Commits go to the log without a sync of SQLite's own, and it never checkpoints by itself. */
function useWal(connection: SqliteConnection, file: string): void {
	const mode = connection.prepare("PRAGMA journal_mode = WAL").get()?.journal_mode;
	if (mode !== "wal") {
		throw new StoreError(
			"read_only",
			file,
			`The store ${file} needs a file system with shared memory for its write-ahead log, which this ` +
				"one (a network share?) does not offer. Choose a local directory (RIVETKIT_STORAGE_PATH).",
		);
	}
	// Unlike OFF, NORMAL still syncs the log's header should this connection ever restart the log.
	connection.exec("PRAGMA synchronous = NORMAL; PRAGMA wal_autocheckpoint = 0");
	connection.exec(
		"PRAGMA cache_size = -32768; PRAGMA temp_store = MEMORY; PRAGMA busy_timeout = 0",
	);
	connection.prepare("SELECT count(*) FROM meta").get();
}
