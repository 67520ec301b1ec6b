// What SQL does in `c.db`, the same on every engine (contract: api 11.1). Runs here under Vitest, and on
// Node 22.13, 26, Bun and Deno as plain assertions (`npm run check:runtimes`), so it imports nothing but
// `node:assert`.

import { deepEqual, equal, match, ok, rejects } from "node:assert/strict";

type Row = Record<string, unknown>;

interface Executor {
	execute<R = Row>(sql: string, ...parameters: unknown[]): Promise<R[]>;
}

/** `c.db`, as far as the suite uses it. */
export interface Database extends Executor {
	transaction<T>(
		work: (tx: Executor) => T | Promise<T>,
		options?: { timeout?: number },
	): Promise<T>;
	stream<R = Row>(sql: string, ...parameters: unknown[]): AsyncIterableIterator<R>;
}

export interface Case {
	readonly name: string;
	run(db: Database): Promise<void>;
}

export const cases: Case[] = [];
const test = (name: string, run: (db: Database) => Promise<void>) => cases.push({ name, run });

const one = async (db: Executor, sql: string, ...parameters: unknown[]): Promise<unknown> => {
	const rows = await db.execute(sql, ...parameters);
	equal(rows.length, 1, `${rows.length} rows`);
	return Object.values(rows[0]!)[0];
};

/** Rejects with this code (`SQLITE_…` or `group.code`) and, if given, a message like this. */
const fails = (work: Promise<unknown>, code: string, message: RegExp = /./) =>
	rejects(work, (error: { group?: string; code?: string; message: string }) => {
		equal(error.group === undefined ? error.code : `${error.group}.${error.code}`, code);
		match(error.message, message);
		return true;
	});

// Values

test("values keep their types on the way in and out", async (db) => {
	await db.execute("CREATE TABLE v (value)");
	const values = [null, 0, 1, -1, 1.5, -0.25, 1e300, "", "text", "ünï ∀ 😀", "it's"];
	for (const value of values) {
		await db.execute("DELETE FROM v");
		await db.execute("INSERT INTO v VALUES (?)", value);
		deepEqual(await db.execute("SELECT value FROM v"), [{ value }]);
	}
});

test("integers are stored as integers, also in columns without a type and of text", async (db) => {
	const types =
		"SELECT typeof(?) AS a, typeof(?) AS b, typeof(?) AS c, typeof(?) AS d, typeof(?) AS e";
	deepEqual(await db.execute(types, 1, 2 ** 40, 1.5, 7n, 2 ** 60), [
		{ a: "integer", b: "integer", c: "real", d: "integer", e: "real" },
	]);
	await db.execute("CREATE TABLE t (a TEXT)");
	await db.execute("INSERT INTO t VALUES (?)", 5);
	equal(await one(db, "SELECT a FROM t"), "5");
	equal(await one(db, "SELECT json_array(?, ?)", 1, 1.5), "[1,1.5]");
	equal(await one(db, "SELECT ? / ?", 7, 2), 3);
	// Also by a statement that is used often, which is bound another way.
	await db.execute("CREATE TABLE k (i INTEGER, n NUMERIC, r REAL, t TEXT, b BLOB, x)");
	for (let round = 0; round < 3; round++) {
		await db.execute("INSERT INTO k VALUES (?, ?, ?, ?, ?, ?)", 1, 2, 3, 4, 5, 6);
	}
	const kinds = { i: "integer", n: "integer", r: "real", t: "text", b: "integer", x: "integer" };
	const stored = await db.execute(
		"SELECT typeof(i) AS i, typeof(n) AS n, typeof(r) AS r, typeof(t) AS t, typeof(b) AS b, typeof(x) AS x FROM k",
	);
	deepEqual(stored, [kinds, kinds, kinds]);
	equal(await one(db, "SELECT t FROM k LIMIT 1"), "4");
});

test("integers beyond 2^53 are bigints, and only those", async (db) => {
	const limit = 2n ** 53n;
	for (const [given, expected] of [
		[limit - 1n, Number.MAX_SAFE_INTEGER],
		[-(limit - 1n), Number.MIN_SAFE_INTEGER],
		[limit, limit],
		[limit + 1n, limit + 1n],
		[-limit - 1n, -limit - 1n],
		[2n ** 63n - 1n, 2n ** 63n - 1n],
		[-(2n ** 63n), -(2n ** 63n)],
	] as const) {
		equal(await one(db, "SELECT ?", given), expected);
	}
	const wide = await db.execute(
		"SELECT 9007199254740993 AS big, 2 AS small, 0.5 AS real, NULL AS none",
	);
	deepEqual(wide, [{ big: 9007199254740993n, small: 2, real: 0.5, none: null }]);
	// The same statement with other values, and one that writes and returns.
	await db.execute("CREATE TABLE t (a INTEGER)");
	const insert = "INSERT INTO t VALUES (?) RETURNING a, 3 AS three";
	deepEqual(await db.execute(insert, 1), [{ a: 1, three: 3 }]);
	deepEqual(await db.execute(insert, limit * 2n), [{ a: limit * 2n, three: 3 }]);
	deepEqual(await db.execute("SELECT count(*) AS n FROM t"), [{ n: 2 }]);
});

