import { describe, expect, test, vi } from "vitest";
import { ActorConnDisposed, ActorError } from "../../src/client/errors.ts";
import {
	type Platform,
	runtimePlatform,
	type WebSocketConstructor,
} from "../../src/client/transport/http/platform.ts";
import { ManualClock } from "./support/manual-clock.ts";
import { ScriptedServer } from "./support/scripted-server.ts";
import { clientOf } from "./support/test-client.ts";

const bigint = (id: number) => ["$BigInt", String(id)];

async function setUp() {
	const server = await ScriptedServer.start();
	const { client, logged } = clientOf(server);
	const connection = client.room!.getOrCreate("k").connect();
	const statuses: string[] = [];
	connection.onStatusChange((status) => statuses.push(status));
	const errors: ActorError[] = [];
	connection.onError((error) => errors.push(error));
	return {
		server,
		client,
		logged,
		connection,
		statuses,
		errors,
		async [Symbol.asyncDispose]() {
			await client.dispose();
			await server.stop();
		},
	};
}

/** The platform as it is where a global is missing. */
function runtimeWithout(name: "WebSocket"): Platform {
	const platform = runtimePlatform();
	return {
		...platform,
		webSocket() {
			vi.stubGlobal(name, undefined);
			try {
				return platform.webSocket();
			} finally {
				vi.unstubAllGlobals();
			}
		},
	};
}

/** For calls whose outcome is not what the test is about. */
function ignored(call: Promise<unknown>): void {
	call.catch(() => {});
}

function deferred<T>() {
	let resolve!: (value: T) => void;
	const promise = new Promise<T>((settle) => {
		resolve = settle;
	});
	return { promise, resolve };
}

/** Resolves when the connection reports this status. */
function statusOf(
	connection: {
		connStatus: string;
		onStatusChange(callback: (status: string) => void): () => void;
	},
	wanted: string,
): Promise<void> {
	if (connection.connStatus === wanted) return Promise.resolve();
	return new Promise((resolve) => {
		const stop = connection.onStatusChange((status) => {
			if (status !== wanted) return;
			stop();
			resolve();
		});
	});
}

