// Workflows 9.3: what blocks a workflow is over as soon as the code has come past it.
import { expect, it } from "vitest";
import { Loop } from "../../src/workflow/index.ts";
import { inspect } from "../inspector/support/inspect.ts";
import { eventually } from "../support/eventually.ts";
import { onMemory } from "./support/boundaries.ts";
import { type Ctx, World } from "./support/world.ts";

const HOUR = 3_600_000;
/** The year 2096. */
const FAR_TS = 4e12;

/** What a workflow may wait at, with no record to come for as long. */
const waits: Record<string, (ctx: Ctx) => Promise<unknown>> = {
	"a sleep": (ctx) => ctx.sleep("wait", HOUR),
	"a sleep until a time": (ctx) => ctx.sleepUntil("wait", FAR_TS),
	"a wait for messages with a limit": (ctx) => ctx.queue.nextBatch("wait", { timeout: HOUR }),
	"a wait for messages": (ctx) => ctx.queue.next("wait"),
	"the pause before a try": (ctx) =>
		ctx.step({
			name: "wait",
			retryBackoffBase: HOUR,
			retryBackoffMax: HOUR,
			run: () => {
				throw new Error("not yet");
			},
		}),
	"a sleep in a loop": (ctx) =>
		ctx.loop("loop", async (loop) => {
			await loop.sleep("wait", HOUR);
			return Loop.break();
		}),
	"a sleep in a join": (ctx) => ctx.join("join", { a: { run: (b) => b.sleep("wait", HOUR) } }),
};

onMemory.describe("what blocked a workflow", () => {
	for (const [what, wait] of Object.entries(waits)) {
		it(`is over at ${what}`, async () => {
			const good = async (ctx: Ctx) => {
				await ctx.step("a", () => {});
				await wait(ctx);
			};
			await using world = await World.start(good);
			world.fn = (ctx) => ctx.sleep("a", 1);
			await world.crash();
			expect(await world.status()).toMatchObject({
				blocked: true,
				error: { name: "HistoryDivergedError" },
			});
			world.fn = good;
			await world.crash();
			await expectAtRest(world);
			// Also for those who look at the store while the actor sleeps.
			await world.nap();
			expect(world.isAwake).toBe(false);
			const { body } = await inspect(world.runtime, world.id, "workflow-history");
			expect(body.history.workflow).toMatchObject({ state: "sleeping", blocked: false });
		});
	}

	it("is over where code waits for something outside of the workflow", async () => {
		const good = async (ctx: Ctx) => {
			await ctx.step("a", () => {});
			await new Promise(() => {});
		};
		await using world = await World.start(good);
		world.fn = (ctx) => ctx.sleep("a", 1);
		await world.crash();
		expect((await world.status()).blocked).toBe(true);
		world.fn = good;
		await world.call("recover");
		await eventually(async () => {
			expect(await world.status()).toMatchObject({ state: "running", blocked: false });
		});
		expect(await world.status()).not.toHaveProperty("error");
	});

	it("is tried less and less often where it comes up behind something outside, or in a step", async () => {
		await using world = await World.start(async (ctx) => {
			await new Promise((resolve) => setImmediate(resolve));
			await ctx.step("a", () => ctx.sleep("inside", 1));
		});
		await eventually(async () => {
			expect((await world.status()).blocked).toBe(true);
		});
		// After one second, two, and four.
		for (let tries = 1; tries < 4; tries++) {
			await world.advance(1_000 * 2 ** (tries - 1));
			await eventually(async () => {
				expect(blocks(world)).toHaveLength(tries + 1);
			});
		}
		expect(blocks(world).map(({ fields }) => fields.attempts)).toEqual([1, 2, 3, 4]);
		expect(world.errors.filter((event) => "workflow" in event)).toHaveLength(1);
	});
});

async function expectAtRest(world: World): Promise<void> {
	const status = await world.status();
	expect(status).toMatchObject({ state: "sleeping", blocked: false });
	expect(status).not.toHaveProperty("error");
	expect(status).not.toHaveProperty("retryAt");
	expect(await world.call("history")).toMatchObject({ workflow: { blocked: false } });
}

function blocks(world: World) {
	return world.runtime.log.filter(({ message }) => message === "the workflow is blocked");
}
