import { describe, expect, it } from "vitest";
import { actor } from "../../src/actor/definition.ts";
import { eventually } from "../support/eventually.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { Gate, soon } from "../support/gate.ts";
import { WrappedStore } from "../support/store-wrapper.ts";
import { TestRuntime } from "../support/test-runtime.ts";
import { codeOf, wireAction } from "../support/wire-http.ts";
import { WireSocket } from "../support/wire-socket.ts";

type Decide = boolean | ((request: Request) => boolean);

/** An actor that echoes, and says what its handler saw. */
function echo(canHibernateWebSocket: Decide, options: object = {}) {
	const seen: string[] = [];
	const held = new Gate();
	const subject = actor({
		state: { got: [] as string[] },
		options: { canHibernateWebSocket, ...options },
		createConnState: () => ({ count: 0 }),
		onConnect: (_c, conn) => {
			if (conn.kind === "raw-websocket") seen.push("onConnect");
		},
		onDisconnect: (_c, conn) => {
			if (conn.kind === "raw-websocket") seen.push(`onDisconnect after ${conn.state.count}`);
		},
		onWebSocket: (c, socket) => {
			const { pathname, search } = new URL(c.request!.url);
			seen.push(`onWebSocket ${pathname}${search} ${c.request!.headers.get("x-custom")}`);
			socket.addEventListener("open", () => void seen.push("open"));
			socket.addEventListener("close", (event) => {
				const { code, reason } = event as CloseEvent;
				seen.push(`close ${code} ${reason}`);
			});
			socket.addEventListener("message", async (event) => {
				const { data } = event as MessageEvent<string | ArrayBuffer>;
				const text = typeof data === "string" ? data : `${data.byteLength} bytes`;
				if (text === "wait") await held.passed;
				c.conn.state.count++;
				c.state.got.push(text);
				if (text === "leave") socket.close(4001, "enough");
				else socket.send(`${c.conn.isHibernatable} ${c.conn.state.count} ${text}`);
			});
		},
		actions: {
			got: (c) => c.state.got,
			add: (c) => void c.state.got.push("added"),
			nap: (c) => c.sleep(),
		},
	});
	return { subject, seen, held };
}

async function hosted(
	decide: Decide,
	options: Parameters<typeof TestRuntime.start>[1] & { actor?: object } = {},
) {
	const made = echo(decide, options.actor);
	const runtime = await TestRuntime.start({ subject: made.subject }, options);
	const id = await runtime.actorId("subject");
	const open = async (path = "/websocket/room?x=1") => {
		const url = `${runtime.url}/gateway/${id}${path}`;
		const socket = new WireSocket(url, { headers: { "x-custom": "custom" } });
		await socket.opened();
		return socket;
	};
	const nap = async () => {
		await wireAction(runtime, id, "nap");
		await eventually(() => expect(runtime.embedded.host.liveActorIds).toEqual([]));
		made.seen.length = 0;
	};
	return {
		...made,
		runtime,
		id,
		open,
		nap,
		[Symbol.asyncDispose]: () => runtime[Symbol.asyncDispose](),
	};
}