test("blobs are Uint8Arrays, from every kind of bytes", async (db) => {
	const bytes = Uint8Array.of(0, 1, 254, 255);
	for (const given of [
		bytes,
		bytes.buffer,
		[0, 1, 254, 255],
		new DataView(bytes.buffer),
		new Uint8Array([9, 0, 1, 254, 255, 9]).subarray(1, 5),
	]) {
		const [row] = await db.execute("SELECT ? AS b, typeof(?) AS t", given, given);
		ok(row!.b instanceof Uint8Array);
		deepEqual([...(row!.b as Uint8Array)], [...bytes]);
		equal(row!.t, "blob");
	}
	deepEqual([...((await one(db, "SELECT x''")) as Uint8Array)], []);
	const large = new Uint8Array(1_000_000).map((_value, index) => index % 251);
	await db.execute("CREATE TABLE b (data BLOB)");
	await db.execute("INSERT INTO b VALUES (?)", large);
	const stored = (await one(db, "SELECT data FROM b")) as Uint8Array;
	equal(stored.byteLength, large.byteLength);
	ok(stored.every((byte, index) => byte === large[index]));
});

test("booleans are 0 and 1, dates are ISO texts", async (db) => {
	const date = new Date(Date.UTC(2026, 1, 3, 4, 5, 6, 7));
	deepEqual(await db.execute("SELECT ? AS t, ? AS f, ? AS d", true, false, date), [
		{ t: 1, f: 0, d: "2026-02-03T04:05:06.007Z" },
	]);
	equal(await one(db, "SELECT datetime(?)", date), "2026-02-03 04:05:06");
});

test("named parameters come from one object, whatever their prefix", async (db) => {
	deepEqual(
		await db.execute("SELECT :a AS a, @b AS b, $c AS c, :a AS again", { a: 1, b: "two", c: null }),
		[{ a: 1, b: "two", c: null, again: 1 }],
	);
	deepEqual(await db.execute("SELECT :a AS a", { ":a": 5 }), [{ a: 5 }]);
	await fails(db.execute("SELECT :a, :b", { a: 1 }), "database.invalid_parameter", /:b.*missing/);
	await fails(db.execute("SELECT :a", { a: 1, c: 2 }), "database.invalid_parameter", /\bc\b/);
	await fails(db.execute("SELECT :toString", {}), "database.invalid_parameter", /missing/);
	await fails(db.execute("SELECT :a, ?", { a: 1 }), "database.invalid_parameter", /several kinds/);
	await fails(db.execute("SELECT :a", 1), "database.invalid_parameter", /plain object/);
});

test("numbered parameters are given by position", async (db) => {
	deepEqual(await db.execute("SELECT ?2 AS a, ?1 AS b, ?2 AS c", "one", "two"), [
		{ a: "two", b: "one", c: "two" },
	]);
	await db.execute("CREATE TABLE t (a, b)");
	await db.execute("INSERT INTO t VALUES (?1, ?1)", 4);
	deepEqual(await db.execute("SELECT * FROM t"), [{ a: 4, b: 4 }]);
});

test("what cannot be stored is refused with its place", async (db) => {
	const refused = (message: RegExp, sql: string, ...parameters: unknown[]) =>
		fails(db.execute(sql, ...parameters), "database.invalid_parameter", message);
	await refused(/parameter 2.*undefined/, "SELECT ?, ?", 1, undefined);
	await refused(/parameter 1.*64 bits/, "SELECT ?", 2n ** 63n);
	await refused(/parameter 1.*64 bits/, "SELECT ?", -(2n ** 63n) - 1n);
	await refused(/parameter 1.*symbol/, "SELECT ?", Symbol("s"));
	await refused(/parameter 1.*function/, "SELECT ?", () => {});
	await refused(/parameter 1.*JSON/, "SELECT ?", { a: 1 });
	await refused(/parameter 3.*bytes/, "SELECT ?, ?, ?", 1, 2, [1, 256]);
	await refused(/parameter 1.*invalid/, "SELECT ?", new Date(Number.NaN));
	await refused(/parameter 2.*2 parameters, 1 values/, "SELECT ?, ?", 1);
	await refused(/parameter 2.*1 parameters, 2 values/, "SELECT ?", 1, 2);
	await refused(/no parameters/, "SELECT 1", 1);
	// Question marks that are none.
	deepEqual(await db.execute('SELECT \'?\' AS a, "b?" FROM (SELECT 2 AS "b?") -- ?\n/* ? */'), [
		{ a: "?", "b?": 2 },
	]);
});

test("numbers that are no number are NULL, as SQLite has it", async (db) => {
	equal(await one(db, "SELECT ?", Number.NaN), null);
	equal(await one(db, "SELECT ?", Number.POSITIVE_INFINITY), Number.POSITIVE_INFINITY);
});

// Statements and rows

