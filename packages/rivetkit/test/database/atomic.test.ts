import { describe, expect, it } from "vitest";
import { actor } from "../../src/actor/definition.ts";
import { db } from "../../src/db/index.ts";
import { eventually } from "../support/eventually.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { Gate, soon } from "../support/gate.ts";
import { WrappedStore } from "../support/store-wrapper.ts";
import { TestRuntime } from "../support/test-runtime.ts";
import { outcomeOf } from "../support/wire-http.ts";
import { add, all, stage } from "./support/stage.ts";

// SQL in c.atomic (ruling 18), and of code whose time is over (lifecycle W-STOP-1, L11).

const turns = async () => {
	for (let count = 0; count < 20; count++) {
		await new Promise<void>((resolve) => setImmediate(resolve));
	}
};

/** Fails after what `work` did, and some turns. */
const fails = (work: () => unknown) => async () => {
	await work();
	await turns();
	throw new Error("no");
};

describe("SQL in c.atomic", () => {
	it("is one commit with state over waits, and is gone with it when the section fails", async () => {
		const wrapped = new WrappedStore();
		const { subject, on } = stage({ stateSaveInterval: 1 });
		await using runtime = await TestRuntime.start({ subject }, { store: wrapped.store });
		const act = on(runtime);
		await act((d) => add(d, "before"));
		const commits = wrapped.commits.length;
		await act(async (d, c) => {
			await c.atomic(async () => {
				await add(d, "kept 1");
				c.state.n = 1;
				await new Promise((resolve) => setTimeout(resolve, 30));
				await add(d, "kept 2");
			});
		});
		expect(wrapped.commits.length).toBe(commits + 1);
		await act(async (d, c) => {
			await add(d, "before it");
			const failed = c.atomic(
				fails(async () => {
					c.state.n = 7;
					await add(d, "dropped");
					await d.execute("CREATE TABLE dropped (a)");
					await d.execute("DELETE FROM t WHERE a = 'before'");
					expect(await all(d)).toEqual(["kept 1", "kept 2", "before it", "dropped"]);
				}),
			);
			await expect(failed).rejects.toThrow("no");
			await add(d, "after it");
			expect(c.state.n).toBe(1);
		});
		const kept = ["before", "kept 1", "kept 2", "before it", "after it"];
		expect(await act(all)).toEqual(kept);
		await expect(act((d) => d.execute("SELECT * FROM dropped").then(() => {}))).rejects.toThrow();
		await act((_d, c) => c.sleep());
		await eventually(() => expect(runtime.embedded.host.liveActorIds).toEqual([]));
		expect(await act(all)).toEqual(kept);
	});

	it("has the database alone: statements and transactions of others wait until it ends", async () => {
		const { subject, on } = stage();
		await using runtime = await TestRuntime.start({ subject });
		const act = on(runtime);
		const others = new Gate();
		const began = new Gate();
		const order: string[] = [];
		const running = act(async (d) => {
			began.open();
			await others.passed;
			await Promise.all([
				add(d, "statement").then(() => order.push("statement")),
				d.transaction((tx) => add(tx, "transaction")).then(() => order.push("transaction")),
			]);
		});
		await began.passed;
		await act((d, c) =>
			c.atomic(async () => {
				await add(d, "section 1");
				others.open();
				await turns();
				expect(order).toEqual([]);
				await add(d, "section 2");
				order.push("section");
			}),
		);
		await running;
		expect(order).toEqual(["section", "statement", "transaction"]);
		expect(await act(all)).toEqual(["section 1", "section 2", "statement", "transaction"]);
	});

	it("waits for a transaction that was open before", async () => {
		const { subject, on } = stage();
		await using runtime = await TestRuntime.start({ subject });
		const act = on(runtime);
		const inside = new Gate();
		const goOn = new Gate();
		const transaction = act((d) =>
			d.transaction(async (tx) => {
				await add(tx, "transaction 1");
				inside.open();
				await goOn.passed;
				await add(tx, "transaction 2");
			}),
		);
		await inside.passed;
		const section = act((d, c) =>
			c.atomic(async () => {
				goOn.open();
				await add(d, "section");
			}),
		);
		await Promise.all([transaction, section]);
		expect(await act(all)).toEqual(["transaction 1", "transaction 2", "section"]);
	});

	it("leaves alone what others write, before and after it uses the database itself", async () => {
		const { subject, on } = stage();
		await using runtime = await TestRuntime.start({ subject });
		const act = on(runtime);
		const began = new Gate();
		const goOn = new Gate();
		const wrote = new Gate();
		const running = act(async (d) => {
			began.open();
			await goOn.passed;
			await add(d, "other");
			wrote.open();
			await add(d, "other, waiting");
		});
		await began.passed;
		await act(async (d, c) => {
			const failed = c.atomic(
				fails(async () => {
					goOn.open();
					await wrote.passed;
					await add(d, "dropped");
				}),
			);
			await expect(failed).rejects.toThrow("no");
		});
		await running;
		expect(await act(all)).toEqual(["other", "other, waiting"]);
	});

	it("takes c.db.transaction as a part of it, which is undone alone", async () => {
		const { subject, on } = stage();
		await using runtime = await TestRuntime.start({ subject });
		const act = on(runtime);
		await act((d, c) =>
			c.atomic(async () => {
				await add(d, 1);
				await d.transaction((tx) => add(tx, 2));
				const failed = d.transaction(fails(() => add(d, "refused").catch(() => {})));
				await expect(failed).rejects.toThrow("no");
				const undone = d.transaction(async (tx) => {
					await add(tx, "undone");
					throw new Error("changed my mind");
				});
				await expect(undone).rejects.toThrow("changed my mind");
				await add(d, 3);
			}),
		);
		expect(await act(all)).toEqual([1, 2, 3]);
		await act(async (d, c) => {
			const dropped = c.atomic(fails(() => d.transaction((tx) => add(tx, "dropped"))));
			await expect(dropped).rejects.toThrow("no");
		});
		expect(await act(all)).toEqual([1, 2, 3]);
	});

	it("undoes a transaction that the section did not wait for", async () => {
		const { subject, on } = stage();
		await using runtime = await TestRuntime.start({ subject });
		const act = on(runtime);
		const inside = new Gate();
		const goOn = new Gate();
		let late: Promise<string> | undefined;
		await act((d, c) =>
			c.atomic(async () => {
				await add(d, "kept");
				late = outcomeOf(
					d.transaction(async (tx) => {
						await add(tx, "half");
						inside.open();
						await goOn.passed;
						await add(tx, "the other half");
					}),
				);
				await inside.passed;
			}),
		);
		goOn.open();
		expect(await soon(late!)).toBe("database.transaction_over");
		expect(await act(all)).toEqual(["kept"]);
	});

	it("refuses BEGIN, COMMIT and a stream, which would be of its own", async () => {
		const { subject, on } = stage();
		await using runtime = await TestRuntime.start({ subject });
		const act = on(runtime);
		await act((d, c) =>
			c.atomic(async () => {
				await add(d, 1);
				for (const sql of ["BEGIN", "COMMIT", "ROLLBACK", "END"]) {
					expect(await outcomeOf(d.execute(sql))).toBe("database.statement_refused");
				}
				expect(() => d.stream("SELECT 1")).toThrow("c.db.stream inside c.atomic would wait");
			}),
		);
		expect(await act(all)).toEqual([1]);
	});

	it("that is out of time is dropped, and what is left of it writes no more", async () => {
		const clock = new FakeClock();
		const { subject, on } = stage({ sleepTimeout: 1e9, actionTimeout: 1e8 });
		await using runtime = await TestRuntime.start({ subject }, { clock });
		const act = on(runtime);
		const inside = new Gate();
		const goOn = new Gate();
		const late: string[] = [];
		const failed = act((d, c) =>
			outcomeOf(
				c.atomic(
					async () => {
						await add(d, "dropped");
						inside.open();
						await goOn.passed;
						late.push(await outcomeOf(add(d, "late")));
						late.push(await outcomeOf(d.transaction((tx) => add(tx, "late"))));
					},
					{ timeout: 500 },
				),
			),
		);
		await inside.passed;
		await clock.advance(520);
		expect(await failed).toBe("atomic.timed_out");
		await act((d) => add(d, "others"));
		goOn.open();
		await eventually(() => expect(late).toEqual(["atomic.over", "atomic.over"]));
		expect(await act(all)).toEqual(["others"]);
	});

	it("that comes to its end while it waits for the database gives it back", async () => {
		const clock = new FakeClock();
		const { subject, on } = stage({ sleepTimeout: 1e9, actionTimeout: 1e8 });
		await using runtime = await TestRuntime.start({ subject }, { clock });
		const act = on(runtime);
		const inside = new Gate();
		const goOn = new Gate();
		const waits = new Gate();
		const transaction = act((d) =>
			d.transaction(async (tx) => {
				inside.open();
				await goOn.passed;
				await add(tx, "transaction");
			}),
		);
		await inside.passed;
		const section = act((d, c) =>
			outcomeOf(
				c.atomic(
					async () => {
						const statement = add(d, "never");
						waits.open();
						await statement;
					},
					{ timeout: 500 },
				),
			),
		);
		await waits.passed;
		await clock.advance(520);
		expect(await section).toBe("atomic.timed_out");
		goOn.open();
		await soon(transaction);
		await soon(act((d) => add(d, "next")));
		expect(await act(all)).toEqual(["transaction", "next"]);
	});

	it("fails when a commit fails under it, and the database is at its last commit", async () => {
		const wrapped = new WrappedStore();
		const { subject, on } = stage();
		await using runtime = await TestRuntime.start({ subject }, { store: wrapped.store });
		const act = on(runtime);
		await act((d) => add(d, "committed"));
		const inside = new Gate();
		const release = wrapped.hold();
		wrapped.failNext();
		const first = outcomeOf(act((d) => add(d, "lost")));
		await eventually(() => expect(wrapped.fail).toBeNull());
		let seen = "";
		const section = outcomeOf(
			act((d, c) =>
				c.atomic(async () => {
					await add(d, "lost as well");
					inside.open();
					await turns();
					release();
					await eventually(async () => {
						seen = await outcomeOf(add(d, "never"));
						expect(seen).not.toBe("ok");
					});
				}),
			),
		);
		await inside.passed;
		expect(await first).toBe("rivetkit.internal_error");
		expect(await section).not.toBe("ok");
		expect(seen).toMatch(/rolled_back|internal_error/);
		await eventually(async () => expect(await act(all)).toEqual(["committed"]));
	});

	it("with a constraint that only its end can check takes everything down with it", async () => {
		const { subject, on } = stage();
		await using runtime = await TestRuntime.start({ subject });
		const act = on(runtime);
		await act((d) =>
			d.execute(
				"CREATE TABLE child (id INTEGER REFERENCES parent(id) DEFERRABLE INITIALLY DEFERRED); CREATE TABLE parent (id INTEGER PRIMARY KEY)",
			),
		);
		const outcome = await outcomeOf(
			act((d, c) =>
				c.atomic(async () => {
					c.state.n = 1;
					await add(d, "lost");
					await d.execute("INSERT INTO child VALUES (7)");
				}),
			),
		);
		expect(outcome).toBe("rivetkit.internal_error");
		await eventually(async () => expect(await act(all)).toEqual([]));
		expect(await act((_d, c) => c.state.n)).toBe(0);
	});
});

