import type { StorageOp } from "@rivetkit/protocol";
import fc from "fast-check";
import { expect, it } from "vitest";
import { ActorStore } from "../../src/backends/runner/actor-store.ts";
import { KvDouble } from "../backends/support/kv-double.ts";

const ALL = { start: new Uint8Array(0), end: null };
const key = (index: number) => Uint8Array.of(0x10, index);
const value = (length: number) => new Uint8Array(length).fill(length);

async function opened(kv: KvDouble): Promise<ActorStore> {
	const store = new ActorStore(kv.kvOf("a"), () => {});
	await store.open(ALL);
	return store;
}

async function contents(kv: KvDouble): Promise<unknown> {
	const entries = await (await opened(kv)).scan(ALL);
	return entries.map(([at, bytes]) => [[...at], bytes.byteLength, bytes[0]]);
}

const op: fc.Arbitrary<StorageOp> = fc.oneof(
	{
		weight: 5,
		arbitrary: fc
			.tuple(fc.nat({ max: 40 }), fc.constantFrom(0, 3, 2_000, 131_072, 131_073, 300_000))
			.map(([at, length]) => ({ op: "put" as const, key: key(at), value: value(length) })),
	},
	{
		weight: 2,
		arbitrary: fc.nat({ max: 40 }).map((at) => ({ op: "delete" as const, key: key(at) })),
	},
	{
		weight: 1,
		arbitrary: fc
			.tuple(fc.nat({ max: 40 }), fc.nat({ max: 40 }))
			.map(([a, b]) => ({ op: "deleteRange" as const, start: key(a), end: key(b) })),
	},
);

/** A few entries, or more than a put takes by number and by size. */
const batch = fc.oneof(
	fc.array(op, { maxLength: 6 }),
	fc.array(op, { minLength: 10, maxLength: 30 }),
	fc.constant(
		Array.from(
			{ length: 200 },
			(_, at): StorageOp => ({
				op: "put",
				key: Uint8Array.of(0x11, at),
				value: value(at),
			}),
		),
	),
);

it.each([true, false])(
	"a crash before any request of a commit leaves all of it or nothing (range deletion: %s)",
	async (deletesRanges) => {
		await fc.assert(
			fc.asyncProperty(batch, batch, fc.nat({ max: 30 }), async (first, second, crashAt) => {
				const kv = new KvDouble(deletesRanges);
				const store = await opened(kv);
				await store.commit({ ops: first, record: { initialised: true } });
				const before = await contents(kv.copy());
				const whole = kv.copy();
				await (await opened(whole)).commit({ ops: second });
				const after = await contents(whole);

				let requests = 0;
				kv.before = () => {
					if (requests++ >= crashAt) throw new Error("the process is gone");
				};
				const outcome = await store.commit({ ops: second }).then(
					() => "durable",
					() => "refused",
				);
				const left = await contents(kv.copy());
				if (outcome === "durable") expect(left).toEqual(after);
				else expect([before, after]).toContainEqual(left);
			}),
			{ numRuns: 60, endOnFailure: true },
		);
	},
);

it("data of another program is left alone", async () => {
	const kv = new KvDouble(true);
	await kv.kvOf("a").request({
		tag: "KvPutRequest",
		val: { keys: [Uint8Array.of(1)], values: [Uint8Array.of(2)] },
	});
	await expect(opened(kv)).rejects.toThrow("data of another program");
	expect(kv.keysOf("a")).toHaveLength(1);
});

it("an alarm is told before the batch that sets it, and after the one that clears it", async () => {
	const order: string[] = [];
	const kv = new KvDouble(true);
	const store = new ActorStore(kv.kvOf("a"), (alarmTs) => order.push(`alarm ${alarmTs}`));
	await store.open(ALL);
	kv.before = ({ tag }) => order.push(tag);
	await store.commit({ ops: [], alarmTs: 500 });
	await store.commit({ ops: [], alarmTs: 400 });
	await store.commit({ ops: [], alarmTs: 600 });
	await store.commit({ ops: [], alarmTs: null });
	expect(order).toEqual([
		...["alarm 500", "KvPutRequest", "alarm 400", "KvPutRequest"],
		...["KvPutRequest", "alarm 600", "KvPutRequest", "alarm null"],
	]);
});
