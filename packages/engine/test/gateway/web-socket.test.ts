import { once } from "node:events";
import { createServer } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { type ActorSocketHandler, catalogueError, decodeToClient } from "@rivetkit/protocol";
import { describe, expect, test } from "vitest";
import { WebSocketServer } from "ws";
import { NodeSocket, OrderedWebSocket } from "../../src/gateway/node-socket.ts";
import { WriteTurn } from "../../src/gateway/write-turn.ts";
import { testEngine } from "../helpers/engine.ts";
import { Gate } from "../helpers/gate.ts";
import { exchange, open, untilReceived } from "../helpers/raw-http.ts";
import { TestSocket } from "../helpers/web-socket.ts";

async function serving(options: Parameters<typeof testEngine>[0] = {}) {
	const t = testEngine(options);
	const server = await t.listen();
	const actorId = await t.create();
	return Object.assign(t, { server, actorId, base: `${server.url}/gateway/${actorId}` });
}

const SILENT = { debug() {}, info() {}, warn() {}, error() {} };

const handler = (part: Partial<ActorSocketHandler>): ActorSocketHandler => ({
	onMessage: () => {},
	onClose: () => {},
	...part,
});

/** Frames of a server, unmasked and short, by hand. */
function readFrames(bytes: Buffer): { opcode: number; payload: Buffer }[] {
	const frames = [];
	for (let at = 0; at + 2 <= bytes.length; ) {
		let length = bytes[at + 1]!;
		let head = 2;
		if (length === 126) {
			length = bytes.readUInt16BE(at + 2);
			head = 4;
		} else if (length === 127) {
			length = Number(bytes.readBigUInt64BE(at + 2));
			head = 10;
		}
		frames.push({ opcode: bytes[at]!, payload: bytes.subarray(at + head, at + head + length) });
		at += head + length;
	}
	return frames;
}

