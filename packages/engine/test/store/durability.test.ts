import { describe, expect, it, onTestFinished } from "vitest";
import { openSqliteStore } from "../../src/store/sqlite/open-sqlite-store.ts";
import { StaleGenerationError, type Store, StoreError } from "../../src/store/store.ts";
import { controlledDisk, isSettled } from "./controlled-disk.ts";
import { acquiredActor, contents, newActor, plain, putBatch, text } from "./fixtures.ts";
import { temporaryDirectory } from "./temporary-directory.ts";

async function open(directory = temporaryDirectory()) {
	const disk = controlledDisk();
	const store = await openSqliteStore({ directory, sync: disk.sync });
	onTestFinished(async () => {
		disk.free();
		await store.close();
	});
	return { directory, disk, store };
}

describe("durability of the SQLite store", () => {
	it("answers a commit only when a sync has ended that began after it (S2)", async () => {
		const { disk, store } = await open();
		const actor = await acquiredActor(store);
		disk.hold();
		const first = store.commit(putBatch(actor.actorId, 0, { a: "1" }));
		const firstSync = await disk.next();
		const second = store.commit(putBatch(actor.actorId, 0, { b: "2" }));
		expect(await isSettled(first)).toBe(false);
		firstSync.end();
		await first;
		expect(await isSettled(second)).toBe(false);
		(await disk.next()).end();
		await second;
	});

	it("goes on committing while the disk syncs, one sync at a time", async () => {
		const { disk, store } = await open();
		const actors = await Promise.all(Array.from({ length: 20 }, () => acquiredActor(store)));
		disk.hold();
		const before = disk.started;
		const first = store.commit(putBatch(actors[0]!.actorId, 0, { n: "0" }));
		const sync = await disk.next();
		const rest: Promise<void>[] = [];
		for (const actor of actors.slice(1)) {
			rest.push(store.commit(putBatch(actor.actorId, 0, { n: "1" })));
			await new Promise((resolve) => setImmediate(resolve));
		}
		expect(disk.started - before).toBe(1);
		for (const actor of actors.slice(1)) {
			expect(await contents(store, actor.actorId)).toEqual({ n: "1" });
		}
		sync.end();
		await first;
		(await disk.next()).end();
		await Promise.all(rest);
		expect(disk.started - before).toBe(2);
	});

	it("answers insert, acquire, discard and reads without waiting for the disk", async () => {
		const { disk, store } = await open();
		disk.hold();
		const actor = newActor();
		expect((await store.insertActor(actor)).created).toBe(true);
		expect((await store.acquire(actor.actorId)).generation).toBe(0);
		const commit = store.commit(putBatch(actor.actorId, 0, { a: "1" }));
		expect((await store.get(actor.actorId, [text("a")])).map(plain)).toEqual(["1"]);
		expect(await isSettled(commit)).toBe(false);
		await store.discard(actor.actorId, 0);
		expect(await store.actorById(actor.actorId)).toBeUndefined();
		(await disk.next()).end();
		await commit;
	});

	it("refuses a stale batch at once, without waiting for the disk", async () => {
		const { disk, store } = await open();
		const actor = await acquiredActor(store);
		disk.hold();
		await expect(store.commit(putBatch(actor.actorId, 9, { a: "1" }))).rejects.toThrow(
			StaleGenerationError,
		);
	});

	it("resolves sync when what came before is on the disk", async () => {
		const { disk, store } = await open();
		disk.hold();
		await store.insertActor(newActor());
		const synced = store.sync();
		const alsoSynced = store.sync();
		const sync = await disk.next();
		const joined = store.sync();
		expect(await isSettled(Promise.race([synced, alsoSynced, joined]))).toBe(false);
		sync.end();
		await Promise.all([synced, alsoSynced, joined]);
		const before = disk.started;
		await store.sync();
		expect(disk.started).toBe(before);
	});

	it("syncs what a killed predecessor left before it answers anything", async () => {
		const directory = temporaryDirectory();
		const disk = controlledDisk();
		disk.hold();
		const opening = openSqliteStore({ directory, sync: disk.sync });
		const sync = await disk.next();
		expect(await isSettled(opening)).toBe(false);
		sync.end();
		disk.free();
		await (await opening).close();
	});

	describe("after a failed sync", () => {
		async function failed(): Promise<{ store: Store; actorId: string; directory: string }> {
			const { disk, store, directory } = await open();
			const { actorId } = await acquiredActor(store);
			disk.hold();
			const covered = store.commit(putBatch(actorId, 0, { a: "1" }));
			const sync = await disk.next();
			const uncovered = store.commit(putBatch(actorId, 0, { b: "2" }));
			await store.get(actorId, [text("b")]);
			const pending = store.commit(putBatch(actorId, 0, { c: "3" }));
			sync.fail(new Error("EIO: i/o error, fdatasync"));
			for (const outcome of await Promise.allSettled([covered, uncovered, pending])) {
				expect(outcome).toMatchObject({ status: "rejected", reason: { code: "failed" } });
			}
			return { store, actorId, directory };
		}

		it("rejects everything that waited, and everything after, with path and advice", async () => {
			const { store, actorId, directory } = await failed();
			for (const call of [
				() => store.commit(putBatch(actorId, 0, { d: "4" })),
				() => store.insertActor(newActor()),
				() => store.acquire(actorId),
				() => store.get(actorId, [text("a")]),
				() => store.nextAlarmTs(),
				() => store.sync(),
			]) {
				const error: unknown = await Promise.resolve(call()).catch((reason: unknown) => reason);
				expect(error).toBeInstanceOf(StoreError);
				expect((error as StoreError).code).toBe("failed");
				expect((error as StoreError).message).toContain(directory);
				expect((error as StoreError).message).toMatch(/restart/);
			}
		});

		it("closes, and opens again with nothing half-written", async () => {
			const { store, actorId, directory } = await failed();
			await store.close();
			const again = await openSqliteStore({ directory });
			onTestFinished(() => again.close());
			await again.acquire(actorId);
			await again.commit(putBatch(actorId, 1, { z: "9" }));
			const found = await contents(again, actorId);
			expect(found).toMatchObject({ z: "9" });
			// Unconfirmed batches may have survived, but only in their order.
			expect(["z", "az", "abz"]).toContain(Object.keys(found).join(""));
		});
	});
});

