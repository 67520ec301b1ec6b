// Conformance checks of workflows 15: queues (28 to 33), and the guide's examples (1, 2).
import { expect, it } from "vitest";
import { CriticalError, Loop, type TryStepFailure } from "../../src/workflow/index.ts";
import { eventually } from "../support/eventually.ts";
import { everywhere, onMemory } from "./support/boundaries.ts";
import { type Ctx, World } from "./support/world.ts";

everywhere((on) => {
	it("28. takes by name, in order, what is there, up to a count", async () => {
		await using world = await World.start(async (ctx) => {
			const wait = await ctx.queue.next("go", { names: ["control"] });
			const batch = await ctx.queue.nextBatch("batch", { names: ["work"], count: 3 });
			const rest = await ctx.queue.nextBatch("rest", { count: 10 });
			await ctx.step("note", () => {
				ctx.state.log.push(
					String(wait.body),
					...batch.map(({ body }) => `batch ${body}`),
					...rest.map(({ name, body }) => `${name} ${body}`),
				);
			});
		}, on);
		for (const n of [1, 2, 3, 4]) await world.send("work", n);
		await world.send("out", 5);
		await world.send("control", "go");
		const expected = ["go", "batch 1", "batch 2", "batch 3", "work 4", "out 5"];
		await eventually(async () => expect((await world.state()).log).toEqual(expected));
		expect(await world.call("size")).toBe(0);
	});

	it("28. times out as the contract says, with a deadline that no restart moves", async () => {
		await using world = await World.start(async (ctx, { ledger, clock }) => {
			const batch = await ctx.queue.nextBatch("batch", { timeout: 1_000 });
			ledger.push(`${batch.length} ${clock.now()}`);
			const polled = await ctx.queue.nextBatch("poll", { timeout: 0 });
			try {
				await ctx.queue.next("next", { timeout: 500 });
			} catch (error) {
				await ctx.step("note", () => {
					ctx.state.log.push(
						(error as Error).name,
						(error as Error).message,
						String(polled.length),
					);
				});
			}
		}, on);
		await world.advance(600);
		await world.crash();
		await world.advance(410);
		expect(world.ledger.length).toBeGreaterThan(0);
		await world.advance(600);
		expect((await world.state()).log).toEqual([
			"QueueTimeoutError",
			'queue.next("next") timed out before receiving a message. Use queue.nextBatch(...) for optional/time-limited reads.',
			"0",
		]);
	});

	it("28. a poll takes what is there", async () => {
		await using world = await World.start(async (ctx) => {
			await ctx.queue.next("go", { names: ["control"] });
			const [message] = await ctx.queue.nextBatch("poll", { names: ["work"], timeout: 0 });
			await ctx.step("note", () => void ctx.state.log.push(String(message?.body)));
		}, on);
		await world.send("work", "there");
		await world.send("control", 1);
		await eventually(async () => expect((await world.state()).log).toEqual(["there"]));
	});

	it("29. a message that was sent in time wins over the deadline, one that was not does not", async () => {
		for (const [sentAt, expected] of [
			[900, "work"],
			[1_100, "timeout"],
		] as const) {
			await using world = await World.start(async (ctx) => {
				const [message] = await ctx.queue.nextBatch("wait", { names: ["work"], timeout: 1_000 });
				await ctx.step("note", () => void ctx.state.log.push(message?.name ?? "timeout"));
			}, on);
			// Nobody looks while the message comes and the time passes.
			await world.call("pause");
			await world.advance(sentAt);
			await world.send("work", 1);
			await world.advance(2_000);
			await world.call("resume");
			await world.settle();
			expect((await world.state()).log).toEqual([expected]);
		}
	});

	it("30. answers the sender when the message is completed, between entries or in a step", async () => {
		await using world = await World.start(async (ctx, { ledger }) => {
			const first = await ctx.queue.next("first", { names: ["work"], completable: true });
			await first.complete(`got ${first.body}`);
			try {
				await first.complete("again");
			} catch (error) {
				ledger.push((error as Error).message);
			}
			const second = await ctx.queue.next("second", { names: ["work"], completable: true });
			await ctx.step("work", async (c) => {
				ledger.push(`try ${c.attempt}`);
				await second.complete(`try ${c.attempt}`);
				if (c.attempt === 1) throw new Error("no");
			});
			await ctx.queue.next("forever", { names: ["control"] });
		}, on);
		const answer = await world.ask("work", "a");
		expect(answer.outcome?.response).toBe("got a");
		const pending = world.ask("work", "b");
		await eventually(() => expect(world.ledger).toContain("try 1"));
		await world.settle();
		expect(await world.call("size")).toBe(1);
		await world.advance(300);
		expect((await pending).outcome?.response).toBe("try 2");
		expect(world.ledger.filter((line) => line.startsWith("try"))).toEqual(["try 1", "try 2"]);
		expect(world.ledger).toContain("Queue message already completed");
		await world.crash();
		expect(await world.call("size")).toBe(0);
	});

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

	const failing = (ctx: Ctx) =>
		ctx.loop("loop", async (loop) => {
			await loop.queue.next("m", { names: ["work"], completable: true });
			await loop.step({ name: "s", maxRetries: 0, run: () => Promise.reject(new Error("no")) });
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

	/** Fails with `isBroken`, and has what a branch holds go back with that. */
	const cancelling = (holds: (b: Ctx) => Promise<unknown>) => (ctx: Ctx, isBroken: () => boolean) =>
		ctx.join("join", {
			holds: { run: holds },
			fails: {
				run: async (b) => {
					await b.queue.next("go", { names: ["control"] });
					const run = () => {
						if (isBroken()) throw new Error("broken");
					};
					await b.step({ name: "s", maxRetries: 0, run });
				},
				onError: "cancel",
			},
		});
	const holding = (completable: boolean) => async (b: Ctx) => {
		await b.queue.next("m", { names: ["work"], completable });
		await b.queue.next("more", { names: ["out"], allowOpen: true });
	};

	it.each<[string, boolean, (ctx: Ctx, isBroken: () => boolean) => Promise<unknown>]>([
		["a failed iteration", true, (ctx) => failing(ctx)],
		["a cancelled branch", true, cancelling(holding(true))],
		[
			"a branch in a cancelled one",
			true,
			cancelling((b) => b.join("k", { c: { run: holding(true) } })),
		],
		["a cancelled branch that received it for good", false, cancelling(holding(false))],
	])(
		"51. recover does not wait again for a message that %s gave back and others have handled since",
		async (_what, completable, fails) => {
			let isBroken = true;
			await using world = await World.start(async (ctx, { ledger }) => {
				await fails(ctx, () => isBroken).catch(() => {});
				const again = await ctx.queue.next("again", { names: ["work"], completable });
				if (again.complete) await again.complete();
				await ctx.step({
					name: "use",
					maxRetries: 0,
					run: () => {
						if (isBroken) throw new Error("broken");
						ledger.push(String(again.body));
					},
				});
			}, on);
			await world.send("work", "m");
			await world.send("control");
			await eventually(async () => expect((await world.status()).state).toBe("failed"));
			isBroken = false;
			await world.call("recover");
			await eventually(async () => expect((await world.status()).state).toBe("completed"));
			expect([world.ledger, await world.call("size", "work")]).toEqual([["m"], 0]);
		},
	);

	it.each<[string, boolean]>([
		["a failed iteration", false],
		["a cancelled branch", true],
	])(
		"51. recover does a failure again that was caught only to clean up, though a message of %s is gone",
		async (_what, isCancelled) => {
			let isBroken = true;
			const handle = (ctx: Ctx, ledger: string[]) =>
				ctx.loop("loop", async (loop) => {
					const message = await loop.queue.next("m", { names: ["work"], completable: true });
					if (isCancelled) await loop.queue.next("more", { names: ["out"], allowOpen: true });
					await loop.step({
						name: "handle",
						maxRetries: 0,
						run: () => {
							if (isBroken) throw new Error("broken");
							ledger.push(String(message.body));
						},
					});
					await message.complete();
					return Loop.break();
				});
			await using world = await World.start(async (ctx, { ledger }) => {
				const work = isCancelled
					? cancelling((b) => handle(b, ledger))(ctx, () => isBroken)
					: handle(ctx, ledger);
				await work.catch(async (error: unknown) => {
					await ctx.step("clean up", () => {});
					throw error;
				});
			}, on);
			await world.send("work", "m");
			if (isCancelled) await world.send("control");
			await eventually(async () => expect((await world.status()).state).toBe("failed"));
			expect(await world.call("take", "work")).toBe("m");
			isBroken = false;
			await world.call("recover");
			for (const name of ["work", "out"]) await world.send(name, "next");
			await eventually(async () => expect((await world.status()).state).toBe("completed"));
			expect([world.ledger, await world.call("size", "work")]).toEqual([["next"], 0]);
		},
	);

	it.each<[string, (ctx: Ctx, run: (at: Ctx) => Promise<unknown>) => Promise<unknown>]>([
		["its failed iteration", (ctx, run) => run(ctx)],
		["its failed iteration in a branch", (ctx, run) => ctx.join("j", { a: { run } })],
	])("51. recover waits again for a message that %s gave back", async (_what, within) => {
		let isBroken = true;
		await using world = await World.start(async (ctx) => {
			const work = (at: Ctx) =>
				at.loop("loop", async (loop) => {
					const { body, complete } = await loop.queue.next("m", {
						names: ["work"],
						completable: true,
					});
					await loop.step({
						name: "s",
						maxRetries: 0,
						run: () => {
							if (isBroken) throw new Error("broken");
							ctx.state.log.push(String(body));
						},
					});
					await complete();
					return Loop.break();
				});
			await within(ctx, work);
		}, on);
		await world.send("work", "m");
		await eventually(async () => expect((await world.status()).state).toBe("failed"));
		expect(await world.call("take", "work")).toBe("m");
		isBroken = false;
		await world.call("recover");
		await world.send("work", "next");
		await eventually(async () => expect((await world.status()).state).toBe("completed"));
		expect([(await world.state()).log, await world.call("size")]).toEqual([["next"], 0]);
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

	it("33. hands every message to exactly one of two branches and a plain consumer", async () => {
		await using world = await World.start(async (ctx) => {
			const { a, b } = await ctx.join("both", {
				a: { run: async (branch) => (await branch.queue.next("m", { names: ["work"] })).body },
				b: { run: async (branch) => (await branch.queue.next("m", { names: ["work"] })).body },
			});
			await ctx.step("note", () => void ctx.state.log.push(`${a} ${b}`));
		}, on);
		const plain = world.call("receive", ["work"]);
		await world.settle();
		for (const n of [1, 2, 3]) await world.send("work", n);
		await eventually(async () => expect((await world.state()).log).toHaveLength(1));
		const all = [...(await world.state()).log[0]!.split(" ").map(Number), await plain];
		expect(all.sort()).toEqual([1, 2, 3]);
	});

	it("1. drains a queue with one effect per message", async () => {
		await using world = await World.start(async (ctx, { ledger }) => {
			await ctx.loop("task-loop", async (loop) => {
				const message = await loop.queue.next("wait-task", { names: ["work"] });
				await loop.step("process-task", async () => {
					ledger.push(`POST ${message.body}`);
					loop.state.n += 1;
				});
			});
		}, on);
		for (const url of ["a", "b", "c"]) await world.send("work", url);
		await eventually(async () => expect((await world.state()).n).toBe(3));
		expect(world.ledger).toEqual(["POST a", "POST b", "POST c"]);
	});

	it("2. sets up once, handles what comes, tears down, and leaves the actor readable", async () => {
		await using world = await World.start(
			async (ctx, { ledger }) => {
				await ctx.step("setup", async () => void ledger.push("init"));
				const reason = await ctx.loop("worker-loop", async (loop) => {
					const message = await loop.queue.next("wait-command", { names: ["work", "control"] });
					if (message.name === "work") {
						await loop.step("apply-work", async () => {
							loop.state.n += message.body as number;
						});
						return;
					}
					return Loop.break(message.body as string);
				});
				await ctx.step("teardown", async () => void ledger.push(`shutdown ${reason}`));
			},
			{ ...on, options: { sleepTimeout: 300 } },
		);
		for (const n of [1, 2, 3, 4, 5]) {
			await world.send("work", n);
			await world.advance(500);
		}
		await world.send("control", "stop");
		await eventually(() => expect(world.ledger).toEqual(["init", "shutdown stop"]));
		await world.advance(1_000);
		expect((await world.state()).n).toBe(15);
		expect((await world.status()).state).toBe("completed");
	});
});

onMemory.it(
	"32. drains 5,000 messages with one commit each, at most",
	async () => {
		const fn = async (ctx: Ctx) => {
			await ctx.queue.next("go", { names: ["control"] });
			await ctx.loop("drain", async (loop) => {
				const message = await loop.queue.next("next", { names: ["work"] });
				await loop.step("add", () => {
					loop.state.n += message.body as number;
				});
			});
		};
		await using world = await World.start(fn, { options: { maxQueueSize: 10_000 } });
		for (let at = 0; at < 5_000; at += 250) {
			await Promise.all(
				Array.from({ length: 250 }, () =>
					fetch(`${world.runtime.url}/gateway/${world.id}/queue/work`, {
						method: "POST",
						body: JSON.stringify({ body: 1 }),
					}),
				),
			);
		}
		const before = world.store.commits.length;
		await world.send("control", "go");
		await eventually(async () => expect((await world.state()).n).toBe(5_000), 200_000);
		// Every 64 messages are read together, and others get their turn.
		expect(world.store.commits.length - before).toBeLessThanOrEqual(5_250);
	},
	300_000,
);

onMemory.it.each<[string, (ctx: Ctx, fails: (at: Ctx) => Promise<void>) => Promise<unknown>]>([
	["the workflow", (ctx, fails) => fails(ctx)],
	["a branch", (ctx, fails) => ctx.join("j", { a: { run: fails } })],
	[
		"an iteration",
		(ctx, fails) =>
			ctx.loop("l", async (loop) => {
				await fails(loop);
				return Loop.break();
			}),
	],
])(
	"10.4. recover needs no more what came of a step's error before it was thrown on in %s",
	async (_where, place) => {
		let isBroken = true;
		await using world = await World.start(
			(ctx, { ledger }) =>
				place(ctx, async (at) => {
					const run = () => {
						if (isBroken) throw new CriticalError("broken");
					};
					await at.step("s", run).catch(async (error: unknown) => {
						await at.step("clean up", () => void ledger.push("cleaned up"));
						throw error;
					});
					await at.step("more", () => void ledger.push("done"));
				}),
			{ workflow: { strictRoot: true } },
		);
		await eventually(async () => expect((await world.status()).state).toBe("failed"));
		isBroken = false;
		await world.call("recover");
		await eventually(async () => expect((await world.status()).state).toBe("completed"));
		expect(world.ledger).toEqual(["cleaned up", "done"]);
	},
);

onMemory.it(
	"10.4. recover does nothing again that succeeded before a failure was thrown on",
	async () => {
		let isBroken = true;
		await using world = await World.start(async (ctx, { ledger }) => {
			let failure: unknown;
			for (const name of ["a", "b", "c"]) {
				const run = () => {
					if (isBroken && name === "a") throw new CriticalError("broken");
					ledger.push(name);
				};
				await ctx.step(name, run).catch((error: unknown) => {
					failure = error;
				});
			}
			if (failure) throw failure;
		});
		await eventually(async () => expect((await world.status()).state).toBe("failed"));
		isBroken = false;
		await world.call("recover");
		await eventually(async () => expect((await world.status()).state).toBe("completed"));
		expect(world.ledger).toEqual(["b", "c", "a"]);
	},
);

onMemory.describe("10.4. recover of a wait that timed out", () => {
	const LIMIT = { names: ["work"], timeout: 1_000 } as const;

	const places: [string, (ctx: Ctx) => Promise<{ body: unknown }>][] = [
		["the workflow", (ctx) => ctx.queue.next("m", LIMIT)],
		[
			"a later iteration",
			(ctx) =>
				ctx.loop({
					name: "loop",
					state: 0,
					run: async (loop, n) => {
						await loop.step("before", () => {});
						if (n < 2) return Loop.continue(n + 1);
						return Loop.break(await loop.queue.next("m", LIMIT));
					},
				}),
		],
		[
			"a branch of a join",
			async (ctx) => {
				const { a } = await ctx.join("join", {
					a: { run: (b) => b.queue.next("m", LIMIT) },
					other: { run: (b) => b.sleep("longer", 1_500) },
				});
				return a;
			},
		],
	];

	it.each(places)("in %s waits again, with all of its time", async (_where, wait) => {
		await using world = await World.start(async (ctx) => {
			await ctx.step("first", () => {
				ctx.state.n += 1;
			});
			return (await wait(ctx)).body;
		});
		await world.advance(2_000);
		expect((await world.status()).state).toBe("failed");
		await world.call("recover");
		await world.settle();
		const [waiting] = (await world.status()).waitingFor;
		expect(waiting).toMatchObject({ names: ["work"], deadline: world.clock.now() + 1_000 });
		await world.advance(1_000);
		expect((await world.status()).state).toBe("failed");
		await world.send("work", "late");
		await world.crash();
		await world.call("recover");
		await eventually(async () => {
			expect(await world.status()).toMatchObject({ state: "completed", output: "late" });
		});
		expect((await world.state()).n).toBe(1);
	});

	/** Does something before it throws an error on, as it is or as the cause of another one. */
	const cleanUp =
		(at: Ctx, ledger: string[], wraps = false) =>
		async (error: unknown) => {
			await at.step("clean up", () => void ledger.push("cleaned up"));
			throw wraps ? new Error("wrapped", { cause: error }) : error;
		};
	type Wait = (ctx: Ctx, ledger: string[]) => Promise<{ body: unknown }>;
	const thrownOn: [string, Wait][] = [
		[
			"that is thrown on",
			(ctx, ledger) => ctx.queue.next("m", LIMIT).catch(cleanUp(ctx, ledger) as never),
		],
		[
			"that is the cause of what is thrown",
			(ctx, ledger) => ctx.queue.next("m", LIMIT).catch(cleanUp(ctx, ledger, true) as never),
		],
		[
			"that is thrown on in an iteration, and behind it",
			(ctx, ledger) =>
				ctx
					.loop("loop", async (loop) =>
						Loop.break(
							await loop.queue.next("m", LIMIT).catch(cleanUp(loop, ledger, true) as never),
						),
					)
					.catch(cleanUp(ctx, ledger) as never),
		],
		[
			"that is thrown on in a branch",
			async (ctx, ledger) => {
				const { a } = await ctx.join("join", {
					a: { run: (b) => b.queue.next("m", LIMIT).catch(cleanUp(b, ledger) as never) },
				});
				return a as never;
			},
		],
		[
			"that is thrown on behind a join",
			async (ctx, ledger) => {
				const joined = ctx.join("join", { a: { run: (b) => b.queue.next("m", LIMIT) } });
				return (await joined.catch(cleanUp(ctx, ledger, true) as never)).a as never;
			},
		],
		[
			"that is thrown on in a branch, and behind a race",
			async (ctx, ledger) => {
				const run = (b: Ctx) => b.queue.next("m", LIMIT).catch(cleanUp(b, ledger, true) as never);
				const raced = ctx.race("race", [{ name: "a", run }]);
				return (await raced.catch(cleanUp(ctx, ledger) as never)).value as never;
			},
		],
	];
	it.each(thrownOn)("%s waits again, and need not come to what came of it", async (_how, wait) => {
		for (const isCold of [false, true]) {
			await using world = await World.start(
				async (ctx, { ledger }) => {
					await ctx.step("first", () => void ledger.push("first"));
					return (await wait(ctx, ledger)).body;
				},
				{ workflow: { strictRoot: true } },
			);
			if (isCold) await world.crash();
			await world.advance(1_000);
			expect((await world.status()).state).toBe("failed");
			const before = [...world.ledger];
			if (isCold) await world.crash();
			await world.call("recover");
			// Its time is over again.
			await world.advance(1_000);
			expect((await world.status()).state).toBe("failed");
			expect(world.ledger).toEqual(before);
			await world.send("work", "late");
			await world.call("recover");
			await eventually(async () => {
				expect(await world.status()).toMatchObject({ state: "completed", output: "late" });
			});
			expect([world.ledger, await world.call("size")]).toEqual([before, 0]);
		}
	});

	it("leaves one alone whose error was thrown on, and caught further out", async () => {
		let fails = true;
		await using world = await World.start(async (ctx, { ledger }) => {
			const failing = ctx.loop("loop", async (loop) => {
				await loop.queue.next("m", LIMIT).catch(cleanUp(loop, ledger) as never);
			});
			await failing.catch(() => {});
			await ctx.step("next", () => {
				if (fails) throw new CriticalError("not yet");
			});
		});
		await world.advance(1_000);
		expect((await world.status()).state).toBe("failed");
		fails = false;
		await world.send("work", "late");
		await world.call("recover");
		await eventually(async () => expect((await world.status()).state).toBe("completed"));
		expect([world.ledger, await world.call("size")]).toEqual([["cleaned up"], 1]);
	});

	it("leaves one alone that the code has gone on from", async () => {
		let fails = true;
		await using world = await World.start(async (ctx) => {
			const first = await ctx.queue.next("m", LIMIT).catch(() => "none in time");
			await ctx.step("next", () => {
				if (fails) throw new CriticalError("not yet");
			});
			return first;
		});
		await world.advance(1_000);
		expect((await world.status()).state).toBe("failed");
		fails = false;
		await world.send("work", "late");
		await world.call("recover");
		await eventually(async () => {
			expect(await world.status()).toMatchObject({ state: "completed", output: "none in time" });
		});
		expect(await world.call("size")).toBe(1);
	});
});
