import { describe, expect, it } from "vitest";
import { actor } from "../../src/actor/definition.ts";
import { eventually } from "../support/eventually.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { Gate, soon } from "../support/gate.ts";
import { TestRuntime } from "../support/test-runtime.ts";
import { codeOf, outcomeOf, wireAction } from "../support/wire-http.ts";

const gone = (runtime: TestRuntime, actorId: string) =>
	eventually(() => expect(runtime.embedded.host.liveActorIds).not.toContain(actorId));

describe("L51 run", () => {
	it("returning keeps the actor, its data and its actions; it runs again on the next wake", async () => {
		let runs = 0;
		let destroys = 0;
		const subject = actor({
			state: { n: 0 },
			run: async (c) => {
				runs++;
				c.state.n++;
			},
			onDestroy: () => void destroys++,
			actions: { n: (c) => c.state.n, nap: (c) => c.sleep() },
		});
		await using runtime = await TestRuntime.start({ subject });
		const id = await runtime.actorId("subject");
		expect((await wireAction(runtime, id, "n")).output).toBe(1);
		await wireAction(runtime, id, "nap");
		await gone(runtime, id);
		expect((await wireAction(runtime, id, "n")).output).toBe(2);
		expect([runs, destroys]).toEqual([2, 0]);
	});

	it("may be a synchronous function, or a config with one", async () => {
		let runs = 0;
		const plain = actor({ run: () => void runs++ });
		const config = actor({ run: { name: "Job", run: () => void runs++ } });
		await using runtime = await TestRuntime.start({ plain, config });
		await runtime.actorId("plain");
		await runtime.actorId("config");
		expect(runs).toBe(2);
	});

	it.each([
		[
			"synchronously",
			() => {
				throw new Error("broken");
			},
		],
		["asynchronously", () => Promise.reject(new Error("broken"))],
		["something that is no error", () => Promise.reject("text")],
	] as const)("throwing %s restarts it with back-off, while actions go on", async (_how, fail) => {
		const clock = new FakeClock();
		let runs = 0;
		const subject = actor({
			state: { n: 0 },
			options: { noSleep: true },
			run: (c) => {
				runs++;
				c.state.n++;
				return fail();
			},
			actions: { n: (c) => c.state.n },
		});
		await using runtime = await TestRuntime.start({ subject }, { clock });
		const id = await runtime.actorId("subject");
		expect(runs).toBe(1);
		let pauseMs = 100;
		for (let attempt = 2; attempt <= 11; attempt++) {
			await clock.advance(pauseMs - 20);
			expect(runs).toBe(attempt - 1);
			await clock.advance(20);
			expect(runs).toBe(attempt);
			pauseMs = Math.min(30_000, pauseMs * 2);
		}
		expect((await wireAction(runtime, id, "n")).output).toBe(11);
		const lines = runtime.log.filter(({ message }) => message.startsWith("run failed"));
		expect(lines[0]).toMatchObject({
			level: "error",
			fields: { actor: "subject", actorId: id, failures: 1, pauseMs: 100 },
		});
		expect(lines.at(-1)?.fields.pauseMs).toBe(30_000);
	});

	it("starts from the first pause again after a minute of health", async () => {
		const clock = new FakeClock();
		let fail!: (error: Error) => void;
		let runs = 0;
		const subject = actor({
			run: () => {
				runs++;
				return new Promise((_resolve, reject) => {
					fail = reject;
				});
			},
		});
		await using runtime = await TestRuntime.start({ subject }, { clock });
		await runtime.actorId("subject");
		for (const pauseMs of [100, 200]) {
			fail(new Error("early"));
			await clock.advance(pauseMs + 20);
		}
		expect(runs).toBe(3);
		await clock.advance(60_000);
		fail(new Error("late"));
		await clock.advance(120);
		expect(runs).toBe(4);
		fail(new Error("end"));
		await clock.advance(10);
	});

	it("is not restarted while or after the actor stops", async () => {
		const clock = new FakeClock();
		let runs = 0;
		const subject = actor({
			run: async (c) => {
				runs++;
				await new Promise((resolve) => c.abortSignal.addEventListener("abort", resolve));
				throw new Error("on the way out");
			},
			actions: { nap: (c) => c.sleep() },
		});
		await using runtime = await TestRuntime.start({ subject }, { clock });
		const id = await runtime.actorId("subject");
		await wireAction(runtime, id, "nap");
		await gone(runtime, id);
		await clock.advance(60_000);
		expect(runs).toBe(1);
		const line = runtime.log.find(({ message }) => message.startsWith("run ended"));
		expect(line?.level).toBe("debug");
	});

	it("does not hold up the start, and the start does not wait for it", async () => {
		const gate = new Gate();
		const subject = actor({ run: () => gate.passed, actions: { ping: () => 1 } });
		await using runtime = await TestRuntime.start({ subject });
		const id = await runtime.actorId("subject");
		expect((await wireAction(runtime, id, "ping")).output).toBe(1);
		gate.open();
	});

	it("one that ignores the abort is named in the log, and what it holds is inert (W-RUN-3)", async () => {
		const clock = new FakeClock();
		const gate = new Gate();
		const outcome = new Gate<string>();
		let runs = 0;
		const subject = actor({
			state: { n: 0 },
			options: { runStopTimeout: 100 },
			run: async (c) => {
				if (runs++ > 0) return;
				await gate.passed;
				outcome.open(
					await outcomeOf(
						(async () => {
							c.state.n++;
						})(),
					),
				);
			},
			actions: { nap: (c) => c.sleep(), n: (c) => c.state.n },
		});
		await using runtime = await TestRuntime.start({ subject }, { clock });
		const id = await runtime.actorId("subject", "who");
		await wireAction(runtime, id, "nap");
		await clock.advance(150);
		await gone(runtime, id);
		const line = runtime.log.find(({ fields }) => fields.step === "run");
		expect(line).toMatchObject({ level: "error", fields: { actor: "subject", key: "who" } });
		gate.open();
		expect(await soon(outcome.passed)).toBe("actor.stopping");
		expect((await wireAction(runtime, id, "n")).output).toBe(0);
	});
});

