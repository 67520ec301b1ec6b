import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createMemoryStore, openSqliteStore, type Store } from "@rivetkit/engine";
import { decodeCbor, type StorageBatch } from "@rivetkit/protocol";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { AtomicScope, Savepoint } from "../../src/runtime/commit/batch-part.ts";
import { SUBSPACE_KV, SUBSPACE_KV_SIZE } from "../../src/runtime/commit/storage-layout.ts";
import { KeeperHarness } from "./keeper-harness.ts";

const SEED = 20_261_126;

type Entries = ReadonlyMap<string, string>;

/** What c.kv must be like: plain maps, one per layer of what is not committed. Keys and values in hex. */
class Model {
	committed: Entries = new Map();
	/** With the batch in flight; null when there is none. */
	inFlight: Entries | null = null;
	now: Entries = new Map();
	/** Before the scope, with what others wrote since. */
	outside: Entries | null = null;

	/** A write by the scope, or by somebody else. */
	write(inScope: boolean, change: (entries: Map<string, string>) => void): void {
		const next = new Map(this.now);
		change(next);
		this.now = next;
		if (this.outside === null || inScope) return;
		const outside = new Map(this.outside);
		change(outside);
		this.outside = outside;
	}

	list(prefix: string, options: ListOptions): [string, string][] {
		const { start, end, limit = Number.POSITIVE_INFINITY, reverse = false } = options;
		const entries = [...this.now]
			.filter(([key]) => key.startsWith(prefix))
			.filter(([key]) => start === undefined || key >= start)
			.filter(([key]) => end === undefined || key < end)
			.sort(([a], [b]) => (a < b ? -1 : 1));
		return (reverse ? entries.reverse() : entries).slice(0, limit);
	}
}

interface ListOptions {
	readonly start?: string | undefined;
	readonly end?: string | undefined;
	readonly limit?: number | undefined;
	readonly reverse?: boolean | undefined;
}

interface Real {
	readonly harness: KeeperHarness;
	batch: StorageBatch | null;
	savepoint: Savepoint | null;
	inScope: boolean;
	/** Reads that nobody waited for yet, with what they must find. */
	readonly reads: Promise<void>[];
}

const bytes = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex, "hex"));
const hex = (value: Uint8Array): string => Buffer.from(value).toString("hex");

/** Few, so that they meet; each is the beginning or the neighbour of another. */
const key = fc.constantFrom("", "00", "61", "6100", "61ff", "62", "6262", "ff", "ff00", "ffff");
const value = fc
	.oneof(
		{ weight: 9, arbitrary: fc.array(fc.constantFrom("00", "7f", "ff"), { maxLength: 2 }) },
		// Larger than what the read cache keeps.
		fc.constant(["41".repeat(9_000)]),
	)
	.map((parts) => parts.join(""));
const isOurs = fc.boolean();

class Step implements fc.AsyncCommand<Model, Real> {
	readonly #name: string;
	readonly #run: (model: Model, real: Real) => void | Promise<void>;
	readonly #check: (model: Model) => boolean;

	constructor(
		name: string,
		run: (model: Model, real: Real) => void | Promise<void>,
		check: (model: Model) => boolean = () => true,
	) {
		this.#name = name;
		this.#run = run;
		this.#check = check;
	}

	check(model: Readonly<Model>): boolean {
		return this.#check(model as Model);
	}

	async run(model: Model, real: Real): Promise<void> {
		await this.#run(model, real);
	}

	toString(): string {
		return this.#name;
	}
}

const write = (
	name: string,
	inScope: boolean,
	change: (entries: Map<string, string>) => void,
	call: (kv: KeeperHarness["kv"]) => Promise<void>,
) =>
	new Step(`${name}${inScope ? " in scope" : ""}`, (model, real) => {
		real.inScope = inScope;
		// Not waited for: it is there at once.
		void call(real.harness.kv);
		real.inScope = false;
		model.write(inScope, change);
	});

