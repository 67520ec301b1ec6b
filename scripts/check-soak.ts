// A minute of hard life: 20,000 actors are created, put to sleep and woken at random, by calls, by their alarms
// and by sockets that stay open meanwhile. Afterwards nothing of them may be left in the process: no heap, no
// timer, no listener, no file. `npm run check:soak`.

import { mkdtempSync, readdirSync, readlinkSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createClient } from "../packages/rivetkit/src/client/index.ts";
import { actor, event, setup } from "../packages/rivetkit/src/index.ts";
import { type Check, runChecks } from "./lib/checks.ts";
import { freePort } from "./lib/free-port.ts";

const ACTORS = 20_000;
/** Actors before the first reading: code is compiled, pools and tables have their size. */
const WARM_UP_ACTORS = 3_000;
const CALLERS = 64;
const WARM_UP_MS = 4_000;
const RANDOM_MS = 20_000;
/** For what hangs; a busy machine takes its time. */
const PATIENCE_MS = 240_000;
const HEAP_GROWTH_MAX = 0.1;
const SAMPLE = 500;
/** Lock, index, and database and log of the writer, the checkpoint thread's three connections and a spare. */
const STORE_FILES_MAX = 12;

/** Alarms are due before everybody has to be asleep. */
const ALARM_MS_MAX = 1_000;

const tally = { starts: 0, sleeps: 0, destroyed: 0, rung: 0, overSleep: 0 };

const counter = actor({
	state: { count: 0, rung: 0 },
	events: { changed: event<number>() },
	options: { sleepTimeout: 250, canHibernateWebSocket: true },
	onWake: () => void tally.starts++,
	onSleep: () => void tally.sleeps++,
	onDestroy: () => void tally.destroyed++,
	onWebSocket: (c, socket) => {
		socket.addEventListener("message", ({ data }) => {
			c.state.count += Number(data);
			socket.send(String(c.state.count));
		});
	},
	actions: {
		ringIn: async (c, ms: number) => {
			await c.schedule.after(ms, "ring");
		},
		ring: (c) => {
			c.state.rung++;
			tally.rung++;
		},
		rung: (c) => c.state.rung,
		add: (c, by: number) => {
			c.state.count += by;
			c.broadcast("changed", c.state.count);
			return c.state.count;
		},
		nap: (c) => c.sleep(),
		end: (c) => c.destroy(),
	},
});

/** Repeatable: a failure can be looked at again. */
function* randomNumbers(seed: number): Generator<number, never> {
	for (let state = seed; ; ) {
		state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
		yield state / 2 ** 32;
	}
}

const numbers = randomNumbers(20_261_126);
const below = (limit: number): number => Math.floor(numbers.next().value * limit);
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Node's fetch keeps idle connections for as long as a server offers, and they would count as left over. */
async function closeIdleConnectionsSoon(): Promise<void> {
	await fetch(`http://127.0.0.1:${port}/health`);
	const holder = globalThis as unknown as Record<symbol, { constructor: unknown }>;
	const dispatcher = Symbol.for("undici.globalDispatcher.1");
	const Agent = holder[dispatcher]!.constructor as new (
		options: object,
	) => { constructor: unknown };
	holder[dispatcher] = new Agent({ keepAliveTimeout: 500, keepAliveMaxTimeout: 500 });
}

const storage = mkdtempSync(join(tmpdir(), "rivetkit-soak-"));
process.env.NODE_ENV = "test";
const port = await freePort();
const registry = setup({
	use: { counter },
	storagePath: storage,
	managerPort: port,
	managerHost: "127.0.0.1",
	noWelcome: true,
	handleSignals: false,
	logging: { level: "error" },
	// What is kept of actors that sleep (spans, events, log lines) has this limit in all: so small, it is reached before
	// the first reading, and what it holds is in both.
	traces: { maxTotalBytes: 256 * 1_024 },
});
const { client: local } = registry.start();
await registry.listen();
await closeIdleConnectionsSoon();
const remote = createClient<typeof registry>(`http://127.0.0.1:${port}`);

/** What each counter must be at; undefined for one that does not exist. */
const counts = new Map<string, number>();
/** How often each counter's alarm must have rung; nothing for never. */
const rings = new Map<string, number>();

