// The inspector's database routes (contract: protocol 8.7, check 76).
import fs from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { actor } from "../../src/actor/definition.ts";
import { db } from "../../src/db/index.ts";
import { readSchema } from "../../src/runtime/inspector/changes/use-database.ts";
import type { ActorInstance } from "../../src/runtime/instance/instance.ts";
import { SqliteError } from "../../src/sqlite/engine/sqlite-error.ts";
import { temporaryDirectory } from "../database/support/temporary-directory.ts";
import { eventually } from "../support/eventually.ts";
import { Gate } from "../support/gate.ts";
import { TestRuntime } from "../support/test-runtime.ts";
import { inspect } from "./support/inspect.ts";

const subject = actor({
	db: db({
		onMigrate: async (d) => {
			await d.execute(`
				CREATE TABLE IF NOT EXISTS teams (id INTEGER PRIMARY KEY, name TEXT NOT NULL, logo BLOB);
				WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 700)
				INSERT OR IGNORE INTO teams SELECT i, 'team ' || i, NULL FROM n;
			`);
		},
	}),
	actions: { nothing: () => {} },
});
const plain = actor({ actions: { nothing: () => {} } });

async function started() {
	const runtime = await TestRuntime.start({ subject, plain });
	const id = await runtime.actorId("subject");
	const execute = (body: object, actorId = id) =>
		inspect(runtime, actorId, "database/execute", { method: "POST", body });
	return { runtime, id, execute };
}

it("tells tables with their real columns, and pages of rows of at most 500", async () => {
	const { runtime, id } = await started();
	await using _runtime = runtime;
	expect((await inspect(runtime, id, "summary")).body.isDatabaseEnabled).toBe(true);
	expect((await inspect(runtime, id, "database/schema")).body).toEqual({
		schema: {
			tables: [
				{
					table: { schema: "main", name: "teams", type: "table" },
					columns: [
						{ cid: 0, name: "id", type: "INTEGER", notnull: 0, dflt_value: null, pk: 1 },
						{ cid: 1, name: "name", type: "TEXT", notnull: 1, dflt_value: null, pk: 0 },
						{ cid: 2, name: "logo", type: "BLOB", notnull: 0, dflt_value: null, pk: 0 },
					],
					foreignKeys: [],
					records: 700,
				},
			],
		},
	});
	const rows = async (query: string) =>
		(await inspect(runtime, id, `database/rows?${query}`)).body.rows;
	expect(await rows("table=teams")).toHaveLength(100);
	expect(await rows("table=teams&limit=9999")).toHaveLength(500);
	expect(await rows("table=teams&limit=2&offset=699")).toEqual([
		{ id: 700, name: "team 700", logo: null },
	]);
	for (const wrong of ["", "table=", "table=nope", "table=teams&limit=x"]) {
		const { status, body } = await inspect(runtime, id, `database/rows?${wrong}`);
		expect([wrong, status, body.code]).toEqual([wrong, 400, "invalid"]);
	}
});

it("runs SQL with values by position or by name, durable when answered", async () => {
	const { runtime, id, execute } = await started();
	await using _runtime = runtime;
	const inserted = await execute({
		sql: "INSERT INTO teams VALUES (?, ?, ?) RETURNING id",
		args: [9001, "new", null],
	});
	expect(inserted.body).toEqual({ rows: [{ id: 9001 }] });
	await execute({
		sql: "UPDATE teams SET logo = x'00ff' WHERE id = :id",
		properties: { id: 9001 },
	});
	await runtime.embedded.host.stop(id, "sleep");
	const found = await execute({ sql: "SELECT * FROM teams WHERE id = 9001" });
	expect(found.body).toEqual({ rows: [{ id: 9001, name: "new", logo: "AP8=" }] });
	expect((await execute({ sql: "SELECT 9007199254740993 AS big" })).body.rows).toEqual([
		{ big: "9007199254740993" },
	]);
	for (const wrong of [
		{},
		{ sql: 5 },
		{ sql: "SELECT 1", args: {} },
		{ sql: "SELECT 1", args: [], properties: {} },
		{ sql: "SELECT 1", properties: [] },
	]) {
		expect([wrong, (await execute(wrong)).status]).toEqual([wrong, 400]);
	}
});

it("tells whoever typed SQL what is wrong with it", async () => {
	const { runtime, execute } = await started();
	await using _runtime = runtime;
	expect(await execute({ sql: "SELECT * FROM nope" })).toMatchObject({
		status: 400,
		body: { group: "request", code: "invalid", message: expect.stringContaining("nope") },
	});
	expect(await execute({ sql: "SELECT ?", args: [{ a: 1 }, 2] })).toMatchObject({
		status: 400,
		body: { group: "database", message: expect.stringContaining("parameter") },
	});
});

