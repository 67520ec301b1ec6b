// Conformance checks of workflows 15: compensation.
import { expect } from "vitest";
import { eventually } from "../support/eventually.ts";
import { Gate } from "../support/gate.ts";
import { onMemory } from "./support/boundaries.ts";
import { type Ctx, World } from "./support/world.ts";

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
