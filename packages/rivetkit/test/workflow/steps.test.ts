// Conformance checks of workflows 15: model and guard (1 to 8), steps (9 to 18).
import { expect, it } from "vitest";
import { CriticalError, Loop, RetryAfterError, RollbackError } from "../../src/workflow/index.ts";
import { WireSocket } from "../support/wire-socket.ts";
import { everywhere, onMemory } from "./support/boundaries.ts";
import { type Ctx, World } from "./support/world.ts";

everywhere((on) => {
	it("3. runs a step once that returns nothing, null, 0 or text, across wakes", async () => {
		await using world = await World.start(async (ctx, { ledger }) => {
			for (const [name, value] of Object.entries({ a: undefined, b: null, c: 0, d: "" })) {
				const result = await ctx.step(name, () => {
					ledger.push(name);
					return value;
				});
				if (result !== value) ledger.push(`wrong ${name}`);
			}
			await ctx.loop("wait", async (loop) => {
				await loop.queue.next("next");
			});
		}, on);
		for (let wake = 0; wake < 10; wake++) await world.crash();
		expect(world.ledger).toEqual(["a", "b", "c", "d"]);
		expect(world.isAwake).toBe(true);
	});

	it("4, 5. refuses the actor's data between entries, with the contract's message", async () => {
		for (const member of ["state", "vars", "db", "kv"] as const) {
			await using world = await World.start(async (ctx) => void ctx[member], on);
			const { state, blocked, error } = await world.status();
			expect([state, blocked, error?.message]).toEqual([
				"sleeping",
				true,
				`${member} is only available inside workflow steps`,
			]);
			expect(await world.call("guard")).toBe("true");
			// Nobody is given a property that has none.
			expect(await world.state()).not.toHaveProperty("guardTriggered");
		}
		let hasProperty = false;
		await using flagged = await World.start(async (ctx) => {
			await ctx.step("give it one", () => {
				ctx.state.guardTriggered = false;
			});
			hasProperty = true;
			void ctx.vars;
		}, on);
		expect([hasProperty, await flagged.state()]).toMatchObject([true, { guardTriggered: true }]);
		await using world = await World.start(async (ctx) => void ctx.client(), on);
		expect((await world.status()).error?.message).toBe(
			"client is only available inside workflow steps",
		);
	});

	it("4. opens an outer context inside a loop's step, and no context to what outlives a step", async () => {
		let late: () => void = () => {};
		const refused: string[] = [];
		await using world = await World.start(async (ctx) => {
			await ctx.loop("loop", async (loop) => {
				await loop.step("step", () => {
					ctx.state.n += 1;
					const state = ctx.state;
					setImmediate(() => {
						late = () => {
							const write = () => {
								state.n = 7;
							};
							for (const use of [() => void ctx.state, write]) {
								try {
									use();
								} catch (error) {
									refused.push((error as Error).message);
								}
							}
						};
						late();
					});
				});
				return Loop.break();
			});
			await ctx.queue.next("forever");
		}, on);
		expect((await world.state()).n).toBe(1);
		expect(refused).toEqual(Array(2).fill("state is only available inside workflow steps"));
	});

	it("6. sends once between entries, over five cold starts", async () => {
		await using world = await World.start(async (ctx) => {
			await ctx.queue.send("out", "hello");
			await ctx.queue.send("out", "again");
			await ctx.queue.next("wait", { names: ["work"] });
		}, on);
		for (let start = 0; start < 5; start++) await world.crash();
		expect(await world.call("size", "out")).toBe(2);
		expect([await world.call("take", "out"), await world.call("take", "out")]).toEqual([
			"hello",
			"again",
		]);
	});

	it("6. broadcasts between entries once per passage, and not on replay", async () => {
		await using world = await World.start(async (ctx) => {
			const broadcast = (at: string) => ctx.broadcast("at" as never, at as never);
			await ctx.queue.next("go", { names: ["control"] });
			broadcast("begin");
			await ctx.step("a", () => {});
			broadcast("after a");
			await ctx.loop("rounds", async (loop) => {
				broadcast("waits");
				const { body } = await loop.queue.next("work", { names: ["work"] });
				broadcast(`has ${body}`);
				await loop.sleep("pause", 10);
				broadcast("rested");
			});
		}, on);
		await using socket = await WireSocket.connect(
			`${world.runtime.url}/gateway/${world.id}/connect`,
		);
		socket.subscribe("at");
		await socket.call(1, "get");
		/** What was broadcast until the answer to a call. */
		const hear = async (id: number) => {
			socket.act(id, "get");
			const heard: unknown[] = [];
			for (;;) {
				const frame = await socket.next();
				if (frame.tag === "ActionResponse") return heard;
				if (frame.tag === "Event") heard.push(...(frame.args as unknown[]));
			}
		};
		await world.send("control");
		expect(await hear(2)).toEqual(["begin", "after a", "waits"]);
		for (let wake = 0; wake < 3; wake++) {
			await world.nap();
			await world.state();
			await world.settle();
		}
		expect(await hear(3)).toEqual([]);
		await world.send("work", "x");
		await world.nap();
		await world.advance(20);
		await world.send("work", "y");
		expect(await hear(4)).toEqual(["has x", "rested", "waits", "has y"]);
	});

	it("1.3. says once, in development, where a replay went another way", async () => {
		const program = (names: string[]) => async (ctx: Ctx) => {
			await ctx.step("first", () => {});
			for (const name of names) await ctx.step(name, () => {});
			await ctx.queue.next("work", { names: ["work"] });
		};
		const warned = async (names: string[], checksReplays = true) => {
			await using world = await World.start(program(["a", "b"]), { ...on, checksReplays });
			world.fn = program(names);
			await world.crash();
			const lines = world.runtime.log
				.filter(({ fields }) => "recorded" in fields)
				.map(({ level, fields }) => `${level} ${fields.recorded} ${fields.visited}`);
			// Each start is a replay of its own.
			return on.yields ? [...new Set(lines)] : lines;
		};
		expect(await warned(["a", "b"])).toEqual([]);
		expect(await warned(["b", "a"])).toEqual(["warn a b"]);
		expect(await warned(["a", "c", "b"])).toEqual(["warn b c"]);
		expect(await warned(["a", "b", "c"])).toEqual([]);
		expect(await warned(["b"])).toEqual(["warn a b"]);
		expect(await warned(["b", "a"], false)).toEqual([]);
	});

	it("7. hands a step's callback a context that is of no use afterwards", async () => {
		let kept: { state: { n: number } } | undefined;
		await using world = await World.start(async (ctx) => {
			await ctx.step("step", (c) => {
				kept = c as never;
				c.state.n = c.vars.v + 4;
			});
			await ctx.queue.next("forever");
		}, on);
		expect((await world.state()).n).toBe(5);
		expect(() => kept!.state).toThrow("state is only available inside workflow steps");
	});

	it.each([
		[
			"a step that is not waited for",
			async (ctx: Ctx) => {
				void ctx.step("a", async () => new Promise((resolve) => setImmediate(resolve)));
				await ctx.step("b", () => {});
			},
		],
		["a step inside a step", (ctx: Ctx) => ctx.step("a", () => ctx.step("b", () => {}))],
		[
			"an outer context inside a loop",
			(ctx: Ctx) =>
				ctx.loop("l", async () => {
					await ctx.step("b", () => {});
				}),
		],
	])("8. says so about %s", async (_what, fn) => {
		await using world = await World.start(fn, on);
		const { blocked, error } = await world.status();
		expect(blocked).toBe(true);
		expect(error).toMatchObject({
			name: "EntryInProgressError",
			message: expect.stringMatching(
				/^Cannot start a new workflow entry while another is in progress\./,
			),
		});
	});

	it.each([
		[{ maxRetries: 0 }, 1],
		[{ maxRetries: 1 }, 2],
		[{ maxRetries: 2 }, 3],
		[{}, 4],
		[{ maxAttempts: 5, maxRetries: 1 }, 5],
	])("9, 10. tries with %j %i times, then fails for good", async (limits, attempts) => {
		await using world = await World.start(async (ctx, { ledger }) => {
			try {
				await ctx.step({
					name: "flaky",
					...limits,
					run: (c) => {
						ledger.push(String(c.attempt));
						throw new TypeError("boom");
					},
				});
			} catch (error) {
				const { name, message, stepName, lastError } = error as Error & {
					stepName: string;
					lastError: Error;
				};
				await ctx.step("caught", () => {
					ctx.state.log.push(name, message, stepName, lastError.name);
				});
			}
		}, on);
		await world.advance(60_000);
		const tries = Array.from({ length: attempts }, (_, index) => String(index + 1));
		expect(world.ledger).toEqual(tries);
		const expected = [
			"StepExhaustedError",
			'Step "flaky" exhausted retries: TypeError: boom',
			"flaky",
			"TypeError",
		];
		expect((await world.state()).log).toEqual(expected);
		await world.crash();
		expect([await world.state(), (await world.status()).state]).toMatchObject([
			{ log: expected },
			"completed",
		]);
		expect(world.errors.map((event) => "step" in event && event.step.attempt)).toEqual(
			tries.map(Number),
		);
	});

	it("9. waits 200, 400 and so on, up to the most, from the start of the try", async () => {
		const times: number[] = [];
		await using world = await World.start(
			(ctx, { clock }) =>
				ctx.step({
					name: "flaky",
					maxAttempts: 5,
					retryBackoffMax: 700,
					run: () => {
						times.push(clock.now());
						throw new Error("no");
					},
				}),
			on,
		);
		await world.advance(10_000);
		expect(times.slice(1).map((time, index) => time - times[index]!)).toEqual([200, 400, 700, 700]);
	});

	it("3.2.4. an error says when the next try begins: after so long, or at a time", async () => {
		const times: number[] = [];
		await using world = await World.start(
			(ctx, { clock }) =>
				ctx.step("flaky", () => {
					times.push(clock.now());
					if (times.length === 1) throw new RetryAfterError("later", 5_000);
					if (times.length === 2) {
						throw Object.assign(new Error("then"), { retryAt: clock.now() + 700 });
					}
				}),
			on,
		);
		await world.advance(10_000);
		expect(times.slice(1).map((time, index) => time - times[index]!)).toEqual([5_000, 700]);
	});

	it.each([
		["CriticalError", () => new CriticalError("no")],
		["RollbackError", () => new RollbackError("no")],
		[
			"a CriticalError of another copy of the package",
			() => Object.assign(new Error("no"), { name: "CriticalError" }),
		],
		["a class made of CriticalError", () => new (class Mine extends CriticalError {})("no")],
	])("11, 12. does not try again after %s", async (_what, error) => {
		await using world = await World.start(
			(ctx, { ledger }) =>
				ctx.step("once", () => {
					ledger.push("try");
					throw error();
				}),
			on,
		);
		await world.advance(60_000);
		expect(world.ledger).toEqual(["try"]);
		expect(await world.status()).toMatchObject({ state: "failed", error: { message: "no" } });
	});

	it("11. ends a step that takes too long: its signal fires, its late writes are refused", async () => {
		let late: Promise<string> | undefined;
		await using world = await World.start(async (ctx, { ledger }) => {
			try {
				await ctx.step({
					name: "slow",
					timeout: 500,
					run: (c) => {
						const { state } = c;
						late = new Promise((resolve) =>
							c.abortSignal.addEventListener("abort", () => {
								try {
									state.n = 1;
									resolve("written");
								} catch (error) {
									resolve((error as Error).message);
								}
							}),
						);
						return late.then(() => new Promise(() => {}));
					},
				});
			} catch (error) {
				ledger.push(`${(error as Error).name}: ${(error as Error).message}`);
			}
		}, on);
		await world.advance(600);
		expect(world.ledger).toEqual(['CriticalError: Step "slow" timed out after 500ms']);
		expect(await late).toBe("state is only available inside workflow steps");
		expect((await world.status()).state).toBe("completed");
	});

	it("11. counts the time of each step from its own beginning, whatever the limit of the one before", async () => {
		await using world = await World.start(async (ctx, { ledger, clock }) => {
			const pause = (ms: number) => new Promise<void>((resolve) => clock.after(ms, resolve));
			await ctx.step({ name: "long limit", timeout: 5_000, run: () => pause(400) });
			await ctx.step({ name: "short limit", timeout: 500, run: () => pause(400) });
			await ctx.step({ name: "the same again", timeout: 500, run: () => pause(400) });
			ledger.push("in time");
			await ctx.step({ name: "too long", timeout: 500, run: () => pause(700) }).catch(() => {
				ledger.push("too late");
			});
			await ctx.queue.next("forever");
		}, on);
		// Code between entries runs again on every replay.
		const told = () => [...new Set(world.ledger)];
		await world.advance(1_200);
		expect(told()).toEqual(["in time"]);
		await world.advance(490);
		expect(told()).toEqual(["in time"]);
		await world.advance(20);
		expect(told()).toEqual(["in time", "too late"]);
	});

	it("11. tries again after a timeout when that is wished for", async () => {
		await using world = await World.start(
			(ctx, { ledger }) =>
				ctx.step({
					name: "slow",
					timeout: 500,
					retryOnTimeout: true,
					maxRetries: 1,
					run: (c) => {
						ledger.push("try");
						return c.attempt === 1 ? new Promise<void>(() => {}) : undefined;
					},
				}),
			on,
		);
		await world.advance(5_000);
		expect(world.ledger).toEqual(["try", "try"]);
		expect((await world.status()).state).toBe("completed");
	});

	it("13. lets the actor sleep over a backoff of a minute; its alarm wakes it", async () => {
		await using world = await World.start(
			(ctx, { ledger }) =>
				ctx.step({
					name: "flaky",
					retryBackoffBase: 30_000,
					retryBackoffMax: 60_000,
					run: (c) => {
						ledger.push(String(c.attempt));
						if (c.attempt === 1) throw new Error("no");
					},
				}),
			{ ...on, options: { sleepTimeout: 1_000 } },
		);
		await world.advance(30_000);
		expect([world.isAwake, world.ledger]).toEqual([false, ["1"]]);
		await world.advance(31_000);
		expect(world.ledger).toEqual(["1", "2"]);
	});

	it("14. says which step returned what cannot be stored, and does not try it again", async () => {
		await using world = await World.start(
			(ctx, { ledger }) =>
				ctx.step("bad", () => {
					ledger.push("try");
					return { a: [() => {}] };
				}),
			on,
		);
		expect(world.ledger).toEqual(["try"]);
		expect(await world.status()).toMatchObject({
			state: "failed",
			error: {
				name: "StepSerializationError",
				message: expect.stringMatching(/Step "bad" .* at bad: output\.a\[0\]/),
			},
		});
		expect(await world.state()).toMatchObject({ n: 0 });
	});

	it("15. hands on the same values on the first run and on replay", async () => {
		const seen: unknown[][] = [];
		const shared = { n: 1 };
		await using world = await World.start(async (ctx) => {
			const value = await ctx.step("rich", () => ({
				at: new Date(5),
				map: new Map([["a", 1]]),
				big: 12345678901234567890n,
				bytes: Uint8Array.of(1, 2),
				shared,
			}));
			shared.n = 2;
			seen.push([
				value.at instanceof Date && value.at.getTime(),
				value.map instanceof Map && value.map.get("a"),
				value.big,
				value.bytes,
				value.shared.n,
			]);
			await ctx.queue.next("wait");
		}, on);
		await world.crash();
		for (const values of seen) {
			expect(values).toEqual([5, 1, 12345678901234567890n, Uint8Array.of(1, 2), 1]);
		}
		expect(seen.length).toBeGreaterThan(1);
	});

	it("18. keeps the idempotency key over tries and crashes; it differs per iteration", async () => {
		const keys: string[] = [];
		await using world = await World.start(async (ctx) => {
			await ctx.loop({
				name: "loop",
				state: 0,
				run: async (loop, n) => {
					await loop.step("step", (c) => {
						keys.push(c.idempotencyKey);
						if (c.attempt === 1) throw new Error("again");
					});
					return n === 1 ? Loop.break() : Loop.continue(n + 1);
				},
			});
		}, on);
		await world.crash();
		await world.advance(10_000);
		expect(keys).toHaveLength(4);
		expect([keys[0] === keys[1], keys[2] === keys[3], keys[0] === keys[2]]).toEqual([
			true,
			true,
			false,
		]);
	});

	it("18. keeps the idempotency key when the process ends in the step; a replay from it has another", async () => {
		const keys: string[] = [];
		let ends = true;
		await using world = await World.start(async (ctx) => {
			await ctx.step("before", () => {});
			await ctx.step("step", async (c) => {
				keys.push(c.idempotencyKey);
				if (ends) await new Promise(() => {});
			});
		}, on);
		await world.crash();
		ends = false;
		await world.crash();
		expect((await world.status()).state).toBe("completed");
		expect(keys).toHaveLength(3);
		expect(new Set(keys).size).toBe(1);
		const { entries, nameRegistry } = await world.call<{
			nameRegistry: string[];
			entries: { id: string; location: { val: number }[] }[];
		}>("history");
		const entry = entries.find(({ location }) => nameRegistry[location[0]!.val] === "step")!;
		await world.call("replay", { entryId: entry.id });
		await world.settle();
		expect(keys).toHaveLength(4);
		expect(keys[3]).not.toBe(keys[0]);
		await world.call("replay");
		await world.settle();
		expect(keys).toHaveLength(5);
		expect(new Set(keys).size).toBe(3);
	});

	it("6.6. an atomic step that fails leaves no trace", async () => {
		await using world = await World.start(
			(ctx) =>
				ctx.step({
					name: "atomic",
					atomic: true,
					run: async (c) => {
						c.state.n += 1;
						await new Promise((resolve) => setImmediate(resolve));
						c.state.log.push("x");
						if (c.attempt < 3) throw new Error("no");
					},
				}),
			on,
		);
		await world.advance(10_000);
		expect(await world.state()).toMatchObject({ n: 1, log: ["x"] });
		expect((await world.status()).state).toBe("completed");
	});

	it("3.10. tryStep and try make results of failures", async () => {
		await using world = await World.start(async (ctx) => {
			const failing = { name: "fails", maxRetries: 0, run: () => Promise.reject(new Error("e")) };
			const tried = await ctx.tryStep(failing);
			const critical = await ctx.tryStep("critical", () => {
				throw new CriticalError("c");
			});
			const block = await ctx.try("block", async (inner) => {
				await inner.step("fine", () => 1);
				return inner.step({ ...failing, name: "inner" });
			});
			const fine = await ctx.try("fine", (inner) => inner.step("s", () => 2));
			await ctx.step("note", () => {
				ctx.state.log.push(
					...[tried, critical, block, fine].map((result) =>
						JSON.stringify(result, (key, value) => (key === "stack" ? undefined : value)),
					),
				);
			});
		}, on);
		await world.advance(1_000);
		expect((await world.state()).log.map((line) => JSON.parse(line))).toMatchObject([
			{
				ok: false,
				failure: { kind: "exhausted", stepName: "fails", attempts: 1, error: { message: "e" } },
			},
			{ ok: false, failure: { kind: "critical", stepName: "critical", error: { message: "c" } } },
			{ ok: false, failure: { source: "step", name: "inner", step: { kind: "exhausted" } } },
			{ ok: true, value: 2 },
		]);
	});
});