test("rows are plain objects in the order of the result", async (db) => {
	const rows = await db.execute("SELECT 2 AS b, 1 AS a UNION ALL SELECT 4, 3 ORDER BY b");
	deepEqual(rows, [
		{ b: 2, a: 1 },
		{ b: 4, a: 3 },
	]);
	deepEqual(Object.keys(rows[0]!), ["b", "a"]);
	equal(Object.getPrototypeOf(rows[0]), Object.prototype);
});

test("a column may have any name", async (db) => {
	const [row] = await db.execute('SELECT 1 AS "__proto__", 2 AS "a b", 3 AS "constructor"');
	deepEqual(Object.keys(row!).sort(), ["__proto__", "a b", "constructor"]);
	equal(Object.getOwnPropertyDescriptor(row, "__proto__")?.value, 1);
	equal(Object.getPrototypeOf(row), Object.prototype);
	equal(({} as Row).polluted, undefined);
});

test("of columns with the same name the last one counts", async (db) => {
	deepEqual(await db.execute("SELECT 1 AS a, 2 AS a"), [{ a: 2 }]);
});

test("several statements give the rows of all, each with its own columns", async (db) => {
	deepEqual(
		await db.execute(`
			CREATE TABLE t (a); -- a comment; with a semicolon
			INSERT INTO t VALUES ('x;y'), ('z');
			SELECT a FROM t; /* ; */
			SELECT count(*) AS n, 'a''b;' AS text FROM t;
		`),
		[{ a: "x;y" }, { a: "z" }, { n: 2, text: "a'b;" }],
	);
	deepEqual(await db.execute(""), []);
	deepEqual(await db.execute(" ;; -- nothing"), []);
	await fails(db.execute("SELECT ?; SELECT 2", 1), "database.invalid_statement", /one statement/);
});

test("what fails in the middle keeps what ran before it", async (db) => {
	await fails(
		db.execute(
			"CREATE TABLE t (a PRIMARY KEY); INSERT INTO t VALUES (1); INSERT INTO t VALUES (1); INSERT INTO t VALUES (2)",
		),
		"SQLITE_CONSTRAINT_PRIMARYKEY",
	);
	deepEqual(await db.execute("SELECT a FROM t"), [{ a: 1 }]);
});

test("rows come from whatever gives rows", async (db) => {
	await db.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, a)");
	deepEqual(await db.execute("INSERT INTO t (a) VALUES (?), (?) RETURNING id, a", "x", "y"), [
		{ id: 1, a: "x" },
		{ id: 2, a: "y" },
	]);
	deepEqual(await db.execute("UPDATE t SET a = a || ? WHERE id = ? RETURNING a", "!", 2), [
		{ a: "y!" },
	]);
	deepEqual(await db.execute("-- first\n/* then */ select a from t where id = ?", 1), [{ a: "x" }]);
	deepEqual(await db.execute("VALUES (1, ?), (2, 'b')", "a"), [
		{ column1: 1, column2: "a" },
		{ column1: 2, column2: "b" },
	]);
	ok((await db.execute("EXPLAIN QUERY PLAN SELECT * FROM t WHERE id = ?", 1)).length > 0);
	ok((await db.execute("EXPLAIN SELECT 1")).length > 0);
	deepEqual(await db.execute("DELETE FROM t WHERE id = :id RETURNING *", { id: 1 }), [
		{ id: 1, a: "x" },
	]);
	deepEqual(
		(await db.execute("PRAGMA table_info(t)")).map(({ name }) => name),
		["id", "a"],
	);
	deepEqual(
		await db.execute("WITH w AS (SELECT 5 AS n) INSERT INTO t SELECT n, 'w' FROM w RETURNING id"),
		[{ id: 5 }],
	);
	deepEqual(await db.execute("UPDATE t SET a = 0"), []);
});

test("a statement can be used again after the schema has changed", async (db) => {
	await db.execute("CREATE TABLE t (a); INSERT INTO t VALUES (1)");
	const select = "SELECT * FROM t";
	deepEqual(await db.execute(select), [{ a: 1 }]);
	await db.execute("ALTER TABLE t ADD COLUMN b DEFAULT 2");
	deepEqual(await db.execute(select), [{ a: 1, b: 2 }]);
	await db.execute("ALTER TABLE t RENAME COLUMN a TO c");
	deepEqual(await db.execute(select), [{ c: 1, b: 2 }]);
	await db.execute("DROP TABLE t; CREATE TABLE t (z); INSERT INTO t VALUES (3)");
	deepEqual(await db.execute(select), [{ z: 3 }]);
	await rejects(
		db.transaction(async (tx) => {
			await tx.execute("ALTER TABLE t ADD COLUMN y DEFAULT 4");
			deepEqual(await tx.execute(select), [{ z: 3, y: 4 }]);
			throw new Error("back");
		}),
		/back/,
	);
	deepEqual(await db.execute(select), [{ z: 3 }]);
});