describe("the way to the actor", () => {
	test("sub-path, query, protocols and headers arrive untouched", async () => {
		await using t = await serving();
		const seen = new Gate<unknown>();
		t.host.onSocket = ({ path, protocols, headers }, socket) => {
			seen.open({ path, protocols, custom: headers.get("x-custom") });
			socket.listen(handler({}));
		};
		const url = `${t.base}/websocket/a%2Fb/?x=%20y`;
		const client = new TestSocket(url, ["chat", "rivet_encoding.json"], {
			headers: { "x-custom": "1" },
		});
		expect(await seen.opened).toEqual({
			path: "/websocket/a%2Fb/?x=%20y",
			protocols: ["chat", "rivet_encoding.json"],
			custom: "1",
		});
		client.ws.terminate();
	});

	test("wakes a sleeping actor; what the client sends meanwhile waits in order", async () => {
		await using t = await serving();
		await t.host.stop(t.actorId, "sleep");
		const gate = new Gate();
		t.host.onStart = () => gate.opened;
		t.host.onSocket = (_upgrade, socket) =>
			socket.listen(handler({ onMessage: (message) => socket.send(message) }));
		const client = new TestSocket(`${t.base}/connect`, ["rivet"]);
		await client.opened;
		for (let index = 0; index < 100; index++) {
			client.ws.send(String(index));
		}
		gate.open();
		expect(await client.received(100)).toEqual(Array.from({ length: 100 }, (_, i) => String(i)));
		client.ws.terminate();
	});

	test("frames that come together with the handshake are not lost", async () => {
		await using t = await serving();
		const got: unknown[] = [];
		const all = new Gate();
		t.host.onSocket = async (_upgrade, socket) => {
			await new Promise((resolve) => setImmediate(resolve));
			socket.listen(
				handler({
					onMessage: (message) => {
						got.push(message);
						if (got.length === 2) {
							all.open();
						}
					},
				}),
			);
		};
		const socket = await open(t.server.port);
		const frame = (text: string) =>
			Buffer.concat([Buffer.from([0x81, 0x80 | text.length, 0, 0, 0, 0]), Buffer.from(text)]);
		socket.write(
			Buffer.concat([
				Buffer.from(
					`GET /gateway/${t.actorId}/connect HTTP/1.1\r\nhost: x\r\nconnection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: ${Buffer.alloc(16).toString("base64")}\r\n\r\n`,
				),
				frame("one"),
				frame("two"),
			]),
		);
		await all.opened;
		expect(got).toEqual(["one", "two"]);
		socket.destroy();
	});

	test("an offer with a trailing slash or a query on /connect is served", async () => {
		await using t = await serving();
		const paths: string[] = [];
		t.host.onSocket = ({ path }, socket) => {
			paths.push(path);
			socket.close(1000, "");
		};
		for (const path of ["/connect/", "/connect?x", "/websocket", "/inspector/connect"]) {
			await new TestSocket(t.base + path).closed;
		}
		expect(paths).toEqual(["/connect/", "/connect?x", "/websocket", "/inspector/connect"]);
	});

	test("goes to the next incarnation when this one is gone", async () => {
		await using t = await serving();
		t.host.live.delete(t.actorId);
		t.host.onSocket = (_upgrade, socket, { generation }) => socket.send(`${generation}`);
		const client = new TestSocket(`${t.base}/connect`);
		await client.opened;
		t.host.events.stopped(t.actorId, 0, "sleep");
		expect(await client.received(1)).toEqual(["1"]);
		client.ws.terminate();
	});

	test("by sub-protocol reaches the actor at the path as it is", async () => {
		await using t = await serving();
		t.host.onSocket = ({ path }, socket, { actorId }) => socket.send(`${actorId} ${path}`);
		const client = new TestSocket(`${t.server.url}/connect?a`, [
			"rivet",
			"rivet_target.actor",
			`rivet_actor.${t.actorId}`,
		]);
		expect(await client.received(1)).toEqual([`${t.actorId} /connect?a`]);
		client.ws.terminate();
	});

	test("by query makes the actor", async () => {
		await using t = await serving();
		t.host.onSocket = ({ path }, socket, { key }) => socket.send(`${key} ${path}`);
		const query = "rvt-namespace=default&rvt-method=getOrCreate&rvt-pool=default&rvt-key=new";
		const client = new TestSocket(`${t.server.url}/gateway/chat/websocket/x?a=1&${query}`);
		expect(await client.received(1)).toEqual(["new /websocket/x?a=1"]);
		client.ws.terminate();
	});
});

