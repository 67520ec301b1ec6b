import { catalogueError } from "@rivetkit/protocol";
import type { SqlExecutor, SqlRow } from "../../../db/raw-access.types.ts";
import { SqliteError } from "../../../sqlite/engine/sqlite-error.ts";
import { inspectExecute } from "../../database/inspect-database.ts";
import type { ActorInstance } from "../../instance/instance.ts";
import { invalid } from "../invalid.ts";
import { shown } from "./shown.ts";

/** Of an actor whose definition has no database. */
export function databaseMissing(): unknown {
	return shown(catalogueError("database.not_enabled", {}), "database");
}

/** The database as the actor's own code has it. Throws `database.not_enabled`, which whoever asks is shown. */
export function databaseOf({ database }: ActorInstance): SqlExecutor {
	if (!database) throw databaseMissing();
	const client = database.client as Partial<SqlExecutor> | null | undefined;
	// A provider of somebody else may have a client of another kind.
	return typeof client?.execute === "function" ? (client as SqlExecutor) : database.sqlite;
}

/** Runs SQL as somebody typed it; what it begins by hand and leaves open is rolled back. */
export async function executeSql(
	instance: ActorInstance,
	request: Parameters<typeof inspectExecute>[1],
): Promise<SqlRow[]> {
	const db = databaseOf(instance);
	const call = {};
	await instance.untilFree();
	instance.assertAcceptsWork();
	try {
		return await instance.runCall(call, () => inspectExecute(db, request));
	} catch (error) {
		// Whoever types SQL has to see what is wrong with it.
		throw error instanceof SqliteError ? invalid(error.message) : shown(error, "database");
	} finally {
		instance.database?.callEnded(call);
		await instance.committer.flush();
	}
}
