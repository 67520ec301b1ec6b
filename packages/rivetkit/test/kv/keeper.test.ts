import { decodeCbor } from "@rivetkit/protocol";
import { describe, expect, it } from "vitest";
import { SUBSPACE_KV_SIZE } from "../../src/runtime/commit/storage-layout.ts";
import { codeOf } from "../support/wire-http.ts";
import { KeeperHarness } from "./keeper-harness.ts";

const failure = async (promise: Promise<unknown>) => {
	const error: unknown = await promise.then(
		() => undefined,
		(reason) => reason,
	);
	return { code: codeOf(error ?? {}), metadata: (error as { metadata?: unknown })?.metadata };
};

describe("reads", () => {
	it("that are asked for together are one read of the store, and each key is asked for once", async () => {
		const harness = await KeeperHarness.open();
		const { kv } = harness;
		await kv.putBatch([
			["a", "1"],
			["b", "2"],
		]);
		await harness.commit();
		await harness.reopen();
		const found = await Promise.all([
			harness.kv.get("a"),
			harness.kv.get("b"),
			harness.kv.get("a"),
			harness.kv.getBatch(["c", "b", "a", "b"]),
		]);
		expect(found).toEqual(["1", "2", "1", [null, "2", "1", "2"]]);
		expect(harness.gets).toEqual([["a", "b", "c"]]);
	});

	it("need no store for what was written, read or missing before", async () => {
		const harness = await KeeperHarness.open();
		const { kv } = harness;
		await kv.put("open", "1");
		expect(await kv.get("open")).toBe("1");
		await harness.commit();
		expect(await kv.get("open")).toBe("1");
		expect(harness.gets).toEqual([]);
		expect(await kv.get("missing")).toBeNull();
		expect(await kv.getBatch(["missing", "open"])).toEqual([null, "1"]);
		expect(harness.gets).toEqual([["missing"]]);
		await kv.delete("open");
		await kv.deleteRange("x", "z");
		expect(await kv.getBatch(["open", "y"])).toEqual([null, null]);
		await harness.commit();
		expect(await kv.get("open")).toBeNull();
		expect(harness.gets).toEqual([["missing"]]);
	});

	it("keep a bounded amount in memory", async () => {
		const harness = await KeeperHarness.open();
		const value = "v".repeat(1_000);
		for (let index = 0; index < 200; index++) await harness.kv.put(`key ${index}`, value);
		await harness.kv.put("large", "v".repeat(20_000));
		await harness.commit();
		await harness.reopen();
		for (let index = 0; index < 200; index++) await harness.kv.get(`key ${index}`);
		expect(harness.gets).toHaveLength(200);
		// 64 KiB: the latest are there, the first are not.
		for (let index = 170; index < 200; index++) await harness.kv.get(`key ${index}`);
		expect(harness.gets).toHaveLength(200);
		for (let index = 0; index < 100; index++) await harness.kv.get(`key ${index}`);
		expect(harness.gets).toHaveLength(300);
		await harness.kv.get("large");
		await harness.kv.get("large");
		expect(harness.gets.filter(([key]) => key === "large")).toHaveLength(2);
	});

	it.each([
		["put", (kv: KeeperHarness["kv"]) => kv.put("a", "new"), "new"],
		["delete", (kv: KeeperHarness["kv"]) => kv.delete("a"), null],
		["deleteRange", (kv: KeeperHarness["kv"]) => kv.deleteRange("", "z"), null],
	] as const)("that a %s overtakes are not remembered", async (_name, write, after) => {
		const harness = await KeeperHarness.open();
		await harness.kv.put("a", "old");
		await harness.commit();
		await harness.reopen();
		harness.held = [];
		const before = harness.kv.get("a");
		await Promise.resolve();
		await write(harness.kv);
		// So large that it is not remembered either.
		for (let index = 0; index < 80; index++) await harness.kv.put(`${index}`, "v".repeat(1_000));
		await harness.commit();
		const again = harness.kv.get("a");
		await Promise.resolve();
		harness.arrive();
		expect(await before).toBe("old");
		expect(await again).toBe(after);
		harness.held = null;
		expect(await harness.kv.get("a")).toBe(after);
	});

	it("that fail can be repeated", async () => {
		const harness = await KeeperHarness.open();
		await harness.kv.put("a", "1");
		await harness.commit();
		await harness.reopen();
		const { get } = harness;
		harness.get = () => Promise.reject(new Error("unreachable"));
		const failed = await Promise.allSettled([harness.kv.get("a"), harness.kv.getBatch(["a", "b"])]);
		expect(failed.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
		harness.get = get;
		expect(await harness.kv.get("a")).toBe("1");
	});
});

describe("lists", () => {
	it("read no more than they return, and as much more as is deleted", async () => {
		const harness = await KeeperHarness.open();
		for (let index = 0; index < 9; index++) await harness.kv.put(`${index}`, "old");
		await harness.commit();
		expect((await harness.kv.list("", { limit: 2 })).map(([key]) => key)).toEqual(["0", "1"]);
		await harness.kv.deleteBatch(["0", "2", "8"]);
		await harness.kv.put("1", "new");
		expect(await harness.kv.list("", { limit: 2 })).toEqual([
			["1", "new"],
			["3", "old"],
		]);
		expect(await harness.kv.list("", { limit: 1, reverse: true })).toEqual([["7", "old"]]);
		expect(harness.scans.map(({ limit }) => limit)).toEqual([2, 5, 4]);
	});

	it("do not read what is emptied", async () => {
		const harness = await KeeperHarness.open();
		for (let index = 0; index < 9; index++) await harness.kv.put(`${index}`, "v");
		await harness.commit();
		await harness.kv.deleteRange("2", "4");
		await harness.kv.deleteRange("3", "6");
		const batch = harness.take();
		await harness.kv.deleteRange("7", "8");
		await harness.kv.put("3", "again");
		const keys = (await harness.kv.list("", { start: "1" })).map(([key]) => key);
		expect(keys).toEqual(["1", "3", "6", "8"]);
		expect(harness.scans).toEqual([
			{ start: "1", end: "2", limit: undefined },
			{ start: "6", end: "7", limit: undefined },
			{ start: "8", end: "", limit: undefined },
		]);
		await harness.commitToStore(batch);
		harness.keeper.committed();
		await harness.kv.deleteRange("", "z");
		expect(await harness.kv.list("", { start: "1", end: "5" })).toEqual([]);
		expect(harness.scans).toHaveLength(3);
	});
});

describe("batches", () => {
	it("hold as few operations as the writes come to", async () => {
		const harness = await KeeperHarness.open();
		const { kv } = harness;
		await kv.put("a", "1");
		await kv.put("a", "2");
		await kv.put("b", "1");
		await kv.delete("b");
		await kv.put("m1", "1");
		await kv.deleteRange("m", "n");
		await kv.deleteRange("m5", "o");
		await kv.put("m2", "2");
		await kv.delete("m3");
		await kv.deleteRange("x", "a");
		const { ops } = harness.take();
		const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes.subarray(1));
		const shown = ops
			.filter((op) => op.op === "deleteRange" || op.key[0] !== SUBSPACE_KV_SIZE)
			.map((op) => {
				if (op.op === "deleteRange") return `empty ${text(op.start)}..${text(op.end!)}`;
				return op.op === "put" ? `put ${text(op.key)}` : `delete ${text(op.key)}`;
			});
		expect(shown).toEqual(["empty m..o", "put a", "delete b", "put m2"]);
	});

	it("keep large amounts of all kinds of values as they are", async () => {
		const harness = await KeeperHarness.open();
		const entries = Array.from({ length: 3_000 }, (_unused, index) => {
			const text = ["", "plain", "é€\u{10000}", "x".repeat(100)][index % 4]!;
			const value = `${text} ${index}`;
			const key = index % 3 === 0 ? `key ${index} ${text}` : `key ${index}`;
			const bytes = new TextEncoder().encode(value);
			return { key, value, given: [value, bytes, bytes.buffer][index % 5] ?? value };
		});
		for (const { key, given } of entries) await harness.kv.put(key, given);
		await harness.kv.delete("key 1");
		await harness.kv.deleteRange("key 2", "key 3");
		await harness.commit();
		const expected = entries
			.map(({ key, value }) => [key, value])
			.filter(([key]) => key !== "key 1" && !(key! >= "key 2" && key! < "key 3"))
			.sort(([a], [b]) => (a! < b! ? -1 : 1));
		expect(await harness.kv.list("")).toEqual(expected);
		await harness.reopen();
		expect(await harness.kv.list("")).toEqual(expected);
	});

	it("are bounded, with an error that says how to go on, and cut early when they grow", async () => {
		const limit = 2 * 1024 * 1024;
		const harness = await KeeperHarness.open(undefined, { uncommittedBytesMax: limit });
		const { kv } = harness;
		const value = "v".repeat(100_000);
		for (let index = 0; index < 10; index++) await kv.put(`${index}`, value);
		expect(harness.cutsWanted).toBe(0);
		await kv.put("10", value);
		expect(harness.cutsWanted).toBe(1);
		for (let index = 11; index < 20; index++) await kv.put(`${index}`, value);
		const error = await kv.put("20", value).catch((reason: unknown) => reason);
		expect(codeOf(error)).toBe("kv.uncommitted_too_large");
		expect(error).toMatchObject({ metadata: { limit } });
		expect((error as Error).message).toContain("maxUncommittedKvSize");
		expect((error as Error).message).toContain("saveState");
		const entries = [
			["small", "v"],
			["large", value],
		] as const;
		expect((await failure(kv.putBatch(entries))).code).toBe("kv.uncommitted_too_large");
		expect(await kv.getBatch(["small", "20"])).toEqual([null, null]);
		// What is there already may be overwritten, and there is room for small things.
		await kv.put("0", value);
		await kv.put("small", "v");
		await harness.commit();
		await kv.put("20", value);
		expect(await kv.list("", { start: "20", end: "21" })).toEqual([["20", value]]);
	});

	it("count ranges and deleted keys, too", async () => {
		const harness = await KeeperHarness.open(undefined, { uncommittedBytesMax: 10_000 });
		const deletes = async () => {
			for (let index = 0; index < 1_000; index++) await harness.kv.delete(`${index}`);
		};
		expect((await failure(deletes())).code).toBe("kv.uncommitted_too_large");
		await harness.commit();
		const ranges = async () => {
			for (let index = 0; index < 1_000; index++) {
				await harness.kv.deleteRange(`${index}/`, `${index}0`);
			}
		};
		expect((await failure(ranges())).code).toBe("kv.uncommitted_too_large");
		await harness.commit();
		// The same range again and again is one.
		for (let index = 0; index < 1_000; index++) await harness.kv.deleteRange("a", "b");
	});

	it("say once that something is written", async () => {
		const harness = await KeeperHarness.open();
		await harness.kv.put("a", "1");
		await harness.kv.delete("b");
		await harness.kv.deleteRange("c", "d");
		expect(harness.firstWrites).toBe(1);
		await harness.commit();
		await harness.kv.deleteRange("c", "d");
		expect(harness.firstWrites).toBe(2);
	});
});