test("a query that is used again gives all of its rows, however it finds them", async (db) => {
	await db.execute(`
		CREATE TABLE t (id INTEGER PRIMARY KEY, u UNIQUE);
		INSERT INTO t VALUES (1, 'a'), (2, 'b'), (3, NULL), (4, NULL);
		CREATE VIEW chosen AS SELECT id FROM t WHERE id IN (1, 2);
		CREATE VIEW nameless AS SELECT id FROM t WHERE u IS NULL;
	`);
	for (const [sql, parameters, ids] of [
		["SELECT id FROM t WHERE id = ?", [2], [2]],
		["SELECT id FROM t WHERE u = ?", ["b"], [2]],
		["SELECT id FROM t WHERE u = ?", ["nobody"], []],
		["SELECT id FROM t WHERE id = ? OR id = ?", [1, 2], [1, 2]],
		["SELECT id FROM t WHERE u = ? OR u = ?", ["a", "b"], [1, 2]],
		["SELECT id FROM t WHERE id IN (?, ?)", [1, 3], [1, 3]],
		["SELECT id FROM t WHERE u IS ?", [null], [3, 4]],
		["SELECT id FROM t WHERE id = ? UNION ALL SELECT 9", [1], [1, 9]],
		["SELECT id FROM chosen", [], [1, 2]],
		["SELECT id FROM nameless", [], [3, 4]],
		["SELECT a.id FROM t AS a, t AS b WHERE b.id = ?", [1], [1, 2, 3, 4]],
		["SELECT a.id FROM t AS a JOIN t AS b ON b.id = a.id WHERE a.id = ? LIMIT 1", [4], [4]],
		["WITH replace AS (SELECT 5 AS id) SELECT id FROM replace", [], [5]],
	] as const) {
		for (let use = 1; use <= 3; use++) {
			const found = (await db.execute<{ id: number }>(sql, ...parameters)).map(({ id }) => id);
			deepEqual(found.sort(), ids, `use ${use} of ${sql}`);
		}
	}
});

test("errors tell SQLite's code, message and statement", async (db) => {
	const sql = "SELECT * FROM nowhere";
	await rejects(
		db.execute(sql),
		(error: { name: string; code: string; errcode: number; sql: string; message: string }) => {
			deepEqual(
				{ name: error.name, code: error.code, errcode: error.errcode, sql: error.sql },
				{ name: "SqliteError", code: "SQLITE_ERROR", errcode: 1, sql },
			);
			match(error.message, /no such table: nowhere/);
			return true;
		},
	);
	await fails(db.execute("SELEC 1"), "SQLITE_ERROR", /syntax error/);
	await fails(db.execute(5 as never), "database.invalid_statement", /string/);
});

// Constraints

test("constraints", async (db) => {
	await db.execute(`
		CREATE TABLE t (
			id INTEGER PRIMARY KEY,
			name TEXT NOT NULL,
			email TEXT UNIQUE,
			age INTEGER CHECK (age >= 0),
			kind TEXT DEFAULT 'plain' COLLATE NOCASE
		);
		INSERT INTO t VALUES (1, 'a', 'a@x', 1, 'K');
	`);
	await fails(
		db.execute("INSERT INTO t (name) VALUES (NULL)"),
		"SQLITE_CONSTRAINT_NOTNULL",
		/t\.name/,
	);
	await fails(
		db.execute("INSERT INTO t (id, name) VALUES (1, 'b')"),
		"SQLITE_CONSTRAINT_PRIMARYKEY",
	);
	await fails(
		db.execute("INSERT INTO t (name, email) VALUES ('b', ?)", "a@x"),
		"SQLITE_CONSTRAINT_UNIQUE",
		/t\.email/,
	);
	await fails(db.execute("INSERT INTO t (name, age) VALUES ('b', -1)"), "SQLITE_CONSTRAINT_CHECK");
	deepEqual(await db.execute("SELECT id FROM t WHERE kind = 'k'"), [{ id: 1 }]);
	deepEqual(
		await db.execute("INSERT OR IGNORE INTO t (id, name) VALUES (1, 'b') RETURNING id"),
		[],
	);
	deepEqual(
		await db.execute(
			"INSERT INTO t (id, name) VALUES (1, 'c') ON CONFLICT (id) DO UPDATE SET name = excluded.name || '!' RETURNING name, kind",
		),
		[{ name: "c!", kind: "K" }],
	);
	await db.execute("REPLACE INTO t (id, name) VALUES (1, 'd')");
	deepEqual(await db.execute("SELECT name, kind, email FROM t"), [
		{ name: "d", kind: "plain", email: null },
	]);
});

test("a failing statement undoes itself and nothing else", async (db) => {
	await db.execute("CREATE TABLE t (a UNIQUE)");
	await db.execute("INSERT INTO t VALUES (3)");
	await fails(db.execute("INSERT INTO t VALUES (1), (2), (3)"), "SQLITE_CONSTRAINT_UNIQUE");
	deepEqual(await db.execute("SELECT a FROM t"), [{ a: 3 }]);
	await fails(db.execute("UPDATE t SET a = (SELECT max(a) FROM nothing)"), "SQLITE_ERROR");
	await db.execute("INSERT INTO t VALUES (4)");
	deepEqual(await db.execute("SELECT a FROM t ORDER BY a"), [{ a: 3 }, { a: 4 }]);
});

