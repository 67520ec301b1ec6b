import { describe, expect, it } from "vitest";
import { actor } from "../../src/actor/definition.ts";
import { eventually } from "../support/eventually.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { Gate, soon } from "../support/gate.ts";
import { WrappedStore } from "../support/store-wrapper.ts";
import { TestRuntime } from "../support/test-runtime.ts";
import { codeOf, wireAction } from "../support/wire-http.ts";
import { WireSocket } from "../support/wire-socket.ts";

const gone = (runtime: TestRuntime, actorId: string) =>
	eventually(() => expect(runtime.embedded.host.liveActorIds).not.toContain(actorId));

const KIB = 1024;

interface Everything {
	list: number[];
	map: Map<string, { n: number }>;
	set: Set<number>;
	date: Date;
	bytes: Uint8Array;
	big: bigint;
	gone?: number;
}

describe("L18 state over wakes", () => {
	it("keeps every kind of value, changed at any depth, over a sleep", async () => {
		const subject = actor({
			createState: (): Everything => ({
				list: [1, 2, 3],
				map: new Map<string, { n: number }>([["a", { n: 1 }]]),
				set: new Set([1]),
				date: new Date(1_000),
				bytes: new Uint8Array([1, 2, 3]),
				big: 10n,
				gone: 1,
			}),
			actions: {
				change: (c) => {
					c.state.list.push(4);
					c.state.map.get("a")!.n++;
					c.state.set.add(2);
					c.state.date.setTime(2_000);
					c.state.bytes[0] = 9;
					c.state.big++;
					delete c.state.gone;
				},
				state: (c) => c.state,
				nap: (c) => c.sleep(),
			},
		});
		await using runtime = await TestRuntime.start({ subject });
		const id = await runtime.actorId("subject");
		await wireAction(runtime, id, "change");
		await wireAction(runtime, id, "nap");
		await gone(runtime, id);
		expect((await wireAction(runtime, id, "state", [], { encoding: "cbor" })).output).toEqual({
			list: [1, 2, 3, 4],
			map: new Map([["a", { n: 2 }]]),
			set: new Set([1, 2]),
			date: new Date(2_000),
			bytes: new Uint8Array([9, 2, 3]),
			big: 11n,
		});
	});

	it("writes nothing for an identical value, or for one that was set back", async () => {
		const wrapped = new WrappedStore();
		const subject = actor({
			state: { n: 1, list: [1] },
			actions: {
				same: (c) => {
					c.state.n = 1;
				},
				back: (c) => {
					c.state.n = 2;
					c.state.list.push(2);
					c.state.n = 1;
					c.state.list.pop();
				},
			},
		});
		await using runtime = await TestRuntime.start({ subject }, { store: wrapped.store });
		const id = await runtime.actorId("subject");
		const before = wrapped.commits.length;
		await wireAction(runtime, id, "same");
		await wireAction(runtime, id, "back");
		expect(wrapped.commits).toHaveLength(before);
	});

	it("assigning c.state replaces the whole", async () => {
		const subject = actor({
			state: { a: 1 } as Record<string, number>,
			actions: {
				replace: (c) => {
					c.state = { b: 2 };
					c.state.c = 3;
					return c.state;
				},
			},
		});
		await using runtime = await TestRuntime.start({ subject });
		const id = await runtime.actorId("subject");
		expect((await wireAction(runtime, id, "replace")).output).toEqual({ b: 2, c: 3 });
	});
});

