// To be imported before checks: they run on the PostgreSQL of the run then.
import { openPostgresStore, type Store } from "@rivetkit/engine";
import { Client } from "pg";
import { afterAll } from "vitest";
import { newDatabase } from "../../../../../tests/support/postgres.ts";
import type { TestStore } from "../../support/stores.ts";
import { type Boundary, runOn } from "./boundaries.ts";

/** One store for all checks, emptied before each: opening one takes longer than most of them. */
let shared: Promise<{ readonly store: Store; readonly client: Client }> | undefined;

async function open(): Promise<{ readonly store: Store; readonly client: Client }> {
	const url = await newDatabase();
	const store = await openPostgresStore({ url });
	const client = new Client({ connectionString: url });
	await client.connect();
	return { store, client };
}

async function openEmptied(): Promise<TestStore> {
	shared ??= open();
	const { store, client } = await shared;
	const tables = ["kv", "actors", "names", "removals", "inventory"];
	await client.query(tables.map((table) => `DELETE FROM rivetkit.${table}`).join("; "));
	return { store, reopen: async () => store, [Symbol.asyncDispose]: async () => {} };
}

afterAll(async () => {
	const opened = await shared;
	await opened?.client.end();
	await opened?.store.close();
});

export const onPostgres: Omit<Boundary, "yields"> = { openStore: openEmptied, isRemote: true };

runOn(["PostgreSQL, resident", { yields: false, ...onPostgres }]);
