import { loadSqliteEngine, type SqliteEngine } from "../backends/embedded/engine.ts";

/**
 * The SQLite that is built into this runtime, for backends that keep databases in files: `node:sqlite` on
 * Node and Deno, `bun:sqlite` on Bun. Nothing is downloaded or compiled. Rejects with a `StoreError`
 * (`unsupported`) that names the runtimes that have one.
 */
export function importSqliteVfs(): Promise<SqliteEngine> {
	return loadSqliteEngine(":memory:");
}
