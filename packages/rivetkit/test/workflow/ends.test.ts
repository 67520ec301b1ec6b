// Conformance checks of workflows 15: ends, recovery, cancellation and what is told of failures (51, 52, 55).
import { expect, it } from "vitest";
import { eventually } from "../support/eventually.ts";
import { everywhere } from "./support/boundaries.ts";
import type { History } from "./support/history.ts";
import { World } from "./support/world.ts";

everywhere((on) => {
	it("51. completed and failed workflows leave the actor callable, and are not entered again", async () => {
		let entered = 0;
		let fails = true;
		await using world = await World.start(async (ctx) => {
			entered++;
			await ctx.step("work", () => {
				ctx.state.n += 1;
				if (fails) throw new Error("no");
			});
			return "output";
		}, on);
		await world.advance(10_000);
		expect((await world.status()).state).toBe("failed");
		const before = entered;
		await world.nap();
		await world.send("work", 1);
		expect([(await world.state()).n, entered]).toEqual([4, before]);
		fails = false;
		await world.call("recover");
		await world.settle();
		expect(await world.status()).toMatchObject({ state: "completed", output: "output" });
		await world.nap();
		expect([(await world.state()).n, entered]).toEqual([5, before + 1]);
		await expect(world.call("recover")).rejects.toMatchObject({ code: "not_recoverable" });
	});

	it("10.4. recovers by itself with a new version of the code, once", async () => {
		let runs = 0;
		await using world = await World.start(
			(ctx) =>
				ctx.step({
					name: "s",
					maxRetries: 0,
					run: () => {
						runs++;
						throw new Error("no");
					},
				}),
			{ ...on, workflow: { recoverOnDeploy: true } },
		);
		const runsWith = async (version: number) => {
			world.codeVersion = version;
			await world.crash();
			await world.status();
			await world.settle();
			return runs;
		};
		expect([runs, await runsWith(1), await runsWith(2), await runsWith(2)]).toEqual([1, 1, 2, 2]);
	});

	it("52. cancel is final, gives messages back, and undoes unless that is not wanted", async () => {
		for (const rollback of [false, true, undefined]) {
			await using world = await World.start(async (ctx, { ledger }) => {
				await ctx.rollbackCheckpoint("checkpoint");
				await ctx.step({ name: "a", run: () => {}, rollback: () => void ledger.push("undo a") });
				await ctx.queue.next("open", { names: ["work"], completable: true });
				await ctx.step("hangs", () => new Promise(() => {}));
			}, on);
			await world.send("work", "m");
			await world.call("cancel", { rollback, reason: "enough" });
			await world.settle();
			expect((await world.status()).state).toBe("cancelled");
			expect(world.ledger).toEqual(rollback === false ? [] : ["undo a"]);
			expect(await world.call("take", "work")).toBe("m");
			await world.crash();
			expect((await world.status()).state).toBe("cancelled");
		}
	});

	it("52. a replay and an import are refused by a cancelled one: what it has undone would answer as if it were done", async () => {
		await using world = await World.start(async (ctx, { ledger }) => {
			await ctx.rollbackCheckpoint("checkpoint");
			await ctx.step({
				name: "book",
				run: () => void ledger.push("book"),
				rollback: () => void ledger.push("undo"),
			});
			await ctx.sleep("long", 1e7);
		}, on);
		const exported = await world.call("export");
		const [, book] = (await world.call<History>("history")).entries;
		await world.call("cancel");
		await eventually(async () => expect((await world.status()).state).toBe("cancelled"));
		for (const [operation, argument] of [
			["replay", undefined],
			["replay", { entryId: book!.id }],
			["import", exported],
		] as const) {
			await expect(world.call(operation, argument)).rejects.toMatchObject({
				group: "workflow",
				code: "not_replayable",
			});
		}
		expect([world.ledger, (await world.status()).state]).toEqual([["book", "undo"], "cancelled"]);
	});

	it("52. a cancelled one is undone wherever it was: in branches, asleep, paused, blocked", async () => {
		const undoable = (name: string, { ledger }: World) => ({
			name,
			run: () => {},
			rollback: () => void ledger.push(`undo ${name}`),
		});
		const scenes: Record<string, (world: World) => Promise<unknown>> = {
			live: async () => {},
			asleep: (world) => world.nap(),
			crashed: (world) => world.crash(),
			paused: (world) => world.call("pause"),
			blocked: async (world) => {
				const before = world.fn;
				world.fn = (ctx) =>
					(before(ctx) as Promise<unknown>).then(() => ctx.loop("a", () => 5 as never));
				await world.crash();
			},
		};
		for (const [scene, prepare] of Object.entries(scenes)) {
			await using world = await World.start(async (ctx, self) => {
				await ctx.rollbackCheckpoint("checkpoint");
				await ctx.step(undoable("a", self));
				await ctx.loop("loop", async (loop) => {
					await loop.step(undoable("b", self));
					await loop.join("join", {
						quick: { run: (branch) => branch.step(undoable("c", self)) },
						slow: { run: (branch) => branch.queue.next("open", { names: ["control"] }) },
					});
				});
			}, on);
			await prepare(world);
			await world.call("cancel");
			await world.settle();
			expect([scene, (await world.status()).state]).toEqual([scene, "cancelled"]);
			expect([scene, world.ledger]).toEqual([scene, ["undo c", "undo b", "undo a"]]);
		}
	});

	it("52. cancelling one that is being undone leaves that alone, or ends it where it is", async () => {
		for (const rollback of [true, false]) {
			let isBroken = true;
			await using world = await World.start(async (ctx, { ledger }) => {
				await ctx.rollbackCheckpoint("checkpoint");
				await ctx.step({ name: "a", run: () => {}, rollback: () => void ledger.push("undo a") });
				await ctx.step({
					name: "b",
					maxRetries: 0,
					run: () => {},
					rollback: () => {
						if (isBroken) throw new Error("not yet");
						ledger.push("undo b");
					},
				});
				throw new Error("lost");
			}, on);
			expect((await world.status()).state).toBe("rolling_back");
			await world.call("cancel", { rollback });
			isBroken = false;
			await world.advance(2_000);
			expect((await world.status()).state).toBe(rollback ? "failed" : "cancelled");
			expect(world.ledger).toEqual(rollback ? ["undo b", "undo a"] : []);
		}
	});

	it("pauses and resumes, over restarts", async () => {
		await using world = await World.start(async (ctx) => {
			await ctx.loop("loop", async (loop) => {
				await loop.sleep("second", 1_000);
				await loop.step("tick", () => {
					ctx.state.n += 1;
				});
			});
		}, on);
		await world.advance(2_500);
		expect((await world.state()).n).toBe(2);
		await world.call("pause");
		await world.advance(5_000);
		await world.crash();
		await world.advance(5_000);
		expect([(await world.state()).n, (await world.status()).paused]).toEqual([2, true]);
		await world.call("resume");
		await world.advance(1_100);
		expect((await world.state()).n).toBeGreaterThanOrEqual(3);
	});

	it("destroys its actor from a step; nothing comes after it", async () => {
		const after: string[] = [];
		await using world = await World.start(async (ctx) => {
			await ctx.step("end", (c) => {
				c.destroy();
			});
			await ctx.step("after", () => void after.push("after"));
		}, on);
		await world.settle();
		await eventually(() => expect(world.isAwake).toBe(false));
		expect(after).toEqual([]);
	});

	it("55. onError hears of each failure once, over sleeps", async () => {
		await using world = await World.start(async (ctx) => {
			await ctx.step({ name: "s", maxRetries: 1, run: () => Promise.reject(new Error("no")) });
		}, on);
		await world.advance(1_000);
		await world.nap();
		await world.advance(1_000);
		await world.status();
		expect(world.errors.map((event) => Object.keys(event)[0])).toEqual([
			"step",
			"step",
			"workflow",
		]);
		expect(world.errors[0]).toMatchObject({
			step: { stepName: "s", attempt: 1, willRetry: true, remainingRetries: 1, retryDelay: 200 },
		});
	});
});
