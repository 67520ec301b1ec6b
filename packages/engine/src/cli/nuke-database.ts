import { dropPostgresTables } from "../store/postgres/drop-tables.ts";
import { removeSqliteStore } from "../store/sqlite/remove-sqlite-store.ts";
import type { EngineConfig } from "./config.ts";
import { connectionOf } from "./run-engine.ts";

/** Deletes everything that engines of this configuration have stored. Rejects while one of them has it. */
export async function nukeDatabase({ given, directory }: EngineConfig): Promise<void> {
	if (given.postgres) await dropPostgresTables(connectionOf(given.postgres));
	else await removeSqliteStore(directory);
}