test("foreign keys are enforced", async (db) => {
	equal(await one(db, "PRAGMA foreign_keys"), 1);
	await db.execute(`
		CREATE TABLE parent (id INTEGER PRIMARY KEY);
		CREATE TABLE child (id INTEGER PRIMARY KEY, parent INTEGER REFERENCES parent ON DELETE CASCADE);
		INSERT INTO parent VALUES (1), (2);
		INSERT INTO child VALUES (10, 1), (11, 1), (12, 2);
	`);
	await fails(db.execute("INSERT INTO child VALUES (13, ?)", 3), "SQLITE_CONSTRAINT_FOREIGNKEY");
	await db.execute("DELETE FROM parent WHERE id = 1");
	deepEqual(await db.execute("SELECT id FROM child"), [{ id: 12 }]);
	await db.execute("PRAGMA foreign_keys = OFF");
	await db.execute("INSERT INTO child VALUES (13, 3)");
	deepEqual(
		(await db.execute("PRAGMA foreign_key_check")).map(({ rowid, parent }) => [rowid, parent]),
		[[13, "parent"]],
	);
	await db.execute("PRAGMA foreign_keys = ON");
	equal(await one(db, "PRAGMA foreign_keys"), 1);
});

test("a deferred foreign key is checked at the end of its transaction, alone at the end of its statement", async (db) => {
	await db.execute(`
		CREATE TABLE parent (id INTEGER PRIMARY KEY);
		CREATE TABLE child (parent INTEGER REFERENCES parent DEFERRABLE INITIALLY DEFERRED);
	`);
	await fails(db.execute("INSERT INTO child VALUES (1)"), "SQLITE_CONSTRAINT_FOREIGNKEY");
	await db.transaction(async (tx) => {
		await tx.execute("INSERT INTO child VALUES (1)");
		await tx.execute("INSERT INTO parent VALUES (1)");
	});
	await fails(
		db.transaction((tx) => tx.execute("INSERT INTO child VALUES (2)")),
		"SQLITE_CONSTRAINT_FOREIGNKEY",
	);
	deepEqual(await db.execute("SELECT parent FROM child"), [{ parent: 1 }]);
});

test("ON CONFLICT ROLLBACK takes back its own statement only, outside a transaction", async (db) => {
	await db.execute("CREATE TABLE t (a UNIQUE ON CONFLICT ROLLBACK)");
	await db.execute("INSERT INTO t VALUES (1)");
	await db.execute("INSERT INTO t VALUES (2)");
	await fails(db.execute("INSERT INTO t VALUES (1)"), "SQLITE_CONSTRAINT_UNIQUE");
	await fails(db.execute("INSERT OR ROLLBACK INTO t VALUES (2)"), "SQLITE_CONSTRAINT_UNIQUE");
	deepEqual(await db.execute("SELECT a FROM t"), [{ a: 1 }, { a: 2 }]);
	await fails(
		db.transaction(async (tx) => {
			await tx.execute("INSERT INTO t VALUES (3)");
			await rejects(tx.execute("INSERT INTO t VALUES (1)"));
			// It is gone, and with it the transaction.
			await tx.execute("INSERT INTO t VALUES (4)");
		}),
		"SQLITE_CONSTRAINT_UNIQUE",
	);
	deepEqual(await db.execute("SELECT a FROM t"), [{ a: 1 }, { a: 2 }]);
});

test("kinds of tables: strict, without rowid, generated columns, views, partial indexes", async (db) => {
	await db.execute("CREATE TABLE s (a INTEGER) STRICT");
	await fails(db.execute("INSERT INTO s VALUES ('x')"), "SQLITE_CONSTRAINT_DATATYPE");
	await db.execute(
		"CREATE TABLE w (k TEXT PRIMARY KEY, v) WITHOUT ROWID; INSERT INTO w VALUES ('b', 2), ('a', 1)",
	);
	deepEqual(await db.execute("SELECT k FROM w"), [{ k: "a" }, { k: "b" }]);
	await db.execute(
		"CREATE TABLE g (a INTEGER, b INTEGER AS (a * 2) STORED, c AS (a + b)); INSERT INTO g (a) VALUES (3)",
	);
	deepEqual(await db.execute("SELECT * FROM g"), [{ a: 3, b: 6, c: 9 }]);
	await db.execute("CREATE VIEW v AS SELECT a, b FROM g WHERE b > 5");
	deepEqual(await db.execute("SELECT * FROM v"), [{ a: 3, b: 6 }]);
	await db.execute("CREATE UNIQUE INDEX p ON g (a) WHERE a > 10");
	await db.execute("INSERT INTO g (a) VALUES (3), (11)");
	await fails(db.execute("INSERT INTO g (a) VALUES (11)"), "SQLITE_CONSTRAINT_UNIQUE");
});

