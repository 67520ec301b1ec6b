// Conformance checks of workflows 15: join and race (34 to 38, 40).
import { expect, it } from "vitest";
import { JoinError, RaceError } from "../../src/workflow/index.ts";
import { eventually } from "../support/eventually.ts";
import { everywhere, onMemory } from "./support/boundaries.ts";
import { type Ctx, World } from "./support/world.ts";

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
});

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

onMemory.it(
	"an error of a loser that is thrown behind the race brings no record of it back",
	async () => {
		const counts: number[] = [];
		for (const carries of [false, true]) {
			await using world = await World.start(async (ctx) => {
				let theirs: unknown = new Error("no");
				await ctx.race("r", [
					{
						name: "a",
						run: async (b) => {
							const run = () => Promise.reject(new Error("no"));
							await b.step({ name: "s", maxRetries: 0, run }).catch((error: unknown) => {
								if (carries) theirs = error;
								throw error;
							});
						},
					},
					{ name: "wins", run: (b) => b.sleep("s", 10) },
				]);
				throw theirs;
			});
			await world.advance(10);
			expect((await world.status()).state).toBe("failed");
			counts.push(await world.entryCount());
		}
		expect(counts[1]).toBe(counts[0]);
	},
);
