// Sockets of this node's clients that somebody on another node has: what is kept of them here, and told there.
import type {
	ActorSocket,
	ActorSocketHandler,
	ActorUpgrade,
	Clock,
	PlainSocket,
} from "@rivetkit/protocol";
import { expect, it } from "vitest";
import type { SocketNews } from "../../src/cluster/link-messages.ts";
import { LinkSocket } from "../../src/cluster/link-socket.ts";
import type { NodeLink } from "../../src/cluster/node-link.ts";
import { type LinkLimits, RemoteNode } from "../../src/cluster/remote-node.ts";

const UPGRADE: ActorUpgrade = {
	path: "/connect",
	headers: { get: () => null, entries: () => [] },
	protocols: [],
};
const CLOSED = { closed: [1011, "no", true] };

function remote() {
	const told: [key: number, news: SocketNews][] = [];
	/** Lets what was told leave. */
	const leaves: (() => void)[] = [];
	const link = {
		call: async () => null,
		news(key: number, news: SocketNews, sent?: () => void) {
			told.push([key, news]);
			if (sent) leaves.push(sent);
		},
	} as unknown as NodeLink;
	const node = new RemoteNode({ link, clock: {} as Clock, limits: {} as LinkLimits });
	const closes: unknown[] = [];
	const heard: { by?: ActorSocketHandler } = {};
	const socket = {
		close: (...args: unknown[]) => closes.push(args),
		listen(handler: ActorSocketHandler) {
			heard.by = handler;
		},
		hold() {},
		release() {},
	} as unknown as ActorSocket;
	return { node, told, leaves, closes, socket, heard };
}

it("a socket that an actor over there refuses is nobody's: that is told, and nothing of it is kept", async () => {
	const { node, told, closes, socket } = remote();
	await node.openSocket("a", UPGRADE, socket);
	expect(node.hasSocketsOf("a")).toBe(true);
	node.deed(1, { do: "close", code: 1011, reason: "no" });
	expect(closes).toEqual([[1011, "no"]]);
	expect(told).toEqual([[1, CLOSED]]);
	expect(node.hasSocketsOf("a")).toBe(false);
});

it.each(["listen", "hold"] as const)(
	"%s: who closes a socket that it has taken hears of the end when it has come",
	async (what) => {
		const { node, told, socket } = remote();
		await node.openSocket("a", UPGRADE, socket);
		node.deed(1, { do: what });
		node.deed(1, { do: "close", code: 1011, reason: "no" });
		expect(told).toEqual([]);
		expect(node.hasSocketsOf("a")).toBe(true);
	},
);

it.each([
	["that is not held is forgotten when its client leaves", false],
	["that is held stays until the actor has dealt with its client's leaving", true],
])("a socket %s", async (_what, isHeld) => {
	const { node, told, socket, heard } = remote();
	await node.openSocket("a", UPGRADE, socket);
	if (isHeld) node.deed(1, { do: "hold" });
	node.deed(1, { do: "listen" });
	heard.by!.onClose(1000, "bye", true);
	expect(told).toEqual([[1, { closed: [1000, "bye", true] }]]);
	expect(node.hasSocketsOf("a")).toBe(isHeld);
	node.deed(1, { do: "release" });
	expect(node.hasSocketsOf("a")).toBe(false);
});

it("a held socket that its actor closes is forgotten when its client is gone: nobody need release it", async () => {
	const { node, told, socket, heard } = remote();
	await node.openSocket("a", UPGRADE, socket);
	node.deed(1, { do: "hold" });
	node.deed(1, { do: "listen" });
	node.deed(1, { do: "close", code: 1000, reason: "done" });
	expect(node.hasSocketsOf("a")).toBe(true);
	heard.by!.onClose(1000, "done", true);
	expect(told).toEqual([[1, { closed: [1000, "done", true] }]]);
	expect(node.hasSocketsOf("a")).toBe(false);
});

it("who is not let look at an actor over there is nobody there either", async () => {
	const { node, told, closes, socket } = remote();
	await node.openInspector("a", UPGRADE, socket as PlainSocket);
	node.deed(1, { do: "close", code: 1011, reason: "no" });
	expect(closes).toEqual([[1011, "no"]]);
	expect(told).toEqual([[1, CLOSED]]);
});

it("a socket that is over tells so to who listens later", async () => {
	const link = { deed() {} } as unknown as NodeLink;
	const socket = new LinkSocket(link, {
		key: 1,
		id: "",
		protocol: "",
		sentCount: 0,
		isInterrupted: false,
		canHibernate: false,
	});
	socket.close(1011, "no");
	socket.heard({ closed: [1011, "no", true] });
	const heard = await new Promise((resolve) =>
		socket.listen({ onMessage() {}, onClose: (...args) => resolve(args) }),
	);
	expect(heard).toEqual([1011, "no", true]);
});

const MIB = new Uint8Array(1024 * 1024);

it.each(["an actor", "an inspector"])(
	"a client of %s that sends faster than the link takes it is closed, and the link stays",
	async (whose) => {
		const { node, told, leaves, closes, socket, heard } = remote();
		if (whose === "an actor") await node.openSocket("a", UPGRADE, socket);
		else await node.openInspector("a", UPGRADE, socket as PlainSocket);
		node.deed(1, { do: "listen" });
		for (let index = 0; index < 200; index++) {
			heard.by!.onMessage(MIB, index);
			leaves.shift()?.();
		}
		expect([told.length, closes]).toEqual([200, []]);
		for (let index = 0; index < 129; index++) heard.by!.onMessage(MIB, index);
		const refused = [1011, "guard.tunnel_backlog_full"];
		expect([told.length, closes]).toEqual([328, [refused]]);
		// Of what it sends until it is gone nothing comes through, for there is a gap before it.
		for (const leave of leaves) leave();
		heard.by!.onMessage(MIB, 129);
		expect([told.length, closes]).toEqual([328, [refused]]);
	},
);

it("of many clients that send faster than the link takes it those go on that send little", async () => {
	const { node, told, closes, socket, heard } = remote();
	const clients: ActorSocketHandler[] = [];
	for (let key = 1; key <= 4; key++) {
		await node.openSocket("a", UPGRADE, socket);
		node.deed(key, { do: "listen" });
		clients.push(heard.by!);
	}
	for (let index = 0; index < 70; index++) {
		for (const client of clients.slice(0, 3)) client.onMessage(MIB, index);
	}
	expect(closes).toHaveLength(3);
	expect(told.length).toBeLessThan(200);
	for (let index = 0; index < 50; index++) clients[3]!.onMessage("hello", index);
	expect(closes).toHaveLength(3);
});
