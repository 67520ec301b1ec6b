/**
 * One server in a process of its own: `bare` is plain node:http and ws, `engine` is the engine with a
 * host that does nothing but answer. Argument: which. Tells its address, then answers `cpu` with the
 * CPU time (microseconds) since the last time, and obeys `broadcast <rounds> <events>`.
 */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { createEngine, createMemoryStore } from "@rivetkit/engine";
import type { ActorSocket } from "@rivetkit/protocol";
import { type WebSocket, WebSocketServer } from "ws";

interface Subject {
	readonly url: string;
	readonly httpPath: string;
	readonly socketPath: string;
	/** Sends this many events of 100 characters to every socket. */
	broadcast(eventCount: number): void;
}

const EVENT = "e".repeat(100);
const JSON_HEADERS = { "content-type": "application/json" };

async function bare(): Promise<Subject> {
	let count = 0;
	const server = createServer((message, response) => {
		const chunks: Buffer[] = [];
		message.on("data", (chunk: Buffer) => chunks.push(chunk));
		message.on("end", () => {
			const body = JSON.stringify({ output: ++count });
			response.writeHead(200, { ...JSON_HEADERS, "content-length": Buffer.byteLength(body) });
			response.end(body);
		});
	});
	const sockets = new WebSocketServer({ server, perMessageDeflate: false });
	sockets.on("connection", (socket: WebSocket) => {
		socket.on("message", (data, isBinary) => socket.send(data, { binary: isBinary }));
	});
	await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
	return {
		url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
		httpPath: "/action/increment",
		socketPath: "/",
		broadcast(eventCount) {
			for (let event = 0; event < eventCount; event++) {
				for (const socket of sockets.clients) {
					socket.send(EVENT);
				}
			}
		},
	};
}

async function engine(): Promise<Subject> {
	const store = createMemoryStore();
	const engine = createEngine({ store, version: "0" });
	const sockets: ActorSocket[] = [];
	let count = 0;
	engine.attachHost(
		{
			async start({ actorId, generation }) {
				await store.commit({ actorId, generation, ops: [], record: { initialised: true } });
			},
			async stop() {},
			async request(_actorId, request) {
				await request.body.bytes(65_536);
				return { status: 200, headers: JSON_HEADERS, body: JSON.stringify({ output: ++count }) };
			},
			async openSocket(_actorId, _upgrade, socket) {
				sockets.push(socket);
				socket.listen({
					onMessage: (message) => socket.send(message),
					onClose: () => sockets.splice(sockets.indexOf(socket), 1),
				});
			},
		},
		{ actorNames: { counter: {} } },
	);
	const { actor } = await engine.resolve({
		kind: "getOrCreate",
		name: "counter",
		key: ["a"],
		input: null,
	});
	const { url } = await engine.listen({ port: 0 });
	return {
		url,
		httpPath: `/gateway/${actor.actorId}/action/increment`,
		socketPath: `/gateway/${actor.actorId}/websocket`,
		broadcast(eventCount) {
			for (let event = 0; event < eventCount; event++) {
				const prepared = sockets[0]!.prepare(EVENT);
				for (const socket of sockets) {
					socket.sendPrepared(prepared);
				}
			}
		},
	};
}

const subject = await (process.argv[2] === "bare" ? bare() : engine());
let last = process.cpuUsage();
process.on("message", async (message: string) => {
	const [command, rounds, events] = message.split(" ");
	if (command === "broadcast") {
		for (let round = 0; round < Number(rounds); round++) {
			subject.broadcast(Number(events));
			await new Promise((resolve) => setImmediate(resolve));
		}
		return;
	}
	const { user, system } = process.cpuUsage(last);
	last = process.cpuUsage();
	process.send!(user + system);
});
process.on("disconnect", () => process.exit(0));
process.send!({ ...subject });
