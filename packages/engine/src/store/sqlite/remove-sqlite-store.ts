import fs from "node:fs";
import path from "node:path";
import { DirectoryLock } from "./directory-lock.ts";
import { loadSqliteEngine } from "./engine.ts";
import { STORE_FILE } from "./open-sqlite-store.ts";

/**
 * Deletes the store of a data directory, whatever state it is in, and nothing else that lies there. Does nothing where
 * there is none. Rejects with a `StoreError`: `locked` while somebody has the directory.
 */
export async function removeSqliteStore(directory: string): Promise<void> {
	const file = path.join(path.resolve(directory), STORE_FILE);
	if (!fs.existsSync(file)) return;
	const engine = await loadSqliteEngine(file);
	const lock = DirectoryLock.acquire(engine, path.dirname(file));
	try {
		// The log last: without its file it is nothing, the file without it could be an older state.
		for (const ending of ["", "-journal", "-shm", "-wal"]) {
			fs.rmSync(`${file}${ending}`, { force: true });
		}
	} finally {
		lock.release();
	}
}
