import type { ToClient } from "@rivetkit/protocol";
import { describe, expect, it } from "vitest";
import { actor } from "../../src/actor/definition.ts";
import { event } from "../../src/actor/tokens.ts";
import { BareHost } from "../support/bare-host.ts";
import { eventually } from "../support/eventually.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { Gate, soon } from "../support/gate.ts";
import { ScriptedSocket } from "../support/scripted-socket.ts";
import { TestRuntime } from "../support/test-runtime.ts";
import { wireAction } from "../support/wire-http.ts";
import { WireSocket, type WireSocketOptions } from "../support/wire-socket.ts";

/** An actor that speaks when it is told to. */
function speaker(options: object = {}) {
	const hooks: string[] = [];
	const allowed = { secret: true };
	/** Clients whose params are `slow` are let in when `passed` has settled. */
	const door = { passed: Promise.resolve(), knocks: 0 };
	const subject = actor({
		state: { n: 0 },
		options: { connectionLivenessInterval: 600_000, ...options },
		events: {
			news: event<number | string>(),
			other: event<number>(),
			secret: event<number>({ canSubscribe: () => allowed.secret }),
		},
		onBeforeConnect: async (_c, params) => {
			if (params !== "slow") return;
			door.knocks++;
			await door.passed;
		},
		onConnect: (_c, { kind }) => {
			if (kind === "websocket") hooks.push("onConnect");
		},
		onDisconnect: (_c, { kind }) => {
			if (kind === "websocket") hooks.push("onDisconnect");
		},
		onSleep: (c) => c.broadcast("news", "asleep"),
		actions: {
			say: (c, ...what: (number | string)[]) => {
				for (const one of what) c.broadcast("news", one);
			},
			whisper: (c, one: number) => {
				for (const conn of c.conns.values()) {
					if (conn.kind === "websocket") conn.send("other", one);
				}
			},
			tell: (c, one: number) => c.broadcast("secret", one),
			large: (c, size: number) => c.broadcast("news", "x".repeat(size)),
			subscriptions: (c) => [...c.conn.subscriptions],
			ping: () => "pong",
			nap: (c) => c.sleep(),
		},
	});
	return { subject, hooks, allowed, door };
}

/** One client over its sockets, which counts frames as ours does. */
class ComingBack {
	readonly #url: string;
	readonly #options: WireSocketOptions;
	readonly session: string;
	socket!: WireSocket;
	connectionId: string | null = null;
	received = 0;

	constructor(url: string, options: WireSocketOptions = {}, session: string = crypto.randomUUID()) {
		this.#url = url;
		this.#options = options;
		this.session = session;
	}

