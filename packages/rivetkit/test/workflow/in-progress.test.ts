// Workflows 1.3 and 9.1: each operation is awaited, and contexts are of use inside of their callbacks.
import { expect, it } from "vitest";
import { Loop } from "../../src/workflow/index.ts";
import { eventually } from "../support/eventually.ts";
import { onMemory } from "./support/boundaries.ts";
import { type Ctx, World } from "./support/world.ts";

/** What is begun, and not awaited. */
const begun: Record<string, (ctx: Ctx) => unknown> = {
	'sleep "x"': (ctx) => ctx.sleep("x", 1_000),
	'message "x"': (ctx) => ctx.queue.nextBatch("x", { timeout: 1_000 }),
	'step "x"': (ctx) => ctx.step("x", () => new Promise<void>(() => {})),
};

/** Where its context ends. */
const places: Record<string, (ctx: Ctx, begin: (ctx: Ctx) => unknown) => Promise<unknown>> = {
	"the workflow": async (ctx, begin) => void begin(ctx),
	'"at/~0"': (ctx, begin) =>
		ctx.loop("at", async (loop) => {
			begin(loop);
			return Loop.break();
		}),
	'"at/a"': (ctx, begin) => ctx.join("at", { a: { run: async (b) => void begin(b) } }),
	'"at/b"': (ctx, begin) => ctx.race("at", [{ name: "b", run: async (b) => void begin(b) }]),
	'"at"': (ctx, begin) => ctx.try("at", async (block) => void begin(block)),
};

onMemory.describe("an operation that is not awaited", () => {
	for (const [what, begin] of Object.entries(begun)) {
		it.each(Object.entries(places))(`${what} at the end of %s blocks`, async (where, place) => {
			await using world = await World.start((ctx) => place(ctx, begin));
			const path = where === "the workflow" ? "x" : `${where.slice(1, -1)}/x`;
			// It blocks as well when its time is over, and from its record.
			for (let tries = 0; tries < 4; tries++) {
				expect(await world.status()).toMatchObject({
					blocked: true,
					error: {
						name: "EntryInProgressError",
						message: `${what.replace('"x"', `"${path}"`)} is still in progress at the end of ${where}. Await it.`,
					},
				});
				await world.advance(1_000 * 2 ** tries);
			}
		});
	}

	it("blocks with the names of both when another one begins, or one in a step", async () => {
		let isInStep = false;
		await using world = await World.start(async (ctx) => {
			await ctx.loop("l", async (loop) => {
				if (isInStep) await loop.step("s", () => loop.sleep("inner", 1));
				void loop.sleep("a", 1_000);
				await loop.step("b", () => {});
			});
		});
		const error = async () => (await world.status()).error!.message;
		expect(await error()).toBe(
			'Cannot start a new workflow entry while another is in progress. step "l/~0/b" was started while sleep "l/~0/a" is open. Await each operation before the next, and use the context handed to the callback.',
		);
		isInStep = true;
		await world.call("recover");
		await eventually(async () =>
			expect(await error()).toMatch(
				/^Cannot start a new workflow entry while another is in progress\. sleep "inner" was started inside of step "s"\./,
			),
		);
	});
});

onMemory.describe("a context whose code has ended", () => {
	const leaks: Record<string, (ctx: Ctx, leak: (ctx: Ctx) => void) => Promise<unknown>> = {
		"l/~0": (ctx, leak) =>
			ctx.loop("l", async (loop) => {
				leak(loop);
				return Loop.break();
			}),
		"j/a": (ctx, leak) => ctx.join("j", { a: { run: async (b) => leak(b) } }),
		"r/a": (ctx, leak) => ctx.race("r", [{ name: "a", run: async (b) => leak(b) }]),
		t: (ctx, leak) => ctx.try("t", async (block) => leak(block)),
	};

	it.each(Object.entries(leaks))("%s begins nothing, and blocks the workflow", async (at, use) => {
		let hasRun = false;
		await using world = await World.start(async (ctx) => {
			let leaked = ctx;
			await use(ctx, (inner) => {
				leaked = inner;
			});
			await leaked.step("x", () => {
				hasRun = true;
			});
		});
		expect(await world.status()).toMatchObject({
			state: "sleeping",
			blocked: true,
			error: {
				name: "EntryInProgressError",
				message: expect.stringContaining(
					`Cannot start step "${at}/x": the code of "${at}" has ended.`,
				),
			},
		});
		expect(hasRun).toBe(false);
	});
});
