// c.kv and c.atomic (contract: api 8, ruling 18).

import {
	ActorKv,
	type ActorOptionsInput,
	type AtomicOptions,
	actor,
	type KvListOptions,
} from "rivetkit";
import { expectTypeOf } from "vitest";

actor({
	state: { n: 0 },
	options: { maxUncommittedKvSize: 1024 * 1024 },
	actions: {
		reads: async (c) => {
			const bytes = new Uint8Array(1);
			expectTypeOf(await c.kv.get("a")).toEqualTypeOf<string | null>();
			expectTypeOf(await c.kv.get(bytes, {})).toEqualTypeOf<string | null>();
			expectTypeOf(await c.kv.get("a", { type: "text" })).toEqualTypeOf<string | null>();
			expectTypeOf(
				await c.kv.get("a", { type: "arrayBuffer" }),
			).toEqualTypeOf<ArrayBuffer | null>();
			expectTypeOf(await c.kv.getBatch(["a", bytes])).toEqualTypeOf<(string | null)[]>();
			expectTypeOf(await c.kv.getBatch(["a"], { type: "binary" })).toEqualTypeOf<
				(Uint8Array | null)[]
			>();
			// @ts-expect-error not a type
			await c.kv.get("a", { type: "json" });
			// @ts-expect-error not a key
			await c.kv.get(1);
			// @ts-expect-error not keys
			await c.kv.getBatch("a");
		},
		writes: async (c) => {
			expectTypeOf(c.kv.put("a", "1")).toEqualTypeOf<Promise<void>>();
			expectTypeOf(c.kv.putBatch([["a", "1"]])).toEqualTypeOf<Promise<void>>();
			expectTypeOf(c.kv.deleteRange("a", new Uint8Array())).toEqualTypeOf<Promise<void>>();
			await c.kv.putBatch([["a", new ArrayBuffer(1)] as const], { type: "arrayBuffer" });
			await c.kv.deleteBatch(["a", new Uint8Array()]);
			// @ts-expect-error not a value
			await c.kv.put("a", { n: 1 });
			// @ts-expect-error not a pair
			await c.kv.putBatch([["a"]]);
			// @ts-expect-error an end is needed
			await c.kv.deleteRange("a");
		},
		lists: async (c) => {
			const bytes = new Uint8Array(1);
			expectTypeOf(await c.kv.list()).toEqualTypeOf<[key: string, value: string][]>();
			expectTypeOf(
				await c.kv.list("a", { start: "a", end: bytes, limit: 1, reverse: true }),
			).toEqualTypeOf<[key: string, value: string][]>();
			expectTypeOf(await c.kv.list(bytes, { type: "arrayBuffer" })).toEqualTypeOf<
				[key: string, value: ArrayBuffer][]
			>();
			expectTypeOf(await c.kv.list(bytes, { keyType: "binary" })).toEqualTypeOf<
				[key: Uint8Array, value: string][]
			>();
			// @ts-expect-error binary keys need a binary prefix
			await c.kv.list("a", { keyType: "binary" });
			// @ts-expect-error not a limit
			await c.kv.list("a", { limit: "1" });
		},
		atomic: async (c) => {
			expectTypeOf(c.atomic(() => 1)).toEqualTypeOf<Promise<number>>();
			expectTypeOf(c.atomic(async () => "a", { timeout: 5_000 })).toEqualTypeOf<Promise<string>>();
			expectTypeOf(c.atomic(() => {})).toEqualTypeOf<Promise<void>>();
			// @ts-expect-error not a function
			await c.atomic(Promise.resolve());
			// @ts-expect-error not a number
			await c.atomic(() => {}, { timeout: "5s" });
		},
		// A helper takes what `c.kv` is.
		helper: (c) => sizeOf(c.kv),
	},
});

async function sizeOf(kv: ActorKv): Promise<number> {
	return (await kv.list()).length;
}

// A class, to recognise one by, that only the runtime makes instances of.
expectTypeOf<ActorKv>().toHaveProperty("deleteRange");
expectTypeOf((value: unknown) => value instanceof ActorKv).returns.toEqualTypeOf<boolean>();
// @ts-expect-error abstract
new ActorKv();

expectTypeOf<ActorOptionsInput["maxUncommittedKvSize"]>().toEqualTypeOf<number | undefined>();
expectTypeOf<AtomicOptions["timeout"]>().toEqualTypeOf<number | undefined>();
expectTypeOf<KvListOptions<"text", "text">["reverse"]>().toEqualTypeOf<boolean | undefined>();
