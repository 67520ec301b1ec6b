// Conformance checks of workflows 15: join and race (34 to 40), compensation (41 to 45).
import { expect, it } from "vitest";
import { JoinError, Loop, RaceError } from "../../src/workflow/index.ts";
import { eventually } from "../support/eventually.ts";
import { Gate } from "../support/gate.ts";
import { wireAction } from "../support/wire-http.ts";
import { everywhere, onMemory } from "./support/boundaries.ts";
import { type Ctx, World } from "./support/world.ts";

/** As much of it as workflows here use. */
interface Client {
	readonly other: { getOrCreate(key: string[]): { tell(what: string): Promise<void> } };
}

everywhere((on) => {
	it("34. joins branches that sleep, retry and wait for messages, the actor asleep meanwhile", async () => {
		await using world = await World.start(
			async (ctx, { ledger }) => {
				const result = await ctx.join("all", {
					sleeping: { run: (b) => b.sleep("s", 60_000).then(() => "slept") },
					flaky: {
						run: (b) =>
							b.step({
								name: "f",
								retryBackoffBase: 10_000,
								run: (c) => {
									ledger.push(`f${c.attempt}`);
									if (c.attempt < 3) throw new Error("no");
									return c.attempt;
								},
							}),
					},
					message: { run: async (b) => (await b.queue.next("m", { names: ["work"] })).body },
				});
				await ctx.step("note", () => void ctx.state.log.push(JSON.stringify(result)));
			},
			{ ...on, options: { sleepTimeout: 1_000 } },
		);
		await world.advance(5_000);
		expect(world.isAwake).toBe(false);
		await world.send("work", "hello");
		await world.advance(60_000);
		expect(world.ledger).toEqual(["f1", "f2", "f3"]);
		expect((await world.state()).log).toEqual([
			JSON.stringify({ sleeping: "slept", flaky: 3, message: "hello" }),
		]);
	});

	it("35. waits for all when one fails; the error is the same after a cold start", async () => {
		const seen: string[] = [];
		await using world = await World.start(async (ctx, { ledger }) => {
			expect(await ctx.join("none", {})).toEqual({});
			try {
				await ctx.join("some", {
					bad: {
						run: (b) =>
							b.step({ name: "x", maxRetries: 0, run: () => Promise.reject(new Error("boom")) }),
					},
					good: {
						run: async (b) => {
							await b.sleep("s", 100);
							await b.step("y", () => void ledger.push("good"));
						},
					},
					plain: { run: () => Promise.reject(new RangeError("plain")) },
				});
			} catch (error) {
				const { name, message, errors } = error as JoinError;
				seen.push(
					JSON.stringify([
						name,
						message,
						error instanceof JoinError,
						Object.entries(errors).map(([key, e]) => [key, e.name, e.message]),
					]),
				);
			}
			await ctx.queue.next("wait");
		}, on);
		await world.advance(200);
		await world.crash();
		expect(world.ledger).toEqual(["good"]);
		expect(new Set(seen).size).toBe(1);
		expect(JSON.parse(seen[0]!)).toEqual([
			"JoinError",
			"Join failed: bad, plain",
			true,
			[
				["bad", "StepExhaustedError", 'Step "x" exhausted retries: Error: boom'],
				["plain", "RangeError", "plain"],
			],
		]);
	});

	it("36. answers a message at once in a race with a timer of a day", async () => {
		for (const names of [["work"] as const, undefined]) {
			await using world = await World.start(
				async (ctx) => {
					const won = await ctx.race("bid", [
						{
							name: "message",
							run: async (b) => (await b.queue.next("m", names ? { names } : {})).body,
						},
						{ name: "timer", run: (b) => b.sleep("t", 86_400_000).then(() => null) },
					]);
					await ctx.step("note", () => void ctx.state.log.push(`${won.winner} ${won.value}`));
					await ctx.queue.next("end", { names: ["control"] });
				},
				{ ...on, options: { sleepTimeout: 1_000 } },
			);
			const began = world.clock.now();
			await world.advance(2_000);
			expect(world.isAwake).toBe(false);
			const alarm = await world.alarmTs();
			expect(alarm).toBeGreaterThanOrEqual(began + 86_400_000 - 2_000);
			const sentAt = world.clock.now();
			await world.send("work", "bid");
			await eventually(async () => expect((await world.state()).log).toEqual(["message bid"]));
			// At once: no time has passed since.
			expect(world.clock.now()).toBe(sentAt);
			const { waitingFor } = await world.status();
			expect(waitingFor).toMatchObject([{ path: "end" }]);
			await world.advance(5_000);
			expect(world.isAwake).toBe(false);
			// Nobody wakes it for a timer that has lost.
			expect(await world.alarmTs()).toBeNull();
			await world.advance(90_000_000);
			expect(world.isAwake).toBe(false);
			expect((await world.state()).log).toEqual(["message bid"]);
		}
	});

	it("38. a winner may return null or nothing; all may fail; losers leave no records", async () => {
		await using world = await World.start(async (ctx) => {
			for (const [index, value] of [null, undefined].entries()) {
				const won = await ctx.race(`race ${index}`, [
					{ name: "slow", run: (b) => b.sleep("t", 1_000_000) },
					{
						name: "quick",
						run: async (b) => {
							await b.step("s", () => {});
							return value;
						},
					},
				]);
				if (won.winner !== "quick" || won.value !== value) throw new Error("wrong");
			}
			const failed = await ctx
				.race("fails", [
					{ name: "a", run: () => Promise.reject(new Error("ea")) },
					{ name: "b", run: () => Promise.reject(new Error("eb")) },
				])
				.catch((error: unknown) => error as RaceError);
			const empty = await ctx.race("empty", []).catch((error: unknown) => error as RaceError);
			await ctx.step("note", () => {
				for (const error of [failed, empty]) {
					const { name, message, errors } = error as RaceError;
					ctx.state.log.push(JSON.stringify([name, message, errors, error instanceof RaceError]));
				}
			});
			await ctx.race("twice", [
				{ name: "same", run: async () => 1 },
				{ name: "same", run: async () => 2 },
			]);
		}, on);
		await world.settle();
		expect((await world.state()).log.map((line) => JSON.parse(line))).toEqual([
			[
				"RaceError",
				"All branches failed",
				[
					{ name: "a", error: "ea" },
					{ name: "b", error: "eb" },
				],
				true,
			],
			["RaceError", "All branches failed", [], true],
		]);
		expect(await world.status()).toMatchObject({
			blocked: true,
			error: { message: expect.stringContaining('there are two branches "same"') },
		});
		// Four races and the note; of the race that failed its two ends, for a recovery.
		expect(await world.entryCount()).toBe(7);
	});

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

	it("37. is decided, although a failed block of a branch was about to get a message", async () => {
		await using world = await World.start(async (ctx) => {
			await ctx.queue.next("go", { names: ["control"] });
			const { winner } = await ctx.race("r", [
				{
					name: "a",
					run: async (b) => {
						const failing = b.loop("l", async (iteration) => {
							void iteration.queue.next("left alone", { names: ["work"] });
							throw new Error("no");
						});
						await failing.catch(() => {});
						await b.sleep("long", 1_000_000);
					},
				},
				{ name: "b", run: (b) => b.step("s", () => {}) },
			]);
			const all = await ctx.queue.nextBatch("after", { names: ["work"], count: 10, timeout: 0 });
			const bodies = all.map(({ body }) => String(body));
			await ctx.step("note", () => void ctx.state.log.push(winner, ...bodies));
		}, on);
		await world.send("work", "stored");
		await world.advance(10);
		await world.send("control");
		await eventually(async () => expect((await world.state()).log).toEqual(["b", "stored"]));
		expect(await world.call("size")).toBe(0);
	});

	it("40. goes on with an open join and race after the actor slept", async () => {
		await using world = await World.start(async (ctx) => {
			const [joined, won] = [
				await ctx.join("join", {
					a: { run: async (b) => (await b.queue.next("m", { names: ["work"] })).body },
					b: { run: (b) => b.step("s", () => "b") },
				}),
				await ctx.race("race", [
					{ name: "m", run: async (b) => (await b.queue.next("m", { names: ["work"] })).body },
					{ name: "t", run: (b) => b.sleep("t", 1_000_000) },
				]),
			];
			await ctx.step("note", () => void ctx.state.log.push(JSON.stringify([joined, won])));
		}, on);
		await world.nap();
		await world.send("work", 1);
		await world.nap();
		await world.send("work", 2);
		await eventually(async () =>
			expect((await world.state()).log).toEqual([
				JSON.stringify([
					{ a: 1, b: "b" },
					{ winner: "m", value: 2 },
				]),
			]),
		);
	});

	it("41. undoes in the reverse order of completion, across branches, not the step that failed", async () => {
		await using world = await World.start(async (ctx, { ledger }) => {
			await ctx.rollbackCheckpoint("checkpoint");
			const undo = (name: string, value?: unknown) => ({
				name,
				run: () => value,
				rollback: (_c: unknown, output: unknown) => void ledger.push(`${name} ${output}`),
			});
			await ctx.step(undo("first", 1));
			await ctx.join("both", {
				slow: {
					run: async (b) => {
						await b.sleep("s", 100);
						await b.step(undo("slow", 2));
					},
				},
				quick: { run: (b) => b.step(undo("quick")) },
			});
			await ctx.step({
				...undo("fails"),
				maxRetries: 0,
				run: () => Promise.reject(new Error("boom")),
			});
		}, on);
		await world.advance(200);
		expect(world.ledger).toEqual(["slow 2", "quick undefined", "first 1"]);
		expect(await world.status()).toMatchObject({
			state: "failed",
			error: { name: "StepExhaustedError" },
		});
	});

	it("42. a checkpoint in an iteration undoes that one, one outside undoes all", async () => {
		for (const isOutside of [false, true]) {
			await using world = await World.start(async (ctx, { ledger }) => {
				if (isOutside) await ctx.rollbackCheckpoint("checkpoint");
				await ctx.loop({
					name: "orders",
					state: 0,
					historyKeep: 1,
					run: async (loop, n) => {
						if (!isOutside) await loop.rollbackCheckpoint("checkpoint");
						await loop.step({
							name: "charge",
							run: () => n,
							rollback: (c, output) => {
								ledger.push(`refund ${output}`);
								c.state.n += 1;
							},
						});
						await loop.sleep("pause", 10);
						if (n === 3) throw new Error("stop");
						return Loop.continue(n + 1);
					},
				});
			}, on);
			await world.advance(100);
			const expected = isOutside ? ["refund 3", "refund 2", "refund 1", "refund 0"] : ["refund 3"];
			expect(world.ledger).toEqual(expected);
			expect((await world.state()).n).toBe(expected.length);
			expect((await world.status()).state).toBe("failed");
		}
	});

	it("44. tries a handler that fails again, in order, and does each once over crashes", async () => {
		const failures = { b: 2 };
		await using world = await World.start(async (ctx, { ledger }) => {
			await ctx.rollbackCheckpoint("checkpoint");
			for (const name of ["a", "b", "c"]) {
				await ctx.step({
					name,
					run: () => {},
					rollback: async () => {
						if (name === "b" && failures.b-- > 0) throw new Error("not yet");
						ledger.push(name);
						if (name === "a") await ctx.client();
					},
				});
			}
			throw new Error("stop");
		}, on);
		expect(world.ledger).toEqual(["c"]);
		await world.crash();
		await world.advance(10_000);
		expect(world.ledger).toEqual(["c", "b", "a"]);
		expect((await world.status()).state).toBe("failed");
	});

	it("45. says that a checkpoint is missing before the step runs", async () => {
		await using world = await World.start(
			(ctx, { ledger }) =>
				ctx.step({ name: "s", run: () => void ledger.push("ran"), rollback: () => {} }),
			on,
		);
		expect(world.ledger).toEqual([]);
		expect(await world.status()).toMatchObject({
			state: "failed",
			error: {
				name: "RollbackCheckpointError",
				message: "Rollback requires a checkpoint before any rollback step",
			},
		});
	});
});