describe("L33, L40 a raw WebSocket that can hibernate", () => {
	it("outlives its incarnation: the handler runs again, without a second open; id and state go on", async () => {
		await using t = await hosted(true);
		await using socket = await t.open();
		socket.sendData("one");
		expect(await soon(socket.raw())).toBe("true 1 one");
		expect(t.seen.filter((what) => what === "open")).toHaveLength(1);
		await t.nap();
		for (let index = 2; index < 50; index++) socket.sendData(`message ${index}`);
		socket.sendData(new Uint8Array(3));
		for (let index = 2; index < 50; index++) {
			expect(await soon(socket.raw())).toBe(`true ${index} message ${index}`);
		}
		expect(await soon(socket.raw())).toBe("true 50 3 bytes");
		expect(t.seen).toEqual(["onWebSocket /websocket/room?x=1 custom"]);
	});

	it("hears of a message when the handlers of all sockets have run again, its own and the others'", async () => {
		const relay = actor({
			options: { canHibernateWebSocket: true },
			createVars: () => ({ sockets: new Set<{ send(data: string): void }>() }),
			onWebSocket: (c, socket) => {
				c.vars.sockets.add(socket);
				socket.addEventListener("message", (event) => {
					const { data } = event as MessageEvent<string>;
					for (const each of c.vars.sockets) each.send(data);
				});
			},
			actions: { nap: (c) => c.sleep() },
		});
		await using runtime = await TestRuntime.start({ relay });
		const id = await runtime.actorId("relay");
		const url = `${runtime.url}/gateway/${id}/websocket/`;
		await using first = new WireSocket(url);
		await using second = new WireSocket(url);
		await Promise.all([first.opened(), second.opened()]);
		for (const sender of [first, second]) {
			await wireAction(runtime, id, "nap");
			await eventually(() => expect(runtime.embedded.host.liveActorIds).toEqual([]));
			sender.sendData("hello");
			expect(await soon(first.raw())).toBe("hello");
			expect(await soon(second.raw())).toBe("hello");
		}
	});

	it("whose client leaves during the sleep gets its close event and onDisconnect, once", async () => {
		await using t = await hosted(true);
		await using socket = await t.open();
		socket.sendData("one");
		await soon(socket.raw());
		await t.nap();
		socket.sendData("last words");
		socket.ws.close(4002, "bye");
		await eventually(() => expect(t.seen).toHaveLength(3));
		expect(t.seen).toEqual([
			"onWebSocket /websocket/room?x=1 custom",
			"close 4002 bye",
			"onDisconnect after 2",
		]);
		expect((await wireAction(t.runtime, t.id, "got")).output).toEqual(["one", "last words"]);
		await t.nap();
		await wireAction(t.runtime, t.id, "got");
		expect(t.seen).toEqual([]);
	});

	it("can be closed by the actor that woke, with its own code", async () => {
		await using t = await hosted(true);
		await using socket = await t.open();
		await t.nap();
		socket.sendData("leave");
		expect(await soon(socket.closed)).toEqual({ code: 4001, reason: "enough" });
		await eventually(() => expect(t.seen.at(-1)).toBe("onDisconnect after 1"));
	});

	it("gives a message whose listener was not through to the next incarnation", async () => {
		const wrapped = new WrappedStore();
		await using t = await hosted(true, { store: wrapped.store });
		await using socket = await t.open();
		socket.sendData("one");
		await soon(socket.raw());
		socket.sendData("wait");
		await eventually(async () => {
			expect((await wireAction(t.runtime, t.id, "got")).output).toEqual(["one"]);
		});
		// Somebody takes the actor over: this incarnation is fenced off at its next write.
		await wrapped.inner.acquire(t.id);
		expect(codeOf(await wireAction(t.runtime, t.id, "add"))).toBe("actor.stopping");
		t.held.open();
		expect(await soon(socket.raw())).toBe("true 2 wait");
		expect((await wireAction(t.runtime, t.id, "got")).output).toEqual(["one", "wait"]);
	});

	it("waits with a message for an async listener when the actor goes to sleep", async () => {
		await using t = await hosted(true);
		await using socket = await t.open();
		socket.sendData("wait");
		socket.sendData("behind");
		await eventually(async () => {
			expect((await wireAction(t.runtime, t.id, "got")).output).toEqual(["behind"]);
		});
		await wireAction(t.runtime, t.id, "nap");
		t.held.open();
		expect(await soon(socket.raw())).toBe("true 1 behind");
		expect(await soon(socket.raw())).toBe("true 2 wait");
		await eventually(async () => {
			expect((await wireAction(t.runtime, t.id, "got")).output).toEqual(["behind", "wait"]);
		});
	});
});

describe("canHibernateWebSocket", () => {
	it("false: the socket closes with the incarnation, and isHibernatable says so", async () => {
		await using t = await hosted(false);
		await using socket = await t.open();
		socket.sendData("one");
		expect(await soon(socket.raw())).toBe("false 1 one");
		await wireAction(t.runtime, t.id, "nap");
		expect(await soon(socket.closed)).toEqual({ code: 1000, reason: "" });
		expect(t.seen).toContain("onDisconnect after 1");
	});

	it("a function decides once per upgrade, with the path the handler sees", async () => {
		const asked: string[] = [];
		await using t = await hosted((request) => {
			const { pathname, search } = new URL(request.url);
			asked.push(`${pathname}${search} ${request.headers.get("x-custom")}`);
			return pathname.endsWith("/long");
		});
		await using long = await t.open("/websocket/long?a=1");
		await using short = await t.open("/websocket/short");
		long.sendData("one");
		expect(await soon(long.raw())).toBe("true 1 one");
		short.sendData("one");
		expect(await soon(short.raw())).toBe("false 1 one");
		await t.nap();
		expect((await soon(short.closed)).code).toBe(1000);
		long.sendData("two");
		expect(await soon(long.raw())).toBe("true 2 two");
		expect(asked).toEqual(["/websocket/long?a=1 custom", "/websocket/short custom"]);
	});

	it.each([
		[
			"throws",
			() => {
				throw new Error("undecided");
			},
			"undecided",
		],
		["returns no boolean", (() => Promise.resolve(true)) as never, "must return true or false"],
	])("that %s closes the socket with 1011, and is logged", async (_how, decide, message) => {
		await using t = await hosted(decide);
		await using socket = await t.open();
		expect(await soon(socket.closed)).toEqual({ code: 1011, reason: "rivetkit.internal_error" });
		const [line] = t.runtime.log.filter(({ level }) => level === "error");
		expect(String(line?.fields.err)).toContain(message);
		expect(t.seen).toEqual([]);
	});
});

describe("W-CONN-2 liveness of raw sockets", () => {
	it.each([true, false])("a dead peer is closed with 1001 (hibernatable: %s)", async (decide) => {
		const clock = new FakeClock();
		const actor = { connectionLivenessInterval: 1_000, connectionLivenessTimeout: 400 };
		await using t = await hosted(decide, { clock, actor });
		const url = `${t.runtime.url}/gateway/${t.id}/websocket`;
		await using socket = new WireSocket(url, { autoPong: false });
		await socket.opened();
		await eventually(() => expect(t.seen).toHaveLength(3));
		await clock.advance(2_500);
		expect(await soon(socket.closed)).toEqual({
			code: 1001,
			reason: "connection.liveness_timeout",
		});
		await eventually(() => expect(t.seen.at(-1)).toBe("onDisconnect after 0"));
	});
});
