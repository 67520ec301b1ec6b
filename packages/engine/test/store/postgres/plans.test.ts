import { expect, it, onTestFinished } from "vitest";
import { newDatabase, sql } from "../../../../../tests/support/postgres.ts";
import { openPostgresStore } from "../../../src/store/postgres/open-postgres-store.ts";
import { listStatement } from "../../../src/store/postgres/postgres-store.ts";
import { newActor } from "../fixtures.ts";

it("finds an actor by its key without reading others, also before there are statistics", async () => {
	const url = await newDatabase();
	const store = await openPostgresStore({ url });
	onTestFinished(() => store.close());
	await Promise.all(Array.from({ length: 500 }, () => store.insertActor(newActor())));
	const rows = await sql<Record<string, string>>(
		url,
		"EXPLAIN SELECT id FROM rivetkit.actors AS a " +
			"WHERE a.namespace = 'default' AND a.name = 'counter' AND a.key = 'any' AND a.destroy_ts IS NULL",
	);
	const plan = rows.map((row) => row["QUERY PLAN"]).join("\n");
	expect(plan).toContain("actors_live");
});

it("lists the newest of a name from an index", async () => {
	const url = await newDatabase();
	const store = await openPostgresStore({ url });
	onTestFinished(() => store.close());
	await Promise.all(Array.from({ length: 500 }, () => store.insertActor(newActor())));
	const rows = await sql<Record<string, string>>(
		url,
		"EXPLAIN SELECT id FROM rivetkit.actors AS a WHERE (a.namespace || '') = 'default' AND (a.name || '') = 'counter' " +
			"AND a.destroy_ts IS NULL ORDER BY a.create_ts DESC, a.id DESC LIMIT 10",
	);
	const plan = rows.map((row) => row["QUERY PLAN"]).join("\n");
	expect(plan).toContain("Backward using actors_newest");
	expect(plan).not.toContain("Sort");
});

it("finds who held a key before, however many actors there were", async () => {
	const url = await newDatabase();
	const store = await openPostgresStore({ url });
	onTestFinished(() => store.close());
	await Promise.all(Array.from({ length: 500 }, () => store.insertActor(newActor())));
	const isHolder = ["namespace", "name", "key"].map((column) => `a.${column} = 'any'`);
	const statement = listStatement({ key: "any", includeDestroyed: true }, isHolder, "10");
	const rows = await sql<Record<string, string>>(url, `EXPLAIN ${statement}`);
	const plan = rows.map((row) => row["QUERY PLAN"]).join("\n");
	expect(plan).toContain("using actors_live");
	expect(plan).toContain("using actors_former");
	expect(plan).not.toContain("Seq Scan");
});
