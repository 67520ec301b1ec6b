import type { Clock, StorageRange } from "@rivetkit/protocol";
import { afterEach, describe, expect, it } from "vitest";
import {
	type ActorSnapshot,
	StaleGenerationError,
	type Store,
	type StoreError,
} from "../../src/store/store.ts";
import type { TombstoneLimits } from "../../src/store/tombstones.ts";
import {
	acquiredActor,
	contents,
	manualClock,
	newActor,
	plain,
	putBatch,
	text,
} from "./fixtures.ts";
import { inventoryConformance } from "./inventory-conformance.ts";

/** Makes an empty store. The suite closes it. */
export type MakeStore = (options: {
	clock?: Clock;
	tombstones?: Partial<TombstoneLimits>;
}) => Promise<Store>;

export interface ConformanceOptions {
	/** Whether reads by key and of many actors see nothing that was called after them. Default true. */
	readonly ordersReadsOfMany?: boolean;
}

/** What every {@link Store} must do; the guarantees S1 to S6 as far as one process can see them. */
export function storeConformance(
	name: string,
	makeStore: MakeStore,
	{ ordersReadsOfMany = true }: ConformanceOptions = {},
): void {
	describe(`${name} store`, () => {
		const opened: Store[] = [];
		const open: MakeStore = async (options) => {
			const store = await makeStore({ clock: manualClock(1000), ...options });
			opened.push(store);
			return store;
		};
		afterEach(async () => {
			await Promise.all(opened.splice(0).map((store) => store.close()));
		});

		directory(open);
		listing(open);
		ownership(open);
		data(open, ordersReadsOfMany);
		batches(open);
		alarms(open);
		destruction(open);
		transfer(open);
		inventoryConformance(open);
		closing(open);
	});
}

function directory(open: MakeStore): void {
	describe("directory", () => {
		it("inserts an actor and finds it by id and by key", async () => {
			const store = await open({});
			const actor = newActor({ input: new Uint8Array([1, 0, 255]) });
			const expected = {
				...actor,
				generation: -1,
				initialised: false,
				startTs: null,
				connectableTs: null,
				sleepTs: null,
				destroyTs: null,
				alarmTs: null,
				connected: false,
			};
			expect(await store.insertActor(actor)).toEqual({ created: true, actor: expected });
			expect(await store.actorById(actor.actorId)).toEqual(expected);
			expect(await store.actorByKey(actor.namespace, actor.name, actor.key)).toEqual(expected);
		});

		it("answers undefined for an unknown id, key, name or namespace", async () => {
			const store = await open({});
			const actor = newActor();
			await store.insertActor(actor);
			expect(await store.actorById("nobody")).toBeUndefined();
			expect(await store.actorByKey("other", actor.name, actor.key)).toBeUndefined();
			expect(await store.actorByKey(actor.namespace, "other", actor.key)).toBeUndefined();
			expect(await store.actorByKey(actor.namespace, actor.name, "other")).toBeUndefined();
		});

		it("tells which live actor holds a key (S5)", async () => {
			const store = await open({});
			const first = newActor();
			await store.insertActor(first);
			const second = await store.insertActor({ ...newActor(), key: first.key });
			expect(second.created).toBe(false);
			expect(second.actor.actorId).toBe(first.actorId);
		});

		it("gives a hundred concurrent creators of one key one actor", async () => {
			const store = await open({});
			const results = await Promise.all(
				Array.from({ length: 100 }, () => store.insertActor({ ...newActor(), key: "same" })),
			);
			expect(results.filter((result) => result.created)).toHaveLength(1);
			expect(new Set(results.map((result) => result.actor.actorId)).size).toBe(1);
		});

		it("refuses an actor id that another key's actor has", async () => {
			const store = await open({});
			const actor = newActor();
			await store.insertActor(actor);
			await expect(store.insertActor({ ...actor, key: "elsewhere" })).rejects.toThrow(
				actor.actorId,
			);
			expect(await store.actorByKey(actor.namespace, actor.name, "elsewhere")).toBeUndefined();
		});

		it("keeps keys apart that differ only in odd characters", async () => {
			const store = await open({});
			const keys = [
				"",
				"/",
				"\\0",
				"a\0b",
				"a\0c",
				"a",
				"a\u0001",
				"a\u00010",
				"ä",
				"a\u0308",
				"𝒳",
			];
			for (const key of keys) {
				await store.insertActor(newActor({ actorId: `id of ${key}`, key }));
			}
			for (const key of keys) {
				const record = await store.actorByKey("default", "counter", key);
				expect(record?.actorId).toBe(`id of ${key}`);
				expect(record?.key).toBe(key);
			}
		});

		it("refuses a text with a lone surrogate, which has no stored form", async () => {
			const store = await open({});
			await expect(store.insertActor(newActor({ key: "a\ud800" }))).rejects.toThrow(TypeError);
		});
	});
}