it("a transaction that is left open is rolled back, and does not block the actor", async () => {
	const { runtime, execute } = await started();
	await using _runtime = runtime;
	const counted = async () =>
		(await execute({ sql: "SELECT count(*) AS n FROM teams" })).body.rows[0].n;
	await execute({ sql: "BEGIN; DELETE FROM teams WHERE id < 500" });
	expect(await counted()).toBe(700);
	// What is typed next is no part of it.
	await execute({ sql: "DELETE FROM teams WHERE id = 700" });
	expect(await counted()).toBe(699);
});

it("an actor without a database says so", async () => {
	const { runtime, execute } = await started();
	await using _runtime = runtime;
	const id = await runtime.actorId("plain");
	await runtime.embedded.host.stop(id, "sleep");
	for (const answer of [
		await inspect(runtime, id, "database/schema"),
		await inspect(runtime, id, "database/rows?table=a"),
		await execute({ sql: "SELECT 1" }, id),
	]) {
		expect(answer).toMatchObject({
			status: 400,
			body: {
				group: "database",
				code: "not_enabled",
				message: expect.stringContaining("Database not enabled"),
			},
		});
	}
	// Nobody has to be woken for that.
	expect(runtime.embedded.host.liveActorIds).not.toContain(id);
	await inspect(runtime, id, "wake", { method: "POST" });
	expect((await inspect(runtime, id, "database/schema")).body.code).toBe("not_enabled");
});

describe("SQL that only reads", () => {
	const ENDLESS = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)";
	const queried = new Map<string, Gate>();
	const patient = (queryTimeout: number) =>
		actor({
			state: { count: 0 },
			options: { sleepGracePeriod: 100, queryTimeout, maxQueryRows: 1_000, maxQueryBytes: 10_000 },
			db: db({
				onMigrate: async (d) => {
					await d.execute(`
					CREATE TABLE IF NOT EXISTS notes (id INTEGER PRIMARY KEY, text TEXT);
					CREATE VIEW IF NOT EXISTS many AS ${ENDLESS} SELECT count(*) AS n FROM (SELECT i FROM n LIMIT 60000000);
				`);
				},
			}),
			actions: {
				count: (c) => ++c.state.count,
				note: async (c, text: string) => {
					await c.db.execute("INSERT INTO notes (text) VALUES (?)", text);
				},
				temporary: async (c) => {
					await c.db.execute("CREATE TEMP TABLE scratch AS SELECT 7 AS seven");
				},
				holding: async (c) => {
					await c.db.execute("BEGIN; INSERT INTO notes (text) VALUES ('not yet')");
					queried.get("begun")!.open();
					await queried.get("seen")!.passed;
					await c.db.execute("COMMIT");
				},
			},
		});

	async function startedPatient(queryTimeout = 30_000) {
		const runtime = await TestRuntime.start({ patient: patient(queryTimeout) });
		const id = await runtime.actorId("patient");
		await runtime.action(id, "note", "first");
		const execute = (body: object) =>
			inspect(runtime, id, "database/execute", { method: "POST", body });
		return { runtime, id, execute };
	}

	it("ends after options.queryTimeout, while the actor goes on", async () => {
		const { runtime, id, execute } = await startedPatient(500);
		await using _runtime = runtime;
		// It does have an end, for the sake of a runtime that runs it itself.
		const sql = `${ENDLESS} SELECT count(*) FROM (SELECT i FROM n LIMIT 60000000)`;
		const querying = execute({ sql });
		let isOver = false;
		void querying.then(() => {
			isOver = true;
		});
		for (let count = 1; count <= 3; count++) {
			expect(await (await runtime.action(id, "count")).json()).toEqual({ output: count });
			await runtime.action(id, "note", "meanwhile");
		}
		expect(isOver).toBe(false);
		const timedOut = {
			status: 400,
			body: {
				group: "database",
				code: "statement_timed_out",
				message: expect.stringContaining("500 ms"),
				metadata: { limit: 500 },
			},
		};
		expect(await querying).toMatchObject(timedOut);
		expect(await inspect(runtime, id, "database/rows?table=many")).toMatchObject(timedOut);
		// What it read from is usable as before.
		expect((await execute({ sql: "SELECT count(*) AS n FROM notes" })).body).toEqual({
			rows: [{ n: 4 }],
		});
	});

	it("gives what a call of the actor gets: values, limits, refusals, errors", async () => {
		const { runtime, execute } = await startedPatient();
		await using _runtime = runtime;
		const rows = async (body: object) => (await execute(body)).body.rows;
		const all = "SELECT 1 AS a, 2.5 AS b, 'x' AS c, x'00ff' AS d, NULL AS e, 9007199254740993 AS f";
		expect(await rows({ sql: all })).toEqual([
			{ a: 1, b: 2.5, c: "x", d: "AP8=", e: null, f: "9007199254740993" },
		]);
		expect(await rows({ sql: "SELECT ?2 AS a, ?1 AS b", args: [1, "two"] })).toEqual([
			{ a: "two", b: 1 },
		]);
		expect(await rows({ sql: "SELECT :a AS a", properties: { a: true } })).toEqual([{ a: 1 }]);
		expect(await rows({ sql: "SELECT 1 AS a; VALUES (2); -- no more" })).toEqual([
			{ a: 1 },
			{ column1: 2 },
		]);
		const code = async (sql: string) => (await execute({ sql })).body.code;
		expect(await code(`${ENDLESS} SELECT i FROM n`)).toBe("too_many_rows");
		expect(await code("SELECT zeroblob(20000)")).toBe("result_too_large");
		expect(await code("SELECT nope")).toBe("invalid");
		expect(await code("EXPLAIN PRAGMA journal_mode = DELETE")).toBe("statement_refused");
	});

	it("sees what was written before it, also where only the actor's connection does", async () => {
		const { runtime, id, execute } = await startedPatient();
		await using _runtime = runtime;
		queried.set("begun", new Gate()).set("seen", new Gate());
		const holding = runtime.action(id, "holding");
		await queried.get("begun")!.passed;
		const texts = async () => (await execute({ sql: "SELECT text FROM notes" })).body.rows;
		expect(await texts()).toEqual([{ text: "first" }, { text: "not yet" }]);
		queried.get("seen")!.open();
		await holding;
		await execute({ sql: "DELETE FROM notes WHERE text = 'first'" });
		expect((await execute({ sql: "SELECT changes() AS n" })).body.rows).toEqual([{ n: 1 }]);
		await runtime.action(id, "temporary");
		expect((await execute({ sql: "SELECT seven FROM scratch" })).body.rows).toEqual([{ seven: 7 }]);
	});

	it("is read apart also when the working file has to be written again first", async () => {
		const directory = await temporaryDirectory();
		await using _directory = directory;
		const options = { dataDirectory: directory.path, maxOpenDatabases: 1 };
		await using runtime = await TestRuntime.start({ patient: patient(500) }, options);
		const id = await runtime.actorId("patient", "first");
		await runtime.action(id, "note", "kept");
		const other = await runtime.actorId("patient", "other");
		const file = join(directory.path, "databases", `${encodeURIComponent(id)}.sqlite`);
		// Whose file is closed for the other's, once it is known not to be used.
		await eventually(async () => {
			await runtime.action(other, "note", "more");
			expect(fs.existsSync(`${file}-wal`)).toBe(false);
		});
		fs.truncateSync(file, 0);
		const execute = (sql: string) =>
			inspect(runtime, id, "database/execute", { method: "POST", body: { sql } });
		const sql = `${ENDLESS} SELECT count(*) FROM (SELECT i FROM n LIMIT 60000000)`;
		expect((await execute(sql)).body.code).toBe("statement_timed_out");
		expect((await execute("SELECT text FROM notes")).body.rows).toEqual([{ text: "kept" }]);
	});

	it("ends with its actor, and with whoever asks", async () => {
		const { runtime, id, execute } = await startedPatient(600_000);
		await using _runtime = runtime;
		const sql = `${ENDLESS} SELECT count(*) FROM (SELECT i FROM n LIMIT 1000000000)`;
		const leaving = new AbortController();
		const left = fetch(`${runtime.url}/gateway/${id}/inspector/database/execute`, {
			method: "POST",
			body: JSON.stringify({ sql }),
			signal: leaving.signal,
		}).catch(({ name }) => name);
		const isQueried = async () =>
			String((await inspect(runtime, id, "lifecycle")).body.awakeBecause).includes("request");
		await eventually(async () => expect(await isQueried()).toBe(true));
		leaving.abort();
		expect(await left).toBe("AbortError");
		await eventually(async () => expect(await isQueried()).toBe(false));
		const ended = execute({ sql });
		await eventually(async () => expect(await isQueried()).toBe(true));
		await runtime.embedded.engine.destroy(id);
		expect(await ended).toMatchObject({ status: 400, body: { group: "database", code: "closed" } });
	});
});

