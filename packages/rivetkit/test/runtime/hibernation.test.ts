import type { Encoding } from "@rivetkit/protocol";
import { describe, expect, it } from "vitest";
import { actor } from "../../src/actor/definition.ts";
import { event } from "../../src/actor/tokens.ts";
import { SUBSPACE_CONNECTIONS } from "../../src/runtime/commit/storage-layout.ts";
import { eventually } from "../support/eventually.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { Gate, soon } from "../support/gate.ts";
import { WrappedStore } from "../support/store-wrapper.ts";
import { TestRuntime } from "../support/test-runtime.ts";
import { codeOf, wireAction } from "../support/wire-http.ts";
import {
	LocalWireSocket,
	type WirePeer,
	WireSocket,
	type WireSocketOptions,
} from "../support/wire-socket.ts";

interface Person {
	readonly name?: string;
}

/** A room that says which hooks ran for which event connection. */
function room(options: object = {}) {
	const hooks: string[] = [];
	const subject = actor({
		state: { said: [] as string[], left: [] as string[] },
		options,
		events: {
			line: event<string>(),
			awake: event<string>(),
			asleep: event<number>(),
			secret: event<string>({
				canSubscribe: () => {
					hooks.push("canSubscribe");
					return true;
				},
			}),
		},
		createConnState: (_c, params: Person | undefined) => ({
			name: params?.name ?? "nobody",
			count: 0,
		}),
		onWake: (c) => {
			hooks.push(`onWake (${c.conns.size})`);
			for (const conn of c.conns.values()) conn.send("awake", conn.state.name);
			c.broadcast("line", "nobody hears this");
		},
		onSleep: (c) => {
			c.broadcast("line", "good night");
			for (const conn of c.conns.values()) conn.send("asleep", c.conns.size);
		},
		onBeforeConnect: () => void hooks.push("onBeforeConnect"),
		onConnect: (_c, conn) => {
			if (conn.kind === "websocket") hooks.push(`onConnect ${conn.state.name}`);
		},
		onDisconnect: (c, conn) => {
			if (conn.kind !== "websocket") return;
			hooks.push(`onDisconnect ${conn.state.name} (${c.conns.has(conn.id)})`);
			c.state.left.push(conn.state.name);
		},
		actions: {
			say: (c, text: string) => {
				c.state.said.push(text);
				c.conn.state.count++;
				c.broadcast("line", text);
				return c.conn.state.count;
			},
			all: (c) => [c.state.said, c.state.left],
			conns: (c) =>
				[...c.conns.values()].filter(({ kind }) => kind === "websocket").map(({ id }) => id),
			who: (c) => ({
				id: c.conn.id,
				params: c.conn.params,
				state: c.conn.state,
				subscriptions: [...c.conn.subscriptions],
				hibernates: c.conn.isHibernatable,
			}),
			later: (c) => {
				const { conn } = c;
				setImmediate(() => {
					conn.state.name = "changed later";
				});
			},
			grow: (c, size: number) => {
				c.conn.state.name = "x".repeat(size);
			},
			nap: (c) => c.sleep(),
			/** Still runs when the stop it asked for has begun. */
			doze: async (c) => {
				c.sleep();
				while (!c.aborted) await new Promise((resolve) => setImmediate(resolve));
			},
			end: (c) => c.destroy(),
		},
	});
	return { subject, hooks };
}

async function hosted(options: Parameters<typeof TestRuntime.start>[1] & { room?: object } = {}) {
	const made = room(options.room);
	const runtime = await TestRuntime.start({ subject: made.subject }, options);
	const id = await runtime.actorId("subject");
	const connect = (more?: WireSocketOptions) =>
		WireSocket.connect(`${runtime.url}/gateway/${id}/connect`, {
			connParams: { name: "ann" },
			...more,
		});
	const asleep = () =>
		eventually(() => expect(runtime.embedded.host.liveActorIds).not.toContain(id));
	/** Puts the actor to sleep, from outside. */
	const nap = async () => {
		await wireAction(runtime, id, "nap");
		await asleep();
		made.hooks.length = 0;
	};
	const storedConnections = async () => {
		const start = Uint8Array.of(SUBSPACE_CONNECTIONS);
		return runtime.store.scan(id, { start, end: Uint8Array.of(SUBSPACE_CONNECTIONS + 1) });
	};
	return {
		...made,
		runtime,
		id,
		connect,
		asleep,
		nap,
		storedConnections,
		[Symbol.asyncDispose]: () => runtime[Symbol.asyncDispose](),
	};
}

