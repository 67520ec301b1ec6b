import { expect, it, onTestFinished, vi } from "vitest";
import { newDatabase, sql } from "../../../../../tests/support/postgres.ts";
import { clientConfig } from "../../../src/store/postgres/connection-settings.ts";
import { NodeRows } from "../../../src/store/postgres/node-rows.ts";
import { openPostgresStore } from "../../../src/store/postgres/open-postgres-store.ts";
import { listStatement } from "../../../src/store/postgres/postgres-store.ts";
import { acquiredActor, newActor } from "../fixtures.ts";

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

it("looks for due alarms without reading those that are not, however many there are and without statistics", async () => {
	const url = await newDatabase();
	const store = await openPostgresStore({ url });
	onTestFinished(() => store.close());
	const rows = new NodeRows(store, {
		config: await clientConfig({ url }),
		address: url,
		applicationName: "plans",
		statementTimeoutMs: 10_000,
	});
	onTestFinished(() => rows.close());
	const { epoch } = await rows.register(
		{ name: "a", address: "", version: "", names: ["counter"] },
		60_000,
	);
	const later = Date.now() + 3_600_000;
	await Promise.all(
		Array.from({ length: 500 }, async (_, index) => {
			const { actorId } = await acquiredActor(store);
			const record = { sleepTs: Date.now() };
			await store.commit({ actorId, generation: 0, ops: [], alarmTs: later + index, record });
		}),
	);
	const queries = [vi.spyOn(store, "query"), vi.spyOn(store, "queryOnce")];
	expect((await rows.claimDue(epoch, ["counter"], 64)).actors).toEqual([]);
	expect(await rows.nextDue(["counter"], 400)).toBeNull();
	const asked = queries.flatMap(({ mock }) =>
		mock.calls.map(([text, values]) => [text, values] as const),
	);
	expect(asked).toHaveLength(2);
	for (const [text, values] of asked) {
		const lines = await store.query<Record<string, string>>(`EXPLAIN (ANALYZE) ${text}`, values);
		const plan = lines.map((line) => line["QUERY PLAN"]).join("\n");
		expect(plan).toContain("using actors_alarm");
		expect(plan).toMatch(/Index Cond: .*alarm_ts <=/);
		expect(plan).not.toContain("Rows Removed by Filter");
		expect(plan).not.toContain("Sort");
	}
});