describe("connection", () => {
	test("is connecting at once and connected from Init on", async () => {
		await using scene = await setUp();
		const { server, connection, statuses } = scene;
		expect(connection.connStatus).toBe("connecting");
		const opened = new Promise<void>((resolve) => connection.onOpen(resolve));
		const socket = await server.sockets.next();
		expect(connection.connStatus).toBe("connecting");
		socket.init("conn-7", "actor-9");
		await opened;
		expect(connection.isConnected).toBe(true);
		expect(connection.actorId).toBe("actor-9");
		expect(connection.connId).toBe("conn-7");
		expect(connection.connectionId).toBe("conn-7");
		expect(statuses).toEqual(["connected"]);
	});

	test("offers rivet first, then the encoding, and no session to a peer without call ids", async () => {
		await using scene = await setUp();
		const socket = await scene.server.sockets.next();
		expect(socket.protocols).toEqual(["rivet", "rivet_encoding.json"]);
		expect(socket.path).toBe("/gateway/actor-1/connect");
	});

	test("queues calls until it is open, and matches answers by id, in any order", async () => {
		await using scene = await setUp();
		const { server, connection } = scene;
		const first = connection.one("a");
		const second = connection.two();
		const socket = await server.sockets.next();
		socket.init();
		expect((await socket.frames.next()).body.val).toEqual({
			id: bigint(0),
			name: "one",
			args: ["a"],
		});
		expect((await socket.frames.next()).body.val).toEqual({ id: bigint(1), name: "two", args: [] });
		socket.answer(bigint(1), "second").answer(bigint(0), "first");
		expect(await Promise.all([first, second])).toEqual(["first", "second"]);
	});

	test("a call that cannot be one is refused alone, and is not sent", async () => {
		await using scene = await setUp();
		const { connection } = scene;
		(await scene.server.sockets.next()).init();
		await statusOf(connection, "connected");
		for (const call of [{ name: "add" }, { name: "add", args: "x" }]) {
			await expect(connection.action(call as never)).rejects.toMatchObject({
				group: "message",
				code: "malformed",
			});
		}
		expect([scene.errors, connection.connStatus]).toEqual([[], "connected"]);
	});

	test("treats a missing output as undefined", async () => {
		await using scene = await setUp();
		const call = scene.connection.nothing();
		const socket = await scene.server.sockets.next();
		socket.init();
		await socket.frames.next();
		socket.frame("ActionResponse", { id: bigint(0) });
		expect(await call).toBeUndefined();
	});

	test("an error for action 0 rejects that action only and reaches no error handler", async () => {
		await using scene = await setUp();
		const { server, connection, errors } = scene;
		const failing = connection.failing();
		const working = connection.working();
		const socket = await server.sockets.next();
		socket.init();
		await socket.frames.next();
		await socket.frames.next();
		socket.fail(bigint(0), "user", "no", "not today").answer(bigint(1), "yes");
		await expect(failing).rejects.toMatchObject({
			name: "ActorError",
			group: "user",
			code: "no",
			message: "not today",
			metadata: undefined,
		});
		expect(await working).toBe("yes");
		expect(errors).toEqual([]);
	});

	test("a connection-level error rejects all in-flight actions and calls the error handler", async () => {
		await using scene = await setUp();
		const { server, connection, errors } = scene;
		const calls = [connection.one(), connection.two()];
		const socket = await server.sockets.next();
		socket.init();
		await socket.frames.next();
		await socket.frames.next();
		socket.fail(null, "some", "trouble");
		for (const call of calls) {
			await expect(call).rejects.toMatchObject({ group: "some", code: "trouble" });
		}
		expect(errors).toMatchObject([{ group: "some", code: "trouble" }]);
		expect(connection.connStatus).toBe("connected");
	});

	test("a refused subscription reaches the error handler and disturbs no call", async () => {
		await using scene = await setUp();
		const { server, connection, errors } = scene;
		connection.on("secret", () => {});
		const call = connection.slow();
		const socket = await server.sockets.next();
		socket.init();
		await socket.frames.next();
		await socket.frames.next();
		socket.fail(null, "auth", "forbidden").answer(bigint(0), "still here");
		expect(await call).toBe("still here");
		expect(errors).toMatchObject([{ group: "auth", code: "forbidden" }]);
	});

	test("delivers events to listeners, once to one-shot listeners, and ignores others", async () => {
		await using scene = await setUp();
		const { server, connection } = scene;
		const heard: unknown[] = [];
		const off = connection.on("tick", (...args) => heard.push(["on", ...args]));
		connection.once("tick", (...args) => heard.push(["once", ...args]));
		const socket = await server.sockets.next();
		socket.init();
		expect((await socket.frames.next()).body).toEqual({
			tag: "SubscriptionRequest",
			val: { eventName: "tick", subscribe: true },
		});
		socket.event("tick", 1, "a").event("tick").event("nobody", 1);
		const ping = connection.ping();
		const request = await socket.frames.next();
		socket.answer(request.body.val.id, null);
		await ping;
		expect(heard).toEqual([["on", 1, "a"], ["once", 1, "a"], ["on"]]);
		off();
		expect((await socket.frames.next()).body.val).toEqual({ eventName: "tick", subscribe: false });
	});

	test("a throwing listener or callback is logged and harms nothing", async () => {
		await using scene = await setUp();
		const { server, connection, logged } = scene;
		connection.onOpen(() => {
			throw new Error("in onOpen");
		});
		connection.on("tick", () => {
			throw new Error("in listener");
		});
		const socket = await server.sockets.next();
		socket.init();
		await socket.frames.next();
		socket.event("tick");
		const ping = connection.ping();
		await socket.frames.next();
		socket.answer(bigint(0), "pong");
		expect(await ping).toBe("pong");
		expect(logged).toEqual([
			"a callback of a connection threw",
			'a listener of event "tick" threw',
		]);
	});

	test("a structured close rejects calls with its error and tells the error handler", async () => {
		await using scene = await setUp();
		const { server, connection, errors } = scene;
		const call = connection.slow();
		const socket = await server.sockets.next();
		socket.init();
		await socket.frames.next();
		socket.close(1011, "guard.actor_gone#ray-1");
		await expect(call).rejects.toMatchObject({
			name: "ActorError",
			group: "guard",
			code: "actor_gone",
			message: "Connection closed: guard.actor_gone#ray-1",
		});
		expect(errors).toMatchObject([{ group: "guard", code: "actor_gone" }]);
	});

	test.each([
		["params", { params: 5n }, /connection params are not JSON/],
		["an input", { createWithInput: () => 1 }, /functions cannot be encoded/],
	])("with %s that cannot travel is given up at once", async (_what, options, message) => {
		await using server = await ScriptedServer.start();
		const { client } = clientOf(server);
		const connection = client.room!.getOrCreate("k", options).connect();
		const told = new Promise<ActorError>((resolve) => connection.onError(resolve));
		await expect(connection.act()).rejects.toThrow(message);
		expect(await told).toBeInstanceOf(ActorError);
		expect(connection.connStatus).toBe("disconnected");
		await expect(connection.act()).rejects.toThrow(message);
		await client.dispose();
	});

	test("in a runtime without WebSockets says so at once", async () => {
		await using server = await ScriptedServer.start();
		const { client } = clientOf(
			server,
			{},
			{ webSocket: () => runtimeWithout("WebSocket").webSocket() },
		);
		const connection = client.room!.getOrCreate("k").connect();
		await expect(connection.act()).rejects.toThrow(
			"RivetKit needs a global WebSocket: Node 22.13 or newer",
		);
		expect(connection.connStatus).toBe("disconnected");
		await client.dispose();
	});

	test("an unstructured close rejects calls with a plain error and calls no error handler", async () => {
		await using scene = await setUp();
		const { server, connection, errors } = scene;
		const call = connection.slow();
		const socket = await server.sockets.next();
		socket.init();
		await socket.frames.next();
		socket.close(1000, "good bye");
		await expect(call).rejects.toThrow("Connection closed (code: 1000, reason: good bye)");
		expect(errors).toEqual([]);
	});

	test("a cut connection rejects calls with a plain error", async () => {
		await using scene = await setUp();
		const call = scene.connection.slow();
		const socket = await scene.server.sockets.next();
		socket.init();
		await socket.frames.next();
		socket.cut();
		await expect(call).rejects.toThrow("Connection lost (code: 1006, reason: )");
	});

	test("a close of code 1000 leads to a reconnect, with a new connection id", async () => {
		await using scene = await setUp();
		const { server, connection, statuses } = scene;
		let closed = 0;
		connection.onClose(() => closed++);
		(await server.sockets.next()).init("conn-1").close(1000);
		(await server.sockets.next()).init("conn-2");
		await expect.poll(() => connection.connId).toBe("conn-2");
		expect(closed).toBe(1);
		expect(statuses).toEqual(["connected", "disconnected", "connecting", "connected"]);
	});

	test("after a reconnect: open handlers, then subscriptions, then queued calls", async () => {
		await using scene = await setUp();
		const { server, connection } = scene;
		connection.on("tick", () => {});
		(await server.sockets.next()).init();
		await statusOf(connection, "connected");
		let openHandlerRan = false;
		const stop = connection.onOpen(() => {
			openHandlerRan = true;
			ignored(connection.fromOpenHandler());
		});
		const down = statusOf(connection, "disconnected");
		// Held back, so that calls are made while the connection is down.
		const release = deferred<undefined>();
		server.script = ({ path }) => (path === "/actors" ? release.promise : undefined);
		server.stopSockets();
		await down;
		ignored(connection.queued());
		connection.on("tock", () => {});
		release.resolve(undefined);
		const socket = await server.sockets.next();
		socket.init();
		const frames = [];
		for (let i = 0; i < 4; i++) frames.push((await socket.frames.next()).body);
		expect(frames.map(({ val }) => val.eventName ?? val.name)).toEqual([
			"tick",
			"tock",
			"queued",
			"fromOpenHandler",
		]);
		expect(openHandlerRan).toBe(true);
		stop();
	});

	test("a call in flight is rejected on a drop and not sent again", async () => {
		await using scene = await setUp();
		const { server, connection } = scene;
		const call = connection.once1();
		const first = await server.sockets.next();
		first.init();
		await first.frames.next();
		first.cut();
		await expect(call).rejects.toThrow("Connection lost");
		const second = await server.sockets.next();
		second.init();
		const later = connection.later();
		const frame = await second.frames.next();
		expect(frame.body.val).toEqual({ id: bigint(1), name: "later", args: [] });
		second.answer(bigint(1), null);
		await later;
	});

	test("a call that was rejected by a close before Init is not sent later", async () => {
		await using scene = await setUp();
		const { server, connection } = scene;
		const call = connection.early();
		(await server.sockets.next()).close(1001, "restarting");
		await expect(call).rejects.toThrow("restarting");
		const socket = await server.sockets.next();
		socket.init();
		const later = connection.later();
		expect((await socket.frames.next()).body.val.name).toBe("later");
		socket.answer(bigint(1), null);
		await later;
	});

	test("an Error frame before Init fails the attempt with the server's own words, once", async () => {
		await using scene = await setUp();
		const { server, connection, errors } = scene;
		const call = connection.call();
		const socket = await server.sockets.next();
		socket.fail(null, "user", "banned", "you are banned");
		socket.close(1011, "user.banned");
		await expect(call).rejects.toMatchObject({ code: "banned", message: "you are banned" });
		await statusOf(connection, "disconnected");
		expect(errors).toMatchObject([{ group: "user", code: "banned", message: "you are banned" }]);
		await expect(connection.again()).rejects.toMatchObject({ code: "banned" });
		expect(server.requestsTo("/actors")).toHaveLength(1);
	});

	test("a rejection for good that nobody listens to is logged", async () => {
		await using server = await ScriptedServer.start();
		const { client, logged } = clientOf(server);
		const connection = client.room!.get("k").connect();
		(await server.sockets.next()).close(1011, "auth.forbidden");
		await statusOf(connection, "disconnected");
		expect(logged).toEqual(['the connection to room ["k"] was refused for good']);
		await client.dispose();
	});

	test("a masked error before Init is tried again", async () => {
		await using scene = await setUp();
		const { server, connection, errors } = scene;
		(await server.sockets.next()).close(1011, "rivetkit.internal_error");
		(await server.sockets.next()).init();
		await statusOf(connection, "connected");
		expect(errors).toMatchObject([{ group: "rivetkit", code: "internal_error" }]);
	});

	test("a final close keeps the client away", async () => {
		await using scene = await setUp();
		const { server, connection } = scene;
		const call = connection.slow();
		const socket = await server.sockets.next();
		socket.init();
		await socket.frames.next();
		socket.close(4000, "go away");
		await expect(call).rejects.toThrow("Connection closed (code: 4000, reason: go away)");
		await statusOf(connection, "disconnected");
		await expect(connection.more()).rejects.toThrow("go away");
	});

	test("a lookup-only connection to a missing actor rejects its calls and stops", async () => {
		await using server = await ScriptedServer.start();
		server.script = ({ path }) => (path === "/actors" ? { body: { actors: [] } } : undefined);
		const { client } = clientOf(server);
		const connection = client.room!.get(["a", "b"]).connect();
		const errors: ActorError[] = [];
		connection.onError((error) => errors.push(error));
		await expect(connection.call()).rejects.toMatchObject({
			name: "ActorError",
			group: "actor",
			code: "not_found",
			message: 'Actor not found: room:["a","b"]',
		});
		await statusOf(connection, "disconnected");
		expect(errors).toMatchObject([{ code: "not_found" }]);
		expect(errors[0]).toBeInstanceOf(ActorError);
		await client.dispose();
	});

	test("an undecodable frame closes the socket, rejects its calls and reconnects", async () => {
		await using scene = await setUp();
		const { server, connection, errors } = scene;
		const call = connection.slow();
		const socket = await server.sockets.next();
		socket.init();
		await socket.frames.next();
		socket.text('{"body":{"tag":"Gibberish","val":{}}}');
		await expect(call).rejects.toMatchObject({ group: "message", code: "malformed" });
		expect(await socket.closed).toEqual({ code: 3000, reason: "message.malformed" });
		expect(errors).toMatchObject([{ group: "message", code: "malformed" }]);
		(await server.sockets.next()).init();
		await statusOf(connection, "connected");
	});

	test("arguments that cannot be encoded reject their call only", async () => {
		await using scene = await setUp();
		const { server, connection } = scene;
		const cyclic: { self?: unknown } = {};
		cyclic.self = cyclic;
		await expect(connection.bad(cyclic)).rejects.toBeInstanceOf(ActorError);
		const good = connection.good();
		const socket = await server.sockets.next();
		socket.init();
		await socket.frames.next();
		socket.answer(bigint(0), "fine");
		expect(await good).toBe("fine");
	});

	test("arguments are taken as they are at the time of the call", async () => {
		await using scene = await setUp();
		const value = { n: 1 };
		const call = scene.connection.set(value);
		value.n = 2;
		const socket = await scene.server.sockets.next();
		socket.init();
		expect((await socket.frames.next()).body.val.args).toEqual([{ n: 1 }]);
		socket.answer(bigint(0), null);
		await call;
	});

	test("an aborted call rejects with the signal's reason, and its answer is not missed", async () => {
		await using scene = await setUp();
		const { server, connection, logged } = scene;
		const abort = new AbortController();
		const call = connection.action({ name: "slow", args: [], signal: abort.signal });
		const socket = await server.sockets.next();
		socket.init();
		await socket.frames.next();
		abort.abort();
		await expect(call).rejects.toMatchObject({ name: "AbortError" });
		socket.answer(bigint(0), "late");
		const ping = connection.ping();
		await socket.frames.next();
		socket.answer(bigint(1), null);
		await ping;
		expect(logged).toEqual([]);
	});

	test("an answer to an unknown call is logged and ignored", async () => {
		await using scene = await setUp();
		const { server, connection, logged } = scene;
		const socket = await server.sockets.next();
		socket.init().answer(bigint(99), null);
		const ping = connection.ping();
		await socket.frames.next();
		socket.answer(bigint(0), null);
		await ping;
		expect(logged).toEqual(["an answer to call 99, which nobody waits for"]);
	});

	test("the handle's signal ends the connection for good with its reason", async () => {
		await using server = await ScriptedServer.start();
		const { client } = clientOf(server);
		const abort = new AbortController();
		const connection = client.room!.getOrCreate("k", { signal: abort.signal }).connect();
		const call = connection.slow();
		const socket = await server.sockets.next();
		socket.init();
		await socket.frames.next();
		abort.abort(new Error("shutting down"));
		await expect(call).rejects.toThrow("shutting down");
		expect(connection.connStatus).toBe("disconnected");
		expect((await socket.closed).code).toBe(1000);
		await client.dispose();
	});
});

