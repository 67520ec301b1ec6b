import type {
	ActorRequest,
	ActorSocket,
	ActorSocketHandler,
	ActorUpgrade,
} from "@rivetkit/protocol";
import type { RunnerToClient } from "@rivetkit/protocol/runner";
import { afterEach, expect, it, vi } from "vitest";
import { WebSocket } from "ws";
import { createEngine, type Engine, type EngineStats, type RunnerLimits } from "../../src/index.ts";
import { createMemoryStore } from "../../src/store/memory/memory-store.ts";
import { until } from "../helpers/until.ts";
import { RUNS, runnersHost } from "./runners-host.fixture.ts";
import { ScriptedRunner } from "./scripted-runner.ts";

/** Calls and messages for a runner whose socket is away for a while (engine 4.4). */

let engine: Engine;
let stats: () => EngineStats;
let url: string;
const runners: ScriptedRunner[] = [];

async function serve(limits: Partial<RunnerLimits> = {}): Promise<void> {
	engine = createEngine({
		store: createMemoryStore(),
		version: "test",
		logger: { debug() {}, info() {}, warn() {}, error() {} },
	});
	stats = engine.attachRunners({
		pingIntervalMs: 50,
		runnerLostThresholdMs: 5_000,
		actorStopThresholdMs: 500,
		...limits,
	});
	({ url } = await engine.listen({ port: 0 }));
}

afterEach(async () => {
	// Its actors stop as they are told to.
	await engine.close();
	for (const runner of runners.splice(0)) await runner.close();
});

async function connect(key = "key"): Promise<ScriptedRunner> {
	const runner = await ScriptedRunner.connect(url, { token: null, key, stopsAtOnce: true });
	runners.push(runner);
	await until(() => expect(runner.init).toBeDefined());
	return runner;
}

/** An actor on a runner. */
async function placed() {
	const runner = await connect();
	const { actor } = await engine.resolve({
		kind: "getOrCreate",
		name: "any",
		key: ["a"],
		input: null,
	});
	return { runner, actorId: actor.actorId };
}

/** The runner's socket breaks, and the engine has noticed. */
async function leaves(runner: ScriptedRunner): Promise<void> {
	await runner.close();
	await until(() => expect(stats()).toMatchObject({ connected: 0, disconnected: 1 }));
}

const call = (actorId: string, path: string, init: RequestInit = {}) =>
	fetch(`${url}/gateway/${actorId}${path}`, init);

/** What came over the tunnel, in words. */
const heard = (runner: ScriptedRunner) =>
	runner.tunnel.map(({ messageKind }) => {
		switch (messageKind.tag) {
			case "ToClientRequestStart":
				return `${messageKind.val.method} ${messageKind.val.path}`;
			case "ToClientWebSocketMessage":
				return String(Buffer.from(messageKind.val.data));
			case "ToClientWebSocketClose":
				return `close ${messageKind.val.reason}`;
			default:
				return messageKind.tag;
		}
	});

const waiting = (count: number) => until(() => expect(stats().tunnelBacklogBytes).toBe(count));
const someWaits = () => until(() => expect(stats().tunnelBacklogBytes).toBeGreaterThan(0));

const answerAll = (runner: ScriptedRunner) => {
	for (const message of runner.tunnel) {
		if (message.messageKind.tag !== "ToClientRequestStart") continue;
		const val = { status: 200, headers: new Map(), body: undefined, stream: false };
		runner.answer(message, { tag: "ToServerResponseStart", val });
	}
};

/** A client whose socket the actor has. */
async function client(runner: ScriptedRunner, actorId: string, canHibernate = false) {
	const socket = new WebSocket(`${url.replace("http", "ws")}/gateway/${actorId}/websocket`, [
		"rivet",
	]);
	const closed = new Promise<string>((resolve) =>
		socket.on("close", (code, reason) => resolve(`${code} ${reason}`)),
	);
	const before = runner.tunnel.length;
	await until(() => expect(heard(runner).slice(before)).toEqual(["ToClientWebSocketOpen"]));
	const open = runner.tunnel[before]!;
	runner.answer(open, { tag: "ToServerWebSocketOpen", val: { canHibernate } });
	// The engine has heard of it when what follows on the same socket is there.
	const greeting = { data: Buffer.from("hello"), binary: false };
	runner.answer(open, { tag: "ToServerWebSocketMessage", val: greeting });
	await new Promise((resolve) => socket.once("message", resolve));
	return { socket, closed, open };
}

