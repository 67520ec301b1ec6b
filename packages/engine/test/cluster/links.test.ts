// The one connection between two nodes, against a node that says what a test wants.
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { systemClock, systemRandom } from "@rivetkit/protocol";
import { expect, it, onTestFinished } from "vitest";
import { WebSocket } from "ws";
import { ClusterCounters } from "../../src/cluster/cluster-counters.ts";
import { Handshake, type Hello } from "../../src/cluster/handshake.ts";
import { encodeMessage, type LinkCall } from "../../src/cluster/link-messages.ts";
import { Links } from "../../src/cluster/links.ts";
import type { NodeLink } from "../../src/cluster/node-link.ts";
import { ScriptedNode } from "./support/scripted-node.ts";

const SECRET = "a secret";
const OLDEST = 0;
const OLDER = 1;
const READY: LinkCall = { do: "ready", actorId: "a", waitMs: 1_000 };

async function linked(
	prepare: (node: ScriptedNode) => void = () => {},
	secret = SECRET,
	silenceMs = 5_000,
) {
	const node = await ScriptedNode.start(secret);
	prepare(node);
	const called: LinkCall[] = [];
	const log: string[] = [];
	const opened: NodeLink[] = [];
	const noted = (_fields: unknown, message: string) => void log.push(message);
	const links = new Links({
		secret: SECRET,
		clock: systemClock(),
		random: systemRandom(),
		logger: { debug: noted, info: noted, warn: noted, error: noted },
		counters: new ClusterCounters(),
		silenceMs,
		epoch: () => 2,
		onOpen: (link) => opened.push(link),
		handler: {
			called: async (_link, call) => {
				called.push(call);
				return { is: "elsewhere" };
			},
			news: () => {},
			deed: () => {},
			ended: () => {},
			lost: () => {},
		},
	});
	onTestFinished(async () => {
		await links.close();
		await node[Symbol.asyncDispose]();
	});
	links.know([
		{
			epoch: OLDER,
			name: "older",
			address: node.address,
			version: "",
			names: [],
			actors: 0,
			isDraining: false,
		},
	]);
	return { node, links, called, log, opened };
}

it("hears what comes in one piece with the welcome", async () => {
	const { node, links, called } = await linked((older) => {
		older.withWelcome = [{ is: "call", id: 1, call: READY }];
	});
	await links.to(OLDER, 2_000);
	await expect.poll(() => called).toEqual([READY]);
	await expect
		.poll(() => node.received)
		.toEqual([{ is: "answer", id: 1, value: { is: "elsewhere" } }]);
});

it("a call that is not answered in time ends with an error, and the other node is told", async () => {
	const { node, links } = await linked();
	const link = await links.to(OLDER, 2_000);
	await expect(link.call(READY, { waitMs: 50 })).rejects.toMatchObject({
		group: "guard",
		code: "tunnel_message_timeout",
		statusCode: 504,
	});
	await expect.poll(() => node.received.at(-1)).toEqual({ is: "abort", id: 1 });
	// What comes too late disturbs nobody.
	node.send({ is: "answer", id: 1, value: { is: "elsewhere" } });
	const next = link.call(READY, { waitMs: 2_000 });
	node.send({ is: "answer", id: 2, value: { is: "elsewhere" } });
	expect(await next).toEqual({ is: "elsewhere" });
});

it("an answer that comes too late is given to who has to undo it", async () => {
	const { node, links } = await linked();
	const link = await links.to(OLDER, 2_000);
	const late: unknown[] = [];
	const call = link.call(READY, { waitMs: 50, onLate: (value) => late.push(value) });
	await expect(call).rejects.toThrow();
	node.send({ is: "answer", id: 1, value: "sockets" });
	await expect.poll(() => late).toEqual(["sockets"]);
});

it("a caller that is gone before its call is sent is told to the other node", async () => {
	const { node, links } = await linked();
	const link = await links.to(OLDER, 2_000);
	const call = link.call(READY, { waitMs: 200, signal: AbortSignal.abort() });
	await expect.poll(() => node.received.at(-1)).toEqual({ is: "abort", id: 1 });
	await expect(call).rejects.toThrow();
});

it("a message that cannot be read ends the link, and whoever waits for it hears of that", async () => {
	const { node, links, log } = await linked();
	const link = await links.to(OLDER, 2_000);
	const waiting = link.call(READY, { waitMs: 5_000 });
	node.sendBytes(Uint8Array.of(0xff, 0xff));
	await expect(waiting).rejects.toThrow(/link to node 1 is lost/);
	expect(log).toContainEqual(expect.stringContaining("could not be dealt with"));
	// And another one is made.
	expect(await links.to(OLDER, 2_000)).not.toBe(link);
});

