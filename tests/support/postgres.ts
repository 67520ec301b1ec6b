import { randomUUID } from "node:crypto";
import { Client } from "pg";
import { inject } from "vitest";
import { sharedServerUrl } from "../../scripts/lib/postgres-server.ts";

/** An empty database on the run's PostgreSQL, and its address. It goes with the server. */
export async function newDatabase(): Promise<string> {
	const server = await sharedServerUrl(inject("postgresFolder"));
	const name = `test_${randomUUID().replaceAll("-", "")}`;
	await sql(`${server}postgres`, `CREATE DATABASE ${name}`);
	return `${server}${name}`;
}

let database: Promise<string> | undefined;

/** One database for a process, emptied: cheaper than a new one. Whoever used it before has to be done with it. */
export async function emptiedDatabase(): Promise<string> {
	if (database === undefined) {
		database = newDatabase();
		return database;
	}
	const url = await database;
	await sql(
		url,
		`DO $$ BEGIN IF to_regclass('rivetkit.meta') IS NOT NULL THEN
			TRUNCATE rivetkit.actors, rivetkit.kv, rivetkit.names, rivetkit.removals, rivetkit.writers, rivetkit.nodes, rivetkit.inventory;
		END IF; END $$`,
	);
	return url;
}

/** Runs SQL on a connection of its own. */
export async function sql<R extends object = Record<string, unknown>>(
	url: string,
	text: string,
	values: readonly unknown[] = [],
): Promise<R[]> {
	const client = new Client({ connectionString: url });
	await client.connect();
	try {
		return (await client.query(text, [...values])).rows as R[];
	} finally {
		await client.end();
	}
}
