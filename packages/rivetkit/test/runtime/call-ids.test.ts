import { HEADER_CALL_ID } from "@rivetkit/protocol";
import { describe, expect, it } from "vitest";
import { actor } from "../../src/actor/definition.ts";
import { UserError } from "../../src/errors/index.ts";
import { REPLY_AGE_MS } from "../../src/runtime/calls/reply-window.ts";
import { eventually } from "../support/eventually.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { Gate, soon } from "../support/gate.ts";
import { WrappedStore } from "../support/store-wrapper.ts";
import { TestRuntime } from "../support/test-runtime.ts";
import { codeOf, type WireAnswer, wireAction } from "../support/wire-http.ts";
import { WireSocket } from "../support/wire-socket.ts";

function counter(gate = new Gate()) {
	const runs: string[] = [];
	const subject = actor({
		state: { n: 0 },
		actions: {
			add: (c) => {
				runs.push("add");
				return ++c.state.n;
			},
			slow: async (c) => {
				runs.push("slow");
				c.state.n++;
				await c.saveState({ immediate: true });
				await gate.passed;
				return c.state.n;
			},
			fail: (c) => {
				runs.push("fail");
				c.state.n++;
				throw new UserError("no", { code: "no", metadata: { n: c.state.n } });
			},
			values: () => {
				runs.push("values");
				return { bytes: new Uint8Array([1]), map: new Map([["a", 1n]]), nothing: undefined };
			},
			cyclic: () => {
				runs.push("cyclic");
				const cycle: { self?: object } = {};
				cycle.self = cycle;
				return cycle;
			},
			n: (c) => c.state.n,
			nap: (c) => c.sleep(),
		},
	});
	return { subject, runs, gate };
}

const connectUrl = (runtime: TestRuntime, actorId: string) =>
	`${runtime.url}/gateway/${actorId}/connect`;

async function identified(
	runtime: TestRuntime,
	actorId: string,
	callId: string,
	name: string,
	...args: unknown[]
): Promise<WireAnswer> {
	const headers = { [HEADER_CALL_ID]: callId };
	return wireAction(runtime, actorId, name, args, { headers, encoding: "cbor" });
}