async function inParallel(work: (caller: number) => Promise<void>): Promise<void> {
	await Promise.all(Array.from({ length: CALLERS }, (_, caller) => work(caller)));
}

async function create(prefix: string, count: number): Promise<void> {
	let next = 0;
	await inParallel(async () => {
		while (next < count) {
			const key = `${prefix} ${next++}`;
			counts.set(key, await local.counter.getOrCreate([key]).add(1));
		}
	});
}

/** Random steps until the time is over. A key has one caller at a time, so that counts can be compared. */
async function live(keys: readonly string[], durationMs: number): Promise<void> {
	const endMs = performance.now() + durationMs;
	await inParallel(async (caller) => {
		const mine = keys.filter((_, index) => index % CALLERS === caller);
		while (performance.now() < endMs) {
			const key = mine[below(mine.length)]!;
			const handle = (below(4) === 0 ? remote : local).counter.getOrCreate([key]);
			const by = below(5);
			switch (below(20)) {
				case 0: {
					const connection = handle.connect();
					const heard: number[] = [];
					connection.on("changed", (count) => heard.push(count));
					counts.set(key, await connection.add(by));
					await connection.dispose();
					break;
				}
				case 1:
					await handle.nap();
					break;
				case 2:
					await handle.end();
					rings.delete(key);
					counts.set(key, await handle.add(1));
					break;
				case 3:
				case 4:
					await handle.ringIn(below(ALARM_MS_MAX));
					rings.set(key, (rings.get(key) ?? 0) + 1);
					break;
				case 5: {
					const connection = handle.connect();
					await connection.add(by);
					await handle.nap();
					counts.set(key, await connection.add(by));
					await connection.dispose();
					tally.overSleep++;
					break;
				}
				case 6: {
					const socket = await handle.webSocket("/");
					await new Promise((resolve) => socket.addEventListener("open", resolve, { once: true }));
					await handle.nap();
					const answered = new Promise<MessageEvent>((resolve) => {
						socket.addEventListener("message", resolve as never, { once: true });
					});
					socket.send(String(by));
					counts.set(key, Number((await answered).data));
					socket.close();
					tally.overSleep++;
					break;
				}
				default: {
					const count = await handle.add(by);
					const expected = (counts.get(key) ?? 0) + by;
					if (count !== expected) throw new Error(`${key} is at ${count} instead of ${expected}`);
					counts.set(key, count);
				}
			}
		}
	});
}

async function allAsleep(): Promise<void> {
	await pause(ALARM_MS_MAX);
	const endMs = performance.now() + PATIENCE_MS;
	while (tally.starts !== tally.sleeps + tally.destroyed) {
		if (performance.now() > endMs) {
			throw new Error(`still awake: ${tally.starts - tally.sleeps - tally.destroyed} actors`);
		}
		await pause(50);
	}
	// The last of them are saved, and idle connections closed.
	await pause(3_000);
}

interface Reading {
	readonly heapBytes: number;
	readonly timers: number;
	/** Servers, sockets and the like that the event loop waits for. */
	readonly handles: number;
	readonly listeners: number;
	/** Open files other than the store's, and sockets. */
	readonly files: number;
	readonly storeFiles: number;
}

/** Where the process's open descriptors point; "" for the one that lists them. */
function openFiles(): string[] {
	return readdirSync("/proc/self/fd").map((descriptor) => {
		try {
			return readlinkSync(`/proc/self/fd/${descriptor}`);
		} catch {
			return "";
		}
	});
}

async function read(): Promise<Reading> {
	for (let round = 0; round < 5; round++) {
		globalThis.gc!({ type: "major", execution: "sync", flavor: "last-resort" });
		await pause(50);
	}
	const resources = process.getActiveResourcesInfo().filter((name) => name !== "Immediate");
	const files = openFiles().filter((path) => !/^(anon_inode|pipe):/.test(path));
	const isStoreFile = (path: string): boolean => path.startsWith(storage);
	return {
		heapBytes: process.memoryUsage().heapUsed,
		timers: resources.filter((name) => name === "Timeout").length,
		handles: resources.filter((name) => name !== "Timeout").length,
		listeners: process.eventNames().reduce((sum, name) => sum + process.listenerCount(name), 0),
		files: files.filter((path) => !isStoreFile(path)).length,
		storeFiles: files.filter(isStoreFile).length,
	};
}

