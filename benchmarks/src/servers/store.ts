// (e): the embedded store without anything around it. Each step is one commit of what a workflow writes for it: one
// record, of the size of a step's and under a key of its own, among as many as a workflow keeps. Where steps change
// the state (`stepper`), that is a second record, under the same key each time.

import { openSqliteStore } from "@rivetkit/engine";
import type { StorageOp } from "@rivetkit/protocol";
import { type Counter, type Pairs, startBaseline } from "./baseline.ts";
import { announce } from "./child.ts";

/** Steps of an iteration of the loop. */
const ITERATION = 100;
/** Iterations that a loop keeps for people to look at: an older one is deleted when one begins. */
const ITERATIONS_KEPT = 20;
const RECORD_BYTES = 64;
const STATE_KEY = Uint8Array.of(1);
const STATE_BYTES = 16;
const PREFIX = Uint8Array.of(0x14, 1, 2, 2, 0x6c, 0, 3, 0, 0, 0, 0, 0, 0, 2);

const folder = process.env.BENCH_STORAGE;
if (folder === undefined) throw new Error("BENCH_STORAGE is not set");
const store = await openSqliteStore({ directory: folder });
const generations = new Map<string, number>();
let written = 0;

async function create(actorId: string): Promise<void> {
	await store.insertActor({
		actorId,
		namespace: "default",
		name: "counter",
		key: actorId,
		runnerNameSelector: "default",
		crashPolicy: "sleep",
		datacenter: "local",
		input: null,
		createTs: Date.now(),
	});
	const { generation } = await store.acquire(actorId);
	generations.set(actorId, generation);
}

function commit({ id, name, count }: Counter, generation: number): Promise<void> {
	const value = new Uint8Array(RECORD_BYTES);
	new DataView(value.buffer).setFloat64(0, ++written);
	const ops: StorageOp[] = [{ op: "put", key: keyOf(count), value }];
	const oldest = count - ITERATION * ITERATIONS_KEPT;
	if (count % ITERATION === 0 && oldest >= ITERATION) {
		ops.push({ op: "deleteRange", start: keyOf(oldest - ITERATION), end: keyOf(oldest) });
	}
	if (name === "stepper") {
		const state = new Uint8Array(STATE_BYTES);
		new DataView(state.buffer).setFloat64(0, count);
		ops.push({ op: "put", key: STATE_KEY, value: state });
	}
	return store.commit({ actorId: id, generation, ops });
}

function keyOf(count: number): Uint8Array {
	const key = new Uint8Array(PREFIX.byteLength + 4);
	key.set(PREFIX);
	new DataView(key.buffer).setUint32(PREFIX.byteLength, count);
	return key;
}

function settle(counter: Counter, release: () => void): void {
	const generation = generations.get(counter.id);
	const committed =
		generation === undefined
			? create(counter.id).then(() => commit(counter, generations.get(counter.id)!))
			: commit(counter, generation);
	// What is on disk is unknown after a failure: nothing more may be acknowledged.
	committed.then(release, (error: unknown) => {
		console.error(error);
		process.exit(1);
	});
}

/** The benchmark of key/value pairs does not ask this server. */
const pairs: Pairs = {
	put: () => {},
	get: () => undefined,
	size: () => 0,
};

announce(await startBaseline(settle, pairs));
