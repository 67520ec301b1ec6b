// Workflows 2, 7.5 and 9.4: errors, and values that are too large.
import { expect, it } from "vitest";
import { reviveError, storeError } from "../../src/workflow/history/stored-error.ts";
import {
	ActorWorkflowContext,
	CancelledError,
	CriticalError,
	EntryInProgressError,
	EvictedError,
	HistoryDivergedError,
	type JoinError,
	Loop,
	MessageWaitError,
	QueueTimeoutError,
	RollbackCheckpointError,
	SleepError,
	StepExhaustedError,
	StepFailedError,
	StepTimeoutError,
} from "../../src/workflow/index.ts";
import { eventually } from "../support/eventually.ts";
import { onMemory } from "./support/boundaries.ts";
import { type Ctx, World } from "./support/world.ts";

onMemory.describe("7.5. what is too large to be recorded", () => {
	const large = "x".repeat(2_000);
	const options = { workflow: { maxEntrySize: 1_000 } as never };
	const kinds: Record<string, (ctx: Ctx) => Promise<unknown>> = {
		step: (ctx) => ctx.step("big", () => large),
		"state of a loop": (ctx) =>
			ctx.loop({ name: "big", run: async () => Loop.continue(large as never) }),
		"value of a loop": (ctx) => ctx.loop("big", async () => Loop.break(large)),
		block: async (ctx) => {
			const { ok } = await ctx.try("big", async () => large);
			throw new Error(`not refused: ${ok}`);
		},
		branch: async (ctx) => {
			try {
				await ctx.join("big", { a: { run: async () => large } });
			} catch (error) {
				throw (error as JoinError).errors.a;
			}
		},
	};

	it.each(Object.entries(kinds))("is an error that code may catch: %s", async (what, big) => {
		const caught: unknown[] = [];
		await using world = await World.start(async (ctx) => {
			try {
				await big(ctx);
			} catch (error) {
				caught.push(error);
			}
			await ctx.queue.next("work", { names: ["work"] });
		}, options);
		await world.crash();
		await world.send("work");
		expect((await world.status()).state).toBe("completed");
		expect(caught).toHaveLength(2);
		for (const error of caught) {
			expect(error).toMatchObject({ group: "workflow", code: "entry_too_large" });
			const { message } = error as Error;
			expect(message).toMatch(/"big/);
			expect(message).toMatch(/ 1000\b.*maxEntrySize/);
			expect([what, message]).toEqual([what, (caught[0] as Error).message]);
		}
	});

	it("fails the workflow when nobody does, and undoes what was done", async () => {
		await using world = await World.start(async (ctx, { ledger }) => {
			await ctx.rollbackCheckpoint("checkpoint");
			await ctx.step({ name: "a", run: () => {}, rollback: () => void ledger.push("undone") });
			await ctx.loop("big", async () => Loop.break(large));
		}, options);
		const { state, error } = await world.status();
		expect([state, error]).toMatchObject(["failed", { message: expect.stringMatching(/"big"/) }]);
		expect(world.ledger).toEqual(["undone"]);
	});

	it("is left out of what the workflow returned", async () => {
		await using world = await World.start(async () => large, options);
		expect(await world.status()).toMatchObject({ state: "completed" });
		expect((await world.status()).output).toBeUndefined();
	});
});

onMemory.it("has the contract's classes and codes (2.1, 2.2, 9.4)", async () => {
	let isContext: boolean[] = [];
	await using world = await World.start(async (ctx) => {
		const seen = [ctx instanceof ActorWorkflowContext];
		await ctx.loop("l", async (loop) => {
			seen.push(loop instanceof ActorWorkflowContext);
			return Loop.break();
		});
		isContext = seen;
	});
	await eventually(async () => expect((await world.status()).state).toBe("completed"));
	expect(isContext).toEqual([true, true]);
	const codes = [
		new StepExhaustedError("s"),
		new HistoryDivergedError(""),
		new EntryInProgressError(),
		new QueueTimeoutError("q"),
		new StepTimeoutError("s", 1),
		new RollbackCheckpointError(),
		new StepFailedError(""),
		new SleepError(""),
		new MessageWaitError(""),
		new EvictedError(""),
		new CancelledError(""),
	].map(({ group, code }) => `${group}.${code}`);
	expect(codes).toEqual([
		"workflow.step_exhausted",
		"workflow.history_diverged",
		"workflow.entry_in_progress",
		"workflow.queue_timeout",
		"workflow.step_timeout",
		"workflow.rollback_checkpoint",
		"workflow.step_failed",
		"workflow.sleep",
		"workflow.message_wait",
		"workflow.evicted",
		"workflow.cancelled",
	]);
	class OutOfStock extends CriticalError {
		override readonly code = "out_of_stock";
	}
	expect(new OutOfStock("none").code).toBe("out_of_stock");
	const own = Object.assign(new CriticalError("none"), { code: "none_left" });
	expect(reviveError(storeError(own))).toMatchObject({ group: "workflow", code: "none_left" });
	expect(new CriticalError("next").code).toBe("critical");
});
