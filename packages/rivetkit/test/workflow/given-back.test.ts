// Conformance checks of workflows 15: what a branch that is given up has received (39).
import { expect, it } from "vitest";
import { Loop } from "../../src/workflow/index.ts";
import { eventually } from "../support/eventually.ts";
import { Gate } from "../support/gate.ts";
import { WrappedStore } from "../support/store-wrapper.ts";
import { everywhere, onMemory } from "./support/boundaries.ts";
import { type Ctx, World } from "./support/world.ts";

everywhere((on) => {
	it("39. puts a message back at its place that a loser has taken and not used", async () => {
		await using world = await World.start(async (ctx) => {
			await ctx.race("first", [
				{
					name: "taker",
					run: async (b) => {
						await b.queue.next("m", { names: ["work"] });
						await b.sleep("long", 1_000_000);
					},
				},
				{ name: "timer", run: (b) => b.sleep("t", 100) },
			]);
			const all = await ctx.queue.nextBatch("after", { names: ["work"], count: 10 });
			await ctx.step("note", () => void ctx.state.log.push(...all.map(({ body }) => String(body))));
		}, on);
		await world.send("work", "first");
		await world.send("work", "second");
		await world.advance(200);
		expect((await world.state()).log).toEqual(["first", "second"]);
		expect(await world.call("size")).toBe(0);
	});

	it("39. puts a message back of a loser that waits for another, not into that wait", async () => {
		const collect = async (b: Ctx, queue: "work" | "control") => {
			await b.queue.next("one", { names: [queue] });
			await b.queue.next("two", { names: [queue] });
		};
		const a = (b: Ctx) => collect(b, "work");
		const below = (b: Ctx) => b.join("k", { c: { run: (c) => collect(c, "control") } });
		const timer = (b: Ctx) => b.sleep("t", 100);
		const compete: Record<string, (ctx: Ctx) => Promise<unknown>> = {
			race: (ctx) =>
				ctx.race("j", [
					{ name: "a", run: a },
					{ name: "below", run: below },
					{ name: "timer", run: timer },
				]),
			join: (ctx) =>
				ctx
					.join("j", {
						a: { run: a },
						below: { run: below },
						timer: {
							run: async (b) => {
								await timer(b);
								throw new Error("time is over");
							},
							onError: "cancel",
						},
					})
					.catch(() => {}),
		};
		for (const [how, fn] of Object.entries(compete)) {
			await using world = await World.start(async (ctx) => {
				await fn(ctx);
				const all = await ctx.queue.nextBatch("after", { count: 10, timeout: 0 });
				const log = all.map(({ name, attempt }) => `${name} ${attempt}`);
				await ctx.step("note", () => void ctx.state.log.push(...log));
			}, on);
			for (const name of ["work", "control"]) await world.send(name);
			await world.advance(200);
			await eventually(async () => expect((await world.status()).state).toBe("completed"));
			const { log } = await world.state();
			expect([how, log, await world.call("size")]).toEqual([how, ["work 1", "control 1"], 0]);
		}
	});

	it("39. puts a message back of a loser that was ready, too", async () => {
		const branch = (name: "work" | "control") => ({
			name,
			run: async (b: Ctx) => (await b.queue.next("m", { names: [name] })).body as string,
		});
		await using world = await World.start(async (ctx) => {
			await ctx.sleep("until both are there", 100);
			for (const round of ["first", "second"]) {
				const won = await ctx.race(round, [branch("control"), branch("work")]);
				await ctx.step(`note ${round}`, () => void ctx.state.log.push(won.value));
			}
		}, on);
		await world.send("work", "sent first");
		await world.advance(10);
		await world.send("control", "sent second");
		await world.advance(200);
		expect((await world.state()).log).toEqual(["sent first", "sent second"]);
		expect(await world.call("size")).toBe(0);
	});

	it("39. keeps a message that a step was done with, in a branch below too, over a cold start", async () => {
		for (const isBelow of [false, true]) {
			await using world = await World.start(async (ctx) => {
				await ctx.race("first", [
					{
						name: "taker",
						run: async (b) => {
							const { body } = await b.queue.next("m", { names: ["work"] });
							const use = (at: Ctx) =>
								at.step("use", () => void ctx.state.log.push(body as string));
							if (isBelow) await b.join("join", { a: { run: use } });
							else await use(b);
							await b.sleep("long", 1_000_000);
						},
					},
					{ name: "timer", run: (b) => b.sleep("t", 100) },
				]);
				await ctx.queue.next("end", { names: ["control"] });
			}, on);
			await world.send("work", "m");
			await world.crash();
			await world.advance(200);
			expect((await world.status()).waitingFor).toMatchObject([{ path: "end" }]);
			expect([(await world.state()).log, await world.call("size")]).toEqual([["m"], 0]);
		}
	});

	/** What is in the queue when a race is over that `takes` has lost, resident or after a start from records. */
	const leftBy = async (takes: (b: Ctx, use: () => void) => Promise<unknown>, isCold: boolean) => {
		await using world = await World.start(async (ctx) => {
			await ctx.race("first", [
				{ name: "takes", run: (b) => takes(b, () => void ctx.state.n++) },
				{ name: "late", run: (b) => b.sleep("t", 100) },
			]);
			const all = await ctx.queue.nextBatch("after", { names: ["work"], count: 10, timeout: 0 });
			await ctx.step("note", () => void ctx.state.log.push(...all.map((m) => String(m.body))));
		}, on);
		for (const body of ["a", "b", "c"]) await world.send("work", body);
		if (isCold) await world.crash();
		await world.advance(200);
		await eventually(async () => expect((await world.status()).state).toBe("completed"));
		return (await world.state()).log;
	};
	const next = (at: Ctx, name = "m") => at.queue.next(name, { names: ["work"] });
	const long = (at: Ctx) => at.sleep("long", 1e7);

	it.each<[string, string, (b: Ctx, use: () => void) => Promise<unknown>]>([
		[
			"iterations that are over",
			"abc",
			(b) => b.loop({ name: "l", historyKeep: 0, run: async (loop) => void (await next(loop)) }),
		],
		[
			"iterations of a loop that has ended",
			"abc",
			async (b) => {
				const run = async (loop: Ctx, n: number) => {
					await next(loop);
					return n === 2 ? Loop.break() : Loop.continue(n + 1);
				};
				await b.loop({ name: "l", state: 0, historyKeep: 0, run });
				await long(b);
			},
		],
		[
			"iterations after the last step, and not before it",
			"c",
			(b, use) =>
				b.loop({
					name: "l",
					state: 0,
					historyKeep: 0,
					run: async (loop, n) => {
						await next(loop);
						if (n === 1) await loop.step("use", use);
						return Loop.continue(n + 1);
					},
				}),
		],
		[
			"front of what has had no step: a loop, a join, a race and a block",
			"abc",
			async (b) => {
				for (const n of [1, 2, 3]) await next(b, `m${n}`);
				await b.loop("l", async () => Loop.break());
				await b.join("j", { c: { run: async () => {} } });
				await b.race("r", [{ name: "c", run: async () => {} }]);
				await b.try("t", async () => {});
				await long(b);
			},
		],
	])(
		"39. puts messages back that a loser has taken in %s, over a cold start too",
		async (_what, left, takes) => {
			for (const isCold of [false, true]) {
				expect([isCold, ...(await leftBy(takes, isCold))]).toEqual([isCold, ...left]);
			}
		},
	);

	it.each<[string, (b: Ctx, branch: { name: string; run(c: Ctx): unknown }) => Promise<unknown>]>([
		["join", (b, { name, run }) => b.join("j", { [name]: { run }, waits: { run: long } })],
		[
			"join within a join",
			(b, { name, run }) =>
				b.join("j", {
					c: { run: (c) => c.join("k", { [name]: { run }, waits: { run: long } }) },
				}),
		],
	])(
		"39. puts a message back that a branch of a loser's %s has ended with, unless it has used it, over a cold start too",
		async (_what, joins) => {
			const run = async (c: Ctx) => void (await next(c));
			const takes = (b: Ctx) => joins(b, { name: "takes", run });
			const uses = (b: Ctx, use: () => void) => {
				const usesIt = async (c: Ctx) => {
					await next(c);
					await c.step("use", use);
				};
				return joins(b, { name: "uses", run: usesIt });
			};
			for (const isCold of [false, true]) {
				expect([isCold, ...(await leftBy(takes, isCold))]).toEqual([isCold, "a", "b", "c"]);
				expect([isCold, ...(await leftBy(uses, isCold))]).toEqual([isCold, "b", "c"]);
			}
		},
	);

	const fails = () => Promise.reject(new Error("no"));
	const takes = async (c: Ctx) => void (await next(c));
	const nothing = async () => {};
	const step = (use: () => void) => (c: Ctx) => c.step("use", use);
	/** Receives a message, and fails in a way that blocks catch. */
	const takesAndFails = async (c: Ctx) => {
		await next(c);
		await c.step({ name: "no", maxRetries: 0, run: fails });
	};
	const andWaits = (first: (b: Ctx, use: () => void) => Promise<unknown>) => {
		return async (b: Ctx, use: () => void) => {
			await first(b, use).catch(() => {});
			await long(b);
		};
	};

	it.each<[string, string, (b: Ctx, use: () => void) => Promise<unknown>]>([
		[
			"join",
			"abc",
			andWaits((b) => b.join("j", { takes: { run: takes }, other: { run: nothing } })),
		],
		[
			"join of several that have taken one",
			"abc",
			andWaits((b) => b.join("j", { x: { run: takes }, y: { run: takes } })),
		],
		[
			"join within a join",
			"abc",
			andWaits((b) => b.join("j", { c: { run: (c) => c.join("k", { takes: { run: takes } }) } })),
		],
		[
			"join, before a step",
			"bc",
			async (b, use) => {
				await b.join("j", { takes: { run: takes } });
				await b.step("use", use);
				await long(b);
			},
		],
		[
			"join in which another one has done a step",
			"bc",
			async (b, use) => {
				await next(b, "before");
				await b.join("j", { takes: { run: takes }, uses: { run: step(use) } });
				await long(b);
			},
		],
		[
			"join that has failed",
			"abc",
			andWaits((b) => b.join("j", { takes: { run: takes }, fails: { run: takesAndFails } })),
		],
		[
			"join whose other branches were cancelled",
			"abc",
			andWaits((b) =>
				b.join("j", {
					takes: { run: takes },
					waits: {
						run: async (c) => {
							await next(c);
							await long(c);
						},
					},
					fails: {
						run: async (c) => {
							await takes(c);
							await c.sleep("s", 10);
							await fails();
						},
						onError: "cancel",
					},
				}),
			),
		],
		[
			"race that it has won",
			"abc",
			andWaits((b) =>
				b.race("r", [
					{ name: "takes", run: takes },
					{ name: "waits", run: long },
				]),
			),
		],
		[
			"race that it has failed in",
			"abc",
			andWaits((b) =>
				b.race("r", [
					{ name: "fails", run: takesAndFails },
					{ name: "wins", run: (c) => c.sleep("s", 10) },
				]),
			),
		],
		[
			"race in which all have failed",
			"abc",
			andWaits((b) =>
				b.race("r", [
					{ name: "x", run: takesAndFails },
					{ name: "y", run: takesAndFails },
				]),
			),
		],
		["block", "abc", andWaits((b) => b.try("t", takes))],
		["block that has failed", "abc", andWaits((b) => b.try("t", takesAndFails))],
		[
			"block that has failed with what it does not catch, in an iteration",
			"abc",
			(b) =>
				b.loop({
					name: "l",
					historyKeep: 0,
					run: async (loop) => {
						const block = async (c: Ctx) => {
							await next(c);
							throw new Error("no");
						};
						await loop.try("t", block).catch(() => {});
					},
				}),
		],
		[
			"join in an iteration",
			"abc",
			(b) =>
				b.loop({
					name: "l",
					historyKeep: 0,
					run: async (loop) => void (await loop.join("j", { takes: { run: takes } })),
				}),
		],
		[
			"loop that has failed, in an iteration",
			"abc",
			(b) =>
				b.loop({
					name: "l",
					historyKeep: 0,
					run: async (loop) => {
						const failing = loop.loop("inner", async (inner) => {
							await next(inner);
							await fails();
						});
						await failing.catch(() => {});
					},
				}),
		],
		[
			"loop that has failed after a step, in an iteration",
			"c",
			async (b, use) => {
				await next(b, "before");
				await b.loop({
					name: "l",
					state: 0,
					historyKeep: 0,
					run: async (loop, n) => {
						const failing = loop.loop("inner", async (inner) => {
							await next(inner);
							if (n === 0) await inner.step("use", use);
							await fails();
						});
						await failing.catch(() => {});
						return Loop.continue(n + 1);
					},
				});
			},
		],
		[
			"loop in an iteration, before which it used one",
			"bc",
			async (b, use) => {
				await b.loop({
					name: "l",
					historyKeep: 0,
					run: async (loop) => {
						await loop.loop("z", async (inner) => {
							await next(inner);
							await inner.step("use", use);
							await next(inner, "again");
							return Loop.break();
						});
						await next(loop, "a");
						await long(loop);
					},
				});
			},
		],
	])(
		"39. puts messages back that a loser has taken in a %s, over a cold start too",
		async (_what, left, run) => {
			for (const isCold of [false, true]) {
				expect([isCold, ...(await leftBy(run, isCold))]).toEqual([isCold, ...left]);
			}
		},
	);

	it.each<[string, (c: Ctx) => Promise<unknown>]>([
		["by itself", takesAndFails],
		["in an iteration", (c) => c.loop("l", takesAndFails)],
		["in a block", (c) => c.try({ name: "t", catch: [], run: takesAndFails })],
		["with a branch of its own", (c) => c.join("k", { fails: { run: takesAndFails } })],
	])(
		"39. puts a message back that a branch of a loser's join has failed with, %s, over a cold start too",
		async (_how, run) => {
			const joins = (b: Ctx) => b.join("j", { fails: { run }, waits: { run: long } });
			for (const isCold of [false, true]) {
				expect([isCold, ...(await leftBy(joins, isCold))]).toEqual([isCold, ..."abc"]);
			}
		},
	);

	it("39. puts a message back that a branch has ended with of a join that failed code did not wait for", async () => {
		const gate = new Gate();
		await using world = await World.start(async (ctx) => {
			const failing = ctx.loop("l", async (loop) => {
				void loop.join("j", { takes: { run: takes }, waits: { run: long } });
				await gate.passed;
				throw new Error("no");
			});
			await failing.catch(() => {});
			const all = await ctx.queue.nextBatch("after", { names: ["work"], timeout: 0 });
			await ctx.step("note", () => void ctx.state.log.push(...all.map((m) => String(m.body))));
		}, on);
		await world.send("work", "a");
		gate.open();
		await eventually(async () => expect((await world.status()).state).toBe("completed"));
		expect((await world.state()).log).toEqual(["a"]);
	});

	it("3.3.3. forgets iterations in a branch that got no message in time, over cold starts too", async () => {
		await using world = await World.start(async (ctx) => {
			const run = async (loop: Ctx) => {
				await loop.queue.nextBatch("m", { names: ["work"], timeout: 100 });
				await loop.sleep("pause", 100);
			};
			const polls = (b: Ctx) => b.loop({ name: "l", historyKeep: 0, run });
			await ctx.join("j", { polls: { run: polls } });
		}, on);
		await world.advance(150);
		await world.crash();
		await world.advance(2_000);
		// The join, the loop, and the iteration that it is in.
		expect(await world.entryCount()).toBeLessThanOrEqual(4);
	});

	it.each<[string, (b: Ctx, use: () => void) => Promise<unknown>]>([
		[
			"a branch below that has ended",
			(b, use) => b.join("j", { uses: { run: (c) => c.step("use", use) }, waits: { run: long } }),
		],
		[
			"an iteration that is over",
			(b, use) =>
				b.loop({
					name: "l",
					state: 0,
					run: async (loop, n) => {
						if (n === 1) await long(loop);
						await loop.step("use", use);
						return Loop.continue(n + 1);
					},
				}),
		],
	])(
		"39. keeps messages that a step was done with in %s, over a cold start too",
		async (_what, uses) => {
			const takes = async (b: Ctx, use: () => void) => {
				for (const n of [1, 2, 3]) await next(b, `m${n}`);
				await uses(b, use);
			};
			for (const isCold of [false, true]) expect(await leftBy(takes, isCold)).toEqual([]);
		},
	);
});

