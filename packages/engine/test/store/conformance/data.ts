import type { StorageRange } from "@rivetkit/protocol";
import { describe, expect, it } from "vitest";
import { acquiredActor, newActor, plain, putBatch, text } from "../fixtures.ts";
import type { MakeStore } from "./make-store.ts";

export function dataConformance(open: MakeStore, ordersReadsOfMany: boolean): void {
	describe("data", () => {
		it("gets values in the order of the keys, null where there is none", async () => {
			const store = await open({});
			const actor = await acquiredActor(store);
			await store.commit(putBatch(actor.actorId, 0, { a: "1", b: "2" }));
			const values = await store.get(actor.actorId, [text("b"), text("x"), text("a"), text("b")]);
			expect(values.map(plain)).toEqual(["2", null, "1", "2"]);
			expect(await store.get(actor.actorId, [])).toEqual([]);
			expect(await store.get("nobody", [text("a")])).toEqual([null]);
		});

		it("tells how many bytes of keys and values an actor stores", async () => {
			const store = await open({});
			const [actor, other] = [await acquiredActor(store), await acquiredActor(store)];
			expect(await store.storedBytes(actor.actorId)).toBe(0);
			await store.commit(putBatch(actor.actorId, 0, { a: "1", long: "x".repeat(100_000), "": "" }));
			await store.commit(putBatch(other.actorId, 0, { b: "12" }));
			expect(await store.storedBytes(actor.actorId)).toBe(100_006);
			await store.commit(putBatch(actor.actorId, 0, { long: "y" }));
			expect(await store.storedBytes(actor.actorId)).toBe(7);
			expect(await store.storedBytes("nobody")).toBe(0);
		});

		it("tells when entries were put, where their commits said so", async () => {
			const store = await open({});
			const [actor, other] = [await acquiredActor(store), await acquiredActor(store)];
			const { actorId } = actor;
			// In one turn, so that they are written together.
			await Promise.all([
				store.commit(putBatch(actorId, 0, { "": "0", a: "1", b: "2", c: "3" }, { putTs: 5 })),
				store.commit(putBatch(actorId, 0, { b: "4", d: "5" })),
				store.commit(putBatch(other.actorId, 0, { a: "6" })),
				store.commit(putBatch(actorId, 0, { c: "7" }, { putTs: 7 })),
			]);
			const timed = async (which: readonly Uint8Array[] | StorageRange, id = actorId) =>
				(await store.timedEntries(id, which)).map(({ key, value, putTs }) => [
					plain(key),
					plain(value),
					putTs,
				]);
			const all = [
				["", "0", 5],
				["a", "1", 5],
				["b", "4", null],
				["c", "7", 7],
				["d", "5", null],
			];
			const everything = { start: text(""), end: null };
			expect(await timed(everything)).toEqual(all);
			expect(await timed({ ...everything, reverse: true, limit: 2 })).toEqual(
				all.slice(-2).reverse(),
			);
			const within = { start: text("a"), end: text("c") };
			expect(await timed(within)).toEqual(all.slice(1, 3));
			expect(await timed({ ...within, limit: 0 })).toEqual([]);
			expect(await timed({ ...within, reverse: true })).toEqual(all.slice(1, 3).reverse());
			expect(await timed([])).toEqual([]);
			expect(await timed([text("d"), text("x"), text(""), text("d")])).toEqual([
				all[4],
				all[0],
				all[4],
			]);
			expect(await timed([text("a")], other.actorId)).toEqual([["a", "6", null]]);
			expect(await timed(everything, "nobody")).toEqual([]);
			// The same value anew is put anew.
			await store.commit(putBatch(actorId, 0, { a: "1" }, { putTs: 9 }));
			await store.commit(putBatch(actorId, 0, { c: "7" }));
			expect(await timed([text("a"), text("c")])).toEqual([
				["a", "1", 9],
				["c", "7", null],
			]);
			await expect(store.commit(putBatch(actorId, 0, { a: "no" }, { putTs: 0.5 }))).rejects.toThrow(
				TypeError,
			);
			await store.commit({ actorId, generation: 0, ops: [], destroyTs: 9 });
			expect(await timed([text("a")])).toEqual([]);
		});

		it("keeps empty keys and empty values", async () => {
			const store = await open({});
			const actor = await acquiredActor(store);
			await store.commit(putBatch(actor.actorId, 0, { "": "no key", empty: "" }));
			expect(await store.get(actor.actorId, [text(""), text("empty")])).toEqual([
				text("no key"),
				new Uint8Array(0),
			]);
		});

		it("keeps a value of 3 MiB byte for byte", async () => {
			const store = await open({});
			const actor = await acquiredActor(store);
			const value = Uint8Array.from({ length: 3 * 1024 * 1024 }, (_, index) => index % 251);
			await store.commit({
				actorId: actor.actorId,
				generation: 0,
				ops: [{ op: "put", key: text("big"), value }],
			});
			const [read] = await store.get(actor.actorId, [text("big")]);
			expect(Buffer.compare(read!, value)).toBe(0);
		});

		it("scans in byte order, from start to before end, limited, and backwards", async () => {
			const store = await open({});
			const actor = await acquiredActor(store);
			const keys = [[], [0], [0, 0], [1], [1, 255], [127], [128], [255], [255, 255]];
			await store.commit({
				actorId: actor.actorId,
				generation: 0,
				ops: [...keys].reverse().map((key) => ({
					op: "put",
					key: Uint8Array.from(key),
					value: Uint8Array.from(key),
				})),
			});
			const neighbour = await acquiredActor(store);
			await store.commit(putBatch(neighbour.actorId, 0, { z: "not mine" }));
			const scan = async (start: number[], end: number[] | null, rest: object = {}) =>
				(
					await store.scan(actor.actorId, {
						start: Uint8Array.from(start),
						end: end === null ? null : Uint8Array.from(end),
						...rest,
					})
				).map(([key]) => [...key]);
			expect(await scan([], null)).toEqual(keys);
			expect(await scan([], null, { reverse: true })).toEqual([...keys].reverse());
			expect(await scan([0, 0], [128])).toEqual([[0, 0], [1], [1, 255], [127]]);
			expect(await scan([0, 0], [128], { limit: 2 })).toEqual([[0, 0], [1]]);
			expect(await scan([0, 0], [128], { limit: 2, reverse: true })).toEqual([[127], [1, 255]]);
			expect(await scan([1, 0], [1, 255])).toEqual([]);
			expect(await scan([9], [1])).toEqual([]);
			expect(await scan([], null, { limit: 0 })).toEqual([]);
			expect(await store.scan("nobody", { start: new Uint8Array(0), end: null })).toEqual([]);
		});

		it("hands out bytes that are the caller's own", async () => {
			const store = await open({});
			const actor = await acquiredActor(store);
			const value = text("abc");
			await store.commit({
				actorId: actor.actorId,
				generation: 0,
				ops: [{ op: "put", key: text("k"), value }],
			});
			value.fill(0);
			const [first] = await store.get(actor.actorId, [text("k")]);
			expect(plain(first)).toBe("abc");
			first!.fill(0);
			const [second] = await store.get(actor.actorId, [text("k")]);
			expect(plain(second)).toBe("abc");
		});

		it("reads what was accepted before, without waiting for its commit (S6)", async () => {
			const store = await open({});
			const actor = newActor();
			const inserted = store.insertActor(actor);
			const byKey = store.actorByKey(actor.namespace, actor.name, actor.key);
			const acquired = store.acquire(actor.actorId);
			const committed = store.commit(putBatch(actor.actorId, 0, { a: "1" }, { alarmTs: 42 }));
			const read = store.get(actor.actorId, [text("a")]);
			const scanned = store.scan(actor.actorId, { start: text("a"), end: null });
			const byId = store.actorById(actor.actorId);
			const next = store.nextAlarmTs();
			const due = store.dueAlarms(42, 1);
			const listed = store.listActors({ namespace: "default", limit: 10 });
			const names = store.listNames("default", 10);
			expect((await byKey)?.actorId).toBe(actor.actorId);
			if (ordersReadsOfMany) expect((await byKey)?.generation).toBe(-1);
			expect((await read).map(plain)).toEqual(["1"]);
			expect(await scanned).toHaveLength(1);
			expect((await byId)?.generation).toBe(0);
			expect(await next).toBe(42);
			expect(await due).toHaveLength(1);
			expect(await listed).toHaveLength(1);
			expect(await names).toEqual(["counter"]);
			await Promise.all([inserted, acquired, committed]);
		});
	});
}