it("calls and messages wait until it is back, and come in order", async () => {
	await serve();
	const { runner, actorId } = await placed();
	const { socket } = await client(runner, actorId);
	await leaves(runner);
	for (const text of ["1", "2"]) socket.send(text);
	await someWaits();
	const before = stats().tunnelBacklogBytes;
	const answered = call(actorId, "/x", { method: "POST", body: "abc" });
	await until(() => expect(stats().tunnelBacklogBytes).toBeGreaterThan(before));
	socket.send("3");
	await until(() => expect(stats().tunnelBacklogBytes).toBeGreaterThan(before + 3 * 128));
	const back = await connect();
	expect(back.init!.runnerId).toBe(runner.init!.runnerId);
	await until(() => expect(heard(back)).toEqual(["1", "2", "POST /x", "3"]));
	expect(back.received[0]!.tag).toBe("ToClientInit");
	answerAll(back);
	expect((await answered).status).toBe(200);
	await waiting(0);
	socket.terminate();
});

it.each([
	["messages", { tunnelBacklogMessagesMax: 2 }, "x"],
	["bytes", { tunnelBacklogBytesMax: 10_000 }, "x".repeat(4_000)],
])("what is too much (%s) is refused, with the limit", async (_what, limits, body) => {
	await serve(limits);
	const { runner, actorId } = await placed();
	await leaves(runner);
	const waits = [1, 2].map(() => call(actorId, "/x", { method: "POST", body }));
	await until(() => expect(stats().tunnelBacklogBytes).toBeGreaterThan(2 * body.length + 200));
	const refused = await call(actorId, "/x", { method: "POST", body });
	expect([refused.status, await refused.json()]).toEqual([
		503,
		expect.objectContaining({
			group: "guard",
			code: "tunnel_backlog_full",
			message: expect.stringContaining(String(Object.values(limits)[0])),
		}),
	]);
	const back = await connect();
	await until(() => expect(back.tunnel).toHaveLength(2));
	answerAll(back);
	for (const answer of waits) expect((await answer).status).toBe(200);
});

it("a client whose message is too much is closed, and its actor told", async () => {
	await serve({ tunnelBacklogMessagesMax: 2 });
	const { runner, actorId } = await placed();
	const { socket, closed } = await client(runner, actorId);
	await leaves(runner);
	for (const text of ["1", "2", "3"]) socket.send(text);
	expect(await closed).toBe("1011 guard.tunnel_backlog_full");
	const back = await connect();
	await until(() => expect(heard(back)).toEqual(["close guard.tunnel_backlog_full"]));
});

it.each([
	["closed", false],
	["not closed when it is held: its limit is what is kept of it", true],
])(
	"a client that sends more while too much waits for a slow runner is %s",
	async (_what, canHibernate) => {
		const t = runnersHost({ tunnelBacklogBytesMax: 1_000 });
		const runner = t.connect();
		const started = t.host.start(await t.actor("a"), []);
		await until(() => expect(runner.commandsFor("a")).toHaveLength(1));
		runner.tells("a", 0, 0, RUNS);
		await started;
		let client!: ActorSocketHandler;
		const close = vi.fn();
		const opened = t.host.openSocket(
			"a",
			{ path: "/websocket", headers: new Headers(), protocols: [] } as ActorUpgrade,
			{
				id: "00112233-4455-6677-8899-aabbccddeeff",
				listen: (handler: ActorSocketHandler) => {
					client = handler;
				},
				hold: () => {},
				close,
			} as unknown as ActorSocket,
		);
		const told = () =>
			runner.sent.flatMap((message) =>
				message.tag === "ToClientTunnelMessage" ? [message.val] : [],
			);
		const { messageId } = told()[0]!;
		const messageKind = { tag: "ToServerWebSocketOpen", val: { canHibernate } } as const;
		runner.says({ tag: "ToServerTunnelMessage", val: { messageId, messageKind } });
		await opened;
		const much = Buffer.alloc(1024 * 1024, "1");
		runner.buffers(1_001);
		// It has sent little itself.
		client.onMessage("0", 1);
		client.onMessage(much, 2);
		runner.buffers(1_000);
		client.onMessage("1", 3);
		runner.buffers(1_001);
		client.onMessage("2", 4);
		const full = "guard.tunnel_backlog_full";
		expect(close.mock.calls).toEqual(canHibernate ? [] : [[1011, full]]);
		expect(told().map(({ messageKind }) => messageKind)).toMatchObject([
			{ tag: "ToClientWebSocketOpen" },
			{ tag: "ToClientWebSocketMessage", val: { data: Buffer.from("0") } },
			{ tag: "ToClientWebSocketMessage", val: { data: much } },
			{ tag: "ToClientWebSocketMessage", val: { data: Buffer.from("1") } },
			canHibernate
				? { tag: "ToClientWebSocketMessage", val: { data: Buffer.from("2") } }
				: { tag: "ToClientWebSocketClose", val: { code: 1011, reason: full } },
		]);
	},
);

