import type { Clock } from "@rivetkit/protocol";
import { systemClock } from "@rivetkit/protocol";
import { describe, expect, it } from "vitest";
import { actor } from "../../src/actor/definition.ts";
import { db, type RawAccess } from "../../src/db/index.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { TestRuntime } from "../support/test-runtime.ts";
import { codeOf } from "../support/wire-http.ts";

// Every limit of a database: its name, its error, and an actor that goes on (L59).

interface Outcome {
	readonly code: string;
	readonly message: string;
	readonly metadata: unknown;
}

/** What SQL comes to in an actor with these options. */
async function trying(
	options: object,
	work: (
		attempt: (run: (d: RawAccess) => unknown) => Promise<Outcome>,
		runtime: TestRuntime,
	) => Promise<void>,
	clock: Clock = systemClock(),
): Promise<void> {
	let play: (d: RawAccess) => unknown = () => {};
	const subject = actor({
		db: db({ onMigrate: async (d) => void (await d.execute("CREATE TABLE IF NOT EXISTS t (a)")) }),
		options: { ...options, sleepTimeout: 1e9 },
		actions: {
			play: async (c): Promise<Outcome> => {
				try {
					await play(c.db);
					return { code: "ok", message: "", metadata: null };
				} catch (error) {
					const { message, metadata } = error as { message: string; metadata: unknown };
					return { code: codeOf(error), message, metadata: metadata ?? null };
				}
			},
		},
	});
	await using runtime = await TestRuntime.start({ subject }, { exposeErrors: true, clock });
	const handle = runtime.localClient().subject!.getOrCreate(["a"]) as unknown as {
		play(): Promise<Outcome>;
	};
	await work((run) => {
		play = run;
		return handle.play();
	}, runtime);
}

/** Time passes whenever somebody looks. */
function passingClock(clock: FakeClock, stepMs: () => number): Clock {
	return {
		now: () => {
			clock.advanceSync(stepMs());
			return clock.now();
		},
		after: (ms, fn) => clock.after(ms, fn),
	};
}

const NUMBERS = (count: number) =>
	`WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${count}) SELECT i FROM n`;

