/**
 * What the gateway costs: the engine with a host that only answers, against bare node:http and ws.
 * Rounds of both alternate; medians of rates and of server CPU per operation are printed.
 *
 *     node --conditions=@rivetkit/source benchmarks/gateway/main.ts [rounds]
 */
import { type ChildProcess, fork } from "node:child_process";
import { connect } from "node:net";
import { WebSocket } from "ws";

const ROUNDS = Number(process.argv[2] ?? 7);
const KINDS = ["bare", "engine"] as const;
type Kind = (typeof KINDS)[number];

interface Server {
	readonly kind: Kind;
	readonly process: ChildProcess;
	readonly url: URL;
	readonly httpPath: string;
	readonly socketUrl: string;
}

interface Measured {
	readonly operations: number;
	readonly seconds: number;
	readonly cpuMicroseconds: number;
}

async function start(kind: Kind): Promise<Server> {
	const child = fork(new URL("./server.ts", import.meta.url), [kind], {
		execArgv: ["--conditions=@rivetkit/source"],
	});
	const subject = await new Promise<{ url: string; httpPath: string; socketPath: string }>(
		(resolve) => child.once("message", resolve as (value: unknown) => void),
	);
	const socketUrl = subject.url.replace("http", "ws") + subject.socketPath;
	return { kind, process: child, url: new URL(subject.url), httpPath: subject.httpPath, socketUrl };
}

async function measured(server: Server, run: () => Promise<number>): Promise<Measured> {
	const cpu = () =>
		new Promise<number>((resolve) => {
			server.process.once("message", resolve as (value: unknown) => void);
			server.process.send("cpu");
		});
	await cpu();
	const startMs = performance.now();
	const operations = await run();
	const seconds = (performance.now() - startMs) / 1000;
	return { operations, seconds, cpuMicroseconds: await cpu() };
}

/** 64 connections, one call in flight on each. */
async function http(server: Server): Promise<number> {
	const calls = 30_000;
	const body = '{"args":[1]}';
	const request = Buffer.from(
		`POST ${server.httpPath} HTTP/1.1\r\nhost: ${server.url.host}\r\nx-rivet-encoding: json\r\ncontent-type: application/json\r\nuser-agent: bench\r\naccept: */*\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
	);
	let left = calls;
	const connection = () =>
		new Promise<void>((resolve, reject) => {
			const socket = connect(Number(server.url.port), "127.0.0.1", () => {
				left--;
				socket.write(request);
			});
			socket.setNoDelay();
			socket.on("error", reject);
			socket.on("data", () => {
				if (left-- > 0) {
					socket.write(request);
				} else {
					socket.destroy();
					resolve();
				}
			});
		});
	await Promise.all(Array.from({ length: 64 }, connection));
	return calls;
}

function openSockets(server: Server, count: number): Promise<WebSocket[]> {
	return Promise.all(
		Array.from(
			{ length: count },
			() =>
				new Promise<WebSocket>((resolve, reject) => {
					const socket = new WebSocket(server.socketUrl, { perMessageDeflate: false });
					socket.on("error", reject);
					socket.on("open", () => resolve(socket));
				}),
		),
	);
}

async function closeSockets(sockets: WebSocket[]): Promise<void> {
	await Promise.all(
		sockets.map(
			(socket) =>
				new Promise((resolve) => {
					socket.on("close", resolve);
					socket.close();
				}),
		),
	);
}

/** Echoes over some sockets, 64 in flight in all. */
function echo(socketCount: number) {
	return async (server: Server): Promise<number> => {
		const messages = 60_000;
		const sockets = await openSockets(server, socketCount);
		let left = messages;
		await new Promise<void>((resolve) => {
			let inFlight = 0;
			for (const socket of sockets) {
				socket.on("message", () => {
					inFlight--;
					if (left-- > 0) {
						inFlight++;
						socket.send("m".repeat(40));
					} else if (inFlight === 0) {
						resolve();
					}
				});
				for (let index = 0; index < 64 / socketCount; index++) {
					left--;
					inFlight++;
					socket.send("m".repeat(40));
				}
			}
		});
		await closeSockets(sockets);
		return messages;
	};
}

/** Rounds of events to 1,000 sockets, counted as delivered events. */
function broadcast(eventCount: number) {
	return async (server: Server): Promise<number> => {
		const rounds = Math.ceil(60 / eventCount) + 10;
		// Received bytes are counted on raw sockets, so that the client is not what is measured.
		const delivered = 1000 * rounds * eventCount;
		const frameBytes = 102;
		const sockets = await openSockets(server, 1000);
		let bytes = 0;
		const all = new Promise<void>((resolve) => {
			for (const socket of sockets) {
				const raw = (socket as unknown as { _socket: import("node:net").Socket })._socket;
				raw.removeAllListeners("data");
				raw.on("data", (chunk: Buffer) => {
					bytes += chunk.byteLength;
					if (bytes === delivered * frameBytes) {
						resolve();
					}
				});
			}
		});
		const startMs = performance.now();
		server.process.send(`broadcast ${rounds} ${eventCount}`);
		await all;
		broadcastSeconds = (performance.now() - startMs) / 1000;
		for (const socket of sockets) {
			socket.terminate();
		}
		return delivered;
	};
}
/** Time of the deliveries alone, without opening the sockets. */
let broadcastSeconds: number | undefined;

const median = (values: number[]): number => values.sort((a, b) => a - b)[values.length >> 1]!;

const scenarios: [name: string, run: (server: Server) => Promise<number>][] = [
	["http, 64 connections", http],
	["echo, 1 socket, 64 in flight", echo(1)],
	["echo, 64 sockets", echo(64)],
	["broadcast to 1,000, 1 event a turn", broadcast(1)],
	["broadcast to 1,000, 10 events a turn", broadcast(10)],
];

const servers = await Promise.all(KINDS.map(start));
for (const [name, run] of scenarios) {
	const results = new Map<Kind, Measured[]>(KINDS.map((kind) => [kind, []]));
	for (let round = -1; round < ROUNDS; round++) {
		for (const server of servers) {
			broadcastSeconds = undefined;
			const result = await measured(server, () => run(server));
			if (round >= 0) {
				const seconds = broadcastSeconds ?? result.seconds;
				results.get(server.kind)!.push({ ...result, seconds });
			}
		}
	}
	const rate = (kind: Kind) =>
		median(results.get(kind)!.map(({ operations, seconds }) => operations / seconds));
	const cpu = (kind: Kind) =>
		median(
			results.get(kind)!.map(({ operations, cpuMicroseconds }) => cpuMicroseconds / operations),
		);
	const line = KINDS.map(
		(kind) => `${kind} ${Math.round(rate(kind))}/s ${cpu(kind).toFixed(2)} us`,
	).join("  ");
	console.log(`${name.padEnd(38)} ${line}  ratio ${(rate("engine") / rate("bare")).toFixed(2)}`);
}
for (const server of servers) {
	server.process.disconnect();
}