describe("the handshake", () => {
	test.each([
		[["rivet", "rivet_encoding.json"], "rivet"],
		[["rivet_encoding.json", "rivet"], "rivet"],
		[["chat"], "chat"],
		[["b", "a"], "b"],
	])("of %j selects %s", async (offered, selected) => {
		await using t = await serving();
		const protocol = new Gate<string>();
		t.host.onSocket = (_upgrade, socket) => protocol.open(socket.protocol);
		const client = new TestSocket(`${t.base}/connect`, offered);
		await client.opened;
		expect(client.ws.protocol).toBe(selected);
		expect(await protocol.opened).toBe(selected);
		client.ws.terminate();
	});

	const upgrade = (path: string, headers: string) =>
		`GET ${path} HTTP/1.1\r\nhost: x\r\nsec-websocket-version: 13\r\nsec-websocket-key: ${Buffer.alloc(16).toString("base64")}\r\n${headers}\r\n`;

	test("without an offer names no protocol, and any case of the headers will do", async () => {
		await using t = await serving();
		const socket = await open(t.server.port);
		const received = untilReceived(socket, "\r\n\r\n");
		socket.write(
			upgrade(`/gateway/${t.actorId}/connect`, "Connection: UPGRADE\r\nUpgrade: WebSocket\r\n"),
		);
		const text = await received;
		expect(text).toMatch(/^HTTP\/1.1 101 /);
		expect(text.toLowerCase()).not.toContain("sec-websocket-protocol");
		socket.destroy();
	});

	test("takes lists of protocols that are repeated or badly spaced", async () => {
		await using t = await serving();
		const socket = await open(t.server.port);
		const received = untilReceived(socket, "\r\n\r\n");
		socket.write(
			upgrade(
				`/gateway/${t.actorId}/connect`,
				"connection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-protocol: rivet ,rivet,, rivet_encoding.cbor\r\n",
			),
		);
		expect((await received).toLowerCase()).toContain("sec-websocket-protocol: rivet\r\n");
		socket.destroy();
	});

	test.each([
		["/connect", "", "invalid"],
		["/connect", "sec-websocket-protocol: rivet\r\n", "invalid"],
		["/connect", "sec-websocket-protocol: rivet_target.runner\r\n", "invalid"],
		["/connect", "sec-websocket-protocol: rivet_target.actor\r\n", "missing_actor_header"],
		["/connect", "sec-websocket-protocol: rivet_target.actor, rivet_actor.%ZZ\r\n", "invalid"],
		["/gateway/a//b", "", "invalid"],
	])("of %s with '%s' is refused with HTTP 400", async (path, protocols, code) => {
		await using t = await serving();
		const text = await exchange(
			t.server.port,
			upgrade(path, `connection: Upgrade\r\nupgrade: websocket\r\n${protocols}`),
		);
		expect(text).toMatch(/^HTTP\/1.1 400 Bad Request\r\n/);
		expect(text).toContain("access-control-allow-origin: *");
		expect(JSON.parse(text.split("\r\n\r\n")[1]!)).toMatchObject({ group: "request", code });
	});

	test("that is refused ends the connection of a client that never closes its side", async () => {
		await using t = await serving();
		const socket = connect({ port: t.server.port, host: "127.0.0.1", allowHalfOpen: true });
		socket.write(upgrade("/connect", "connection: Upgrade\r\nupgrade: websocket\r\n"));
		socket.resume();
		await once(socket, "end");
		// The server side is gone altogether, so what is still sent is answered with a reset.
		const reset = once(socket, "error");
		while (!socket.destroyed) {
			socket.write("x");
			await new Promise((resolve) => setImmediate(resolve));
		}
		expect((await reset)[0]).toMatchObject({ code: expect.stringMatching(/^(ECONNRESET|EPIPE)$/) });
	});

	test.each([
		["a missing key", "upgrade: websocket\r\nsec-websocket-key:\r\n", 400],
		["another version", "upgrade: websocket\r\nsec-websocket-version: 7\r\n", 400],
	])("with %s is an HTTP error", async (_what, headers, status) => {
		await using t = await serving();
		const text = await exchange(
			t.server.port,
			`GET /gateway/${t.actorId}/connect HTTP/1.1\r\nhost: x\r\nconnection: Upgrade\r\n${headers}\r\n`,
		);
		expect(text.startsWith(`HTTP/1.1 ${status} `)).toBe(true);
	});

	// Older releases of Node take every upgrade out of the HTTP parser, so it can only be refused.
	const canChoose = "shouldUpgradeCallback" in createServer();

	test("of another protocol is an ordinary request where Node lets us choose", async () => {
		await using t = await serving();
		const text = await exchange(
			t.server.port,
			"GET /health HTTP/1.1\r\nhost: x\r\nconnection: close, Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABk\r\n\r\n",
		);
		expect(text.startsWith(canChoose ? "HTTP/1.1 200 " : "HTTP/1.1 400 ")).toBe(true);
	});
});