	/** Opens a socket where the last one broke. Resolves with Init read. */
	async open(resume = this.connectionId ? `${this.connectionId}.${this.received}` : "new") {
		this.socket = new WireSocket(this.#url, { ...this.#options, session: this.session, resume });
		const init = await soon(this.socket.expect("Init"));
		this.received = 1;
		this.connectionId = init.connectionId;
	}

	async next(): Promise<ToClient> {
		const frame = await soon(this.socket.next());
		this.received++;
		return frame;
	}

	/** The next event's arguments, with its name when that is not `news`. */
	async event(): Promise<unknown> {
		const frame = await this.next();
		if (frame.tag !== "Event") throw new Error(`expected an event, got ${JSON.stringify(frame)}`);
		return frame.name === "news" ? frame.args[0] : [frame.name, ...frame.args];
	}

	async subscribe(...names: string[]): Promise<void> {
		for (const name of names) this.socket.subscribe(name);
		this.socket.act(0, "ping");
		expect(await this.next()).toMatchObject({ output: "pong" });
	}

	/** The network takes the socket away; what is unread never came. */
	async break(): Promise<void> {
		this.socket.ws.terminate();
		await this.socket.closed;
	}
}

const RESYNC = ["$rivet.resync"];

async function hosted(options: Parameters<typeof TestRuntime.start>[1] & { actor?: object } = {}) {
	const made = speaker(options.actor);
	const runtime = await TestRuntime.start({ subject: made.subject }, options);
	const id = await runtime.actorId("subject");
	const say = (...what: unknown[]) => wireAction(runtime, id, "say", what);
	const client = (more?: WireSocketOptions, session?: string) =>
		new ComingBack(`${runtime.url}/gateway/${id}/connect`, more, session);
	const left = (count: number) =>
		eventually(() =>
			expect(made.hooks.filter((hook) => hook === "onDisconnect")).toHaveLength(count),
		);
	return {
		...made,
		runtime,
		id,
		say,
		client,
		left,
		[Symbol.asyncDispose]: () => runtime[Symbol.asyncDispose](),
	};
}

describe("a client that lost its socket and comes back", () => {
	it.each(["bare", "cbor", "json"] as const)(
		"gets what it missed, in order and before what is newer (%s)",
		async (encoding) => {
			await using t = await hosted();
			const client = t.client({ encoding });
			await client.open();
			await client.subscribe("news", "other");
			await t.say(1, 2, 3);
			expect([await client.event(), await client.event()]).toEqual([1, 2]);
			// The third was under way when the socket broke.
			await client.break();
			await t.left(1);
			await t.say(4);
			await t.say(5);
			await client.open();
			await t.say(6);
			expect([await client.event(), await client.event(), await client.event()]).toEqual([3, 4, 5]);
			expect(await client.event()).toBe(6);
			// Its subscriptions went on all the while.
			client.socket.act(1, "subscriptions");
			expect(await client.next()).toMatchObject({ output: ["news", "other"] });
			expect(t.hooks).toEqual(["onConnect", "onDisconnect", "onConnect"]);
			client.socket.ws.terminate();
		},
	);

	it("gets also what only it was sent, once", async () => {
		await using t = await hosted();
		const client = t.client();
		await client.open();
		await client.subscribe("news");
		await wireAction(t.runtime, t.id, "whisper", [1]);
		await t.say(2);
		await client.break();
		await t.left(1);
		await client.open();
		expect([await client.event(), await client.event()]).toEqual([["other", 1], 2]);
		await t.say(3);
		expect(await client.event()).toBe(3);
		client.socket.ws.terminate();
	});

	it("may come back a second time when it did not get that far", async () => {
		await using t = await hosted();
		const client = t.client();
		await client.open();
		await client.subscribe("news");
		await client.break();
		await t.left(1);
		await t.say(1);
		const { connectionId, received } = client;
		await client.open();
		await client.break();
		await t.left(2);
		await t.say(2);
		// It has never seen the Init of the second socket.
		await client.open(`${connectionId}.${received}`);
		expect([await client.event(), await client.event()]).toEqual([1, 2]);
		await t.say(3);
		expect(await client.event()).toBe(3);
		client.socket.ws.terminate();
	});

	it("may lose the socket in the middle of what it missed", async () => {
		await using t = await hosted();
		const client = t.client();
		await client.open();
		await client.subscribe("news");
		await client.break();
		await t.left(1);
		await t.say(1, 2, 3);
		await client.open();
		client.socket.subscribe("news");
		expect(await client.event()).toBe(1);
		await client.break();
		await t.left(2);
		await t.say(4);
		await client.open();
		for (const expected of [2, 3, 4]) expect(await client.event()).toBe(expected);
		client.socket.ws.terminate();
	});

	it("before the server noticed takes the place of the old socket, whose onDisconnect runs first", async () => {
		await using t = await hosted();
		const client = t.client();
		await client.open();
		await client.subscribe("news");
		const { socket } = client;
		socket.ws.pause();
		await t.say(1);
		await client.open();
		expect(t.hooks).toEqual(["onConnect", "onDisconnect", "onConnect"]);
		expect(await client.event()).toBe(1);
		socket.ws.resume();
		expect(await soon(socket.closed)).toEqual({ code: 1000, reason: "connection.superseded" });
		client.socket.ws.terminate();
	});

	it("to an actor that slept in between goes on, when it missed nothing", async () => {
		await using t = await hosted();
		const client = t.client();
		await client.open();
		await client.subscribe("news");
		await t.say(1);
		expect(await client.event()).toBe(1);
		await wireAction(t.runtime, t.id, "nap");
		expect(await client.event()).toBe("asleep");
		await eventually(() => expect(t.runtime.embedded.host.liveActorIds).toEqual([]));
		await client.break();
		await client.open();
		await t.say(2);
		expect(await client.event()).toBe(2);
		client.socket.ws.terminate();
	});

	it("to an actor that slept in between is told, when it missed something", async () => {
		await using t = await hosted();
		const client = t.client();
		await client.open();
		await client.subscribe("news");
		client.socket.ws.pause();
		await wireAction(t.runtime, t.id, "nap");
		await eventually(() => expect(t.runtime.embedded.host.liveActorIds).toEqual([]));
		client.socket.ws.terminate();
		await client.open();
		expect(await client.event()).toEqual(RESYNC);
		await client.subscribe("news");
		await t.say(2);
		expect(await client.event()).toBe(2);
		client.socket.ws.terminate();
	});
});

describe("a client that cannot have what it missed is told so, before anything newer", () => {
	async function away(options: Parameters<typeof hosted>[0] = {}) {
		const t = await hosted(options);
		const client = t.client();
		await client.open();
		await client.subscribe("news");
		await client.break();
		await t.left(1);
		return Object.assign(t, { away: client });
	}

	const isTold = async (t: Awaited<ReturnType<typeof hosted>>, client: ComingBack) => {
		await client.open();
		expect(await client.event()).toEqual(RESYNC);
		await client.subscribe("news");
		await t.say("newer");
		expect(await client.event()).toBe("newer");
		client.socket.ws.terminate();
	};

	it("after options.resumeWindow, when nothing is kept for it any more", async () => {
		const clock = new FakeClock();
		await using t = await away({ clock, actor: { resumeWindow: 5_000 } });
		const armed = clock.armed;
		await clock.advance(4_900);
		await t.say(1);
		await clock.advance(200);
		expect(clock.armed).toBeLessThanOrEqual(armed);
		await isTold(t, t.away);
	});

	it("after more events than options.maxResumeEvents", async () => {
		const actor = { maxResumeEvents: 3 };
		{
			await using enough = await away({ actor });
			await enough.say(1, 2, 3);
			await enough.away.open();
			for (const expected of [1, 2, 3]) expect(await enough.away.event()).toBe(expected);
			enough.away.socket.ws.terminate();
		}
		await using t = await away({ actor });
		await t.say(1, 2, 3);
		await t.say(4);
		await isTold(t, t.away);
	});

	it("after more bytes than options.maxResumeBytes", async () => {
		await using t = await away({ actor: { maxResumeBytes: 10_000 } });
		await wireAction(t.runtime, t.id, "large", [6_000]);
		await wireAction(t.runtime, t.id, "large", [6_000]);
		await isTold(t, t.away);
	});

	describe("when the old connection is given up while it is let in on the new one:", () => {
		/** `meanwhile` runs between the client's coming back and its being let in. */
		async function slowly(
			t: Awaited<ReturnType<typeof hosted>>,
			client: ComingBack,
			meanwhile: () => Promise<void>,
		) {
			const door = new Gate();
			t.door.passed = door.passed;
			const { knocks } = t.door;
			const back = client.open();
			await eventually(() => expect(t.door.knocks).toBe(knocks + 1));
			await meanwhile();
			door.open();
			await back;
			expect(await client.event()).toEqual(RESYNC);
			await client.subscribe("news");
			await t.say("newer");
			expect(await client.event()).toBe("newer");
			client.socket.ws.terminate();
		}

		it("options.resumeWindow is over", async () => {
			const clock = new FakeClock();
			await using t = await hosted({ clock, actor: { resumeWindow: 3_000 } });
			const client = t.client({ connParams: "slow" });
			await client.open();
			await client.subscribe("news");
			await client.break();
			await t.left(1);
			await clock.advance(2_900);
			await t.say(1);
			await slowly(t, client, async () => {
				await clock.advance(200);
				await t.say(2);
			});
		});

		it("there are more than options.maxResumeEvents, those it has and did not confirm included", async () => {
			await using t = await hosted({ actor: { maxResumeEvents: 3 } });
			const client = t.client({ connParams: "slow" });
			await client.open();
			await client.subscribe("news");
			await t.say(1, 2, 3);
			for (const expected of [1, 2, 3]) expect(await client.event()).toBe(expected);
			// The server has not noticed that its socket is dead.
			await slowly(t, client, async () => {
				await t.left(1);
				await t.say(4);
				await t.say(5);
			});
		});
	});

	it("after a restart of the server", async () => {
		const clock = new FakeClock();
		const first = await hosted({ clock });
		const client = first.client();
		await client.open();
		await client.subscribe("news");
		await first.runtime.embedded.close();
		await using t = await hosted({ clock });
		const next = t.client({}, client.session);
		next.connectionId = client.connectionId;
		next.received = client.received;
		await isTold(t, next);
	});

	it("with another session: connection ids are no secret", async () => {
		await using t = await away();
		await t.say("not for others");
		const thief = t.client();
		thief.connectionId = t.away.connectionId;
		thief.received = 1;
		await isTold(t, thief);
		await t.away.open();
		expect(await t.away.event()).toBe("not for others");
		t.away.socket.ws.terminate();
	});

	it("with another encoding", async () => {
		await using t = await away();
		const other = t.client({ encoding: "bare" }, t.away.session);
		other.connectionId = t.away.connectionId;
		other.received = t.away.received;
		await isTold(t, other);
	});

	it("when a guard does not let it have an event any more", async () => {
		await using t = await hosted();
		const client = t.client();
		await client.open();
		await client.subscribe("news", "secret");
		await client.break();
		await t.left(1);
		t.allowed.secret = false;
		await wireAction(t.runtime, t.id, "tell", [1]);
		await client.open();
		expect(await client.event()).toEqual(RESYNC);
		client.socket.act(1, "subscriptions");
		expect(await client.next()).toMatchObject({ output: [] });
		client.socket.ws.terminate();
	});

	it("when the actor asked it to leave", async () => {
		const subject = actor({
			events: { news: event<number>() },
			actions: { kick: (c) => c.conn.disconnect("kicked"), ping: () => "pong" },
		});
		await using runtime = await TestRuntime.start({ subject });
		const id = await runtime.actorId("subject");
		const client = new ComingBack(`${runtime.url}/gateway/${id}/connect`);
		await client.open();
		await client.subscribe("news");
		client.socket.act(1, "kick");
		await soon(client.socket.closed);
		await client.open();
		expect(await client.event()).toEqual(RESYNC);
		client.socket.ws.terminate();
	});

	it("when its host was lost, though its socket was not", async () => {
		const host = new BareHost(speaker().subject);
		await host.start();
		const peers = ["resumes", "published"].map((id) => new ScriptedSocket(id, true));
		await host.open(peers[0]!, "/connect", "session", "new");
		await host.open(peers[1]!);
		const next = peers.map((peer) => peer.next());
		next[0]!.isInterrupted = true;
		next[1]!.isInterrupted = true;
		await host.start(next);
		expect(next.map(({ sent }) => sent)).toEqual([
			[{ tag: "Event", name: "$rivet.resync", args: [] }],
			[],
		]);
		const again = next.map((peer) => peer.next());
		await host.stop();
		await host.start(again);
		expect(again.flatMap(({ sent }) => sent)).toEqual([]);
	});
});

describe("a client that does not count its frames", () => {
	it("is kept nothing for, and told nothing", async () => {
		await using t = await hosted();
		const url = `${t.runtime.url}/gateway/${t.id}/connect`;
		const published = await WireSocket.connect(url, { session: "s" });
		published.subscribe("news");
		await soon(published.call(0, "ping"));
		published.ws.terminate();
		await t.left(1);
		await t.say(1);
		const connectionId = crypto.randomUUID();
		await using back = await WireSocket.connect(url, { session: "s" });
		expect(await soon(back.call(1, "subscriptions"))).toMatchObject({ output: [] });
		expect(back.unread).toEqual([]);
		// One that says where it was but has no session is no better off.
		await using odd = await WireSocket.connect(url, { resume: `${connectionId}.1` });
		expect(await soon(odd.expect("Event"))).toMatchObject({ name: "$rivet.resync" });
	});

	it("or that has said goodbye is kept nothing for", async () => {
		await using t = await hosted();
		const client = t.client();
		await client.open();
		await client.subscribe("news");
		client.socket.ws.close(1000, "Disposed");
		await t.left(1);
		await t.say(1);
		await client.open();
		expect(await client.event()).toEqual(RESYNC);
		client.socket.ws.terminate();
	});
});

describe("what a client has confirmed", () => {
	it("by answering a ping is not kept any longer", async () => {
		const clock = new FakeClock();
		const gate = new Gate();
		await using t = await hosted({ clock, actor: { connectionLivenessInterval: 1_000 } });
		const client = t.client();
		await client.open();
		await client.subscribe("news");
		await t.say(1, 2);
		expect([await client.event(), await client.event()]).toEqual([1, 2]);
		client.socket.ws.once("ping", () => gate.open());
		await clock.advance(1_020);
		await soon(gate.passed);
		await soon(client.socket.roundTrip());
		await t.say(3);
		const { received } = client;
		await client.break();
		await t.left(1);
		// One that claims to have less than it has confirmed is told that it missed something.
		await client.open(`${client.connectionId}.${received - 1}`);
		expect(await client.event()).toEqual(RESYNC);
		client.socket.ws.terminate();
	});
});
