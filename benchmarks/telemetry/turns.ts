// What traces and metrics cost of the throughput: one server process with the same registry four times (nothing
// recorded, metrics as in production, metrics and traces as in development, nothing again), under load in turns. Servers of their own
// differ by ten percent where something else runs on the machine. A turn is a second, because so many traces are begun in
// a second, however short the turns are. Processor time of the server per call says more than calls per second, which
// differ by a quarter from turn to turn with the disk.
//   node benchmarks/telemetry/turns.ts [rounds] [folder]

import { fork } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { withConnections } from "../src/load/http-connection.ts";
import { Pipeline } from "../src/load/pipeline.ts";
import { createActors, incrementRequest } from "../src/scenarios/actors.ts";
import { median, quantile } from "../src/statistics.ts";
import { wires } from "../src/wire.ts";

const [rounds = 20] = process.argv.slice(2, 3).map(Number);
const folder = process.argv[3] ?? tmpdir();
const TURN_MS = 1_000;
const WARM_UP_ROUNDS = 3;
const CONNECTIONS = 64;

interface Turn {
	readonly calls: number;
	/** Until the last answer. */
	readonly tookMs: number;
}

/** Does calls for so long. */
type Load = (durationMs: number) => Promise<Turn>;

const storage = mkdtempSync(join(folder, "rivetkit-bench-"));
const { NODE_OPTIONS: _, ...environment } = process.env;
const child = fork(fileURLToPath(new URL("./server.ts", import.meta.url)), {
	execArgv: ["--disable-warning=ExperimentalWarning"],
	env: { ...environment, BENCH_STORAGE: storage },
});
try {
	const ports = await new Promise<Record<string, number>>((resolve, reject) => {
		child.once("message", (message) => resolve(message as Record<string, number>));
		child.once("exit", (code) => reject(new Error(`the server ended with ${code}`)));
	});
	const columns = [
		"scenario",
		"recorded",
		"calls/s",
		"against nothing",
		"µs/call",
		"least",
		"against nothing",
	];
	console.log(row([...columns, "half of the rounds"]));
	console.log(row(Array(columns.length + 1).fill("---")));
	await compare("HTTP, 100 actors, 64 connections", ports, (port) => http(port, 100));
	await compare("WebSocket, 1 connection, 64 in flight", ports, (port) => webSocket(port, 1, 64));
	await compare("WebSocket, 64 connections, 1 in flight", ports, (port) => webSocket(port, 64, 1));
} finally {
	const gone = new Promise((resolve) => child.once("exit", resolve));
	if (child.exitCode === null && child.signalCode === null) {
		child.kill("SIGKILL");
		await gone;
	}
	rmSync(storage, { recursive: true, force: true });
}

function row(cells: readonly string[]): string {
	return `| ${cells.join(" | ")} |`;
}

/** Microseconds of processor time of the server since it began. */
function processorTime(): Promise<number> {
	return new Promise((resolve) => {
		child.once("message", (micros) => resolve(micros as number));
		child.send("processor time");
	});
}

async function compare(
	title: string,
	ports: Readonly<Record<string, number>>,
	prepare: (port: number) => Promise<Load>,
): Promise<void> {
	const names = Object.keys(ports);
	const loads: Load[] = [];
	for (const name of names) loads.push(await prepare(ports[name]!));
	const rates: number[][] = names.map(() => []);
	const micros: number[][] = names.map(() => []);
	for (let round = -WARM_UP_ROUNDS; round < rounds; round++) {
		for (let at = 0; at < names.length; at++) {
			// Each is first in its turn.
			const which = (at + round + WARM_UP_ROUNDS) % names.length;
			const before = await processorTime();
			const { calls, tookMs } = await loads[which]!(TURN_MS);
			const used = (await processorTime()) - before;
			if (round < 0) continue;
			rates[which]!.push((calls * 1_000) / tookMs);
			micros[which]!.push(used / calls);
		}
	}
	for (const [which, name] of names.entries()) {
		const rate = Math.round(median(rates[which]!)).toLocaleString("en");
		const least = Math.min(...micros[which]!);
		const changes = changesOf(micros[which]!, micros[0]!);
		const compared =
			which === 0
				? ["", median(micros[0]!).toFixed(2), least.toFixed(2), "", ""]
				: [
						percent(median(changesOf(rates[which]!, rates[0]!))),
						median(micros[which]!).toFixed(2),
						least.toFixed(2),
						percent(median(changes)),
						`${percent(quantile(changes, 0.25))} to ${percent(quantile(changes, 0.75))}`,
					];
		console.log(row([title, name, rate, ...compared]));
	}
}

/** Percent against what was measured in the same round, sorted. */
function changesOf(values: readonly number[], base: readonly number[]): number[] {
	return values.map((value, round) => (value / base[round]! - 1) * 100).sort((a, b) => a - b);
}

function percent(value: number): string {
	return `${value > 0 ? "+" : ""}${value.toFixed(1)} %`;
}

/** The calls that are begun within the time, and the time until the last answer. */
function timed(run: (isOpen: () => boolean, done: () => void) => Promise<unknown>): Load {
	return async (durationMs) => {
		let calls = 0;
		const startMs = performance.now();
		await run(
			() => performance.now() < startMs + durationMs,
			() => calls++,
		);
		return { calls, tookMs: performance.now() - startMs };
	};
}

async function http(port: number, actors: number): Promise<Load> {
	const ids = await createActors(port, "http-", actors);
	const requests = ids.map((id) => incrementRequest(id, 1));
	let next = 0;
	return (durationMs) =>
		// Servers close what was idle for some seconds.
		withConnections(port, CONNECTIONS, (connections) =>
			timed((isOpen, done) =>
				Promise.all(
					connections.map(async (connection) => {
						while (isOpen()) {
							await connection.call(requests[next++ % actors]!);
							done();
						}
					}),
				),
			)(durationMs),
		);
}

async function webSocket(port: number, connections: number, inFlight: number): Promise<Load> {
	const [id] = await createActors(port, `ws-${connections}-`, 1);
	const pipelines = await Promise.all(
		Array.from({ length: connections }, () => Pipeline.open(port, id!, wires.bare)),
	);
	return timed((isOpen, done) =>
		Promise.all(
			pipelines.map(
				(pipeline) =>
					new Promise<void>((resolve, reject) => {
						pipeline.onFailure(reject);
						pipeline.onReply(() => {
							done();
							if (isOpen()) pipeline.begin("increment", [1]);
							else if (pipeline.inFlight === 0) resolve();
						});
						for (let index = 0; index < inFlight; index++) pipeline.begin("increment", [1]);
					}),
			),
		),
	);
}