describe("a call with an id over HTTP", () => {
	it("is answered again, not run again; without an id it runs each time", async () => {
		const { subject, runs } = counter();
		await using runtime = await TestRuntime.start({ subject });
		const id = await runtime.actorId("subject");
		expect((await identified(runtime, id, "a", "add")).output).toBe(1);
		expect((await identified(runtime, id, "a", "add")).output).toBe(1);
		expect((await identified(runtime, id, "b", "add")).output).toBe(2);
		expect((await wireAction(runtime, id, "add")).output).toBe(3);
		expect(runs).toHaveLength(3);
	});

	it("that is still running gives both callers the one answer", async () => {
		const { subject, runs, gate } = counter();
		await using runtime = await TestRuntime.start({ subject });
		const id = await runtime.actorId("subject");
		const first = identified(runtime, id, "a", "slow");
		await eventually(() => expect(runs).toEqual(["slow"]));
		const again = identified(runtime, id, "a", "slow");
		expect((await wireAction(runtime, id, "n")).output).toBe(1);
		gate.open();
		expect((await soon(first)).output).toBe(1);
		expect((await soon(again)).output).toBe(1);
		expect(runs).toEqual(["slow"]);
	});

	it("that failed gives the same error again", async () => {
		const { subject, runs } = counter();
		await using runtime = await TestRuntime.start({ subject });
		const id = await runtime.actorId("subject");
		const first = await identified(runtime, id, "a", "fail");
		const again = await identified(runtime, id, "a", "fail");
		expect(first.error).toMatchObject({ group: "user", code: "no", metadata: { n: 1 } });
		expect(again).toEqual(first);
		expect(runs).toEqual(["fail"]);
	});

	it("gives the same values again, and the same failure to encode them", async () => {
		const { subject, runs } = counter();
		await using runtime = await TestRuntime.start({ subject });
		const id = await runtime.actorId("subject");
		const first = await identified(runtime, id, "a", "values");
		expect(await identified(runtime, id, "a", "values")).toEqual(first);
		expect(first.output).toEqual({ bytes: new Uint8Array([1]), map: new Map([["a", 1n]]) });
		expect(codeOf(await identified(runtime, id, "b", "cyclic"))).toBe("rivetkit.internal_error");
		expect(codeOf(await identified(runtime, id, "b", "cyclic"))).toBe("rivetkit.internal_error");
		expect(runs).toEqual(["values", "cyclic"]);
	});

	it("is answered in the encoding of the one who asks again", async () => {
		const { subject } = counter();
		await using runtime = await TestRuntime.start({ subject });
		const id = await runtime.actorId("subject");
		for (const encoding of ["bare", "json", "cbor"] as const) {
			const headers = { [HEADER_CALL_ID]: "a" };
			const answer = await wireAction(runtime, id, "add", [], { headers, encoding });
			expect(answer.output).toBe(1);
		}
	});

	it("is remembered over a sleep and a restart on the same store, for five minutes", async () => {
		const clock = new FakeClock();
		const wrapped = new WrappedStore();
		const { subject, runs } = counter();
		const options = { clock, store: wrapped.store };
		const first = await TestRuntime.start({ subject }, options);
		const id = await first.actorId("subject");
		await identified(first, id, "a", "add");
		await identified(first, id, "failed", "fail");
		await wireAction(first, id, "nap");
		await eventually(() => expect(first.embedded.host.liveActorIds).toEqual([]));
		expect((await identified(first, id, "a", "add")).output).toBe(1);
		await first.embedded.close();

		await using second = await TestRuntime.start({ subject }, options);
		expect((await identified(second, id, "a", "add")).output).toBe(1);
		expect(codeOf(await identified(second, id, "failed", "fail"))).toBe("user.no");
		expect(runs).toEqual(["add", "fail"]);
		await clock.advance(REPLY_AGE_MS + 1);
		await wireAction(second, id, "nap");
		await eventually(() => expect(second.embedded.host.liveActorIds).toEqual([]));
		expect((await identified(second, id, "a", "add")).output).toBe(3);
	});

	it("whose effects were committed before its answer is remembered all the same", async () => {
		const wrapped = new WrappedStore();
		const { subject, runs, gate } = counter();
		gate.open();
		const first = await TestRuntime.start({ subject }, { store: wrapped.store });
		const id = await first.actorId("subject");
		expect((await identified(first, id, "a", "slow")).output).toBe(1);
		// What a kill leaves: the store as it is when the answer is out.
		await using second = await TestRuntime.start({ subject }, { store: wrapped.store });
		expect((await identified(second, id, "a", "slow")).output).toBe(1);
		expect(runs).toEqual(["slow"]);
		await first.embedded.close();
	});

	it("runs again when its commit failed", async () => {
		const wrapped = new WrappedStore();
		const { subject, runs } = counter();
		await using runtime = await TestRuntime.start({ subject }, { store: wrapped.store });
		const id = await runtime.actorId("subject");
		wrapped.failNext();
		expect(codeOf(await identified(runtime, id, "a", "add"))).toBe("rivetkit.internal_error");
		expect((await identified(runtime, id, "a", "add")).output).toBe(1);
		expect((await identified(runtime, id, "a", "add")).output).toBe(1);
		expect(runs).toEqual(["add", "add"]);
	});

	it("that was refused by a connection hook is decided anew", async () => {
		let open = false;
		let runs = 0;
		const subject = actor({
			onBeforeConnect: () => {
				if (!open) throw new UserError("closed", { code: "closed" });
			},
			actions: { go: () => ++runs },
		});
		await using runtime = await TestRuntime.start({ subject });
		const id = await runtime.actorId("subject");
		expect(codeOf(await identified(runtime, id, "a", "go"))).toBe("user.closed");
		open = true;
		expect((await identified(runtime, id, "a", "go")).output).toBe(1);
		expect((await identified(runtime, id, "a", "go")).output).toBe(1);
	});

	describe("whose caller has left", () => {
		/** Its first run ends when its caller leaves, and has written by then, or not. */
		function leaving(options: { readonly writes: boolean; readonly ends: boolean }) {
			const seen = { runs: 0, waits: 0, left: 0 };
			const subject = actor({
				state: { n: 0 },
				options: { actionTimeout: options.ends ? 60_000 : 1_000 },
				actions: {
					wait: async (c) => {
						if (++seen.runs > 1) return seen.runs;
						if (options.writes) {
							c.state.n++;
							await c.saveState({ immediate: true });
						}
						await new Promise((_, reject) => {
							c.abortSignal.addEventListener("abort", () => {
								seen.left++;
								if (options.ends) reject(c.abortSignal.reason);
							});
							seen.waits++;
						});
					},
					ping: () => 1,
				},
			});
			return { subject, seen };
		}

		async function left(runtime: TestRuntime, id: string, seen: { waits: number; left: number }) {
			const leaving = new AbortController();
			const headers = { [HEADER_CALL_ID]: "a" };
			const call = wireAction(runtime, id, "wait", [], { headers, signal: leaving.signal });
			call.catch(() => {});
			// Not before it listens: what it writes first may take its time.
			await eventually(() => expect(seen.waits).toBe(1));
			leaving.abort();
			await eventually(() => expect(seen.left).toBe(1));
			await wireAction(runtime, id, "ping");
		}

		it("and which ended for that without having written is run for the repetition", async () => {
			const { subject, seen } = leaving({ writes: false, ends: true });
			await using runtime = await TestRuntime.start({ subject });
			const id = await runtime.actorId("subject");
			await left(runtime, id, seen);
			expect((await identified(runtime, id, "a", "wait")).output).toBe(2);
			expect((await identified(runtime, id, "a", "wait")).output).toBe(2);
		});

		it("and which may have written is not run twice", async () => {
			const { subject, seen } = leaving({ writes: true, ends: true });
			await using runtime = await TestRuntime.start({ subject });
			const id = await runtime.actorId("subject");
			await left(runtime, id, seen);
			expect(codeOf(await identified(runtime, id, "a", "wait"))).toBe("rivetkit.internal_error");
			expect(seen.runs).toBe(1);
		});

		it("and which goes on for all that is not run beside itself when its time is over", async () => {
			const clock = new FakeClock();
			const { subject, seen } = leaving({ writes: false, ends: false });
			await using runtime = await TestRuntime.start({ subject }, { clock });
			const id = await runtime.actorId("subject");
			await left(runtime, id, seen);
			await clock.advance(1_001);
			expect(codeOf(await identified(runtime, id, "a", "wait"))).toBe("action.timed_out");
			expect(seen.runs).toBe(1);
		});
	});

	it("that ran out of the grace period of a stop is not run twice: some of it may be stored", async () => {
		const clock = new FakeClock();
		let hangs = true;
		let runs = 0;
		const subject = actor({
			state: { n: 0 },
			options: { sleepGracePeriod: 100 },
			actions: {
				go: async (c) => {
					runs++;
					c.state.n++;
					if (hangs) await new Promise(() => {});
					return c.state.n;
				},
				nap: (c) => c.sleep(),
			},
		});
		await using runtime = await TestRuntime.start({ subject }, { clock });
		const id = await runtime.actorId("subject");
		const call = identified(runtime, id, "a", "go");
		await eventually(() => expect(runs).toBe(1));
		await wireAction(runtime, id, "nap");
		await clock.advance(200);
		expect(codeOf(await soon(call))).toBe("actor.stopping");
		hangs = false;
		expect(codeOf(await identified(runtime, id, "a", "go"))).toBe("actor.stopping");
		expect(runs).toBe(1);
	});
});