onMemory.it(
	"43. handlers use client() and state; what they change lands with their mark, wherever the process ends",
	async () => {
		const fn = async (ctx: Ctx) => {
			const tell = (what: string) =>
				(ctx.client() as never as Client).other.getOrCreate(["bank"]).tell(what);
			await ctx.rollbackCheckpoint("checkpoint");
			for (const name of ["a", "b"]) {
				await ctx.step({
					name,
					run: () => name,
					rollback: async (_c, output) => {
						ctx.state.n++;
						await tell(`undo ${output}`);
						ctx.state.log.push(output);
					},
				});
			}
			throw new Error("stop");
		};
		/** The marks of the store, next to what the handlers left in the state. */
		const check = async (world: World) => {
			const { n, log } = await world.state();
			const { entryMetadata } = await world.call<{
				entryMetadata: Record<string, { rollbackCompletedAt: number | null }>;
			}>("history");
			const marks = Object.values(entryMetadata).filter((of) => of.rollbackCompletedAt !== null);
			expect([n, log]).toEqual([marks.length, ["b", "a"].slice(0, marks.length)]);
		};
		const bank = async (world: World) => {
			const told = await wireAction(
				world.runtime,
				await world.runtime.actorId("other", "bank"),
				"told",
				[],
			);
			return told.output as string[];
		};
		await using dry = await World.start(fn);
		await eventually(async () => expect((await dry.status()).state).toBe("failed"));
		await check(dry);
		expect(await bank(dry)).toEqual(["undo b", "undo a"]);
		const count = dry.store.commits.length;
		expect(count).toBeGreaterThan(6);
		for (let commit = 3; commit <= count; commit++) {
			for (const side of ["before", "after"] as const) {
				await using world = await World.start(fn, { dieAt: { commit, side } });
				await eventually(() => expect(world.store.isDead).toBe(true));
				await world.crash();
				await check(world);
				await eventually(async () => expect((await world.status()).state).toBe("failed"));
				await check(world);
				expect((await world.state()).log).toEqual(["b", "a"]);
				expect([...new Set(await bank(world))]).toEqual(["undo b", "undo a"]);
			}
		}
	},
);