test("triggers, whose semicolons end no statement", async (db) => {
	await db.execute(`
		CREATE TABLE t (a); CREATE TABLE log (what);
		CREATE TRIGGER logs AFTER INSERT ON t WHEN NEW.a IS NOT NULL BEGIN
			INSERT INTO log VALUES (CASE WHEN NEW.a > 1 THEN 'big' ELSE 'small' END);
			INSERT INTO log VALUES ('done; ' || NEW.a);
		END;
		CREATE TEMP TRIGGER refuses BEFORE DELETE ON t BEGIN SELECT raise(ABORT, 'stays'); END;
		INSERT INTO t VALUES (1), (2);
	`);
	deepEqual(
		(await db.execute("SELECT what FROM log")).map(({ what }) => what),
		["small", "done; 1", "big", "done; 2"],
	);
	await fails(db.execute("DELETE FROM t"), "SQLITE_CONSTRAINT_TRIGGER", /stays/);
	// One that rolls back takes back its own statement only, as alone.
	await db.execute(
		"CREATE TEMP TRIGGER ends BEFORE UPDATE ON t BEGIN SELECT raise(ROLLBACK, 'all'); END",
	);
	await db.execute("INSERT INTO t VALUES (3)");
	await fails(db.execute("UPDATE t SET a = 0"), "SQLITE_CONSTRAINT_TRIGGER", /all/);
	deepEqual(await db.execute("SELECT a FROM t"), [{ a: 1 }, { a: 2 }, { a: 3 }]);
});

// The language

test("joins, grouping, set operations and row values", async (db) => {
	await db.execute(`
		CREATE TABLE a (id INTEGER, x TEXT); INSERT INTO a VALUES (1, 'p'), (2, 'q'), (3, 'q');
		CREATE TABLE b (id INTEGER, y REAL); INSERT INTO b VALUES (1, 1.5), (1, 2.5), (4, 9);
	`);
	deepEqual(await db.execute("SELECT a.id, y FROM a LEFT JOIN b ON a.id = b.id ORDER BY 1, 2"), [
		{ id: 1, y: 1.5 },
		{ id: 1, y: 2.5 },
		{ id: 2, y: null },
		{ id: 3, y: null },
	]);
	deepEqual(
		await db.execute(
			"SELECT x, count(*) AS n, group_concat(id) AS ids FROM a GROUP BY x HAVING n > ? ORDER BY x",
			0,
		),
		[
			{ x: "p", n: 1, ids: "1" },
			{ x: "q", n: 2, ids: "2,3" },
		],
	);
	deepEqual(await db.execute("SELECT id FROM a EXCEPT SELECT id FROM b INTERSECT SELECT 2"), [
		{ id: 2 },
	]);
	deepEqual(
		await db.execute("SELECT id FROM a UNION SELECT id FROM b ORDER BY id DESC LIMIT 2 OFFSET 1"),
		[{ id: 3 }, { id: 2 }],
	);
	deepEqual(await db.execute("SELECT id FROM a WHERE (id, x) IN (VALUES (2, 'q'), (3, 'p'))"), [
		{ id: 2 },
	]);
	deepEqual(
		await db.execute("UPDATE a SET x = b.y FROM b WHERE a.id = b.id AND b.y > 2 RETURNING a.id, x"),
		[{ id: 1, x: "2.5" }],
	);
});

test("common table expressions, also recursive ones", async (db) => {
	const rows = await db.execute(
		"WITH RECURSIVE f (n, a, b) AS (VALUES (1, 0, 1) UNION ALL SELECT n + 1, b, a + b FROM f WHERE n < ?) SELECT b FROM f",
		10,
	);
	deepEqual(
		rows.map(({ b }) => b),
		[1, 1, 2, 3, 5, 8, 13, 21, 34, 55],
	);
});

test("window functions", async (db) => {
	deepEqual(
		await db.execute(`
			WITH t (g, v) AS (VALUES ('a', 1), ('a', 3), ('b', 2), ('a', 2))
			SELECT g, v, row_number() OVER w AS n, sum(v) OVER w AS total, lag(v) OVER w AS previous
			FROM t WINDOW w AS (PARTITION BY g ORDER BY v) ORDER BY g, v
		`),
		[
			{ g: "a", v: 1, n: 1, total: 1, previous: null },
			{ g: "a", v: 2, n: 2, total: 3, previous: 1 },
			{ g: "a", v: 3, n: 3, total: 6, previous: 2 },
			{ g: "b", v: 2, n: 1, total: 2, previous: null },
		],
	);
});

test("JSON", async (db) => {
	await db.execute("CREATE TABLE j (doc TEXT CHECK (json_valid(doc)))");
	await db.execute("INSERT INTO j VALUES (?)", JSON.stringify({ a: [1, { b: "x" }], n: null }));
	deepEqual(
		await db.execute(
			"SELECT doc ->> '$.a[1].b' AS b, json_type(doc, '$.n') AS t, json_array_length(doc, '$.a') AS l FROM j",
		),
		[{ b: "x", t: "null", l: 2 }],
	);
	deepEqual(
		await db.execute("SELECT key, value FROM j, json_each(doc, '$.a') WHERE type = 'integer'"),
		[{ key: 0, value: 1 }],
	);
	equal(
		await one(db, "SELECT json_group_array(value) FROM (SELECT 1 AS value UNION SELECT 'a')"),
		'[1,"a"]',
	);
	await fails(db.execute("INSERT INTO j VALUES ('{')"), "SQLITE_CONSTRAINT_CHECK");
});

