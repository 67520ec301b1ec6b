// Spans are in the store of their actor: they are there after a restart, bounded, and gone with it
// (contract: lifecycle 19).
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createMemoryStore } from "@rivetkit/engine";
import type { StorageOp, StorageRange } from "@rivetkit/protocol";
import fc from "fast-check";
import { expect, it, vi } from "vitest";
import { freePort } from "../../../../scripts/lib/free-port.ts";
import { actor } from "../../src/index.ts";
import { SUBSPACE_TRACES } from "../../src/runtime/commit/storage-layout.ts";
import { TRACE_LIMITS } from "../../src/runtime/telemetry/host-telemetry.ts";
import {
	CHUNKS_PER_SECOND,
	chunksPerSecond,
	KEPT_CHUNKS_BYTES_MAX,
	KeptChunks,
} from "../../src/runtime/telemetry/kept-chunks.ts";
import { Span, UNADMITTED } from "../../src/runtime/telemetry/span.ts";
import { SpanKeeper } from "../../src/runtime/telemetry/span-keeper.ts";
import { SPAN_KINDS } from "../../src/runtime/telemetry/span-kinds.ts";
import {
	CHUNK_BYTES,
	readStoredSpans,
	slotsFor,
} from "../../src/runtime/telemetry/stored-spans.ts";
import { ServerProcess } from "../crash/server-process.ts";
import { eventually } from "../support/eventually.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { WrappedStore } from "../support/store-wrapper.ts";
import { TestRuntime } from "../support/test-runtime.ts";
import { MortalStore } from "../workflow/support/mortal-store.ts";
import { tracesOf } from "./support/spans.ts";

const telemetry = { traces: TRACE_LIMITS, metrics: false };

const subject = actor({
	state: { n: 0 },
	run: async (c) => {
		await new Promise((resolve) => c.abortSignal.addEventListener("abort", resolve));
	},
	actions: {
		add: (c) => ++c.state.n,
		peek: (c) => c.state.n,
		fail: (c) => {
			c.state.n++;
			c.log.info("about to fail");
			throw new Error("it broke");
		},
	},
});

it("what was done before a kill -9 is shown after it, without waking the actor", async () => {
	const data = await mkdtemp(join(tmpdir(), "stored-spans-"));
	const port = await freePort();
	const server = new ServerProcess(
		"counter-server.ts",
		[data, String(port)],
		// Traces are on.
		"development",
	);
	const url = `http://127.0.0.1:${port}`;
	try {
		await server.start();
		const created = await fetch(`${url}/actors`, {
			method: "PUT",
			headers: { "content-type": "application/json" },
			body: JSON.stringify({
				name: "counter",
				key: "k",
				runner_name_selector: "default",
				crash_policy: "sleep",
			}),
		});
		const id = ((await created.json()) as { actor: { actor_id: string } }).actor.actor_id;
		await fetch(`${url}/gateway/${id}/action/increment`, {
			method: "POST",
			body: JSON.stringify({ args: [] }),
		});
		const before = await tracesOf({ url }, id);
		await server.end("SIGKILL");
		await server.start();
		const after = await tracesOf({ url }, id);
		expect(after.one("actor.action.increment")).toEqual(before.one("actor.action.increment"));
		expect(after.one("actor.start").spanId).toBe(before.one("actor.start").spanId);
		const lifecycle = await fetch(`${url}/gateway/${id}/inspector/lifecycle`);
		expect(await lifecycle.json()).toMatchObject({ status: "sleeping" });
	} finally {
		await server.end("SIGKILL");
		await rm(data, { recursive: true, force: true });
	}
});

it("what was under way when the process ended has no end, and says so", async () => {
	const inner = createMemoryStore();
	const mortal = new MortalStore(inner);
	const first = await TestRuntime.start({ subject }, { store: mortal.store, telemetry });
	const id = await first.actorId("subject");
	await eventually(async () => {
		await first.action(id, "add");
		const stored = await readStoredSpans(async (range) => inner.scan(id, range), null);
		expect(stored.some(({ isOpen }) => isOpen)).toBe(true);
	});
	mortal.die();
	first.server.close().catch(() => {});
	await using second = await TestRuntime.start({ subject }, { store: inner, telemetry });
	const traces = await tracesOf(second, id);
	expect(traces.named("actor.run")[0]).toMatchObject({
		endTimeUnixNano: "0",
		status: { code: 0 },
		attributes: { "rivet.trace.interrupted": true },
	});
	expect(traces.named("actor.action.add")[0]?.attributes).not.toHaveProperty([
		"rivet.trace.interrupted",
	]);
});

