// Conformance checks of workflows 15: recovery (51), of messages and of what was thrown on.
import { expect, it } from "vitest";
import { CriticalError, Loop } from "../../src/workflow/index.ts";
import { eventually } from "../support/eventually.ts";
import { everywhere, onMemory } from "./support/boundaries.ts";
import { failing } from "./support/failing.ts";
import { type Ctx, World } from "./support/world.ts";

everywhere((on) => {
	/** Fails with `isBroken`, and has what a branch holds go back with that. */
	const cancelling = (holds: (b: Ctx) => Promise<unknown>) => (ctx: Ctx, isBroken: () => boolean) =>
		ctx.join("join", {
			holds: { run: holds },
			fails: {
				run: async (b) => {
					await b.queue.next("go", { names: ["control"] });
					const run = () => {
						if (isBroken()) throw new Error("broken");
					};
					await b.step({ name: "s", maxRetries: 0, run });
				},
				onError: "cancel",
			},
		});
	const holding = (completable: boolean) => async (b: Ctx) => {
		await b.queue.next("m", { names: ["work"], completable });
		await b.queue.next("more", { names: ["out"], allowOpen: true });
	};

	it.each<[string, boolean, (ctx: Ctx, isBroken: () => boolean) => Promise<unknown>]>([
		["a failed iteration", true, (ctx) => failing(ctx)],
		["a cancelled branch", true, cancelling(holding(true))],
		[
			"a branch in a cancelled one",
			true,
			cancelling((b) => b.join("k", { c: { run: holding(true) } })),
		],
		["a cancelled branch that received it for good", false, cancelling(holding(false))],
	])(
		"51. recover does not wait again for a message that %s gave back and others have handled since",
		async (_what, completable, fails) => {
			let isBroken = true;
			await using world = await World.start(async (ctx, { ledger }) => {
				await fails(ctx, () => isBroken).catch(() => {});
				const again = await ctx.queue.next("again", { names: ["work"], completable });
				if (again.complete) await again.complete();
				await ctx.step({
					name: "use",
					maxRetries: 0,
					run: () => {
						if (isBroken) throw new Error("broken");
						ledger.push(String(again.body));
					},
				});
			}, on);
			await world.send("work", "m");
			await world.send("control");
			await eventually(async () => expect((await world.status()).state).toBe("failed"));
			isBroken = false;
			await world.call("recover");
			await eventually(async () => expect((await world.status()).state).toBe("completed"));
			expect([world.ledger, await world.call("size", "work")]).toEqual([["m"], 0]);
		},
	);

	it.each<[string, boolean]>([
		["a failed iteration", false],
		["a cancelled branch", true],
	])(
		"51. recover does a failure again that was caught only to clean up, though a message of %s is gone",
		async (_what, isCancelled) => {
			let isBroken = true;
			const handle = (ctx: Ctx, ledger: string[]) =>
				ctx.loop("loop", async (loop) => {
					const message = await loop.queue.next("m", { names: ["work"], completable: true });
					if (isCancelled) await loop.queue.next("more", { names: ["out"], allowOpen: true });
					await loop.step({
						name: "handle",
						maxRetries: 0,
						run: () => {
							if (isBroken) throw new Error("broken");
							ledger.push(String(message.body));
						},
					});
					await message.complete();
					return Loop.break();
				});
			await using world = await World.start(async (ctx, { ledger }) => {
				const work = isCancelled
					? cancelling((b) => handle(b, ledger))(ctx, () => isBroken)
					: handle(ctx, ledger);
				await work.catch(async (error: unknown) => {
					await ctx.step("clean up", () => {});
					throw error;
				});
			}, on);
			await world.send("work", "m");
			if (isCancelled) await world.send("control");
			await eventually(async () => expect((await world.status()).state).toBe("failed"));
			expect(await world.call("take", "work")).toBe("m");
			isBroken = false;
			await world.call("recover");
			for (const name of ["work", "out"]) await world.send(name, "next");
			await eventually(async () => expect((await world.status()).state).toBe("completed"));
			expect([world.ledger, await world.call("size", "work")]).toEqual([["next"], 0]);
		},
	);

	it.each<[string, (ctx: Ctx, run: (at: Ctx) => Promise<unknown>) => Promise<unknown>]>([
		["its failed iteration", (ctx, run) => run(ctx)],
		["its failed iteration in a branch", (ctx, run) => ctx.join("j", { a: { run } })],
	])("51. recover waits again for a message that %s gave back", async (_what, within) => {
		let isBroken = true;
		await using world = await World.start(async (ctx) => {
			const work = (at: Ctx) =>
				at.loop("loop", async (loop) => {
					const { body, complete } = await loop.queue.next("m", {
						names: ["work"],
						completable: true,
					});
					await loop.step({
						name: "s",
						maxRetries: 0,
						run: () => {
							if (isBroken) throw new Error("broken");
							ctx.state.log.push(String(body));
						},
					});
					await complete();
					return Loop.break();
				});
			await within(ctx, work);
		}, on);
		await world.send("work", "m");
		await eventually(async () => expect((await world.status()).state).toBe("failed"));
		expect(await world.call("take", "work")).toBe("m");
		isBroken = false;
		await world.call("recover");
		await world.send("work", "next");
		await eventually(async () => expect((await world.status()).state).toBe("completed"));
		expect([(await world.state()).log, await world.call("size")]).toEqual([["next"], 0]);
	});
});

