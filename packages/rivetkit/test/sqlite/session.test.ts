import { DatabaseSync } from "node:sqlite";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { nodeEngine } from "../../src/sqlite/engine/node-engine.ts";
import { SqlSession } from "../../src/sqlite/sql/session.ts";
import { StatementCache } from "../../src/sqlite/sql/statement-cache.ts";

// A session against plain node:sqlite: random SQL gives the same rows, the same errors and the same content.

const engine = nodeEngine(DatabaseSync);

function session(): SqlSession {
	const connection = engine.open(":memory:");
	connection.exec("PRAGMA foreign_keys = ON");
	const limits = { rowsMax: 1e6, resultBytesMax: 1e9, timeoutMs: 1e6, slowMs: 1e6 };
	return new SqlSession(
		connection,
		limits,
		{ wrote() {}, mayHaveWritten() {}, lost() {}, slow() {} },
		Date.now,
	);
}

const table = fc.constantFrom("a", "b");
const column = fc.constantFrom("id", "n", "s", "nothing");
const value = fc.oneof(
	{ weight: 3, arbitrary: fc.integer({ min: -3, max: 12 }).map(String) },
	fc.constantFrom(
		"NULL",
		"1.5",
		"'x'",
		"'Y'",
		"''",
		"x'0aff'",
		"9007199254740993",
		"(SELECT max(n) FROM a)",
		"abs(-2)",
	),
);
const condition = fc
	.tuple(column, fc.constantFrom("=", "<", ">=", "<>", "IS", "LIKE"), value)
	.map(([name, operator, right]) => `${name} ${operator} ${right}`);
const where = fc
	.array(condition, { maxLength: 2 })
	.map((texts) => (texts.length > 0 ? ` WHERE ${texts.join(" OR ")}` : ""));
const conflict = fc.constantFrom(
	"",
	"OR IGNORE ",
	"OR REPLACE ",
	"OR ABORT ",
	"OR FAIL ",
	"OR ROLLBACK ",
);

const statement = fc.oneof(
	{
		weight: 6,
		arbitrary: fc
			.tuple(
				conflict,
				table,
				fc.array(fc.tuple(value, value, value), { minLength: 1, maxLength: 3 }),
			)
			.map(
				([how, name, rows]) =>
					`INSERT ${how}INTO ${name} (id, n, s) VALUES ${rows.map((row) => `(${row.join(", ")})`).join(", ")}`,
			),
	},
	{
		weight: 2,
		arbitrary: fc
			.tuple(table, value)
			.map(([name, n]) => `INSERT INTO ${name} (n) VALUES (${n}) RETURNING id, n, s`),
	},
	{
		weight: 3,
		arbitrary: fc
			.tuple(table, column, value, where)
			.map(([name, set, to, which]) => `UPDATE ${name} SET ${set} = ${to}${which}`),
	},
	{
		weight: 2,
		arbitrary: fc
			.tuple(table, where)
			.map(([name, which]) => `DELETE FROM ${name}${which} RETURNING *`),
	},
	{
		weight: 5,
		arbitrary: fc
			.tuple(table, where)
			.map(([name, which]) => `SELECT * FROM ${name}${which} ORDER BY id`),
	},
	fc.constantFrom(
		"SELECT a.id, b.id, a.n + b.n FROM a JOIN b ON a.id = b.a ORDER BY 1, 2",
		"SELECT count(*), sum(n), min(s), total(n) FROM a",
		"SELECT n, count(*) AS c FROM b GROUP BY n HAVING c > 1 ORDER BY n",
		"SELECT id, row_number() OVER (ORDER BY n, id) AS r FROM a ORDER BY id",
		"WITH RECURSIVE c (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 5) SELECT x FROM c",
		"SELECT * FROM a WHERE id = 3",
		"SELECT * FROM a WHERE id IN (1, 2, 3) ORDER BY id",
		"SELECT s FROM a WHERE u IS NULL ORDER BY id",
		"SELECT * FROM a WHERE id = 1 OR id = 2",
		"SELECT * FROM a WHERE id = 2 LIMIT 1",
		"SELECT count(*) FROM a WHERE id = 1",
		"SELECT id FROM some",
		"SELECT typeof(n), typeof(s), n, s FROM a ORDER BY id",
	),
	fc.constantFrom(
		"BEGIN",
		"COMMIT",
		"ROLLBACK",
		"SAVEPOINT s",
		"RELEASE s",
		"ROLLBACK TO s",
		"END",
	),
	fc.constantFrom(
		"CREATE TABLE IF NOT EXISTS c (x)",
		"DROP TABLE IF EXISTS c",
		"ALTER TABLE b ADD COLUMN extra DEFAULT 4",
		"ALTER TABLE b DROP COLUMN extra",
		"CREATE INDEX IF NOT EXISTS i ON a (n)",
		"DROP INDEX IF EXISTS i",
		"PRAGMA foreign_keys = OFF",
		"PRAGMA foreign_keys = ON",
		"PRAGMA foreign_keys",
		"PRAGMA user_version = 3; PRAGMA user_version",
		"VACUUM",
		"SELEC nonsense",
	),
);

const SCHEMA = `
	CREATE TABLE a (id INTEGER PRIMARY KEY, n INTEGER CHECK (n < 11), s TEXT COLLATE NOCASE, u UNIQUE);
	CREATE TABLE b (id INTEGER PRIMARY KEY, n NUMERIC UNIQUE, s TEXT NOT NULL DEFAULT 'd', a INTEGER REFERENCES a ON DELETE CASCADE);
	CREATE VIEW some AS SELECT id FROM b WHERE n IN (5, 6, 7);
	INSERT INTO a (id, n, s) VALUES (1, 1, 'one'), (2, 2, NULL), (3, NULL, 'x');
	INSERT INTO b (id, n, a) VALUES (1, 5, 1), (2, 6, 1), (3, 7, 2);
`;

