// Workflows 5.6 and 9: what signals, errors and the log say of why.
import { expect, it } from "vitest";
import { CancelledError, CriticalError, StepTimeoutError } from "../../src/workflow/index.ts";
import { inspect } from "../inspector/support/inspect.ts";
import { eventually } from "../support/eventually.ts";
import { everywhere, onMemory } from "./support/boundaries.ts";
import { World } from "./support/world.ts";

onMemory.describe("a cancellation", () => {
	it("says why: to signals, in the status, the history and the log", async () => {
		const reasons: unknown[] = [];
		await using world = await World.start(async (ctx) => {
			ctx.abortSignal.addEventListener("abort", () => reasons.push(ctx.abortSignal.reason));
			await ctx.step("a", async ({ abortSignal }) => {
				await new Promise((resolve) => abortSignal.addEventListener("abort", resolve));
				reasons.push(abortSignal.reason);
			});
		});
		await world.call("cancel", { reason: "sold out" });
		await eventually(() => expect(reasons).toHaveLength(2));
		for (const reason of reasons) {
			expect(reason).toBeInstanceOf(CancelledError);
			expect(reason).toMatchObject({ message: "The workflow was cancelled: sold out" });
		}
		const expected = { state: "cancelled", cancelReason: "sold out" };
		expect(await world.status()).toMatchObject(expected);
		expect(await world.call("history")).toMatchObject({ workflow: expected });
		expect(world.runtime.log).toContainEqual(
			expect.objectContaining({
				level: "info",
				message: "the workflow is cancelled",
				fields: expect.objectContaining({ reason: "sold out" }),
			}),
		);
		await world.nap();
		const { body } = await inspect(world.runtime, world.id, "workflow-history");
		expect(body.history.workflow).toMatchObject(expected);
	});

	it("without a reason has an error for signals as well, and shows none", async () => {
		let reason: unknown;
		await using world = await World.start((ctx) =>
			ctx.step("a", async ({ abortSignal }) => {
				await new Promise((resolve) => abortSignal.addEventListener("abort", resolve));
				reason = abortSignal.reason;
			}),
		);
		await world.call("cancel");
		await eventually(() => expect(reason).toBeInstanceOf(CancelledError));
		expect(reason).toMatchObject({ message: "The workflow was cancelled" });
		expect(await world.status()).not.toHaveProperty("cancelReason");
	});
});

everywhere((on) => {
	it("an error has its cause, on the first run and on replay", async () => {
		const seen: unknown[] = [];
		await using world = await World.start(async (ctx) => {
			const note = (error: Error) => {
				const { cause } = error as { cause?: Error & { cause?: Error } };
				seen.push([error.name, error.message, cause?.name, cause?.message, cause?.cause?.message]);
				return cause;
			};
			const late = { name: "late", timeout: 5, run: () => new Promise<void>(() => {}) };
			const cause = await ctx.step(late).then(() => undefined, note);
			seen.push(cause instanceof StepTimeoutError && [cause.stepName, cause.timeoutMs]);
			const fail = () => {
				const root = new TypeError("root");
				throw new CriticalError("x", { cause: new RangeError("y", { cause: root }) });
			};
			await ctx.step("own", fail).catch(note);
			await ctx.join("join", { a: { run: (b) => b.step("own", fail) } }).catch(({ errors }) => {
				note(errors.a);
			});
			await ctx.queue.next("end", { names: ["work"] });
		}, on);
		await eventually(async () => {
			await world.advance(10);
			expect((await world.status()).waitingFor).toHaveLength(1);
		});
		const own = ["CriticalError", "x", "RangeError", "y", "root"];
		const timeout = 'Step "late" timed out after 5ms';
		const expected = [
			["CriticalError", timeout, "StepTimeoutError", timeout, undefined],
			["late", 5],
			own,
			own,
		];
		expect(seen.slice(0, 4)).toEqual(expected);
		seen.splice(0);
		await world.crash();
		expect(seen.slice(-4)).toEqual(expected);
	});
});