/** The next event, which must have this name; its first argument. */
async function heard(socket: WirePeer, name: string): Promise<unknown> {
	const frame = await soon(socket.expect("Event"));
	expect(frame.name).toBe(name);
	return frame.args[0];
}

const encodings: Encoding[] = ["bare", "cbor", "json"];
const transports = {
	"over the network": (runtime: TestRuntime, id: string, options: WireSocketOptions) =>
		new WireSocket(`${runtime.url}/gateway/${id}/connect`, options),
	"in process": (runtime: TestRuntime, id: string, options: WireSocketOptions) =>
		new LocalWireSocket(runtime.embedded.engine, id, "/connect", options),
};
const ways = Object.entries(transports).flatMap(([how, open]) =>
	encodings.map((encoding) => [how, encoding, open] as const),
);

describe("L33 an event connection", () => {
	it.each(ways)(
		"%s, in %s, outlives its incarnation: id, params, state, subscriptions; no hook runs again",
		async (_how, encoding, open) => {
			await using t = await hosted();
			await using socket = open(t.runtime, t.id, { encoding, connParams: { name: "ann" } });
			await soon(socket.expect("Init"));
			socket.subscribe("line");
			expect(await soon(socket.call(0, "say", "one"))).toMatchObject({ output: 1 });
			const before = await soon(socket.call(1, "who"));
			expect(before).toMatchObject({
				output: {
					params: { name: "ann" },
					state: { name: "ann", count: 1 },
					subscriptions: ["line"],
					hibernates: true,
				},
			});
			await t.nap();
			expect(await heard(socket, "line")).toBe("good night");
			expect(await heard(socket, "asleep")).toBe(1);
			socket.act(1, "who");
			expect(await heard(socket, "awake")).toBe("ann");
			expect(await soon(socket.next())).toEqual(before);
			socket.act(2, "say", "two");
			expect(await heard(socket, "line")).toBe("two");
			expect(await soon(socket.next())).toMatchObject({ tag: "ActionResponse", output: 2 });
			expect(t.hooks).toEqual(["onWake (1)"]);
			expect(await t.storedConnections()).not.toEqual([]);
		},
	);

	it("gets what its client sent while the actor slept, each message once and in order", async () => {
		await using t = await hosted();
		await using socket = await t.connect();
		const gate = new Gate();
		await t.nap();
		for (let index = 0; index < 200; index++) socket.act(index, "say", `line ${index}`);
		await eventually(async () => {
			const { output } = await wireAction(t.runtime, t.id, "all");
			expect((output as string[][])[0]).toHaveLength(200);
		});
		gate.open();
		const lines = Array.from({ length: 200 }, (_, index) => `line ${index}`);
		expect((await wireAction(t.runtime, t.id, "all")).output).toEqual([lines, []]);
		await t.nap();
		expect((await wireAction(t.runtime, t.id, "all")).output).toEqual([lines, []]);
	});

	it.each(["nap", "doze"])(
		"neither loses nor repeats what was queued behind a call that puts the actor to sleep (%s)",
		async (sleeps) => {
			await using t = await hosted();
			await using socket = await t.connect();
			socket.act(0, "say", "before");
			socket.act(1, sleeps);
			for (let index = 2; index < 20; index++) socket.act(index, "say", `after ${index}`);
			const answers: unknown[] = [];
			while (answers.length < 20) {
				const frame = await soon(socket.next());
				if (frame.tag !== "Event") answers.push(frame);
			}
			expect(answers).toEqual(
				Array.from({ length: 20 }, (_, id) =>
					expect.objectContaining({ tag: "ActionResponse", id }),
				),
			);
			const { output } = await wireAction(t.runtime, t.id, "all");
			expect((output as string[][])[0]).toHaveLength(19);
		},
	);

	it("whose client leaves during the sleep gets its onDisconnect on the new instance, once", async () => {
		await using t = await hosted();
		await using socket = await t.connect();
		await using other = await t.connect({ connParams: { name: "bob" } });
		await t.nap();
		socket.ws.close(1000, "bye");
		await eventually(() => expect(t.hooks).toEqual(["onWake (2)", "onDisconnect ann (false)"]));
		expect((await wireAction(t.runtime, t.id, "conns")).output).toHaveLength(1);
		await t.nap();
		expect((await wireAction(t.runtime, t.id, "all")).output).toEqual([[], ["ann"]]);
		expect(t.hooks).not.toContain("onDisconnect ann (false)");
		expect(await soon(other.call(0, "who"))).toMatchObject({ output: { state: { name: "bob" } } });
	});

	it("leaves nothing behind in the store when it closes", async () => {
		await using t = await hosted();
		await using socket = await t.connect();
		socket.subscribe("line");
		await soon(socket.call(0, "say", "hi"));
		expect(await t.storedConnections()).toHaveLength(3);
		socket.ws.close();
		await eventually(async () => expect(await t.storedConnections()).toEqual([]));
		await using kicked = await t.connect();
		await soon(kicked.call(0, "end"));
		expect(await soon(kicked.closed)).toEqual({ code: 1000, reason: "" });
		await t.asleep();
		expect(await t.storedConnections()).toEqual([]);
	});

	it("is closed with 1000 when its actor is destroyed in its sleep, and its onDisconnect runs", async () => {
		await using t = await hosted();
		await using socket = await t.connect();
		await t.nap();
		await t.runtime.embedded.engine.destroy(t.id);
		expect(await soon(socket.closed)).toEqual({ code: 1000, reason: "" });
		expect(t.hooks).toEqual(["onWake (1)", "onDisconnect ann (false)"]);
	});

	it("of a process that is gone gets its onDisconnect on the first wake of the next one", async () => {
		const wrapped = new WrappedStore();
		const gone = await hosted({ store: wrapped.store });
		await gone.connect();
		await gone.nap();
		// The second engine knows nothing of the first one's sockets, as after a crash.
		await using t = await hosted({ store: wrapped.store });
		await eventually(() => expect(t.hooks).toContain("onDisconnect ann (false)"));
		expect(t.hooks).toContain("onWake (0)");
		expect((await wireAction(t.runtime, t.id, "all")).output).toEqual([[], ["ann"]]);
		await eventually(async () => expect(await t.storedConnections()).toEqual([]));
		await gone[Symbol.asyncDispose]();
	});

	it("ends with its process: at a shutdown onDisconnect runs, and nothing stays stored", async () => {
		const wrapped = new WrappedStore();
		const t = await hosted({ store: wrapped.store });
		await using socket = await t.connect();
		await t.runtime.embedded.close();
		expect((await soon(socket.closed)).code).toBe(1000);
		expect(t.hooks).toContain("onDisconnect ann (false)");
		expect(await t.storedConnections()).toEqual([]);
	});

	it("keeps a state that changed outside a call, and one that was replaced", async () => {
		await using t = await hosted({ room: { stateSaveInterval: 10 } });
		await using socket = await t.connect();
		await soon(socket.call(0, "later"));
		await eventually(async () => {
			const { output } = (await soon(socket.call(1, "who"))) as { output: { state: Person } };
			expect(output.state.name).toBe("changed later");
		});
		await t.nap();
		expect(await soon(socket.call(2, "who"))).toMatchObject({
			output: { state: { name: "changed later", count: 0 } },
		});
	});

	it("takes its state back, but not its subscriptions, when a commit fails", async () => {
		const wrapped = new WrappedStore();
		await using t = await hosted({ store: wrapped.store });
		await using socket = await t.connect();
		await soon(socket.call(0, "say", "kept"));
		// On a busy machine the two come one after the other, with a commit each.
		wrapped.fail = () => new Error("the disk is full");
		socket.subscribe("line");
		socket.act(1, "say", "lost");
		expect(await soon(socket.next())).toMatchObject({ tag: "Error", actionId: 1 });
		wrapped.fail = null;
		await t.nap();
		expect(await heard(socket, "line")).toBe("good night");
		const { output } = (await soon(socket.call(2, "who"))) as { output: unknown };
		expect(output).toMatchObject({ state: { count: 1 }, subscriptions: ["line"] });
	});

	it("forgets what it unsubscribed from, and asks no guard again after a wake", async () => {
		await using t = await hosted();
		await using socket = await t.connect();
		socket.subscribe("line");
		socket.subscribe("secret");
		socket.subscribe("line", false);
		await soon(socket.call(0, "who"));
		expect(t.hooks).toContain("canSubscribe");
		await t.nap();
		expect(await soon(socket.call(1, "who"))).toMatchObject({
			output: { subscriptions: ["secret"] },
		});
		expect(t.hooks).toEqual(["onWake (1)"]);
	});

	it("refuses a state over the limit, and has the one before", async () => {
		await using t = await hosted();
		await using socket = await t.connect();
		await soon(socket.call(0, "say", "hi"));
		expect(codeOf(await soon(socket.call(1, "grow", 128 * 1024)))).toBe(
			"connection.state_too_large",
		);
		expect(await soon(socket.call(2, "who"))).toMatchObject({
			output: { state: { name: "ann", count: 1 } },
		});
		expect(await soon(socket.call(3, "grow", 100_000))).toMatchObject({ tag: "ActionResponse" });
	});

	describe("with a state over the limit from the beginning is refused, and fails nobody's commit:", () => {
		const large = "x".repeat(128 * 1024);

		async function greedy() {
			const seen: string[] = [];
			const gates = { onConnect: new Gate(), onDisconnect: new Gate() };
			const subject = actor({
				state: { n: 0 },
				createConnState: (_c, params: string | undefined) => ({
					name: params === "createConnState" ? large : "small",
				}),
				onConnect: async (_c, conn) => {
					if (conn.kind !== "websocket") return;
					seen.push("onConnect");
					if (conn.params !== "onConnect") return;
					conn.state.name = large;
					await gates.onConnect.passed;
				},
				onDisconnect: async (_c, conn) => {
					if (conn.kind !== "websocket") return;
					seen.push(`onDisconnect ${conn.state.name.length}`);
					await gates.onDisconnect.passed;
				},
				actions: { add: (c) => ++c.state.n },
			});
			const wrapped = new WrappedStore();
			const runtime = await TestRuntime.start({ subject }, { store: wrapped.store });
			const id = await runtime.actorId("subject");
			const open = (connParams: string) =>
				new WireSocket(`${runtime.url}/gateway/${id}/connect`, { connParams });
			const add = () => wireAction(runtime, id, "add");
			return { seen, gates, wrapped, runtime, id, open, add };
		}

		it("that of createConnState, before any hook has run for it", async () => {
			const t = await greedy();
			await using _ = t.runtime;
			await using socket = t.open("createConnState");
			expect(codeOf(await soon(socket.next()))).toBe("connection.state_too_large");
			expect(await t.add()).toMatchObject({ output: 1 });
			expect(t.seen).toEqual([]);
		});

		it("that of onConnect, when that is done", async () => {
			const t = await greedy();
			await using _ = t.runtime;
			await using socket = t.open("onConnect");
			await eventually(() => expect(t.seen).toEqual(["onConnect"]));
			expect(await t.add()).toMatchObject({ output: 1 });
			t.gates.onConnect.open();
			expect(codeOf(await soon(socket.next()))).toBe("connection.state_too_large");
			expect(t.seen).toEqual(["onConnect", `onDisconnect ${large.length}`]);
			expect(await t.add()).toMatchObject({ output: 2 });
			// What is stored of it has the state from before, in case this incarnation does not get to its end.
			await t.wrapped.inner.acquire(t.id);
			expect(codeOf(await t.add())).toBe("actor.stopping");
			expect(await t.add()).toMatchObject({ output: 3 });
			await eventually(() => expect(t.seen.at(-1)).toBe("onDisconnect 5"));
			t.gates.onDisconnect.open();
		});
	});

	it("that is opened while the actor stops is opened by the next incarnation", async () => {
		const stopping = new Gate();
		const stopped = new Gate();
		const seen: string[] = [];
		let incarnations = 0;
		const subject = actor({
			createVars: () => ({ incarnation: ++incarnations }),
			onSleep: () => {
				stopping.open();
				return stopped.passed;
			},
			onConnect: (c, { kind }) => void seen.push(`${kind} to ${c.vars.incarnation}`),
			actions: { ping: () => "pong", nap: (c) => c.sleep() },
		});
		await using runtime = await TestRuntime.start({ subject });
		const id = await runtime.actorId("subject");
		await wireAction(runtime, id, "nap");
		await stopping.passed;
		await using opening = new WireSocket(`${runtime.url}/gateway/${id}/connect`);
		await opening.opened();
		stopped.open();
		await soon(opening.expect("Init"));
		expect(await soon(opening.call(0, "ping"))).toMatchObject({ output: "pong" });
		expect(seen).toEqual(["http to 1", "websocket to 2"]);
	});

	it("that is being opened when its incarnation is fenced off is opened by the next one", async () => {
		const wrapped = new WrappedStore();
		const gate = new Gate();
		const seen: string[] = [];
		const subject = actor({
			state: { n: 0 },
			onBeforeConnect: async (_c, params) => {
				if (params !== "slow") return;
				seen.push("onBeforeConnect");
				await gate.passed;
			},
			onDisconnect: (_c, { kind }) => {
				if (kind === "websocket") seen.push("onDisconnect");
			},
			actions: { add: (c) => ++c.state.n },
		});
		await using runtime = await TestRuntime.start({ subject }, { store: wrapped.store });
		const id = await runtime.actorId("subject");
		await using opening = new WireSocket(`${runtime.url}/gateway/${id}/connect`, {
			connParams: "slow",
		});
		await eventually(() => expect(seen).toEqual(["onBeforeConnect"]));
		await opening.opened();
		opening.act(0, "add");
		await wrapped.inner.acquire(id);
		expect(codeOf(await wireAction(runtime, id, "add"))).toBe("actor.stopping");
		gate.open();
		await soon(opening.expect("Init"));
		expect(await soon(opening.expect("ActionResponse"))).toMatchObject({ output: 1 });
		expect(seen).toEqual(["onBeforeConnect", "onBeforeConnect"]);
	});

	it("is not pinged while it hibernates, and is again afterwards", async () => {
		const clock = new FakeClock();
		await using t = await hosted({ clock, room: { connectionLivenessInterval: 1_000 } });
		await using socket = await t.connect({ autoPong: false });
		await t.nap();
		let pings = 0;
		socket.ws.on("ping", () => pings++);
		await clock.advance(60_000);
		await soon(socket.roundTrip());
		expect([pings, socket.isOpen]).toEqual([0, true]);
		expect(await soon(socket.call(0, "who"))).toMatchObject({ output: { id: expect.any(String) } });
		await clock.advance(1_020);
		await eventually(() => expect(pings).toBe(1));
	});

	it("does not keep its actor awake: it falls asleep by idleness, and wakes for a message", async () => {
		const clock = new FakeClock();
		await using t = await hosted({ clock });
		await using socket = await t.connect();
		await using local = new LocalWireSocket(t.runtime.embedded.engine, t.id, "/connect");
		await soon(local.expect("Init"));
		await eventually(() =>
			expect(t.runtime.embedded.host.awakeBecause(t.id)?.join()).toMatch(/^it has been idle for/),
		);
		for (let second = 0; second < 31; second++) {
			await clock.advance(1_000);
			await soon(socket.roundTrip());
		}
		await t.asleep();
		expect(await soon(socket.call(0, "say", "hi"))).toMatchObject({ output: 1 });
		expect(await soon(local.call(0, "say", "hi"))).toMatchObject({ output: 1 });
	});

	it("waits for an actor whose wake fails at first", async () => {
		let failures = 0;
		const subject = actor({
			state: { n: 0 },
			onWake: (c) => {
				if (c.state.n > 0 && failures++ < 2) throw new Error("not yet");
			},
			actions: { add: (c) => ++c.state.n, nap: (c) => c.sleep() },
		});
		const clock = new FakeClock();
		await using runtime = await TestRuntime.start({ subject }, { clock });
		const id = await runtime.actorId("subject");
		await using socket = await WireSocket.connect(`${runtime.url}/gateway/${id}/connect`);
		await soon(socket.call(0, "add"));
		await soon(socket.call(1, "nap"));
		await eventually(() => expect(runtime.embedded.host.liveActorIds).toEqual([]));
		const answer = socket.call(2, "add");
		await eventually(() => expect(failures).toBeGreaterThan(0));
		// In small steps: a wake may take longer than the turns that one step waits, and there is a limit to them all.
		await eventually(async () => {
			await clock.advance(100);
			expect(failures).toBe(3);
		});
		expect(await soon(answer)).toMatchObject({ output: 2 });
	});

	it("answers at once what is not confirmed (confirmWrites: false), and outlives a sleep too", async () => {
		await using t = await hosted({ room: { confirmWrites: false } });
		await using socket = await t.connect();
		socket.subscribe("line");
		expect(await soon(socket.call(0, "say", "one"))).toMatchObject({ output: 1 });
		await t.nap();
		expect(await soon(socket.call(1, "say", "two"))).toMatchObject({ output: 2 });
	});
});

describe("W-CONN-7", () => {
	it("the state of a connection that is never stored follows the same rules", async () => {
		const subject = actor({
			connState: { n: 0 as unknown },
			actions: {
				poison: (c) => {
					c.conn.state.n = () => {};
				},
			},
		});
		await using runtime = await TestRuntime.start({ subject }, { exposeErrors: true });
		const id = await runtime.actorId("subject");
		const answer = await wireAction(runtime, id, "poison");
		expect(answer.error?.message).toContain("conn.state.n");
	});
});
