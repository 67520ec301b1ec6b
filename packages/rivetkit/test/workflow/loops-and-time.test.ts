// Conformance checks of workflows 15: loops (19 to 23), time (24 to 27).
import { expect, it } from "vitest";
import { Loop } from "../../src/workflow/index.ts";
import { eventually } from "../support/eventually.ts";
import { everywhere, onMemory } from "./support/boundaries.ts";
import { type Ctx, World } from "./support/world.ts";

everywhere((on) => {
	// As many as show that nothing adds up; on PostgreSQL they take long.
	const rounds = on.isRemote ? 10 : 50;
	it(`19. nests loops, joins, races and blocks three levels deep over ${rounds} iterations`, async () => {
		await using world = await World.start(async (ctx) => {
			await ctx.loop({
				name: "outer",
				state: 0,
				run: async (outer, n) => {
					const joined = await outer.join("both", {
						loop: {
							run: (branch) =>
								branch.loop({
									name: "inner",
									state: 0,
									run: async (inner, m) => {
										await inner.sleep("nap", 10);
										await inner.step("step", () => {
											ctx.state.n += 1;
										});
										return m === 1 ? Loop.break(m) : Loop.continue(m + 1);
									},
								}),
						},
						race: {
							run: async (branch) => {
								const won = await branch.race("first", [
									{ name: "slow", run: (b) => b.sleep("long", 1_000) },
									{
										name: "block",
										run: (b) => b.try("try", async (t) => t.step("quick", () => n)),
									},
								]);
								return won.winner;
							},
						},
					});
					await outer.step("check", () => {
						if (joined.loop !== 1 || joined.race !== "block") ctx.state.log.push("wrong");
					});
					return n === rounds - 1 ? Loop.break() : Loop.continue(n + 1);
				},
			});
		}, on);
		await world.advance(rounds * 25);
		expect(await world.status()).toMatchObject({ state: "completed", blocked: false });
		expect(await world.state()).toMatchObject({ n: 2 * rounds, log: [] });
	});

	it("21. goes on after nothing, Loop.continue() and results made by hand", async () => {
		let round = 0;
		const results = [
			undefined,
			Loop.continue(),
			{ continue: true, state: undefined } as const,
			{ break: true, value: "end" } as const,
		];
		await using world = await World.start(async (ctx) => {
			const end = await ctx.loop("loop", async (loop) => {
				round = await loop.step("round", () => ++round);
				return results[round - 1] as never;
			});
			await ctx.step("end", () => void ctx.state.log.push(String(end), String(round)));
		}, on);
		expect((await world.state()).log).toEqual(["end", "4"]);
	});

	it.each([
		[
			undefined,
			'Loop "bad" returned undefined for a stateful iteration. Return Loop.continue(state) or Loop.break(value).',
		],
		["text", 'Loop "bad" returned a string, neither Loop.continue(state) nor Loop.break(value).'],
		[
			{ a: 1 },
			'Loop "bad" returned an object that is neither Loop.continue(state) nor Loop.break(value).',
		],
	])("21. says which loop returned %j", async (result, message) => {
		await using world = await World.start(
			(ctx) => ctx.loop({ name: "bad", state: 0, run: async () => result as never }),
			on,
		);
		expect(await world.status()).toMatchObject({ blocked: true, error: { message } });
	});

	it("22. remembers Loop.break() and takes null for a state", async () => {
		await using world = await World.start(async (ctx, { ledger }) => {
			await ctx.loop("void", async (loop) => {
				await loop.step("step", () => void ledger.push("void"));
				return Loop.break();
			});
			await ctx.loop({
				name: "null",
				state: null as null | number,
				run: async (_loop, state) =>
					state === null ? Loop.continue<number | null>(1) : Loop.break(),
			});
			await ctx.queue.next("wait");
		}, on);
		await world.crash();
		expect(world.ledger).toEqual(["void"]);
		expect(await world.status()).toMatchObject({ blocked: false, state: "sleeping" });
	});

	it("3.3.6. a state that is changed in place is private until it is returned", async () => {
		await using world = await World.start(async (ctx) => {
			const list = await ctx.loop({
				name: "loop",
				state: [] as number[],
				run: async (loop, state) => {
					state.push(1);
					const fails = await loop.tryStep({
						name: "step",
						maxRetries: 0,
						run: () => ctx.state.n++ === 0 && Promise.reject(new Error("x")),
					});
					return fails.ok ? Loop.break(state) : Loop.continue([7]);
				},
			});
			await ctx.step("note", () => void ctx.state.log.push(JSON.stringify(list)));
		}, on);
		expect((await world.state()).log).toEqual(["[7,1]"]);
	});

	it("24. ends sleeps of the past at once, rounds up, and names what is no time", async () => {
		await using world = await World.start(async (ctx, { clock }) => {
			await ctx.sleep("negative", -1);
			await ctx.sleep("zero", 0);
			await ctx.sleepUntil("past", clock.now() - 5);
			await ctx.sleepUntil("date", new Date(clock.now()));
			await ctx.sleep("fraction", 1.5);
			await ctx.step("done", () => {
				ctx.state.n = 1;
			});
			await ctx.sleep("no time", Number.NaN);
		}, on);
		expect((await world.state()).n).toBe(0);
		await world.advance(2);
		expect((await world.state()).n).toBe(1);
		expect(await world.status()).toMatchObject({
			blocked: true,
			error: { name: "TypeError", message: expect.stringContaining('Sleep "no time"') },
		});
	});

	it("25. lets the actor sleep, and wakes it at the deadline without a client", async () => {
		await using world = await World.start(
			async (ctx) => {
				await ctx.sleep("ten seconds", 10_000);
				await ctx.step("done", () => {
					ctx.state.n = 1;
				});
			},
			{ ...on, options: { sleepTimeout: 1_000 } },
		);
		await world.advance(5_000);
		expect(world.isAwake).toBe(false);
		await world.advance(5_100);
		expect(world.isAwake).toBe(true);
		expect((await world.state()).n).toBe(1);
	});

	// Alarms are looked for every ten minutes of them.
	it.skipIf(on.isRemote)("25. keeps a deadline of 30 days over restarts", async () => {
		const day = 86_400_000;
		await using world = await World.start(
			async (ctx, { clock, ledger }) => {
				await ctx.sleep("a month", 30 * day);
				await ctx.step("month", () => void ledger.push(String(clock.now())));
			},
			{ ...on, options: { sleepTimeout: 1_000 } },
		);
		const start = world.clock.now();
		await world.advance(10 * day);
		expect(world.isAwake).toBe(false);
		await world.crash();
		await world.advance(19 * day);
		await world.crash();
		expect(world.ledger).toEqual([]);
		await world.advance(day + 50);
		expect(Number(world.ledger[0]) - start - 30 * day).toBeLessThan(100);
	});

	it("25. knows deadlines ten years ahead", async () => {
		const decade = 3_650 * 86_400_000;
		await using world = await World.start((ctx) => ctx.sleep("ten years", decade), on);
		const deadline = world.clock.now() + decade;
		expect((await world.status()).waitingFor).toEqual([{ path: "ten years", deadline }]);
		await world.nap();
		expect(world.isAwake).toBe(false);
		const [alarm] = await world.store.inner.dueAlarms(Number.MAX_SAFE_INTEGER, 1);
		expect(alarm?.alarmTs).toBe(deadline);
	});

	it("27. schedules and a workflow's deadline all fire, on time, asleep or awake", async () => {
		for (const sleepTimeout of [1_000, 1e9]) {
			const between = sleepTimeout === 1e9;
			await using world = await World.start(
				async (ctx) => {
					await ctx.sleep("nap", 20_000);
					await ctx.step("done", () => {
						ctx.state.n = 1;
					});
				},
				{ ...on, options: { sleepTimeout } },
			);
			// One before the deadline and one after it: each is the actor's alarm when its turn comes.
			await world.call("later", 30_000);
			await world.call("later", 10_000);
			const isAwakeAt: boolean[] = [];
			for (const ms of [5_000, 5_500, 5_000, 5_000, 5_000, 5_000]) {
				await world.advance(ms);
				isAwakeAt.push(world.isAwake);
			}
			expect(isAwakeAt).toEqual([between, true, between, true, between, true]);
			expect(await world.state()).toMatchObject({ n: 1, other: 2 });
		}
	});
});