it("after a restart spans are as they were, and the stop has ended with its last commit", async () => {
	const { store } = new WrappedStore();
	const first = await TestRuntime.start({ subject }, { store, telemetry });
	const id = await first.actorId("subject");
	await first.action(id, "add");
	await first.action(id, "fail");
	await first.embedded.host.stop(id, "sleep");
	const before = await tracesOf(first, id);
	await first.embedded.close();

	await using second = await TestRuntime.start({ subject }, { store, telemetry });
	const asleep = await tracesOf(second, id);
	for (const name of ["actor.action.add", "actor.action.fail", "actor.run"]) {
		expect([name, asleep.one(name)]).toEqual([name, before.one(name)]);
	}
	expect(asleep.one("actor.action.fail").events).toHaveLength(1);
	const stop = asleep.one("actor.stop");
	expect(stop.status).toEqual({ code: 1 });
	expect(stop.endTimeUnixNano).not.toBe("0");
	// Of the next life they are shown together with what is in memory, each once.
	await second.action(id, "add");
	const awake = await tracesOf(second, id);
	expect(awake.named("actor.action.add")).toHaveLength(2);
	expect(awake.named("actor.start")).toHaveLength(2);
	expect(new Set(awake.spans.map(({ spanId }) => spanId)).size).toBe(awake.spans.length);
});

it("an actor that writes nothing has its spans stored within five seconds, once", async () => {
	const clock = new FakeClock(Date.now());
	await using runtime = await TestRuntime.start({ subject }, { clock, telemetry });
	const id = await runtime.actorId("subject");
	await runtime.action(id, "peek");
	const { host } = runtime.embedded;
	const [instance] = [...host.liveInstances];
	const commits = () => instance!.committer.batchCount;
	const before = commits();
	clock.advanceSync(4_999);
	expect(commits()).toBe(before);
	clock.advanceSync(1);
	await eventually(() => expect(commits()).toBe(before + 1));
	await eventually(() => expect(instance!.committer.isCommitting).toBe(false));
	// It is nothing that the actor did.
	const commitSpans = (await tracesOf(runtime, id)).named("actor.commit").length;
	expect(commitSpans).toBe(before);
	// What is in memory only would be gone now.
	host.telemetry!.trails.remove(id);
	expect((await tracesOf(runtime, id)).one("actor.action.peek").status).toEqual({ code: 1 });
	// The commit is no reason for another one.
	clock.advanceSync(20_000);
	expect([commits(), instance!.committer.isCommitting]).toEqual([before + 1, false]);
});

it("commits that come anyway take spans with them once a second; `store: false` stores none", async () => {
	for (const store of [true, false]) {
		const clock = new FakeClock(Date.now());
		const telemetry = { traces: { ...TRACE_LIMITS, store }, metrics: false };
		await using runtime = await TestRuntime.start({ subject }, { clock, telemetry });
		vi.spyOn(runtime.embedded.host.telemetry!, "timeOf").mockImplementation(() => clock.now());
		const id = await runtime.actorId("subject");
		const stored = async () => {
			const [instance] = [...runtime.embedded.host.liveInstances];
			const { services, assignment } = instance!;
			const range = { start: Uint8Array.of(SUBSPACE_TRACES), end: null };
			return readStoredSpans(() => services.backend.scan(assignment, range), null);
		};
		const adds = async () => (await stored()).filter(({ subject }) => subject === "add").length;
		clock.advanceSync(1_000);
		await runtime.action(id, "add");
		expect(await adds()).toBe(store ? 1 : 0);
		await runtime.action(id, "add");
		await runtime.action(id, "add");
		expect(await adds()).toBe(store ? 1 : 0);
		clock.advanceSync(1_000);
		await runtime.action(id, "add");
		expect(await adds()).toBe(store ? 4 : 0);
	}
});

it("they go with their actor, and into no copy of it", async () => {
	await using runtime = await TestRuntime.start({ subject }, { telemetry });
	const id = await runtime.actorId("subject");
	await runtime.action(id, "add");
	const [instance] = [...runtime.embedded.host.liveInstances];
	const { services, assignment } = instance!;
	const range = { start: Uint8Array.of(SUBSPACE_TRACES), end: null };
	expect(await services.backend.scan(assignment, range)).not.toEqual([]);
	const exported = await fetch(`${runtime.url}/actors/${id}/export`);
	const file = Buffer.from(await exported.arrayBuffer());
	expect(exported.status).toBe(200);
	expect(file.includes("add")).toBe(false);
	await runtime.embedded.engine.destroy(id);
	await eventually(async () => {
		expect(await runtime.store.scan(id, range)).toEqual([]);
	});
});

