import { describe, expect, it } from "vitest";
import { actor } from "../../src/actor/definition.ts";
import { event } from "../../src/actor/tokens.ts";
import { REPLIES_MAX } from "../../src/runtime/calls/reply-window.ts";
import { SUBSPACE_CONNECTIONS } from "../../src/runtime/commit/storage-layout.ts";
import { BareHost } from "../support/bare-host.ts";
import { eventually } from "../support/eventually.ts";
import { Gate } from "../support/gate.ts";
import { ScriptedSocket } from "../support/scripted-socket.ts";
import { WrappedStore } from "../support/store-wrapper.ts";

function counter(options: object = {}) {
	const gates = new Map<string, Gate>();
	const gate = (name: string) => {
		if (!gates.has(name)) gates.set(name, new Gate());
		return gates.get(name)!;
	};
	const subject = actor({
		state: { count: 0 },
		options,
		events: { tick: event<number>() },
		actions: {
			add: (c) => ++c.state.count,
			addAfter: async (c, name: string) => {
				await gate(name).passed;
				return ++c.state.count;
			},
			count: (c) => c.state.count,
			big: (c, size: number) => {
				c.state.count++;
				return "x".repeat(size);
			},
			subscriptions: (c) => [...c.conn.subscriptions],
		},
	});
	return { subject, gate };
}

/** A crash: what the incarnation answered from now on nobody has seen, and its gateway lives on. */
async function crashed(host: BareHost, socket: ScriptedSocket): Promise<ScriptedSocket> {
	const next = socket.next();
	await host.start([next]);
	return next;
}

describe("a message of a gateway that outlives the host", () => {
	it("is acknowledged when what it wrote is durable, together with its answer", async () => {
		const wrapped = new WrappedStore();
		const host = new BareHost(counter().subject, wrapped.store);
		await host.start();
		const socket = new ScriptedSocket("s", true);
		await host.open(socket);
		expect(socket.deeds).toEqual(["hold"]);
		expect(socket.sent.map(({ tag }) => tag)).toEqual(["Init"]);
		const letGo = wrapped.hold();
		socket.act(1, "add");
		socket.deliver(2, { tag: "SubscriptionRequest", eventName: "tick", subscribe: true });
		socket.act(3, "count");
		await new Promise((resolve) => setImmediate(resolve));
		expect([socket.acknowledged, socket.answers]).toEqual([0, {}]);
		letGo();
		await eventually(() => expect(socket.acknowledged).toBe(3));
		expect(socket.answers).toEqual({ 1: 1, 3: 1 });
	});

	it("that was answered into a crash is answered again, and its action not run again", async () => {
		const host = new BareHost(counter().subject);
		await host.start();
		const socket = new ScriptedSocket("s", true);
		await host.open(socket);
		for (const index of [1, 2, 3]) socket.act(index, "add");
		await eventually(() => expect(socket.answers).toEqual({ 1: 1, 2: 2, 3: 3 }));
		// The gateway saw the acknowledgement of the first one only.
		const next = await crashed(host, socket);
		for (const index of [2, 3, 4]) next.act(index, "add");
		await eventually(() => expect(next.answers).toEqual({ 2: 2, 3: 3, 4: 4 }));
		expect(next.acknowledged).toBe(4);
	});

	it("is recognised by its number, not by the id its client chose", async () => {
		const host = new BareHost(counter().subject);
		await host.start();
		const socket = new ScriptedSocket("s", true);
		await host.open(socket);
		for (const index of [1, 2, 3]) {
			socket.deliver(index, { tag: "ActionRequest", id: 7, name: "add", args: [] });
		}
		await eventually(() => expect(socket.acknowledged).toBe(3));
		const outputs = socket.sent.flatMap((frame) =>
			frame.tag === "ActionResponse" ? [frame.output] : [],
		);
		expect(outputs).toEqual([1, 2, 3]);
	});

	it("whose answer nobody remembers is not run again either", async () => {
		const host = new BareHost(counter().subject);
		await host.start();
		const socket = new ScriptedSocket("s", true);
		await host.open(socket);
		// What was answered in one commit is forgotten together: all of the first here, however many commits it took.
		const early = 3;
		const calls = early + REPLIES_MAX;
		for (let index = 1; index <= early; index++) socket.act(index, "add");
		await eventually(() => expect(socket.acknowledged).toBe(early));
		for (let index = early + 1; index <= calls; index++) socket.act(index, "add");
		socket.act(calls + 1, "big", 20_000);
		await eventually(() => expect(socket.acknowledged).toBe(calls + 1));
		const next = await crashed(host, socket);
		for (let index = 1; index <= calls; index++) next.act(index, "add");
		next.act(calls + 1, "big", 20_000);
		next.act(calls + 2, "count");
		await eventually(() => expect(next.acknowledged).toBe(calls + 2));
		expect(next.answers[1]).toBe("action.answer_forgotten");
		expect(next.answers[calls]).toBe(calls);
		expect(next.answers[calls + 1]).toBe("action.answer_not_kept");
		expect(next.answers[calls + 2]).toBe(calls + 1);
	});

	it("that was not handled when the host crashed is handled by the next incarnation", async () => {
		const { subject, gate } = counter();
		const host = new BareHost(subject);
		await host.start();
		const socket = new ScriptedSocket("s", true);
		await host.open(socket);
		socket.act(1, "add");
		socket.act(2, "addAfter", "first");
		socket.act(3, "add");
		await eventually(() => expect(socket.acknowledged).toBe(1));
		const next = await crashed(host, socket);
		next.act(2, "addAfter", "first");
		next.act(3, "add");
		gate("first").open();
		await eventually(() => expect(next.answers).toEqual({ 2: 2, 3: 3 }));
		expect(socket.acknowledged).toBe(1);
		expect(socket.answers).toEqual({ 1: 1 });
	});

	it("is acknowledged in order when actions of a connection run side by side", async () => {
		const { subject, gate } = counter({ connectionConcurrency: 3 });
		const host = new BareHost(subject);
		await host.start();
		const socket = new ScriptedSocket("s", true);
		await host.open(socket);
		for (const index of [1, 2, 3]) socket.act(index, "addAfter", `gate ${index}`);
		gate("gate 3").open();
		await eventually(() => expect(socket.answers).toEqual({ 3: 1 }));
		gate("gate 2").open();
		await eventually(() => expect(socket.answers).toEqual({ 3: 1, 2: 2 }));
		expect(socket.acknowledged).toBe(0);
		// The crash finds one that was not through; the others are answered, not run.
		const next = await crashed(host, socket);
		for (const index of [1, 2, 3]) next.act(index, "addAfter", `gate ${index}`);
		await eventually(() => expect(next.answers).toEqual({ 2: 2, 3: 1 }));
		gate("gate 1").open();
		await eventually(() => expect(next.answers).toEqual({ 1: 3, 2: 2, 3: 1 }));
		expect(next.acknowledged).toBe(3);
	});

	it("that subscribes does so once, with the record of the connection", async () => {
		const host = new BareHost(counter().subject);
		await host.start();
		const socket = new ScriptedSocket("s", true);
		await host.open(socket);
		const subscription = { tag: "SubscriptionRequest", eventName: "tick" } as const;
		socket.deliver(1, { ...subscription, subscribe: true });
		socket.deliver(2, { ...subscription, subscribe: false });
		socket.deliver(3, { ...subscription, subscribe: true });
		await eventually(() => expect(socket.acknowledged).toBe(3));
		const next = await crashed(host, socket);
		next.act(4, "subscriptions");
		await eventually(() => expect(next.answers).toEqual({ 4: ["tick"] }));
	});
});