describe("the size of all entries", () => {
	const TOTAL = 1_000;
	const open = (store?: KeeperHarness["store"]) => KeeperHarness.open(store, { totalMax: TOTAL });
	const text = (length: number) => "v".repeat(length);
	const full = { code: "kv.storage_full" };

	it("may reach the limit, and not one byte more", async () => {
		const harness = await open();
		await harness.kv.put("a", text(TOTAL - 1));
		expect(await failure(harness.kv.put("", text(1)))).toEqual({
			...full,
			metadata: { size: TOTAL + 1, limit: TOTAL },
		});
		await harness.kv.put("a", text(TOTAL - 2));
		await harness.kv.put("", text(1));
		await harness.commit();
		expect(await failure(harness.kv.put("b", ""))).toMatchObject(full);
		await harness.kv.put("", "");
		await harness.kv.put("b", "");
	});

	it("is all or nothing for a batch", async () => {
		const harness = await open();
		await harness.kv.put("a", text(TOTAL - 10));
		const entries = [
			["b", text(4)],
			["c", text(4)],
		] as const;
		expect(await failure(harness.kv.putBatch(entries))).toMatchObject(full);
		expect(await harness.kv.getBatch(["b", "c"])).toEqual([null, null]);
		await harness.kv.putBatch([entries[0], ["c", text(3)]]);
	});

	it("knows what was deleted, taken back or rolled back", async () => {
		const harness = await open();
		const { kv } = harness;
		await kv.put("a", text(TOTAL - 1));
		await kv.deleteRange("a", "b");
		await kv.put("b", text(TOTAL - 1));
		await kv.delete("b");
		await kv.put("c", text(TOTAL - 1));
		harness.keeper.rollBack();
		await kv.put("d", text(TOTAL - 1));
		await harness.commit();
		await kv.delete("d");
		await kv.put("e", text(TOTAL - 1));
		harness.keeper.rollBack();
		await kv.delete("d");
		await kv.put("f", text(TOTAL - 1));
		await harness.commit();
		const savepoint = harness.keeper.savepoint({ isRunning: true });
		await kv.delete("f");
		await kv.put("g", text(TOTAL - 1));
		savepoint.rewind();
		expect(await failure(kv.put("g", ""))).toMatchObject(full);
		expect(await kv.list("")).toEqual([["f", text(TOTAL - 1)]]);
	});

	it("is counted when only a bound of it is known: overwritten values, another life", async () => {
		const harness = await open();
		for (let index = 0; index < 9; index++) await harness.kv.put(`${index}`, text(99));
		await harness.commit();
		for (let life = 0; life < 20; life++) {
			await harness.reopen();
			// Counts in full first, as nobody knows what it replaces.
			await harness.kv.put(`${life % 9}`, text(99));
			await harness.commit();
		}
		await harness.reopen();
		expect(await failure(harness.kv.put("x", text(100)))).toEqual({
			...full,
			metadata: { size: TOTAL + 1, limit: TOTAL },
		});
		await harness.kv.put("x", text(99));
		await harness.commit();
		await harness.reopen();
		await harness.kv.deleteRange("0", "5");
		await harness.kv.put("y", text(498));
		expect(await failure(harness.kv.put("z", text(2)))).toMatchObject(full);
		await harness.kv.put("z", "");
	});

	it("is counted once for all that wait for it, over what is written and not stored", async () => {
		const harness = await open();
		for (let index = 0; index < 5; index++) await harness.kv.put(`${index}`, text(99));
		await harness.commit();
		await harness.reopen();
		await harness.kv.put("0", text(199));
		const batch = harness.take();
		await harness.kv.put("1", text(199));
		await harness.kv.delete("2");
		// 0 and 1 have 200 each, 3 and 4 have 100 each: there is room for 400.
		harness.scans.length = 0;
		const puts = await Promise.all([
			failure(harness.kv.put("a", text(199))),
			failure(harness.kv.putBatch([["b", text(199)]])),
			failure(harness.kv.put("c", "")),
		]);
		expect(puts.map(({ code }) => code)).toEqual(["ok", "ok", "kv.storage_full"]);
		await harness.commitToStore(batch);
		harness.keeper.committed();
		await harness.commit();
		const { scans } = harness;
		const counted = scans.filter(({ start, end }) => start === "" && end === "").length;
		expect(counted).toBe(1);
		const stored = (await harness.kv.list("")).map(([key, value]) => `${key}: ${value.length}`);
		expect(stored).toEqual(["0: 199", "1: 199", "3: 99", "4: 99", "a: 199", "b: 199"]);
	});

	it("is not taken for known while it is counted", async () => {
		const harness = await open();
		await harness.kv.put("a", text(99));
		await harness.commit();
		await harness.reopen();
		expect(await harness.kv.get("a")).toBe(text(99));
		harness.held = [];
		// Nobody knows what "b" has, everybody what "a" has.
		const puts = Promise.all([harness.kv.put("b", text(99)), harness.kv.put("a", text(199))]);
		let isSettled = false;
		void puts.finally(() => {
			isSettled = true;
		});
		while (!isSettled) {
			await new Promise((resolve) => setImmediate(resolve));
			harness.arrive();
		}
		await puts;
		harness.held = null;
		expect(await harness.kv.getBatch(["a", "b"])).toEqual([text(199), text(99)]);
	});

	it("is counted anew when what was counted was rolled back", async () => {
		const harness = await open();
		await harness.kv.put("a", text(899));
		await harness.commit();
		await harness.reopen();
		await harness.kv.delete("a");
		await harness.kv.put("b", text(899));
		await harness.kv.put("c", text(99));
		harness.keeper.rollBack();
		// "a" is there again: what was counted without it says nothing.
		expect(await failure(harness.kv.put("d", text(100)))).toMatchObject(full);
		await harness.kv.put("d", text(99));
	});

	it("lets a write go on after a count that failed", async () => {
		const harness = await open();
		await harness.kv.put("a", text(999));
		await harness.commit();
		await harness.reopen();
		const { scan } = harness;
		harness.scan = () => Promise.reject(new Error("unreachable"));
		await expect(harness.kv.put("a", text(998))).rejects.toThrow("unreachable");
		harness.scan = scan;
		await harness.kv.put("a", text(998));
		expect(await harness.kv.get("a")).toBe(text(998));
	});

	it("costs an operation only now and then", async () => {
		const harness = await KeeperHarness.open();
		let written = 0;
		for (let commit = 0; commit < 100; commit++) {
			await harness.kv.put(`${commit}`, text(5_000));
			const { ops } = await harness.commit();
			written += ops.filter((op) => op.op === "put" && op.key[0] === SUBSPACE_KV_SIZE).length;
		}
		expect(written).toBeLessThan(12);
		await harness.kv.deleteRange("", "z");
		for (let commit = 0; commit < 100; commit++) await harness.kv.delete(`${commit}`);
		await harness.commit();
		const bound = (await harness.stored()).find(([key]) => key[0] === SUBSPACE_KV_SIZE)!;
		expect(decodeCbor(bound[1])).toBeGreaterThanOrEqual(0);
	});
});

describe("a scope that is dropped", () => {
	it("leaves ranges that others emptied meanwhile, and takes its own back", async () => {
		const harness = await KeeperHarness.open();
		for (const key of ["a", "b", "c", "d"]) await harness.kv.put(key, "old");
		await harness.commit();
		const scope = { isRunning: true };
		await harness.kv.deleteRange("a", "b");
		const savepoint = harness.keeper.savepoint(scope);
		await harness.kv.deleteRange("b", "e");
		scope.isRunning = false;
		await harness.kv.deleteRange("c", "d");
		scope.isRunning = true;
		await harness.kv.put("c", "ours");
		savepoint.rewind();
		expect(await harness.kv.list("")).toEqual([
			["b", "old"],
			["d", "old"],
		]);
		await harness.commit();
		expect(await harness.kv.list("")).toEqual([
			["b", "old"],
			["d", "old"],
		]);
	});
});
