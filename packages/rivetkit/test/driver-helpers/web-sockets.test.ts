import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import {
	acceptWebSocket,
	createClientWithDriver,
	InlineWebSocketAdapter,
	type PlatformWebSocket,
	routeWebSocket,
	selectSubprotocol,
} from "rivetkit/driver-helpers";
import { importWebSocket } from "rivetkit/driver-helpers/websocket";
import { afterEach, describe, expect, it } from "vitest";
import { WebSocketServer } from "ws";
import { actor } from "../../src/actor/definition.ts";
import { event } from "../../src/actor/tokens.ts";
import { EARLY_BYTES_MAX } from "../../src/driver-helpers/accept-web-socket.ts";
import { soon } from "../support/gate.ts";
import { type LogLine, recordingLogger, TestRuntime } from "../support/test-runtime.ts";
import { WireSocket } from "../support/wire-socket.ts";

const room = actor({
	events: { said: event<string>() },
	onWebSocket: (_c, socket) => {
		socket.addEventListener("message", ({ data }) => {
			if (data === "leave") socket.close(4_001, "as asked");
			else socket.send(data);
		});
	},
	actions: {
		say: (c, text: string) => {
			c.broadcast("said", text);
			return c.conns.size;
		},
		kick: (c) => c.conn.disconnect("kicked"),
	},
});

