/**
 * The embedded store: durable writes of many actors, creation, and what bare SQLite does without it.
 *
 *     node --conditions=@rivetkit/source benchmarks/store/main.ts [seconds per line] [runs] [filter]
 *
 * Prints the median run of each line.
 */
import fs from "node:fs";
import path from "node:path";
import { DatabaseSync } from "node:sqlite";
import { createMemoryStore, openSqliteStore, type Store } from "@rivetkit/engine";
import {
	acquiredActors,
	actorId,
	measure,
	newActor,
	printTable,
	type Result,
	scratchDirectory,
} from "./measure.ts";

const seconds = Number(process.argv[2] ?? 3);
const runs = Number(process.argv[3] ?? 3);
const filter = process.argv[4] ?? "";
const KEY = Uint8Array.of(1);
const VALUE_BYTES = 100;
const results: Result[] = [];

let valueCount = 0;

/** A value never written before: SQLite writes nothing for one that is there already. */
function newValue(): Uint8Array {
	const value = new Uint8Array(VALUE_BYTES);
	valueCount += 1;
	new DataView(value.buffer).setFloat64(0, valueCount);
	return value;
}

interface Disk {
	readonly sync: (descriptor: number) => Promise<void>;
	readonly count: () => number;
}

function disk(extraMs: number): Disk {
	let syncs = 0;
	return {
		count: () => syncs,
		sync: (descriptor) =>
			new Promise((resolve, reject) => {
				fs.fdatasync(descriptor, (error) => {
					syncs += 1;
					if (error !== null) {
						reject(error);
					} else if (extraMs === 0) {
						resolve();
					} else {
						setTimeout(resolve, extraMs);
					}
				});
			}),
	};
}

async function line(name: string, run: () => Promise<Result>): Promise<void> {
	if (name.includes(filter)) {
		results.push(await run());
	}
}

async function withSqlite(extraMs: number, run: (store: Store, disk: Disk) => Promise<Result>) {
	const directory = scratchDirectory();
	const slow = disk(extraMs);
	const store = await openSqliteStore({ directory: directory.path, sync: slow.sync });
	try {
		return await run(store, slow);
	} finally {
		await store.close();
		directory.remove();
	}
}

function writes(name: string, writers: number, actors: number, extraMs: number): Promise<void> {
	return line(name, () =>
		withSqlite(extraMs, async (store, { count }) => {
			const ids = await acquiredActors(store, actors);
			return measure(name, { writers, seconds, syncs: count }, (writer) =>
				store.commit({
					actorId: ids[actors === writers ? writer : Math.floor(Math.random() * actors)]!,
					generation: 0,
					ops: [{ op: "put", key: KEY, value: newValue() }],
				}),
			);
		}),
	);
}

function creations(name: string, writers: number, extraMs: number): Promise<void> {
	return line(name, () =>
		withSqlite(extraMs, (store, { count }) => {
			let created = 0;
			return measure(name, { writers, seconds, syncs: count }, async () => {
				created += 1;
				const id = actorId(created);
				await store.insertActor(newActor(id, `key-${created}`));
				const { generation } = await store.acquire(id);
				await store.commit({
					actorId: id,
					generation,
					ops: [{ op: "put", key: KEY, value: newValue() }],
					record: { initialised: true },
				});
			});
		}),
	);
}

/** No layer: each write is a transaction that SQLite itself syncs, on the event loop. */
function bare(name: string, rowsPerTransaction: number): Promise<void> {
	return line(name, async () => {
		const directory = scratchDirectory();
		const database = new DatabaseSync(path.join(directory.path, "bare.sqlite"));
		try {
			database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL");
			database.exec(
				"CREATE TABLE kv (actor INTEGER, key BLOB, value BLOB, PRIMARY KEY (actor, key)) WITHOUT ROWID",
			);
			const begin = database.prepare("BEGIN IMMEDIATE");
			const commit = database.prepare("COMMIT");
			const put = database.prepare(
				"INSERT INTO kv VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET value = excluded.value",
			);
			let transactions = 0;
			const result = await measure(
				name,
				{ writers: 1, seconds, syncs: () => transactions },
				async () => {
					begin.run();
					for (let row = 0; row < rowsPerTransaction; row++) {
						put.run(row, KEY, newValue());
					}
					commit.run();
					transactions += 1;
					await new Promise((resolve) => setImmediate(resolve));
				},
			);
			return { ...result, perSecond: result.perSecond * rowsPerTransaction };
		} finally {
			database.close();
			directory.remove();
		}
	});
}

async function memory(name: string, writers: number): Promise<void> {
	await line(name, async () => {
		const store = createMemoryStore();
		const ids = await acquiredActors(store, writers);
		return measure(name, { writers, seconds, syncs: () => 0 }, async (writer) => {
			await store.commit({
				actorId: ids[writer]!,
				generation: 0,
				ops: [{ op: "put", key: KEY, value: newValue() }],
			});
			await new Promise((resolve) => setImmediate(resolve));
		});
	});
}

console.log(
	`Node ${process.version}, ${runs} runs of ${seconds} s per line, values of ${VALUE_BYTES} bytes\n`,
);
for (let run = 0; run < runs; run++) {
	await bare("bare SQLite, 1 row per transaction", 1);
	await bare("bare SQLite, 64 rows per transaction", 64);
	await bare("bare SQLite, 1,000 rows per transaction", 1000);
	await memory("memory store, 64 writers", 64);
	await writes("writes, 1 writer", 1, 1, 0);
	await writes("writes, 64 writers", 64, 64, 0);
	await writes("writes, 1,000 writers", 1000, 1000, 0);
	await writes("writes, 1,000 writers over 100,000 actors", 1000, 100_000, 0);
	await writes("writes, 64 writers, syncs +5 ms", 64, 64, 5);
	await writes("writes, 1,000 writers, syncs +5 ms", 1000, 1000, 5);
	await creations("creations, 64 at a time", 64, 0);
	await creations("creations, 1,000 at a time", 1000, 0);
	await creations("creations, 1,000 at a time, syncs +5 ms", 1000, 5);
}
printTable(medians(results));

/** Of the runs of each line the one in the middle, by operations per second. */
function medians(all: readonly Result[]): Result[] {
	const byName = Map.groupBy(all, (result) => result.name);
	return [...byName.values()].map((runsOfLine) => {
		const sorted = runsOfLine.toSorted((a, b) => a.perSecond - b.perSecond);
		return sorted[Math.floor(sorted.length / 2)]!;
	});
}
