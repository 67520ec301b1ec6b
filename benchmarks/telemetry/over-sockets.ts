import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { HttpConnection } from "../src/load/http-connection.ts";
import { Pipeline } from "../src/load/pipeline.ts";
import {
	type ActorName,
	actionRequest,
	createActors,
	incrementRequest,
	sendRequest,
} from "../src/scenarios/actors.ts";
import { wires } from "../src/wire.ts";
import { type Series, tracesOf, turnsOf } from "./comparison.ts";
import { SETTINGS, type ServerRequest } from "./server-request.ts";

const WARM_UP_ROUNDS = 8;
/**
 * Calls that are sent together; the next ones when all are answered. Where each answer leads to the next call, how many
 * come together depends on how long an answer takes, and with it what one costs: a call is cheaper in a larger transaction.
 */
const AT_A_TIME = 64;

/** Does so many calls. */
type Load = (calls: number) => Promise<void>;

interface Scenario {
	readonly title: string;
	/** Calls of a turn: some 30 ms, so that what else the machine does hits neighbours alike. */
	readonly calls: number;
	prepare(port: number): Promise<Load>;
}

const SCENARIOS: readonly Scenario[] = [
	{
		title: "HTTP, 100 actors, 64 connections",
		calls: 640,
		prepare: (port) => http(port, "counter", 100, (id) => incrementRequest(id, 1)),
	},
	{
		title: "HTTP, messages into the queues of 20 actors that receive them, 64 connections",
		calls: 320,
		prepare: (port) => http(port, "worker", 20, (id) => sendRequest(id, 1)),
	},
	{
		title: "HTTP, rows into the databases of 20 actors, 64 connections",
		calls: 320,
		prepare: (port) => http(port, "ledger", 20, (id) => actionRequest(id, "enter", 1)),
	},
	{
		title: "WebSocket, 1 connection, 64 calls at a time",
		calls: 2_560,
		prepare: (port) => webSocket(port, 1, "increment"),
	},
	{
		title: "WebSocket, 1 connection, 64 calls at a time that wait",
		calls: 2_560,
		prepare: (port) => webSocket(port, 1, "incrementLater"),
	},
	{
		title: "WebSocket, 64 connections, 1 call at a time",
		calls: 1_280,
		prepare: (port) => webSocket(port, 64, "increment"),
	},
];

export interface Measured {
	readonly title: string;
	readonly series: readonly Series[];
}

/**
 * Calls over real sockets to one server process that has the same registry once for each setting, in short turns: the
 * processor time of its event loop per call, which is what bounds how many it can do.
 */
export async function measureOverSockets(rounds: number, storage: string): Promise<Measured[]> {
	const server = await Server.start(storage);
	try {
		const measured: Measured[] = [];
		for (const { title, calls, prepare } of SCENARIOS) {
			const share = await shareOf(server, await prepare(server.ports[0]!), calls);
			await server.limitTraces(share);
			const loads: Load[] = [];
			for (const port of server.ports) loads.push(await prepare(port));
			measured.push({ title, series: await takeTurns(server, loads, calls, rounds) });
		}
		return measured;
	} finally {
		await server.stop();
	}
}

async function takeTurns(
	server: Server,
	loads: readonly Load[],
	calls: number,
	rounds: number,
): Promise<Series[]> {
	const micros: number[][] = loads.map(() => []);
	for (let round = -WARM_UP_ROUNDS; round < rounds; round++) {
		for (const which of turnsOf(round + WARM_UP_ROUNDS, loads.length)) {
			const before = await server.processorTime();
			await loads[which]!(calls);
			const used = (await server.processorTime()) - before;
			if (round >= 0) micros[which]!.push(used / calls);
		}
	}
	return SETTINGS.map((setting, which) => ({ setting, micros: micros[which]! }));
}

/** The part of a second that the event loop of the server works for one setting, while the machine is as it is now. */
async function shareOf(server: Server, load: Load, calls: number): Promise<number> {
	await load(calls * WARM_UP_ROUNDS);
	const before = await server.processorTime();
	const beganMs = performance.now();
	await load(calls * WARM_UP_ROUNDS);
	const usedMs = ((await server.processorTime()) - before) / 1_000;
	return usedMs / (performance.now() - beganMs) / server.ports.length;
}

/** The server process. It answers each message with one. */
class Server {
	readonly #child: ChildProcess;
	#ports: readonly number[] = [];

	private constructor(child: ChildProcess) {
		this.#child = child;
	}

	static async start(storage: string): Promise<Server> {
		const { NODE_OPTIONS: _, ...environment } = process.env;
		const child = fork(fileURLToPath(new URL("./server.ts", import.meta.url)), {
			execArgv: ["--disable-warning=ExperimentalWarning"],
			env: { ...environment, BENCH_STORAGE: storage },
		});
		const server = new Server(child);
		await server.limitTraces(1);
		return server;
	}

	/** In the order of {@link SETTINGS}. */
	get ports(): readonly number[] {
		return this.#ports;
	}

	/** Starts the registries anew, with so many of a second's traces. */
	async limitTraces(share: number): Promise<void> {
		this.#ports = (await this.#ask({ maxPerSecond: tracesOf(share) })) as readonly number[];
	}

	/** Microseconds of its event loop since it began. */
	async processorTime(): Promise<number> {
		return (await this.#ask({})) as number;
	}

	#ask(message: ServerRequest): Promise<unknown> {
		const child = this.#child;
		return new Promise((resolve, reject) => {
			const ended = (code: number | null) => reject(new Error(`the server ended with ${code}`));
			child.once("exit", ended);
			child.once("message", (answer) => {
				child.off("exit", ended);
				resolve(answer);
			});
			child.send(message);
		});
	}

	async stop(): Promise<void> {
		const child = this.#child;
		const gone = new Promise((resolve) => child.once("exit", resolve));
		if (child.exitCode !== null || child.signalCode !== null) return;
		child.kill("SIGKILL");
		await gone;
	}
}

async function http(
	port: number,
	name: ActorName,
	actors: number,
	requestOf: (actorId: string) => Buffer,
): Promise<Load> {
	const ids = await createActors(port, "http-", actors, name);
	const requests = ids.map(requestOf);
	const connections = await Promise.all(
		Array.from({ length: AT_A_TIME }, () => HttpConnection.open(port)),
	);
	let next = 0;
	return async (calls) => {
		for (const end = next + calls; next < end; ) {
			await Promise.all(
				connections.map((connection) => connection.call(requests[next++ % actors]!)),
			);
		}
	};
}

async function webSocket(port: number, connections: number, action: string): Promise<Load> {
	const [id] = await createActors(port, `ws-${connections}-${action}-`, 1);
	const pipelines = await Promise.all(
		Array.from({ length: connections }, () => Pipeline.open(port, id!, wires.bare)),
	);
	return (calls) =>
		new Promise<void>((resolve, reject) => {
			let left = calls;
			let unanswered = 0;
			const burst = (): void => {
				unanswered = AT_A_TIME;
				left -= AT_A_TIME;
				for (let at = 0; at < AT_A_TIME; at++) pipelines[at % connections]!.begin(action, [1]);
			};
			for (const pipeline of pipelines) {
				pipeline.onFailure(reject);
				pipeline.onReply(() => {
					if (--unanswered > 0) return;
					if (left > 0) burst();
					else resolve();
				});
			}
			burst();
		});
}