const cleanUps: (() => unknown)[] = [];
afterEach(async () => {
	for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

async function start() {
	const runtime = await TestRuntime.start({ room });
	cleanUps.push(() => runtime[Symbol.asyncDispose]());
	return { engine: runtime.embedded.engine, actorId: await runtime.actorId("room") };
}

const request = (path: string, protocols = "rivet, rivet_encoding.json") =>
	new Request(`http://any${path}`, { headers: { "sec-websocket-protocol": protocols } });

/** The next message of a standard socket. */
const messageOf = (socket: { onmessage: unknown }) =>
	soon(
		new Promise<unknown>((resolve) => {
			socket.onmessage = ({ data }: { data: unknown }) => resolve(data);
		}),
	);

const opened = (socket: { onopen: unknown }) =>
	soon(
		new Promise<unknown>((resolve) => {
			socket.onopen = resolve;
		}),
	);

describe("InlineWebSocketAdapter with routeWebSocket", () => {
	it("joins a standard client's end to an actor's event protocol", async () => {
		const { engine, actorId } = await start();
		const { clientWebSocket, serverSocket } = new InlineWebSocketAdapter({ protocol: "rivet" });
		const init = messageOf(clientWebSocket);
		await routeWebSocket(engine, actorId, request("/connect"), serverSocket);
		expect(JSON.parse((await init) as string).body).toMatchObject({
			tag: "Init",
			val: { actorId },
		});
		expect(clientWebSocket.protocol).toBe("rivet");
		clientWebSocket.close();
	});

	it("carries raw sockets, text, bytes and close codes", async () => {
		const { engine, actorId } = await start();
		const { clientWebSocket, serverSocket } = new InlineWebSocketAdapter({ url: "ws://here/x" });
		expect(clientWebSocket.url).toBe("ws://here/x");
		void routeWebSocket(engine, actorId, request("/websocket/any?x=1"), serverSocket);
		await opened(clientWebSocket);
		clientWebSocket.send("hello");
		expect(await messageOf(clientWebSocket)).toBe("hello");
		clientWebSocket.send(Uint8Array.of(1, 2));
		expect(new Uint8Array((await messageOf(clientWebSocket)) as ArrayBuffer)).toEqual(
			Uint8Array.of(1, 2),
		);
		const closed = new Promise((resolve) => {
			clientWebSocket.onclose = ({ code, reason }) => resolve([code, reason]);
		});
		clientWebSocket.send("leave");
		expect(await soon(closed)).toEqual([4_001, "as asked"]);
	});

	it("closes with the reason when the actor refuses", async () => {
		const { engine, actorId } = await start();
		const { clientWebSocket, serverSocket } = new InlineWebSocketAdapter();
		const closed = new Promise((resolve) => {
			clientWebSocket.onclose = ({ code, reason }) => resolve([code, reason]);
		});
		await routeWebSocket(engine, actorId, request("/connect", "rivet_encoding.odd"), serverSocket);
		expect(await soon(closed)).toEqual([1_011, "encoding.invalid"]);
	});

	it("tells its logger of a listener that throws", async () => {
		const { engine, actorId } = await start();
		const lines: LogLine[] = [];
		const log = recordingLogger(lines);
		const { clientWebSocket, serverSocket } = new InlineWebSocketAdapter({ log });
		clientWebSocket.addEventListener("message", () => {
			throw new Error("of a listener");
		});
		void routeWebSocket(engine, actorId, request("/websocket/"), serverSocket);
		await opened(clientWebSocket);
		clientWebSocket.send("x");
		await messageOf(clientWebSocket);
		expect(lines).toMatchObject([{ level: "error", fields: { err: new Error("of a listener") } }]);
	});
});

describe("acceptWebSocket", () => {
	/** A server of the author's own that upgrades with `ws`, and knows one actor. */
	async function ownServer(accept: (socket: PlatformWebSocket) => PlatformWebSocket = (s) => s) {
		const { engine, actorId } = await start();
		const server: Server = createServer();
		const upgrades = new WebSocketServer({
			noServer: true,
			handleProtocols: (offered) => selectSubprotocol([...offered]) ?? false,
		});
		server.on("upgrade", (incoming, stream, head) => {
			upgrades.handleUpgrade(incoming, stream, head, (socket) => {
				const headers = { "sec-websocket-protocol": socket.protocol };
				const offered = incoming.headers["sec-websocket-protocol"];
				if (offered) headers["sec-websocket-protocol"] = offered;
				void routeWebSocket(
					engine,
					actorId,
					new Request(`http://any${incoming.url}`, { headers }),
					acceptWebSocket(accept(socket as unknown as PlatformWebSocket)),
				);
			});
		});
		await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
		cleanUps.push(() => {
			for (const socket of upgrades.clients) socket.terminate();
			return new Promise((resolve) => server.close(resolve));
		});
		return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
	}

	it.each(["json", "cbor", "bare"] as const)(
		"carries actions and events in %s",
		async (encoding) => {
			const url = await ownServer();
			await using socket = await WireSocket.connect(`${url}/connect`, { encoding });
			expect(socket.ws.protocol).toBe("rivet");
			socket.subscribe("said");
			socket.act(0, "say", "hello");
			expect(await soon(socket.next())).toMatchObject({ tag: "Event", args: ["hello"] });
			expect(await soon(socket.next())).toMatchObject({ tag: "ActionResponse", output: 1 });
			socket.act(1, "kick");
			expect(await soon(socket.closed)).toEqual({ code: 1_000, reason: "kicked" });
		},
	);

	it("takes what arrives before the actor listens, in order", async () => {
		const url = await ownServer();
		await using socket = new WireSocket(`${url}/websocket/`);
		await socket.opened();
		for (const text of ["a", "b", "c"]) socket.ws.send(text);
		expect([await socket.raw(), await socket.raw(), await socket.raw()]).toEqual(["a", "b", "c"]);
	});

	it("sends a close code that the platform keeps for itself 3,000 higher", async () => {
		const strict = (socket: PlatformWebSocket) => {
			const close = socket.close.bind(socket);
			socket.close = (code = 1_000, reason) => {
				if (code !== 1_000 && (code < 3_000 || code > 4_999)) throw new Error("InvalidAccessError");
				close(code, reason);
			};
			return socket;
		};
		const url = await ownServer(strict);
		await using socket = new WireSocket(`${url}/connect`, { protocols: ["rivet_encoding.odd"] });
		expect(await soon(socket.closed)).toEqual({ code: 4_011, reason: "encoding.invalid" });
	});

	it("keeps a bounded amount for an actor that does not listen yet", () => {
		const closes: unknown[] = [];
		let receive: (event: { data: unknown }) => void = () => {};
		acceptWebSocket({
			send: () => {},
			close: (code, reason) => closes.push([code, reason]),
			addEventListener(type: string, listener: never) {
				if (type === "message") receive = listener;
			},
		});
		const half = "x".repeat(EARLY_BYTES_MAX / 2);
		receive({ data: half });
		receive({ data: half });
		expect(closes).toEqual([]);
		receive({ data: "x" });
		expect(closes).toEqual([[1_011, "connection.backlog_full"]]);
	});
});

describe("importWebSocket", () => {
	it("is the runtime's own class", async () => {
		expect(await importWebSocket()).toBe(globalThis.WebSocket);
	});

	it("is that of ws where the runtime has none", async () => {
		const { WebSocket } = globalThis;
		try {
			Reflect.deleteProperty(globalThis, "WebSocket");
			const Found = await importWebSocket();
			const runtime = await TestRuntime.start({ room });
			cleanUps.push(() => runtime[Symbol.asyncDispose]());
			const url = `${runtime.url.replace(/^http/, "ws")}/gateway/${await runtime.actorId("room")}`;
			const socket = new Found(`${url}/websocket/`, ["rivet"]);
			await opened(socket);
			socket.send("over ws");
			expect(await messageOf(socket)).toBe("over ws");
			socket.close();
		} finally {
			globalThis.WebSocket = WebSocket;
		}
	});
});

it("a client over a manager opens raw sockets, too", async () => {
	const { engine } = await start();
	const client = createClientWithDriver(engine);
	const socket = await client.room!.getOrCreate([]).webSocket("/x");
	await opened(socket);
	socket.send("through the client");
	expect(await messageOf(socket)).toBe("through the client");
	socket.close();
	await client.dispose();
});
