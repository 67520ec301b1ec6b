// Calls to actors of one and of three nodes on one PostgreSQL, of the node called and of another one, next to the
// embedded store and to the published engine with its own runner. All are up at once and take turns.
//   node benchmarks/cluster/main.ts [rounds] [seconds] [folder]

import { type ChildProcess, fork } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { StockEngine } from "../../packages/rivetkit/test/support/stock-engine.ts";
import { PostgresServer } from "../../scripts/lib/postgres-server.ts";
import { type HttpConnection, withConnections } from "../src/load/http-connection.ts";
import { Latencies, median } from "../src/statistics.ts";

const [rounds = 7, seconds = 1] = process.argv.slice(2, 4).map(Number);
const folder = process.argv[4] ?? tmpdir();
const ACTORS = 96;
const CONNECTIONS = 64;
const START_MS_MAX = 30_000;
const POLL_MS = 100;

/** Actors at one address, and how they are called there. */
interface Subject {
	readonly name: string;
	readonly port: number;
	readonly actors: readonly Called[];
}

interface Called {
	readonly id: string;
	/** Token of the path, for the published engine. */
	readonly suffix: string;
}

interface Target {
	readonly name: string;
	readonly port: number;
	readonly token?: string;
	readonly namespace?: string;
}

interface Result {
	readonly perSecond: number;
	readonly p50Ms: number;
	readonly p99Ms: number;
}

const children: ChildProcess[] = [];
const storage = mkdtempSync(join(folder, "rivetkit-bench-"));

try {
	await using postgres = await PostgresServer.start({
		isDurable: true,
		settings: { shared_buffers: "256MB" },
	});
	await using engine = await stock();
	const embedded = await node({ RIVETKIT_STORAGE_PATH: join(storage, "embedded") });
	const alone = await node(clusterSettings(postgres.url("postgres"), "alone"));
	await query(postgres.url("postgres"), "create database three");
	const three: number[] = [];
	for (const name of ["a", "b", "c"]) {
		three.push(await node(clusterSettings(postgres.url("three"), name)));
	}
	await start("./published-runner.ts", {
		RIVET_ENDPOINT: engine.endpoint,
		RIVET_TOKEN: engine.token,
		RIVET_NAMESPACE: engine.namespace,
		RIVET_LOG_LEVEL: "error",
	});
	const stockTarget: Target = {
		name: "published engine 2.3.19, runner 2.1.3",
		port: Number(new URL(engine.endpoint).port),
		token: engine.token,
		namespace: engine.namespace,
	};

	const first = three[0]!;
	const ofThree = await created({ name: "three nodes", port: first }, "counter");
	const homes = new Map<string, Called[]>();
	for (const called of ofThree) {
		const home = await output(first, called, "where");
		homes.set(home, [...(homes.get(home) ?? []), called]);
	}
	const own = homes.get("a") ?? [];
	const others = ofThree.filter((called) => !own.includes(called));
	console.log(
		`${ACTORS} actors; of three nodes: ${[...homes].map(([name, { length }]) => `${length} on ${name}`).join(", ")}`,
	);
	const subjects: Subject[] = [
		await subject({ name: "embedded store", port: embedded }),
		await subject({ name: "one node, PostgreSQL", port: alone }),
		{ name: "three nodes, by the owner", port: first, actors: own },
		{ name: "three nodes, by another node", port: first, actors: others },
		await subject(stockTarget),
	];

	await compare("increments, 64 connections", subjects, CONNECTIONS, "increment", [1]);
	await compare("increments, one at a time", subjects, 1, "increment", [1]);
	await compare("reads, 64 connections", subjects, CONNECTIONS, "count", []);
	await compare("reads, one at a time", subjects, 1, "count", []);
} finally {
	for (const child of children) {
		const gone = new Promise((resolve) => child.once("exit", resolve));
		if (child.exitCode === null && child.signalCode === null) {
			child.kill("SIGKILL");
			await gone;
		}
	}
	rmSync(storage, { recursive: true, force: true });
}

async function stock(): Promise<StockEngine & AsyncDisposable> {
	const engine = await StockEngine.start();
	return Object.assign(engine, { [Symbol.asyncDispose]: () => engine.stop() });
}

function clusterSettings(url: string, name: string): Record<string, string> {
	return { RIVET__DATABASE__POSTGRES__URL: url, RIVET__NODE__NAME: name };
}

async function query(url: string, sql: string): Promise<void> {
	const { Client } = (await import("pg")).default;
	const client = new Client({ connectionString: url });
	await client.connect();
	await client.query(sql);
	await client.end();
}

async function node(env: Record<string, string>): Promise<number> {
	return start("./node.ts", { NODE_ENV: "production", ...env });
}

