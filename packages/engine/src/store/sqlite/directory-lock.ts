import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { StoreError } from "../store.ts";
import type { SqliteConnection, SqliteEngine } from "./engine.ts";
import { isBusy, toStoreError } from "./errors.ts";

const LOCK_FILE = "store.lock";
const OWNER_FILE = "store.owner.json";

/**
 * Keeps every other store, in this process or another, out of a data directory.
 *
 * The lock is SQLite's own exclusive file lock on an empty database beside the data, held by a
 * transaction that never ends: it works on every system SQLite does, the kernel drops it when the
 * process dies however it dies, and SQLite tools can still open the data. A second file says who holds
 * it; that one is only for the message.
 */
export class DirectoryLock {
	readonly #connection: SqliteConnection;
	readonly #ownerFile: string;

	/** Throws a `StoreError`: `locked` when somebody holds the directory. */
	static acquire(engine: SqliteEngine, directory: string): DirectoryLock {
		const lockFile = path.join(directory, LOCK_FILE);
		const ownerFile = path.join(directory, OWNER_FILE);
		let connection: SqliteConnection | undefined;
		try {
			connection = engine.open(lockFile);
			// No rollback journal on disk: nothing is ever written.
			connection.exec("PRAGMA busy_timeout = 0; PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE");
			fs.writeFileSync(ownerFile, JSON.stringify({ pid: process.pid, host: os.hostname() }));
			return new DirectoryLock(connection, ownerFile);
		} catch (error) {
			connection?.close();
			if (isBusy(error)) {
				throw new StoreError("locked", directory, lockedMessage(directory, ownerFile), {
					cause: error,
				});
			}
			throw toStoreError(error, directory, "Cannot lock the data directory");
		}
	}

	private constructor(connection: SqliteConnection, ownerFile: string) {
		this.#connection = connection;
		this.#ownerFile = ownerFile;
	}

	release(): void {
		fs.rmSync(this.#ownerFile, { force: true });
		this.#connection.close();
	}
}

function lockedMessage(directory: string, ownerFile: string): string {
	const owner = readOwner(ownerFile);
	return (
		`The data directory ${directory} is in use by ${owner}. Two processes on one directory would ` +
		"damage it. Stop that process, or give this one a directory of its own " +
		"(RIVETKIT_STORAGE_PATH). The lock ends with the process that holds it; there is no lock file to " +
		"remove."
	);
}

function readOwner(ownerFile: string): string {
	let owner: { pid?: unknown; host?: unknown };
	try {
		owner = JSON.parse(fs.readFileSync(ownerFile, "utf8"));
	} catch {
		// It takes the lock before it writes its name; the lock alone is what counts.
		return "another process";
	}
	if (owner.pid === process.pid && owner.host === os.hostname()) {
		return `this process (pid ${process.pid}), which has it open already`;
	}
	return `process ${owner.pid}${owner.host === os.hostname() ? "" : ` on host ${owner.host}`}`;
}
