// What docs/workflows.md says about options, limits and helpers that no conformance check is about.
import { expect, it } from "vitest";
import { actor, queue } from "../../src/index.ts";
import { type JoinError, Loop, RollbackError, workflow } from "../../src/workflow/index.ts";
import { eventually } from "../support/eventually.ts";
import { Gate } from "../support/gate.ts";
import { TestRuntime } from "../support/test-runtime.ts";
import { outcomeOf, wireAction } from "../support/wire-http.ts";
import { everywhere, onMemory } from "./support/boundaries.ts";
import { type Ctx, World } from "./support/world.ts";

everywhere((on) => {
	it('3.6.3. a branch with onError: "cancel" that fails ends the others where they are', async () => {
		let isAborted = false;
		await using world = await World.start(async (ctx, { ledger }) => {
			const errors = await ctx
				.join("all", {
					fails: {
						run: async (b) => {
							await b.sleep("a while", 100);
							throw new Error("boom");
						},
						onError: "cancel",
					},
					waits: {
						run: async (b) => {
							b.abortSignal.addEventListener("abort", () => {
								isAborted = true;
							});
							await b.sleep("long", 1e9);
							ledger.push("went on");
						},
					},
				})
				.then(
					() => null,
					(error: JoinError) => error.errors,
				);
			const told = Object.entries(errors ?? {}).map(([name, { message }]) => `${name}: ${message}`);
			await ctx.step("note", () => void ctx.state.log.push(...told));
		}, on);
		await world.advance(200);
		expect((await world.state()).log).toEqual([
			"fails: boom",
			'waits: Cancelled because branch "fails" failed',
		]);
		expect([isAborted, world.ledger]).toEqual([true, []]);
		expect((await world.status()).state).toBe("completed");
	});

	it("3.11. now, random and uuid are the same on every replay, and differ from draw to draw", async () => {
		const seen: string[][] = [];
		const replays: boolean[] = [];
		await using world = await World.start(async (ctx) => {
			const drawn = () => [String(ctx.random()), ctx.uuid(), String(ctx.now())];
			const before = drawn();
			await ctx.step("step", () => {});
			replays.push(ctx.isReplaying);
			const after = drawn();
			await ctx.loop({
				name: "loop",
				state: 0,
				run: async (loop, n) => {
					seen.push([...before, ...after, loop.uuid()]);
					await loop.queue.next("wait", { names: ["work"] });
					return Loop.continue(n + 1);
				},
			});
		}, on);
		await world.advance(1_000);
		await world.crash();
		const draws = seen.map((all) => all.join());
		expect([draws.length > 1, new Set(draws).size]).toEqual([true, 1]);
		const [random, uuid, now, laterRandom, laterUuid, laterNow, inLoop] = seen[0]!;
		expect(new Set([random, uuid, laterRandom, laterUuid, inLoop]).size).toBe(5);
		for (const id of [uuid, laterUuid, inLoop]) {
			expect(id).toMatch(/^[\da-f]{8}-[\da-f]{4}-4[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/);
		}
		expect([Number(random) >= 0, Number(random) < 1]).toEqual([true, true]);
		expect(Number(laterNow)).toBeGreaterThanOrEqual(Number(now));
		expect([replays[0], replays.at(-1)]).toEqual([false, true]);
	});

	it.each(["now", "random", "uuid"] as const)("1.5. refuses %s() inside a step", async (helper) => {
		let isFixed = false;
		const drawn: string[] = [];
		await using world = await World.start(async (ctx) => {
			await ctx.step("draws", () => {
				if (!isFixed) ctx[helper]();
			});
			drawn.push(ctx.uuid());
			await ctx.queue.next("wait");
		}, on);
		expect(await world.status()).toMatchObject({
			blocked: true,
			error: { name: "EntryInProgressError" },
		});
		isFixed = true;
		for (let start = 0; start < 2; start++) await world.crash();
		expect((await world.status()).blocked).toBe(false);
		expect([drawn.length > 1, new Set(drawn).size]).toEqual([true, 1]);
	});

	it("3.10. catch lists what is a result; what the block itself throws passes through", async () => {
		const seen: string[] = [];
		await using world = await World.start(async (ctx) => {
			const undo = { name: "undo", run: () => Promise.reject(new RollbackError("undo")) };
			const fails = { name: "fails", maxRetries: 0, run: () => Promise.reject(new Error("no")) };
			const said: string[] = [];
			const tell = (what: string, result: Promise<{ ok: boolean }>) =>
				result.then(
					({ ok }) => said.push(`${what}: ${ok}`),
					(error: Error) => said.push(`${what} threw ${error.name}`),
				);
			await tell(
				"by default",
				ctx.try("a", (b) => b.step(undo)),
			);
			await tell("listed", ctx.try({ name: "b", catch: ["rollback"], run: (b) => b.step(undo) }));
			await tell("not listed", ctx.try({ name: "c", catch: ["join"], run: (b) => b.step(fails) }));
			await tell(
				"plain",
				ctx.try("d", () => Promise.reject(new RangeError("mine"))),
			);
			await tell("tryStep", ctx.tryStep({ ...fails, name: "e", catch: ["timeout"] }));
			await tell("tryStep rollback", ctx.tryStep({ ...undo, name: "f", catch: ["rollback"] }));
			seen.push(said.join("\n"));
			await ctx.queue.next("wait", { names: ["work"] });
		}, on);
		await world.crash();
		expect(await world.status()).toMatchObject({ blocked: false, state: "sleeping" });
		expect(seen.length).toBeGreaterThan(1);
		for (const said of seen) {
			expect(said.split("\n")).toEqual([
				"by default threw RollbackError",
				"listed: false",
				"not listed threw StepExhaustedError",
				"plain threw RangeError",
				"tryStep threw StepExhaustedError",
				"tryStep rollback: false",
			]);
		}
	});
});

onMemory.it.each([
	["an empty name", (ctx: Ctx) => ctx.step("", () => {}), "TypeError", "An entry's name is text"],
	[
		"a long name",
		(ctx: Ctx) => ctx.step("é".repeat(129), () => {}),
		"RangeError",
		"has over 256 bytes",
	],
	[
		"a name that is no text",
		(ctx: Ctx) => ctx.step(`a\ud800`, () => {}),
		"TypeError",
		"half of a surrogate pair",
	],
	[
		"a step that does nothing",
		(ctx: Ctx) => ctx.step({ name: "s" } as never),
		"TypeError",
		'Step "s": run must be a function',
	],
	[
		"a backoff before now",
		(ctx: Ctx) => ctx.step({ name: "s", retryBackoffBase: -1, run: () => {} }),
		"TypeError",
		'Step "s": retryBackoffBase must be milliseconds',
	],
	[
		"no try at all",
		(ctx: Ctx) => ctx.step({ name: "s", maxAttempts: 0, run: () => {} }),
		"TypeError",
		'Step "s": maxAttempts must be a number, 1 or more',
	],
	[
		"queues that are no list",
		(ctx: Ctx) => ctx.queue.next("q", { names: "work" as never }),
		"TypeError",
		'Queue wait "q": names must be a list',
	],
	[
		"a batch of nothing",
		(ctx: Ctx) => ctx.queue.nextBatch("q", { count: 0 }),
		"TypeError",
		'Queue wait "q": count must be a number, 1 or more',
	],
	[
		"a timeout before now",
		(ctx: Ctx) => ctx.queue.nextBatch("q", { timeout: -1 }),
		"TypeError",
		'Queue wait "q": timeout must be milliseconds',
	],
	[
		"a sleep until no time",
		(ctx: Ctx) => ctx.sleepUntil("s", new Date(Number.NaN)),
		"TypeError",
		'Sleep "s" takes a Date or milliseconds',
	],
	[
		"no whole number of iterations",
		(ctx: Ctx) => ctx.loop({ name: "l", historyKeep: 1.5, run: async () => Loop.break() }),
		"RangeError",
		'Loop "l": historyKeep must be a whole number, 0 or more, not 1.5',
	],
	[
		"an interval of nothing",
		(ctx: Ctx) => ctx.loop({ name: "l", commitInterval: 0, run: async () => Loop.break() }),
		"RangeError",
		'Loop "l": commitInterval must be a whole number, 1 or more, not 0',
	],
	[
		"a version before the first",
		(ctx: Ctx) => ctx.getVersion("v", 0),
		"RangeError",
		'getVersion("v", …) takes the latest version',
	],
	[
		"a kind that no entry has",
		(ctx: Ctx) => ctx.removed("r", "steps" as never),
		"TypeError",
		"takes the type of the entry that is gone",
	],
	[
		"a list of what is not there",
		(ctx: Ctx) => ctx.try({ name: "t", catch: ["all" as never], run: async () => {} }),
		"TypeError",
		'try "t": catch is a list of step, join, race, rollback',
	],
])("%s blocks, and says so", async (_what, fn, name, message) => {
	await using world = await World.start(fn);
	const { blocked, error } = await world.status();
	expect([blocked, error]).toMatchObject([
		true,
		{ name, message: expect.stringContaining(message) },
	]);
});

onMemory.it(
	"what a step sends takes room at once, for everybody, until its try is over",
	async () => {
		const gate = new Gate();
		await using world = await World.start(
			async (ctx, { ledger }) => {
				const send = (at: Pick<Ctx, "queue">, body: number, options?: object) =>
					outcomeOf(at.queue.send("out", body, options));
				const fills = (b: Ctx) =>
					b.step("fills", async (c) => {
						for (let n = 1; n <= 5; n++) await c.queue.send("out", n);
						ledger.push(await send(c as never, 6), await send(c as never, 7, { dedupeKey: "k" }));
						if (c.attempt === 1) throw new Error("no");
						await gate.passed;
					});
				const other = async (b: Ctx) => {
					await b.sleep("until the second try", 1_000);
					await b.step(
						"other",
						async (c) => void ledger.push(`other ${await send(c as never, 8)}`),
					);
					ledger.push(`between ${await send(b, 9)}`);
				};
				await ctx.join("both", { fills: { run: fills }, other: { run: other } });
				await ctx.queue.next("end", { names: ["control"] });
			},
			{ options: { maxQueueSize: 5 } },
		);
		await world.advance(1_100);
		const full = ["queue.full", "queue.full"];
		const all = [...full, ...full, "other queue.full", "between queue.full"];
		await eventually(() => expect(world.ledger).toEqual(all));
		expect(await outcomeOf(world.call("put", "out", 10, {}))).toBe("queue.full");
		expect(await world.call("size")).toBe(0);
		gate.open();
		await eventually(async () => expect(await world.call("size")).toBe(5));
		for (let n = 1; n <= 5; n++) expect(await world.call("take", "out")).toBe(n);
		expect(await outcomeOf(world.call("put", "out", 11, {}))).toBe("ok");
	},
);

onMemory.it("what a step sends takes room in its queue, too (maxSize)", async () => {
	const codes: string[] = [];
	const subject = actor({
		queues: { small: queue<number>({ maxSize: 2 }), large: queue<number>() },
		run: workflow(async (ctx) => {
			await ctx.step("send", async (c) => {
				for (const name of ["small", "large", "small", "small", "large"] as const)
					codes.push(await outcomeOf(c.queue.send(name, 1)));
			});
		}),
		actions: { sizes: (c) => [c.queue.size("small"), c.queue.size("large")] },
	});
	await using runtime = await TestRuntime.start({ subject });
	const id = await runtime.actorId("subject");
	await eventually(async () =>
		expect((await wireAction(runtime, id, "sizes")).output).toEqual([2, 2]),
	);
	expect(codes).toEqual(["ok", "ok", "ok", "queue.full", "ok"]);
});

onMemory.it("a name of 256 bytes is fine", async () => {
	await using world = await World.start((ctx) => ctx.step("é".repeat(128), () => {}));
	expect((await world.status()).state).toBe("completed");
});

onMemory.it.each([
	[{ historyKeep: 2 }, 2],
	[{ historySize: 3 }, 3],
	[{ commitInterval: 4 }, 4],
	[{ historyKeep: 0, commitInterval: 4 }, 0],
	[{ historyEvery: 3 }, 20],
	[{ historyPruneInterval: 3 }, 20],
])("3.3.2. with %j, %i finished iterations stay", async (limits, kept) => {
	await using world = await World.start(async (ctx) => {
		await ctx.loop({
			name: "loop",
			state: 0,
			...limits,
			run: async (loop, n) => {
				await loop.step("step", () => n);
				return n === 29 ? Loop.break() : Loop.continue(n + 1);
			},
		});
	});
	expect((await world.status()).state).toBe("completed");
	// The loop, and a step of each iteration.
	expect(await world.entryCount()).toBe(1 + kept);
});

onMemory.it("too many entries are warned of, then block; raising the limit goes on", async () => {
	const workflow = { maxLiveEntries: 1_100 } as { maxLiveEntries: number };
	await using world = await World.start(
		async (ctx) => {
			for (let n = 0; n < 1_200; n++) {
				await ctx.step({ name: `s${n}`, ephemeral: true, run: () => {} });
			}
		},
		{ workflow: workflow as never },
	);
	await eventually(async () => expect((await world.status()).blocked).toBe(true));
	const warnings = world.runtime.log.filter(({ message }) =>
		message.includes("keeps many entries"),
	);
	expect(warnings.map(({ level }) => level)).toEqual(["warn"]);
	const { blocked, error } = await world.status();
	expect([blocked, error?.message]).toEqual([true, expect.stringContaining("1100")]);
	workflow.maxLiveEntries = 2_000;
	await world.crash();
	expect((await world.status()).state).toBe("completed");
});

onMemory.it("more branches than can wait for messages at once block, and say so", async () => {
	const branches = Object.fromEntries(
		Array.from({ length: 1_001 }, (_, n) => [`b${n}`, { run: (b: Ctx) => b.queue.next("m") }]),
	);
	await using world = await World.start((ctx) => ctx.join("join", branches as never));
	const { blocked, error } = await world.status();
	expect([blocked, error?.message]).toEqual([true, expect.stringContaining("1000")]);
});

onMemory.it(
	"3.8.7. more iterations than can be undone fail the workflow, and are undone",
	async () => {
		await using world = await World.start(
			async (ctx, { ledger }) => {
				await ctx.rollbackCheckpoint("checkpoint");
				await ctx.loop({
					name: "orders",
					state: 0,
					run: async (loop, n) => {
						await loop.step({
							name: "s",
							run: () => n,
							rollback: () => void ledger.push(`undo ${n}`),
						});
						return Loop.continue(n + 1);
					},
				});
			},
			{ workflow: { maxRollbackIterations: 2 } as never },
		);
		await world.advance(100);
		const { state, error } = await world.status();
		expect([state, error]).toMatchObject([
			"failed",
			{
				name: "CriticalError",
				message: expect.stringMatching(/^Loop "orders" has more than 2 iterations/),
			},
		]);
		expect(world.ledger).toEqual(["undo 2", "undo 1", "undo 0"]);
	},
);

onMemory.it("long messages and stacks of errors are cut in the record", async () => {
	const seen: { message: string; stack: string }[] = [];
	await using world = await World.start(async (ctx) => {
		await ctx
			.step({
				name: "s",
				maxRetries: 0,
				run: () => {
					const error = new Error("x".repeat(70_000));
					error.stack = "s".repeat(10_000);
					throw error;
				},
			})
			.catch(({ lastError }) => void seen.push(lastError));
		await ctx.queue.next("wait", { names: ["work"] });
	});
	await world.crash();
	expect(seen.map(({ message, stack }) => [message.length, stack.length])).toEqual([
		[65_537, 8_192],
		[65_537, 8_192],
	]);
});

onMemory.it("W1b. the guard's error and its log line say what to do instead", async () => {
	let hint = "";
	await using world = await World.start(async (ctx) => {
		try {
			void ctx.state;
		} catch (error) {
			({ hint } = error as { hint: string });
			throw error;
		}
	});
	expect(hint).toContain("Read it in a step and return the value");
	const [line] = world.runtime.log.filter(({ fields }) => "hint" in fields);
	expect([line?.level, line?.fields]).toMatchObject(["error", { member: "state", hint }]);
});

onMemory.it(
	"3.5.1. an empty list of queues is all of them, and a queue named twice is one",
	async () => {
		await using world = await World.start(async (ctx) => {
			await ctx.queue.next("go", { names: ["control"] });
			const twice = await ctx.queue.nextBatch("twice", { names: ["work", "work"], count: 9 });
			const all = await ctx.queue.nextBatch("all", { names: [], count: 9 });
			await ctx.step("note", () => {
				ctx.state.log.push(...[...twice, ...all].map(({ name, body }) => `${name} ${body}`));
			});
		});
		await world.send("work", 1);
		await world.send("work", 2);
		await world.send("out", 3);
		await world.send("control");
		expect((await world.state()).log).toEqual(["work 1", "work 2", "out 3"]);
	},
);

onMemory.it(
	"3.8.1. a checkpoint covers what is below it, not what is around it; a second one delimits nothing",
	async () => {
		const undoable = (name: string, { ledger }: World) => ({
			name,
			run: () => {},
			rollback: () => void ledger.push(`undo ${name}`),
		});
		await using world = await World.start(async (ctx, self) => {
			await ctx.join("join", {
				a: {
					run: async (b) => {
						await b.rollbackCheckpoint("first");
						await b.step(undoable("before", self));
						await b.rollbackCheckpoint("second");
						await b.try("block", (block) => block.step(undoable("after", self)));
					},
				},
			});
			await ctx.step(undoable("around", self));
		});
		// Without a checkpoint nothing is undone: it is the code that is wrong.
		expect(await world.status()).toMatchObject({
			state: "failed",
			error: { name: "RollbackCheckpointError" },
		});
		expect(world.ledger).toEqual([]);
		await using inside = await World.start(async (ctx, self) => {
			await ctx.rollbackCheckpoint("first");
			await ctx.step(undoable("before", self));
			await ctx.rollbackCheckpoint("second");
			await ctx.step(undoable("after", self));
			throw new Error("stop");
		});
		await inside.advance(100);
		expect(inside.ledger).toEqual(["undo after", "undo before"]);
	},
);

onMemory.it("3.8.2. code that is wrong undoes nothing: it blocks", async () => {
	await using world = await World.start(async (ctx, { ledger }) => {
		await ctx.rollbackCheckpoint("checkpoint");
		await ctx.step({ name: "a", run: () => {}, rollback: () => void ledger.push("undone") });
		void ctx.state;
	});
	await world.advance(5_000);
	expect(await world.status()).toMatchObject({ state: "sleeping", blocked: true });
	expect(world.ledger).toEqual([]);
});

onMemory.it(
	"3.1. onError may change the actor; one that throws is logged, and that is all",
	async () => {
		await using world = await World.start(
			(ctx) =>
				ctx.step({
					name: "s",
					maxRetries: 1,
					run: (c) => {
						if (c.attempt === 1) throw new Error("once");
					},
				}),
			{
				workflow: {
					onError: (c: { state: { log: string[] } }, event: object) => {
						c.state.log.push(...Object.keys(event));
						throw new Error("of the hook");
					},
				} as never,
			},
		);
		await world.advance(1_000);
		expect([(await world.status()).state, (await world.state()).log]).toEqual([
			"completed",
			["step"],
		]);
		const lines = world.runtime.log.filter(({ message }) => message.includes("onError"));
		expect(lines.map(({ level }) => level)).toEqual(["warn"]);
	},
);

onMemory.it(
	"an option that an operation does not take is told of once, and blocks nothing",
	async () => {
		await using world = await World.start(async (ctx) => {
			for (const name of ["a", "b"])
				await ctx.step({ name, run: () => {}, maxRetires: 1 } as never);
			await ctx.queue.nextBatch("m", { nmes: ["work"], timeout: 0 } as never);
		});
		await world.advance(100);
		expect((await world.status()).state).toBe("completed");
		const lines = world.runtime.log.filter(({ message }) => message.includes("this option"));
		expect(lines.map(({ level, fields }) => [level, fields.operation, fields.option])).toEqual([
			["warn", "ctx.step", "maxRetires"],
			["warn", "ctx.queue.nextBatch", "nmes"],
		]);
	},
);
