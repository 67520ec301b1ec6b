// Three nodes on one PostgreSQL under a constant load of calls, messages, alarms and sockets, and one fault after the
// other. Afterwards the history of what clients were told is held against what is stored. `npm run check:cluster`,
// `-- --seconds 60 --seed 7`. With `--beside <checkout>` all nodes but the first run the code of another checkout of this
// repository, and with `--from <checkout>` all do until they are upgraded in turn, under the same load.
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { TestCluster, type TestNode } from "../packages/rivetkit/test/cluster/support/cluster.ts";
import { FAULTS, type Fault, type Scene } from "./cluster/faults.ts";
import { judge, keyOf, type Operation, type Remains, type Verdict } from "./cluster/history.ts";
import { type Ledger, Load } from "./cluster/load.ts";
import { Relay } from "./cluster/relay.ts";
import { freePort } from "./lib/free-port.ts";
import { PostgresServer } from "./lib/postgres-server.ts";

const NODES = 3;
const ACTORS = 18;
const WORKERS_PER_NODE = 4;
const SOCKETS_PER_NODE = 3;
/** Long enough for nodes that have a part of a processor: other checks run beside this one. */
const LEASE_MS = 5_000;
/** How long a node may take to answer again after a fault. */
const RECOVERY_MS = 180_000;
const SETTLE_MS = 180_000;
const LOOK_MS = 200;
/** How long nodes of two versions run side by side after each upgrade. */
const MIXED_MS = 10_000;

const { values } = parseArgs({
	options: {
		seconds: { type: "string" },
		seed: { type: "string" },
		only: { type: "string" },
		beside: { type: "string" },
		from: { type: "string" },
	},
});
const seconds = Number(values.seconds ?? 180);
const seed = Number(values.seed ?? Date.now() % 1_000_000);
const random = mulberry32(seed);
console.log(`seed ${seed} (--seed ${seed} repeats the order of the faults), ${seconds} s`);

const faults = FAULTS.filter(({ name }) => values.only === undefined || name.includes(values.only));
const verdicts: Verdict[] = [];

await using postgres = await PostgresServer.start({ isDurable: true });
const relays = await Promise.all(Array.from({ length: NODES }, () => Relay.start()));
const env: Record<string, string>[] = [];
for (const relay of relays) {
	relay.targetPort = await freePort();
	env.push({
		RIVET__NODE__PORT: String(relay.targetPort),
		RIVET__NODE__ADDRESS: `127.0.0.1:${relay.port}`,
	});
}
const others = values.from ?? values.beside;
const checkouts = Array.from({ length: NODES }, (_, index) =>
	others !== undefined && (index > 0 || values.from !== undefined) ? resolve(others) : undefined,
);
const settings = { leaseMs: LEASE_MS };
await using cluster = await TestCluster.start(postgres.url(), NODES, settings, env, checkouts);
const { nodes } = cluster;
const actors = Array.from({ length: ACTORS }, (_, index) => `actor ${index}`);
const load = new Load(nodes, actors, random);
load.start(WORKERS_PER_NODE, SOCKETS_PER_NODE);

const scene: Scene = {
	nodes,
	relays,
	postgres,
	leaseMs: LEASE_MS,
	random,
	start: (node, more = {}) => nodes[node]!.start({ ...env[node], ...more }),
};
const until = performance.now() + seconds * 1000;
try {
	await recovered("the start");
	for (const node of values.from === undefined ? [] : nodes.keys()) await live(upgradeOf(node));
	for (let round = 0; round === 0 || performance.now() < until; round++) {
		for (const fault of shuffled(faults)) {
			// Each at least once, however little time there is.
			if (round > 0 && performance.now() > until) break;
			await live(fault);
		}
	}
} finally {
	await load.stop();
}
const stored = await remains();
// Of an actor that could not be read nobody knows what is lost.
const judged = load.operations.filter(({ actor }) => stored.has(actor));
verdicts.push(...judge(judged, load.watches, stored));
await load.close();
for (const relay of relays) relay.close();
report();

/** A node of the other checkout is replaced by one of this. */
function upgradeOf(node: number): Fault {
	return {
		name: `${nodes[node]!.name} is upgraded`,
		async run() {
			await nodes[node]!.end("SIGTERM");
			nodes[node]!.upgrade();
			await scene.start(node);
			// Both versions take calls for a while.
			await new Promise((done) => setTimeout(done, MIXED_MS));
		},
	};
}