/** A process that says its port when it is ready. */
function start(file: string, env: Record<string, string>): Promise<number> {
	const child = fork(fileURLToPath(new URL(file, import.meta.url)), {
		execArgv: ["--disable-warning=ExperimentalWarning"],
		stdio: ["ignore", "ignore", "inherit", "ipc"],
		env: { ...process.env, ...env },
	});
	children.push(child);
	return new Promise((resolve, reject) => {
		child.once("message", (message) => resolve((message as { port: number }).port));
		child.once("exit", (code) => reject(new Error(`${file} ended with ${code}`)));
	});
}

async function created(target: Target, name: string): Promise<Called[]> {
	const { port, token, namespace = "default" } = target;
	const ids: Called[] = [];
	for (let index = 0; index < ACTORS; index++) {
		const response = await fetch(`http://127.0.0.1:${port}/actors?namespace=${namespace}`, {
			method: "PUT",
			headers: {
				"content-type": "application/json",
				...(token && { authorization: `Bearer ${token}` }),
			},
			body: JSON.stringify({
				name,
				key: `cluster-${index}`,
				runner_name_selector: "default",
				crash_policy: "sleep",
			}),
		});
		const body = (await response.json()) as { actor?: { actor_id: string } };
		if (!body.actor) throw new Error(`${target.name}: ${JSON.stringify(body)}`);
		ids.push({ id: body.actor.actor_id, suffix: token ? `@${token}` : "" });
	}
	return ids;
}

/** Its actors are awake when it is returned. */
async function subject(target: Target): Promise<Subject> {
	const actors = await created(target, "counter");
	for (const called of actors) await output(target.port, called, "where");
	return { name: target.name, port: target.port, actors };
}

async function output(port: number, called: Called, action: string): Promise<string> {
	const deadline = performance.now() + START_MS_MAX;
	for (;;) {
		const response = await fetch(
			`http://127.0.0.1:${port}/gateway/${called.id}${called.suffix}/action/${action}`,
			{
				method: "POST",
				headers: { "content-type": "application/json", "x-rivet-encoding": "json" },
				body: '{"args":[]}',
			},
		);
		const body = (await response.json()) as { output?: string };
		if (response.ok) return String(body.output);
		if (performance.now() > deadline) throw new Error(JSON.stringify(body));
		await new Promise((resolve) => setTimeout(resolve, POLL_MS));
	}
}

function request(port: number, { id, suffix }: Called, action: string, args: readonly number[]) {
	const body = JSON.stringify({ args });
	return Buffer.from(
		`POST /gateway/${id}${suffix}/action/${action} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n` +
			`Content-Type: application/json\r\nx-rivet-encoding: json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
	);
}

async function compare(
	title: string,
	subjects: readonly Subject[],
	connections: number,
	action: string,
	args: readonly number[],
): Promise<void> {
	const runs = subjects.map((subject) => ({
		subject,
		requests: subject.actors.map((called) => request(subject.port, called, action, args)),
		results: [] as Result[],
	}));
	for (const { subject, requests } of runs) await sample(subject.port, requests, connections);
	for (let round = 0; round < rounds; round++) {
		// Each is first in its turn.
		for (let at = 0; at < runs.length; at++) {
			const { subject, requests, results } = runs[(at + round) % runs.length]!;
			results.push(await sample(subject.port, requests, connections));
		}
	}
	const published = runs.at(-1)!;
	console.log(`\n${title}: medians of ${rounds} rounds of ${seconds} s\n`);
	console.log("| | calls/s | p50 ms | p99 ms | against the published pair |");
	console.log("|---|---|---|---|---|");
	for (const { subject, results } of runs) {
		const middle = (read: (result: Result) => number) => median(results.map(read));
		const ratio = median(
			results.map(({ perSecond }, round) => perSecond / published.results[round]!.perSecond),
		);
		const row = [
			subject.name,
			Math.round(middle(({ perSecond }) => perSecond)).toLocaleString("en"),
			middle(({ p50Ms }) => p50Ms).toFixed(3),
			middle(({ p99Ms }) => p99Ms).toFixed(2),
			`${ratio.toFixed(2)}x`,
		];
		console.log(`| ${row.join(" | ")} |`);
	}
}

/** A closed loop: one call in flight on each connection, and all that began counts. */
function sample(
	port: number,
	requests: readonly Buffer[],
	connectionCount: number,
): Promise<Result> {
	return withConnections(port, connectionCount, async (connections) => {
		const latencies = new Latencies();
		let [next, calls] = [0, 0];
		const startMs = performance.now();
		const endMs = startMs + seconds * 1_000;
		const loop = async (connection: HttpConnection): Promise<void> => {
			while (performance.now() < endMs) {
				const beganMs = performance.now();
				await connection.call(requests[next++ % requests.length]!);
				latencies.add(performance.now() - beganMs);
				calls++;
			}
		};
		await Promise.all(connections.map(loop));
		const elapsedMs = performance.now() - startMs;
		return { perSecond: (calls * 1_000) / elapsedMs, ...latencies.summary() };
	});
}