describe("refusals", () => {
	test("a bad query is accepted, then closed with its error", async () => {
		await using t = await serving();
		const client = new TestSocket(`${t.server.url}/gateway/chat/connect?rvt-method=get`, ["rivet"]);
		expect(await client.closed).toEqual({ code: 1011, reason: "guard.query_invalid_params" });
		expect(decodeToClient("json", client.messages[0]!)).toMatchObject({
			tag: "Error",
			code: "query_invalid_params",
		});
	});

	test("sockets over the rate of an address are closed with guard.rate_limit", async () => {
		await using t = await serving({ limits: { requestsPerMinuteMax: 2 } });
		t.host.onSocket = (_upgrade, socket) => socket.close(1000, "served");
		const reasons = [];
		for (let index = 0; index < 3; index++) {
			reasons.push((await new TestSocket(`${t.base}/websocket`).closed).reason);
		}
		expect(reasons).toEqual(["served", "served", "guard.rate_limit"]);
	});

	test("an unknown path is accepted, then closed 1011 without waking the actor", async () => {
		await using t = await serving();
		await t.host.stop(t.actorId, "sleep");
		for (const path of ["", "/", "/websocketx", "/connect/x", "/action/add", "/inspector"]) {
			const client = new TestSocket(t.base + path, ["rivet"]);
			await client.opened;
			expect(await client.closed).toEqual({ code: 1011, reason: "route.not_found" });
		}
		expect(t.host.starts).toHaveLength(1);
	});

	test.each(["bare", "cbor", "json"] as const)(
		"an unknown actor on /connect gets an Error frame in %s, then 1011 actor.not_found",
		async (encoding) => {
			await using t = await serving();
			const client = new TestSocket(`${t.server.url}/gateway/nobody/connect`, [
				"rivet",
				`rivet_encoding.${encoding}`,
			]);
			expect(await client.closed).toEqual({ code: 1011, reason: "actor.not_found" });
			expect(client.messages.map((frame) => decodeToClient(encoding, frame))).toEqual([
				expect.objectContaining({
					tag: "Error",
					group: "actor",
					code: "not_found",
					actionId: null,
				}),
			]);
		},
	);

	test("on raw paths, and with an unreadable offer, no frame precedes the close", async () => {
		await using t = await serving();
		const raw = new TestSocket(`${t.server.url}/gateway/nobody/websocket`);
		expect(await raw.closed).toEqual({ code: 1011, reason: "actor.not_found" });
		const odd = new TestSocket(`${t.server.url}/gateway/nobody/connect`, ["rivet_encoding.xml"]);
		expect(await odd.closed).toEqual({ code: 1011, reason: "actor.not_found" });
		expect([...raw.messages, ...odd.messages]).toEqual([]);
	});

	test("a start that fails closes 1011 with the masked error", async () => {
		await using t = await serving({ exposeErrors: () => false });
		await t.host.stop(t.actorId, "sleep");
		t.host.onStart = () => {
			throw catalogueError("queue.full", { limit: 1 });
		};
		const client = new TestSocket(`${t.base}/connect`, ["rivet"]);
		expect(await client.closed).toEqual({ code: 1011, reason: "rivetkit.internal_error" });
	});

	test("an actor that does not take the socket in time: 1011", async () => {
		await using t = await serving({ limits: { webSocketOpenTimeoutMs: 50 } });
		t.host.onSocket = () => new Promise(() => {});
		const client = new TestSocket(`${t.base}/connect`, ["rivet"]);
		expect(await client.closed).toEqual({ code: 1011, reason: "guard.request_timeout" });
	});

	test("a message over the limit closes 1009", async () => {
		await using t = await serving({ limits: { webSocketMessageBytesMax: 1000 } });
		const got: number[] = [];
		const closed = new Gate<unknown>();
		t.host.onSocket = (_upgrade, socket) =>
			socket.listen(
				handler({
					onMessage: (message) => got.push(message.length),
					onClose: (code, _reason, wasClean) => closed.open({ code, wasClean }),
				}),
			);
		const client = new TestSocket(`${t.base}/websocket`);
		await client.opened;
		client.ws.send(new Uint8Array(1000));
		client.ws.send(new Uint8Array(1001));
		expect((await client.closed).code).toBe(1009);
		await closed.opened;
		expect(got).toEqual([1000]);
	});
});

