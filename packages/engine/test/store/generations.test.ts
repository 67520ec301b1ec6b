import { cpSync } from "node:fs";
import { describe, expect, it, onTestFinished } from "vitest";
import { openSqliteStore } from "../../src/store/sqlite/open-sqlite-store.ts";
import { StaleGenerationError, type Store } from "../../src/store/store.ts";
import { acquiredActor, contents, newActor, putBatch } from "./fixtures.ts";
import { temporaryDirectory } from "./temporary-directory.ts";

/** What the store keeps on the way to an actor's first commit, in numbers (`UNWRITTEN_GENERATIONS_MAX`). */
const UNWRITTEN_MAX = 256;

async function open(
	directory = temporaryDirectory(),
): Promise<{ store: Store; directory: string }> {
	const store = await openSqliteStore({ directory });
	onTestFinished(() => store.close());
	return { store, directory };
}

/** What a process would find that starts where this one is killed now. */
async function afterKill(directory: string): Promise<Store> {
	const copy = temporaryDirectory();
	for (const file of ["store.sqlite", "store.sqlite-wal"]) {
		cpSync(`${directory}/${file}`, `${copy}/${file}`);
	}
	return (await open(copy)).store;
}

/** Generations as any SQLite tool would see them now, by actor. */
async function written(directory: string): Promise<Record<string, number>> {
	const { DatabaseSync } = await import("node:sqlite");
	const database = new DatabaseSync(`${directory}/store.sqlite`, { readOnly: true });
	try {
		const rows = database.prepare("SELECT id, generation FROM actors").all();
		return Object.fromEntries(rows.map(({ id, generation }) => [id, generation as number]));
	} finally {
		database.close();
	}
}

describe("generations in the SQLite store", () => {
	it("an acquisition writes nothing by itself, and fences off at once", async () => {
		const { store, directory } = await open();
		const { actorId } = await acquiredActor(store);
		await store.commit(putBatch(actorId, 0, { a: "1" }));
		expect((await store.acquire(actorId)).generation).toBe(1);
		expect(await written(directory)).toEqual({ [actorId]: 0 });
		expect((await store.actorById(actorId))?.generation).toBe(1);
		expect(
			(await store.actorByKey("default", "counter", (await store.actorById(actorId))!.key))
				?.generation,
		).toBe(1);
		expect((await store.listActors({ namespace: "default", limit: 9 }))[0]?.generation).toBe(1);
		await expect(store.commit(putBatch(actorId, 0, { a: "2" }))).rejects.toThrow(
			StaleGenerationError,
		);
		expect(await contents(store, actorId)).toEqual({ a: "1" });
	});

	it("is written with the first commit that carries it", async () => {
		const { store, directory } = await open();
		const { actorId } = await acquiredActor(store);
		await store.acquire(actorId);
		await store.commit(putBatch(actorId, 1, { a: "1" }));
		expect(await written(directory)).toEqual({ [actorId]: 1 });
		const next = await afterKill(directory);
		await expect(next.commit(putBatch(actorId, 0, { a: "0" }))).rejects.toThrow(
			StaleGenerationError,
		);
		expect((await next.acquire(actorId)).generation).toBe(2);
	});

	it("a crash before the first commit loses it, and with it all it could have fenced off", async () => {
		const { store, directory } = await open();
		const { actorId } = await acquiredActor(store);
		await store.commit(putBatch(actorId, 0, { a: "1" }));
		await store.acquire(actorId);
		const next = await afterKill(directory);
		expect((await next.acquire(actorId)).generation).toBe(1);
		expect(await contents(next, actorId)).toEqual({ a: "1" });
		await next.commit(putBatch(actorId, 1, { a: "2" }));
		await expect(next.commit(putBatch(actorId, 0, { a: "3" }))).rejects.toThrow(
			StaleGenerationError,
		);
	});

	it("is durable after a sync, for incarnations that outlive the process", async () => {
		const { store, directory } = await open();
		const { actorId } = await acquiredActor(store);
		await store.acquire(actorId);
		await store.sync();
		expect(await written(directory)).toEqual({ [actorId]: 1 });
		expect((await (await afterKill(directory)).acquire(actorId)).generation).toBe(2);
	});

	it("is written by itself when too many wait for a commit", async () => {
		const { store, directory } = await open();
		const ids: string[] = [];
		for (let index = 0; index <= UNWRITTEN_MAX; index++) {
			const { actor } = await store.insertActor(newActor(), { acquire: true });
			ids.push(actor.actorId);
		}
		for (const id of ids.slice(1)) await store.acquire(id);
		expect(Object.values(await written(directory))).not.toContain(1);
		await store.acquire(ids[0]!);
		// Behind what the store has written by itself.
		await store.insertActor(newActor({ actorId: "last" }), { acquire: true });
		const { last, ...others } = await written(directory);
		expect(last).toBe(0);
		expect(new Set(Object.values(others))).toEqual(new Set([1]));
	});

	it("goes with a destroyed or discarded actor", async () => {
		const { store } = await open();
		const [destroyed, discarded] = [await acquiredActor(store), await acquiredActor(store)];
		await store.acquire(destroyed.actorId);
		await store.commit({ actorId: destroyed.actorId, generation: 1, ops: [], destroyTs: 5 });
		await store.acquire(discarded.actorId);
		await store.discard(discarded.actorId, 1);
		for (const { actorId } of [destroyed, discarded]) {
			await expect(store.commit(putBatch(actorId, 1, { a: "1" }))).rejects.toThrow(
				StaleGenerationError,
			);
			await expect(store.acquire(actorId)).rejects.toThrow(StaleGenerationError);
		}
	});

	it("stays after the turn of its actor's first commit was rolled back", async () => {
		const directory = temporaryDirectory();
		const store = await openSqliteStore({ directory, maxBytes: 1024 * 1024 });
		onTestFinished(() => store.close());
		const [small, large] = [await acquiredActor(store), await acquiredActor(store)];
		await store.acquire(small.actorId);
		const outcomes = await Promise.allSettled([
			store.commit(putBatch(small.actorId, 1, { a: "1" })),
			store.commit(putBatch(large.actorId, 0, { big: "x".repeat(2 * 1024 * 1024) })),
		]);
		expect(outcomes.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
		await expect(store.commit(putBatch(small.actorId, 0, { a: "0" }))).rejects.toThrow(
			StaleGenerationError,
		);
		await store.commit(putBatch(small.actorId, 1, { a: "1" }));
		expect((await written(directory))[small.actorId]).toBe(1);
	});

	it("an actor whose insertion was rolled back is not acquired by what came behind it", async () => {
		const store = await openSqliteStore({ directory: temporaryDirectory(), maxBytes: 1024 * 1024 });
		onTestFinished(() => store.close());
		const large = await acquiredActor(store);
		const unborn = newActor();
		const outcomes = await Promise.allSettled([
			store.insertActor(unborn),
			store.acquire(unborn.actorId),
			store.commit(putBatch(large.actorId, 0, { big: "x".repeat(2 * 1024 * 1024) })),
		]);
		expect(outcomes.map(({ status }) => status)).toEqual(["rejected", "rejected", "rejected"]);
		await expect(store.commit(putBatch(unborn.actorId, 0, { a: "1" }))).rejects.toThrow(
			StaleGenerationError,
		);
	});
});
