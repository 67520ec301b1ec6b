import { DatabaseSync } from "node:sqlite";
import { COLD_KEYS_START } from "@rivetkit/protocol";
import { expect, it, onTestFinished } from "vitest";
import { openSqliteStore } from "../../src/store/sqlite/open-sqlite-store.ts";
import { acquiredActor, contents, putBatch, text } from "./fixtures.ts";
import { temporaryDirectory } from "./temporary-directory.ts";

/** What makes a store of the newest format one of format 5 again, and so on. */
const TO_FORMAT_5 = `
	DROP INDEX actors_left_running;
	PRAGMA user_version = 5;
`;
const TO_FORMAT_3 = `
	${TO_FORMAT_5}
	INSERT INTO kv SELECT * FROM cold;
	DROP TABLE cold;
	ALTER TABLE kv DROP COLUMN put_ts;
	PRAGMA user_version = 3;
`;
const TO_FORMAT_1 = `
	${TO_FORMAT_3}
	DROP INDEX actors_connected;
	ALTER TABLE actors DROP COLUMN connected;
	DROP TABLE inventory;
	PRAGMA user_version = 1;
`;

it("a store of format 1 is migrated, keeps what it holds, and opens again afterwards", async () => {
	const directory = temporaryDirectory();
	const store = await openSqliteStore({ directory });
	const actor = await acquiredActor(store, { input: text("input") });
	await store.commit(
		putBatch(actor.actorId, 0, { a: "1" }, { alarmTs: 5, record: { initialised: true } }),
	);
	const record = await store.actorById(actor.actorId);
	await store.close();
	const tool = new DatabaseSync(`${directory}/store.sqlite`);
	tool.exec(TO_FORMAT_1);
	tool.close();

	const migrated = await openSqliteStore({ directory });
	expect(await migrated.actorById(actor.actorId)).toEqual(record);
	expect(await contents(migrated, actor.actorId)).toEqual({ a: "1" });
	await migrated.commit(putBatch(actor.actorId, 0, {}, { record: { connected: true } }));
	await migrated.commit(putBatch(actor.actorId, 0, { b: "2" }, { putTs: 7 }));
	const times = await migrated.timedEntries(actor.actorId, [text("a"), text("b")]);
	expect(times.map(({ putTs }) => putTs)).toEqual([null, 7]);
	await migrated.close();
	const again = await openSqliteStore({ directory });
	onTestFinished(() => again.close());
	expect(await again.actorsToResume(9)).toEqual([actor.actorId]);
	expect(await again.nextAlarmTs()).toBe(5);
});

it("a store of format 3 is migrated: what is cold moves to a table of its own", async () => {
	const directory = temporaryDirectory();
	const store = await openSqliteStore({ directory });
	const { actorId } = await acquiredActor(store);
	const keys = [[0], [COLD_KEYS_START - 1, 255], [COLD_KEYS_START], [COLD_KEYS_START, 1], [255]];
	await store.commit({
		actorId,
		generation: 0,
		ops: keys.map((key) => ({
			op: "put",
			key: Uint8Array.from(key),
			value: Uint8Array.from([7, ...key]),
		})),
	});
	await store.close();
	expect(rowsOf(directory, "cold")).toBe(3);
	const tool = new DatabaseSync(`${directory}/store.sqlite`);
	tool.exec(TO_FORMAT_3);
	tool.close();

	const migrated = await openSqliteStore({ directory });
	const entries = await migrated.scan(actorId, { start: new Uint8Array(), end: null });
	expect(entries.map(([key, value]) => [[...key], [...value]])).toEqual(
		keys.map((key) => [key, [7, ...key]]),
	);
	await migrated.close();
	expect(rowsOf(directory, "kv")).toBe(2);
	expect(rowsOf(directory, "cold")).toBe(3);
});

it("a store of format 5 is migrated: what ran is found by the index that a new store has", async () => {
	const directory = temporaryDirectory();
	const store = await openSqliteStore({ directory });
	const { actorId } = await acquiredActor(store, { crashPolicy: "restart" });
	await store.commit(putBatch(actorId, 0, {}, { record: { initialised: true, startTs: 3 } }));
	await store.close();
	const indexes = indexesOf(directory);
	const tool = new DatabaseSync(`${directory}/store.sqlite`);
	tool.exec(TO_FORMAT_5);
	tool.close();

	const migrated = await openSqliteStore({ directory });
	expect(await migrated.actorsToResume(9)).toEqual([actorId]);
	await migrated.close();
	expect(indexesOf(directory)).toEqual(indexes);
});

function indexesOf(directory: string): unknown {
	const tool = new DatabaseSync(`${directory}/store.sqlite`, { readOnly: true });
	try {
		return tool
			.prepare("SELECT name, sql FROM sqlite_schema WHERE type = 'index' ORDER BY name")
			.all();
	} finally {
		tool.close();
	}
}

function rowsOf(directory: string, table: string): unknown {
	const tool = new DatabaseSync(`${directory}/store.sqlite`, { readOnly: true });
	try {
		return tool.prepare(`SELECT count(*) AS rows FROM ${table}`).get()!.rows;
	} finally {
		tool.close();
	}
}