describe("a message of a raw socket", () => {
	function raw() {
		const gate = new Gate();
		const subject = actor({
			state: { got: [] as string[] },
			options: { canHibernateWebSocket: true, stateSaveInterval: 5 },
			onWebSocket: (c, socket) => {
				socket.addEventListener("message", async (event) => {
					const { data } = event as MessageEvent<string>;
					if (data === "slow") await gate.passed;
					if (data !== "nothing") c.state.got.push(data);
					socket.send(c.state.got.join());
				});
			},
			actions: {},
		});
		return { subject, gate };
	}

	it("is acknowledged with the commit of what its listeners wrote, and not handled twice", async () => {
		const wrapped = new WrappedStore();
		const { subject, gate } = raw();
		const host = new BareHost(subject, wrapped.store);
		await host.start();
		const socket = new ScriptedSocket("s", true);
		await host.open(socket, "/websocket");
		expect(socket.deeds).toEqual(["hold"]);
		const letGo = wrapped.hold();
		socket.deliver(1, "one");
		await eventually(() => expect(wrapped.commits.at(-1)?.ops.length).toBe(2));
		expect([socket.acknowledged, socket.frames]).toEqual([0, []]);
		letGo();
		await eventually(() => expect(socket.acknowledged).toBe(1));
		socket.deliver(2, "nothing");
		socket.deliver(3, "slow");
		socket.deliver(4, "four");
		await eventually(() => expect(socket.frames).toEqual(["one", "one", "one,four"]));
		expect(socket.acknowledged).toBe(2);
		const next = await crashed(host, socket);
		for (const [index, text] of ["one", "nothing", "slow", "four"].entries()) {
			if (index > 0) next.deliver(index + 1, text);
		}
		gate.open();
		await eventually(() => expect(next.acknowledged).toBe(4));
		// The fourth was through, but the third before it was not: it came at least once.
		expect(next.frames.at(-1)).toBe("one,four,four,slow");
	});

	it("is not acknowledged when what it wrote is lost: its client is told by a close", async () => {
		const wrapped = new WrappedStore();
		const subject = actor({
			state: { got: [] as string[] },
			options: { canHibernateWebSocket: true, stateSaveInterval: 5 },
			onWebSocket: (c, socket) => {
				socket.addEventListener("message", (event) => {
					c.state.got.push((event as MessageEvent<string>).data);
				});
			},
			actions: {},
		});
		const host = new BareHost(subject, wrapped.store);
		await host.start();
		const socket = new ScriptedSocket("s", true);
		await host.open(socket, "/websocket");
		wrapped.failNext();
		socket.deliver(1, "one");
		await eventually(() => expect(socket.deeds.length).toBeGreaterThan(1));
		expect(socket.deeds.slice(0, 2)).toEqual(["hold", "close 1011"]);
		expect(socket.acknowledged).toBe(0);
	});
});

