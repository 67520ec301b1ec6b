import type { StorageOp } from "@rivetkit/protocol";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { SUBSPACE_KV, SUBSPACE_KV_SIZE } from "../../src/runtime/commit/storage-layout.ts";
import { KeeperHarness } from "./keeper-harness.ts";

const SEED = 20_261_126;

/** Keys that look like those of the runtime, ends of subspaces, and anything else. */
const hostileKey: fc.Arbitrary<string | Uint8Array> = fc.oneof(
	fc.uint8Array({ maxLength: 4 }),
	fc
		.array(fc.constantFrom(0x00, 0x01, 0x02, 0x0f, 0x10, 0x11, 0x12, 0x13, 0x7f, 0x80, 0xff), {
			maxLength: 4,
		})
		.map((values) => Uint8Array.from(values)),
	fc.string({ unit: "binary", maxLength: 4 }),
	fc.constantFrom("", "\0", "\x12", "\x13", "\u{10FFFF}", "__proto__", "constructor"),
	fc.constantFrom(0, 1, 255).map((byte) => new Uint8Array(2_045).fill(byte)),
);

type Call = (kv: KeeperHarness["kv"]) => Promise<unknown>;

const call: fc.Arbitrary<Call> = fc.oneof(
	hostileKey.map(
		(key): Call =>
			(kv) =>
				kv.put(key, "v"),
	),
	fc.array(hostileKey, { maxLength: 3 }).map(
		(keys): Call =>
			(kv) =>
				kv.putBatch(keys.map((key) => [key, "v"] as const)),
	),
	hostileKey.map(
		(key): Call =>
			(kv) =>
				kv.delete(key),
	),
	fc.array(hostileKey, { maxLength: 3 }).map(
		(keys): Call =>
			(kv) =>
				kv.deleteBatch(keys),
	),
	fc.tuple(hostileKey, hostileKey).map(
		([start, end]): Call =>
			(kv) =>
				kv.deleteRange(start, end),
	),
);

const read: fc.Arbitrary<Call> = fc.oneof(
	hostileKey.map(
		(key): Call =>
			(kv) =>
				kv.get(key),
	),
	hostileKey.map(
		(key): Call =>
			(kv) =>
				kv.list(key),
	),
	fc.tuple(hostileKey, hostileKey, fc.boolean()).map(
		([start, end, reverse]): Call =>
			(kv) =>
				kv.list("", { start, end, reverse }),
	),
);

/** One entry of the runtime in every other subspace, around the user's. */
const runtimeEntries: StorageOp[] = Array.from({ length: 256 }, (_unused, subspace) => subspace)
	.filter((subspace) => subspace !== SUBSPACE_KV)
	.flatMap((subspace) => [
		{ op: "put", key: Uint8Array.of(subspace), value: Uint8Array.of(0xa0) },
		{ op: "put", key: Uint8Array.of(subspace, 0xff, 0xff), value: Uint8Array.of(0xa0) },
	]);

function isInside(op: StorageOp): boolean {
	if (op.op !== "deleteRange") {
		return op.key[0] === SUBSPACE_KV || (op.key[0] === SUBSPACE_KV_SIZE && op.key.length === 1);
	}
	return op.start[0] === SUBSPACE_KV && op.end?.[0] === SUBSPACE_KV;
}

describe("keys of users", () => {
	it("never reach another subspace of the actor's store, by writing or reading", async () => {
		await fc.assert(
			fc.asyncProperty(
				fc.array(fc.tuple(call, read, fc.boolean()), { minLength: 1, maxLength: 12 }),
				async (calls) => {
					const harness = await KeeperHarness.open();
					await harness.commitToStore({ ops: runtimeEntries });
					await harness.reopen();
					const ofRuntime = async () =>
						(await harness.stored()).filter(
							([key]) => key[0] !== SUBSPACE_KV && key[0] !== SUBSPACE_KV_SIZE,
						);
					const before = await ofRuntime();
					for (const [write, look, commits] of calls) {
						await write(harness.kv);
						// Nobody but the user writes "v".
						const found = await look(harness.kv);
						const values = Array.isArray(found) ? found.map(([, value]) => value) : [found ?? "v"];
						expect(new Set(["v", ...values])).toEqual(new Set(["v"]));
						if (!commits) continue;
						const { ops } = await harness.commit();
						expect(ops.filter((op) => !isInside(op))).toEqual([]);
					}
					await harness.commit();
					expect(await ofRuntime()).toEqual(before);
				},
			),
			{ numRuns: 300, seed: SEED },
		);
	});
});
