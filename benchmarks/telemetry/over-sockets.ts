import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { HttpConnection } from "../src/load/http-connection.ts";
import { Pipeline } from "../src/load/pipeline.ts";
import { pin } from "../src/pin.ts";
import {
	type ActorName,
	actionRequest,
	createActors,
	incrementRequest,
	sendRequest,
} from "../src/scenarios/actors.ts";
import { wires } from "../src/wire.ts";
import { type Series, tracesOf, turnsOf } from "./comparison.ts";
import { SETTINGS, type ServerRequest, type Setting } from "./server-request.ts";

/** Before it a process has not compiled all that it will: most of what records runs for one call in a hundred only. */
const WARM_UP_MS = 8_000;
/** Else V8 gives some processes one of half the size, which are collected more than twice as often. */
const YOUNG_GENERATION = ["--min-semi-space-size=32", "--max-semi-space-size=32"];
/** Of the look at how much of a second one server works. */
const SHARE_ROUNDS = 40;
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

export interface Plan {
	/** Turns of each setting in one launch. */
	readonly rounds: number;
	/** How often the processes are started anew. */
	readonly launches: number;
	/** What is in the titles of the scenarios. */
	readonly scenario: string;
	/** Where all servers run; null for anywhere. */
	readonly serversProcessor: number | null;
}

/** How servers are started. */
interface Terms {
	readonly storage: string;
	readonly maxPerSecond: number;
	readonly serversProcessor: number | null;
}

/**
 * Calls over real sockets to server processes with a setting each, in short turns: the processor time of the event loop
 * per call, which is what bounds how many it can do.
 */
export async function measureOverSockets(plan: Plan, storage: string): Promise<Measured[]> {
	const scenarios = SCENARIOS.filter(({ title }) => title.includes(plan.scenario));
	if (scenarios.length === 0) throw new Error(`no scenario is called ${plan.scenario}`);
	const measured: Measured[] = [];
	for (const scenario of scenarios) {
		const micros: number[][][] = SETTINGS.map(() => []);
		const { serversProcessor } = plan;
		const share = await shareOf(scenario, { storage, maxPerSecond: 1, serversProcessor });
		const terms = { storage, maxPerSecond: tracesOf(share), serversProcessor };
		for (let launch = 0; launch < plan.launches; launch++) {
			const taken = await measureLaunch(scenario, plan.rounds, launch, terms);
			for (const [which, values] of taken.entries()) micros[which]!.push(values);
		}
		const series = SETTINGS.map((setting, which) => ({ setting, micros: micros[which]! }));
		measured.push({ title: scenario.title, series });
	}
	return measured;
}

/** One list of values for each setting. The one that is started first is not the same one in each launch. */
async function measureLaunch(
	{ calls, prepare }: Scenario,
	rounds: number,
	launch: number,
	terms: Terms,
): Promise<number[][]> {
	await using servers = new AsyncDisposableStack();
	const running: { readonly server: Server; readonly load: Load }[] = [];
	const order = turnsOf(launch, SETTINGS.length);
	for (const which of order) {
		const server = servers.use(await Server.start(SETTINGS[which]!, terms));
		running[which] = { server, load: await prepare(server.port) };
	}
	for (const which of order) {
		const endMs = performance.now() + WARM_UP_MS;
		while (performance.now() < endMs) await running[which]!.load(calls);
	}
	const micros: number[][] = running.map(() => []);
	for (let round = 0; round < rounds; round++) {
		for (const which of turnsOf(round, running.length)) {
			const { server, load } = running[which]!;
			const before = await server.processorTime();
			await load(calls);
			const used = (await server.processorTime()) - before;
			micros[which]!.push(used / calls);
		}
	}
	return micros;
}

/** The part of a second that the event loop of one server works when all take turns, while the machine is as it is now. */
async function shareOf({ calls, prepare }: Scenario, terms: Terms): Promise<number> {
	await using server = await Server.start("nothing", terms);
	const load = await prepare(server.port);
	await load(calls * SHARE_ROUNDS);
	const before = await server.processorTime();
	const beganMs = performance.now();
	await load(calls * SHARE_ROUNDS);
	const usedMs = ((await server.processorTime()) - before) / 1_000;
	return usedMs / (performance.now() - beganMs) / SETTINGS.length;
}

/** A server process. It answers each message with one. */
class Server implements AsyncDisposable {
	readonly #child: ChildProcess;
	#port = 0;

	private constructor(child: ChildProcess) {
		this.#child = child;
	}

	static async start(
		setting: Setting,
		{ storage, maxPerSecond, serversProcessor }: Terms,
	): Promise<Server> {
		const { NODE_OPTIONS: _, ...environment } = process.env;
		const child = fork(fileURLToPath(new URL("./server.ts", import.meta.url)), {
			execArgv: ["--disable-warning=ExperimentalWarning", ...YOUNG_GENERATION],
			env: { ...environment, BENCH_STORAGE: storage },
		});
		if (serversProcessor !== null && !pin(child.pid!, serversProcessor)) {
			throw new Error(`a server cannot be kept to processor ${serversProcessor}`);
		}
		const server = new Server(child);
		server.#port = await server.#ask({ start: { setting, maxPerSecond } });
		return server;
	}

	get port(): number {
		return this.#port;
	}

	/** Microseconds of its event loop since it began. */
	processorTime(): Promise<number> {
		return this.#ask({});
	}

	#ask(message: ServerRequest): Promise<number> {
		const child = this.#child;
		return new Promise((resolve, reject) => {
			const ended = (code: number | null) => reject(new Error(`the server ended with ${code}`));
			child.once("exit", ended);
			child.once("message", (answer) => {
				child.off("exit", ended);
				resolve(answer as number);
			});
			child.send(message);
		});
	}

	async [Symbol.asyncDispose](): Promise<void> {
		const child = this.#child;
		if (child.exitCode !== null || child.signalCode !== null) return;
		const gone = new Promise((resolve) => child.once("exit", resolve));
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