test("dates, text and arithmetic functions", async (db) => {
	deepEqual(
		await db.execute(
			"SELECT date('2026-01-31', '+1 month') AS d, strftime('%w', '2026-11-26') AS w, upper('aß') AS u, printf('%05.2f', 3.14159) AS p, 'abc' LIKE 'A%' AS l, 'abc' GLOB 'a*c' AS g, round(2.567, 2) AS r, coalesce(NULL, 5) AS c, iif(1, 'y', 'n') AS i",
		),
		[{ d: "2026-03-03", w: "4", u: "Aß", p: "03.14", l: 1, g: 1, r: 2.57, c: 5, i: "y" }],
	);
	equal(await one(db, "SELECT hex(randomblob(4)) <> hex(randomblob(4))"), 1);
});

test("full text search, where the engine has FTS5", async (db) => {
	const [module] = await db.execute("SELECT 1 FROM pragma_module_list WHERE name = 'fts5'");
	if (module === undefined) {
		await fails(
			db.execute("CREATE VIRTUAL TABLE f USING fts5(body)"),
			"SQLITE_ERROR",
			/no such module/,
		);
		return;
	}
	await db.execute("CREATE VIRTUAL TABLE f USING fts5(title, body, tokenize = 'porter')");
	await db.execute(
		"INSERT INTO f VALUES (?, ?), ('second', 'nothing here')",
		"first",
		"an actor is running",
	);
	deepEqual(
		await db.execute(
			"SELECT title, highlight(f, 1, '[', ']') AS h FROM f WHERE f MATCH ? ORDER BY rank",
			"runs",
		),
		[{ title: "first", h: "an actor is [running]" }],
	);
	await db.execute("DELETE FROM f WHERE f MATCH 'runs'");
	await db.execute("INSERT INTO f (f) VALUES ('optimize')");
	deepEqual(await db.execute("SELECT count(*) AS n FROM f"), [{ n: 1 }]);
	// An index that does not fit the table it is about is its owner's business, and costs nobody anything.
	await db.execute(`
		CREATE TABLE docs (id INTEGER PRIMARY KEY, body);
		CREATE VIRTUAL TABLE about USING fts5(body, content = 'docs', content_rowid = 'id');
		INSERT INTO docs VALUES (1, 'one');
		INSERT INTO about (rowid, body) VALUES (1, 'another');
	`);
	const check = "INSERT INTO about (about, rank) VALUES ('integrity-check', 1)";
	await fails(db.execute(check), "SQLITE_CORRUPT_VTAB");
	deepEqual(await db.execute("SELECT body FROM docs"), [{ body: "one" }]);
	await db.execute("INSERT INTO about (about) VALUES ('rebuild')");
	deepEqual(await db.execute(check), []);
});

test("VACUUM, ANALYZE, REINDEX and integrity_check", async (db) => {
	await db.execute("CREATE TABLE t (a); CREATE INDEX i ON t (a)");
	for (let row = 0; row < 500; row++)
		await db.execute("INSERT INTO t VALUES (?)", `row ${row}`.repeat(20));
	await db.execute("DELETE FROM t WHERE rowid % 2");
	const before = (await one(db, "PRAGMA page_count")) as number;
	await db.execute("VACUUM");
	ok(((await one(db, "PRAGMA page_count")) as number) < before);
	await db.execute("ANALYZE; REINDEX t");
	equal(await one(db, "PRAGMA integrity_check"), "ok");
	equal(await one(db, "SELECT count(*) FROM t"), 250);
	await db.execute("PRAGMA user_version = 7");
	equal(await one(db, "PRAGMA user_version"), 7);
});

test("incremental_vacuum frees as many pages as it is told", async (db) => {
	await db.execute("PRAGMA auto_vacuum = INCREMENTAL; VACUUM; CREATE TABLE t (a)");
	await db.execute("INSERT INTO t VALUES (zeroblob(200000))");
	await db.execute("DELETE FROM t");
	const free = (await one(db, "PRAGMA freelist_count")) as number;
	ok(free > 40);
	deepEqual(await db.execute("PRAGMA incremental_vacuum(10)"), []);
	equal(await one(db, "PRAGMA freelist_count"), free - 10);
	await db.execute("PRAGMA incremental_vacuum");
	equal(await one(db, "PRAGMA freelist_count"), 0);
});

// What is refused

