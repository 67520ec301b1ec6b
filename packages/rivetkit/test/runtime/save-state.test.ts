import { describe, expect, it } from "vitest";
import { actor } from "../../src/actor/definition.ts";
import { UserError } from "../../src/errors/index.ts";
import { eventually } from "../support/eventually.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { soon } from "../support/gate.ts";
import { WrappedStore } from "../support/store-wrapper.ts";
import { TestRuntime } from "../support/test-runtime.ts";
import { codeOf, wireAction } from "../support/wire-http.ts";

describe("L25 saveState", () => {
	/** What an action of this name does, with the store held back until the test lets go. */
	async function during(
		save: (c: { saveState(options?: object): Promise<void> }) => Promise<void>,
		check: (state: {
			clock: FakeClock;
			wrapped: WrappedStore;
			id: string;
			isDone: () => boolean;
		}) => Promise<void>,
	): Promise<void> {
		const clock = new FakeClock();
		const wrapped = new WrappedStore();
		let done = false;
		const subject = actor({
			state: { n: 0 },
			options: { stateSaveInterval: 1_000 },
			actions: {
				go: async (c) => {
					c.state.n++;
					await save(c);
					done = true;
				},
			},
		});
		await using runtime = await TestRuntime.start({ subject }, { clock, store: wrapped.store });
		const id = await runtime.actorId("subject");
		const call = runtime.localClient().subject!.getForId(id).go();
		await clock.advance(0);
		await check({ clock, wrapped, id, isDone: () => done });
		await soon(call);
	}

	it("immediate resolves when the write is durable, not before", async () => {
		const wrapped = new WrappedStore();
		let done = false;
		const subject = actor({
			state: { n: 0 },
			actions: {
				go: async (c) => {
					c.state.n++;
					await c.saveState({ immediate: true });
					done = true;
				},
			},
		});
		await using runtime = await TestRuntime.start({ subject }, { store: wrapped.store });
		const id = await runtime.actorId("subject");
		const release = wrapped.hold();
		const commits = wrapped.commits.length;
		const call = wireAction(runtime, id, "go");
		await eventually(() => expect(wrapped.commits.length).toBe(commits + 1));
		expect(done).toBe(false);
		release();
		await soon(call);
		expect(done).toBe(true);
	});

	it.each([
		["without an argument", undefined, 1_000],
		["with an empty object", {}, 1_000],
		["with maxWait", { maxWait: 300 }, 300],
		["with a maxWait beyond the interval", { maxWait: 60_000 }, 1_000],
	])("%s waits for the next throttled save", async (_how, options, ms) => {
		await during(
			(c) => c.saveState(options as object),
			async ({ clock, wrapped, id, isDone }) => {
				await clock.advance(ms - 20);
				expect(isDone()).toBe(false);
				expect(await wrapped.stateOf(id)).toEqual({ n: 0 });
				await clock.advance(40);
				await eventually(() => expect(isDone()).toBe(true));
				expect(await wrapped.stateOf(id)).toEqual({ n: 1 });
			},
		);
	});

	it("every non-immediate call waits, not only the first", async () => {
		const settled: number[] = [];
		await during(
			async (c) => {
				const track = (index: number) => c.saveState().then(() => void settled.push(index));
				await Promise.all([track(1), track(2), track(3)]);
			},
			async ({ clock }) => {
				await clock.advance(900);
				expect(settled).toEqual([]);
				await clock.advance(200);
				await eventually(() => expect(settled).toEqual([1, 2, 3]));
			},
		);
	});

	it("resolves at once when there is nothing to save", async () => {
		const subject = actor({
			state: {},
			actions: {
				go: async (c) => {
					await c.saveState();
					await c.saveState({ immediate: true });
				},
			},
		});
		await using runtime = await TestRuntime.start({ subject }, { clock: new FakeClock() });
		const call = runtime.localClient().subject!.getOrCreate(["a"]).go();
		await soon(call);
	});

	it("refuses a maxWait that is no time", async () => {
		const subject = actor({
			state: { n: 0 },
			actions: { go: (c) => c.saveState({ maxWait: Number.NaN }) },
		});
		await using runtime = await TestRuntime.start({ subject }, { exposeErrors: true });
		const id = await runtime.actorId("subject");
		expect((await wireAction(runtime, id, "go")).error?.message).toContain("maxWait");
	});

	it("rejects when the save fails; nobody has to look", async () => {
		const wrapped = new WrappedStore();
		const subject = actor({
			state: { n: 0 },
			actions: {
				waits: async (c) => {
					c.state.n++;
					return await c.saveState({ immediate: true }).then(
						() => "saved",
						(error: Error) => error.message,
					);
				},
				ignores: (c) => {
					setImmediate(() => {
						c.state.n++;
						void c.saveState({ immediate: true });
					});
				},
			},
			options: { confirmWrites: false },
		});
		await using runtime = await TestRuntime.start({ subject }, { store: wrapped.store });
		const id = await runtime.actorId("subject");
		wrapped.failNext();
		expect((await wireAction(runtime, id, "waits")).output).toBe("disk full");
		wrapped.failNext();
		await wireAction(runtime, id, "ignores");
		await eventually(() => {
			const lines = runtime.log.filter(({ message }) => message.startsWith("commit failed"));
			expect(lines).toHaveLength(2);
		});
	});
});

describe("W-STATE-1 confirmWrites", () => {
	it("false: the answer does not wait, the change is saved within stateSaveInterval", async () => {
		const clock = new FakeClock();
		const wrapped = new WrappedStore();
		const subject = actor({
			state: { n: 0 },
			options: { confirmWrites: false, stateSaveInterval: 500 },
			actions: { add: (c) => ++c.state.n },
		});
		await using runtime = await TestRuntime.start({ subject }, { clock, store: wrapped.store });
		const id = await runtime.actorId("subject");
		expect((await wireAction(runtime, id, "add")).output).toBe(1);
		expect(await wrapped.stateOf(id)).toEqual({ n: 0 });
		await clock.advance(520);
		await eventually(async () => expect(await wrapped.stateOf(id)).toEqual({ n: 1 }));
	});

	it("true: the answer of a failing action, too, waits for what the action wrote", async () => {
		const wrapped = new WrappedStore();
		const subject = actor({
			state: { n: 0 },
			actions: {
				fail: (c) => {
					c.state.n++;
					throw new UserError("no");
				},
				n: (c) => c.state.n,
			},
		});
		await using runtime = await TestRuntime.start({ subject }, { store: wrapped.store });
		const id = await runtime.actorId("subject");
		const release = wrapped.hold();
		let answered = false;
		const call = wireAction(runtime, id, "fail").then((answer) => {
			answered = true;
			return answer;
		});
		await eventually(() => expect(wrapped.commits.at(-1)?.ops).toHaveLength(1));
		expect(answered).toBe(false);
		release();
		expect(codeOf(await soon(call))).toBe("user.user_error");
		expect((await wireAction(runtime, id, "n")).output).toBe(1);
	});
});
