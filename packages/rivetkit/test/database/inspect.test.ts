import { expect, it } from "vitest";
import { actor } from "../../src/actor/definition.ts";
import { db } from "../../src/db/index.ts";
import {
	inspectExecute,
	inspectRows,
	inspectSchema,
} from "../../src/runtime/database/inspect-database.ts";
import { TestRuntime } from "../support/test-runtime.ts";
import { codeOf } from "../support/wire-http.ts";

// What the inspector shows of a database (contract: protocol 7.3, engine HTTP).

const subject = actor({
	db: db({
		onMigrate: async (d) => {
			await d.execute(`
				CREATE TABLE teams (id INTEGER PRIMARY KEY, name TEXT NOT NULL DEFAULT 'x');
				CREATE TABLE "odd ""name" (a REAL, team INTEGER REFERENCES teams (id) ON DELETE SET NULL, c AS (a * 2), PRIMARY KEY (team, a)) WITHOUT ROWID;
				CREATE VIEW v AS SELECT name FROM teams;
				CREATE TABLE __drizzle_migrations (id);
				CREATE TABLE sequence (id INTEGER PRIMARY KEY AUTOINCREMENT);
				INSERT INTO sequence DEFAULT VALUES;
				WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 700) INSERT INTO teams SELECT i, 'team ' || i FROM n;
			`);
		},
	}),
	actions: {
		schema: (c) => inspectSchema(c.db),
		rows: (c, table: string, options: object) => inspectRows(c.db, c.db, table, options),
		execute: (c, request: { sql: string }) => inspectExecute(c.db, request),
		code: async (c, table: string) => inspectRows(c.db, c.db, table).then(() => "ok", codeOf),
		both: async (c) =>
			inspectExecute(c.db, { sql: "SELECT 1", args: [], properties: {} }).then(() => "ok", codeOf),
	},
});

it("tells tables with columns and keys, pages of rows, and what is typed", async () => {
	await using runtime = await TestRuntime.start({ subject }, { exposeErrors: true });
	const handle = runtime.localClient().subject!.getOrCreate(["a"]) as unknown as Record<
		string,
		(...args: unknown[]) => Promise<unknown>
	>;
	const column = (
		cid: number,
		name: string,
		type: string,
		notnull: number,
		dflt_value: string | null,
		pk: number,
	) => ({ cid, name, type, notnull, dflt_value, pk });
	expect(await handle.schema!()).toEqual({
		tables: [
			{
				table: { schema: "main", name: 'odd "name', type: "table" },
				columns: [
					column(0, "a", "REAL", 1, null, 2),
					column(1, "team", "INTEGER", 1, null, 1),
					column(2, "c", "", 0, null, 0),
				],
				foreignKeys: [
					{ from: "team", table: "teams", to: "id", on_update: "NO ACTION", on_delete: "SET NULL" },
				],
				records: 0,
			},
			{
				table: { schema: "main", name: "sequence", type: "table" },
				columns: [column(0, "id", "INTEGER", 0, null, 1)],
				foreignKeys: [],
				records: 1,
			},
			{
				table: { schema: "main", name: "teams", type: "table" },
				columns: [column(0, "id", "INTEGER", 0, null, 1), column(1, "name", "TEXT", 1, "'x'", 0)],
				foreignKeys: [],
				records: 700,
			},
			{
				table: { schema: "main", name: "v", type: "view" },
				columns: [column(0, "name", "TEXT", 0, null, 0)],
				foreignKeys: [],
				records: null,
			},
		],
	});
	expect(await handle.rows!("teams", { limit: 2, offset: 5 })).toEqual([
		{ id: 6, name: "team 6" },
		{ id: 7, name: "team 7" },
	]);
	expect(await handle.rows!("teams", { limit: 10_000 })).toHaveLength(500);
	expect(await handle.rows!("teams", {})).toHaveLength(100);
	expect(await handle.rows!("v", { limit: 1 })).toEqual([{ name: "team 1" }]);
	expect(await handle.code!("teams; DROP TABLE teams")).toBe("request.invalid");
	expect(await handle.execute!({ sql: "SELECT ? AS a", args: [5] })).toEqual([{ a: 5 }]);
	expect(await handle.execute!({ sql: "SELECT :a AS a", properties: { a: 6 } })).toEqual([
		{ a: 6 },
	]);
	expect(
		await handle.execute!({ sql: "UPDATE teams SET name = 'y' WHERE id = 1 RETURNING name" }),
	).toEqual([{ name: "y" }]);
	expect(await handle.both!()).toBe("request.invalid");
});