describe("L19 invalid values", () => {
	it("are refused at the assignment with their path, and nothing is changed", async () => {
		const subject = actor({
			state: { ok: 1, bad: undefined as unknown },
			actions: {
				assign: (c) => {
					c.state.ok = 2;
					c.state.bad = { a: { b: [1, () => 2] } };
				},
				ok: (c) => [c.state.ok, c.state.bad],
			},
		});
		await using runtime = await TestRuntime.start({ subject }, { exposeErrors: true });
		const id = await runtime.actorId("subject");
		const answer = await wireAction(runtime, id, "assign");
		expect(codeOf(answer)).toBe("state.invalid_type");
		expect(answer.error?.message).toContain("state.bad.a.b[1]");
		// What the failing action wrote before stays (W-STATE-8).
		expect((await wireAction(runtime, id, "ok")).output).toEqual([2, null]);
	});

	it("a poisoned value that slipped in unseen fails the commit with its path, and is rolled back (W-STATE-7)", async () => {
		const subject = actor({
			state: { n: 0, box: {} as { inner?: { bad?: unknown } } },
			actions: {
				poison: (c) => {
					const raw: { bad?: unknown } = {};
					c.state.box.inner = raw;
					c.state.n++;
					raw.bad = () => 1;
					return "never said";
				},
				n: (c) => [c.state.n, Object.keys(c.state.box)],
			},
		});
		await using runtime = await TestRuntime.start({ subject }, { exposeErrors: true });
		const id = await runtime.actorId("subject");
		const answer = await wireAction(runtime, id, "poison");
		expect(codeOf(answer)).toBe("state.invalid_type");
		expect(answer.error?.message).toContain("state.box.inner.bad");
		expect((await wireAction(runtime, id, "n")).output).toEqual([0, []]);
	});
});

describe("L20 onStateChange", () => {
	it("runs once per change with the raw state, not for its own changes, and not before ready", async () => {
		const seen: number[] = [];
		const subject = actor({
			state: { n: 0, nested: 0 },
			onCreate: (c) => void c.state.n++,
			onWake: (c) => void c.state.n++,
			onStateChange: (c, state) => {
				seen.push(state.n);
				c.state.nested++;
			},
			actions: {
				thrice: (c) => {
					c.state.n++;
					c.state.n++;
					Object.assign(c.state, { n: c.state.n });
					c.state.n++;
				},
				state: (c) => ({ ...c.state }),
			},
		});
		await using runtime = await TestRuntime.start({ subject });
		const id = await runtime.actorId("subject");
		expect(seen).toEqual([]);
		await wireAction(runtime, id, "thrice");
		expect(seen).toEqual([3, 4, 5]);
		expect((await wireAction(runtime, id, "state")).output).toEqual({ n: 5, nested: 3 });
	});

	it.each([
		[
			"throws",
			() => {
				throw new Error("inside");
			},
		],
		["returns a promise that rejects", () => Promise.reject(new Error("inside"))],
	] as const)("is logged when it %s; change and caller are unharmed", async (_what, fail) => {
		const subject = actor({
			state: { n: 0 },
			onStateChange: () => fail(),
			actions: { add: (c) => ++c.state.n },
		});
		await using runtime = await TestRuntime.start({ subject });
		const id = await runtime.actorId("subject");
		expect((await wireAction(runtime, id, "add")).output).toBe(1);
		expect((await wireAction(runtime, id, "add")).output).toBe(2);
		const lines = runtime.log.filter(({ message }) => message.startsWith("onStateChange failed"));
		expect(lines).toHaveLength(2);
	});

	it("is not called for connection state", async () => {
		let changes = 0;
		const subject = actor({
			state: {},
			connState: { n: 0 },
			onStateChange: () => void changes++,
			actions: { touch: (c) => ++c.conn.state.n },
		});
		await using runtime = await TestRuntime.start({ subject });
		const id = await runtime.actorId("subject");
		expect((await wireAction(runtime, id, "touch")).output).toBe(1);
		expect(changes).toBe(0);
	});
});