describe("messages", () => {
	test("keep their kind and bytes, up to several megabytes", async () => {
		await using t = await serving();
		t.host.onSocket = (_upgrade, socket) =>
			socket.listen(handler({ onMessage: (message) => socket.send(message) }));
		const client = new TestSocket(`${t.base}/websocket`);
		await client.opened;
		const big = new Uint8Array(2_000_000).map((_, index) => index * 31);
		const sent = ["", "täxt 🎉", Uint8Array.of(), Uint8Array.of(0, 255), "x".repeat(125), big];
		sent.push("y".repeat(126), "z".repeat(65_535), "ä".repeat(40_000));
		for (const message of sent) {
			client.ws.send(message);
		}
		expect(await client.received(sent.length)).toEqual(sent);
		client.ws.terminate();
	});

	test("of one turn leave in one write, in order, prepared ones among them", async () => {
		await using t = await serving();
		let server: { send: (text: string) => void } | undefined;
		t.host.onSocket = (_upgrade, socket) => {
			socket.listen(
				handler({
					onMessage: async () => {
						const prepared = socket.prepare("prepared");
						socket.send("one");
						socket.sendPrepared(prepared);
						await Promise.resolve();
						socket.send(Uint8Array.of(3));
						queueMicrotask(() => socket.sendPrepared(prepared));
						expect(socket.bufferedBytes).toBeGreaterThan(0);
					},
				}),
			);
			server = socket;
		};
		const raw = await open(t.server.port);
		raw.write(
			`GET /gateway/${t.actorId}/websocket HTTP/1.1\r\nhost: x\r\nconnection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: ${Buffer.alloc(16).toString("base64")}\r\n\r\n`,
		);
		await new Promise((resolve) => raw.once("data", resolve));
		await expect.poll(() => server).toBeDefined();
		const written = new Promise<Buffer>((resolve) => raw.once("data", resolve));
		raw.write(Buffer.from([0x81, 0x80, 0, 0, 0, 0]));
		expect(
			readFrames(await written).map(({ opcode, payload }) => [opcode, payload.toString()]),
		).toEqual([
			[0x81, "one"],
			[0x81, "prepared"],
			[0x82, "\u0003"],
			[0x81, "prepared"],
		]);
		raw.destroy();
	});

	test("a prepared message reaches many sockets, each in the order of its own calls", async () => {
		await using t = await serving();
		const sockets: import("@rivetkit/protocol").ActorSocket[] = [];
		t.host.onSocket = (_upgrade, socket) => {
			sockets.push(socket);
			socket.listen(handler({}));
		};
		const clients = Array.from({ length: 20 }, () => new TestSocket(`${t.base}/connect`));
		await Promise.all(clients.map((client) => client.opened));
		await expect.poll(() => sockets.length).toBe(20);
		const [a, b] = [sockets[0]!.prepare("a"), sockets[0]!.prepare(Uint8Array.of(1, 2))];
		for (const [index, socket] of sockets.entries()) {
			socket.send(`own ${index}`);
			socket.sendPrepared(a);
			socket.sendPrepared(b);
		}
		const received = await Promise.all(clients.map((client) => client.received(3)));
		expect(received.map(([own]) => own).sort()).toEqual(
			Array.from({ length: 20 }, (_, index) => `own ${index}`).sort(),
		);
		for (const [, second, third] of received) {
			expect([second, third]).toEqual(["a", Uint8Array.of(1, 2)]);
		}
		for (const client of clients) {
			client.ws.terminate();
		}
	});

	test("to a client that does not read add up in bufferedBytes", async () => {
		await using t = await serving();
		const buffered = new Gate<number>();
		t.host.onSocket = (_upgrade, socket) => {
			const chunk = new Uint8Array(1024 * 1024);
			for (let index = 0; index < 32; index++) {
				socket.send(chunk);
			}
			setImmediate(() => buffered.open(socket.bufferedBytes));
		};
		const client = new TestSocket(`${t.base}/websocket`);
		client.ws.once("open", () => client.ws.pause());
		expect(await buffered.opened).toBeGreaterThan(8 * 1024 * 1024);
		client.ws.terminate();
	});

	test("pings of the client are answered, and onPong hears of answers to ours", async () => {
		await using t = await serving();
		const ponged = new Gate();
		t.host.onSocket = (_upgrade, socket) => {
			socket.listen(handler({ onPong: () => ponged.open() }));
			socket.ping();
		};
		const client = new TestSocket(`${t.base}/connect`);
		await client.opened;
		const answered = new Promise((resolve) => client.ws.once("pong", resolve));
		client.ws.ping("x");
		expect(String(await answered)).toBe("x");
		await ponged.opened;
		client.ws.terminate();
	});

	test("a handler that throws closes 1011 and is logged", async () => {
		await using t = await serving();
		t.host.onSocket = (_upgrade, socket) =>
			socket.listen(
				handler({
					onMessage: () => {
						throw new Error("broken");
					},
				}),
			);
		const client = new TestSocket(`${t.base}/websocket`);
		await client.opened;
		client.ws.send("x");
		expect(await client.closed).toEqual({ code: 1011, reason: "rivetkit.internal_error" });
		expect(t.log.at(-1)).toMatchObject({
			level: "error",
			message: "a websocket message handler threw",
		});
	});
});