onMemory.it.each([
	["with the commit that would have stored it", false],
	["while it is being stored", true],
])(
	"39. keeps a message that is put back, %s, while that commit is under way",
	async (_when, isLater) => {
		const store = new WrappedStore();
		const gate = new Gate();
		await using world = await World.start(
			async (ctx, { ledger }) => {
				await ctx.race("first", [
					{
						name: "taker",
						run: async (b) => {
							if (isLater) await b.queue.next("go", { names: ["out"] });
							await b.queue.next("m", { names: ["work"] });
							ledger.push("taken");
							await b.sleep("long", 1e7);
						},
					},
					{
						name: "other",
						run: async (b) => void (await b.queue.next("c", { names: ["control"] })),
					},
				]);
				ledger.push("over");
				await gate.passed;
				const all = await ctx.queue.nextBatch("after", { names: ["work"], timeout: 0 });
				await ctx.step("note", () => void ctx.state.log.push(...all.map((m) => String(m.body))));
			},
			{ store: store.store },
		);
		const before = store.commits.length;
		const goOn = store.hold();
		const puts = [world.call("put", "work", "m", {})];
		await eventually(() => expect(store.commits.length).toBe(before + 1));
		if (isLater) puts.push(world.call("put", "out", "go", {}));
		await eventually(() => expect(world.ledger).toEqual(["taken"]));
		puts.push(world.call("put", "control", "over", {}));
		await eventually(() => expect(world.ledger).toEqual(["taken", "over"]));
		goOn();
		await Promise.all(puts);
		await world.settle();
		gate.open();
		await eventually(async () => expect((await world.status()).state).toBe("completed"));
		expect([(await world.state()).log, await world.call("size")]).toEqual([["m"], isLater ? 1 : 0]);
	},
);