onMemory.it("3.8.5. a handler that never succeeds can be left out", async () => {
	await using world = await World.start(async (ctx, { ledger }) => {
		await ctx.rollbackCheckpoint("checkpoint");
		await ctx.step({ name: "a", run: () => {}, rollback: () => void ledger.push("a") });
		await ctx.step({
			name: "b",
			maxRetries: 0,
			run: () => {},
			rollback: () => Promise.reject(new Error("never")),
		});
		throw new Error("stop");
	});
	await world.advance(20_000);
	expect(world.ledger).toEqual([]);
	expect((await world.status()).state).toBe("rolling_back");
	expect(world.errors.filter((event) => "rollback" in event)).toHaveLength(1);
	const history = await world.call<{
		entryMetadata: Record<string, { rollbackError: string | null }>;
	}>("history");
	const [id] = Object.entries(history.entryMetadata).find(
		([, { rollbackError }]) => rollbackError === "never",
	)!;
	await world.call("recover", { skipRollback: [id] });
	await world.advance(1_000);
	expect([world.ledger, (await world.status()).state]).toEqual([["a"], "failed"]);
});

// Resident only: a start from records in the middle of a step ends that.
onMemory.it(
	"37. a timer beats a step that runs; the step's signal fires and its late write is refused",
	async () => {
		let late = "";
		await using world = await World.start(async (ctx, { clock }) => {
			const start = clock.now();
			const won = await ctx.race("first", [
				{
					name: "step",
					run: (b) =>
						b.step("slow", (c) => {
							const { state } = c;
							return new Promise<void>((resolve) =>
								c.abortSignal.addEventListener("abort", () => {
									try {
										state.n = 99;
									} catch (error) {
										late = (error as Error).message;
									}
									resolve();
								}),
							);
						}),
				},
				{ name: "timer", run: (b) => b.sleep("t", 200) },
			]);
			await ctx.step("note", () => {
				ctx.state.log.push(`${won.winner} ${clock.now() - start < 400}`);
			});
		});
		await world.advance(300);
		expect((await world.state()).log).toEqual(["timer true"]);
		expect([late, (await world.state()).n]).toEqual([
			"state is only available inside workflow steps",
			0,
		]);
	},
);