/** A read whose answer is looked at later, while everything else goes on. */
const read = (
	name: string,
	call: (kv: KeeperHarness["kv"]) => Promise<unknown>,
	expected: (model: Model) => unknown,
) =>
	new Step(name, (model, real) => {
		const wanted = expected(model);
		real.reads.push(call(real.harness.kv).then((found) => expect(found, name).toEqual(wanted)));
	});

const settleReads = async ({ harness, reads }: Real): Promise<void> => {
	// What is asked for in this turn is asked for at its end.
	await Promise.resolve();
	harness.arrive();
	await Promise.all(reads.splice(0));
};

const listOptions = fc.record(
	{ start: key, end: key, limit: fc.constantFrom(0, 1, 2, 100), reverse: fc.boolean() },
	{ requiredKeys: [] },
);

const put = fc.tuple(key, value, isOurs).map(([k, v, ours]) =>
	write(
		`put ${k}=${v.slice(0, 8)}`,
		ours,
		(entries) => entries.set(k, v),
		(kv) => kv.put(bytes(k), bytes(v)),
	),
);

const deletion = fc.tuple(key, isOurs).map(([k, ours]) =>
	write(
		`delete ${k}`,
		ours,
		(entries) => entries.delete(k),
		(kv) => kv.delete(bytes(k)),
	),
);

const putBatch = fc
	.tuple(fc.array(fc.tuple(key, value), { maxLength: 4 }), isOurs)
	.map(([all, ours]) =>
		write(
			`putBatch ${all.map(([k]) => k)}`,
			ours,
			(entries) => {
				for (const [k, v] of all) entries.set(k, v);
			},
			(kv) => kv.putBatch(all.map(([k, v]) => [bytes(k), bytes(v)] as const)),
		),
	);

const deleteBatch = fc.tuple(fc.array(key, { maxLength: 4 }), isOurs).map(([keys, ours]) =>
	write(
		`deleteBatch ${keys}`,
		ours,
		(entries) => {
			for (const k of keys) entries.delete(k);
		},
		(kv) => kv.deleteBatch(keys.map(bytes)),
	),
);

const deleteRange = fc.tuple(key, key, isOurs).map(([start, end, ours]) =>
	write(
		`deleteRange ${start}..${end}`,
		ours,
		(entries) => {
			for (const k of [...entries.keys()]) if (start <= k && k < end) entries.delete(k);
		},
		(kv) => kv.deleteRange(bytes(start), bytes(end)),
	),
);

const get = key.map((k) =>
	read(
		`get ${k}`,
		async (kv) => {
			const found = await kv.get(bytes(k), { type: "binary" });
			return found && hex(found);
		},
		({ now }) => now.get(k) ?? null,
	),
);

const getBatch = fc.array(key, { maxLength: 4 }).map((keys) =>
	read(
		`getBatch ${keys}`,
		async (kv) => {
			const found = await kv.getBatch(keys.map(bytes), { type: "binary" });
			return found.map((one) => one && hex(one));
		},
		({ now }) => keys.map((k) => now.get(k) ?? null),
	),
);

const list = fc.tuple(key, listOptions).map(([prefix, options]) =>
	read(
		`list ${prefix} ${JSON.stringify(options)}`,
		async (kv) => {
			const { start, end, ...rest } = options;
			const found = await kv.list(bytes(prefix), {
				type: "binary",
				keyType: "binary",
				...rest,
				...(start === undefined ? undefined : { start: bytes(start) }),
				...(end === undefined ? undefined : { end: bytes(end) }),
			});
			return found.map(([k, v]) => [hex(k), hex(v)]);
		},
		(model) => model.list(prefix, options),
	),
);

const waitForReads = fc.constant(new Step("wait for reads", (_model, real) => settleReads(real)));

const cut = fc.constant(
	new Step(
		"cut",
		(model, real) => {
			const batch = real.harness.take();
			if (batch.ops.length === 0) return;
			real.batch = batch;
			model.inFlight = model.now;
		},
		(model) => model.inFlight === null && model.outside === null,
	),
);

const committed = fc.constant(
	new Step(
		"committed",
		async (model, real) => {
			await real.harness.commitToStore(real.batch!);
			real.harness.keeper.committed();
			real.batch = null;
			model.committed = model.inFlight!;
			model.inFlight = null;
		},
		(model) => model.inFlight !== null,
	),
);

