import { encodeCbor } from "@rivetkit/protocol";
import { describe, expect, it } from "vitest";
import { actor } from "../../src/actor/definition.ts";
import { eventually } from "../support/eventually.ts";
import { Gate, soon } from "../support/gate.ts";
import { WrappedStore } from "../support/store-wrapper.ts";
import { TestRuntime } from "../support/test-runtime.ts";
import { codeOf, wireAction } from "../support/wire-http.ts";
import { WireSocket } from "../support/wire-socket.ts";

function counter(slow: Gate = new Gate(), ran: (action: string) => void = () => {}) {
	return actor({
		state: { n: 0, m: 0 },
		onRequest: async (c) => {
			c.state.n++;
			await slow.passed;
			return new Response("fine");
		},
		actions: {
			add: (c) => {
				ran("add");
				c.broadcast("added", c.state.n);
				return ++c.state.n;
			},
			n: (c) => {
				ran("n");
				return c.state.n;
			},
			/** Writes, waits, and writes again. */
			twice: async (c) => {
				c.state.n++;
				await c.saveState({ immediate: true }).catch(() => {});
				await slow.passed;
				c.state.m++;
				return "both";
			},
			state: (c) => ({ ...c.state }),
			nap: (c) => c.sleep(),
		},
	});
}

describe("L26 a commit that fails", () => {
	it("fails the calls of its turn on every transport, rolls back, and leaves the actor usable", async () => {
		const wrapped = new WrappedStore();
		const ran: string[] = [];
		const subject = counter(new Gate(), (action) => void ran.push(action));
		await using runtime = await TestRuntime.start({ counter: subject }, { store: wrapped.store });
		const id = await runtime.actorId("counter");
		await using socket = await WireSocket.connect(`${runtime.url}/gateway/${id}/connect`);
		await wireAction(runtime, id, "add");
		const letGo = wrapped.hold();
		wrapped.failNext();
		const commits = wrapped.commits.length;
		const overHttp = wireAction(runtime, id, "add");
		await eventually(() => expect(wrapped.commits.length).toBe(commits + 1));
		// This one builds upon what is not durable yet.
		const overSocket = socket.call(0, "add");
		socket.act(1, "n");
		await eventually(() => expect(ran).toEqual(["add", "add", "add", "n"]));
		letGo();
		expect(codeOf(await soon(overHttp))).toBe("rivetkit.internal_error");
		expect(await soon(overSocket)).toMatchObject({ tag: "Error", code: "internal_error" });
		// So does one that only read what is gone now.
		expect(await soon(socket.next())).toMatchObject({ tag: "Error", actionId: 1 });
		expect((await wireAction(runtime, id, "n")).output).toBe(1);
		expect((await wireAction(runtime, id, "add")).output).toBe(2);
		const [line] = runtime.log.filter(({ message }) => message.startsWith("commit failed"));
		expect(line).toMatchObject({ level: "error", fields: { actorId: id, actor: "counter" } });
	});

	it("lets no event of the turn out", async () => {
		const wrapped = new WrappedStore();
		await using runtime = await TestRuntime.start({ counter: counter() }, { store: wrapped.store });
		const id = await runtime.actorId("counter");
		await using socket = await WireSocket.connect(`${runtime.url}/gateway/${id}/connect`);
		socket.subscribe("added");
		await socket.call(0, "n");
		wrapped.failNext();
		await wireAction(runtime, id, "add");
		await wireAction(runtime, id, "add");
		expect(await soon(socket.next())).toMatchObject({ tag: "Event", args: [0] });
		expect(await soon(socket.call(1, "n"))).toMatchObject({ output: 1 });
	});

	it("is reported by calls that wrote into it and went on, though their last writes are stored", async () => {
		const wrapped = new WrappedStore();
		const slow = new Gate();
		await using runtime = await TestRuntime.start(
			{ counter: counter(slow) },
			{ store: wrapped.store },
		);
		const id = await runtime.actorId("counter");
		wrapped.failNext();
		const call = wireAction(runtime, id, "twice");
		await eventually(() =>
			expect(runtime.log.some(({ message }) => message.startsWith("commit failed"))).toBe(true),
		);
		slow.open();
		expect(codeOf(await soon(call))).toBe("rivetkit.internal_error");
		expect((await wireAction(runtime, id, "state")).output).toEqual({ n: 0, m: 1 });
	});

	it("is reported by a raw request that wrote into it", async () => {
		const wrapped = new WrappedStore();
		const slow = new Gate();
		await using runtime = await TestRuntime.start(
			{ counter: counter(slow) },
			{ store: wrapped.store },
		);
		const id = await runtime.actorId("counter");
		const raw = fetch(`${runtime.url}/gateway/${id}/request/`);
		await eventually(() => expect(runtime.embedded.host.unsaved).toEqual(["counter"]));
		wrapped.failNext();
		expect(codeOf(await wireAction(runtime, id, "add"))).toBe("rivetkit.internal_error");
		slow.open();
		expect((await soon(raw)).status).toBe(500);
		expect((await wireAction(runtime, id, "n")).output).toBe(0);
	});

	it("of a final save is logged, and the actor wakes as it was last committed", async () => {
		const wrapped = new WrappedStore();
		await using runtime = await TestRuntime.start({ counter: counter() }, { store: wrapped.store });
		const id = await runtime.actorId("counter");
		await wireAction(runtime, id, "add");
		wrapped.fail = (batch) => (batch.record?.sleepTs ? new Error("disk full") : undefined);
		await wireAction(runtime, id, "nap");
		await eventually(() => expect(runtime.embedded.host.liveActorIds).toEqual([]));
		expect(runtime.log.some(({ message }) => message.startsWith("the final save failed"))).toBe(
			true,
		);
		expect((await wireAction(runtime, id, "n")).output).toBe(1);
	});

	it("of the first commit fails the creation, which can be tried again", async () => {
		const wrapped = new WrappedStore();
		await using runtime = await TestRuntime.start({ counter: counter() }, { store: wrapped.store });
		const handle = runtime.localClient().counter!.getOrCreate(["a"]);
		wrapped.failNext();
		await expect(handle.add()).rejects.toMatchObject({ code: "internal_error" });
		expect(await handle.add()).toBe(1);
	});
});