onMemory.it.each<[string, (ctx: Ctx, fails: (at: Ctx) => Promise<void>) => Promise<unknown>]>([
	["the workflow", (ctx, fails) => fails(ctx)],
	["a branch", (ctx, fails) => ctx.join("j", { a: { run: fails } })],
	[
		"an iteration",
		(ctx, fails) =>
			ctx.loop("l", async (loop) => {
				await fails(loop);
				return Loop.break();
			}),
	],
])(
	"10.4. recover needs no more what came of a step's error before it was thrown on in %s",
	async (_where, place) => {
		let isBroken = true;
		await using world = await World.start(
			(ctx, { ledger }) =>
				place(ctx, async (at) => {
					const run = () => {
						if (isBroken) throw new CriticalError("broken");
					};
					await at.step("s", run).catch(async (error: unknown) => {
						await at.step("clean up", () => void ledger.push("cleaned up"));
						throw error;
					});
					await at.step("more", () => void ledger.push("done"));
				}),
			{ workflow: { strictRoot: true } },
		);
		await eventually(async () => expect((await world.status()).state).toBe("failed"));
		isBroken = false;
		await world.call("recover");
		await eventually(async () => expect((await world.status()).state).toBe("completed"));
		expect(world.ledger).toEqual(["cleaned up", "done"]);
	},
);

onMemory.it(
	"10.4. recover does nothing again that succeeded before a failure was thrown on",
	async () => {
		let isBroken = true;
		await using world = await World.start(async (ctx, { ledger }) => {
			let failure: unknown;
			for (const name of ["a", "b", "c"]) {
				const run = () => {
					if (isBroken && name === "a") throw new CriticalError("broken");
					ledger.push(name);
				};
				await ctx.step(name, run).catch((error: unknown) => {
					failure = error;
				});
			}
			if (failure) throw failure;
		});
		await eventually(async () => expect((await world.status()).state).toBe("failed"));
		isBroken = false;
		await world.call("recover");
		await eventually(async () => expect((await world.status()).state).toBe("completed"));
		expect(world.ledger).toEqual(["b", "c", "a"]);
	},
);