describe("L22 changes outside calls", () => {
	it.each(["run", "timer", "listener", "onDisconnect"])(
		"made in %s are durable within stateSaveInterval",
		async (where) => {
			const clock = new FakeClock();
			const wrapped = new WrappedStore();
			const fire = new Gate();
			const subject = actor({
				state: { n: 0 },
				options: { stateSaveInterval: 200 },
				run: async (c) => {
					await fire.passed;
					if (where === "run") c.state.n = 1;
				},
				onWebSocket: (c, socket) => {
					socket.addEventListener("message", () => {
						if (where === "listener") c.state.n = 1;
					});
				},
				onDisconnect: (c) => {
					if (where === "onDisconnect") c.state.n = 1;
				},
				onWake: (c) => {
					void fire.passed.then(() => {
						if (where === "timer") c.state.n = 1;
					});
				},
			});
			await using runtime = await TestRuntime.start({ subject }, { clock, store: wrapped.store });
			const id = await runtime.actorId("subject");
			await using socket = new WireSocket(`${runtime.url}/gateway/${id}/websocket/`);
			await socket.opened();
			fire.open();
			if (where === "listener") socket.ws.send("hello");
			if (where === "onDisconnect") socket.ws.close();
			await eventually(() => expect(runtime.embedded.host.unsaved).toEqual(["subject"]));
			expect(await wrapped.stateOf(id)).toEqual({ n: 0 });
			await clock.advance(220);
			await eventually(async () => expect(await wrapped.stateOf(id)).toEqual({ n: 1 }));
		},
	);
});

describe("L24 size", () => {
	const big = () =>
		actor({
			state: { text: "" },
			options: { maxStateSize: 6 * 1024 * KIB },
			actions: {
				grow: (c, bytes: number) => {
					c.state.text = "x".repeat(bytes);
					return "grown";
				},
				size: (c) => c.state.text.length,
				nap: (c) => c.sleep(),
			},
		});

	it.each([200 * KIB, 5 * 1024 * KIB])(
		"a state of %i bytes is kept over a sleep, with one warning",
		async (bytes) => {
			await using runtime = await TestRuntime.start({ subject: big() });
			const id = await runtime.actorId("subject");
			await wireAction(runtime, id, "grow", [bytes - 1]);
			await wireAction(runtime, id, "grow", [bytes]);
			await wireAction(runtime, id, "nap");
			await gone(runtime, id);
			expect((await wireAction(runtime, id, "size")).output).toBe(bytes);
			const warnings = runtime.log.filter(({ message }) => message.startsWith("state is large"));
			expect(warnings).toHaveLength(1);
		},
	);

	it("over the limit the call fails with size and limit, the state is as before, the actor usable", async () => {
		await using runtime = await TestRuntime.start({ subject: big() });
		const id = await runtime.actorId("subject");
		await wireAction(runtime, id, "grow", [10]);
		const answer = await wireAction(runtime, id, "grow", [7 * 1024 * KIB]);
		expect(answer.status).toBe(400);
		expect(answer.error).toMatchObject({
			group: "state",
			code: "too_large",
			metadata: { limit: 6 * 1024 * KIB },
		});
		expect(answer.error?.message).toContain("maxStateSize");
		expect((await wireAction(runtime, id, "size")).output).toBe(10);
		expect((await wireAction(runtime, id, "grow", [11])).output).toBe("grown");

		await using socket = await WireSocket.connect(`${runtime.url}/gateway/${id}/connect`);
		const frame = await soon(socket.call(0, "grow", 7 * 1024 * KIB));
		expect(frame).toMatchObject({ tag: "Error", group: "state", code: "too_large" });
		expect(await soon(socket.call(1, "size"))).toMatchObject({ output: 11 });
	});

	it("shrinks again, leaving no chunk behind", async () => {
		await using runtime = await TestRuntime.start({ subject: big() });
		const id = await runtime.actorId("subject");
		await wireAction(runtime, id, "grow", [300 * KIB]);
		await wireAction(runtime, id, "grow", [3]);
		const entries = await runtime.store.scan(id, {
			start: Uint8Array.of(1),
			end: Uint8Array.of(2),
		});
		expect(entries).toHaveLength(1);
	});
});
