import { describe, expect, it } from "vitest";
import { actor } from "../../src/actor/definition.ts";
import { UserError } from "../../src/errors/index.ts";
import { eventually } from "../support/eventually.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { Gate, soon } from "../support/gate.ts";
import { TestRuntime } from "../support/test-runtime.ts";
import { codeOf, wireAction } from "../support/wire-http.ts";
import { WireSocket } from "../support/wire-socket.ts";

const connect = (runtime: TestRuntime, actorId: string) =>
	WireSocket.connect(`${runtime.url}/gateway/${actorId}/connect`);

/** An actor whose actions log their begin and end, and go on when they are let. */
function stepping(options: { connectionConcurrency?: number } = {}) {
	const seen: string[] = [];
	const gates = new Map<string, Gate>();
	const gateOf = (name: string) => {
		const gate = gates.get(name) ?? new Gate();
		gates.set(name, gate);
		return gate;
	};
	const subject = actor({
		options,
		actions: {
			step: async (_c, name: string) => {
				seen.push(`${name} begins`);
				await gateOf(name).passed;
				seen.push(`${name} ends`);
				return name;
			},
			announce: (c) => c.broadcast("news", 1),
		},
	});
	return { subject, seen, letGo: (name: string) => gateOf(name).open() };
}

describe("L27 concurrency", () => {
	it("calls through handles interleave", async () => {
		const { subject, seen, letGo } = stepping();
		await using runtime = await TestRuntime.start({ subject });
		const id = await runtime.actorId("subject");
		const first = wireAction(runtime, id, "step", ["a"]);
		await eventually(() => expect(seen).toEqual(["a begins"]));
		const second = wireAction(runtime, id, "step", ["b"]);
		await eventually(() => expect(seen).toEqual(["a begins", "b begins"]));
		letGo("b");
		expect((await soon(second)).output).toBe("b");
		letGo("a");
		expect((await soon(first)).output).toBe("a");
	});

	it("actions of one connection run strictly one after the other", async () => {
		const { subject, seen, letGo } = stepping();
		await using runtime = await TestRuntime.start({ subject });
		await using socket = await connect(runtime, await runtime.actorId("subject"));
		for (const [index, name] of ["a", "b", "c"].entries()) socket.act(index, "step", name);
		letGo("b");
		letGo("c");
		await eventually(() => expect(seen).toEqual(["a begins"]));
		letGo("a");
		for (const id of [0, 1, 2])
			expect(await soon(socket.expect("ActionResponse"))).toMatchObject({ id });
		expect(seen).toEqual(["a begins", "a ends", "b begins", "b ends", "c begins", "c ends"]);
	});

	it("actions of different connections run concurrently", async () => {
		const { subject, seen, letGo } = stepping();
		await using runtime = await TestRuntime.start({ subject });
		const id = await runtime.actorId("subject");
		await using one = await connect(runtime, id);
		await using other = await connect(runtime, id);
		one.act(0, "step", "a");
		await eventually(() => expect(seen).toHaveLength(1));
		other.act(0, "step", "b");
		await eventually(() => expect(seen).toEqual(["a begins", "b begins"]));
		letGo("a");
		letGo("b");
		await soon(Promise.all([one.next(), other.next()]));
	});

	it("a subscription is active before the action that was sent after it", async () => {
		const { subject } = stepping();
		await using runtime = await TestRuntime.start({ subject });
		await using socket = await connect(runtime, await runtime.actorId("subject"));
		socket.subscribe("news");
		socket.act(0, "announce");
		expect(await soon(socket.next())).toMatchObject({ tag: "Event", name: "news" });
		expect(await soon(socket.next())).toMatchObject({ tag: "ActionResponse" });
	});

	it("connectionConcurrency lets that many run at once, starting in order (W-ACT-2)", async () => {
		const { subject, seen, letGo } = stepping({ connectionConcurrency: 2 });
		await using runtime = await TestRuntime.start({ subject });
		await using socket = await connect(runtime, await runtime.actorId("subject"));
		for (const [index, name] of ["a", "b", "c"].entries()) socket.act(index, "step", name);
		await eventually(() => expect(seen).toEqual(["a begins", "b begins"]));
		letGo("b");
		await eventually(() => expect(seen).toEqual(["a begins", "b begins", "b ends", "c begins"]));
		letGo("a");
		letGo("c");
		const ids = [await soon(socket.next()), await soon(socket.next()), await soon(socket.next())];
		expect(ids.map((frame) => frame.tag === "ActionResponse" && frame.id)[0]).toBe(1);
	});
});

