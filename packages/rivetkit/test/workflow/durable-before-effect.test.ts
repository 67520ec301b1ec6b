// Check 66 of workflows 15: a body begins when what was recorded before it is durable, on a store whose commits
// take their time, and commits are as many as workflows 6.2 has it.
import { createMemoryStore, type Store } from "@rivetkit/engine";
import { describe, expect, it } from "vitest";
import { pathOf } from "../../src/workflow/history/located-entry.ts";
import { ALL_ENTRIES } from "../../src/workflow/history/location.ts";
import { locate } from "../../src/workflow/history/rewind.ts";
import { Loop } from "../../src/workflow/index.ts";
import { type Ctx, World } from "./support/world.ts";

/** Commits land turns of the process after they were asked for. */
function slow(inner: Store): Store {
	return new Proxy(inner, {
		get: (target, property) => {
			const member: unknown = Reflect.get(target, property);
			if (property === "commit") {
				return async (...args: Parameters<Store["commit"]>) => {
					for (let turn = 0; turn < 5; turn++) await new Promise((next) => setImmediate(next));
					return inner.commit(...args);
				};
			}
			return typeof member === "function" ? member.bind(target) : member;
		},
	});
}

/** What the store has of a workflow: entries that have ended, by path, and messages that are completed. */
async function durable(inner: Store, id: string): Promise<Set<string>> {
	const located = locate(await inner.scan(id, ALL_ENTRIES));
	return new Set(
		located.flatMap(({ segments, entry }) => {
			const path = pathOf(segments);
			const completed = entry.is("message")
				? (entry.data.messages ?? []).filter(({ isCompleted }) => isCompleted)
				: [];
			return [...(entry.isFinished ? [path] : []), ...completed.map(() => `${path} completed`)];
		}),
	);
}

describe("66. durable before effect", () => {
	/** Runs a program whose bodies look into the store; what they did not find there. */
	async function missing(
		program: (ctx: Ctx, body: (...needs: string[]) => () => Promise<void>) => Promise<unknown>,
		messages: number,
	): Promise<string[]> {
		const inner = createMemoryStore();
		const missed: string[] = [];
		let bodies = 0;
		await using world = await World.start(
			async (ctx) => {
				await ctx.queue.next("gate", { names: ["control"] });
				await program(ctx, (...needs) => async () => {
					bodies++;
					const found = await durable(inner, ctx.actorId);
					missed.push(...needs.filter((path) => !found.has(path)));
				});
			},
			{ store: slow(inner) },
		);
		for (let n = 0; n < messages; n++) await world.send("work", n);
		await world.send("control");
		await world.advance(100);
		expect((await world.status()).state).toBe("completed");
		expect(bodies).toBeGreaterThan(0);
		return missed;
	}

	it("of steps, sleeps, receipts, checkpoints and versions", async () => {
		const program = async (ctx: Ctx, body: (...needs: string[]) => () => Promise<void>) => {
			await ctx.step("a", body("gate"));
			await ctx.step({ name: "e", ephemeral: true, run: () => {} });
			await ctx.step("b", body("gate", "a", "e"));
			await ctx.sleep("short", 10);
			await ctx.step("c", body("b", "short"));
			await ctx.queue.next("work", { names: ["work"] });
			await ctx.rollbackCheckpoint("checkpoint");
			await ctx.getVersion("version", 2);
			await ctx.removed("gone", "step");
			await ctx.queue.send("out", 1);
			await ctx.step("d", body("work", "checkpoint", "version", "gone"));
		};
		expect(await missing(program, 1)).toEqual([]);
	});

	it("of iterations, joins, races and blocks", async () => {
		const program = async (ctx: Ctx, body: (...needs: string[]) => () => Promise<void>) => {
			await ctx.loop({
				name: "rounds",
				state: 0,
				historyKeep: 9,
				run: async (loop, n: number) => {
					if (n === 3) return Loop.break(n);
					const before = n > 0 ? [`rounds/~${n - 1}/work`, `rounds/~${n - 1}/last`] : ["gate"];
					await loop.queue.next("work", { names: ["work"] });
					await loop.step("first", body(...before, `rounds/~${n}/work`));
					await loop.step("last", body(`rounds/~${n}/first`));
					return Loop.continue(n + 1);
				},
			});
			await ctx.step("after loop", body("rounds"));
			await ctx.join("both", {
				a: { run: (b) => b.step("s", body("after loop")) },
				b: {
					run: async (b) => {
						await b.step("s", body("after loop"));
						await b.sleep("pause", 10);
						await b.step("t", body("both/b/s", "both/b/pause", "both/a/s"));
					},
				},
			});
			await ctx.step("after join", body("both"));
			await ctx.race("first", [
				{ name: "quick", run: (b) => b.sleep("quick", 5) },
				{ name: "late", run: (b) => b.sleep("late", 50) },
			]);
			await ctx.step("after race", body("first"));
			await ctx.try("block", async (block) => {
				await block.step("in", body("after race"));
			});
			await ctx.step("after block", body("block"));
		};
		expect(await missing(program, 3)).toEqual([]);
	});

	it("of completions: complete() between entries resolves when it is durable", async () => {
		const inner = createMemoryStore();
		let found: boolean | undefined;
		await using world = await World.start(
			async (ctx) => {
				const message = await ctx.queue.next("work", { names: ["work"], completable: true });
				await message.complete("answer");
				found = (await durable(inner, ctx.actorId)).has("work completed");
			},
			{ store: slow(inner) },
		);
		const answered = world.ask("work");
		await world.settle();
		expect((await answered).outcome?.response).toBe("answer");
		expect(found).toBe(true);
	});

	it("of handlers of a rollback, and of the end that is told", async () => {
		const inner = createMemoryStore();
		const undone: [string, boolean, number][] = [];
		const marks = async (id: string) =>
			locate(await inner.scan(id, ALL_ENTRIES)).filter(({ entry }) => entry.rollbackCompletedAt > 0)
				.length;
		await using world = await World.start(
			async (ctx) => {
				await ctx.rollbackCheckpoint("checkpoint");
				for (const name of ["a", "b"]) {
					await ctx.step({
						name,
						run: () => {},
						rollback: async () => {
							const found = await durable(inner, ctx.actorId);
							undone.push([name, found.has("b"), await marks(ctx.actorId)]);
						},
					});
				}
				throw new Error("stop");
			},
			{ store: slow(inner) },
		);
		await world.advance(10);
		expect(undone).toEqual([
			["b", true, 0],
			["a", true, 1],
		]);
		expect((await world.status()).state).toBe("failed");
		expect(await marks(world.id)).toBe(2);
	});

	it("but not of ephemeral bodies: this test would see what begins too early", async () => {
		const program = async (ctx: Ctx, body: (...needs: string[]) => () => Promise<void>) => {
			await ctx.step("a", () => {});
			await ctx.step({ name: "e", ephemeral: true, run: body("a") });
			await ctx.step("b", body("a", "e"));
		};
		expect(await missing(program, 0)).toEqual(["a"]);
	});
});

