// Conformance checks of workflows 15: messages that are to be completed, and who has them (31).
import { expect, it } from "vitest";
import { Loop, type TryStepFailure } from "../../src/workflow/index.ts";
import { eventually } from "../support/eventually.ts";
import { everywhere } from "./support/boundaries.ts";
import { failing } from "./support/failing.ts";
import { type Ctx, World } from "./support/world.ts";

everywhere((on) => {
	it("31. refuses the next wait while a message is open", async () => {
		await using world = await World.start(async (ctx) => {
			await ctx.queue.next("open", { completable: true });
			await ctx.queue.next("next");
		}, on);
		await world.send("work", 1);
		expect(await world.status()).toMatchObject({
			blocked: true,
			error: {
				message:
					"Previous completable queue message is not completed. Call `message.complete(...)` before receiving the next message.",
			},
		});
	});

	it("31. gives a message back that an iteration did not complete, and counts that", async () => {
		await using world = await World.start(async (ctx) => {
			await ctx.loop("loop", async (loop) => {
				const message = await loop.queue.next("wait", { names: ["work"], completable: true });
				await loop.step(
					"note",
					() => void ctx.state.log.push(`${message.body} ${message.attempt}`),
				);
				if (message.attempt === 2) await message.complete();
			});
		}, on);
		await world.send("work", "m");
		await eventually(async () => expect((await world.state()).log).toEqual(["m 1", "m 2"]));
		await world.settle();
		expect(await world.call("size")).toBe(0);
	});

	it("31. has an open message again after a crash, in nobody else's hands", async () => {
		await using world = await World.start(async (ctx, { ledger }) => {
			const message = await ctx.queue.next("open", { names: ["work"], completable: true });
			ledger.push(`${message.id} ${message.body} ${message.attempt}`);
			await ctx.queue.next("go", { names: ["control"], allowOpen: true });
			await message.complete("late");
		}, on);
		await world.send("work", "m");
		await world.crash();
		expect(await world.call("take", "work")).toBeUndefined();
		await world.send("control", "go");
		await eventually(async () => expect(await world.call("size")).toBe(0));
		expect(new Set(world.ledger).size).toBe(1);
	});

	it.each<[string, (ctx: Ctx) => Promise<unknown>]>([
		["an iteration", (ctx) => failing(ctx)],
		["an iteration in a branch of a join", (ctx) => ctx.join("j", { a: { run: failing } })],
		["an iteration in a race", (ctx) => ctx.race("r", [{ name: "a", run: failing }])],
		["an iteration in a block", (ctx) => ctx.try("t", failing)],
		[
			"a block that lets its error through",
			(ctx) =>
				ctx.try("t", async (block) => {
					await block.queue.next("m", { names: ["work"], completable: true });
					throw new Error("no");
				}),
		],
	])("31. gives a message back at once that %s held which failed", async (_what, fails) => {
		await using world = await World.start(async (ctx) => {
			await fails(ctx).catch(() => {});
			const again = await ctx.queue.next("again", { names: ["work"], completable: true });
			await ctx.step("note", () => void ctx.state.log.push(`${again.body} ${again.attempt}`));
			await ctx.queue.next("go", { names: ["control"], allowOpen: true });
			await again.complete();
		}, on);
		await world.send("work", "m");
		await eventually(async () => expect((await world.state()).log).toEqual(["m 2"]));
		// A replay comes by the scope that had it first: it stays with the one that has it now.
		await world.crash();
		await world.settle();
		expect([await world.call("take", "work"), await world.call("size")]).toEqual([undefined, 1]);
		await world.send("control");
		await eventually(async () => expect((await world.status()).state).toBe("completed"));
		expect([(await world.state()).log, await world.call("size")]).toEqual([["m 2"], 0]);
	});

	it("31. a message that removed() gave back stays with whoever has it now, over replays", async () => {
		await using world = await World.start(async (ctx) => {
			await ctx.queue.next("open", { names: ["work"], completable: true });
			await ctx.queue.next("go", { names: ["control"], allowOpen: true });
		}, on);
		await world.send("work", "m");
		world.fn = async (ctx) => {
			await ctx.removed("open", "message");
			const again = await ctx.queue.next("again", { names: ["work"], completable: true });
			await ctx.step("note", () => void ctx.state.log.push(`${again.body} ${again.attempt}`));
			await ctx.queue.next("go", { names: ["control"], allowOpen: true });
			await again.complete();
		};
		for (let start = 0; start < 2; start++) {
			await world.crash();
			await eventually(async () => expect((await world.state()).log).toEqual(["m 2"]));
		}
		expect([await world.call("take", "work"), await world.call("size")]).toEqual([undefined, 1]);
		await world.send("control");
		await eventually(async () => expect((await world.status()).state).toBe("completed"));
		expect(await world.call("size")).toBe(0);
	});

	it("31. refuses to complete a message that was given back, and whoever has it now keeps it", async () => {
		await using world = await World.start(
			async (ctx) => {
				let held: { complete(response?: unknown): Promise<void> } | undefined;
				await ctx.loop("loop", async (loop) => {
					held = await loop.queue.next("m", { names: ["work"], completable: true });
					return Loop.break();
				});
				const again = await ctx.queue.next("again", { names: ["work"], completable: true });
				const refused = await held?.complete("late").catch((error: { code: string }) => error.code);
				await ctx.step("note", () => void ctx.state.log.push(String(refused)));
				await again.complete("by its holder");
			},
			{ ...on, yields: false },
		);
		const answer = await world.ask("work", "m");
		expect(answer.outcome?.response).toBe("by its holder");
		expect((await world.state()).log).toEqual(["already_completed"]);
	});

	it("31. refuses to complete a message of a branch that has ended", async () => {
		await using world = await World.start(
			async (ctx) => {
				let held: { complete(response?: unknown): Promise<void> } | undefined;
				await ctx.race("r", [
					{
						name: "message",
						run: async (b) => {
							held = await b.queue.next("m", { names: ["work"], completable: true });
						},
					},
					{ name: "late", run: (b) => b.sleep("long", 60_000) },
				]);
				const refused = await held?.complete("late").catch((error: Error) => error.message);
				await ctx.step("note", () => void ctx.state.log.push(String(refused)));
			},
			{ ...on, yields: false },
		);
		await world.send("work", "m");
		await eventually(async () => expect((await world.status()).state).toBe("completed"));
		expect([(await world.state()).log, await world.call("size")]).toEqual([
			[
				"Queue message 1 of 'work' went back to its queue: what had received it ended without completing it.",
			],
			1,
		]);
	});

	it.each<[string, (ctx: Ctx, wait: (at: Ctx) => Promise<unknown>) => Promise<unknown>]>([
		[
			"branch",
			(ctx, wait) =>
				ctx.join("j", {
					a: {
						run: async (b) => {
							void wait(b);
							throw new Error("no");
						},
					},
				}),
		],
		[
			"block, in a join that it did not wait for",
			(ctx, wait) =>
				ctx.try("t", async (block) => {
					void block.join("j", { a: { run: wait } });
					await Promise.resolve();
					throw new Error("no");
				}),
		],
		[
			"iteration",
			(ctx, wait) =>
				ctx.loop("l", async (loop) => {
					void wait(loop);
					throw new Error("no");
				}),
		],
	])("31. has nothing wait for messages any more of a %s that failed", async (_what, fails) => {
		await using world = await World.start(async (ctx) => {
			const wait = (at: Ctx) => at.queue.next("left alone", { names: ["work"] });
			await fails(ctx, wait).catch(() => {});
			const { body } = await ctx.queue.next("m", { names: ["work"] });
			await ctx.step("note", () => void ctx.state.log.push(String(body)));
		}, on);
		await world.send("work", "m");
		await eventually(async () => expect((await world.status()).state).toBe("completed"));
		expect([(await world.state()).log, await world.call("size")]).toEqual([["m"], 0]);
	});

	it.each<[string, (block: Ctx, wait: (at: Ctx) => Promise<unknown>) => void]>([
		["a join", (block, wait) => void block.join("j", { a: { run: wait } })],
		["a race", (block, wait) => void block.race("j", [{ name: "a", run: wait }])],
		["a loop", (block, wait) => void block.loop("j", wait as never)],
		["a block", (block, wait) => void block.try("j", wait)],
	])(
		"31. has nothing wait for messages again of a failed iteration with %s, also from records",
		async (_what, begins) => {
			await using world = await World.start(async (ctx) => {
				const wait = async (at: Ctx) => {
					await at.queue.next("left alone", { names: ["work"] });
					await at.queue.next("for ever", { names: ["out"] });
				};
				await ctx
					.loop("l", async (loop) => {
						begins(loop, wait);
						throw new Error("no");
					})
					.catch(() => {});
				await ctx.queue.next("go", { names: ["control"] });
				const { body } = await ctx.queue.next("m", { names: ["work"] });
				await ctx.step("note", () => void ctx.state.log.push(String(body)));
			}, on);
			await world.crash();
			await world.send("work", "m");
			await world.send("control");
			await eventually(async () => expect((await world.status()).state).toBe("completed"));
			expect([(await world.state()).log, await world.call("size")]).toEqual([["m"], 0]);
		},
	);

	it("31. has code of a failed iteration take no message that it comes to later", async () => {
		await using world = await World.start(async (ctx) => {
			await ctx
				.loop("l", async (loop) => {
					const late = async () => {
						await new Promise((resolve) => setImmediate(resolve));
						await loop.queue.next("late", { names: ["work"] });
					};
					void late();
					throw new Error("no");
				})
				.catch(() => {});
			await ctx.queue.next("go", { names: ["control"] });
			const { body } = await ctx.queue.next("m", { names: ["work"] });
			await ctx.step("note", () => void ctx.state.log.push(String(body)));
		}, on);
		await world.send("work", "m");
		await world.send("control");
		await eventually(async () => expect((await world.status()).state).toBe("completed"));
		expect([(await world.state()).log, await world.call("size")]).toEqual([["m"], 0]);
	});

	it("31. gives a message back that came to an iteration in the moment that it failed", async () => {
		await using world = await World.start(
			async (ctx) => {
				let fail!: (reason: Error) => void;
				const failed = new Promise<never>((_resolve, reject) => {
					fail = reject;
				});
				failed.catch(() => {});
				await ctx.join("j", {
					waits: {
						run: async (b) => {
							const failing = b.loop("l", (loop) => {
								void loop.queue.next("m", { names: ["work"], completable: true });
								return failed;
							});
							await failing.catch(() => {});
							const again = await b.queue.next("again", { names: ["work"], completable: true });
							await again.complete();
							await b.step("note", () => void ctx.state.log.push(`m ${again.attempt}`));
						},
					},
					sends: {
						run: async (b) => {
							await b.queue.next("go", { names: ["control"] });
							fail(new Error("no"));
							await b.queue.send("work", "m");
						},
					},
				});
			},
			{ ...on, yields: false },
		);
		await world.send("control");
		await eventually(async () => expect((await world.state()).log).toEqual(["m 2"]));
		expect(await world.call("size")).toBe(0);
	});

	it.each([
		["its branch failed", undefined],
		["its branch was cancelled", "cancel"],
	] as const)(
		"31. refuses what a step completes if that goes back before the step ends: %s",
		async (_how, onError) => {
			const told: unknown[] = [];
			let held: { complete(response?: unknown): Promise<void> } | undefined;
			let open!: () => void;
			const gate = new Promise<void>((resolve) => {
				open = resolve;
			});
			await using world = await World.start(
				async (ctx) => {
					await ctx.join("j", {
						completes: {
							run: async (b) => {
								await b.queue.next("start", { names: ["out"] });
								const late = async () => {
									ctx.state.n += 1;
									await held?.complete("by the step");
									await gate;
								};
								// While it ran, and before it began: no further try changes that.
								for (const name of ["s", "again"]) {
									const { failure } = (await b.tryStep(name, late)) as { failure: TryStepFailure };
									const { kind, attempts, error } = failure;
									const { code } = error.metadata as { code?: string };
									told.push([kind, attempts, code, error.message]);
								}
							},
						},
						inner: {
							run: (b) =>
								b
									.join("k", {
										holds: {
											run: async (c) => {
												held = await c.queue.next("m", { names: ["work"], completable: true });
												await c.queue.next("go", { names: ["control"], allowOpen: true });
												if (onError === undefined) throw new Error("no");
												await c.sleep("long", 1e9);
											},
										},
										fails: {
											run: async (c) => {
												await c.queue.next("go", { names: ["control"] });
												throw new Error("no");
											},
											...(onError && { onError }),
										},
									})
									.catch(() => {}),
						},
					});
					const again = await ctx.queue.next("again", { names: ["work"], completable: true });
					await ctx.step("note", () => void ctx.state.log.push(`m ${again.attempt}`));
					await again.complete("by its holder");
				},
				{ ...on, yields: false },
			);
			const answer = world.ask("work", "m");
			await eventually(() => expect(held).toBeDefined());
			await world.send("out");
			await eventually(async () => expect((await world.state()).n).toBe(1));
			for (let n = 0; n < 2; n++) await world.send("control");
			open();
			const text =
				"Queue message 1 of 'work' went back to its queue: what had received it ended without completing it.";
			const refused = ["critical", 1, "already_completed", text];
			await eventually(() => expect(told).toEqual([refused, refused]));
			expect((await answer).outcome?.response).toBe("by its holder");
			expect(await world.state()).toMatchObject({ n: 2, log: ["m 2"] });
			expect(await world.call("size", "work")).toBe(0);
		},
	);
});
