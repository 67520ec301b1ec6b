import { describe, expect, it, onTestFinished } from "vitest";
import { openSqliteStore } from "../../src/store/sqlite/open-sqlite-store.ts";
import { StaleGenerationError, type Store, type StoreError } from "../../src/store/store.ts";
import { nextLine, startChild } from "./child.ts";
import { acquiredActor, contents, newActor, plain, putBatch, text } from "./fixtures.ts";
import { temporaryDirectory } from "./temporary-directory.ts";

const MIB = 1024 * 1024;

/** Writes 64 KiB at a time until there is no room. */
async function fill(
	store: Store,
	actorId: string,
): Promise<{ confirmed: number; error: StoreError }> {
	for (let confirmed = 0; ; confirmed++) {
		try {
			await store.commit(putBatch(actorId, 0, { [`k${confirmed}`]: "x".repeat(65_536) }));
		} catch (error) {
			return { confirmed, error: error as StoreError };
		}
	}
}

describe("a store without space left", () => {
	it("fails the write with path and advice, keeps what was confirmed, and goes on with room", async () => {
		const directory = temporaryDirectory();
		const store = await openSqliteStore({ directory, maxBytes: MIB });
		onTestFinished(() => store.close());
		const { actorId } = await acquiredActor(store);
		const { confirmed, error } = await fill(store, actorId);
		expect(confirmed).toBeGreaterThan(5);
		expect(error).toMatchObject({ name: "StoreError", code: "full" });
		expect(error.message).toContain(directory);
		expect(error.message).toMatch(/free some/);
		expect(Object.keys(await contents(store, actorId))).toHaveLength(confirmed);

		await store.commit({
			actorId,
			generation: 0,
			ops: [{ op: "deleteRange", start: text("k0"), end: text("k5") }],
		});
		await store.commit(putBatch(actorId, 0, { again: "y".repeat(65_536) }));
		expect((await store.get(actorId, [text("again")]))[0]).toHaveLength(65_536);
	});

	it("rolls back all the batches of the turn, whole, and answers its reads", async () => {
		const store = await openSqliteStore({ directory: temporaryDirectory(), maxBytes: MIB });
		onTestFinished(() => store.close());
		const [small, large] = [await acquiredActor(store), await acquiredActor(store)];
		await store.commit(putBatch(small.actorId, 0, { a: "old" }));
		const created = newActor({ name: "unborn" });
		const [first, inserted, acquired, read, second] = await Promise.allSettled([
			store.commit(putBatch(small.actorId, 0, { a: "new", b: "new" })),
			store.insertActor(created),
			store.acquire(small.actorId),
			store.get(small.actorId, [text("a")]),
			store.commit(putBatch(large.actorId, 0, { big: "x".repeat(2 * MIB) })),
		]);
		for (const outcome of [first, inserted, second]) {
			expect(outcome).toMatchObject({ status: "rejected", reason: { code: "full" } });
		}
		expect(read.status === "fulfilled" && plain(read.value[0])).toBe("old");
		// A new incarnation can read, however full the disk is; the one before it is fenced off.
		const { generation } = acquired.status === "fulfilled" ? acquired.value : { generation: 0 };
		expect(generation).toBeGreaterThan(0);
		await expect(store.commit(putBatch(small.actorId, 0, { a: "late" }))).rejects.toThrow(
			StaleGenerationError,
		);
		expect(await contents(store, small.actorId)).toEqual({ a: "old" });
		expect(await contents(store, large.actorId)).toEqual({});
		expect(await store.actorById(created.actorId)).toBeUndefined();
		expect(await store.listNames("default", 9)).toEqual(["counter"]);
		// Nothing that is remembered of the rolled-back turn gets in the way.
		await store.commit(putBatch(small.actorId, generation, { a: "newer" }));
		expect((await store.insertActor(created)).created).toBe(true);
		expect(await store.listNames("default", 9)).toEqual(["counter", "unborn"]);
	});

	it("does not open a new store where there is no room for one", async () => {
		const directory = temporaryDirectory();
		const child = startChild("hold-store.ts", [directory], { shell: "ulimit -f 8" });
		onTestFinished(() => void child.process.kill("SIGKILL"));
		const outcome = JSON.parse(await nextLine(child));
		expect(outcome).toMatchObject({ opened: false, code: "failed" });
		expect(outcome.message).toContain(directory);
		const store = await openSqliteStore({ directory });
		await store.close();
	});
});

describe("a disk that refuses a write", () => {
	// A limit on file sizes gives the writes of SQLite itself an error that is not "disk full".
	it("stops the store with path and advice; what was confirmed is there afterwards", async () => {
		const directory = temporaryDirectory();
		const child = startChild("fill-store.ts", [directory], { shell: "ulimit -f 2048" });
		onTestFinished(() => void child.process.kill("SIGKILL"));
		const { actorId } = JSON.parse(await nextLine(child));
		const outcome = JSON.parse(await nextLine(child));
		expect(outcome.confirmed).toBeGreaterThan(5);
		expect(outcome.code).toBe("failed");
		expect(outcome.message).toContain(directory);
		expect(outcome.message).toMatch(/restart the process/);
		expect(JSON.parse(await nextLine(child))).toEqual({ after: "failed" });
		expect(await child.exited).toBe("");

		const store = await openSqliteStore({ directory });
		onTestFinished(() => store.close());
		const found = await store.scan(actorId, { start: new Uint8Array(0), end: null });
		expect(found.length).toBeGreaterThanOrEqual(outcome.confirmed);
		for (const [key, value] of found) {
			const expected = new Uint8Array(65_536).fill(Number(plain(key)!.slice(1)));
			expect(Buffer.compare(value, expected)).toBe(0);
		}
	});
});