describe("limits of a database", () => {
	it("maxQueryRows: at the limit it is fine, one more is refused, also by what RETURNING gives", () =>
		trying({ maxQueryRows: 10 }, async (attempt) => {
			expect((await attempt((d) => d.execute(NUMBERS(10)))).code).toBe("ok");
			expect(await attempt((d) => d.execute(NUMBERS(11)))).toEqual({
				code: "database.too_many_rows",
				message: expect.stringMatching(/more than 10 rows.*maxQueryRows.*c\.db\.stream/),
				metadata: { limit: 10 },
			});
			// Refused rows of a statement that writes: it has not written.
			const insert = `INSERT INTO t ${NUMBERS(11)} RETURNING a`;
			expect((await attempt((d) => d.execute(insert))).code).toBe("database.too_many_rows");
			expect(
				(
					await attempt(async (d) =>
						expect(await d.execute("SELECT count(*) AS n FROM t")).toEqual([{ n: 0 }]),
					)
				).message,
			).toBe("");
			// A stream has no such limit.
			expect(
				(
					await attempt(async (d) => {
						let rows = 0;
						for await (const _row of d.stream(NUMBERS(2_000))) rows++;
						expect(rows).toBe(2_000);
					})
				).message,
			).toBe("");
		}));

	it("maxQueryBytes: texts and blobs count", () =>
		trying({ maxQueryBytes: 1_000 }, async (attempt) => {
			expect((await attempt((d) => d.execute("SELECT zeroblob(990)"))).code).toBe("ok");
			const outcome = { code: "database.result_too_large", metadata: { limit: 1_000 } };
			expect(await attempt((d) => d.execute("SELECT zeroblob(1001)"))).toMatchObject(outcome);
			expect(
				await attempt((d) => d.execute(`SELECT hex(zeroblob(10)) FROM (${NUMBERS(51)})`)),
			).toMatchObject(outcome);
			// A row that is looked up by its key.
			await attempt((d) =>
				d.execute(
					"CREATE TABLE k (id INTEGER PRIMARY KEY, b); INSERT INTO k VALUES (1, zeroblob(2000))",
				),
			);
			expect(await attempt((d) => d.execute("SELECT b FROM k WHERE id = ?", 1))).toMatchObject(
				outcome,
			);
		}));

	it("queryTimeout: reading a result ends when it takes too long", async () => {
		const clock = new FakeClock();
		const passing = passingClock(clock, () => 1);
		await trying(
			{ queryTimeout: 50 },
			async (attempt) => {
				expect((await attempt((d) => d.execute(NUMBERS(1_000)))).code).toBe("ok");
				expect(await attempt((d) => d.execute(NUMBERS(100_000)))).toMatchObject({
					code: "database.statement_timed_out",
					message: expect.stringMatching(/50 ms.*queryTimeout/),
					metadata: { limit: 50 },
				});
			},
			passing,
		);
	});

	it("slowQueryThreshold: slow statements are logged and counted", async () => {
		const clock = new FakeClock();
		let pass = 0;
		const passing = passingClock(clock, () => pass);
		await trying(
			{ slowQueryThreshold: 20 },
			async (attempt, runtime) => {
				await attempt((d) => d.execute("SELECT 1"));
				const slow = () => runtime.log.filter(({ message }) => message.includes("slow"));
				expect(slow()).toEqual([]);
				await attempt(async (d) => {
					pass = 30;
					await d.execute("SELECT 'snail'");
					pass = 0;
				});
				expect(slow()).toMatchObject([
					{ level: "warn", fields: { ms: 30, sql: "SELECT 'snail'", actor: "subject" } },
				]);
			},
			passing,
		);
	});

	it("maxDatabaseSize: what does not fit is refused, what is there stays, deleting makes room", () =>
		trying({ maxDatabaseSize: 100 * 4096 }, async (attempt) => {
			const fill = `INSERT INTO t SELECT zeroblob(1000) FROM (${NUMBERS(1_000)})`;
			await attempt((d) => d.execute("INSERT INTO t VALUES ('kept')"));
			expect(await attempt((d) => d.execute(fill))).toEqual({
				code: "database.full",
				message: expect.stringMatching(/Limit is 409600 bytes.*maxDatabaseSize/),
				metadata: { limit: 409_600 },
			});
			expect((await attempt((d) => d.transaction((tx) => tx.execute(fill)))).code).toBe(
				"database.full",
			);
			expect(
				(
					await attempt((d) =>
						d.execute("INSERT INTO t SELECT zeroblob(1000) FROM (SELECT 1 UNION SELECT 2)"),
					)
				).code,
			).toBe("ok");
			const count = (
				await attempt(async (d) =>
					expect(await d.execute("SELECT count(*) AS n FROM t")).toEqual([{ n: 3 }]),
				)
			).message;
			expect(count).toBe("");
		}));

	it("maxDatabaseCommitSize: too many changes at once are taken back as a whole", () =>
		trying({ maxDatabaseCommitSize: 100 * 4096 }, async (attempt) => {
			await attempt((d) => d.execute("INSERT INTO t VALUES ('kept')"));
			const fill = `INSERT INTO t SELECT zeroblob(1000) FROM (${NUMBERS(1_000)})`;
			await expect(attempt((d) => d.execute(fill))).rejects.toThrow(/maxDatabaseCommitSize/);
			expect(
				(
					await attempt(async (d) =>
						expect(await d.execute("SELECT a FROM t")).toEqual([{ a: "kept" }]),
					)
				).message,
			).toBe("");
		}));

	it("maxDatabaseCommitSize: what was rolled back does not count", () =>
		trying({ maxDatabaseCommitSize: 100 * 4096 }, async (attempt) => {
			const fill = `INSERT INTO t SELECT randomblob(3000) FROM (${NUMBERS(2_000)})`;
			const given = await attempt((d) =>
				d.transaction(async (tx) => {
					// More than SQLite keeps in memory: it is in the log when it is taken back.
					await tx.execute(fill);
					throw new Error("no");
				}),
			);
			expect(given.message).toBe("no");
			for (const kept of [1, 2]) {
				expect((await attempt((d) => d.execute("INSERT INTO t VALUES (?)", kept))).code).toBe("ok");
			}
			const rows = await attempt(async (d) =>
				expect(await d.execute("SELECT a FROM t")).toEqual([{ a: 1 }, { a: 2 }]),
			);
			expect(rows.message).toBe("");
		}));

	it("streams: sixteen at a time, and none that nobody reads", async () => {
		const clock = new FakeClock();
		await trying(
			{ queryTimeout: 1_000 },
			async (attempt) => {
				const open: AsyncIterableIterator<unknown>[] = [];
				const outcome = await attempt(async (d) => {
					for (let count = 0; count < 17; count++) {
						const stream = d.stream(NUMBERS(10));
						open.push(stream);
						await stream.next();
					}
				});
				expect(outcome).toMatchObject({
					code: "database.too_many_streams",
					metadata: { limit: 16 },
				});
				await open[0]!.return!();
				expect((await attempt((d) => d.stream("SELECT 1").next())).code).toBe("ok");
				await clock.advance(1_020);
				await expect(open[1]!.next()).rejects.toThrow(/not read for 1000 ms.*queryTimeout/);
				expect(await open[1]!.next()).toEqual({ done: true, value: undefined });
				expect((await attempt((d) => d.stream("SELECT 1").next())).code).toBe("ok");
			},
			clock,
		);
	});
});