describe("dispose of a connection", () => {
	test("closes with 1000 Disposed, rejects calls, and resolves when the socket is closed", async () => {
		await using scene = await setUp();
		const { server, connection } = scene;
		let closed = 0;
		connection.onClose(() => closed++);
		const call = connection.slow();
		const socket = await server.sockets.next();
		socket.init();
		await socket.frames.next();
		const disposal = connection.dispose();
		expect(connection.connStatus).toBe("idle");
		await expect(call).rejects.toBeInstanceOf(ActorConnDisposed);
		await disposal;
		expect(await socket.closed).toEqual({ code: 1000, reason: "Disposed" });
		expect(closed).toBe(1);
		expect(connection.dispose()).toBe(disposal);
	});

	test("every later use fails with ActorConnDisposed", async () => {
		await using scene = await setUp();
		const { connection } = scene;
		await connection.dispose();
		await expect(connection.act()).rejects.toBeInstanceOf(ActorConnDisposed);
		await expect(connection.send("queue", 1)).rejects.toBeInstanceOf(ActorConnDisposed);
		expect(() => connection.on("tick", () => {})).toThrow(ActorConnDisposed);
		expect(() => connection.once("tick", () => {})).toThrow(ActorConnDisposed);
	});

	test("between the socket's opening and Init it still closes the socket", async () => {
		await using server = await ScriptedServer.start();
		const opened = deferred<void>();
		class ObservedWebSocket extends WebSocket {
			constructor(url: string, protocols: string[]) {
				super(url, protocols);
				this.addEventListener("open", () => opened.resolve());
			}
		}
		const { client } = clientOf(
			server,
			{},
			{ webSocket: () => ObservedWebSocket as unknown as WebSocketConstructor },
		);
		const connection = client.room!.getOrCreate("k").connect();
		await opened.promise;
		await connection.dispose();
		const socket = await server.sockets.next();
		expect(await socket.closed).toEqual({ code: 1000, reason: "Disposed" });
		await client.dispose();
	});

	test("during the look-up no socket is opened any more", async () => {
		await using server = await ScriptedServer.start();
		const asked = deferred<void>();
		const release = deferred<undefined>();
		server.script = ({ path }) => {
			if (path !== "/actors") return undefined;
			asked.resolve();
			return release.promise;
		};
		const { client } = clientOf(server);
		const connection = client.room!.getOrCreate("k").connect();
		await asked.promise;
		await connection.dispose();
		release.resolve(undefined);
		await client.dispose();
		expect(server.sockets.waiting).toEqual([]);
	});

	test("in an open handler it sends nothing and closes", async () => {
		await using scene = await setUp();
		const { server, connection } = scene;
		connection.on("tick", () => {});
		connection.onOpen(() => void connection.dispose());
		const socket = await server.sockets.next();
		socket.init();
		expect((await socket.closed).reason).toBe("Disposed");
		expect(socket.frames.waiting).toEqual([]);
	});

	test("the client's dispose closes all connections; a second one only warns", async () => {
		await using server = await ScriptedServer.start();
		const { client, logged } = clientOf(server);
		const first = client.room!.getOrCreate("a").connect();
		const second = client.room!.getOrCreate("b").connect();
		const sockets = [await server.sockets.next(), await server.sockets.next()];
		for (const socket of sockets) socket.init();
		await Promise.all([statusOf(first, "connected"), statusOf(second, "connected")]);
		await client.dispose();
		await client.dispose();
		for (const socket of sockets) expect((await socket.closed).reason).toBe("Disposed");
		expect([first.connStatus, second.connStatus]).toEqual(["idle", "idle"]);
		expect(logged).toEqual(["the client was disposed before"]);
	});

	test("a connection of a client that was disposed is, too, and opens nothing", async () => {
		await using server = await ScriptedServer.start();
		const { client } = clientOf(server);
		const handle = client.room!.getOrCreate("a");
		await handle.resolve();
		await client.dispose();
		const connection = handle.connect();
		expect(connection.connStatus).toBe("idle");
		await expect(connection.act()).rejects.toBeInstanceOf(ActorConnDisposed);
		const known = server.requests.length;
		await new Promise((resolve) => setImmediate(resolve));
		expect(server.requests.slice(known)).toEqual([]);
		expect(server.sockets.waiting).toEqual([]);
	});

	test("no timer runs while a connection is open and idle, nor after it is disposed", async () => {
		await using server = await ScriptedServer.start();
		const clock = new ManualClock();
		const { client } = clientOf(server, {}, { clock, backgroundClock: clock });
		const connection = client.room!.getOrCreate("k").connect();
		(await server.sockets.next()).init();
		await statusOf(connection, "connected");
		expect(clock.runningDelays).toEqual([]);
		await connection.dispose();
		expect(clock.runningDelays).toEqual([]);
		await client.dispose();
	});
});
