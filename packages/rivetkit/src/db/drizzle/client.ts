import type { ExtractTablesWithRelations } from "drizzle-orm";
import type { SQLiteAsyncDialect } from "drizzle-orm/sqlite-core";
import {
	type AsyncBatchRemoteCallback,
	type AsyncRemoteCallback,
	drizzle,
	SQLiteProxyTransaction,
	SQLiteRemoteSession,
	type SqliteRemoteDatabase,
} from "drizzle-orm/sqlite-proxy";
import type { SqlDatabase, SqlValuesExecutor } from "../../actor/database.types.ts";

type Method = "run" | "all" | "values" | "get";

/** What Drizzle keeps in its database objects and does not declare. */
interface Internals {
	readonly dialect: SQLiteAsyncDialect;
	readonly session: {
		readonly schema: never;
		transaction(work: (tx: never) => Promise<unknown>): Promise<unknown>;
	};
}

/**
 * A Drizzle database over an actor's. Drizzle's own remote driver begins and ends transactions by
 * statements, between which those of others could come; here they are transactions of the database.
 */
export function drizzleOver<Schema extends Record<string, unknown>>(
	database: SqlDatabase,
	schema: Schema | undefined,
): SqliteRemoteDatabase<Schema> {
	const batch: AsyncBatchRemoteCallback = (queries) =>
		database.transaction(async (tx) => {
			const results = [];
			for (const { sql, params, method } of queries) {
				results.push(await run(tx, sql, params, method));
			}
			return results;
		});
	const client = drizzle<Schema>(callback(database), batch, schema === undefined ? {} : { schema });
	const { dialect, session } = client as unknown as Internals;
	session.transaction = (work) =>
		database.transaction((tx) => {
			const inside = new SQLiteRemoteSession<Schema, ExtractTablesWithRelations<Schema>>(
				callback(tx),
				dialect,
				session.schema,
				batchIn(tx),
			);
			return work(
				new SQLiteProxyTransaction("async", dialect, inside as never, session.schema) as never,
			);
		});
	return client;
}

function callback(executor: SqlValuesExecutor): AsyncRemoteCallback {
	return (sql, params, method) => run(executor, sql, params, method);
}

/** Inside a transaction a batch is part of it. */
function batchIn(tx: SqlValuesExecutor): AsyncBatchRemoteCallback {
	return async (queries) => {
		const results = [];
		for (const { sql, params, method } of queries) {
			results.push(await run(tx, sql, params, method));
		}
		return results;
	};
}

/** Drizzle reads rows as lists of values; the one row of `get` is the list itself. */
async function run(
	executor: SqlValuesExecutor,
	sql: string,
	parameters: readonly unknown[],
	method: Method,
): Promise<{ rows: unknown[] }> {
	const rows = await executor.values(sql, ...parameters);
	return { rows: method === "get" ? (rows[0] as unknown[]) : rows };
}
