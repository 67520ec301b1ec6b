// Sockets of one node's clients that an actor on another node has, when the link between the two is not there.
import type { ActorSocket } from "@rivetkit/protocol";
import { expect, it, onTestFinished } from "vitest";
import { WebSocket } from "ws";
import { linkedPair } from "./support/linked-pair.ts";

function connect(url: string, actorId: string) {
	const socket = new WebSocket(`${url.replace("http", "ws")}/gateway/${actorId}/websocket`);
	onTestFinished(() => socket.terminate());
	const closed = new Promise<number>((resolve) => socket.on("close", resolve));
	return { socket, closed, opened: new Promise((resolve) => socket.once("open", resolve)) };
}

it("a client that its actor could not be asked about is told when the link is there again", async () => {
	const { one, two, relay, open, actorId } = await linkedPair();
	const held: ActorSocket[] = [];
	two.host.onSocket = (_upgrade, socket) => {
		socket.listen({ onMessage: () => {}, onClose: () => {} });
		socket.hold();
		held.push(socket);
	};
	const client = connect(one.url, actorId);
	await client.opened;
	await expect.poll(() => held.length).toBe(1);
	const { generation } = (await two.node.store.actorById(actorId))!;
	await two.node.store.commit({ actorId, generation, ops: [], record: { connected: true } });
	relay.cut();
	await expect.poll(() => two.host.stops.length).toBe(1);
	// It begins anew, and the other node cannot be asked which sockets it holds.
	expect(await two.get(actorId)).toMatch(`200 ${two.name} `);
	expect(two.log.map(({ message }) => message)).toContainEqual(
		expect.stringContaining("taken for lost"),
	);
	expect(client.socket.readyState).toBe(WebSocket.OPEN);
	relay.mend();
	await expect.poll(open).toEqual([1, 1]);
	expect(await client.closed).toBe(1001);
});

it("an actor sees how far a client of another node is behind, and when it has caught up", async () => {
	const { one, two, actorId } = await linkedPair();
	const held: ActorSocket[] = [];
	two.host.onSocket = (_upgrade, socket) => {
		socket.listen({ onMessage: () => {}, onClose: () => {} });
		held.push(socket);
	};
	const slow = connect(one.url, actorId);
	await slow.opened;
	await expect.poll(() => held.length).toBe(1);
	const [socket] = held as [ActorSocket];
	slow.socket.pause();
	const message = new Uint8Array(1024 * 1024);
	for (let sent = 0; sent < 16; sent++) socket.send(message);
	await expect.poll(() => socket.bufferedBytes).toBeGreaterThan(1024 * 1024);
	// Others on the same link are not behind.
	const other = connect(one.url, actorId);
	await other.opened;
	await expect.poll(() => held.length).toBe(2);
	held[1]!.send("hello");
	expect(held[1]!.bufferedBytes).toBe(0);
	slow.socket.resume();
	await expect.poll(() => socket.bufferedBytes).toBeLessThan(64 * 1024);
});
