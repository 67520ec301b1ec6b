import { type ActorSocket, decodeToClient } from "@rivetkit/protocol";
import { describe, expect, test } from "vitest";
import { createSocketPair, type PairEvents } from "../../src/gateway/socket-pair.ts";
import { testEngine } from "../helpers/engine.ts";
import { Gate } from "../helpers/gate.ts";

const log: string[] = [];
const logger = {
	debug() {},
	info() {},
	warn() {},
	error: (_fields: object, message: string) => {
		log.push(message);
	},
};

function pair() {
	const { client, server } = createSocketPair({ protocol: "rivet", logger });
	const fromClient: (string | Uint8Array)[] = [];
	const toClient: (string | ArrayBuffer)[] = [];
	const serverClosed = new Gate<unknown>();
	const clientClosed = new Gate<unknown>();
	client.onmessage = ({ data }) => toClient.push(data);
	client.onclose = ({ code, reason, wasClean }) => clientClosed.open([code, reason, wasClean]);
	return { client, server, fromClient, toClient, serverClosed, clientClosed, listen };
	function listen() {
		server.listen({
			onMessage: (message) => fromClient.push(message),
			onClose: (...args) => serverClosed.open(args),
		});
	}
}

const opened = (client: ReturnType<typeof pair>["client"]) =>
	new Promise((resolve) => client.addEventListener("open", resolve, { once: true }));

describe("a socket pair", () => {
	test("opens later, like a real socket, and tells its protocol", async () => {
		const { client, server } = pair();
		expect(client.readyState).toBe(0);
		expect(() => client.send("x")).toThrow("still connecting");
		await opened(client);
		expect([client.readyState, client.protocol, server.protocol]).toEqual([1, "rivet", "rivet"]);
	});

	test("refuses what is neither text nor bytes, by its type", async () => {
		const { client } = pair();
		await opened(client);
		for (const [value, type] of [
			[5, "number"],
			[{}, "Object"],
			[undefined, "undefined"],
			[new Blob(["b"]), "Blob"],
		]) {
			expect(() => client.send(value as string)).toThrow(new RegExp(`text or bytes, not ${type}`));
		}
		expect(client.bufferedAmount).toBe(0);
	});

	test("carries text and bytes both ways in order, never in the turn of the send", async () => {
		const p = pair();
		p.listen();
		await opened(p.client);
		p.client.send("a");
		p.client.send(Uint8Array.of(1, 2).subarray(1));
		p.client.send(Uint8Array.of(3).buffer);
		p.server.send("b");
		p.server.sendPrepared(p.server.prepare(Uint8Array.of(4)));
		expect([p.fromClient, p.toClient]).toEqual([[], []]);
		await expect.poll(() => p.toClient.length).toBe(2);
		expect(p.fromClient).toEqual(["a", Uint8Array.of(2), Uint8Array.of(3)]);
		expect(p.toClient).toEqual(["b", Uint8Array.of(4).buffer]);
	});

	// A small `Buffer` is a part of memory that others have, too.
	test.each([
		["bytes", () => Uint8Array.of(1)],
		["a Buffer", () => Buffer.from([1])],
	])(
		"copies %s, and nothing beside: changing them after the send changes nothing",
		async (_, of) => {
			const p = pair();
			p.listen();
			await opened(p.client);
			const bytes = of();
			p.client.send(bytes);
			p.server.send(bytes);
			bytes[0] = 9;
			await expect.poll(() => [p.fromClient.length, p.toClient.length]).toEqual([1, 1]);
			expect(p.fromClient).toEqual([Uint8Array.of(1)]);
			expect(p.toClient).toEqual([Uint8Array.of(1).buffer]);
		},
	);

	test("keeps what comes before anybody listens, and counts what is on its way", async () => {
		const p = pair();
		p.server.send("early");
		await opened(p.client);
		p.client.send("abc");
		p.client.send(Uint8Array.of(1));
		expect(p.client.bufferedAmount).toBe(4);
		await expect.poll(() => p.toClient).toEqual(["early"]);
		expect(p.fromClient).toEqual([]);
		p.listen();
		await expect.poll(() => p.fromClient).toEqual(["abc", Uint8Array.of(1)]);
		expect(p.client.bufferedAmount).toBe(0);
	});

	test("a close of the server arrives after its messages, cut to 123 bytes", async () => {
		const p = pair();
		p.listen();
		p.server.send("last");
		p.server.close(4000, "é".repeat(100));
		p.server.send("never");
		p.server.close(4001, "");
		expect(await p.clientClosed.opened).toEqual([4000, "é".repeat(61), true]);
		expect(await p.serverClosed.opened).toEqual([4000, "é".repeat(61), true]);
		expect(p.toClient).toEqual(["last"]);
		expect(p.client.readyState).toBe(3);
	});

	test("a close of the client arrives after its messages; without a code it is 1005", async () => {
		const p = pair();
		p.listen();
		await opened(p.client);
		p.client.send("last");
		p.client.close();
		expect(p.client.readyState).toBe(2);
		p.client.send("never");
		expect(await p.serverClosed.opened).toEqual([1005, "", true]);
		expect(await p.clientClosed.opened).toEqual([1005, "", true]);
		expect(p.fromClient).toEqual(["last"]);
	});

	test("a close before it opened still tells both ends", async () => {
		const p = pair();
		p.listen();
		p.client.close(1000, "Disposed");
		expect(await p.clientClosed.opened).toEqual([1000, "Disposed", true]);
		expect(await p.serverClosed.opened).toEqual([1000, "Disposed", true]);
	});

	test("refuses codes that an end may not send", async () => {
		const p = pair();
		await opened(p.client);
		expect(() => p.client.close(1011)).toThrow(RangeError);
		expect(() => p.server.close(1006, "")).toThrow(RangeError);
	});

	test("a listener that throws hurts nobody else", async () => {
		const p = pair();
		p.listen();
		const got: PairEvents["message"][] = [];
		p.client.addEventListener("message", () => {
			throw new Error("broken");
		});
		p.client.addEventListener("message", (event) => got.push(event));
		p.server.send("a");
		await expect.poll(() => got.map(({ data }) => data)).toEqual(["a"]);
		expect(log).toContain("a websocket listener threw");
	});

	test("a server handler that throws closes 1011", async () => {
		const p = pair();
		p.server.listen({
			onMessage: () => {
				throw new Error("broken");
			},
			onClose: () => {},
		});
		await opened(p.client);
		p.client.send("x");
		expect(await p.clientClosed.opened).toEqual([1011, "rivetkit.internal_error", true]);
	});

	test("removed and once listeners are not called again", async () => {
		const p = pair();
		const calls: string[] = [];
		const removed = () => calls.push("removed");
		p.client.addEventListener("message", removed);
		p.client.removeEventListener("message", removed);
		const remove = () => p.client.removeEventListener("message", late);
		const late = () => calls.push("removed by an earlier one");
		p.client.addEventListener("message", remove);
		p.client.addEventListener("message", late);
		p.client.addEventListener("message", () => calls.push("once"), { once: true });
		p.server.send("a");
		p.server.send("b");
		await expect.poll(() => p.toClient.length).toBe(2);
		expect(calls).toEqual(["once"]);
	});

	test("two ends that answer each other for ever let the event loop go on", async () => {
		const p = pair();
		let volleys = 0;
		p.server.listen({
			onMessage: () => {
				volleys++;
				p.server.send("x");
			},
			onClose: () => {},
		});
		await opened(p.client);
		p.client.onmessage = () => p.client.send("x");
		p.client.send("x");
		// A timer only fires when the loop gets to it.
		await new Promise((resolve) => setTimeout(resolve, 20));
		expect(volleys).toBeGreaterThan(1);
		p.client.close();
	});
});