function listing(open: MakeStore): void {
	describe("listing", () => {
		it("lists newest first, of one name, live only unless asked", async () => {
			const store = await open({});
			const old = await acquiredActor(store, { createTs: 1 });
			const middle = await acquiredActor(store, { createTs: 2 });
			const fresh = await acquiredActor(store, { createTs: 3 });
			await acquiredActor(store, { createTs: 4, name: "other" });
			await acquiredActor(store, { createTs: 5, namespace: "other" });
			await store.commit({ actorId: middle.actorId, generation: 0, ops: [], destroyTs: 9 });
			const query = { namespace: "default", name: "counter", limit: 10 };
			const ids = async (q: Parameters<Store["listActors"]>[0]) =>
				(await store.listActors(q)).map((record) => record.actorId);
			expect(await ids(query)).toEqual([fresh.actorId, old.actorId]);
			expect(await ids({ ...query, includeDestroyed: true })).toEqual([
				fresh.actorId,
				middle.actorId,
				old.actorId,
			]);
			expect(await ids({ namespace: "default", limit: 10 })).toHaveLength(3);
			expect(await ids({ ...query, limit: 1 })).toEqual([fresh.actorId]);
			expect(await ids({ ...query, limit: 0 })).toEqual([]);
		});

		it("lists every actor that ever had a key", async () => {
			const store = await open({});
			const first = await acquiredActor(store, { key: "k", createTs: 1 });
			await store.commit({ actorId: first.actorId, generation: 0, ops: [], destroyTs: 2 });
			const second = await acquiredActor(store, { key: "k", createTs: 3 });
			await acquiredActor(store, { key: "other", createTs: 4 });
			const query = { namespace: "default", name: "counter", key: "k", limit: 10 };
			const live = await store.listActors(query);
			expect(live.map((record) => record.actorId)).toEqual([second.actorId]);
			const all = await store.listActors({ ...query, includeDestroyed: true });
			expect(all.map((record) => record.actorId)).toEqual([second.actorId, first.actorId]);
		});

		it.each([{ name: "counter" }, {}])(
			"pages through a burst of equal creation times once each (%j)",
			async (filter) => {
				const store = await open({});
				const ids = new Set<string>();
				for (let index = 0; index < 25; index++) {
					const actor = newActor({ createTs: 100 + Math.floor(index / 10) });
					ids.add(actor.actorId);
					await store.insertActor(actor);
				}
				const seen: string[] = [];
				let before: { createTs: number; actorId: string } | undefined;
				for (;;) {
					const page = await store.listActors({
						namespace: "default",
						limit: 4,
						...filter,
						...(before === undefined ? {} : { before }),
					});
					if (page.length === 0) {
						break;
					}
					seen.push(...page.map((record) => record.actorId));
					const last = page.at(-1)!;
					before = { createTs: last.createTs, actorId: last.actorId };
				}
				expect(seen).toHaveLength(25);
				expect(new Set(seen)).toEqual(ids);
				const older = await store.listActors({
					namespace: "default",
					limit: 100,
					...filter,
					before: { createTs: 101 },
				});
				expect(older).toHaveLength(10);
			},
		);

		it("lists the names that have or had an actor, sorted, and forgets discarded ones", async () => {
			const store = await open({ tombstones: { maxCount: 0 } });
			const gone = await acquiredActor(store, { name: "gone" });
			await acquiredActor(store, { name: "b" });
			await acquiredActor(store, { name: "a" });
			await acquiredActor(store, { name: "b" });
			await acquiredActor(store, { name: "elsewhere", namespace: "other" });
			const never = await acquiredActor(store, { name: "never" });
			const halfMade = await acquiredActor(store, { name: "b" });
			await store.commit({ actorId: gone.actorId, generation: 0, ops: [], destroyTs: 1 });
			await store.discard(never.actorId, 0);
			await store.discard(halfMade.actorId, 0);
			await store.sync();
			const counts = await store.countActors("default");
			expect([...counts].sort()).toEqual([
				["a", 1],
				["b", 2],
			]);
			expect([...(await store.countActors("nowhere"))]).toEqual([]);
			expect(await store.listNames("default", 10)).toEqual(["a", "b", "gone"]);
			expect(await store.listNames("default", 1)).toEqual(["a"]);
			expect(await store.listNames("default", 10, "a")).toEqual(["b", "gone"]);
			expect(await store.listNames("default", 1, "aa")).toEqual(["b"]);
			expect(await store.listNames("nowhere", 10)).toEqual([]);
		});
	});
}

