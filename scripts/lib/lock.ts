import { DatabaseSync } from "node:sqlite";
import { setTimeout as delay } from "node:timers/promises";

const POLL_MS = 100;

/**
 * Runs one critical section at a time over all processes of the checkout. The lock is SQLite's own on an empty
 * database in that file, held by a transaction: the kernel drops it with the process, however that ends, so that
 * nobody has to find out whether an owner still lives and remove what it left.
 */
export async function withLock<T>(path: string, section: () => Promise<T>): Promise<T> {
	let lock = tryAcquire(path);
	while (lock === null) {
		await delay(POLL_MS);
		lock = tryAcquire(path);
	}
	try {
		return await section();
	} finally {
		lock.close();
	}
}

/** Null while somebody has it. */
function tryAcquire(path: string): DatabaseSync | null {
	const database = new DatabaseSync(path, { timeout: 0 });
	try {
		// No journal on disk: nothing is ever written.
		database.exec("PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE");
		return database;
	} catch (error) {
		database.close();
		if (isBusy(error)) return null;
		throw error;
	}
}

const SQLITE_BUSY = 5;

function isBusy(error: unknown): boolean {
	// Extended codes have more in their higher bits.
	return ((error as { errcode?: number }).errcode ?? 0) % 256 === SQLITE_BUSY;
}