describe("Engine.connect", () => {
	const upgrade = (path: string, protocols: readonly string[] = ["rivet"]) => ({
		path,
		protocols,
		headers: { get: () => null, entries: () => [] },
	});

	test("opens a socket to an actor without a network, waking it", async () => {
		await using t = testEngine();
		const actorId = await t.create();
		await t.host.stop(actorId, "sleep");
		t.host.onSocket = ({ path }, socket: ActorSocket) => {
			socket.listen({
				onMessage: (message) => socket.send(`${path} ${message}`),
				onClose: () => {},
			});
		};
		const client = t.engine.connect(actorId, upgrade("/connect"), "rivet");
		const answer = new Promise((resolve) => {
			client.onopen = () => client.send("hi");
			client.onmessage = ({ data }) => resolve(data);
		});
		expect(await answer).toBe("/connect hi");
	});

	test("refusals come as they do over the network: a frame, then a close", async () => {
		await using t = testEngine();
		const client = t.engine.connect("nobody", upgrade("/connect"), "rivet");
		const frames: (string | ArrayBuffer)[] = [];
		client.onmessage = ({ data }) => frames.push(data);
		const closed = await new Promise((resolve) => {
			client.onclose = ({ code, reason }) => resolve([code, reason]);
		});
		expect(closed).toEqual([1011, "actor.not_found"]);
		expect(frames.map((frame) => decodeToClient("json", String(frame)))).toEqual([
			expect.objectContaining({ tag: "Error", code: "not_found" }),
		]);
	});
});
