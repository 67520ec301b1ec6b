// The directory and the alarms of many actors in one PostgreSQL, as three nodes use it: how fast they are made and
// found, how late alarms are claimed, how much room they take. `node benchmarks/scale/main.ts [actors] [alarms]`.
import { performance } from "node:perf_hooks";
import { systemClock, systemRandom } from "@rivetkit/protocol";
import { ClaimedAlarms } from "../../packages/engine/src/alarms/claimed-alarms.ts";
import { engineLimits } from "../../packages/engine/src/common/limits.ts";
import type { Placement } from "../../packages/engine/src/placement/placement.ts";
import { clientConfig } from "../../packages/engine/src/store/postgres/connection-settings.ts";
import { NodeRows } from "../../packages/engine/src/store/postgres/node-rows.ts";
import { openPostgresStore } from "../../packages/engine/src/store/postgres/open-postgres-store.ts";
import type { ActorRecord } from "../../packages/engine/src/store/store.ts";
import { PostgresServer } from "../../scripts/lib/postgres-server.ts";

const ACTORS = Number(process.argv[2] ?? 1_000_000);
const ALARMS = Number(process.argv[3] ?? 20_000);
const NODES = 3;
/** Calls in flight of each node. */
const CREATIONS_AT_ONCE = 512;
const LOOKUPS_AT_ONCE = 8;
const LOOKUP_MS = 10_000;
/** Over which the alarms of the measurement fall due. */
const ALARM_WINDOW_MS = 20_000;
/** Until the first of them: they are set by then. */
const ALARM_LEAD_MS = 15_000;
const DAY_MS = 86_400_000;
/** A prime that no round number of actors has. */
const STRIDE = 7_919;

await using server = await PostgresServer.start({
	isDurable: true,
	settings: { shared_buffers: "512MB", max_wal_size: "4GB" },
});
const url = server.url();
const nodes = await Promise.all(
	Array.from({ length: NODES }, async (_, index) => {
		const store = await openPostgresStore({ url });
		const rows = new NodeRows(store, {
			config: await clientConfig({ url }),
			address: url,
			applicationName: `scale ${index}`,
			statementTimeoutMs: 30_000,
		});
		const description = { name: `${index}`, address: "", version: "0", names: ["user"] };
		const { epoch } = await rows.register(description, DAY_MS);
		store.owner = epoch;
		return { store, rows, epoch };
	}),
);

const idOf = (index: number) => `actor${String(index).padStart(25, "0")}`;

await measure(`${ACTORS} creations`, async () => {
	let next = 0;
	await Promise.all(
		nodes.flatMap(({ store }) =>
			Array.from({ length: CREATIONS_AT_ONCE }, async () => {
				for (let index = next++; index < ACTORS; index = next++) {
					const actorId = idOf(index);
					await store.insertActor(
						{
							actorId,
							namespace: "default",
							name: "user",
							key: `["user ${index}"]`,
							runnerNameSelector: "default",
							crashPolicy: "sleep",
							datacenter: "default",
							input: null,
							createTs: Date.now(),
						},
						{ acquire: true },
					);
					// Asleep, with an alarm within a day: what most actors are most of the time.
					await store.commit({
						actorId,
						generation: 0,
						ops: [{ op: "put", key: new Uint8Array([1]), value: new Uint8Array(64) }],
						record: { initialised: true, sleepTs: Date.now() },
						alarmTs: Date.now() + 3_600_000 + Math.floor(Math.random() * DAY_MS),
					});
				}
			}),
		),
	);
	return ACTORS;
});

// What PostgreSQL does by itself within a minute of so many new rows: not in the middle of what is measured next.
await nodes[0]!.store.query("VACUUM (ANALYZE) rivetkit.actors, rivetkit.kv");

const [size] = await nodes[0]!.store.query<{ actors: number; kv: number }>(
	"SELECT pg_total_relation_size('rivetkit.actors') AS actors, pg_total_relation_size('rivetkit.kv') AS kv",
);
console.log(
	`bytes per actor: ${Math.round(size!.actors / ACTORS)} for its row and indexes, ` +
		`${Math.round(size!.kv / ACTORS)} for one entry of 64 bytes`,
);