onMemory.it("16. does not count a step that ends because the actor stops", async () => {
	await using world = await World.start(async (ctx, { ledger }) => {
		await ctx.step({
			name: "long",
			maxRetries: 0,
			run: (c) => {
				ledger.push(`attempt ${c.attempt}`);
				if (ledger.length === 3) return undefined;
				return new Promise<void>((_resolve, reject) =>
					c.abortSignal.addEventListener("abort", () => reject(new Error("aborted"))),
				);
			},
		});
	});
	for (let sleep = 0; sleep < 2; sleep++) {
		await world.nap();
		await world.advance(1);
	}
	expect(world.ledger).toEqual(["attempt 1", "attempt 1", "attempt 1"]);
	expect((await world.status()).state).toBe("completed");
});

onMemory.it("16. records a step that ends in the grace period", async () => {
	await using world = await World.start(async (ctx, { ledger }) => {
		const result = await ctx.step("long", (c) => {
			ledger.push("run");
			return new Promise<string>((resolve) =>
				c.abortSignal.addEventListener("abort", () => setImmediate(() => resolve("graceful"))),
			);
		});
		await ctx.step("after", () => void ledger.push(result));
	});
	await world.nap();
	await world.advance(1);
	expect(world.ledger).toEqual(["run", "graceful"]);
});