onMemory.it(
	"20, 23. resumes at its iteration, and keeps no more of the others than it is told to",
	async () => {
		const visited: number[] = [];
		const fn = async (ctx: Ctx) => {
			await ctx.loop({
				name: "loop",
				state: 0,
				historyKeep: 5,
				run: async (loop, n) => {
					visited.push(n);
					await loop.step({ name: "step", ephemeral: n % 10 !== 0, run: () => n });
					if (n === 1_234) await loop.queue.next("go on");
					return n + 1 === 10_000 ? Loop.break(n) : Loop.continue(n + 1);
				},
			});
		};
		await using world = await World.start(fn);
		await eventually(() => expect(visited.at(-1)).toBe(1_234));
		await world.settle();
		const deleted = world.store.commits
			.flatMap(({ ops }) => ops)
			.filter(({ op }) => op === "deleteRange").length;
		// Each iteration leaves once: 1,234 are over, and the last five of them are kept.
		expect([deleted > 0, deleted <= 1_229]).toEqual([true, true]);
		visited.length = 0;
		await world.crash();
		expect(visited).toEqual([1_234]);
		// The loop, five finished iterations with a step each, and the step of the one that goes on.
		expect(await world.entryCount()).toBeLessThanOrEqual(7);
		await world.send("work");
		await eventually(() => expect(visited.at(-1)).toBe(9_999));
		expect(visited).toEqual(Array.from({ length: 10_000 - 1_234 }, (_, at) => 1_234 + at));
	},
);