it("a view that is broken hides no table, and says what is wrong with it", async () => {
	const { runtime, id, execute } = await started();
	await using _runtime = runtime;
	await execute({
		sql: "CREATE TABLE gone (a); CREATE VIEW broken AS SELECT a FROM gone; DROP TABLE gone",
	});
	const { status, body } = await inspect(runtime, id, "database/schema");
	expect(status).toBe(200);
	expect(body.schema.tables).toMatchObject([
		{
			table: { schema: "main", name: "broken", type: "view" },
			columns: [],
			foreignKeys: [],
			records: null,
			error: expect.stringContaining("gone"),
		},
		{ table: { name: "teams" }, records: 700 },
	]);
	expect(body.schema.tables[1]).not.toHaveProperty("error");
	await execute({ sql: "DROP VIEW broken" });
	expect((await inspect(runtime, id, "database/schema")).body.schema.tables).toHaveLength(1);
});

it("tells whoever asks for the tables why none can be listed", async () => {
	const client = {
		execute: () => Promise.reject(new SqliteError("malformed database schema", 11)),
	};
	const instance = { database: { client } } as unknown as ActorInstance;
	await expect(readSchema(instance)).rejects.toMatchObject({
		group: "request",
		code: "invalid",
		message: expect.stringContaining("malformed database schema"),
	});
});