onMemory.describe("10.4. recover of a wait that timed out", () => {
	const LIMIT = { names: ["work"], timeout: 1_000 } as const;

	const places: [string, (ctx: Ctx) => Promise<{ body: unknown }>][] = [
		["the workflow", (ctx) => ctx.queue.next("m", LIMIT)],
		[
			"a later iteration",
			(ctx) =>
				ctx.loop({
					name: "loop",
					state: 0,
					run: async (loop, n) => {
						await loop.step("before", () => {});
						if (n < 2) return Loop.continue(n + 1);
						return Loop.break(await loop.queue.next("m", LIMIT));
					},
				}),
		],
		[
			"a branch of a join",
			async (ctx) => {
				const { a } = await ctx.join("join", {
					a: { run: (b) => b.queue.next("m", LIMIT) },
					other: { run: (b) => b.sleep("longer", 1_500) },
				});
				return a;
			},
		],
	];

	it.each(places)("in %s waits again, with all of its time", async (_where, wait) => {
		await using world = await World.start(async (ctx) => {
			await ctx.step("first", () => {
				ctx.state.n += 1;
			});
			return (await wait(ctx)).body;
		});
		await world.advance(2_000);
		expect((await world.status()).state).toBe("failed");
		await world.call("recover");
		await world.settle();
		const [waiting] = (await world.status()).waitingFor;
		expect(waiting).toMatchObject({ names: ["work"], deadline: world.clock.now() + 1_000 });
		await world.advance(1_000);
		expect((await world.status()).state).toBe("failed");
		await world.send("work", "late");
		await world.crash();
		await world.call("recover");
		await eventually(async () => {
			expect(await world.status()).toMatchObject({ state: "completed", output: "late" });
		});
		expect((await world.state()).n).toBe(1);
	});

	/** Does something before it throws an error on, as it is or as the cause of another one. */
	const cleanUp =
		(at: Ctx, ledger: string[], wraps = false) =>
		async (error: unknown) => {
			await at.step("clean up", () => void ledger.push("cleaned up"));
			throw wraps ? new Error("wrapped", { cause: error }) : error;
		};
	type Wait = (ctx: Ctx, ledger: string[]) => Promise<{ body: unknown }>;
	const thrownOn: [string, Wait][] = [
		[
			"that is thrown on",
			(ctx, ledger) => ctx.queue.next("m", LIMIT).catch(cleanUp(ctx, ledger) as never),
		],
		[
			"that is the cause of what is thrown",
			(ctx, ledger) => ctx.queue.next("m", LIMIT).catch(cleanUp(ctx, ledger, true) as never),
		],
		[
			"that is thrown on in an iteration, and behind it",
			(ctx, ledger) =>
				ctx
					.loop("loop", async (loop) =>
						Loop.break(
							await loop.queue.next("m", LIMIT).catch(cleanUp(loop, ledger, true) as never),
						),
					)
					.catch(cleanUp(ctx, ledger) as never),
		],
		[
			"that is thrown on in a branch",
			async (ctx, ledger) => {
				const { a } = await ctx.join("join", {
					a: { run: (b) => b.queue.next("m", LIMIT).catch(cleanUp(b, ledger) as never) },
				});
				return a as never;
			},
		],
		[
			"that is thrown on behind a join",
			async (ctx, ledger) => {
				const joined = ctx.join("join", { a: { run: (b) => b.queue.next("m", LIMIT) } });
				return (await joined.catch(cleanUp(ctx, ledger, true) as never)).a as never;
			},
		],
		[
			"that is thrown on in a branch, and behind a race",
			async (ctx, ledger) => {
				const run = (b: Ctx) => b.queue.next("m", LIMIT).catch(cleanUp(b, ledger, true) as never);
				const raced = ctx.race("race", [{ name: "a", run }]);
				return (await raced.catch(cleanUp(ctx, ledger) as never)).value as never;
			},
		],
	];
	it.each(thrownOn)("%s waits again, and need not come to what came of it", async (_how, wait) => {
		for (const isCold of [false, true]) {
			await using world = await World.start(
				async (ctx, { ledger }) => {
					await ctx.step("first", () => void ledger.push("first"));
					return (await wait(ctx, ledger)).body;
				},
				{ workflow: { strictRoot: true } },
			);
			if (isCold) await world.crash();
			await world.advance(1_000);
			expect((await world.status()).state).toBe("failed");
			const before = [...world.ledger];
			if (isCold) await world.crash();
			await world.call("recover");
			// Its time is over again.
			await world.advance(1_000);
			expect((await world.status()).state).toBe("failed");
			expect(world.ledger).toEqual(before);
			await world.send("work", "late");
			await world.call("recover");
			await eventually(async () => {
				expect(await world.status()).toMatchObject({ state: "completed", output: "late" });
			});
			expect([world.ledger, await world.call("size")]).toEqual([before, 0]);
		}
	});

	it("leaves one alone whose error was thrown on, and caught further out", async () => {
		let fails = true;
		await using world = await World.start(async (ctx, { ledger }) => {
			const failing = ctx.loop("loop", async (loop) => {
				await loop.queue.next("m", LIMIT).catch(cleanUp(loop, ledger) as never);
			});
			await failing.catch(() => {});
			await ctx.step("next", () => {
				if (fails) throw new CriticalError("not yet");
			});
		});
		await world.advance(1_000);
		expect((await world.status()).state).toBe("failed");
		fails = false;
		await world.send("work", "late");
		await world.call("recover");
		await eventually(async () => expect((await world.status()).state).toBe("completed"));
		expect([world.ledger, await world.call("size")]).toEqual([["cleaned up"], 1]);
	});

	it("leaves one alone that the code has gone on from", async () => {
		let fails = true;
		await using world = await World.start(async (ctx) => {
			const first = await ctx.queue.next("m", LIMIT).catch(() => "none in time");
			await ctx.step("next", () => {
				if (fails) throw new CriticalError("not yet");
			});
			return first;
		});
		await world.advance(1_000);
		expect((await world.status()).state).toBe("failed");
		fails = false;
		await world.send("work", "late");
		await world.call("recover");
		await eventually(async () => {
			expect(await world.status()).toMatchObject({ state: "completed", output: "none in time" });
		});
		expect(await world.call("size")).toBe(1);
	});
});
