import { AsyncLocalStorage } from "node:async_hooks";
import { describe, expect, it } from "vitest";
import { actor } from "../../src/actor/definition.ts";
import { UserError } from "../../src/errors/index.ts";
import { eventually } from "../support/eventually.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { Gate, soon } from "../support/gate.ts";
import { ScriptedActor } from "../support/scripted-actor.ts";
import { WrappedStore } from "../support/store-wrapper.ts";
import { TestRuntime, type TestRuntimeOptions } from "../support/test-runtime.ts";
import { codeOf } from "../support/wire-http.ts";

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));
const errorOf = (promise: Promise<unknown>): Promise<unknown> =>
	promise.then(
		() => undefined,
		(error) => error,
	);

async function start(options: object = {}, runtimeOptions: TestRuntimeOptions = {}) {
	const script = new ScriptedActor(options);
	const wrapped = new WrappedStore();
	const other = actor({ actions: { add: (_c, a: number, b: number) => a + b } });
	const runtime = await TestRuntime.start(
		{ subject: script.definition, other },
		{ store: wrapped.store, ...runtimeOptions },
	);
	await script.in(runtime);
	const stored = async () => ({
		state: (await wrapped.stateOf(script.actorId)) as unknown,
		kv: (
			await wrapped.inner.scan(script.actorId, {
				start: Uint8Array.of(0x12),
				end: Uint8Array.of(0x13),
			})
		).map(([key, value]) => [
			Buffer.from(key.subarray(1)).toString(),
			Buffer.from(value).toString(),
		]),
	});
	return {
		script,
		runtime,
		wrapped,
		stored,
		async [Symbol.asyncDispose]() {
			await runtime[Symbol.asyncDispose]();
		},
	};
}