it("what a held client has sent comes again to a runner that is back, unless it was acknowledged", async () => {
	await serve();
	const { runner, actorId } = await placed();
	const { socket, open } = await client(runner, actorId, true);
	for (const text of ["1", "2", "3"]) socket.send(text);
	await until(() => expect(heard(runner)).toEqual(["ToClientWebSocketOpen", "1", "2", "3"]));
	runner.answer(open, { tag: "ToServerWebSocketMessageAck", val: { index: 1 } });
	const said = new Promise((resolve) => socket.once("message", resolve));
	const message = { data: Buffer.from("acknowledged"), binary: false };
	runner.answer(open, { tag: "ToServerWebSocketMessage", val: message });
	await said;
	await leaves(runner);
	socket.send("4");
	await someWaits();
	const back = await connect();
	await until(() => expect(heard(back)).toEqual(["2", "3", "4"]));
	expect(back.tunnel.map(({ messageId }) => messageId.messageIndex)).toEqual([2, 3, 4]);
	await waiting(0);
	socket.terminate();
});

it("what a client has sent before it left comes, and then its close", async () => {
	await serve();
	const { runner, actorId } = await placed();
	const { socket, closed } = await client(runner, actorId);
	await leaves(runner);
	for (const text of ["1", "2"]) socket.send(text);
	socket.close(4_000, "bye");
	await closed;
	await until(() => expect(stats().tunnelBacklogBytes).toBeGreaterThan(3 * 128));
	const back = await connect();
	await until(() => expect(heard(back)).toEqual(["1", "2", "close bye"]));
	await waiting(0);
});

it("what a held client has sent before it left comes again, and then its close", async () => {
	await serve();
	const { runner, actorId } = await placed();
	const { socket, closed } = await client(runner, actorId, true);
	socket.send("1");
	await until(() => expect(heard(runner)).toEqual(["ToClientWebSocketOpen", "1"]));
	await leaves(runner);
	socket.send("2");
	socket.close(4_000, "bye");
	await closed;
	await until(() => expect(stats().tunnelBacklogBytes).toBeGreaterThan(3 * 128));
	const back = await connect();
	await until(() => expect(heard(back)).toEqual(["1", "2", "close bye"]));
	await waiting(0);
});

/** The runner reads nothing more, and the engine does not know it yet. */
const isHalfOpen = (runner: ScriptedRunner) => runner.socket.pause();

it.each([
	["", false, ["close bye"]],
	["held ", true, ["1", "close bye"]],
])(
	"a %sclient that leaves while its runner's socket is half open has left when the runner is back",
	async (_held, canHibernate, expected) => {
		await serve();
		const { runner, actorId } = await placed();
		const { socket, closed } = await client(runner, actorId, canHibernate);
		isHalfOpen(runner);
		socket.send("1");
		socket.close(4_000, "bye");
		await closed;
		await leaves(runner);
		const back = await connect();
		await until(() => expect(heard(back)).toEqual(expected));
		// It has answered a ping since.
		const pings = () => back.received.filter(({ tag }) => tag === "ToClientPing").length;
		await until(() => expect(pings()).toBeGreaterThan(1));
		await leaves(back);
		const again = await connect();
		await until(() => expect(again.received.some(({ tag }) => tag === "ToClientPing")).toBe(true));
		expect(heard(again)).toEqual([]);
	},
);

