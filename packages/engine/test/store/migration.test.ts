import { DatabaseSync } from "node:sqlite";
import { expect, it, onTestFinished } from "vitest";
import { openSqliteStore } from "../../src/store/sqlite/open-sqlite-store.ts";
import { acquiredActor, contents, putBatch, text } from "./fixtures.ts";
import { temporaryDirectory } from "./temporary-directory.ts";

/** What makes a store of the newest format one of format 1 again. */
const TO_FORMAT_1 = `
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
	await migrated.close();
	const again = await openSqliteStore({ directory });
	onTestFinished(() => again.close());
	expect(await again.connectedActors(9)).toEqual([actor.actorId]);
	expect(await again.nextAlarmTs()).toBe(5);
});