describe("a call of a session over WebSockets", () => {
	it("is answered again on another socket of the session, with the same id", async () => {
		const { subject, runs } = counter();
		await using runtime = await TestRuntime.start({ subject });
		const url = connectUrl(runtime, await runtime.actorId("subject"));
		{
			await using first = await WireSocket.connect(url, { session: "s1" });
			expect(await soon(first.call(7, "add"))).toMatchObject({ id: 7, output: 1 });
			expect(await soon(first.call(7, "add"))).toMatchObject({ id: 7, output: 1 });
		}
		await using second = await WireSocket.connect(url, { session: "s1", encoding: "bare" });
		expect(await soon(second.call(7, "add"))).toMatchObject({ id: 7, output: 1 });
		expect(await soon(second.call(8, "add"))).toMatchObject({ id: 8, output: 2 });
		expect(runs).toEqual(["add", "add"]);
	});

	it("that is still running answers on the new socket, whose other calls go on", async () => {
		const { subject, runs, gate } = counter();
		await using runtime = await TestRuntime.start({ subject });
		const url = connectUrl(runtime, await runtime.actorId("subject"));
		const first = await WireSocket.connect(url, { session: "s1" });
		first.act(0, "slow");
		await eventually(() => expect(runs).toEqual(["slow"]));
		first.ws.terminate();
		await using second = await WireSocket.connect(url, { session: "s1" });
		second.act(0, "slow");
		second.act(1, "add");
		second.act(2, "add");
		gate.open();
		expect(await soon(second.next())).toMatchObject({ tag: "ActionResponse", id: 0, output: 1 });
		expect(await soon(second.next())).toMatchObject({ id: 1, output: 2 });
		expect(await soon(second.next())).toMatchObject({ id: 2, output: 3 });
		expect(runs).toEqual(["slow", "add", "add"]);
	});

	it("does not collide with those of other sessions, or of sockets without a session", async () => {
		const { subject, runs } = counter();
		await using runtime = await TestRuntime.start({ subject });
		const id = await runtime.actorId("subject");
		const url = connectUrl(runtime, id);
		const sessions = [{ session: "s1" }, { session: "s2" }, {}, {}];
		let n = 0;
		for (const options of sessions) {
			await using socket = await WireSocket.connect(url, options);
			expect(await soon(socket.call(0, "add"))).toMatchObject({ output: ++n });
		}
		await using plain = await WireSocket.connect(url);
		await plain.call(0, "add");
		await plain.call(0, "add");
		expect(runs).toHaveLength(6);
	});

	it("survives the incarnation: answered after a sleep, run again after a failed commit", async () => {
		const wrapped = new WrappedStore();
		const { subject, runs } = counter();
		await using runtime = await TestRuntime.start({ subject }, { store: wrapped.store });
		const id = await runtime.actorId("subject");
		const url = connectUrl(runtime, id);
		{
			await using socket = await WireSocket.connect(url, { session: "s1" });
			await soon(socket.call(0, "add"));
			wrapped.failNext();
			expect(await soon(socket.call(1, "add"))).toMatchObject({ tag: "Error" });
			await wireAction(runtime, id, "nap");
		}
		await using socket = await WireSocket.connect(url, { session: "s1" });
		expect(await soon(socket.call(0, "add"))).toMatchObject({ output: 1 });
		expect(await soon(socket.call(1, "add"))).toMatchObject({ output: 2 });
		expect(runs).toEqual(["add", "add", "add"]);
	});
});