it("a call without an answer is made again when the runner is back, if it may be made twice", async () => {
	await serve({ runnerLostThresholdMs: 1_000 });
	const { runner, actorId } = await placed();
	const posted = call(actorId, "/x", { method: "POST", body: "abc" });
	const got = call(actorId, "/x");
	await until(() => expect(heard(runner).sort()).toEqual(["GET /x", "POST /x"]));
	await leaves(runner);
	const waits = call(actorId, "/y");
	await someWaits();
	const back = await connect();
	await until(() => expect(heard(back)).toEqual(["GET /x", "GET /y"]));
	answerAll(back);
	expect([(await got).status, (await waits).status]).toEqual([200, 200]);
	// Nobody knows whether it had arrived: the runner may answer it yet.
	const [first] = back.tunnel;
	expect(first!.messageId.messageIndex).toBe(1);
	const next = await connect("next");
	await back.close();
	expect((await posted).status).toBe(503);
	expect(heard(next)).toEqual([]);
});

it("a client whose socket nobody has opened yet is offered again when the runner is back", async () => {
	await serve();
	const { runner, actorId } = await placed();
	const socket = new WebSocket(
		`${url.replace("http", "ws")}/gateway/${actorId}/websocket`,
		"rivet",
	);
	await until(() => expect(heard(runner)).toEqual(["ToClientWebSocketOpen"]));
	await leaves(runner);
	const back = await connect();
	await until(() => expect(heard(back)).toEqual(["ToClientWebSocketOpen"]));
	const [open] = back.tunnel;
	back.answer(open!, { tag: "ToServerWebSocketOpen", val: { canHibernate: false } });
	socket.send("1");
	await until(() => expect(heard(back)).toEqual(["ToClientWebSocketOpen", "1"]));
	// One that is open is not.
	await leaves(back);
	const again = await connect();
	socket.send("2");
	await until(() => expect(heard(again)).toEqual(["2"]));
	socket.terminate();
});

it("of the clients that a runner may not have heard leave, the oldest is forgotten beyond the limit", async () => {
	await serve({ tunnelBacklogEndsMax: 1 });
	const { runner, actorId } = await placed();
	const clients = [await client(runner, actorId), await client(runner, actorId)];
	await leaves(runner);
	for (const [index, { socket, closed }] of clients.entries()) {
		socket.close(4_000, `bye ${index}`);
		await closed;
	}
	const back = await connect();
	await until(() => expect(heard(back)).toEqual(["close bye 1"]));
});

/** A runner whose actor "a" runs, and whose socket has just broken. */
async function withoutSocket() {
	const t = runnersHost();
	const { record, ...runner } = t.connect();
	const started = t.host.start(await t.actor("a"), []);
	await until(() => expect(runner.commandsFor("a")).toHaveLength(1));
	runner.tells("a", 0, 0, RUNS);
	await started;
	runner.disconnects();
	return { t, record };
}

it("a message that cannot be sent keeps no other one from a runner that is back", async () => {
	const { t, record } = await withoutSocket();
	const get = (path: string) =>
		t.host.request("a", {
			method: "GET",
			path,
			headers: new Headers(),
			signal: new AbortController().signal,
		} as unknown as ActorRequest);
	const [first, broken, last] = ["/1", "/2", "/3"].map(get);
	const failed = expect(broken).rejects.toMatchObject({ code: "tunnel_response_closed" });
	await until(() => expect(record.backlog.bytes).toBeGreaterThan(3 * 128));
	const sent: RunnerToClient[] = [];
	const pathOf = (message: RunnerToClient) =>
		message.tag === "ToClientTunnelMessage" &&
		message.val.messageKind.tag === "ToClientRequestStart"
			? [message.val.messageKind.val.path]
			: [];
	const connects = () =>
		t.connect("key", 10, (message) => {
			if (pathOf(message).includes("/2")) throw new Error("cannot be encoded");
			sent.push(message);
		});
	expect(connects).toThrow("cannot be encoded");
	await failed;
	expect(record.socket).toBeNull();
	const back = connects();
	// The first one was sent before the socket failed; a GET may be made twice.
	expect(sent.flatMap(pathOf)).toEqual(["/1", "/1", "/3"]);
	expect(record.backlog.bytes).toBe(0);
	for (const message of sent) {
		if (message.tag !== "ToClientTunnelMessage") continue;
		const val = { status: 200, headers: new Map(), body: undefined, stream: false };
		back.says({
			tag: "ToServerTunnelMessage",
			val: {
				messageId: message.val.messageId,
				messageKind: { tag: "ToServerResponseStart", val },
			},
		});
	}
	expect([(await first)!.status, (await last)!.status]).toEqual([200, 200]);
});