async function live(fault: Fault): Promise<void> {
	const from = performance.now();
	const note = await fault.run(scene);
	await recovered(fault.name);
	const took = ((performance.now() - from) / 1000).toFixed(1);
	console.log(
		`  ${took.padStart(5)} s  ${fault.name}${typeof note === "string" ? ` (${note})` : ""}`,
	);
}

/** Every node has acknowledged something new. */
async function recovered(after: string): Promise<void> {
	const before = [...load.progress];
	const giveUpAt = performance.now() + RECOVERY_MS;
	const stuck = () => nodes.filter((_, index) => load.progress[index]! < before[index]! + 5);
	while (stuck().length > 0) {
		if (performance.now() > giveUpAt) {
			verdicts.push({
				name: `every node answers again after: ${after}`,
				failures: stuck().map((node) => `${node.name} does not:\n${tail(node)}`),
			});
			return;
		}
		await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
	}
	verdicts.push({ name: `every node answers again after: ${after}`, failures: [] });
}

/** What is stored in the end, when what was accepted has been dealt with. */
async function remains(): Promise<Map<string, Remains>> {
	const found = new Map<string, Remains>();
	const failures: string[] = [];
	const giveUpAt = performance.now() + SETTLE_MS;
	for (const [index, actor] of actors.entries()) {
		const owed = load.operations.filter(
			(one) => one.actor === actor && one.outcome === "acknowledged",
		);
		for (;;) {
			const isLast = performance.now() > giveUpAt;
			try {
				const { isSettled, ...one } = await read(load.handle(index % NODES, actor), owed);
				if (isSettled || isLast) {
					found.set(actor, one);
					break;
				}
			} catch (error) {
				// Of a node that is busy, or of a move that is not over yet.
				if (isLast) {
					failures.push(`${actor}: ${error}`);
					break;
				}
			}
			await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
		}
	}
	verdicts.push({ name: "every actor can be read in the end", failures });
	return found;
}

async function read(
	ledger: Ledger,
	owed: readonly Operation[],
): Promise<Remains & { readonly isSettled: boolean }> {
	const { total, twice } = await ledger.read();
	const keys = new Set(await ledger.keys());
	const again = await ledger.read();
	const rang = (await ledger.rang()).map(
		// The first time counts: one that was interrupted fires again.
		([key, at]) => [key.slice("alarm:".length), Number(at.split(" ")[0])] as const,
	);
	const isSettled = owed.every((one) => keys.has(keyOf(one))) && again.total === total;
	return { total, twice, keys, rang: new Map(rang), isSettled };
}

function report(): void {
	let failed = 0;
	for (const { name, failures } of verdicts) {
		if (failures.length === 0) continue;
		failed++;
		console.log(`FAIL ${name}`);
		for (const failure of failures.slice(0, 10)) console.log(`     ${failure}`);
		if (failures.length > 10) console.log(`     and ${failures.length - 10} more`);
	}
	if (failed > 0) {
		for (const node of nodes) console.log(`--- ${node.name}\n${tail(node)}`);
	}
	const unknown = load.operations.filter(({ outcome }) => outcome === "unknown").length;
	for (const { name, failures } of verdicts.slice(-8)) {
		if (failures.length === 0) console.log(`ok   ${name}`);
	}
	console.log(
		`${load.operations.length} operations, ${unknown} of them ended in an error; seed ${seed}`,
	);
	console.log(`${verdicts.length - failed} passed, ${failed} failed`);
	process.exitCode = failed > 0 ? 1 : 0;
}

function tail(node: TestNode): string {
	return node.output.slice(-3_000);
}

function shuffled<T>(items: readonly T[]): T[] {
	const rest = [...items];
	return items.map(() => rest.splice(Math.floor(random() * rest.length), 1)[0]!);
}

/** Small, and the same for the same seed everywhere. */
function mulberry32(start: number): () => number {
	let state = start >>> 0;
	return () => {
		state = (state + 0x6d2b79f5) >>> 0;
		let mixed = Math.imul(state ^ (state >>> 15), state | 1);
		mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
		return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
	};
}
