// Baseline (b): the same as (a), and nothing is answered before it is on disk. All counters of one turn
// go to SQLite in one transaction that does not sync; one fdatasync of the write-ahead log at a time
// runs on the thread pool and releases every answer whose transaction ended before it began.

import { fdatasync, openSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { type Counter, type Pairs, startBaseline } from "./baseline.ts";
import { announce } from "./child.ts";

/** Pages of write-ahead log after which SQLite checkpoints, with its own syncs. */
const CHECKPOINT_PAGES = 16_384;

const folder = process.env.BENCH_STORAGE;
if (folder === undefined) throw new Error("BENCH_STORAGE is not set");
const path = join(folder, "counters.sqlite");
const database = new DatabaseSync(path);
database.exec(`
	PRAGMA journal_mode = WAL;
	PRAGMA synchronous = NORMAL;
	PRAGMA wal_autocheckpoint = ${CHECKPOINT_PAGES};
	CREATE TABLE counters (id TEXT PRIMARY KEY, count INTEGER NOT NULL) WITHOUT ROWID;
	CREATE TABLE messages (id INTEGER PRIMARY KEY, counter TEXT NOT NULL, body INTEGER NOT NULL);
	CREATE TABLE pairs (id TEXT, key TEXT, value TEXT NOT NULL, PRIMARY KEY (id, key)) WITHOUT ROWID;
`);
const upsert = database.prepare(
	"INSERT INTO counters VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET count = excluded.count",
);
const insert = database.prepare("INSERT INTO messages VALUES (?, ?, ?)");
const remove = database.prepare("DELETE FROM messages WHERE id = ?");
const putPair = database.prepare(
	"INSERT INTO pairs VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET value = excluded.value",
);
const getPair = database.prepare("SELECT value FROM pairs WHERE id = ? AND key = ?");
const countPairs = database.prepare("SELECT count(*) AS count FROM pairs WHERE id = ?");
const log = openSync(`${path}-wal`, "r+");

let dirty = new Set<Counter>();
let unwritten: (() => void)[] = [];
let unsynced: (() => void)[] = [];
/** Messages that came in this turn, and those that are handled in it. */
let added: Message[] = [];
let handled: Message[] = [];
let lastId = 0;

interface Message {
	readonly id: number;
	readonly counter: Counter;
	readonly amount: number;
}
let isSyncing = false;

let isTurnAsked = false;

function askForTurn(): void {
	if (isTurnAsked) return;
	isTurnAsked = true;
	setImmediate(writeTurn);
}

function settle(counter: Counter, release: () => void): void {
	dirty.add(counter);
	unwritten.push(release);
	askForTurn();
}

/** A message is handled in the transaction after the one that stores it. */
function enqueue(counter: Counter, amount: number, release: () => void): void {
	added.push({ id: ++lastId, counter, amount });
	unwritten.push(release);
	askForTurn();
}

/** The transaction that takes what is put in this turn is open. */
let isOpen = false;

function begin(): void {
	if (isOpen) return;
	isOpen = true;
	database.exec("BEGIN");
}

function writeTurn(): void {
	isTurnAsked = false;
	for (const { counter, amount } of handled) {
		counter.count += amount;
		dirty.add(counter);
	}
	const counters = dirty;
	const [stored, gone] = [added, handled];
	added = [];
	handled = stored;
	unsynced.push(...unwritten);
	dirty = new Set();
	unwritten = [];
	begin();
	for (const { id, count } of counters) upsert.run(id, count);
	for (const { id, counter, amount } of stored) insert.run(id, counter.id, amount);
	for (const { id } of gone) remove.run(id);
	database.exec("COMMIT");
	isOpen = false;
	if (handled.length > 0) askForTurn();
	if (!isSyncing) sync();
}

function sync(): void {
	const releases = unsynced;
	unsynced = [];
	isSyncing = true;
	fdatasync(log, (error) => {
		// What is on disk is unknown: nothing more may be acknowledged.
		if (error) throw error;
		isSyncing = false;
		for (const release of releases) release();
		if (unsynced.length > 0) sync();
	});
}

const pairs: Pairs = {
	put({ id }, key, value) {
		begin();
		putPair.run(id, key, value);
	},
	get: ({ id }, key) => getPair.get(id, key)?.value as string | undefined,
	size: ({ id }) => countPairs.get(id)?.count as number,
};

announce(await startBaseline(settle, pairs, enqueue));