test("what would take the database out of our hands is refused", async (db) => {
	const refused = (sql: string, message = /./) =>
		fails(db.execute(sql), "database.statement_refused", message);
	await refused("ATTACH ':memory:' AS other", /ATTACH/);
	await refused("/* x */ attach database 'file' as other", /ATTACH/);
	await refused("SELECT 1; ATTACH ':memory:' AS o", /ATTACH/);
	await refused("DETACH main", /DETACH/);
	await refused("VACUUM INTO '/tmp/copy'", /VACUUM INTO/);
	await refused("vacuum main into 'x'", /VACUUM INTO/);
	for (const pragma of [
		"journal_mode = DELETE",
		"JOURNAL_MODE(off)",
		"main.journal_mode = memory",
		"synchronous = FULL",
		"locking_mode = EXCLUSIVE",
		"wal_checkpoint",
		"wal_checkpoint(TRUNCATE)",
		"wal_autocheckpoint = 1",
		"writable_schema = ON",
		"max_page_count = 10",
		"page_size = 512",
		"mmap_size = 1000",
		'"journal_mode" = off',
		"[synchronous] = 1",
		"schema_version = 5",
		"hard_heap_limit = 1",
		"temp_store_directory = '/'",
		"query_only = 1",
		"no_such_pragma",
	]) {
		await refused(`PRAGMA ${pragma}`);
		// Many take effect when they are compiled.
		await refused(`EXPLAIN PRAGMA ${pragma}`);
	}
	await refused("explain query plan /* x */ pragma journal_mode = off");
	equal(await one(db, "PRAGMA journal_mode"), "wal");
	await rejects(db.execute("SELECT load_extension('x')"), /not authorized|no such function/);
	await rejects(
		db.execute("EXPLAIN ATTACH ':memory:' AS x; SELECT * FROM x.sqlite_schema"),
		/not authorized|no such table/,
	);
});

// Transactions

test("a transaction commits what it wrote, or nothing", async (db) => {
	await db.execute("CREATE TABLE t (a)");
	equal(
		await db.transaction(async (tx) => {
			await tx.execute("INSERT INTO t VALUES (1)");
			await tx.execute("INSERT INTO t VALUES (2)");
			return "done";
		}),
		"done",
	);
	await rejects(
		db.transaction(async (tx) => {
			await tx.execute("DELETE FROM t");
			throw new Error("no");
		}),
		/no/,
	);
	deepEqual(await db.execute("SELECT a FROM t"), [{ a: 1 }, { a: 2 }]);
});

test("savepoints inside a transaction", async (db) => {
	await db.execute("CREATE TABLE t (a)");
	await db.transaction(async (tx) => {
		await tx.execute("INSERT INTO t VALUES (1)");
		await tx.execute("SAVEPOINT s");
		await tx.execute("INSERT INTO t VALUES (2)");
		await tx.execute("ROLLBACK TO s");
		await tx.execute("RELEASE s");
		await tx.execute("INSERT INTO t VALUES (3)");
		await fails(tx.execute("COMMIT"), "database.statement_refused", /returns or throws/);
		await fails(tx.execute("rollback"), "database.statement_refused");
		await fails(tx.execute("BEGIN"), "database.statement_refused");
	});
	deepEqual(await db.execute("SELECT a FROM t"), [{ a: 1 }, { a: 3 }]);
});

test("BEGIN, COMMIT and ROLLBACK by hand", async (db) => {
	await db.execute("CREATE TABLE t (a)");
	await db.execute("BEGIN");
	await db.execute("INSERT INTO t VALUES (1)");
	await db.execute("COMMIT");
	await db.execute("BEGIN IMMEDIATE; INSERT INTO t VALUES (2); ROLLBACK");
	await db.execute("SAVEPOINT s; INSERT INTO t VALUES (3); RELEASE s");
	deepEqual(await db.execute("SELECT a FROM t"), [{ a: 1 }, { a: 3 }]);
	await fails(db.execute("COMMIT"), "SQLITE_ERROR", /no transaction is active/);
	await fails(db.execute("ROLLBACK"), "SQLITE_ERROR", /no transaction is active/);
	await fails(db.execute("RELEASE s"), "SQLITE_ERROR", /no such savepoint/);
	await fails(db.execute("BEGIN; BEGIN"), "SQLITE_ERROR", /within a transaction/);
	await db.execute("ROLLBACK");
});

// Streams

test("a stream reads more rows than there would be at once, of one moment", async (db) => {
	await db.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, a)");
	await db.execute(
		"WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000) INSERT INTO t SELECT i, 'row ' || i FROM n",
	);
	let seen = 0;
	for await (const { id, a } of db.stream<{ id: number; a: string }>(
		"SELECT id, a FROM t WHERE id > ? ORDER BY id",
		10,
	)) {
		equal(a, `row ${id}`);
		seen++;
		// What is written meanwhile is not seen, and does not disturb.
		if (id % 500 === 0)
			await db.execute(
				"INSERT INTO t (a) VALUES ('late'); UPDATE t SET a = 'changed' WHERE id = ?".split(";")[0]!,
			);
	}
	equal(seen, 2990);
	equal(await one(db, "SELECT count(*) FROM t"), 3006);
	for await (const row of db.stream("SELECT 9007199254740993 AS big"))
		deepEqual(row, { big: 9007199254740993n });
	for await (const _row of db.stream("SELECT * FROM t")) break;
	await fails(db.stream("DELETE FROM t").next(), "database.invalid_statement");
	await fails(db.stream("SELECT 1; SELECT 2").next(), "database.invalid_statement");
	await db.execute("CREATE TEMP TABLE mine (a)");
	await fails(db.stream("SELECT * FROM mine").next(), "SQLITE_ERROR", /no such table/);
	equal(await one(db, "SELECT count(*) FROM t"), 3006);
});
