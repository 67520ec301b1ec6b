import type { StorageOp } from "@rivetkit/protocol";
import type { KvRequestData } from "@rivetkit/protocol/runner";
import fc from "fast-check";
import { expect, it } from "vitest";
import { FencedOff } from "../../src/backends/backend.ts";
import { ActorStore } from "../../src/backends/runner/actor-store.ts";
import { KvUnanswered } from "../../src/backends/runner/kv-requests.ts";
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

it.each([
	["one put", [{ op: "put", key: key(1), value: value(3) }]],
	["one deletion", [{ op: "delete", key: key(0) }]],
	[
		"a put that says what is left",
		[
			{ op: "put", key: key(1), value: value(3) },
			{ op: "delete", key: key(0) },
		],
	],
	[
		"a log",
		Array.from({ length: 200 }, (_, at) => ({ op: "put", key: key(at), value: value(at) })),
	],
] as [string, StorageOp[]][])(
	"a commit that is not answered, but done later, is left to the next incarnation (%s)",
	async (_name, ops) => {
		const kv = new KvDouble(true);
		const isAlways = kv.kvOf("a");
		let isAnswering = true;
		/** What the engine gets to after nobody waits for it any more. */
		const late: KvRequestData[] = [];
		const request = async (data: KvRequestData) => {
			if (isAnswering) return isAlways.request(data);
			late.push(data);
			throw new KvUnanswered();
		};
		const store = new ActorStore({ ...isAlways, request }, () => {});
		await store.open(ALL);
		const first = { op: "put", key: key(0), value: value(2) } as const;
		await store.commit({ ops: [first], record: { initialised: true } });
		isAnswering = false;
		await expect(store.commit({ ops })).rejects.toThrow(FencedOff);
		isAnswering = true;
		expect(store.hasEnded).toBe(true);
		const again = store.commit({ ops: [{ op: "put", key: key(2), value: value(3) }] });
		await expect(again).rejects.toThrow(FencedOff);
		await expect(store.get([key(0)])).rejects.toThrow(FencedOff);
		for (const data of late) await isAlways.request(data);
		const whole = new KvDouble(true);
		const other = await opened(whole);
		await other.commit({ ops: [first], record: { initialised: true } });
		// Pieces of a log that nothing points to are not read.
		if (ops.length < 100) await other.commit({ ops });
		expect(await contents(kv)).toEqual(await contents(whole));
	},
);

it("a commit that the engine refuses leaves the store usable", async () => {
	const kv = new KvDouble(true);
	const store = await opened(kv);
	await store.commit({ ops: [], record: { initialised: true } });
	kv.before = () => {
		throw new Error("refused");
	};
	const put = { op: "put", key: key(1), value: value(3) } as const;
	await expect(store.commit({ ops: [put] })).rejects.toThrow("refused");
	kv.before = () => {};
	await store.commit({ ops: [put] });
	expect(await contents(kv)).toEqual([[[...key(1)], 3, 3]]);
});

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
