import { describe, expect, it } from "vitest";
import { actor } from "../../src/actor/definition.ts";
import { db, type RawAccess } from "../../src/db/index.ts";
import { eventually } from "../support/eventually.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { Gate, soon } from "../support/gate.ts";
import { WrappedStore } from "../support/store-wrapper.ts";
import { TestRuntime } from "../support/test-runtime.ts";
import { outcomeOf } from "../support/wire-http.ts";
import { add, all, stage } from "./support/stage.ts";

// c.db.transaction and BEGIN by hand (contract: api 11.1, lifecycle W-DB-3, L50).

describe("c.db.transaction", () => {
	it("has the database to itself: others wait, first come, first served", async () => {
		const { subject, on } = stage();
		await using runtime = await TestRuntime.start({ subject });
		const act = on(runtime);
		const inside = new Gate();
		const goOn = new Gate();
		const first = act((d) =>
			d.transaction(async (tx) => {
				await add(tx, 1);
				inside.open();
				await goOn.passed;
				await add(tx, 2);
			}),
		);
		await inside.passed;
		const order: string[] = [];
		const waiting = [
			act((d) => add(d, "plain").then(() => order.push("plain"))),
			act((d) => d.transaction((tx) => add(tx, "second").then(() => order.push("second")))),
			act((d) => all(d).then((rows) => order.push(`read ${rows.join()}`))),
		];
		await new Promise((resolve) => setImmediate(resolve));
		expect(order).toEqual([]);
		goOn.open();
		await Promise.all([first, ...waiting]);
		expect(order).toEqual(["plain", "second", "read 1,2,plain,second"]);
	});

	it("rolls back when its function throws, at once or later, and the next one comes in", async () => {
		const { subject, on } = stage();
		await using runtime = await TestRuntime.start({ subject }, { exposeErrors: true });
		const act = on(runtime);
		const failing = (d: RawAccess) =>
			d.transaction(async (tx) => {
				await add(tx, 1);
				throw new Error("changed my mind");
			});
		await expect(act(failing)).rejects.toThrow("changed my mind");
		await expect(
			act((d) =>
				d.transaction(() => {
					throw new Error("at once");
				}),
			),
		).rejects.toThrow("at once");
		expect(await act((d) => d.transaction(async () => "value"))).toBe("value");
		expect(await act(all)).toEqual([]);
	});

	it("refuses the database itself inside it, with an explanation, also after waiting", async () => {
		const { subject, on } = stage();
		await using runtime = await TestRuntime.start({ subject });
		const act = on(runtime);
		const uses: ((d: RawAccess) => Promise<unknown>)[] = [
			(d) => add(d, 1),
			(d) => d.transaction(() => 1),
			(d) => new Promise((resolve) => setImmediate(resolve)).then(() => all(d)),
			async (d) => void (await d.stream("SELECT 1").next()),
		];
		for (const use of uses) {
			const message = await act((d) =>
				d.transaction(async () => {
					try {
						await soon(use(d));
						return "allowed";
					} catch (error) {
						return `${(error as { code: string }).code}: ${(error as Error).message}`;
					}
				}),
			);
			expect(message).toMatch(/^nested_transaction: .*use the transaction's own `tx`/);
		}
		// What goes on after the transaction is outside.
		await act(async (d) => {
			let later: Promise<unknown> = Promise.resolve();
			await d.transaction(async () => {
				later = new Promise((resolve) => setTimeout(resolve, 1)).then(() => add(d, "later"));
			});
			await later;
		});
		expect(await act(all)).toEqual(["later"]);
	});

	it("of another actor may be used inside it", async () => {
		const { subject, on } = stage();
		await using runtime = await TestRuntime.start({ subject });
		await on(runtime)((d) =>
			d.transaction(async (tx) => {
				await on(runtime, "b")((other) => add(other, "b"));
				await add(tx, "a");
			}),
		);
		expect(await on(runtime)(all)).toEqual(["a"]);
		expect(await on(runtime, "b")(all)).toEqual(["b"]);
	});

	it("ends after its time: rolled back, told so, and its late statements are refused", async () => {
		const clock = new FakeClock();
		const { subject, on } = stage({ sleepTimeout: 1e9, actionTimeout: 1e8 });
		await using runtime = await TestRuntime.start({ subject }, { clock, exposeErrors: true });
		const act = on(runtime);
		const inside = new Gate();
		const goOn = new Gate();
		let late: unknown;
		const outcome = act((d) =>
			outcomeOf(
				d.transaction(
					async (tx) => {
						await add(tx, 1);
						inside.open();
						await goOn.passed;
						late = await outcomeOf(add(tx, 2));
					},
					{ timeout: 500 },
				),
			),
		);
		await inside.passed;
		await clock.advance(520);
		expect(await outcome).toBe("database.transaction_timed_out");
		expect(await act(all)).toEqual([]);
		goOn.open();
		await eventually(() => expect(late).toBe("database.transaction_timed_out"));
		await act(async (d) => {
			await expect(d.transaction(() => 1, { timeout: 0 })).rejects.toThrow(RangeError);
		});
	});

	it("refuses what was not awaited inside it", async () => {
		const { subject, on } = stage();
		await using runtime = await TestRuntime.start({ subject });
		const outcome = await on(runtime)(async (d) => {
			let later: (() => Promise<unknown>) | null = null;
			await d.transaction((tx) => {
				later = () => add(tx, 1);
			});
			return outcomeOf(later!());
		});
		expect(outcome).toBe("database.transaction_over");
	});

	it("spans commits of the actor, which hold nothing of it before it ends", async () => {
		const wrapped = new WrappedStore();
		const { subject, on } = stage();
		await using runtime = await TestRuntime.start({ subject }, { store: wrapped.store });
		const act = on(runtime);
		await act((d) => add(d, "before"));
		const inside = new Gate();
		const goOn = new Gate();
		const transaction = act((d) =>
			d.transaction(async (tx) => {
				for (let row = 0; row < 3_000; row++) await add(tx, `${row}`.repeat(100));
				inside.open();
				await goOn.passed;
			}),
		);
		await inside.passed;
		await runtime.embedded.host.flush();
		const during = wrapped.commits.flatMap(({ ops }) => ops).length;
		goOn.open();
		await transaction;
		await runtime.embedded.host.flush();
		expect(wrapped.commits.flatMap(({ ops }) => ops).length).toBeGreaterThan(during);
		expect(await act(async (d) => (await all(d)).length)).toBe(3_001);
	});

	it("is told when a failed commit has taken the ground from under it", async () => {
		const wrapped = new WrappedStore();
		const { subject, on } = stage();
		await using runtime = await TestRuntime.start({ subject }, { store: wrapped.store });
		const act = on(runtime);
		await act((d) => add(d, "kept"));
		const inside = new Gate();
		const goOn = new Gate();
		const release = wrapped.hold();
		wrapped.failNext();
		const first = outcomeOf(act((d) => add(d, "lost")));
		await eventually(() => expect(wrapped.fail).toBeNull());
		const second = act((d) =>
			outcomeOf(
				d.transaction(async (tx) => {
					await add(tx, "lost as well");
					inside.open();
					await goOn.passed;
					await add(tx, "never");
				}),
			),
		).catch(() => "failed with the commit");
		await inside.passed;
		release();
		expect(await first).toBe("rivetkit.internal_error");
		goOn.open();
		expect(["database.rolled_back", "failed with the commit"]).toContain(await second);
		expect(await act(all)).toEqual(["kept"]);
	});
});

describe("a transaction begun by hand", () => {
	it("left open at the end of its action is rolled back with an error in the log", async () => {
		const { subject, on, plays } = stage();
		await using runtime = await TestRuntime.start({ subject });
		const act = on(runtime);
		const errors = () =>
			runtime.log.filter(({ level, message }) => level === "error" && /BEGIN/.test(message));
		await act(async (d) => {
			await d.execute("BEGIN");
			await add(d, 1);
		});
		expect(errors()).toHaveLength(1);
		expect(await act(all)).toEqual([]);
		await act(async (d) => {
			await d.execute("SAVEPOINT s");
			await add(d, 1);
			throw new Error("in between");
		}).catch(() => {});
		expect(errors()).toHaveLength(2);
		const id = await runtime.actorId("subject", "a");
		plays.set("request", (d) => d.execute("BEGIN; INSERT INTO t VALUES (1)"));
		await fetch(`${runtime.url}/gateway/${id}/request/`);
		expect(errors()).toHaveLength(3);
		expect(await act(all)).toEqual([]);
	});

	it("stays open while its own action runs, whoever else comes and goes", async () => {
		const { subject, on } = stage();
		await using runtime = await TestRuntime.start({ subject });
		const act = on(runtime);
		const begun = new Gate();
		const goOn = new Gate();
		const first = act(async (d) => {
			await d.execute("BEGIN");
			await add(d, 1);
			begun.open();
			await goOn.passed;
			await d.execute("COMMIT");
		});
		await begun.passed;
		// Whole connection: statements of others are in it (api 11.1).
		await act((d) => add(d, 2));
		const transaction = act((d) => d.transaction((tx) => add(tx, 3)));
		const nested = outcomeOf(
			act(async (d) => {
				await d.execute("SELECT 1");
				return 1;
			}),
		);
		expect(await nested).toBe("ok");
		goOn.open();
		await Promise.all([first, transaction]);
		expect(await act(all)).toEqual([1, 2, 3]);
		expect(runtime.log.filter(({ message }) => /BEGIN/.test(message))).toEqual([]);
	});

	it("cannot be followed by c.db.transaction in the same call, which would wait for itself", async () => {
		const { subject, on } = stage();
		await using runtime = await TestRuntime.start({ subject });
		const outcome = await on(runtime)(async (d) => {
			await d.execute("BEGIN");
			return soon(outcomeOf(d.transaction((tx) => add(tx, 1))));
		});
		expect(outcome).toBe("database.nested_transaction");
	});

	it("outside any call ends after a minute", async () => {
		const clock = new FakeClock();
		const begun = new Gate();
		const subject = actor({
			db: db({
				onMigrate: async (d) => void (await d.execute("CREATE TABLE IF NOT EXISTS t (a)")),
			}),
			options: { noSleep: true },
			run: async (c) => {
				await c.db.execute("BEGIN; INSERT INTO t VALUES (1)");
				begun.open();
				await new Promise((resolve) => c.abortSignal.addEventListener("abort", resolve));
			},
			actions: { all: (c) => all(c.db) },
		});
		await using runtime = await TestRuntime.start({ subject }, { clock });
		const handle = runtime.localClient().subject!.getOrCreate(["a"]) as unknown as {
			all(): Promise<unknown>;
		};
		expect(await handle.all()).toEqual([1]);
		await begun.passed;
		await clock.advance(60_020);
		expect(await handle.all()).toEqual([]);
		expect(
			runtime.log.some(({ level, message }) => level === "error" && /BEGIN/.test(message)),
		).toBe(true);
	});
});

it("a transaction that is open when the actor stops is rolled back", async () => {
	const { subject, on } = stage({ sleepGracePeriod: 20 });
	await using runtime = await TestRuntime.start({ subject });
	const act = on(runtime);
	await act((d) => add(d, "kept"));
	const inside = new Gate();
	let late: unknown;
	const goOn = new Gate();
	const open = outcomeOf(
		act((d) =>
			d.transaction(async (tx) => {
				await add(tx, "lost");
				inside.open();
				await goOn.passed;
				late = await outcomeOf(add(tx, "late"));
			}),
		),
	);
	await inside.passed;
	await act((_d, c) => c.sleep());
	expect(await open).toBe("actor.stopping");
	await eventually(() => expect(runtime.embedded.host.liveActorIds).toEqual([]));
	goOn.open();
	await eventually(() => expect(late).toBe("actor.stopping"));
	expect(await act(all)).toEqual(["kept"]);
});
