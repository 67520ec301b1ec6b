// Conformance checks of workflows 15: compensation (41 to 45), and the end of it (52).
import { expect, it } from "vitest";
import { Loop } from "../../src/workflow/index.ts";
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

interface Message {
	complete(response?: unknown): Promise<void>;
}

/** Who else's message a branch has to complete. */
const owners: Record<string, (ctx: Ctx, use: (b: Ctx, m: Message) => Promise<void>) => unknown> = {
	"the code around it": async (ctx, use) => {
		const message = await ctx.queue.next("m", { names: ["work"], completable: true });
		await ctx.join("j", { a: { run: (b) => use(b, message) } });
	},
	"another branch": async (ctx, use) => {
		const received = new Gate<Message>();
		await ctx.join("j", {
			a: {
				run: async (b) => {
					received.open(await b.queue.next("m", { names: ["work"], completable: true }));
					await b.sleep("long", 1e9);
				},
			},
			b: { run: async (b) => use(b, await received.passed) },
		});
	},
};

// Resident only: a start from records has not what code left behind before the wait.
onMemory.it.each(Object.entries(owners))(
	"3.8.6. a rollback does not wait for a branch that completes a message of %s",
	async (_whose, has) => {
		const gate = new Gate();
		await using world = await World.start(async (ctx, { ledger }) => {
			await ctx.rollbackCheckpoint("checkpoint");
			await ctx.step({ name: "s", run: () => {}, rollback: () => void ledger.push("undone") });
			await has(ctx, async (_b, message) => {
				await gate.passed;
				await message.complete();
				ledger.push("went on");
			});
		});
		await world.send("work", "m");
		await world.call("cancel");
		gate.open();
		await eventually(async () => expect((await world.status()).state).toBe("cancelled"));
		expect([world.ledger, await world.call("size")]).toEqual([["undone"], 1]);
	},
);

onMemory.it.each(Object.entries(owners))(
	"3.8.6. a rollback undoes what a branch did after it could not complete a message of %s",
	async (_whose, has) => {
		let isMended = false;
		await using world = await World.start(async (ctx, { ledger }) => {
			await ctx.rollbackCheckpoint("checkpoint");
			await has(ctx, async (b, message) => {
				await message.complete(isMended ? "yes" : () => {}).catch(() => {});
				await b.step({ name: "pay", run: () => {}, rollback: () => void ledger.push("refund") });
				await b.sleep("long", 1e9);
			});
		});
		await world.send("work", "m");
		isMended = true;
		await world.call("cancel");
		await eventually(async () => expect((await world.status()).state).toBe("cancelled"));
		expect([world.ledger, await world.call("size")]).toEqual([["refund"], 1]);
	},
);

onMemory.it(
	"52. cancelling without a rollback ends the handler that runs, which hears why",
	async () => {
		let reason: unknown;
		const begun = new Gate();
		await using world = await World.start(async (ctx) => {
			await ctx.rollbackCheckpoint("checkpoint");
			await ctx.step({
				name: "s",
				run: () => {},
				rollback: (c) =>
					new Promise<void>(() => {
						c.abortSignal.addEventListener("abort", () => {
							({ reason } = c.abortSignal);
						});
						begun.open();
					}),
			});
			throw new Error("stop");
		});
		await begun.passed;
		await world.call("cancel", { rollback: false, reason: "by hand" });
		expect(reason).toMatchObject({ message: "The workflow was cancelled: by hand" });
		expect((await world.status()).state).toBe("cancelled");
	},
);
