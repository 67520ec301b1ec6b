// What happens at once, or where it is not expected: controls against commits, losers, foreign messages, many branches.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Loop } from "../../src/workflow/index.ts";
import { eventually } from "../support/eventually.ts";
import { headOf } from "./support/survival.ts";
import { type Ctx, World } from "./support/world.ts";

const undoable = (ledger: string[], by: number) => ({
	run: (c: { state: { n: number } }) => {
		c.state.n += by;
		return by;
	},
	rollback: (c: { state: { n: number } }, output: number | undefined) => {
		ledger.push(`undo ${output}`);
		c.state.n -= by;
	},
});

describe("rollback", () => {
	it("leaves a step alone that timed out, and undoes what came before it", async () => {
		await using world = await World.start(async (ctx, { ledger }) => {
			await ctx.rollbackCheckpoint("checkpoint");
			await ctx.step({ name: "a", ...undoable(ledger, 1) });
			await ctx.step({
				name: "slow",
				timeout: 100,
				run: async (c) => {
					c.state.other += 1;
					await new Promise(() => {});
				},
				rollback: () => void ledger.push("undo slow"),
			});
		});
		await world.advance(1_000);
		expect((await world.status()).state).toBe("failed");
		expect(world.ledger).toEqual(["undo 1"]);
		// What the try did stays (workflows 6.6): only what was completed is undone.
		expect(await world.state()).toMatchObject({ n: 0, other: 1 });
	});

	it("undoes a completed step of a branch that lost its race", async () => {
		await using world = await World.start(async (ctx, { ledger }) => {
			await ctx.rollbackCheckpoint("checkpoint");
			await ctx.race("race", [
				{
					name: "loser",
					run: async (b) => {
						await b.step({ name: "s", ...undoable(ledger, 10) });
						await b.sleep("long", 1e7);
					},
				},
				{ name: "winner", run: (b) => b.sleep("short", 50) },
			]);
			await ctx.step({ name: "fails", maxRetries: 0, run: () => Promise.reject(new Error("no")) });
		});
		await world.advance(40);
		expect((await world.state()).n).toBe(10);
		await world.advance(1_000);
		expect((await world.status()).state).toBe("failed");
		expect(world.ledger).toEqual(["undo 10"]);
		expect((await world.state()).n).toBe(0);
	});

	it("waits with a join that failed for the branch that waits for a message", async () => {
		await using world = await World.start(async (ctx, { ledger }) => {
			await ctx.rollbackCheckpoint("checkpoint");
			await ctx.join("join", {
				bad: {
					run: (b) =>
						b.step({ name: "s", maxRetries: 0, run: () => Promise.reject(new Error("no")) }),
				},
				waits: {
					run: async (b) => {
						const { body } = await b.queue.next("m", { names: ["work"] });
						await b.step({ name: "s", ...undoable(ledger, body as number) });
					},
				},
			});
		});
		await world.advance(1_000);
		expect((await world.status()).waitingFor).toMatchObject([{ path: "join/waits/m" }]);
		await world.crash();
		expect((await world.status()).waitingFor).toMatchObject([{ path: "join/waits/m" }]);
		await world.send("work", 5);
		await world.advance(1_000);
		expect(await world.status()).toMatchObject({ state: "failed", error: { name: "JoinError" } });
		expect(world.ledger).toEqual(["undo 5"]);
		expect((await world.state()).n).toBe(0);
	});
});

describe("changes", () => {
	it("removed in the middle of an iteration that was under way", async () => {
		let isNew = false;
		await using world = await World.start(async (ctx) => {
			await ctx.loop({
				name: "loop",
				state: 0,
				run: async (loop, n) => {
					if (isNew) await loop.removed("old", "step");
					else await loop.step("old", () => {});
					const { body } = await loop.queue.next("m", { names: ["work"] });
					await loop.step("add", (c) => {
						c.state.n += body as number;
					});
					return n === 3 ? Loop.break() : Loop.continue(n + 1);
				},
			});
		});
		await world.send("work", 1);
		isNew = true;
		await world.crash();
		for (const n of [2, 3]) await world.send("work", n);
		await world.crash();
		await world.send("work", 4);
		expect(await world.status()).toMatchObject({ state: "completed", blocked: false });
		expect((await world.state()).n).toBe(10);
	});

	it("recovers in the iteration where a step failed", async () => {
		let isBroken = true;
		await using world = await World.start(async (ctx, { ledger }) => {
			await ctx.loop({
				name: "loop",
				state: 0,
				run: async (loop, n) => {
					await loop.step("before", () => void ledger.push(`before ${n}`));
					await loop.step({
						name: "work",
						maxRetries: 0,
						run: (c) => {
							if (n === 2 && isBroken) throw new Error("broken");
							c.state.n += 1;
						},
					});
					return n === 3 ? Loop.break() : Loop.continue(n + 1);
				},
			});
		});
		expect((await world.status()).state).toBe("failed");
		isBroken = false;
		await world.call("recover");
		await world.settle();
		expect((await world.status()).state).toBe("completed");
		expect((await world.state()).n).toBe(4);
		expect(world.ledger).toEqual(["before 0", "before 1", "before 2", "before 3"]);
	});
});