onMemory.it("37. a race returns at once, though what runs in its losers never ends", async () => {
	await using world = await World.start(async (ctx, { ledger }) => {
		const never = () => new Promise<string>(() => {});
		const won = await ctx.race("first", [
			{ name: "hangs in a step", run: (b) => b.step("s", never) },
			{ name: "hangs between entries", run: never },
			{ name: "wins", run: (b) => b.step("s", () => "at once") },
		]);
		await ctx.step("after", () => void ledger.push(won.value));
	});
	await eventually(() => expect(world.ledger).toEqual(["at once"]));
	expect((await world.status()).state).toBe("completed");
});

// Resident only: a start from records has not what code left behind before the wait.
onMemory.it("3.8.6. a rollback that looks for handlers completes no message", async () => {
	const gate = new Gate();
	await using world = await World.start(async (ctx, { ledger }) => {
		await ctx.rollbackCheckpoint("checkpoint");
		await ctx.step({ name: "s", run: () => {}, rollback: () => void ledger.push("undone") });
		const message = await ctx.queue.next("m", { names: ["work"], completable: true });
		await gate.passed;
		await message.complete("by the rollback");
		ledger.push("went on");
	});
	const answer = world.ask("work", "m", 1_000);
	await eventually(async () => expect(await world.call("size")).toBe(1));
	await world.call("cancel");
	gate.open();
	await eventually(async () => expect((await world.status()).state).toBe("cancelled"));
	await world.advance(2_000);
	expect((await answer).outcome?.status).toBe("timedOut");
	expect([world.ledger, await world.call("size")]).toEqual([["undone"], 1]);
});