onMemory.it("17. ephemeral steps do not wait, and are repeated with their successors", async () => {
	const fn = async (ctx: Ctx, { ledger }: World) => {
		for (let n = 0; n < 100; n++) {
			await ctx.step({ name: `e${n}`, ephemeral: true, run: () => void ledger.push(`e${n}`) });
		}
		await ctx.step("durable", () => void ledger.push("durable"));
		await ctx.queue.next("wait");
	};
	await using dry = await World.start(fn);
	expect(dry.ledger).toHaveLength(101);
	// The actor's creation, what comes before the durable body, and its record.
	expect(dry.store.commits.length).toBeLessThanOrEqual(5);
	await using world = await World.start(fn, { dieAt: { commit: 2, side: "before" } });
	const before = world.ledger.length;
	await world.crash();
	expect(world.ledger.slice(before)).toEqual([
		...Array.from({ length: 100 }, (_, n) => `e${n}`),
		"durable",
	]);
});

onMemory.it(
	"3.2.8. a step that keeps ending the process is a failed try from the tenth time on",
	async () => {
		await using world = await World.start(async (ctx, { ledger }) => {
			await ctx.step("poison", () => {
				ledger.push("run");
				return new Promise(() => {});
			});
		});
		for (let crash = 0; crash < 9; crash++) await world.crash();
		expect(world.ledger).toHaveLength(10);
		for (let crash = 0; crash < 4; crash++) {
			await world.crash();
			await world.advance(10_000);
		}
		expect(await world.status()).toMatchObject({
			state: "failed",
			error: {
				message: 'Step "poison" exhausted retries: Error: process ended during step',
			},
		});
	},
);