function outcome(run: () => unknown): unknown {
	try {
		return run();
	} catch (error) {
		return (error as Error).message;
	}
}

/** Plain node:sqlite, each statement in whatever transaction there is. */
class Plain {
	readonly #database = new DatabaseSync(":memory:");

	constructor() {
		this.#database.exec(SCHEMA);
	}

	run(sql: string): unknown {
		return outcome(() =>
			sql.split("; ").flatMap((one) => {
				const prepared = this.#database.prepare(one);
				prepared.setReadBigInts(true);
				prepared.setReturnArrays(true);
				return (prepared.all() as unknown as unknown[][]).map((row) => row.map(narrow));
			}),
		);
	}
}

function narrow(value: unknown): unknown {
	return typeof value === "bigint" && Number.isSafeInteger(Number(value)) ? Number(value) : value;
}

describe("a session", () => {
	it("does what plain node:sqlite does, statement by statement", () => {
		fc.assert(
			fc.property(fc.array(statement, { minLength: 5, maxLength: 60 }), (statements) => {
				const plain = new Plain();
				const ours = session();
				ours.execute(SCHEMA, [], "values");
				for (const [index, sql] of statements.entries()) {
					const expected = plain.run(sql);
					const found = outcome(() => ours.execute(sql, [], "values"));
					const history = `statement ${index}: ${statements.slice(0, index + 1).join(";\n")}`;
					expect(found, history).toEqual(expected);
					// From its second use on it may run another way.
					if (!sql.startsWith("SELECT")) continue;
					expect(
						outcome(() => ours.execute(sql, [], "values")),
						`again: ${history}`,
					).toEqual(expected);
				}
				for (const sql of ["SELECT * FROM a ORDER BY id", "SELECT * FROM b ORDER BY id"]) {
					expect(outcome(() => ours.execute(sql, [], "values"))).toEqual(plain.run(sql));
				}
			}),
			{ numRuns: 300 },
		);
	});

	it("counts statements and slow ones, and times those that are used again by their transaction", () => {
		const slow: [string, number][] = [];
		let nowMs = 0;
		let passingMs = 0;
		const limits = { rowsMax: 10, resultBytesMax: 1e9, timeoutMs: 1e6, slowMs: 20 };
		const observer = {
			wrote() {},
			mayHaveWritten() {},
			lost() {},
			slow: (sql: string, ms: number) => void slow.push([sql, ms]),
		};
		const ours = new SqlSession(engine.open(":memory:"), limits, observer, () => {
			nowMs += passingMs;
			return nowMs;
		});
		ours.execute("CREATE TABLE t (a)", [], "rows");
		passingMs = 25;
		ours.execute("SELECT 'snail'", [], "rows");
		passingMs = 0;
		expect(slow).toEqual([["SELECT 'snail'", 25]]);
		const insert = () => ours.execute("INSERT INTO t VALUES (?)", [1], "rows");
		for (let count = 0; count < 3; count++) insert();
		// Nobody looked at the clock meanwhile; the transaction tells, and then each is timed.
		nowMs += 30;
		ours.endShared();
		passingMs = 21;
		insert();
		expect(slow.at(-1)?.[0]).toBe("INSERT INTO t VALUES (?)");
		expect(ours.slowStatements).toBe(slow.length);
		expect(ours.statements).toBe(6);
	});

	it("times each run of a statement that was slow once", () => {
		const slow: string[] = [];
		let nowMs = 0;
		let passingMs = 25;
		const limits = { rowsMax: 10, resultBytesMax: 1e9, timeoutMs: 1e6, slowMs: 20 };
		const observer = {
			wrote() {},
			mayHaveWritten() {},
			lost() {},
			slow: (sql: string) => void slow.push(sql),
		};
		const ours = new SqlSession(engine.open(":memory:"), limits, observer, () => {
			nowMs += passingMs;
			return nowMs;
		});
		for (let run = 0; run < 3; run++) ours.execute("SELECT 'snail'", [], "rows");
		expect(slow).toHaveLength(3);
		passingMs = 0;
		ours.execute("SELECT 'snail'", [], "rows");
		expect(slow).toHaveLength(3);
	});

	it("gives the same rows as objects and as lists", () => {
		const ours = session();
		ours.execute(SCHEMA, [], "rows");
		const sql = "SELECT id, n, s FROM a ORDER BY id";
		const rows = ours.execute(sql, [], "rows");
		expect(ours.execute(sql, [], "values")).toEqual(rows.map((row) => Object.values(row)));
	});
});

describe("the cache of statements", () => {
	it("keeps at most as many as it may, and those that are used", () => {
		const dropped: string[] = [];
		const cache = new StatementCache<{ used: boolean; drop(): void }>(3);
		const add = (text: string) => cache.set(text, { used: false, drop: () => dropped.push(text) });
		for (const text of ["a", "b", "c"]) add(text);
		cache.get("a");
		add("d");
		expect(dropped).toEqual(["b"]);
		cache.get("c");
		cache.get("d");
		cache.get("a");
		add("e");
		expect(cache.size).toBe(3);
		expect(dropped).toHaveLength(2);
		cache.clear();
		expect(dropped).toHaveLength(5);
	});
});
