/**
 * Writes to the store in argv[2] (seed argv[3], round argv[4]) until it is killed, and tells in lines
 * what was confirmed: `steady <actor> <batch>`, `created <key>`, `destroying <key>`, `destroyed <key>`.
 */
import { openSqliteStore } from "../../../src/store/sqlite/open-sqlite-store.ts";
import { generator, lastBatch, STEADY_ACTORS, steadyBatch } from "../crash-model.ts";
import { contents, newActor, putBatch } from "../fixtures.ts";

const directory = process.argv[2]!;
const seed = Number(process.argv[3]);
const round = Number(process.argv[4]);
// A short log, so that kills hit checkpoints too.
const store = await openSqliteStore({ directory, checkpointBytes: 128 * 1024 });

// A pipe is written synchronously, so what a line says was true before the kill.
const tell = (...words: (string | number)[]) => process.stdout.write(`${words.join(" ")}\n`);

async function writeSteadily(actorId: string): Promise<void> {
	await store.insertActor(newActor({ actorId, key: actorId }));
	const { generation } = await store.acquire(actorId);
	for (let n = lastBatch(await contents(store, actorId)) + 1; ; n++) {
		await store.commit(steadyBatch(seed, actorId, generation, n));
		tell("steady", actorId, n);
	}
}

/** Creates actors and destroys some of them again, with enough data that it takes several steps. */
async function comeAndGo(): Promise<void> {
	const random = generator(seed ^ round);
	for (let count = 0; ; count++) {
		const key = `guest-${round}-${count}`;
		const actorId = `id-of-${key}`;
		await store.insertActor(newActor({ actorId, key }));
		await store.acquire(actorId);
		const entries = Array.from({ length: 1 + random(400) }, (_, i) => [`e${i}`, key] as const);
		await store.commit(
			putBatch(actorId, 0, Object.fromEntries(entries), { record: { initialised: true } }),
		);
		tell("created", key, entries.length);
		if (random(2) === 0) {
			tell("destroying", key);
			await store.commit({ actorId, generation: 0, ops: [], destroyTs: Date.now() });
			tell("destroyed", key);
		}
	}
}

await Promise.all([...STEADY_ACTORS.map(writeSteadily), comeAndGo(), comeAndGoOnce()]);

/** Starts many creations at once, so that a kill finds them at every stage. */
async function comeAndGoOnce(): Promise<void> {
	await Promise.all(
		Array.from({ length: 200 }, async (_, index) => {
			const key = `crowd-${round}-${index}`;
			const actorId = `id-of-${key}`;
			await store.insertActor(newActor({ actorId, key }));
			await store.acquire(actorId);
			await store.commit(putBatch(actorId, 0, { e0: key }, { record: { initialised: true } }));
			tell("created", key, 1);
		}),
	);
}
