import { catalogueError } from "@rivetkit/protocol";
import type { SqlExecutor, SqlRow } from "../../../db/raw-access.types.ts";
import { SqliteError } from "../../../sqlite/engine/sqlite-error.ts";
import { inspectExecute, inspectRows, inspectSchema } from "../../database/inspect-database.ts";
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

/** The tables and views. Throws as {@link databaseOf} does. */
export function readSchema(instance: ActorInstance): ReturnType<typeof inspectSchema> {
	return inShownWords(() => inspectSchema(databaseOf(instance)));
}

/** A page of a table or a view, which `signal` ends. Throws as {@link databaseOf} and {@link inspectRows} do. */
export function readRows(
	instance: ActorInstance,
	table: string,
	page: Parameters<typeof inspectRows>[3],
	signal: AbortSignal,
): Promise<SqlRow[]> {
	const bounded = boundedDatabaseOf(instance, signal);
	return inShownWords(() => inspectRows(databaseOf(instance), bounded, table, page));
}

/**
 * The same for statements that somebody has written, in a query or in a view: what only reads is read by a process of its own,
 * because SQLite cannot be stopped in this one. `signal` ends that.
 */
function boundedDatabaseOf(instance: ActorInstance, signal: AbortSignal): SqlExecutor {
	const db = databaseOf(instance);
	const { database } = instance;
	if (!database?.isOwn) return db;
	return {
		async execute<Row = SqlRow>(sql: string, ...parameters: unknown[]): Promise<Row[]> {
			const rows = await database.sqlite.queryApart(sql, parameters, signal);
			return (rows as Row[] | null) ?? db.execute<Row>(sql, ...parameters);
		},
	};
}

/** Runs SQL as somebody typed it; what it begins by hand and leaves open is rolled back. */
export async function executeSql(
	instance: ActorInstance,
	request: Parameters<typeof inspectExecute>[1],
	signal: AbortSignal,
): Promise<SqlRow[]> {
	const db = boundedDatabaseOf(instance, signal);
	const call = {};
	await instance.untilFree();
	instance.assertAcceptsWork();
	try {
		return await inShownWords(() => instance.runCall(call, () => inspectExecute(db, request)));
	} finally {
		instance.database?.callEnded(call);
		await instance.committer.flush();
	}
}

/** Whoever types SQL, or has written a view, has to see what is wrong with it. */
async function inShownWords<T>(work: () => Promise<T>): Promise<T> {
	try {
		return await work();
	} catch (error) {
		throw error instanceof SqliteError ? invalid(error.message) : shown(error, "database");
	}
}