const COUNTS = ["timers", "handles", "listeners", "files"] as const satisfies (keyof Reading)[];
/** Whether nothing is there that was not there before. */
const isNoMore = (now: Reading, before: Reading): boolean =>
	COUNTS.every((what) => now[what] <= before[what]);
const areSame = (now: Reading, before: Reading): boolean =>
	isNoMore(now, before) && isNoMore(before, now);

/** Reads until `isDone`: idle connections close, and the last of what was asked for ends, when the machine gets to it. */
async function readUntil(isDone: (now: Reading, before: Reading) => boolean): Promise<Reading> {
	const endMs = performance.now() + PATIENCE_MS;
	for (let last = await read(); ; ) {
		await pause(1_000);
		const now = await read();
		if (isDone(now, last) || performance.now() > endMs) return now;
		last = now;
	}
}

function noMore(what: (typeof COUNTS)[number], before: Reading, after: Reading): void {
	console.log(`        ${what}: ${before[what]}, then ${after[what]}`);
	if (after[what] > before[what]) throw new Error(`there are more ${what} than before`);
}

const beganMs = performance.now();
await create("warm", WARM_UP_ACTORS);
await live([...counts.keys()], WARM_UP_MS);
await allAsleep();
// Keys of the check itself are part of both readings.
for (let index = 0; index < ACTORS; index++) counts.set(`actor ${index}`, 0);
const keys = [...counts.keys()];
const before = await readUntil(areSame);
let after!: Reading;

const checks: Check[] = [
	{
		title: `${ACTORS} actors are created, fall asleep and wake at random for ${RANDOM_MS / 1_000} s`,
		run: async () => {
			await create("actor", ACTORS);
			await live(keys, RANDOM_MS);
			await allAsleep();
			console.log(`        ${JSON.stringify(tally)}`);
			if (tally.sleeps < ACTORS) throw new Error(`only ${tally.sleeps} sleeps`);
			after = await readUntil((now) => isNoMore(now, before));
		},
	},
	{
		title: `the heap is within ${HEAP_GROWTH_MAX * 100}% of where it was`,
		run: () => {
			const growth = after.heapBytes / before.heapBytes - 1;
			console.log(
				`        ${before.heapBytes} bytes, then ${after.heapBytes}: ${(growth * 100).toFixed(1)}%`,
			);
			if (growth > HEAP_GROWTH_MAX) throw new Error("the heap has grown");
		},
	},
	{ title: "no timer is left", run: () => noMore("timers", before, after) },
	{ title: "no handle is left", run: () => noMore("handles", before, after) },
	{ title: "no listener is left", run: () => noMore("listeners", before, after) },
	{
		title: "no file is left open",
		run: () => {
			noMore("files", before, after);
			// The checkpoint thread opens its connections when it first needs them, and keeps them.
			console.log(`        files of the store: ${before.storeFiles}, then ${after.storeFiles}`);
			if (after.storeFiles > STORE_FILES_MAX) throw new Error("the store keeps files open");
		},
	},
	{
		title: "every alarm has rung once",
		run: async () => {
			let checked = 0;
			for (const [key, expected] of rings) {
				if (checked++ === SAMPLE) break;
				const rung = () => local.counter.getOrCreate([key]).rung();
				const endMs = performance.now() + PATIENCE_MS;
				while ((await rung()) < expected && performance.now() < endMs) await pause(50);
				if ((await rung()) !== expected) {
					throw new Error(`${key} has rung ${await rung()} of ${expected} times`);
				}
			}
		},
	},
	{
		title: "every counter is where it must be",
		run: async () => {
			for (let sample = 0; sample < SAMPLE; sample++) {
				const key = keys[below(keys.length)]!;
				const count = await local.counter.getOrCreate([key]).add(0);
				if (count !== counts.get(key)) {
					throw new Error(`${key} is at ${count} instead of ${counts.get(key)}`);
				}
			}
		},
	},
];

const exitCode = await runChecks(checks);
console.log(`${Math.round((performance.now() - beganMs) / 1_000)} s`);
await remote.dispose();
await registry.shutdown();
rmSync(storage, { recursive: true, force: true });
process.exit(exitCode);