onMemory.it("13.3. a wake at iteration 10,000 reads what one at iteration 10 reads", async () => {
	const reads: (readonly [number, number])[] = [];
	for (const iterations of [10, 10_000]) {
		await using world = await World.start(async (ctx) => {
			await ctx.loop({
				name: "loop",
				state: 0,
				run: async (loop, n) => {
					await loop.step({ name: "step", ephemeral: true, run: () => n });
					if (n === iterations) await loop.queue.next("wait");
					return Loop.continue(n + 1);
				},
			});
		});
		const waitsAt = async () => (await world.status()).waitingFor[0]?.path;
		await eventually(async () => expect(await waitsAt()).toBe(`loop/~${iterations}/wait`));
		await world.settle();
		await world.crash();
		const { reads: all } = world.store;
		reads.push([
			all.reduce((sum, { count }) => sum + count, 0),
			all.reduce((sum, { bytes }) => sum + bytes, 0),
		]);
		const { waitingFor } = await world.status();
		expect(waitingFor[0]?.path).toBe(`loop/~${iterations}/wait`);
	}
	const [few, many] = reads;
	expect(many![0]).toBe(few![0]);
	expect(many![0]).toBeLessThanOrEqual(50);
	expect(Math.abs(many![1]! - few![1]!)).toBeLessThan(64);
});

onMemory.it("13.3. a wake of a resident workflow reads nothing", async () => {
	await using world = await World.start(async (ctx) => {
		await ctx.loop("loop", async (loop) => {
			await loop.queue.next("wait", { names: ["work"] });
			await loop.step("step", () => {
				ctx.state.n += 1;
			});
		});
	});
	await world.send("work", 1);
	world.store.reads = [];
	await world.send("work", 2);
	expect((await world.state()).n).toBe(2);
	expect(world.store.reads).toEqual([]);
});

onMemory.it(
	"26. goes on by itself after the process ended in a step, or between entries",
	async () => {
		let hang = true;
		await using world = await World.start(async (ctx, { ledger }) => {
			await ctx.step("first", () => (hang ? new Promise(() => {}) : void ledger.push("first")));
			if (ledger.length === 1) await new Promise(() => {});
			await ctx.step("second", () => void ledger.push("second"));
		});
		hang = false;
		await world.crash();
		expect(world.ledger).toEqual(["first"]);
		world.ledger.push("go on");
		await world.crash();
		expect(world.ledger).toEqual(["first", "go on", "second"]);
	},
);