/** The store of one actor. */
class Entries {
	readonly #entries = new Map<string, Uint8Array>();

	apply(ops: readonly StorageOp[]): void {
		for (const op of ops) {
			if (op.op === "put") this.#entries.set(hex(op.key), op.value);
			else if (op.op === "delete") this.#entries.delete(hex(op.key));
			else {
				for (const key of this.#entries.keys()) {
					if (key >= hex(op.start) && (op.end === null || key < hex(op.end))) {
						this.#entries.delete(key);
					}
				}
			}
		}
	}

	scan(_: StorageRange): Promise<[Uint8Array, Uint8Array][]> {
		const all = [...this.#entries].sort(([a], [b]) => (a < b ? -1 : 1));
		return Promise.resolve(all.map(([key, value]) => [Buffer.from(key, "hex"), value]));
	}

	get bytes(): number {
		return [...this.#entries.values()].reduce((sum, { byteLength }) => sum + byteLength, 0);
	}
}

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");
const ids = {
	spanId: (id: number | string) => String(id).padStart(16, "0"),
	contextOf: ({ id, trace }: Span) => ({ traceId: trace.id!, spanId: ids.spanId(id) }),
};
const MAX_BYTES = 3 * CHUNK_BYTES;

it("whatever commits fail, the last spans of the last lives are stored, and no more than that", async () => {
	const turn = fc.record({
		spans: fc.array(fc.integer({ min: 0, max: 1_024 }), { maxLength: 40 }),
		fails: fc.boolean(),
	});
	const lives = fc.array(fc.array(turn, { minLength: 1, maxLength: 6 }), {
		minLength: 1,
		maxLength: 20,
	});
	await fc.assert(
		fc.asyncProperty(lives, async (all) => {
			const store = new Entries();
			let next = 0;
			const written: number[][] = [];
			for (const [generation, turns] of all.entries()) {
				const timers = { schedule: () => ({ cancel() {} }) as never };
				const keeper = new SpanKeeper(
					{ generation, timers, commitSpans() {}, openSpans: () => [] },
					ids,
					MAX_BYTES,
					new KeptChunks(),
				);
				const ended: number[] = [];
				for (const [at, { spans, fails }] of [...turns, { spans: [], fails: false }].entries()) {
					for (const size of spans) {
						const trace = { id: "t", flags: 1, admission: UNADMITTED };
						const span = new Span(SPAN_KINDS.commit, null, trace, null, ++next, next, null);
						span.endMs = next;
						span.set("text", "x".repeat(size));
						ended.push(next);
						keeper.ended(span);
					}
					const batch = { ops: [] as StorageOp[] };
					keeper.take(batch, false, { nowMs: at * 1_000, isLast: false });
					if (!fails) {
						store.apply(batch.ops);
						keeper.committed();
					} else keeper.rollBack();
				}
				keeper.end();
				written.push(ended);
			}
			const stored = await readStoredSpans((range) => store.scan(range), null);
			const found = new Set(stored.map(({ id }) => Number(id)));
			expect(found.size).toBe(stored.length);
			// Of the lives whose slots nobody has taken since.
			const kept = written.slice(-8);
			for (const ended of kept) {
				const there = ended.filter((id) => found.has(id));
				// The last ones, without a gap.
				expect(there).toEqual(there.length > 0 ? ended.slice(-there.length) : []);
				if (ended.length > 0) expect(there.length).toBeGreaterThan(0);
			}
			expect(store.bytes).toBeLessThanOrEqual(8 * slotsFor(MAX_BYTES) * (CHUNK_BYTES + 2_048));
		}),
		{ numRuns: 60 },
	);
});

it("of all actors together only so much is in memory; who made room goes on in another chunk", async () => {
	const kept = new KeptChunks(3_000);
	let next = 0;
	const actors = Array.from({ length: 10 }, (_, generation) => {
		const store = new Entries();
		const timers = { schedule: () => ({ cancel() {} }) as never };
		const owner = { generation, timers, commitSpans() {}, openSpans: () => [] };
		return { store, keeper: new SpanKeeper(owner, ids, MAX_BYTES, kept), ended: [] as number[] };
	});
	for (let round = 0; round < 3; round++) {
		for (const { store, keeper, ended } of actors) {
			const trace = { id: "t", flags: 1, admission: UNADMITTED };
			const span = new Span(SPAN_KINDS.commit, null, trace, null, ++next, next, null);
			span.endMs = next;
			span.set("text", "x".repeat(500));
			ended.push(next);
			keeper.ended(span);
			const batch = { ops: [] as StorageOp[] };
			keeper.take(batch, false, { nowMs: round * 1_000, isLast: false });
			store.apply(batch.ops);
			keeper.committed();
			expect(kept.bytes).toBeLessThanOrEqual(3_000);
		}
	}
	for (const { store, keeper, ended } of actors) {
		const stored = await readStoredSpans((range) => store.scan(range), null);
		expect(stored.map(({ id }) => Number(id))).toEqual(ended);
		keeper.end();
	}
	expect(kept.bytes).toBe(0);
});

it("of many actors that commit all the time only some write their spans in a second, the others within five", () => {
	expect([1, 20, 100, 1e9].map(chunksPerSecond)).toEqual([1, 4, 16, CHUNKS_PER_SECOND]);
	const few = new KeptChunks(KEPT_CHUNKS_BYTES_MAX, 1);
	expect(few.hasRoom(0)).toBe(true);
	few.take();
	expect([few.hasRoom(1), few.hasRoom(1_000)]).toEqual([false, true]);
	const kept = new KeptChunks();
	let next = 0;
	const actors = Array.from({ length: 3 * CHUNKS_PER_SECOND }, (_, generation) => {
		const due: (() => void)[] = [];
		const timers = {
			schedule: (_afterMs: number, fire: () => void) => {
				due.push(fire);
				return { cancel: () => due.splice(due.indexOf(fire), 1) } as never;
			},
		};
		const owner = { generation, timers, commitSpans() {}, openSpans: () => [] };
		return { due, keeper: new SpanKeeper(owner, ids, MAX_BYTES, kept) };
	});
	const commit = (keeper: SpanKeeper, nowMs: number) => {
		const batch = { ops: [] as StorageOp[] };
		keeper.take(batch, false, { nowMs, isLast: false });
		keeper.committed();
		return batch.ops.filter(({ op }) => op === "put").length;
	};
	const works = (keeper: SpanKeeper) => {
		const trace = { id: "t", flags: 1, admission: UNADMITTED };
		const span = new Span(SPAN_KINDS.action, "add", trace, null, ++next, next, null);
		span.endMs = next;
		keeper.ended(span);
	};
	for (const { keeper } of actors) works(keeper);
	const written = (nowMs: number) =>
		actors.map(({ keeper }) => commit(keeper, nowMs)).reduce((sum, puts) => sum + puts, 0);
	expect([written(0), written(500), written(1_000)]).toEqual([
		CHUNKS_PER_SECOND,
		0,
		CHUNKS_PER_SECOND,
	]);
	// Those that are left have waited for long enough, however many they are.
	for (const { keeper } of actors.slice(0, CHUNKS_PER_SECOND)) works(keeper);
	expect(commit(actors[0]!.keeper, 2_000)).toBe(1);
	const waiting = actors.filter(({ due }) => due.length > 0);
	expect(waiting).toHaveLength(2 * CHUNKS_PER_SECOND - 1);
	for (const { due } of waiting) due[0]!();
	expect(written(2_100)).toBe(waiting.length);
	for (const { keeper } of actors) keeper.end();
});

it("spans are shown for seven days after their end, wherever they are kept", async () => {
	const clock = new FakeClock();
	const { store } = new WrappedStore();
	const quiet = actor({ state: { n: 0 }, actions: { add: (c) => ++c.state.n } });
	await using runtime = await TestRuntime.start({ quiet }, { store, clock, telemetry });
	const id = await runtime.actorId("quiet");
	await runtime.action(id, "add");
	const names = async () => {
		const { spans } = await tracesOf(runtime, id);
		return spans.map(({ name }) => name).filter((name) => name === "actor.action.add");
	};
	expect(await names()).toHaveLength(1);
	clock.setForward(TRACE_LIMITS.maxAge - 60_000);
	expect(await names()).toHaveLength(1);
	clock.setForward(120_000);
	expect(await names()).toEqual([]);
	await runtime.embedded.host.stop(id, "sleep");
	expect(await names()).toEqual([]);
});