describe("reopening", () => {
	it("finds everything that was confirmed", async () => {
		const { directory, store } = await open();
		const actor = await acquiredActor(store, { input: text("input"), key: "a\0\u0001ä" });
		await store.commit(
			putBatch(actor.actorId, 0, { a: "1" }, { alarmTs: 5, record: { initialised: true } }),
		);
		const record = await store.actorById(actor.actorId);
		await store.close();
		const again = await openSqliteStore({ directory });
		onTestFinished(() => again.close());
		expect(await again.actorById(actor.actorId)).toEqual(record);
		expect(await contents(again, actor.actorId)).toEqual({ a: "1" });
		expect(await again.nextAlarmTs()).toBe(5);
		expect(await again.listNames("default", 9)).toEqual(["counter"]);
		await expect(again.commit(putBatch(actor.actorId, 1, { a: "2" }))).rejects.toThrow(
			StaleGenerationError,
		);
		expect((await again.acquire(actor.actorId)).generation).toBe(1);
	});

	it("leaves one plain SQLite file behind a clean close", async () => {
		const { directory, store } = await open();
		await acquiredActor(store);
		await store.close();
		const { readdirSync } = await import("node:fs");
		expect(readdirSync(directory).sort()).toEqual(["store.lock", "store.sqlite"]);
	});

	it("goes on removing the data of a destroyed actor where a close cut it short", async () => {
		const { directory, store } = await open();
		const actor = await acquiredActor(store);
		const ops = Array.from({ length: 2000 }, (_, index) => ({
			op: "put" as const,
			key: text(`k${index}`),
			value: text("v"),
		}));
		await store.commit({ actorId: actor.actorId, generation: 0, ops });
		const destroyed = store.commit({
			actorId: actor.actorId,
			generation: 0,
			ops: [],
			destroyTs: Date.now(),
		});
		const closed = store.close();
		await destroyed;
		await closed;
		const left = await rowCounts(directory);
		expect(left.rows).toBeGreaterThan(0);
		expect(left.removals).toBe(1);

		const again = await openSqliteStore({ directory });
		const successor = await acquiredActor(again);
		await again.commit(putBatch(successor.actorId, 0, { mine: "1" }));
		// Each step is one transaction of one turn; the store is asked until all are done.
		for (;;) {
			await again.sync();
			const { removals } = await rowCounts(directory);
			if (removals === 0) {
				break;
			}
		}
		expect(await contents(again, successor.actorId)).toEqual({ mine: "1" });
		await again.close();
		expect(await rowCounts(directory)).toEqual({ rows: 1, removals: 0 });
	});
});

/** As any SQLite tool would see it, also while the store is open. */
async function rowCounts(directory: string): Promise<{ rows: number; removals: number }> {
	const { DatabaseSync } = await import("node:sqlite");
	const database = new DatabaseSync(`${directory}/store.sqlite`, { readOnly: true });
	try {
		const count = (table: string) =>
			database.prepare(`SELECT count(*) AS count FROM ${table}`).get()!.count as number;
		return { rows: count("kv") + count("cold"), removals: count("removals") };
	} finally {
		database.close();
	}
}