describe("c.atomic", () => {
	it("puts what is written over waits into one commit", async () => {
		await using t = await start({ stateSaveInterval: 1 });
		const before = t.wrapped.commits.length;
		const result = await t.script.run((c) =>
			c.atomic(async () => {
				c.state.n = 1;
				await c.kv.put("a", "1");
				// Longer than stateSaveInterval.
				await new Promise((resolve) => setTimeout(resolve, 30));
				c.state.list.push("x");
				await turn();
				await c.kv.put("b", "2");
				expect(t.wrapped.commits.length).toBe(before);
				return "result";
			}),
		);
		expect(result).toBe("result");
		expect(t.wrapped.commits.length).toBe(before + 1);
		expect(await t.stored()).toEqual({
			state: { n: 1, list: ["x"], nested: { a: 0 } },
			kv: [
				["a", "1"],
				["b", "2"],
			],
		});
	});

	it("without it, the same is more than one", async () => {
		await using t = await start({ stateSaveInterval: 1 });
		const before = t.wrapped.commits.length;
		await t.script.run(async (c) => {
			await c.kv.put("a", "1");
			await eventually(() => expect(t.wrapped.commits.length).toBe(before + 1));
			await c.kv.put("b", "2");
		});
		expect(t.wrapped.commits.length).toBe(before + 2);
	});

	it("drops what was written when it throws, in memory and on disk, and passes the error on", async () => {
		await using t = await start();
		await t.script.run(async (c) => {
			c.state.list.push("kept");
			await c.kv.putBatch([
				["changed", "old"],
				["deleted", "old"],
				["in range", "old"],
			]);
		});
		const before = await t.stored();
		const answer = await t.script.answer(async (c) => {
			await c.kv.put("before", "1");
			c.state.nested.b = 1;
			const failed = c.atomic(async () => {
				c.state.n = 5;
				c.state.list.push("dropped");
				c.state.nested.a = 7;
				await turn();
				await c.kv.put("changed", "new");
				await c.kv.put("before", "2");
				await c.kv.delete("deleted");
				await c.kv.deleteRange("in", "io");
				await turn();
				await c.kv.put("new", "new");
				expect((await c.kv.list("")).map(([key]) => key)).toEqual(["before", "changed", "new"]);
				throw new UserError("no", { code: "refused" });
			});
			await expect(failed).rejects.toMatchObject({ code: "refused" });
			expect(c.state).toEqual({ n: 0, list: ["kept"], nested: { a: 0, b: 1 } });
			expect(await c.kv.list("")).toEqual([["before", "1"], ...before.kv]);
			await c.kv.put("after", "1");
			throw new UserError("no", { code: "mine" });
		});
		expect(codeOf(answer)).toBe("user.mine");
		expect(await t.stored()).toEqual({
			state: { n: 0, list: ["kept"], nested: { a: 0, b: 1 } },
			kv: [["after", "1"], ["before", "1"], ...before.kv],
		});
	});

	it("takes work that does not wait, and a throw in it", async () => {
		await using t = await start();
		await t.script.run(async (c) => {
			const kept = c.atomic(() => {
				c.state.n = 1;
				void c.kv.put("a", "1");
				return 7;
			});
			// It was done at once.
			expect(c.state.n).toBe(1);
			expect(await kept).toBe(7);
			const failed = c.atomic(() => {
				c.state.n = 2;
				void c.kv.put("a", "2");
				throw new Error("no");
			});
			expect(c.state.n).toBe(1);
			await expect(failed).rejects.toThrow("no");
			expect(await c.kv.get("a")).toBe("1");
		});
		expect(await t.stored()).toMatchObject({ state: { n: 1 }, kv: [["a", "1"]] });
	});

	it("writes nothing when nothing is left", async () => {
		await using t = await start();
		const before = t.wrapped.commits.length;
		await t.script.run(async (c) => {
			await errorOf(
				c.atomic(async () => {
					c.state.n = 1;
					await c.kv.put("a", "1");
					await turn();
					throw new Error("no");
				}),
			);
		});
		expect(t.wrapped.commits.length).toBe(before);
	});

	it("ends after its timeout, 10 s by default, and takes nothing more from its work", async () => {
		const clock = new FakeClock();
		await using t = await start({}, { clock });
		for (const [options, timeoutMs] of [
			[undefined, 10_000],
			[{ timeout: 25_000 }, 25_000],
		] as const) {
			const late = new Gate();
			const lateErrors: unknown[] = [];
			let began = false;
			let inTime: unknown;
			const answer = t.script.answer(async (c) => {
				const error = await errorOf(
					c.atomic(async () => {
						c.state.n = 1;
						await c.kv.put("a", "1");
						began = true;
						await late.passed;
						for (const write of [
							() => c.kv.put("late", "1"),
							() => c.kv.get("late"),
							() => void c.state.n++,
							() => c.broadcast("late"),
							() => c.saveState(),
							() => c.atomic(() => {}),
						]) {
							try {
								await write();
							} catch (refusal) {
								lateErrors.push(codeOf(refusal));
							}
						}
						// Reading is harmless.
						lateErrors.push(c.state.n);
					}, options),
				);
				inTime = error;
				late.open();
				await eventually(() => expect(lateErrors).toHaveLength(7));
				await c.kv.put("after", "1");
			});
			await eventually(() => expect(began).toBe(true));
			await clock.advance(timeoutMs - 100);
			expect(inTime).toBeUndefined();
			await clock.advance(200);
			expect((await soon(answer)).error).toBeUndefined();
			expect(codeOf(inTime)).toBe("atomic.timed_out");
			expect((inTime as Error).message).toContain(`${timeoutMs} ms`);
			expect((inTime as Error).message).toContain("timeout");
			expect(lateErrors).toEqual([...Array(6).fill("atomic.over"), 0]);
			expect(await t.stored()).toMatchObject({ state: { n: 0 }, kv: [["after", "1"]] });
		}
	});

	it("takes nothing from what is left running after a throw, but from the same call it does", async () => {
		await using t = await start();
		const late = new Gate();
		let refusal: unknown;
		await t.script.run(async (c) => {
			let branch: Promise<void> | undefined;
			await errorOf(
				c.atomic(async () => {
					branch = late.passed.then(() => c.kv.put("late", "1"));
					await Promise.all([branch, Promise.reject(new Error("no"))]);
				}),
			);
			late.open();
			refusal = await errorOf(branch!);
			await c.kv.put("after", "1");
			await c.atomic(() => c.kv.put("second", "1"));
		});
		expect(codeOf(refusal)).toBe("atomic.over");
		expect((refusal as Error).cause).toMatchObject({ message: "no" });
		expect((await t.stored()).kv.map(([key]) => key)).toEqual(["after", "second"]);
	});

	it("lets go on what is left running after it succeeded", async () => {
		await using t = await start();
		await t.script.run(async (c) => {
			const go = new Gate();
			let branch: Promise<void> | undefined;
			await c.atomic(() => {
				branch = go.passed.then(() => c.kv.put("later", "1"));
			});
			go.open();
			await branch;
		});
		expect((await t.stored()).kv).toEqual([["later", "1"]]);
	});

	it("refuses, with the reason, what would wait for itself: c.atomic, saveState, calls to itself", async () => {
		await using t = await start();
		await t.script.run((c) =>
			c.atomic(async () => {
				await c.kv.put("before", "1");
				const nested = await errorOf(c.atomic(() => c.kv.put("nested", "1")));
				expect(codeOf(nested)).toBe("atomic.nested");
				for (const call of [
					() => c.saveState(),
					() => c.saveState({ immediate: true }),
					() => c.client().subject!.getForId(c.actorId).ping(),
					() => c.client().subject!.getOrCreate(c.key).ping(),
				]) {
					const refusal = await errorOf((async () => call())());
					expect(codeOf(refusal)).toBe("atomic.waits_for_itself");
					expect((refusal as Error).message).toContain("after c.atomic");
				}
				expect(await c.client().other!.getOrCreate(["x"]).add(1, 2)).toBe(3);
				await c.kv.put("after", "1");
			}),
		);
		expect((await t.stored()).kv.map(([key]) => key)).toEqual(["after", "before"]);
	});

	it("rejects what is no function and no timeout", async () => {
		await using t = await start();
		await t.script.run(async (c) => {
			await expect(c.atomic(5 as never)).rejects.toBeInstanceOf(TypeError);
			for (const timeout of [0, -1, Number.NaN, Number.POSITIVE_INFINITY, "1" as never]) {
				await expect(c.atomic(() => {}, { timeout })).rejects.toBeInstanceOf(RangeError);
			}
			// Nothing of that is left behind.
			await c.atomic(() => c.kv.put("a", "1"), { timeout: 60_000 });
		});
		expect((await t.stored()).kv).toEqual([["a", "1"]]);
	});

	it("is one commit with what the call writes before and after it, unless a wait comes between", async () => {
		await using t = await start();
		const before = t.wrapped.commits.length;
		await t.script.run(async (c) => {
			await c.kv.put("before", "1");
			await c.atomic(() => c.kv.put("inside", "1"));
			await c.kv.put("after", "1");
		});
		expect(t.wrapped.commits.length).toBe(before + 1);
	});

	it("is not cut by what was asked for in the same turn before it", async () => {
		await using t = await start();
		const before = t.wrapped.commits.length;
		await t.script.run(async (c) => {
			await c.kv.put("before", "1");
			const saved = c.saveState({ immediate: true });
			await c.atomic(async () => {
				await c.kv.put("a", "1");
				for (let count = 0; count < 5; count++) await turn();
				await c.kv.put("b", "1");
			});
			expect(t.wrapped.commits.length).toBe(before);
			await saved;
		});
		expect(t.wrapped.commits.length).toBe(before + 1);
	});

	it("fails as a whole when a commit that began before it fails meanwhile", async () => {
		await using t = await start();
		await t.script.run((c) => c.kv.put("a", "0"));
		const letGo = t.wrapped.hold();
		t.wrapped.failNext();
		const commits = t.wrapped.commits.length;
		const first = t.script.answer((c) => c.kv.put("a", "1"));
		await eventually(() => expect(t.wrapped.commits.length).toBe(commits + 1));
		const failed = new Gate();
		let began = false;
		let error: unknown;
		const second = t.script.answer(async (c) => {
			error = await errorOf(
				c.atomic(async () => {
					c.state.n = 1;
					await c.kv.put("early", "1");
					began = true;
					await failed.passed;
					// Would be half of it.
					c.state.n = 2;
					c.state.nested.b = 2;
					await c.kv.put("late", "1");
				}),
			);
		});
		await eventually(() => expect(began).toBe(true));
		const waiting = t.script.run((c) => c.kv.put("waited", "1"));
		await turn();
		letGo();
		expect(codeOf(await soon(first))).toBe("rivetkit.internal_error");
		failed.open();
		await soon(second);
		// Nothing of it was lost: it had not begun.
		await soon(waiting);
		expect(error).toMatchObject({ message: "disk full" });
		expect((await t.script.call("state")).output).toEqual({ n: 0, list: [], nested: { a: 0 } });
		await t.script.run((c) => c.kv.put("b", "1"));
		expect((await t.stored()).kv).toEqual([
			["a", "0"],
			["b", "1"],
			["waited", "1"],
		]);
	});

	it("does not bring back the state that the commit which failed meanwhile had, nor what it wrote itself", async () => {
		await using t = await start();
		const letGo = t.wrapped.hold();
		t.wrapped.failNext();
		const commits = t.wrapped.commits.length;
		const first = t.script.answer((c) => {
			c.state.n = 1;
			c.state.nested.b = 1;
		});
		await eventually(() => expect(t.wrapped.commits.length).toBe(commits + 1));
		const begun = new Gate();
		const failed = new Gate();
		const second = t.script.answer((c) =>
			c.atomic(async () => {
				c.state.list.push("early");
				begun.open();
				await failed.passed;
				c.state.list.push("late");
			}),
		);
		await soon(begun.passed);
		letGo();
		expect(codeOf(await soon(first))).toBe("rivetkit.internal_error");
		failed.open();
		expect(codeOf(await soon(second))).toBe("rivetkit.internal_error");
		const initial = { n: 0, list: [], nested: { a: 0 } };
		expect((await t.script.call("state")).output).toEqual(initial);
		await t.script.run((c) => c.kv.put("b", "1"));
		expect((await t.stored()).state).toEqual(initial);
	});

	it("fails as a whole then without confirmWrites, too", async () => {
		await using t = await start({ confirmWrites: false, stateSaveInterval: 1 });
		const letGo = t.wrapped.hold();
		t.wrapped.failNext();
		let error: unknown;
		const began = new Gate();
		const go = new Gate();
		const commits = t.wrapped.commits.length;
		await t.script.run((c) => c.kv.put("a", "1"));
		await eventually(() => expect(t.wrapped.commits.length).toBe(commits + 1));
		const call = t.script.answer(async (c) => {
			error = await errorOf(
				c.atomic(async () => {
					await c.kv.put("b", "1");
					began.open();
					await go.passed;
				}),
			);
		});
		await began.passed;
		letGo();
		await eventually(() =>
			expect(t.runtime.log.some(({ message }) => message.startsWith("commit failed"))).toBe(true),
		);
		go.open();
		await soon(call);
		expect(error).toMatchObject({ message: "disk full" });
	});
});