describe("66. commits", () => {
	/** Commits of 20 of it less those of 10. */
	async function perTen(program: (ctx: Ctx, count: number) => Promise<unknown>): Promise<number> {
		const counts: number[] = [];
		for (const count of [10, 20]) {
			await using world = await World.start(async (ctx) => {
				await ctx.queue.next("gate", { names: ["control"] });
				await program(ctx, count);
			});
			for (let n = 0; n < count; n++) await world.send("work", n);
			const before = world.store.commits.length;
			await world.send("control");
			await world.settle();
			expect((await world.status()).state).toBe("completed");
			counts.push(world.store.commits.length - before);
		}
		return counts[1]! - counts[0]!;
	}
	const each =
		(operation: (ctx: Ctx, name: string) => Promise<unknown>) =>
		async (ctx: Ctx, count: number): Promise<void> => {
			for (let n = 0; n < count; n++) await operation(ctx, `entry ${n}`);
		};

	it.each<[string, number, (ctx: Ctx, count: number) => Promise<unknown>]>([
		["steps", 10, each((ctx, name) => ctx.step(name, () => {}))],
		["ephemeral steps", 0, each((ctx, name) => ctx.step({ name, ephemeral: true, run: () => {} }))],
		["checkpoints", 0, each((ctx, name) => ctx.rollbackCheckpoint(name))],
		["versions", 0, each((ctx, name) => ctx.getVersion(name, 2))],
		["sends between entries", 0, each((ctx, name) => ctx.queue.send("out", name))],
		["receipts of a backlog", 0, each((ctx, name) => ctx.queue.next(name, { names: ["work"] }))],
		[
			"iterations with a receipt and a step",
			10,
			(ctx, count) =>
				ctx.loop({
					name: "rounds",
					state: 0,
					run: async (loop, n: number) => {
						if (n === count) return Loop.break();
						await loop.queue.next("work", { names: ["work"] });
						await loop.step("handle", () => {});
						return Loop.continue(n + 1);
					},
				}),
		],
		[
			"branches of one step",
			0,
			(ctx, count) =>
				ctx.join(
					"all",
					Object.fromEntries(
						Array.from({ length: count }, (_, n) => [
							`branch ${n}`,
							{ run: (b: Ctx) => b.step("s", () => {}) },
						]),
					) as never,
				),
		],
	])("ten more %s take %i", async (_what, expected, program) => {
		expect(await perTen(program)).toBe(expected);
	});
});