const commitFails = fc.constant(
	new Step("commit fails", (model, real) => {
		real.harness.keeper.rollBack();
		real.batch = null;
		model.inFlight = null;
		model.now = model.committed;
		if (model.outside !== null) model.outside = model.committed;
	}),
);

const crash = fc.constant(
	new Step("crash", async (model, real) => {
		await settleReads(real);
		await real.harness.reopen();
		real.batch = null;
		real.savepoint = null;
		model.inFlight = null;
		model.outside = null;
		model.now = model.committed;
	}),
);

const scopeBegins = fc.constant(
	new Step(
		"scope begins",
		(model, real) => {
			const scope: AtomicScope = {
				get isRunning() {
					return real.inScope;
				},
			};
			real.savepoint = real.harness.keeper.savepoint(scope);
			model.outside = model.now;
		},
		(model) => model.outside === null,
	),
);

const scopeKept = fc.constant(
	new Step(
		"scope is kept",
		(model, real) => {
			real.savepoint!.release();
			model.outside = null;
		},
		(model) => model.outside !== null,
	),
);

const scopeDropped = fc.constant(
	new Step(
		"scope is dropped",
		(model, real) => {
			real.savepoint!.rewind();
			model.now = model.outside!;
			model.outside = null;
		},
		(model) => model.outside !== null,
	),
);

/** Each as often as it says. */
const steps = [
	...times(4, put),
	...times(2, deletion),
	...times(1, putBatch),
	...times(1, deleteBatch),
	...times(2, deleteRange),
	...times(3, get),
	...times(2, getBatch),
	...times(5, list),
	...times(2, waitForReads),
	...times(6, cut),
	...times(5, committed),
	...times(1, commitFails),
	...times(1, crash),
	...times(3, scopeBegins),
	...times(1, scopeKept),
	...times(2, scopeDropped),
];

function times(count: number, step: fc.Arbitrary<Step>): fc.Arbitrary<Step>[] {
	return Array.from({ length: count }, () => step);
}

async function check(newStore: () => Promise<Store>, numRuns: number): Promise<void> {
	await fc.assert(
		fc.asyncProperty(fc.commands(steps, { maxCommands: 80, size: "max" }), async (commands) => {
			const store = await newStore();
			const harness = await KeeperHarness.open(store);
			harness.held = [];
			const real: Real = { harness, batch: null, savepoint: null, inScope: false, reads: [] };
			const model = new Model();
			await fc.asyncModelRun(() => ({ model, real }), commands);
			await settleReads(real);
			if (real.batch !== null) {
				await harness.commitToStore(real.batch);
				harness.keeper.committed();
			}
			real.savepoint?.release();
			await harness.commit();
			const stored = await harness.stored();
			const entries = stored.filter(([k]) => k[0] === SUBSPACE_KV);
			expect(entries.map(([k, v]) => [hex(k.subarray(1)), hex(v)])).toEqual(model.list("", {}));
			// The bound of the size holds, and nothing else was written.
			const bound = stored.find(([k]) => k[0] === SUBSPACE_KV_SIZE);
			expect(stored).toHaveLength(entries.length + (bound ? 1 : 0));
			const size = entries.reduce((sum, [k, v]) => sum + k.byteLength - 1 + v.byteLength, 0);
			expect(bound ? (decodeCbor(bound[1]) as number) : 0).toBeGreaterThanOrEqual(size);
			await store.close();
		}),
		{ numRuns, seed: SEED },
	);
}

describe("c.kv against a sorted map: random writes, reads, commits, failures, crashes, savepoints", () => {
	let directory: string;
	beforeAll(async () => {
		directory = await mkdtemp(join(tmpdir(), "rivetkit-kv-"));
	});
	afterAll(() => rm(directory, { recursive: true, force: true }));

	it("on the memory store", () => check(async () => createMemoryStore(), 1_500));

	it("on the SQLite store", async () => {
		let count = 0;
		await check(() => openSqliteStore({ directory: join(directory, `${count++}`) }), 25);
	});
});