describe("closing", () => {
	test("code and reason of the actor reach the client after everything that was sent", async () => {
		await using t = await serving();
		const closed = new Gate<unknown>();
		t.host.onSocket = (_upgrade, socket) => {
			socket.listen(handler({ onClose: (...args) => closed.open(args) }));
			socket.send("last");
			socket.close(4001, "done");
			socket.send("never");
			socket.close(4002, "again");
		};
		const client = new TestSocket(`${t.base}/websocket`);
		expect(await client.closed).toEqual({ code: 4001, reason: "done" });
		expect(client.messages).toEqual(["last"]);
		expect(await closed.opened).toEqual([4001, "done", true]);
	});

	test("what the actor answered reaches a client whose close came right behind its message", async () => {
		await using t = await serving();
		t.host.onSocket = (_upgrade, socket) =>
			socket.listen(handler({ onMessage: (message) => socket.send(message) }));
		const frame = (opcode: number, payload: Buffer) =>
			Buffer.concat([Buffer.from([0x80 | opcode, 0x80 | payload.length, 0, 0, 0, 0]), payload]);
		const socket = await open(t.server.port);
		socket.write(
			`GET /gateway/${t.actorId}/connect HTTP/1.1\r\nhost: x\r\nconnection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: ${Buffer.alloc(16).toString("base64")}\r\n\r\n`,
		);
		await untilReceived(socket, "\r\n\r\n");
		const chunks: Buffer[] = [];
		socket.on("data", (chunk) => chunks.push(chunk));
		socket.write(
			Buffer.concat([
				frame(1, Buffer.from("one")),
				frame(1, Buffer.from("two")),
				frame(8, Buffer.from([0x03, 0xe8])),
			]),
		);
		await once(socket, "close");
		const received = readFrames(Buffer.concat(chunks));
		expect(received.map(({ opcode }) => opcode)).toEqual([0x81, 0x81, 0x88]);
		expect(received.slice(0, 2).map(({ payload }) => payload.toString())).toEqual(["one", "two"]);
	});

	test("an over-long reason is cut to 123 bytes on a character boundary", async () => {
		await using t = await serving();
		t.host.onSocket = (_upgrade, socket) => socket.close(1000, "é".repeat(100));
		const { reason } = await new TestSocket(`${t.base}/websocket`).closed;
		expect(reason).toBe("é".repeat(61));
	});

	test("a code that nobody may send is a RangeError", async () => {
		await using t = await serving();
		const errors: unknown[] = [];
		t.host.onSocket = (_upgrade, socket) => {
			for (const code of [0, 999, 1004, 1005, 1006, 1015, 2999, 5000]) {
				try {
					socket.close(code, "");
				} catch (error) {
					errors.push(error);
				}
			}
			socket.close(3000, "");
		};
		expect((await new TestSocket(`${t.base}/websocket`).closed).code).toBe(3000);
		expect(errors).toHaveLength(8);
		expect(errors.every((error) => error instanceof RangeError)).toBe(true);
	});

	test.each([
		["with a code", (ws: TestSocket["ws"]) => ws.close(4321, "bye"), [4321, "bye", true]],
		["without one", (ws: TestSocket["ws"]) => ws.close(), [1005, "", true]],
		["by vanishing", (ws: TestSocket["ws"]) => ws.terminate(), [1006, "", false]],
	])("a client that leaves %s is noticed as such", async (_how, leave, expected) => {
		await using t = await serving();
		const closed = new Gate<unknown>();
		t.host.onSocket = (_upgrade, socket) =>
			socket.listen(handler({ onClose: (...args) => closed.open(args) }));
		const client = new TestSocket(`${t.base}/websocket`);
		await client.opened;
		leave(client.ws);
		expect(await closed.opened).toEqual(expected);
	});

	test("a socket that was closed before anybody listened tells so to who listens later", async () => {
		await using t = await serving();
		const gate = new Gate();
		const closed = new Gate<unknown>();
		t.host.onSocket = async (_upgrade, socket) => {
			await gate.opened;
			socket.listen(handler({ onClose: (...args) => closed.open(args) }));
		};
		const client = new TestSocket(`${t.base}/websocket`);
		await client.opened;
		client.ws.terminate();
		await client.closed;
		gate.open();
		expect(await closed.opened).toEqual([1006, "", false]);
	});

	test("what a client still sends to a socket that was refused is kept for nobody", async () => {
		const accepted = new Gate<NodeSocket>();
		const gone = new Gate();
		const sockets = new WebSocketServer({ noServer: true, WebSocket: OrderedWebSocket });
		const server = createServer().on("upgrade", (message, socket, head) =>
			sockets.handleUpgrade(message, socket, head, (ws) => {
				accepted.open(new NodeSocket(ws, socket as Socket, new WriteTurn(), SILENT));
				ws.once("close", () => gone.open());
			}),
		);
		await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
		const client = await open((server.address() as AddressInfo).port);
		client.resume();
		client.write(
			`GET / HTTP/1.1\r\nhost: x\r\nconnection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: ${Buffer.alloc(16).toString("base64")}\r\n\r\n`,
		);
		const socket = await accepted.opened;
		socket.close(1011, "refused");
		const [text, close] = [0x81, 0x88];
		client.write(Buffer.from([text, 0x81, 0, 0, 0, 0, 0x78, close, 0x80, 0, 0, 0, 0]));
		await gone.opened;
		const heard: unknown[] = [];
		await new Promise<void>((resolve) =>
			socket.listen({ onMessage: (message) => heard.push(message), onClose: () => resolve() }),
		);
		expect(heard).toEqual([]);
		server.close();
	});

	test("a client that never answers a close is cut", async () => {
		await using t = await serving({ limits: { webSocketCloseTimeoutMs: 50 } });
		const closed = new Gate<unknown>();
		t.host.onSocket = (_upgrade, socket) => {
			socket.listen(handler({ onClose: (...args) => closed.open(args) }));
			socket.close(1000, "");
		};
		const raw = await open(t.server.port);
		raw.write(
			`GET /gateway/${t.actorId}/websocket HTTP/1.1\r\nhost: x\r\nconnection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: ${Buffer.alloc(16).toString("base64")}\r\n\r\n`,
		);
		raw.resume();
		await new Promise((resolve) => raw.once("close", resolve));
		expect(await closed.opened).toEqual([1006, "", false]);
		raw.destroy();
	});
});
