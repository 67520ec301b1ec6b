import { DatabaseSync } from "node:sqlite";
import { afterEach, expect, it } from "vitest";
import { nodeEngine } from "../../src/sqlite/engine/node-engine.ts";
import { floatParameters } from "../../src/sqlite/sql/float-parameters.ts";
import { parseStatements } from "../../src/sqlite/sql/statements.ts";

// Integers bound as floats, where nobody can tell.

const connection = nodeEngine(DatabaseSync).open(":memory:");
connection.exec(`
	CREATE TABLE t (id INTEGER PRIMARY KEY, n INT, r REAL, d DECIMAL(10, 2), s TEXT, v VARCHAR, b BLOB, x);
	CREATE TABLE "Odd name" ("A B" INTEGER, c INTEGER);
	CREATE TABLE strict_t (a ANY, n INTEGER) STRICT;
	CREATE VIEW w AS SELECT id, n FROM t;
`);
afterEach(() => connection.exec("DROP TABLE IF EXISTS temp.t"));

const floats = (sql: string) => {
	const mask = floatParameters(connection, parseStatements(sql)[0]!);
	return Array.from({ length: 9 }, (_unused, index) => index).filter(
		(index) => (mask >> index) & 1,
	);
};

it.each<[string, number[]]>([
	["INSERT INTO t VALUES (?, ?, ?, ?, ?, ?, ?, ?)", [0, 1, 2, 3]],
	["insert into T (s, n, x, ID) values (?, ?, ?, ?)", [1, 3]],
	["INSERT INTO t (n, s) VALUES (5, ?)", []],
	["INSERT INTO t (s, n) VALUES ('x', ?)", [0]],
	["INSERT INTO t (n) VALUES (:n)", []],
	["INSERT INTO t (n) VALUES (?) RETURNING n", [0]],
	['INSERT INTO "odd name" ("a b", [c]) VALUES (?, ?)', [0, 1]],
	["INSERT INTO strict_t VALUES (?, ?)", [1]],
	// Where somebody could tell, or where it is not clear.
	["INSERT INTO t (n) VALUES (?) ON CONFLICT DO UPDATE SET s = excluded.n", []],
	["INSERT INTO t (n) VALUES (?) RETURNING n + ?", []],
	["INSERT INTO t (n) VALUES (? + 1)", []],
	["INSERT INTO t (n) VALUES (?), (?)", []],
	["INSERT OR IGNORE INTO t (n) VALUES (?)", []],
	["INSERT INTO w VALUES (?, ?)", []],
	["INSERT INTO nowhere VALUES (?)", []],
	["INSERT INTO main.t (n) VALUES (?)", []],
	["INSERT INTO t (n) SELECT ?", []],
	["INSERT INTO t (n) VALUES (?1)", []],
	["UPDATE t SET n = ?", []],
	["SELECT ?", []],
])("%s", (sql, expected) => {
	expect(floats(sql)).toEqual(expected);
});

it("a temporary table of the same name is another table", () => {
	connection.exec("CREATE TEMP TABLE t (n TEXT)");
	expect(floats("INSERT INTO t (n) VALUES (?)")).toEqual([]);
});