it("whoever waits for what the next socket cannot carry is told, though the one before has carried it", async () => {
	const t = runnersHost();
	const { record, ...runner } = t.connect();
	const started = t.host.start(await t.actor("a"), []);
	await until(() => expect(runner.commandsFor("a")).toHaveLength(1));
	runner.tells("a", 0, 0, RUNS);
	await started;
	const called = t.host.request("a", {
		method: "GET",
		path: "/x",
		headers: new Headers(),
		signal: new AbortController().signal,
	} as unknown as ActorRequest);
	const failed = expect(called).rejects.toMatchObject({ code: "tunnel_response_closed" });
	await until(() => expect(runner.sent.at(-1)).toMatchObject({ tag: "ToClientTunnelMessage" }));
	runner.disconnects();
	const connects = (carriesCalls: boolean) =>
		t.connect("key", 10, ({ tag }) => {
			if (tag === "ToClientTunnelMessage" && !carriesCalls) throw new Error("cannot be encoded");
		});
	expect(() => connects(false)).toThrow("cannot be encoded");
	await failed;
	// It is over: the next socket does not hear of it.
	const back = connects(true);
	expect(back.record).toBe(record);
	expect(back.sent.map(({ tag }) => tag)).toEqual(["ToClientInit"]);
});

it("nothing waits for a runner that is lost, once its actors are", async () => {
	const { t, record } = await withoutSocket();
	// As of a client that has left.
	const messageId = { gatewayId: new Uint8Array(4), requestId: new Uint8Array(4), messageIndex: 1 };
	const messageKind = {
		tag: "ToClientWebSocketMessage",
		val: { data: Buffer.from("x"), binary: false },
	} as const;
	record.tell({ tag: "ToClientTunnelMessage", val: { messageId, messageKind } });
	expect(t.host.stats.tunnelBacklogBytes).toBeGreaterThan(0);
	t.host.evict(record.runnerId);
	await until(() => expect(t.ended).toEqual(["a"]));
	expect(record.backlog.bytes).toBe(0);
});

it("a caller that goes away is forgotten: the runner does not hear of its call", async () => {
	await serve();
	const { runner, actorId } = await placed();
	await leaves(runner);
	const abort = new AbortController();
	const gone = expect(call(actorId, "/gone", { signal: abort.signal })).rejects.toThrow();
	await someWaits();
	abort.abort();
	await gone;
	await waiting(0);
	const answered = call(actorId, "/stays");
	await someWaits();
	const back = await connect();
	await until(() => expect(heard(back)).toEqual(["GET /stays"]));
	answerAll(back);
	expect((await answered).status).toBe(200);
});

it("a caller that goes away while the runner has its call takes nothing with it", async () => {
	await serve();
	const { runner, actorId } = await placed();
	const abort = new AbortController();
	const gone = expect(call(actorId, "/gone", { signal: abort.signal })).rejects.toThrow();
	await until(() => expect(runner.tunnel).toHaveLength(1));
	abort.abort();
	await gone;
	answerAll(runner);
	const answered = call(actorId, "/next");
	await until(() => expect(runner.tunnel).toHaveLength(2));
	answerAll(runner);
	expect((await answered).status).toBe(200);
});

it("a call that no runner has heard of is made elsewhere when the runner is lost, whatever its method", async () => {
	await serve({ runnerLostThresholdMs: 2_000 });
	const { runner, actorId } = await placed();
	await leaves(runner);
	const answered = call(actorId, "/x", { method: "POST", body: "abc" });
	await someWaits();
	const next = await connect("next");
	await until(() => expect(heard(next)).toEqual(["POST /x"]));
	answerAll(next);
	expect((await answered).status).toBe(200);
});