function ownership(open: MakeStore): void {
	describe("ownership", () => {
		it("raises the generation at each acquire, from 0", async () => {
			const store = await open({});
			const actor = newActor();
			await store.insertActor(actor);
			expect((await store.acquire(actor.actorId)).generation).toBe(0);
			expect((await store.acquire(actor.actorId)).generation).toBe(1);
			expect((await store.actorById(actor.actorId))?.generation).toBe(1);
		});

		it("takes a created actor in the same step when asked, and leaves the holder of a key alone", async () => {
			const store = await open({});
			const actor = newActor();
			const { created, actor: record } = await store.insertActor(actor, { acquire: true });
			expect([created, record.generation, record.initialised]).toEqual([true, 0, false]);
			expect(await store.actorById(actor.actorId)).toEqual(record);
			await store.commit(putBatch(actor.actorId, 0, { a: "first" }));
			const holder = await store.insertActor({ ...newActor(), key: actor.key }, { acquire: true });
			expect(holder).toMatchObject({ created: false, actor: { actorId: actor.actorId } });
			expect((await store.actorById(actor.actorId))?.generation).toBe(0);
			expect((await store.acquire(actor.actorId)).generation).toBe(1);
		});

		it("refuses to acquire an unknown or destroyed actor", async () => {
			const store = await open({});
			await expect(store.acquire("nobody")).rejects.toThrow(StaleGenerationError);
			const actor = await acquiredActor(store);
			await store.commit({ actorId: actor.actorId, generation: 0, ops: [], destroyTs: 1 });
			await expect(store.acquire(actor.actorId)).rejects.toThrow(StaleGenerationError);
		});

		it.each([-1, 0, 2])("refuses a batch of generation %i when 1 is newest (S4)", async (wrong) => {
			const store = await open({});
			const actor = await acquiredActor(store);
			await store.acquire(actor.actorId);
			await store.commit(putBatch(actor.actorId, 1, { a: "kept" }, { alarmTs: 5 }));
			const before = await store.actorById(actor.actorId);
			await expect(
				store.commit(
					putBatch(
						actor.actorId,
						wrong,
						{ a: "late", b: "late" },
						{ alarmTs: 9, record: { initialised: true }, destroyTs: 3 },
					),
				),
			).rejects.toThrow(StaleGenerationError);
			expect(await contents(store, actor.actorId)).toEqual({ a: "kept" });
			expect(await store.actorById(actor.actorId)).toEqual(before);
		});

		it("fences batches by the order of the calls, not of their answers", async () => {
			const store = await open({});
			const actor = await acquiredActor(store);
			const results = await Promise.allSettled([
				store.commit(putBatch(actor.actorId, 0, { a: "before" })),
				store.acquire(actor.actorId),
				store.commit(putBatch(actor.actorId, 0, { a: "after" })),
				store.commit(putBatch(actor.actorId, 1, { b: "new" })),
			]);
			expect(results.map((result) => result.status)).toEqual([
				"fulfilled",
				"fulfilled",
				"rejected",
				"fulfilled",
			]);
			expect(await contents(store, actor.actorId)).toEqual({ a: "before", b: "new" });
		});

		it("discards an actor that was never initialised, with all it stored", async () => {
			const store = await open({});
			const actor = await acquiredActor(store, { input: text("input") });
			await store.commit(putBatch(actor.actorId, 0, { a: "1" }, { alarmTs: 7 }));
			await store.discard(actor.actorId, 0);
			expect(await store.actorById(actor.actorId)).toBeUndefined();
			expect(await store.actorByKey(actor.namespace, actor.name, actor.key)).toBeUndefined();
			expect(await contents(store, actor.actorId)).toEqual({});
			expect(await store.nextAlarmTs()).toBeNull();
			await expect(store.commit(putBatch(actor.actorId, 0, { a: "2" }))).rejects.toThrow(
				StaleGenerationError,
			);
			const again = await store.insertActor({ ...newActor(), key: actor.key });
			expect(again.created).toBe(true);
			expect(await contents(store, again.actor.actorId)).toEqual({});
		});

		it("discards nothing that is initialised, superseded, destroyed or unknown", async () => {
			const store = await open({});
			const ready = await acquiredActor(store);
			await store.commit(putBatch(ready.actorId, 0, {}, { record: { initialised: true } }));
			const superseded = await acquiredActor(store);
			await store.acquire(superseded.actorId);
			const destroyed = await acquiredActor(store);
			await store.commit({ actorId: destroyed.actorId, generation: 0, ops: [], destroyTs: 1 });
			await store.discard(ready.actorId, 0);
			await store.discard(superseded.actorId, 0);
			await store.discard(destroyed.actorId, 0);
			await store.discard("nobody", 0);
			expect(await store.actorById(ready.actorId)).toBeDefined();
			expect(await store.actorById(superseded.actorId)).toBeDefined();
			expect(await store.actorById(destroyed.actorId)).toBeDefined();
		});
	});
}