describe("c.atomic and other code of the actor", () => {
	it("keeps what code that was running already writes meanwhile, also over what it wrote itself", async () => {
		await using t = await start();
		const begun = new Gate();
		const written = new Gate();
		const other = t.script.run(async (c) => {
			await begun.passed;
			// Sees what is written, like everything in an actor.
			expect(await c.kv.get("both")).toBe("atomic");
			expect(c.state.n).toBe(1);
			await c.kv.put("both", "other");
			await c.kv.put("other", "other");
			c.state.list.push("other");
			written.open();
		});
		await t.script.run(async (c) => {
			await errorOf(
				c.atomic(async () => {
					c.state.n = 1;
					await c.kv.put("both", "atomic");
					await c.kv.put("atomic", "atomic");
					begun.open();
					await written.passed;
					c.state.n = 2;
					throw new Error("no");
				}),
			);
		});
		await soon(other);
		expect(await t.stored()).toEqual({
			state: { n: 0, list: ["other"], nested: { a: 0 } },
			kv: [
				["both", "other"],
				["other", "other"],
			],
		});
	});

	it("runs one after the other, in the order they were asked for", async () => {
		await using t = await start();
		const order: string[] = [];
		const section = (name: string, gate: Gate, begun = new Gate()) => ({
			begun,
			done: t.script.run((c) =>
				c.atomic(async () => {
					order.push(`${name} begins`);
					begun.open();
					const seen = Number((await c.kv.get("count")) ?? 0);
					await gate.passed;
					await c.kv.put("count", `${seen + 1}`);
					order.push(`${name} ends`);
				}),
			),
		});
		// All three calls are running when the first one asks.
		const open = new Gate();
		const all = await t.script.run(async (c) => {
			const sections = ["a", "b", "c"].map((name) =>
				c.atomic(async () => {
					order.push(`${name} begins`);
					const seen = Number((await c.kv.get("count")) ?? 0);
					await open.passed;
					await c.kv.put("count", `${seen + 1}`);
					order.push(`${name} ends`);
				}),
			);
			await turn();
			expect(order).toEqual(["a begins"]);
			open.open();
			return Promise.all(sections);
		});
		expect(all).toHaveLength(3);
		expect(order).toEqual(["a begins", "a ends", "b begins", "b ends", "c begins", "c ends"]);
		const gate = new Gate();
		gate.open();
		await section("d", gate).done;
		expect((await t.stored()).kv).toEqual([["count", "4"]]);
	});

	it("holds answers of others back until its commit, as they may tell of it", async () => {
		await using t = await start();
		const begun = new Gate();
		const end = new Gate();
		const told: string[] = [];
		const reader = t.script
			.run(async (c) => {
				await begun.passed;
				return c.kv.get("a");
			})
			.then((value) => told.push(`read ${value}`));
		const section = t.script
			.run((c) =>
				c.atomic(async () => {
					await c.kv.put("a", "1");
					begun.open();
					await end.passed;
				}),
			)
			.then(() => told.push("section"));
		await begun.passed;
		for (let i = 0; i < 20; i++) await turn();
		expect(told).toEqual([]);
		end.open();
		await soon(Promise.all([reader, section]));
		expect(told).toHaveLength(2);
	});

	it("takes changes back together with those of a failing action around it (rollbackOnError)", async () => {
		await using t = await start({ rollbackOnError: true });
		const answer = await t.script.answer(async (c) => {
			c.state.n = 1;
			await c.atomic(async () => {
				c.state.list.push("inside");
				await turn();
				c.state.nested.b = 1;
			});
			c.state.nested.a = 1;
			throw new UserError("no");
		});
		expect(codeOf(answer)).toBe("user.user_error");
		const initial = { n: 0, list: [], nested: { a: 0 } };
		expect((await t.script.call("state")).output).toEqual(initial);
		await t.script.answer(async (c) => {
			c.state.n = 1;
			await errorOf(
				c.atomic(async () => {
					c.state.list.push("inside");
					throw new Error("no");
				}),
			);
			c.state.nested.a = 1;
			throw new UserError("no");
		});
		expect((await t.script.call("state")).output).toEqual(initial);
	});

	it("with a state that cannot be encoded, its commit fails, and the actor stays usable (W-STATE-7)", async () => {
		for (const rollbackOnError of [true, false]) {
			await using t = await start({ rollbackOnError }, { exposeErrors: true });
			const answer = await soon(
				t.script.answer(async (c) => {
					const held: Record<string, unknown> = {};
					Object.assign(c.state.nested, { held });
					await c.atomic(async () => {
						c.state.n++;
						await c.kv.put("lost", "1");
						// Past the check, which an assignment to the state meets.
						held.bad = () => {};
					});
				}),
			);
			expect(codeOf(answer)).toBe("state.invalid_type");
			expect(answer.error!.message).toContain("state.nested.held.bad");
			await soon(t.script.run((c) => c.atomic(() => void c.state.list.push("after it"))));
			const state = { n: 0, list: ["after it"], nested: { a: 0 } };
			expect(await t.stored()).toEqual({ state, kv: [] });
		}
	});

	it("takes the rest back when the state, which cannot be encoded for a while, cannot be", async () => {
		await using t = await start();
		await t.script.run(async (c) => {
			const held: Record<string, unknown> = {};
			Object.assign(c.state.nested, { held });
			const failed = c.atomic(async () => {
				await c.kv.put("dropped", "1");
				c.state.n++;
				held.bad = () => {};
				throw new Error("no");
			});
			await expect(failed).rejects.toThrow("no");
			delete held.bad;
			expect(await c.kv.get("dropped")).toBeNull();
			await c.kv.put("kept", "1");
		});
		expect((await t.stored()).kv).toEqual([["kept", "1"]]);
	});

	it("gives calls that it let wait their own async context", async () => {
		await using t = await start();
		const storage = new AsyncLocalStorage<string>();
		const begun = new Gate();
		const end = new Gate();
		const section = t.script.run((c) =>
			storage.run("section", () =>
				c.atomic(async () => {
					begun.open();
					await end.passed;
				}),
			),
		);
		await begun.passed;
		const waiting = t.script.run(() => storage.getStore());
		await turn();
		end.open();
		expect(await soon(waiting)).toBeUndefined();
		await section;
	});

	it("leaves nothing of itself behind in calls that come of it later, by way of other actors", async () => {
		const go = new Gate();
		const called = new Gate<unknown>();
		const subject = actor({
			state: { n: 0 },
			actions: {
				section: async (c) => {
					await errorOf(
						c.atomic(async () => {
							await c.client().caller!.getOrCreate(["x"]).callLater(c.actorId);
							throw new Error("no");
						}),
					);
				},
				add: (c) => ++c.state.n,
			},
		});
		const caller = actor({
			actions: {
				callLater: (c, id: string) => {
					void go.passed
						.then(() => c.client().subject!.getForId(id).add())
						.then(called.open, called.open);
				},
			},
		});
		await using runtime = await TestRuntime.start({ subject, caller });
		await runtime.localClient().subject!.getOrCreate(["a"]).section();
		go.open();
		expect(await soon(called.passed)).toBe(1);
	});

	it("leaves nothing of itself behind in calls that it let wait", async () => {
		await using t = await start();
		const begun = new Gate();
		const end = new Gate();
		const section = t.script.run(async (c) => {
			await errorOf(
				c.atomic(async () => {
					// Arms the timers and turns that everybody shares.
					await c.client().other!.getOrCreate(["x"]).add(1, 2);
					await c.kv.put("dropped", "1");
					begun.open();
					await end.passed;
					throw new Error("no");
				}),
			);
		});
		await begun.passed;
		const waiting = ["a", "b"].map((key) => t.script.run((c) => c.kv.put(key, "1")));
		await turn();
		end.open();
		await soon(Promise.all([section, ...waiting]));
		await t.script.run((c) => c.atomic(() => c.kv.put("c", "1")));
		expect((await t.stored()).kv.map(([key]) => key)).toEqual(["a", "b", "c"]);
	});
});