describe("code whose time is over", () => {
	it("an action beyond the grace period writes nothing more, hooks of the stop still do", async () => {
		const begun = new Gate();
		const goOn = new Gate();
		const late: string[] = [];
		const subject = actor({
			db: db({
				onMigrate: async (d) => void (await d.execute("CREATE TABLE IF NOT EXISTS t (a)")),
			}),
			options: { sleepGracePeriod: 20 },
			onSleep: async (c) => {
				goOn.open();
				// At once: the call has used up the time of the stop, and nobody waits for the hook.
				await add(c.db, "onSleep");
			},
			actions: {
				stay: async (c) => {
					const { db: d } = c;
					await add(d, "in time");
					begun.open();
					await goOn.passed;
					late.push(
						await outcomeOf(add(d, "late")),
						await outcomeOf(d.transaction((tx) => add(tx, "late"))),
						await outcomeOf(d.stream("SELECT 1").next()),
					);
				},
				nap: (c) => c.sleep(),
				all: (c) => all(c.db),
			},
		});
		await using runtime = await TestRuntime.start({ subject });
		const handle = runtime.localClient().subject!.getOrCreate(["a"]) as unknown as {
			[name: string]: () => Promise<unknown>;
		};
		const staying = outcomeOf(handle.stay!());
		await begun.passed;
		await handle.nap!();
		expect(await staying).toBe("actor.stopping");
		await eventually(() => expect(runtime.embedded.host.liveActorIds).toEqual([]));
		await eventually(() => expect(late).toHaveLength(3));
		expect(late).toEqual(["actor.stopping", "actor.stopping", "actor.stopping"]);
		expect(await handle.all!()).toEqual(["in time", "onSleep"]);
	});

	it("run that ignores the abort signal writes nothing more, and its BEGIN is rolled back", async () => {
		const begun = new Gate();
		const goOn = new Gate();
		let late = "";
		let lives = 0;
		const subject = actor({
			db: db({
				onMigrate: async (d) => void (await d.execute("CREATE TABLE IF NOT EXISTS t (a)")),
			}),
			options: { runStopTimeout: 20 },
			onSleep: (c) => add(c.db, "onSleep").then(() => {}),
			run: async (c) => {
				const { db: d } = c;
				if (lives++ > 0) return;
				await add(d, "in time");
				await d.execute("BEGIN; INSERT INTO t VALUES ('half')");
				begun.open();
				await goOn.passed;
				late = await outcomeOf(add(d, "late"));
			},
			actions: { nap: (c) => c.sleep(), all: (c) => all(c.db) },
		});
		await using runtime = await TestRuntime.start({ subject });
		const handle = runtime.localClient().subject!.getOrCreate(["a"]) as unknown as {
			[name: string]: () => Promise<unknown>;
		};
		expect(await handle.all!()).toBeDefined();
		await begun.passed;
		await handle.nap!();
		await eventually(() => expect(runtime.embedded.host.liveActorIds).toEqual([]));
		goOn.open();
		await eventually(() => expect(late).toMatch(/closed|stopping/));
		expect(await handle.all!()).toEqual(["in time", "onSleep"]);
	});

	it("what run began by hand is rolled back when run ends", async () => {
		const done = new Gate();
		const subject = actor({
			db: db({
				onMigrate: async (d) => void (await d.execute("CREATE TABLE IF NOT EXISTS t (a)")),
			}),
			options: { noSleep: true },
			run: async (c) => {
				await add(c.db, "kept");
				await c.db.execute("BEGIN; INSERT INTO t VALUES ('half')");
				done.open();
			},
			actions: { all: (c) => all(c.db) },
		});
		await using runtime = await TestRuntime.start({ subject });
		const handle = runtime.localClient().subject!.getOrCreate(["a"]) as unknown as {
			all(): Promise<unknown>;
		};
		await handle.all();
		await done.passed;
		await eventually(async () => expect(await handle.all()).toEqual(["kept"]));
		expect(runtime.log.filter(({ message }) => /BEGIN/.test(message))).toHaveLength(1);
	});
});
