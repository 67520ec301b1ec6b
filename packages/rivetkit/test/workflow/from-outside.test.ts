// What reaches a workflow from outside: that it stops, is paused, cancelled or woken, and that its branch has lost.
import { describe, expect, it } from "vitest";
import { eventually } from "../support/eventually.ts";
import { Gate } from "../support/gate.ts";
import { type Ctx, World } from "./support/world.ts";

describe("5.5. what ends code from outside is seen by neither catch nor finally", () => {
	const operations: Record<string, (ctx: Ctx) => Promise<unknown>> = {
		sleep: (ctx) => ctx.sleep("long", 1e7),
		"a wait for a message": (ctx) => ctx.queue.next("m", { names: ["work"] }),
		"a step that goes on when it is told to stop": (ctx) =>
			ctx.step("s", () => new Promise(() => {})),
		"a step that throws when it is told to stop": (ctx) =>
			ctx.step({
				name: "s",
				maxRetries: 0,
				run: (c) =>
					new Promise((_resolve, reject) =>
						c.abortSignal.addEventListener("abort", () => reject(new Error("told"))),
					),
			}),
		"a pause between tries": (ctx) =>
			ctx.step({
				name: "s",
				retryBackoffBase: 1e6,
				retryBackoffMax: 1e6,
				run: () => Promise.reject(new Error("again")),
			}),
		"a join": (ctx) => ctx.join("j", { a: { run: (b) => b.sleep("long", 1e7) } }),
		"a race": (ctx) => ctx.race("r", [{ name: "a", run: (b) => b.sleep("long", 1e7) }]),
		"a loop": (ctx) => ctx.loop("l", (loop) => loop.sleep("long", 1e7)),
		"a block": (ctx) => ctx.try("t", (block) => block.sleep("long", 1e7)),
		"the completion of a message": async (ctx) => {
			const message = await ctx.queue.next("m", { names: ["control"], completable: true });
			await ctx.sleep("long", 1e7);
			await message.complete();
		},
	};
	const watched =
		(operation: (ctx: Ctx) => Promise<unknown>, seen: string[]) => async (ctx: Ctx) => {
			try {
				await operation(ctx);
				seen.push("went on");
			} catch (error) {
				seen.push(`caught ${error}`);
			} finally {
				seen.push("finally");
			}
		};

	it.each(Object.entries(operations))("%s", async (_what, operation) => {
		for (const end of ["sleep", "pause", "cancel", "replay", "crash"]) {
			const seen: string[] = [];
			await using world = await World.start(watched(operation, seen), {
				options: { runStopTimeout: 10 },
			});
			await world.send("control");
			// A replay is refused while a step runs.
			if (end === "sleep") await world.nap();
			else if (end === "crash") await world.crash();
			else await world.call(end, { rollback: false }).catch(() => {});
			await world.advance(100);
			expect([end, seen]).toEqual([end, []]);
		}
	});

	it.each(Object.entries(operations))("in a branch that has lost: %s", async (_what, operation) => {
		const seen: string[] = [];
		await using world = await World.start(async (ctx) => {
			const won = await ctx.race("race", [
				{ name: "loser", run: watched(operation, seen) },
				{ name: "timer", run: (b) => b.sleep("t", 100) },
			]);
			await ctx.step("note", () => void ctx.state.log.push(won.winner));
		});
		await world.send("control");
		await world.advance(200);
		await eventually(async () => expect((await world.status()).state).toBe("completed"));
		expect([(await world.state()).log, seen]).toEqual([["timer"], []]);
	});
});

it("3.7.4. signals of branches, and of steps in them, fire when the actor stops", async () => {
	const fired: string[] = [];
	await using world = await World.start(async (ctx) => {
		const branch = (name: string) => async (b: Ctx) => {
			b.abortSignal.addEventListener("abort", () => fired.push(name));
			await b.step("s", (c) => {
				c.abortSignal.addEventListener("abort", () => fired.push(`step of ${name}`));
				return new Promise<void>((resolve) =>
					c.abortSignal.addEventListener("abort", () => resolve()),
				);
			});
		};
		await ctx.join("join", {
			a: { run: (b) => b.race("race", [{ name: "x", run: branch("race") }]) },
			b: { run: branch("join") },
		});
	});
	expect(fired).toEqual([]);
	await world.nap();
	expect([...fired].sort()).toEqual(["join", "race", "step of join", "step of race"]);
});

it("5.3. code that waits for something foreign between entries keeps the actor awake, a wait does not", async () => {
	const gate = new Gate();
	await using world = await World.start(
		async (ctx) => {
			await ctx.step("first", () => {});
			await gate.passed;
			await ctx.queue.next("m", { names: ["work"] });
		},
		{ options: { sleepTimeout: 1_000 } },
	);
	await world.advance(10_000);
	expect(world.isAwake).toBe(true);
	gate.open();
	await world.advance(2_000);
	expect(world.isAwake).toBe(false);
});

it("5.6. wake() looks at what is blocked, and ends no sleep", async () => {
	let isRight = false;
	await using world = await World.start(async (ctx) => {
		await ctx.sleep("nap", 1_000);
		if (!isRight) void ctx.state;
		await ctx.step("done", () => void ctx.state.n++);
	});
	await world.call("wake");
	await world.settle();
	const deadline = (await world.status()).waitingFor[0]!.deadline!;
	expect((await world.status()).waitingFor).toEqual([{ path: "nap", deadline }]);
	await world.advance(1_100);
	// From the second time on it is not looked at again soon.
	await world.advance(4_000);
	expect((await world.status()).blocked).toBe(true);
	isRight = true;
	await world.call("wake");
	await world.settle();
	expect((await world.status()).state).toBe("completed");
	expect((await world.state()).n).toBe(1);
});

it("10.1. a result that cannot be stored is absent, with a warning; the workflow has completed", async () => {
	await using world = await World.start(async (ctx) => {
		await ctx.step("s", () => void ctx.state.n++);
		return { act: () => {} };
	});
	const status = await world.status();
	expect([status.state, status.output]).toEqual(["completed", undefined]);
	const warned = world.runtime.log.filter(({ message }) => message.includes("cannot be stored"));
	expect(warned.map(({ level }) => level)).toEqual(["warn"]);
	await world.crash();
	expect([(await world.status()).state, (await world.state()).n]).toEqual(["completed", 1]);
});

it("9.5. lines of the log say which actor, path and try they are about", async () => {
	await using world = await World.start(async (ctx) => {
		await ctx.loop("l", async (loop) => {
			await loop.step({
				name: "s",
				maxRetries: 1,
				retryBackoffBase: 1,
				run: () => Promise.reject(new Error("no")),
			});
		});
	});
	await world.advance(100);
	const lines = world.runtime.log.filter(({ fields }) => "attempt" in fields);
	const actor = { actorId: world.id, actor: "subject" };
	expect(lines.map(({ level, fields }) => [level, fields])).toMatchObject([
		["warn", { ...actor, path: "l/~0/s", attempt: 1 }],
		["error", { ...actor, path: "l/~0/s", attempt: 2 }],
	]);
});