describe("L54 a stale incarnation", () => {
	async function overtaken() {
		const wrapped = new WrappedStore();
		const seen: string[] = [];
		const slow = new Gate();
		const subject = actor({
			state: { n: 0 },
			onSleep: () => void seen.push("onSleep"),
			onDisconnect: (_c, conn) => {
				if (conn.kind === "websocket") seen.push("onDisconnect");
			},
			run: (c) => {
				c.abortSignal.addEventListener("abort", () => seen.push("abort"));
			},
			actions: {
				add: (c) => ++c.state.n,
				n: (c) => c.state.n,
				slow: async (c) => {
					await slow.passed;
					return ++c.state.n;
				},
			},
		});
		const runtime = await TestRuntime.start({ subject }, { store: wrapped.store });
		const id = await runtime.actorId("subject");
		await wireAction(runtime, id, "add");
		// Somebody else takes the actor over and counts on.
		const takeOver = async (n: number) => {
			const { generation } = await wrapped.inner.acquire(id);
			const value = Uint8Array.of(0, ...encodeCbor({ n }));
			const ops = [{ op: "put", key: Uint8Array.of(1), value } as const];
			await wrapped.inner.commit({ actorId: id, generation, ops });
		};
		return { runtime, wrapped, id, seen, slow, takeOver };
	}

	it("cannot commit: its callers get actor.stopping, and the next call wakes the newest state", async () => {
		const { runtime, id, seen, takeOver } = await overtaken();
		await using _ = runtime;
		await takeOver(100);
		expect(codeOf(await wireAction(runtime, id, "add"))).toBe("actor.stopping");
		expect(seen).toEqual(["abort"]);
		expect((await wireAction(runtime, id, "n")).output).toBe(100);
		expect((await wireAction(runtime, id, "add")).output).toBe(101);
		expect(runtime.log.some(({ message }) => message.includes("newer incarnation"))).toBe(true);
	});

	it("leaves connections, and what it could not answer over them, to the next one without a hook", async () => {
		const { runtime, id, seen, takeOver } = await overtaken();
		await using _ = runtime;
		await using socket = await WireSocket.connect(`${runtime.url}/gateway/${id}/connect`);
		await takeOver(100);
		expect(await soon(socket.call(0, "add"))).toMatchObject({ output: 101 });
		expect(seen).toEqual(["abort"]);
	});

	it("gives up the calls that are still running; those of connections run in the next one", async () => {
		const { runtime, id, slow, takeOver } = await overtaken();
		await using _ = runtime;
		await using socket = await WireSocket.connect(`${runtime.url}/gateway/${id}/connect`);
		const overHttp = wireAction(runtime, id, "slow");
		const overSocket = socket.call(0, "slow");
		await eventually(async () => expect((await wireAction(runtime, id, "n")).output).toBe(1));
		await takeOver(100);
		await wireAction(runtime, id, "add");
		expect(codeOf(await soon(overHttp))).toBe("actor.stopping");
		slow.open();
		expect(await soon(overSocket)).toMatchObject({ output: 101 });
		expect((await wireAction(runtime, id, "n")).output).toBe(101);
	});

	it("that is told to sleep ends without writing", async () => {
		const { runtime, id, wrapped, takeOver } = await overtaken();
		await takeOver(100);
		await soon(runtime.embedded.close());
		const [value] = await wrapped.inner.get(id, [Uint8Array.of(1)]);
		expect(value).toEqual(Uint8Array.of(0, ...encodeCbor({ n: 100 })));
	});
});