onMemory.it.each<[string, (ctx: Ctx) => Promise<void>]>([
	[
		"its answer cannot be stored",
		async (ctx) => {
			const message = await ctx.queue.next("m", { names: ["work"], completable: true });
			await message.complete(() => {});
		},
	],
	[
		"it went back with an iteration that failed",
		async (ctx) => {
			let complete: (() => Promise<void>) | undefined;
			const failing = ctx.loop("l", async (loop) => {
				const message = await loop.queue.next("m", { names: ["work"], completable: true });
				complete = () => message.complete();
				await loop.step({ name: "no", maxRetries: 0, run: () => Promise.reject(new Error("no")) });
			});
			await failing.catch(() => {});
			await complete!();
		},
	],
])(
	"3.8.6. a rollback undoes what came after a completion that was refused, since %s",
	async (_why, isRefused) => {
		await using world = await World.start(async (ctx, { ledger }) => {
			await ctx.rollbackCheckpoint("checkpoint");
			await isRefused(ctx).catch(() => void ledger.push("refused"));
			await ctx.step({ name: "pay", run: () => {}, rollback: () => void ledger.push("refund") });
			await ctx.step({
				name: "fail",
				maxRetries: 0,
				run: () => Promise.reject(new Error("boom")),
			});
		});
		await world.send("work", "m");
		await eventually(async () => expect((await world.status()).state).toBe("failed"));
		expect([world.ledger, await world.call("size")]).toEqual([["refused", "refused", "refund"], 1]);
	},
);

onMemory.it(
	"3.8.6. a rollback goes on where code that is new completes what was refused before",
	async () => {
		let isMended = false;
		await using world = await World.start(async (ctx, { ledger }) => {
			await ctx.rollbackCheckpoint("checkpoint");
			const message = await ctx.queue.next("m", { names: ["work"], completable: true });
			await message.complete(isMended ? "yes" : () => {}).catch(() => {});
			await ctx.step({
				name: "pay",
				run: () => {},
				rollback: () => {
					if (!isMended) throw new Error("not yet");
					ledger.push("refund");
				},
			});
			throw new Error("stop");
		});
		const answer = world.ask("work", "m", 20_000).catch(() => null);
		await eventually(async () => expect((await world.status()).state).toBe("rolling_back"));
		isMended = true;
		await world.crash();
		await answer;
		await world.advance(10_000);
		await eventually(async () => expect((await world.status()).state).toBe("failed"));
		// Nobody is answered by a rollback.
		expect([world.ledger, await world.call("size")]).toEqual([["refund"], 1]);
	},
);

onMemory.it.each<[string, (b: Ctx) => Promise<unknown>]>([
	["from the beginning", async () => {}],
	["after one that came later", (b) => b.sleepUntil("later", 2)],
	[
		"after those of branches",
		(b) => b.join("first", { c: { run: (c) => c.sleepUntil("later", 2) } }),
	],
])(
	"37. branches that pass deadlines of the past without an end do not hold a race up: %s",
	async (_when, begins) => {
		let hasEnded = false;
		await using world = await World.start(async (ctx) => {
			const passes = (name: string) => ({
				name,
				run: async (b: Ctx) => {
					await begins(b);
					await b.loop("l", async (loop) => {
						// Others are looked at meanwhile.
						for (let moment = 0; moment < 50; moment++) await null;
						if (hasEnded) await loop.sleep("end", 1e9);
						await loop.sleepUntil("x", 0);
					});
				},
			});
			const { winner } = await ctx.race("r", [
				passes("a"),
				{ name: "step", run: (b) => b.step("s", () => {}) },
				{ name: "deadline", run: (b) => b.sleepUntil("s", 1) },
				passes("b"),
			]);
			await ctx.step("note", () => void ctx.state.log.push(winner));
		});
		const log = async () => (await world.state()).log;
		await eventually(async () => expect(await log()).toEqual(["deadline"])).finally(() => {
			hasEnded = true;
		});
	},
);