describe("large answers of repeated calls", () => {
	const big = actor({
		state: { writes: 0 },
		vars: { reads: 0 },
		actions: {
			writeAndReturn: (c, size: number) => {
				c.state.writes++;
				return "x".repeat(size);
			},
			read: (c, size: number) => {
				c.vars.reads++;
				return "x".repeat(size);
			},
			counts: (c) => [c.state.writes, c.vars.reads],
		},
	});

	it("never run a write twice, and do not push out what is remembered of others", async () => {
		await using runtime = await TestRuntime.start({ big });
		const id = await runtime.actorId("big");
		const call = async (callId: string, name: string, ...args: unknown[]) => {
			const response = await fetch(`${runtime.url}/gateway/${id}/action/${name}`, {
				method: "POST",
				headers: { "x-rivet-call-id": callId },
				body: JSON.stringify({ args }),
			});
			return [response.status, await response.json()] as const;
		};
		await call("small", "writeAndReturn", 3);
		await call("large", "writeAndReturn", 300_000);
		for (let read = 0; read < 5; read++) await call(`read ${read}`, "read", 400_000);
		expect(await call("small", "writeAndReturn", 3)).toEqual([200, { output: "xxx" }]);
		expect(await call("large", "writeAndReturn", 300_000)).toMatchObject([
			409,
			{ group: "action", code: "answer_not_kept" },
		]);
		expect((await call("read 0", "read", 400_000))[0]).toBe(200);
		expect(await call("count", "counts")).toEqual([200, { output: [2, 6] }]);
	});
});