const look = async (name: string, lookup: (index: number) => Promise<unknown>) => {
	const times: number[] = [];
	const until = performance.now() + LOOKUP_MS;
	await Promise.all(
		Array.from({ length: LOOKUPS_AT_ONCE * NODES }, async () => {
			while (performance.now() < until) {
				const from = performance.now();
				await lookup(Math.floor(Math.random() * ACTORS));
				times.push(performance.now() - from);
			}
		}),
	);
	console.log(`${name}: ${Math.round(times.length / (LOOKUP_MS / 1000))}/s, ${percentiles(times)}`);
};
await look("look-up by key", (index) =>
	nodes[index % NODES]!.store.actorByKey("default", "user", `["user ${index}"]`),
);
await look("look-up of the owner", (index) => nodes[index % NODES]!.rows.whereIs(idOf(index)));
let woken = 0;
await look("acquisition of one asleep", async () => {
	// Each once, far from the one before.
	const actorId = idOf((woken++ * STRIDE) % ACTORS);
	const { store } = nodes[woken % NODES]!;
	const { generation } = await store.acquire(actorId);
	void store.commit({ actorId, generation, ops: [], record: { sleepTs: Date.now() } }).catch(lost);
});
await Promise.all(nodes.map(({ store }) => store.sync()));

const due = new Map<string, number>();
const firstDueTs = Date.now() + ALARM_LEAD_MS;
await measure(`${ALARMS} alarms set`, async () => {
	const step = Math.max(1, Math.floor(ACTORS / ALARMS));
	for (let at = 0; at < ALARMS; at += 1_000) {
		await Promise.all(
			Array.from({ length: Math.min(1_000, ALARMS - at) }, async (_, offset) => {
				const actorId = idOf((at + offset) * step);
				const alarmTs = firstDueTs + Math.floor(Math.random() * ALARM_WINDOW_MS);
				const { store } = nodes[offset % NODES]!;
				const { generation } = await store.acquire(actorId);
				const record = { sleepTs: Date.now() };
				await store.commit({ actorId, generation, ops: [], alarmTs, record });
				due.set(actorId, alarmTs);
			}),
		);
	}
	return ALARMS;
});
if (Date.now() > firstDueTs) throw new Error("some were due before all were set");

const lateness: number[] = [];
const looks: number[] = [];
const timed = async <T>(asked: Promise<T>): Promise<T> => {
	const from = performance.now();
	const answer = await asked;
	looks.push(performance.now() - from);
	return answer;
};
const limits = engineLimits();
const alarms = nodes.map(
	({ store, rows, epoch }) =>
		new ClaimedAlarms({
			claims: {
				claimDue: async (names, limit) => (await timed(rows.claimDue(epoch, names, limit))).actors,
				nextDue: (names, withinMs) => timed(rows.nextDue(names, withinMs)),
				giveBack: ({ actorId, generation }) => store.release(actorId, generation),
				postpone: (...postponed) => rows.postpone(...postponed),
				restingWithConnections: async () => [],
				ownedDue: async () => [],
			},
			// An actor that deals with its alarm, and is asleep again.
			placement: {
				phase: () => undefined,
				retryTs: () => 0,
				async ready(actorId: string, _deadline: number, _through: string, record: ActorRecord) {
					const now = Date.now();
					const alarmTs = due.get(actorId);
					if (alarmTs === undefined || alarmTs > now) lost(`${actorId} was woken for nothing`);
					due.delete(actorId);
					lateness.push(now - alarmTs!);
					await store.commit({
						actorId,
						generation: record.generation,
						ops: [],
						alarmTs: null,
						record: { sleepTs: now },
					});
				},
			} as unknown as Placement,
			clock: systemClock(),
			random: systemRandom(),
			limits,
			logger: { debug() {}, info() {}, warn: lost, error: lost },
			names: () => ["user"],
		}),
);
for (const one of alarms) one.start();
while (lateness.length < ALARMS) await new Promise((resolve) => setTimeout(resolve, 100));
for (const one of alarms) one.stop();
console.log(`alarms claimed late: ${percentiles(lateness)}`);
console.log(`${looks.length} looks for them: ${percentiles(looks)}`);
for (const { store, rows } of nodes) {
	await rows.close();
	await store.close();
}

/** What must not be. */
function lost(...what: unknown[]): void {
	console.error(...what);
	process.exit(1);
}

async function measure(what: string, run: () => Promise<number>): Promise<void> {
	const from = performance.now();
	const count = await run();
	const seconds = (performance.now() - from) / 1000;
	console.log(`${what}: ${seconds.toFixed(1)} s, ${Math.round(count / seconds)}/s`);
}

function percentiles(values: number[]): string {
	const sorted = [...values].sort((a, b) => a - b);
	const at = (part: number) =>
		sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))]!.toFixed(1);
	return `p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, most ${at(1)} ms`;
}
