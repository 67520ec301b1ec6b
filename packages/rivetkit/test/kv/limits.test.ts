import { describe, expect, it } from "vitest";
import { codeOf } from "../support/wire-http.ts";
import { KeeperHarness } from "./keeper-harness.ts";

type Kv = KeeperHarness["kv"];

/** The contract's limits (api 8, lifecycle 21), as the published package draws them. */
const KEY = 2_045;
const VALUE = 131_072;
const KEYS = 128;
const BATCH = 999_424;

const keys = (count: number) => Array.from({ length: count }, (_unused, index) => `${index}`);
const ok = { code: "ok", metadata: undefined };
const refused = (code: string, size: number, limit: number) => ({
	code,
	metadata: { size, limit },
});

async function outcome(call: (kv: Kv) => Promise<unknown>) {
	const harness = await KeeperHarness.open();
	let error: { metadata?: unknown } = {};
	await call(harness.kv).catch((reason: typeof error) => {
		error = reason;
	});
	const isWritten = harness.take().ops.length > 0;
	return { code: codeOf(error), metadata: error.metadata, isWritten };
}

describe("limits of c.kv, at the boundary", () => {
	it.each<[what: string, call: (kv: Kv, key: string | Uint8Array) => Promise<unknown>]>([
		["put", (kv, key) => kv.put(key, "v")],
		[
			"putBatch",
			(kv, key) =>
				kv.putBatch([
					["a", "v"],
					[key, "v"],
				] as const),
		],
		["get", (kv, key) => kv.get(key)],
		["getBatch", (kv, key) => kv.getBatch(["a", key])],
		["delete", (kv, key) => kv.delete(key)],
		["deleteBatch", (kv, key) => kv.deleteBatch(["a", key])],
		["list", (kv, key) => kv.list(key)],
	])("key of %s", async (_name, call) => {
		for (const fits of ["k".repeat(KEY), `${"é".repeat(1_022)}k`, new Uint8Array(KEY)]) {
			expect(await outcome((kv) => call(kv, fits))).toMatchObject(ok);
		}
		for (const tooLarge of ["k".repeat(KEY + 1), "é".repeat(1_023), new Uint8Array(KEY + 1)]) {
			expect(await outcome((kv) => call(kv, tooLarge))).toEqual({
				...refused("kv.key_too_large", KEY + 1, KEY),
				isWritten: false,
			});
		}
	});

	it("bounds of a range, which may lie right behind the longest key", async () => {
		const behind = `${"k".repeat(KEY)}\0`;
		for (const call of [
			(kv: Kv, bound: string) => kv.deleteRange("", bound),
			(kv: Kv, bound: string) => kv.deleteRange(bound, "z"),
			(kv: Kv, bound: string) => kv.list("", { start: bound }),
			(kv: Kv, bound: string) => kv.list("", { end: bound }),
		]) {
			expect(await outcome((kv) => call(kv, behind))).toMatchObject(ok);
			expect(await outcome((kv) => call(kv, `${behind}\0`))).toEqual({
				...refused("kv.key_too_large", KEY + 2, KEY + 1),
				isWritten: false,
			});
		}
	});

	it("value", async () => {
		const half = VALUE / 2;
		for (const fits of [
			"v".repeat(VALUE),
			"é".repeat(half),
			new Uint8Array(VALUE),
			new ArrayBuffer(VALUE),
		]) {
			expect(await outcome((kv) => kv.put("k", fits))).toMatchObject({ ...ok, isWritten: true });
		}
		for (const tooLarge of [
			"v".repeat(VALUE + 1),
			`${"é".repeat(half)}v`,
			new Uint8Array(VALUE + 1),
			new ArrayBuffer(VALUE + 1),
		]) {
			const expected = {
				...refused("kv.value_too_large", VALUE + 1, VALUE),
				isWritten: false,
			};
			expect(await outcome((kv) => kv.put("k", tooLarge))).toEqual(expected);
			const entries = [
				["a", "v"],
				["k", tooLarge],
			] as const;
			expect(await outcome((kv) => kv.putBatch(entries))).toEqual(expected);
		}
	});

	it.each<[what: string, call: (kv: Kv, keys: string[]) => Promise<unknown>]>([
		["getBatch", (kv, all) => kv.getBatch(all)],
		["putBatch", (kv, all) => kv.putBatch(all.map((key) => [key, "v"] as const))],
		["deleteBatch", (kv, all) => kv.deleteBatch(all)],
	])("keys of one %s", async (_name, call) => {
		expect(await outcome((kv) => call(kv, keys(KEYS)))).toMatchObject(ok);
		expect(await outcome((kv) => call(kv, keys(KEYS + 1)))).toEqual({
			...refused("kv.too_many_keys", KEYS + 1, KEYS),
			isWritten: false,
		});
	});

	it("bytes of one putBatch, with three more per entry", async () => {
		const batch = (bytes: number) => {
			const entries: [string, Uint8Array][] = [];
			for (let left = bytes; left > 0; left -= VALUE) {
				const size = Math.min(left, VALUE);
				entries.push(["k".repeat(entries.length + 1), new Uint8Array(size)]);
			}
			return entries;
		};
		// Eight keys of 1 to 8 bytes.
		const rest = BATCH - 36 - 8 * 3;
		expect(await outcome((kv) => kv.putBatch(batch(rest)))).toMatchObject(ok);
		expect(await outcome((kv) => kv.putBatch(batch(rest + 1)))).toEqual({
			...refused("kv.batch_too_large", BATCH + 1, BATCH),
			isWritten: false,
		});
	});

	it("all errors are public, and say what and how much", async () => {
		const harness = await KeeperHarness.open();
		const error = await harness.kv
			.put("k", "v".repeat(VALUE + 1))
			.catch((reason: unknown) => reason);
		expect(error).toMatchObject({ public: true, statusCode: 400 });
		expect((error as Error).message).toBe("Value too large (131073 bytes). Limit is 131072 bytes.");
	});
});