describe("a gateway in the host's own process", () => {
	it("needs no index in the store", async () => {
		const host = new BareHost(counter().subject);
		await host.start();
		const stored: number[] = [];
		for (const outlivesHost of [false, true]) {
			const socket = new ScriptedSocket(`s ${outlivesHost}`, outlivesHost);
			await host.open(socket);
			socket.act(1, "add");
			await eventually(() => expect(socket.acknowledged).toBe(1));
			const range = {
				start: Uint8Array.of(SUBSPACE_CONNECTIONS),
				end: Uint8Array.of(SUBSPACE_CONNECTIONS + 1),
			};
			stored.push((await host.store.scan("actor", range)).length);
		}
		// One part for the first, two for the second.
		expect(stored).toEqual([1, 3]);
	});
});

describe("a client that leaves", () => {
	it("is let go when onDisconnect is done and durable; a crash before runs it again", async () => {
		const left = new Gate();
		const leaves: string[] = [];
		const subject = actor({
			state: { left: 0 },
			onDisconnect: async (c) => {
				leaves.push("began");
				await left.passed;
				c.state.left++;
			},
			actions: { left: (c) => c.state.left },
		});
		const host = new BareHost(subject);
		await host.start();
		const [socket, other] = [new ScriptedSocket("s", true), new ScriptedSocket("o", true)];
		await host.open(socket);
		await host.open(other);
		socket.leave();
		expect(leaves).toEqual(["began"]);
		const [next, nextOther] = [socket.next(), other.next()];
		await host.start([next, nextOther]);
		next.leave();
		left.open();
		await eventually(() => expect(next.deeds).toEqual(["release"]));
		expect(socket.deeds).toEqual(["hold"]);
		nextOther.act(1, "left");
		await eventually(() => expect(nextOther.answers).toEqual({ 1: 1 }));
		// Nothing is left of it.
		await host.start([nextOther.next()]);
		expect(leaves).toEqual(["began", "began"]);
	});

	it.each(["a commit that holds", "a commit that fails"])(
		"while its call is worked on leaves nothing in the store, with %s",
		async (commit) => {
			const wrapped = new WrappedStore();
			const { subject, gate } = counter({ connectionConcurrency: 2 });
			const host = new BareHost(subject, wrapped.store);
			await host.start();
			const socket = new ScriptedSocket("s", true);
			await host.open(socket);
			socket.act(1, "add");
			socket.act(2, "addAfter", "left");
			const letGo = wrapped.hold();
			if (commit === "a commit that fails") wrapped.failNext();
			const commits = wrapped.commits.length;
			// Its index is in a commit when the client leaves, and another one follows.
			await eventually(() => expect(wrapped.commits.length).toBe(commits + 1));
			socket.leave();
			letGo();
			await eventually(() => expect(socket.deeds).toContain("release"));
			gate("left").open();
			await host.stop();
			const range = {
				start: Uint8Array.of(SUBSPACE_CONNECTIONS),
				end: Uint8Array.of(SUBSPACE_CONNECTIONS + 1),
			};
			expect(await host.store.scan("actor", range)).toEqual([]);
			await host.start();
		},
	);

	it("whose socket was never stored is told to come again", async () => {
		const host = new BareHost(counter().subject);
		await host.start();
		const stranger = new ScriptedSocket("nobody knows", true);
		await host.start([stranger]);
		expect(stranger.deeds).toEqual(["close 1000"]);
	});
});