onMemory.it.each<[string, (loop: Ctx) => void]>([
	["join", (loop) => void loop.join("j", { a: { run: async () => {} } })],
	["race", (loop) => void loop.race("j", [{ name: "a", run: async () => {} }])],
])(
	"5.3. is idle when it waits, whenever a %s ends that a failed iteration began",
	async (_what, begins) => {
		const ROUNDS = 12;
		await using world = await World.start(async (ctx) => {
			for (let round = 0; round < ROUNDS; round++) {
				const failing = ctx.loop(`loop ${round}`, async (loop) => {
					begins(loop);
					// It ends in one of these moments.
					for (let moment = 0; moment < round; moment++) await null;
					throw new Error("no");
				});
				await failing.catch(() => {});
				await ctx.queue.next(`wait ${round}`, { names: ["control"] });
			}
		});
		for (let round = 0; round < ROUNDS; round++) {
			const { state, waitingFor } = await world.status();
			expect([round, state, waitingFor.map(({ path }) => path)]).toEqual([
				round,
				"sleeping",
				[`wait ${round}`],
			]);
			await world.send("control");
		}
		expect((await world.status()).state).toBe("completed");
	},
);

onMemory.it(
	"5.3. waits no more for a sleep of an iteration that failed while others had their turn",
	async () => {
		await using world = await World.start(async (ctx) => {
			// Others get their turn before one of these sleeps, and it begins when its iteration has failed.
			for (let round = 0; round < 64; round++) {
				const failing = ctx.loop(`loop ${round}`, async (loop) => {
					void loop.sleep("left alone", 1e6);
					throw new Error("no");
				});
				await failing.catch(() => {});
			}
			await ctx.queue.next("wait", { names: ["control"] });
		});
		const { state, waitingFor } = await world.status();
		expect([state, waitingFor.map(({ path }) => path)]).toEqual(["sleeping", ["wait"]]);
	},
);

onMemory.it("13.3. a thousand branches share commits", async () => {
	const fn = async (ctx: Ctx) => {
		const branches = Object.fromEntries(
			Array.from({ length: 1_000 }, (_, n) => [`b${n}`, { run: (b: Ctx) => b.step("s", () => n) }]),
		);
		const all = await ctx.join("all", branches);
		await ctx.step("sum", () => {
			ctx.state.n = Object.values(all).reduce((sum, n) => sum + n, 0);
		});
	};
	await using world = await World.start(fn);
	expect((await world.state()).n).toBe(499_500);
	expect(world.store.commits.length).toBeLessThanOrEqual(20);
});

onMemory.it("49. a branch may have the name of something that every object has", async () => {
	const names = ["__proto__", "constructor", "toString", "a"];
	const seen: unknown[] = [];
	await using world = await World.start(async (ctx) => {
		const value = (name: string) => (name === "constructor" ? undefined : { of: name });
		const run = (name: string) => [name, { run: async () => value(name) }] as const;
		const all = await ctx.join("all", Object.fromEntries(names.map(run)));
		seen.push(Object.entries(all), Object.getPrototypeOf(all) === Object.prototype);
		const fails = (name: string) =>
			[
				name,
				{
					run: async () => {
						throw new Error(`of ${name}`);
					},
				},
			] as const;
		const failed = ctx.join("failed", Object.fromEntries(names.map(fails)));
		await failed.catch(({ errors }: JoinError) => {
			seen.push(Object.entries(errors).map(([name, { message }]) => [name, message]));
		});
		await ctx.queue.next("end", { names: ["work"] });
	});
	const first = seen.splice(0);
	expect(first).toEqual([
		names.map((name) => [name, name === "constructor" ? undefined : { of: name }]),
		true,
		names.map((name) => [name, `of ${name}`]),
	]);
	const history = () => world.call<{ entries: { kind: { val: object } }[] }>("history");
	const before = await history();
	expect(JSON.stringify(before)).toContain('"__proto__":{"status":"FAILED"');
	await world.crash();
	expect(seen).toEqual(first);
	expect(await history()).toEqual(before);
	await world.send("work", 1);
	expect((await world.status()).state).toBe("completed");
});