it("a stream waits for its reader: what nobody takes is not sent", async () => {
	const { node, links } = await linked();
	const link = await links.to(OLDER, 2_000);
	const head = { status: 200, statusText: null, headers: {}, body: null, isStream: true };
	const answer = link.request(READY, { waitMs: 2_000 });
	node.send({ is: "answer", id: 1, value: head });
	node.send({ is: "part", id: 1, bytes: Uint8Array.of(1, 2, 3) });
	node.send({ is: "part", id: 1, bytes: Uint8Array.of(4) });
	node.send({ is: "part", id: 1, bytes: null });
	const { stream } = (await answer) as { stream: ReadableStream<Uint8Array> };
	const taken = () => node.received.filter(({ is }) => is === "taken");
	const reader = stream.getReader();
	expect((await reader.read()).value).toEqual(Uint8Array.of(1, 2, 3));
	await expect.poll(taken).toEqual([{ is: "taken", id: 1, bytes: 3 }]);
	expect((await reader.read()).value).toEqual(Uint8Array.of(4));
	expect((await reader.read()).done).toBe(true);
	await expect.poll(() => taken().length).toBe(2);
});

it("a node that does not know the secret gets no link from the one that calls it", async () => {
	const { node, links, log } = await linked((older) => {
		older.withWelcome = [{ is: "call", id: 1, call: READY }];
	}, "another secret");
	await expect.poll(() => log).toContain("a node cannot be reached");
	expect(links.isOpen(OLDER)).toBe(false);
	expect(node.received).toEqual([]);
});

it.each([
	["a stranger is refused, and nothing that it says is heard", "another secret", 2],
	["one that looks for another life of this node is refused", SECRET, 7],
	["one that knows the secret is linked, and heard", SECRET, 2],
])("%s", async (_what, secret, to) => {
	const { links, called, log } = await linked();
	const port = await links.listen("127.0.0.1", 0);
	const socket = new WebSocket(`ws://127.0.0.1:${port}/rivetkit/node`);
	onTestFinished(() => socket.terminate());
	const closed = new Promise<void>((resolve) => socket.on("close", () => resolve()));
	socket.once("message", (data: Buffer) => {
		const hello = JSON.parse(String(data)) as Hello;
		const stranger = new Handshake(secret, systemRandom());
		socket.send(JSON.stringify(stranger.introduce(hello, 3, to)));
		socket.send(encodeMessage({ is: "call", id: 1, call: READY }));
	});
	if (secret === SECRET && to === 2) {
		await expect.poll(() => called).toEqual([READY]);
		expect(links.isOpen(3)).toBe(true);
		return;
	}
	await closed;
	expect(log).toContain("a connection to this node was refused");
	expect(links.isOpen(3)).toBe(false);
	expect(called).toEqual([]);
});

it("closes though strangers say nothing, and a node that it calls does not answer", async () => {
	const { links } = await linked();
	const port = await links.listen("127.0.0.1", 0);
	const stranger = connect(port, "127.0.0.1");
	const mute = createServer((socket) => socket.on("error", () => {}));
	mute.listen(0, "127.0.0.1");
	await Promise.all([once(stranger, "connect"), once(mute, "listening")]);
	onTestFinished(() => void mute.close());
	links.know([
		{
			epoch: OLDEST,
			name: "mute",
			address: `127.0.0.1:${(mute.address() as AddressInfo).port}`,
			version: "",
			names: [],
			actors: 0,
			isDraining: false,
		},
	]);
	const [called] = await once(mute, "connection");
	const gone = Promise.all([once(called, "close"), once(stranger, "close")]);
	called.resume();
	await links.close();
	await gone;
});

/** A message in pieces that come so slowly that it takes several times as long as a link may be silent. */
async function trickle(socket: WebSocket, masks: boolean): Promise<void> {
	const message = encodeMessage({ is: "call", id: 1, call: READY });
	// A mask of zeros.
	const head = masks ? [0x82, 0x80 | message.length, 0, 0, 0, 0] : [0x82, message.length];
	const bytes = Buffer.concat([Buffer.from(head), message]);
	const { _socket: stream } = socket as unknown as { _socket: Socket };
	for (const byte of bytes) {
		stream.write(Uint8Array.of(byte));
		await new Promise((resolve) => setTimeout(resolve, (4 * SHORT_MS) / bytes.length));
	}
}
const SHORT_MS = 1_000;

it("a message that comes slowly from the node that was called does not end the link", async () => {
	const { node, links, called, opened } = await linked(() => {}, SECRET, SHORT_MS);
	await links.to(OLDER, 2_000);
	await trickle(node.socket, false);
	await expect.poll(() => called).toEqual([READY]);
	expect(opened).toHaveLength(1);
});

it("a message that comes slowly from the node that calls does not end the link", async () => {
	const { links, called } = await linked(() => {}, SECRET, SHORT_MS);
	const port = await links.listen("127.0.0.1", 0);
	const socket = new WebSocket(`ws://127.0.0.1:${port}/rivetkit/node`, { autoPong: false });
	onTestFinished(() => socket.terminate());
	const [hello] = await once(socket, "message");
	const caller = new Handshake(SECRET, systemRandom());
	const welcomed = once(socket, "message");
	socket.send(JSON.stringify(caller.introduce(JSON.parse(String(hello)) as Hello, 3, 2)));
	await welcomed;
	await trickle(socket, true);
	await expect.poll(() => called).toEqual([READY]);
	expect(links.isOpen(3)).toBe(true);
});
