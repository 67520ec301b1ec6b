import { catalogueError, RivetError } from "@rivetkit/protocol";
import type { SqlExecutor, SqlRow } from "../../../db/raw-access.types.ts";
import { SqliteError } from "../../../sqlite/engine/sqlite-error.ts";
import { inspectExecute } from "../../database/inspect-database.ts";
import type { ActorInstance } from "../../instance/instance.ts";
import { invalid } from "../invalid.ts";

/** The database as the actor's own code has it. Throws `database.not_enabled`, which whoever asks is shown. */
export function databaseOf({ database }: ActorInstance): SqlExecutor {
	if (!database) throw shown(catalogueError("database.not_enabled", {}));
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
		throw shown(error);
	} finally {
		instance.database?.callEnded(call);
		await instance.committer.flush();
	}
}

/** Whoever types SQL has to see what is wrong with it. */
function shown(error: unknown): unknown {
	if (error instanceof SqliteError) return invalid(error.message);
	if (!(error instanceof RivetError) || error.group !== "database" || error.public) return error;
	const { group, code, message, metadata } = error;
	return new RivetError(group, code, message, { public: true, metadata, cause: error });
}
