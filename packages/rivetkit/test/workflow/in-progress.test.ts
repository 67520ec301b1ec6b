// Workflows 1.3 and 9.1: each operation is awaited, and contexts are of use inside of their callbacks.
import { describe, expect, it } from "vitest";
import { Loop } from "../../src/workflow/index.ts";
import { eventually } from "../support/eventually.ts";
import { Gate } from "../support/gate.ts";
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

	const no = () => Promise.reject(new Error("no"));
	const failures: typeof leaks = {
		"j/a": (ctx, leak) =>
			ctx.join("j", {
				a: {
					run: async (b) => {
						leak(b);
						await no();
					},
				},
			}),
		"r/a": (ctx, leak) =>
			ctx.race("r", [
				{
					name: "a",
					run: async (b) => {
						leak(b);
						await no();
					},
				},
				{ name: "wins", run: (b) => b.sleep("s", 10) },
			]),
		"j/a/l/~0": (ctx, leak) =>
			ctx.join("j", {
				a: {
					run: (b) =>
						b.loop("l", async (loop) => {
							leak(loop);
							await no();
						}),
				},
			}),
	};
	const lost: typeof leaks = {
		"r/a": (ctx, leak) =>
			ctx.race("r", [
				{
					name: "a",
					run: async (b) => {
						leak(b);
						await b.sleep("long", 1e9);
					},
				},
				{ name: "wins", run: (b) => b.sleep("s", 10) },
			]),
		"r/a/l/~0": (ctx, leak) =>
			ctx.race("r", [
				{
					name: "a",
					run: (b) =>
						b.loop("l", async (loop) => {
							leak(loop);
							await loop.sleep("long", 1e9);
						}),
				},
				{ name: "wins", run: (b) => b.sleep("s", 10) },
			]),
		"r/a/j/b": (ctx, leak) =>
			ctx.race("r", [
				{ name: "a", run: (a) => a.join("j", { b: { run: async (b) => leak(b) } }) },
				{ name: "wins", run: (b) => b.step("s", () => {}) },
			]),
	};
	const cancelled: typeof leaks = {
		"j/a": (ctx, leak) =>
			ctx.join("j", {
				a: {
					run: async (b) => {
						leak(b);
						await b.sleep("long", 1e9);
					},
				},
				fails: {
					run: async (b) => {
						await b.sleep("s", 10);
						await no();
					},
					onError: "cancel",
				},
			}),
	};

	const ends = { "has returned": leaks, "has failed": failures, "has lost": lost, cancelled };
	describe.each(Object.entries(ends))("that %s", (_how, places) => {
		it.each(Object.entries(places))(
			"%s begins nothing, and blocks the workflow",
			async (at, use) => {
				for (const begins of ["step", "send"] as const) {
					let hasRun = false;
					await using world = await World.start(async (ctx) => {
						let leaked = ctx;
						const leaking = use(ctx, (inner) => {
							leaked = inner;
						});
						await leaking.catch(() => {});
						if (begins === "send") await leaked.queue.send("out");
						else {
							await leaked.step("x", () => {
								hasRun = true;
							});
						}
					});
					await world.advance(10);
					const what = begins === "send" ? `send "out"` : `step "${at}/x"`;
					expect(await world.status()).toMatchObject({
						state: "sleeping",
						blocked: true,
						error: {
							name: "EntryInProgressError",
							message: expect.stringContaining(
								`Cannot start ${what}: the code of "${at}" has ended.`,
							),
						},
					});
					expect([hasRun, await world.call("size")]).toEqual([false, 0]);
				}
			},
		);
	});

	const noStrand: typeof leaks = {
		"l/~0": (ctx, leak) =>
			ctx.loop("l", async (loop) => {
				leak(loop);
				await no();
			}),
		t: (ctx, leak) =>
			ctx.try("t", async (block) => {
				leak(block);
				await no();
			}),
	};
	it.each(Object.entries(noStrand))(
		"%s that has failed begins nothing, and the log says so: it may be its own code",
		async (at, use) => {
			await using world = await World.start(async (ctx) => {
				let leaked = ctx;
				const leaking = use(ctx, (inner) => {
					leaked = inner;
				});
				await leaking.catch(() => {});
				await leaked.step("x", () => {});
			});
			expect(await world.status()).toMatchObject({ state: "running", blocked: false });
			expect(world.runtime.log).toContainEqual(
				expect.objectContaining({
					level: "warn",
					message: "something is begun with the context of code that has failed; it never ends",
					fields: expect.objectContaining({
						err: expect.objectContaining({
							message: expect.stringContaining(`Cannot start step "${at}/x"`),
						}),
					}),
				}),
			);
		},
	);

	it("is of no use to its own code once that is not to go on, and that says nothing", async () => {
		const gate = new Gate();
		let isPast = false;
		await using world = await World.start(async (ctx) => {
			const goesOn = async (b: Ctx) => {
				await gate.passed;
				b.abortSignal.addEventListener("abort", () => void b.sleep("late", 1));
				isPast = true;
				await b.step("x", () => {});
			};
			await ctx.race("r", [
				{ name: "a", run: goesOn },
				{ name: "below", run: (b) => b.join("j", { c: { run: goesOn } }) },
				{ name: "wins", run: (b) => b.sleep("s", 10) },
			]);
			await ctx.queue.next("m", { names: ["work"] });
		});
		await world.advance(10);
		gate.open();
		await eventually(() => expect(isPast).toBe(true));
		await world.advance(10);
		expect(await world.status()).toMatchObject({ blocked: false, waitingFor: [{ path: "m" }] });
		await world.send("work");
		expect((await world.status()).state).toBe("completed");
	});

	it("hears of its end before, and what its listeners begin is its own", async () => {
		await using world = await World.start(async (ctx) => {
			await ctx.race("r", [
				{
					name: "a",
					run: (b) => {
						b.abortSignal.addEventListener("abort", () => void b.step("x", () => {}));
						return b.sleep("long", 1e9);
					},
				},
				{ name: "wins", run: (b) => b.sleep("s", 10) },
			]);
		});
		await world.advance(10);
		expect((await world.status()).state).toBe("completed");
	});
});

onMemory.it("a message of a branch that has lost is refused to the code around it", async () => {
	let message: { complete(): Promise<void> } | undefined;
	await using world = await World.start(async (ctx) => {
		await ctx.race("r", [
			{
				name: "a",
				run: async (b) => {
					message = await b.queue.next("m", { names: ["work"], completable: true });
					await b.sleep("long", 1e9);
				},
			},
			{ name: "wins", run: (b) => b.sleep("s", 10) },
		]);
		await message!.complete();
	});
	await world.send("work");
	await world.advance(10);
	expect(await world.status()).toMatchObject({
		state: "failed",
		error: { message: expect.stringContaining("went back") },
	});
	expect(await world.call("size")).toBe(1);
});