describe("L28 time limit and onBeforeActionResponse", () => {
	it("answers action.timed_out; the handler may go on, and its answer is dropped", async () => {
		const clock = new FakeClock();
		const gate = new Gate();
		const subject = actor({
			state: { n: 0 },
			options: { actionTimeout: 1_000 },
			actions: {
				slow: async (c) => {
					await gate.passed;
					c.state.n++;
					return "too late";
				},
				never: () => new Promise(() => {}),
				busy: () => {
					clock.advanceSync(5_000);
					return "on time";
				},
				n: (c) => c.state.n,
			},
		});
		await using runtime = await TestRuntime.start({ subject }, { clock });
		const id = await runtime.actorId("subject");
		await using socket = await connect(runtime, id);
		const overHttp = wireAction(runtime, id, "slow");
		const overSocket = socket.call(0, "never");
		await eventually(async () => expect((await wireAction(runtime, id, "n")).output).toBe(0));
		await eventually(async () => {
			await clock.advance(600);
			expect(
				runtime.log.filter(({ message }) => message.startsWith("action timed out")),
			).toHaveLength(2);
		});
		const answer = await soon(overHttp);
		expect([answer.status, codeOf(answer)]).toEqual([400, "action.timed_out"]);
		expect(answer.error?.message).toMatch(/^Action timed out.*actionTimeout/);
		expect(await soon(overSocket)).toMatchObject({ tag: "Error", code: "timed_out", actionId: 0 });
		gate.open();
		await eventually(async () => expect((await wireAction(runtime, id, "n")).output).toBe(1));
		expect(await soon(socket.call(1, "n"))).toMatchObject({ output: 1 });
		expect((await wireAction(runtime, id, "busy")).output).toBe("on time");
	});

	it("onBeforeActionResponse replaces the output, synchronously or not; its error keeps the original", async () => {
		const seen: unknown[] = [];
		const subject = actor({
			onBeforeActionResponse: (_c, name, args, output) => {
				seen.push([name, args, output]);
				if (name === "fails") throw new Error("inside");
				if (name === "rejects") return Promise.reject(new Error("inside")) as never;
				return (name === "later" ? Promise.resolve("replaced") : "replaced") as never;
			},
			actions: {
				now: (_c, x: number) => x,
				later: async (_c, x: number) => x,
				fails: () => "original",
				rejects: () => "original",
				throws: () => {
					throw new UserError("no");
				},
			},
		});
		await using runtime = await TestRuntime.start({ subject });
		const id = await runtime.actorId("subject");
		expect((await wireAction(runtime, id, "now", [1])).output).toBe("replaced");
		expect((await wireAction(runtime, id, "later", [2])).output).toBe("replaced");
		expect((await wireAction(runtime, id, "fails")).output).toBe("original");
		expect((await wireAction(runtime, id, "rejects")).output).toBe("original");
		expect(codeOf(await wireAction(runtime, id, "throws"))).toBe("user.user_error");
		expect(seen).toEqual([
			["now", [1], 1],
			["later", [2], 2],
			["fails", [], "original"],
			["rejects", [], "original"],
		]);
		const lines = runtime.log.filter(({ message }) =>
			message.startsWith("onBeforeActionResponse failed"),
		);
		expect(lines).toHaveLength(2);
	});

	it("an onBeforeActionResponse that never ends counts against the time limit", async () => {
		const clock = new FakeClock();
		const subject = actor({
			options: { actionTimeout: 100 },
			onBeforeActionResponse: () => new Promise(() => {}) as never,
			actions: { now: () => 1 },
		});
		await using runtime = await TestRuntime.start({ subject }, { clock });
		const id = await runtime.actorId("subject");
		const call = wireAction(runtime, id, "now");
		await eventually(async () => {
			await clock.advance(60);
			expect(runtime.log.some(({ message }) => message.startsWith("action timed out"))).toBe(true);
		});
		expect(codeOf(await soon(call))).toBe("action.timed_out");
	});
});