function data(open: MakeStore, ordersReadsOfMany: boolean): void {
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

function batches(open: MakeStore): void {
	describe("batches", () => {
		it("applies the operations of a batch in order", async () => {
			const store = await open({});
			const actor = await acquiredActor(store);
			await store.commit(putBatch(actor.actorId, 0, { a: "old", b: "old", c: "old", d: "old" }));
			await store.commit({
				actorId: actor.actorId,
				generation: 0,
				ops: [
					{ op: "put", key: text("a"), value: text("1") },
					{ op: "put", key: text("a"), value: text("2") },
					{ op: "deleteRange", start: text("b"), end: text("d") },
					{ op: "put", key: text("c"), value: text("again") },
					{ op: "delete", key: text("d") },
					{ op: "delete", key: text("missing") },
					{ op: "put", key: text("e"), value: text("gone") },
					{ op: "deleteRange", start: text("e"), end: null },
				],
			});
			expect(await contents(store, actor.actorId)).toEqual({ a: "2", c: "again" });
		});

		it("keeps the data of actors apart", async () => {
			const store = await open({});
			const [one, two, three] = [
				await acquiredActor(store),
				await acquiredActor(store),
				await acquiredActor(store),
			];
			for (const actor of [one, two, three]) {
				await store.commit(putBatch(actor.actorId, 0, { a: actor.key, b: actor.key }));
			}
			await store.commit({
				actorId: two.actorId,
				generation: 0,
				ops: [{ op: "deleteRange", start: new Uint8Array(0), end: null }],
			});
			expect(await contents(store, one.actorId)).toEqual({ a: one.key, b: one.key });
			expect(await contents(store, two.actorId)).toEqual({});
			expect(await contents(store, three.actorId)).toEqual({ a: three.key, b: three.key });
		});

		it("changes only the fields of the record that a batch names", async () => {
			const store = await open({});
			const actor = await acquiredActor(store);
			const commit = (fields: object) =>
				store.commit({ actorId: actor.actorId, generation: 0, ops: [], ...fields });
			const fields = async () => {
				const record = (await store.actorById(actor.actorId))!;
				const { initialised, startTs, connectableTs, sleepTs, alarmTs } = record;
				return { initialised, startTs, connectableTs, sleepTs, alarmTs };
			};
			await commit({ record: { initialised: true, startTs: 10 }, alarmTs: 99 });
			expect(await fields()).toEqual({
				initialised: true,
				startTs: 10,
				connectableTs: null,
				sleepTs: null,
				alarmTs: 99,
			});
			await commit({ record: { connectableTs: 11, sleepTs: 12 } });
			await commit({ record: { connectableTs: null }, alarmTs: null });
			await commit({ record: {} });
			expect(await fields()).toEqual({
				initialised: true,
				startTs: 10,
				connectableTs: null,
				sleepTs: 12,
				alarmTs: null,
			});
		});

		it("commits the batches of many actors called together, and refuses only the stale (S3)", async () => {
			const store = await open({});
			const actors = await Promise.all(Array.from({ length: 50 }, () => acquiredActor(store)));
			const results = await Promise.allSettled(
				actors.map((actor, index) =>
					store.commit(putBatch(actor.actorId, index % 5 === 0 ? 7 : 0, { n: String(index) })),
				),
			);
			for (const [index, actor] of actors.entries()) {
				const stale = index % 5 === 0;
				expect(results[index]!.status).toBe(stale ? "rejected" : "fulfilled");
				expect(await contents(store, actor.actorId)).toEqual(stale ? {} : { n: String(index) });
			}
		});

		it("refuses what it could not keep before writing, and leaves the others alone", async () => {
			const store = await open({});
			const [good, bad] = [await acquiredActor(store), await acquiredActor(store)];
			const put = { op: "put", key: text("a"), value: text("1") } as const;
			const broken = (fields: object) =>
				store.commit({ actorId: bad.actorId, generation: 0, ops: [put], ...fields });
			const results = await Promise.allSettled([
				store.commit(putBatch(good.actorId, 0, { a: "1" })),
				broken({ ops: [put, { op: "put", key: text("b"), value: "text" }] }),
				broken({ ops: [put, { op: "increment", key: text("b") }] }),
				broken({ alarmTs: Number.NaN }),
				broken({ alarmTs: 1.5 }),
				broken({ record: { sleepTs: Number.POSITIVE_INFINITY } }),
				store.commit(putBatch(good.actorId, 0, { b: "2" })),
			]);
			expect(results.map((result) => result.status === "fulfilled")).toEqual([
				true,
				false,
				false,
				false,
				false,
				false,
				true,
			]);
			for (const result of results) {
				if (result.status === "rejected") {
					expect(result.reason).toBeInstanceOf(TypeError);
				}
			}
			expect(await contents(store, good.actorId)).toEqual({ a: "1", b: "2" });
			expect(await contents(store, bad.actorId)).toEqual({});
		});

		it("resolves sync at once when nothing was written, and after what was", async () => {
			const store = await open({});
			await store.sync();
			const actor = await acquiredActor(store);
			let committed = false;
			const commit = store.commit(putBatch(actor.actorId, 0, { a: "1" })).then(() => {
				committed = true;
			});
			await store.sync();
			expect(committed).toBe(true);
			await commit;
		});
	});
}

function alarms(open: MakeStore): void {
	describe("alarms", () => {
		it("tells the earliest alarm and those that are due, earliest first", async () => {
			const store = await open({});
			expect(await store.nextAlarmTs()).toBeNull();
			expect(await store.dueAlarms(Number.MAX_SAFE_INTEGER - 1, 10)).toEqual([]);
			const actors = await Promise.all([30, 10, 20, 10].map(() => acquiredActor(store)));
			for (const [index, alarmTs] of [30, 10, 20, 10].entries()) {
				await store.commit(putBatch(actors[index]!.actorId, 0, {}, { alarmTs }));
			}
			expect(await store.nextAlarmTs()).toBe(10);
			expect(await store.dueAlarms(9, 10)).toEqual([]);
			const due = await store.dueAlarms(20, 10);
			expect(due.map((alarm) => alarm.alarmTs)).toEqual([10, 10, 20]);
			expect(new Set(due.map((alarm) => alarm.actorId))).toEqual(
				new Set([actors[1]!.actorId, actors[3]!.actorId, actors[2]!.actorId]),
			);
			expect(await store.dueAlarms(30, 2)).toHaveLength(2);
		});

		it("goes through alarms page by page, with ties by id", async () => {
			const store = await open({});
			const times = [20, 10, 20, 20, 30, 10];
			const actors = await Promise.all(times.map(() => acquiredActor(store)));
			for (const [index, alarmTs] of times.entries()) {
				await store.commit(putBatch(actors[index]!.actorId, 0, {}, { alarmTs }));
			}
			const all = await store.dueAlarms(100, 100);
			expect(all.map(({ alarmTs }) => alarmTs)).toEqual([10, 10, 20, 20, 20, 30]);
			for (const limit of [1, 2, 4]) {
				const paged = await store.dueAlarms(100, limit);
				for (let page = paged; page.length > 0; ) {
					page = await store.dueAlarms(100, limit, paged.at(-1));
					paged.push(...page);
				}
				expect(paged).toEqual(all);
			}
			expect(await store.dueAlarms(20, 10, { alarmTs: 15, actorId: "" })).toEqual(all.slice(2, 5));
			expect(await store.dueAlarms(100, 10, all.at(-1))).toEqual([]);
		});

		it("goes through the actors that store connections page by page, by id", async () => {
			const store = await open({});
			const actors = await Promise.all(Array.from({ length: 7 }, () => acquiredActor(store)));
			const ids = actors.map(({ actorId }) => actorId).sort();
			const commit = (actorId: string, batch: object) =>
				store.commit(putBatch(actorId, 0, {}, batch));
			for (const id of ids) await commit(id, { record: { connected: true } });
			await commit(ids[1]!, { record: { connected: false } });
			await commit(ids[3]!, { destroyTs: 5 });
			await commit(ids[4]!, { record: { sleepTs: 9 } });
			const left = [0, 2, 4, 5, 6].map((index) => ids[index]!);
			expect(await store.connectedActors(100)).toEqual(left);
			expect(await store.connectedActors(2)).toEqual(left.slice(0, 2));
			expect(await store.connectedActors(2, left[1])).toEqual(left.slice(2, 4));
			expect(await store.connectedActors(2, left[3])).toEqual(left.slice(4));
			expect(await store.connectedActors(0)).toEqual([]);
			expect((await store.actorById(ids[1]!))?.connected).toBe(false);
			expect((await store.actorById(ids[4]!))?.connected).toBe(true);
		});

		it("moves and clears an alarm with the batch that says so", async () => {
			const store = await open({});
			const actor = await acquiredActor(store);
			const set = (alarmTs: number | null) =>
				store.commit(putBatch(actor.actorId, 0, {}, { alarmTs }));
			await set(50);
			await set(70);
			expect(await store.nextAlarmTs()).toBe(70);
			expect(await store.dueAlarms(60, 10)).toEqual([]);
			await store.commit(putBatch(actor.actorId, 0, { a: "no word about alarms" }));
			expect(await store.nextAlarmTs()).toBe(70);
			await set(null);
			expect(await store.nextAlarmTs()).toBeNull();
			await set(0);
			expect(await store.dueAlarms(0, 10)).toEqual([{ actorId: actor.actorId, alarmTs: 0 }]);
		});
	});
}

function destruction(open: MakeStore): void {
	describe("destruction", () => {
		it("leaves a tombstone, frees the key and removes all data in one commit", async () => {
			const store = await open({});
			const actor = await acquiredActor(store, { input: text("secret") });
			await store.commit(
				putBatch(actor.actorId, 0, { a: "1" }, { alarmTs: 5, record: { initialised: true } }),
			);
			await store.commit(putBatch(actor.actorId, 0, { last: "word" }, { destroyTs: 77 }));
			expect(await store.actorById(actor.actorId)).toMatchObject({
				destroyTs: 77,
				alarmTs: null,
				input: null,
				initialised: true,
			});
			expect(await store.actorByKey(actor.namespace, actor.name, actor.key)).toBeUndefined();
			expect(await contents(store, actor.actorId)).toEqual({});
			expect(await store.get(actor.actorId, [text("a")])).toEqual([null]);
			expect(await store.nextAlarmTs()).toBeNull();
			await expect(store.commit(putBatch(actor.actorId, 0, { a: "2" }))).rejects.toThrow(
				StaleGenerationError,
			);
			const fresh = await store.insertActor({ ...newActor(), key: actor.key });
			expect(fresh.created).toBe(true);
			expect(await contents(store, fresh.actor.actorId)).toEqual({});
		});

		it("hides the data of a large actor at once, and of its successor nothing is lost", async () => {
			const store = await open({});
			const actor = await acquiredActor(store, { key: "large" });
			await store.commit({
				actorId: actor.actorId,
				generation: 0,
				ops: Array.from({ length: 3000 }, (_, index) => ({
					op: "put" as const,
					key: text(`k${index}`),
					value: new Uint8Array(50),
				})),
			});
			const destroyed = store.commit(putBatch(actor.actorId, 0, {}, { destroyTs: 1 }));
			const successor = newActor({ key: "large" });
			const inserted = store.insertActor(successor);
			const acquired = store.acquire(successor.actorId);
			const written = store.commit(putBatch(successor.actorId, 0, { k1: "mine" }));
			expect((await inserted).created).toBe(true);
			expect(await contents(store, actor.actorId)).toEqual({});
			await Promise.all([destroyed, acquired, written]);
			expect(await contents(store, successor.actorId)).toEqual({ k1: "mine" });
		});

		it("keeps tombstones up to a number, the newest", async () => {
			const clock = manualClock(1000);
			const store = await open({ clock, tombstones: { maxCount: 3 } });
			const ids: string[] = [];
			for (let index = 0; index < 5; index++) {
				const { actorId } = await acquiredActor(store);
				ids.push(actorId);
				await store.commit({ actorId, generation: 0, ops: [], destroyTs: 900 + index });
			}
			const kept = await Promise.all(ids.map((id) => store.actorById(id)));
			expect(kept.map((record) => record !== undefined)).toEqual([false, false, true, true, true]);
		});

		it("keeps tombstones up to an age", async () => {
			const clock = manualClock(1000);
			const store = await open({ clock, tombstones: { maxAgeMs: 100 } });
			const old = await acquiredActor(store);
			await store.commit({ actorId: old.actorId, generation: 0, ops: [], destroyTs: 1000 });
			expect(await store.actorById(old.actorId)).toBeDefined();
			clock.set(1101);
			const next = await acquiredActor(store);
			await store.commit({ actorId: next.actorId, generation: 0, ops: [], destroyTs: 1101 });
			expect(await store.actorById(old.actorId)).toBeUndefined();
			expect(await store.actorById(next.actorId)).toBeDefined();
		});
	});
}

function transfer(open: MakeStore): void {
	describe("snapshots and imports", () => {
		const all = async (snapshot: ActorSnapshot, limit: number) => {
			const found: Record<string, string> = {};
			for (;;) {
				const page = await snapshot.next(limit);
				if (page.length === 0) return found;
				expect(page.length).toBeLessThanOrEqual(limit);
				for (const [key, value] of page) found[plain(key)!] = plain(value)!;
			}
		};

		it("a snapshot shows one moment, whatever is written and destroyed meanwhile", async () => {
			const store = await open({});
			const { actorId } = await acquiredActor(store);
			const before = { a: "1", aa: "2", b: "3", c: "4", d: "5" };
			await store.commit(putBatch(actorId, 0, before, { alarmTs: 77 }));
			const snapshot = (await store.openSnapshot(actorId))!;
			const second = (await store.openSnapshot(actorId))!;
			expect(snapshot.record).toEqual(await store.actorById(actorId));
			expect((await snapshot.next(1)).map(([key]) => plain(key))).toEqual(["a"]);
			await store.commit(putBatch(actorId, 0, { aa: "changed", e: "new" }, { alarmTs: null }));
			expect(await all(snapshot, 2)).toEqual({ aa: "2", b: "3", c: "4", d: "5" });
			await store.commit({ actorId, generation: 0, ops: [], destroyTs: 1 });
			expect(await all(second, 100)).toEqual(before);
			expect(second.record.alarmTs).toBe(77);
			for (const one of [snapshot, second, snapshot]) one.close();
			await expect((async () => snapshot.next(1))()).rejects.toThrow("The snapshot is closed");
			expect(await store.openSnapshot(actorId)).toBeUndefined();
			expect(await store.openSnapshot("nobody")).toBeUndefined();
		});

		it("a snapshot has what was called before it, and bytes of its own", async () => {
			const store = await open({});
			const { actorId } = await acquiredActor(store);
			const committed = store.commit(putBatch(actorId, 0, { a: "1" }));
			const snapshot = (await store.openSnapshot(actorId))!;
			const [[, value]] = (await snapshot.next(1)) as [[Uint8Array, Uint8Array]];
			value.fill(0);
			snapshot.close();
			await committed;
			expect(await contents(store, actorId)).toEqual({ a: "1" });
		});

		it("an import is the actor with all it stores, and can be acquired like any other", async () => {
			const store = await open({});
			const actor = newActor({ input: text("input") });
			const { ops } = putBatch("", 0, { a: "1", b: "2" });
			const record = { initialised: true as const, startTs: 3, connectableTs: null, sleepTs: 4 };
			const result = await store.importActor(actor, { ops, alarmTs: 50, record });
			expect(result.created).toBe(true);
			expect(result.actor).toEqual({
				...actor,
				generation: 0,
				initialised: true,
				startTs: 3,
				connectableTs: null,
				sleepTs: 4,
				destroyTs: null,
				alarmTs: 50,
				connected: false,
			});
			expect(await store.actorByKey(actor.namespace, actor.name, actor.key)).toEqual(result.actor);
			expect(await contents(store, actor.actorId)).toEqual({ a: "1", b: "2" });
			expect(await store.dueAlarms(50, 9)).toEqual([{ actorId: actor.actorId, alarmTs: 50 }]);
			expect((await store.acquire(actor.actorId)).generation).toBe(1);
			expect(await store.listNames("default", 9)).toEqual(["counter"]);
		});

		it("an import with the id of an actor that is there changes nothing", async () => {
			const store = await open({});
			const actor = newActor();
			await store.insertActor(actor, { acquire: true });
			await store.commit(putBatch(actor.actorId, 0, { own: "1" }));
			const before = await store.actorById(actor.actorId);
			const batch = { ...putBatch("", 0, { other: "2" }), alarmTs: 5, record: { sleepTs: 0 } };
			const result = await store.importActor(actor, batch);
			expect(result).toEqual({ created: false, actor: before });
			expect(await store.actorById(actor.actorId)).toEqual(before);
			expect(await contents(store, actor.actorId)).toEqual({ own: "1" });
			expect(await store.nextAlarmTs()).toBeNull();
		});

		it("an import for a key that is taken changes nothing", async () => {
			const store = await open({});
			const holder = await acquiredActor(store);
			await store.commit(putBatch(holder.actorId, 0, { mine: "1" }));
			const taken = newActor({ key: holder.key });
			const result = await store.importActor(taken, putBatch("", 0, { other: "2" }));
			expect(result).toMatchObject({ created: false, actor: { actorId: holder.actorId } });
			expect(await contents(store, holder.actorId)).toEqual({ mine: "1" });
			expect(await store.actorById(taken.actorId)).toBeUndefined();
			await expect(store.importActor(newActor(), { ops: [], alarmTs: 0.5 })).rejects.toBeInstanceOf(
				TypeError,
			);
		});
	});
}

function closing(open: MakeStore): void {
	describe("closing", () => {
		it("finishes what was accepted, refuses what comes after, and closes once", async () => {
			const store = await open({});
			const actor = await acquiredActor(store);
			const accepted = store.commit(putBatch(actor.actorId, 0, { a: "1" }));
			const first = store.close();
			const second = store.close();
			await accepted;
			await Promise.all([first, second]);
			const closed = { name: "StoreError", code: "closed" } satisfies Partial<StoreError>;
			await expect(store.commit(putBatch(actor.actorId, 0, { a: "2" }))).rejects.toMatchObject(
				closed,
			);
			await expect(store.actorById(actor.actorId)).rejects.toMatchObject(closed);
			await expect(store.insertActor(newActor())).rejects.toMatchObject(closed);
			await expect(store.sync()).rejects.toMatchObject(closed);
		});
	});
}
