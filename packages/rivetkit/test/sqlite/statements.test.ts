import { describe, expect, it } from "vitest";
import { readPragma } from "../../src/sqlite/sql/rules.ts";
import { parseStatements } from "../../src/sqlite/sql/statements.ts";

// Cutting SQL into statements and telling what they are, without compiling them.

const texts = (sql: string) => parseStatements(sql).map(({ text }) => text);
const only = (sql: string) => {
	const statements = parseStatements(sql);
	expect(statements).toHaveLength(1);
	return statements[0]!;
};

describe("parseStatements", () => {
	it.each<[string, string[]]>([
		["", []],
		[" ; ;; \n", []],
		["-- only a comment", []],
		["/* only; a comment", []],
		["select 1", ["select 1"]],
		["select 1;", ["select 1"]],
		["select 1 ; select 2", ["select 1", "select 2"]],
		[
			"select ';' ; select \";\" from `;` where [;] = 1",
			["select ';'", 'select ";" from `;` where [;] = 1'],
		],
		["select 'it''s;' , x'3b'; select 2", ["select 'it''s;' , x'3b'", "select 2"]],
		["select 1 -- ; not here\n; select 2", ["select 1", "select 2"]],
		["select 1 /* ; */ + 1; select 2", ["select 1 /* ; */ + 1", "select 2"]],
		["select '; never closed", ["select '; never closed"]],
		[
			"create trigger t after insert on x begin select 1; select case when 1 then 2 end; end; select 2",
			[
				"create trigger t after insert on x begin select 1; select case when 1 then 2 end; end",
				"select 2",
			],
		],
		[
			"CREATE TEMP TRIGGER IF NOT EXISTS t BEFORE DELETE ON x BEGIN DELETE FROM y; END",
			["CREATE TEMP TRIGGER IF NOT EXISTS t BEFORE DELETE ON x BEGIN DELETE FROM y; END"],
		],
		["create table trigger_log (a); select 1", ["create table trigger_log (a)", "select 1"]],
		["begin; commit; end", ["begin", "commit", "end"]],
		["\uFEFFselect 1", ["select 1"]],
	])("cuts %j", (sql, expected) => {
		expect(texts(sql)).toEqual(expected);
	});

	it.each([
		["SELECT 1", "read"],
		["/* c */ -- d\n select 1", "read"],
		["VALUES (1)", "read"],
		["EXPLAIN DELETE FROM t", "read"],
		["WITH a AS (SELECT 1) SELECT * FROM a", "read"],
		["WITH a AS (DELETE) , b (x) AS (VALUES (1)) INSERT INTO t SELECT * FROM a", "write"],
		["with recursive a as (select 1) update t set x = 1", "write"],
		["REPLACE INTO t VALUES (1)", "write"],
		["insert or ignore into t values (1)", "write"],
		["CREATE INDEX i ON t (a)", "schema"],
		["ALTER TABLE t RENAME TO u", "schema"],
		["ANALYZE", "schema"],
		["PRAGMA user_version", "pragma"],
		["VACUUM", "vacuum"],
		["ATTACH 'x' AS y", "attach"],
		["DETACH y", "detach"],
		["BEGIN EXCLUSIVE", "begin"],
		["END TRANSACTION", "commit"],
		["ROLLBACK", "rollback"],
		["ROLLBACK TRANSACTION TO SAVEPOINT s", "rollbackTo"],
		["SAVEPOINT s", "savepoint"],
		["RELEASE s", "release"],
		["what is this", "other"],
		["(select 1)", "other"],
	])("%s is: %s", (sql, kind) => {
		expect(only(sql).kind).toBe(kind);
	});

	it.each([
		[
			"SELECT ?, '?', \"?\", [?], `?` -- ?\n, ? /* ? */",
			{ positional: 2, numbered: false, names: [], mixed: false },
		],
		["SELECT ?3, ?1", { positional: 3, numbered: true, names: [], mixed: false }],
		[
			"SELECT :a, @b, $c, :a, $n::s(x y), $t::u(v)",
			{
				positional: 0,
				numbered: false,
				names: [":a", "@b", "$c", "$n::s", "$t::u(v)"],
				mixed: false,
			},
		],
		["SELECT ?, ?1", { positional: 1, numbered: true, names: [], mixed: true }],
		["SELECT :a, ?", { positional: 1, numbered: false, names: [":a"], mixed: true }],
		[
			"SELECT a ->> '$.b', 1.5e-3, 0x1F, .5",
			{ positional: 0, numbered: false, names: [], mixed: false },
		],
		[
			"SELECT '$a', x'00' AS x, 5 AS \"b:c\"",
			{ positional: 0, numbered: false, names: [], mixed: false },
		],
	])("finds the parameters of %s", (sql, expected) => {
		// `$n::s(x y)` is no parameter with a suffix: SQLite allows no blanks there.
		expect(only(sql).parameters).toEqual(expected);
	});

	it("tells RETURNING, conflicts that roll back, and what is temporary", () => {
		expect(only("insert into t values (1) returning *").returning).toBe(true);
		expect(only("select 'returning' as \"returning\"").returning).toBe(false);
		expect(only("insert or rollback into t values (1)").mayRollBack).toBe(true);
		expect(only("rollback to s").mayRollBack).toBe(false);
		expect(only("select 'rollback'").mayRollBack).toBe(false);
	});
});

describe("readPragma", () => {
	it.each([
		["PRAGMA journal_mode", { name: "journal_mode", hasArgument: false }],
		["pragma Journal_Mode = off", { name: "journal_mode", hasArgument: true }],
		["pragma main.journal_mode(off)", { name: "journal_mode", hasArgument: true }],
		['pragma "main" . "journal_mode" = off', { name: "journal_mode", hasArgument: true }],
		["pragma /* x */ [synchronous] /* y */ = 0", { name: "synchronous", hasArgument: true }],
		["pragma", null],
	])("%s", (sql, expected) => {
		expect(readPragma(only(sql).head)).toEqual(expected);
	});
});