describe("controls", () => {
	it("pauses a workflow whose actor is asleep; what is over by then goes on with resume", async () => {
		await using world = await World.start(
			async (ctx) => {
				await ctx.sleep("s", 10_000);
				await ctx.step("then", (c) => {
					c.state.n += 1;
				});
			},
			{ options: { sleepTimeout: 500 } },
		);
		await world.advance(2_000);
		expect(world.isAwake).toBe(false);
		await world.call("pause");
		await world.advance(60_000);
		expect(world.isAwake).toBe(false);
		expect(await world.alarmTs()).toBeNull();
		expect((await world.state()).n).toBe(0);
		await world.call("resume");
		await world.advance(100);
		expect(await world.status()).toMatchObject({ state: "completed" });
		expect((await world.state()).n).toBe(1);
	});

	it("whatever is asked while steps run, each step happens once, or is undone", async () => {
		const control = fc.constantFrom("pause", "resume", "other", "nap", "crash", "wait", "cancel");
		await fc.assert(
			fc.asyncProperty(fc.array(control, { maxLength: 8 }), async (controls) => {
				await using world = await World.start(async (ctx, { ledger }) => {
					await ctx.rollbackCheckpoint("checkpoint");
					await ctx.loop({
						name: "loop",
						state: 0,
						run: async (loop, n) => {
							await loop.step({
								name: "s",
								run: async (c) => {
									await new Promise((resolve) => setImmediate(resolve));
									c.state.n += 1;
									return 1;
								},
								rollback: (c) => {
									ledger.push("undo");
									c.state.n -= 1;
								},
							});
							await loop.sleep("z", 5);
							return n === 11 ? Loop.break() : Loop.continue(n + 1);
						},
					});
				});
				for (const what of controls) {
					if (what === "crash") await world.crash();
					else if (what === "wait") await world.advance(7);
					else await world.call(what, {}).catch(() => {});
				}
				await world.call("resume");
				await world.advance(2_000);
				const { state } = await world.status();
				const { n } = await world.state();
				const isCancelled = controls.includes("cancel");
				expect([state, n]).toEqual(isCancelled ? ["cancelled", 0] : ["completed", 12]);
				expect((await headOf(world))?.state).toBe(state);
			}),
			{ numRuns: 40, examples: [[["wait", "wait", "pause", "cancel", "pause"]]] },
		);
	});
});

describe("a replay in another actor", () => {
	const fn = async (ctx: Ctx, { ledger }: World) => {
		const first = await ctx.queue.next("first", { names: ["work"], completable: true });
		await ctx.step("noted", () => void ledger.push(`first ${first.body}`));
		const second = await ctx.queue.next("second", {
			names: ["work"],
			completable: true,
			allowOpen: true,
		});
		await first.complete({ for: "first" });
		await second.complete({ for: "second" });
	};

	it("does not complete its messages for those of the first one", async () => {
		await using world = await World.start(fn);
		const asked = world.ask("work", 1, 60_000);
		await world.settle();
		const exported = await world.call("export");
		world.id = await world.runtime.actorId("subject", "/copy");
		await world.settle();
		await world.call("import", exported);
		await world.settle();
		const own = world.ask("work", 2, 60_000);
		await eventually(async () => expect((await world.status()).state).toBe("completed"));
		expect((await own).outcome?.response).toEqual({ for: "second" });
		asked.catch(() => {});
	});

	it("puts nothing back in the place of a message of its own", async () => {
		const racing = async (ctx: Ctx) => {
			const won = await ctx.race("race", [
				{
					name: "message",
					run: async (b) => {
						await b.queue.next("m", { names: ["work"] });
						await b.sleep("long", 1e7);
					},
				},
				{ name: "timer", run: (b) => b.sleep("t", 1_000) },
			]);
			for (const name of ["a", "b"]) {
				const { body } = await ctx.queue.next(name);
				await ctx.step(`note ${name}`, () => void ctx.state.log.push(`${won.winner} ${body}`));
			}
		};
		await using world = await World.start(racing);
		await world.send("work", "theirs");
		const exported = await world.call("export");
		world.id = await world.runtime.actorId("subject", "/copy");
		await world.settle();
		await world.call("import", exported);
		await world.send("control", "own");
		await world.advance(2_000);
		expect([...(await world.state()).log].sort()).toEqual(["timer own", "timer theirs"]);
		expect(await world.call("size")).toBe(0);
	});
});

it("joins 10,000 branches in a few commits, also from records", async () => {
	await using world = await World.start(
		async (ctx) => {
			const branches = Object.fromEntries(
				Array.from({ length: 10_000 }, (_, n) => [
					`b${n}`,
					{ run: (b: Ctx) => b.step("s", (c: { state: { n: number } }) => ++c.state.n) },
				]),
			);
			const joined = await ctx.join("join", branches as never);
			await ctx.step("sum", (c) => {
				c.state.other = Object.keys(joined).length;
			});
			await ctx.queue.next("end");
		},
		{ workflow: { maxLiveEntries: 50_000 } },
	);
	await eventually(async () =>
		expect(await world.state()).toMatchObject({ n: 10_000, other: 10_000 }),
	);
	expect(world.store.commits.length).toBeLessThan(250);
	await world.crash();
	expect((await world.status()).waitingFor).toMatchObject([{ path: "end" }]);
});

it("nests loops as deep as it says, and names what lies deeper", async () => {
	const nested = async (ctx: Ctx, depth: number): Promise<void> => {
		if (depth === 0)
			await ctx.step("s", (c) => {
				c.state.n += 1;
			});
		else {
			await ctx.loop("l", async (it) => {
				await nested(it as never, depth - 1);
				return Loop.break();
			});
		}
	};
	await using deep = await World.start((ctx) => nested(ctx, 100));
	expect(await deep.status()).toMatchObject({ state: "completed" });
	expect((await deep.state()).n).toBe(1);
	await using deeper = await World.start((ctx) => nested(ctx, 101));
	expect(await deeper.status()).toMatchObject({ blocked: true });
	expect((await deeper.status()).error?.message).toMatch(/lies 202 scopes deep; 200 is most/);
});