describe("L29 abort signal of a call", () => {
	function aborting() {
		const aborted: string[] = [];
		const entered: string[] = [];
		const subject = actor({
			options: { actionTimeout: 1_000 },
			actions: {
				wait: async (c, name: string) => {
					entered.push(name);
					await new Promise<void>((resolve) => {
						c.abortSignal.addEventListener("abort", () => resolve());
					});
					expect(c.aborted).toBe(true);
					aborted.push(name);
					throw c.abortSignal.reason;
				},
				nap: (c) => c.sleep(),
				ping: () => 1,
			},
		});
		return { subject, aborted, entered };
	}

	it("fires on the time limit, for that call only", async () => {
		const clock = new FakeClock();
		const { subject, aborted, entered } = aborting();
		await using runtime = await TestRuntime.start({ subject }, { clock });
		const id = await runtime.actorId("subject");
		const first = wireAction(runtime, id, "wait", ["first"]);
		await eventually(() => expect(entered).toEqual(["first"]));
		await clock.advance(600);
		const second = wireAction(runtime, id, "wait", ["second"]);
		await eventually(() => expect(entered).toEqual(["first", "second"]));
		await clock.advance(500);
		expect(codeOf(await soon(first))).toBe("action.timed_out");
		expect(aborted).toEqual(["first"]);
		await clock.advance(600);
		expect(codeOf(await soon(second))).toBe("action.timed_out");
		expect(aborted).toEqual(["first", "second"]);
	});

	it("fires when the actor stops, and the answer is what the handler makes of it", async () => {
		const { subject, aborted, entered } = aborting();
		await using runtime = await TestRuntime.start({ subject });
		const id = await runtime.actorId("subject");
		const call = wireAction(runtime, id, "wait", ["a"]);
		await eventually(() => expect(entered).toEqual(["a"]));
		await wireAction(runtime, id, "nap");
		expect(codeOf(await soon(call))).toBe("actor.aborted");
		expect(aborted).toEqual(["a"]);
	});

	it("fires when the caller goes away, over HTTP and in process", async () => {
		const { subject, aborted, entered } = aborting();
		await using runtime = await TestRuntime.start({ subject });
		const id = await runtime.actorId("subject");
		const controller = new AbortController();
		const overHttp = wireAction(runtime, id, "wait", ["http"], { signal: controller.signal });
		const inProcess = runtime
			.localClient()
			.subject!.getForId(id)
			.action({
				name: "wait",
				args: ["local"],
				signal: controller.signal,
			});
		await eventually(() => expect(entered).toHaveLength(2));
		controller.abort();
		await expect(overHttp).rejects.toThrow("aborted");
		await expect(inProcess).rejects.toThrow("aborted");
		await eventually(() => expect(aborted.sort()).toEqual(["http", "local"]));
		expect((await wireAction(runtime, id, "ping")).output).toBe(1);
	});

	it("does not keep finished calls listening on a signal that lives longer", async () => {
		const subject = actor({ actions: { later: async () => 1 } });
		await using runtime = await TestRuntime.start({ subject });
		const { signal } = new AbortController();
		let listening = 0;
		const add = signal.addEventListener.bind(signal);
		const remove = signal.removeEventListener.bind(signal);
		signal.addEventListener = (...args: Parameters<typeof add>) => {
			listening++;
			add(...args);
		};
		signal.removeEventListener = (...args: Parameters<typeof remove>) => {
			listening--;
			remove(...args);
		};
		const handle = runtime.localClient().subject!.getOrCreate(["a"]);
		for (let call = 0; call < 5; call++) await handle.action({ name: "later", args: [], signal });
		await eventually(() => expect(listening).toBe(0));
	});
});