describe("L53 keepAwake and waitUntil", () => {
	it("keepAwake passes value and rejection through", async () => {
		const subject = actor({
			actions: {
				value: (c) => c.keepAwake(Promise.resolve(5)),
				rejection: (c) => c.keepAwake(Promise.reject(new Error("inside"))),
			},
		});
		await using runtime = await TestRuntime.start({ subject }, { exposeErrors: true });
		const id = await runtime.actorId("subject");
		expect((await wireAction(runtime, id, "value")).output).toBe(5);
		expect((await wireAction(runtime, id, "rejection")).error?.message).toBe("inside");
	});

	it("a function instead of a promise is refused: nobody would call it", async () => {
		const work = (async () => {}) as unknown as Promise<void>;
		const subject = actor({
			actions: { keep: (c) => c.keepAwake(work), wait: (c) => c.waitUntil(work) },
		});
		await using runtime = await TestRuntime.start({ subject }, { exposeErrors: true });
		const id = await runtime.actorId("subject");
		const messageOf = async (name: string) => (await wireAction(runtime, id, name)).error?.message;
		expect(await messageOf("keep")).toContain("c.keepAwake takes a promise, not a function");
		expect(await messageOf("wait")).toContain("c.waitUntil takes a promise, not a function");
	});

	it("a rejection that nobody looks at is logged and does not end the process", async () => {
		const thenable = (error: Error): PromiseLike<never> => ({
			// biome-ignore lint/suspicious/noThenProperty: a promise of another library is what is tested
			then: (_resolve, reject) => Promise.reject(error).then(undefined, reject) as never,
		});
		const subject = actor({
			actions: {
				leave: (c) => {
					void c.keepAwake(Promise.reject(new Error("kept")));
					c.waitUntil(Promise.reject(new Error("waited")));
					c.waitUntil(thenable(new Error("foreign")));
				},
			},
		});
		await using runtime = await TestRuntime.start({ subject });
		const id = await runtime.actorId("subject");
		expect(codeOf(await wireAction(runtime, id, "leave"))).toBe("ok");
		await eventually(() => {
			const errors = runtime.log.filter(({ level }) => level === "error");
			const messages = errors.map(({ fields }) => (fields.err as Error).message);
			expect(messages.sort()).toEqual(["foreign", "kept", "waited"]);
		});
	});
});
