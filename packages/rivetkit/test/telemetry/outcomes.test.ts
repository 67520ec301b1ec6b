// Whatever becomes of a call, it counts once (ours; docs/metrics.md): here of calls that come so fast that none is timed.
import { afterEach, expect, it, vi } from "vitest";
import { actor } from "../../src/index.ts";
import { ActorInstance } from "../../src/runtime/instance/instance.ts";
import { TRACE_LIMITS } from "../../src/runtime/telemetry/host-telemetry.ts";
import { TIMED_MAX } from "../../src/runtime/telemetry/timed-calls.ts";
import { eventually } from "../support/eventually.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { Gate } from "../support/gate.ts";
import { WrappedStore } from "../support/store-wrapper.ts";
import { TestRuntime } from "../support/test-runtime.ts";
import { tracesOf } from "./support/spans.ts";

afterEach(() => void vi.restoreAllMocks());

/** What the time of spans is: it stands still but for what a test does to it. */
const time = { ms: Date.now() };
let held = new Gate();
let holding = new Gate();
const worker = actor({
	state: { n: 0 },
	options: { noSleep: true },
	actions: {
		ok: (c) => ++c.state.n,
		same: (c) => {
			c.state.n += 1;
			c.state.n -= 1;
		},
		fail: () => {
			throw new Error("it broke");
		},
		later: async (c) => {
			await undefined;
			return ++c.state.n;
		},
		laterFail: async () => {
			await undefined;
			throw new Error("it broke");
		},
		items: async function* () {
			yield 1;
			yield 2;
		},
		itemsFail: async function* () {
			yield 1;
			throw new Error("it broke");
		},
		notSent: () => ({ nobody: () => "can encode this" }),
		tooLong: () => "x".repeat(2_000_000),
		hold: (c) =>
			c.atomic(async () => {
				holding.open();
				await held.passed;
				c.state.n++;
			}),
	},
});

interface Counted {
	readonly ok: number;
	readonly failed: number;
	readonly measured: number;
	readonly commits: number;
	readonly failedCommits: number;
	readonly leftOut: number;
}

async function start(maxPerSecond: number | null, calls = TIMED_MAX) {
	held = new Gate();
	holding = new Gate();
	const store = new WrappedStore();
	const traces = maxPerSecond === null ? null : { ...TRACE_LIMITS, store: false, maxPerSecond };
	const runtime = await TestRuntime.start(
		{ worker },
		{ clock: new FakeClock(), store: store.store, telemetry: { traces, metrics: true } },
	);
	const telemetry = runtime.embedded.host.telemetry!;
	vi.spyOn(telemetry, "timeOf").mockImplementation(() => time.ms);
	const id = await runtime.actorId("worker");
	for (let at = 0; at < calls; at++) await runtime.action(id, "ok");
	const now = (): Counted => {
		const { calls, commits } = telemetry.types.get("worker")!;
		return {
			ok: calls.action.succeeded,
			failed: calls.action.failed,
			measured: calls.action.duration.count,
			commits: commits.succeeded,
			failedCommits: commits.failed,
			leftOut: telemetry.leftOut,
		};
	};
	return {
		runtime,
		store,
		id,
		now,
		/** What it counts more while something is done. */
		counted: async (work: () => Promise<unknown>): Promise<Counted> => {
			const before = now();
			await work();
			const after = now();
			return Object.fromEntries(
				Object.entries(after).map(([name, value]) => [name, value - before[name as keyof Counted]]),
			) as unknown as Counted;
		},
		[Symbol.asyncDispose]: () => runtime[Symbol.asyncDispose](),
	};
}

const SUCCEEDED = { ok: 1, failed: 0, measured: 1, commits: 0, failedCommits: 0 };
const FAILED = { ok: 0, failed: 1, measured: 1, commits: 0, failedCommits: 0 };

const OUTCOMES: readonly (readonly [string, number, Omit<Counted, "leftOut">])[] = [
	["ok", 200, { ...SUCCEEDED, commits: 1 }],
	["same", 200, SUCCEEDED],
	["fail", 500, FAILED],
	["later", 200, { ...SUCCEEDED, commits: 1 }],
	["laterFail", 500, FAILED],
	["notSent", 500, FAILED],
	["tooLong", 400, FAILED],
	["items", 400, FAILED],
	["absent", 400, FAILED],
];

for (const traced of [false, true]) {
	const leftOut = traced ? 1 : 0;
	// The start takes all of a budget of one.
	const maxPerSecond = traced ? 1 : null;

	it.each(OUTCOMES)(`%s, with${traced ? "" : "out"} traces`, async (action, status, expected) => {
		await using at = await start(maxPerSecond);
		const counted = await at.counted(async () => {
			const response = await at.runtime.action(at.id, action);
			await response.text();
			expect(response.status).toBe(status);
		});
		expect(counted).toEqual({ ...expected, leftOut });
	});

	it.each([
		["items", SUCCEEDED],
		["itemsFail", FAILED],
	])(`a stream, %s, with${traced ? "" : "out"} traces`, async (action, expected) => {
		await using at = await start(maxPerSecond);
		const counted = await at.counted(async () => {
			const response = await fetch(`${at.runtime.url}/gateway/${at.id}/action/${action}`, {
				method: "POST",
				body: JSON.stringify({ args: [] }),
				headers: { "x-rivet-stream": "1" },
			});
			await response.text();
		});
		expect(counted).toEqual({ ...expected, leftOut });
	});

	it(`calls in line behind c.atomic, and the one that holds, with${traced ? "" : "out"} traces`, async () => {
		await using at = await start(maxPerSecond);
		const counted = await at.counted(async () => {
			const lines = vi.spyOn(ActorInstance.prototype, "whenFree");
			const holds = at.runtime.action(at.id, "hold");
			await holding.passed;
			const waits = at.runtime.action(at.id, "ok");
			await eventually(() => expect(lines).toHaveBeenCalledTimes(1));
			held.open();
			expect([(await holds).status, (await waits).status]).toEqual([200, 200]);
		});
		expect(counted).toMatchObject({ ok: 2, failed: 0, measured: 2, leftOut: 2 * leftOut });
	});

	it(`one whose commit fails, with${traced ? "" : "out"} traces`, async () => {
		await using at = await start(maxPerSecond);
		at.store.failNext();
		const counted = await at.counted(async () => {
			expect((await at.runtime.action(at.id, "ok")).status).toBe(500);
		});
		// It was answered when its commit had failed; what it did was done.
		expect(counted).toMatchObject({ measured: 1, commits: 0, failedCommits: 1 });
		expect(await (await fetch(`${at.runtime.url}/metrics`)).text()).toContain(
			'rivetkit_commits_total{actor="worker",outcome="error"} 1\n',
		);
		if (!traced) return;
		const failed = (await tracesOf(at.runtime, at.id))
			.named("actor.commit")
			.filter(({ status }) => status.code === 2);
		expect(failed).toHaveLength(1);
		expect(failed[0]!.attributes).toMatchObject({ "rivet.trace.left_out": true });
	});
}

it("of one actor its own counts say the same", async () => {
	await using at = await start(null);
	for (let call = 0; call < 5; call++) await at.runtime.action(at.id, "ok");
	await at.runtime.action(at.id, "fail");
	at.store.failNext();
	await at.runtime.action(at.id, "ok");
	const text = await (await fetch(`${at.runtime.url}/gateway/${at.id}/metrics`)).text();
	const counterOf = (name: string, outcome: string) =>
		Number(new RegExp(`^${name}{.*outcome="${outcome}"} (\\d+)$`, "m").exec(text)?.[1]);
	const { ok, failed, commits, failedCommits } = at.now();
	expect(counterOf("rivetkit_actor_calls_total", "ok")).toBe(ok);
	expect(counterOf("rivetkit_actor_calls_total", "error")).toBe(failed);
	expect(counterOf("rivetkit_actor_commits_total", "ok")).toBe(commits);
	expect(counterOf("rivetkit_actor_commits_total", "error")).toBe(failedCommits);
	expect(failedCommits).toBe(1);
});

it("a commit takes as long as it does, also without a span", async () => {
	await using at = await start(null);
	vi.restoreAllMocks();
	const { commits } = at.runtime.embedded.host.telemetry!.metricsOf("worker");
	const before = commits.duration.sum;
	const seen = at.store.commits.length;
	const beganMs = performance.now();
	const goOn = at.store.hold();
	const call = at.runtime.action(at.id, "ok");
	await eventually(() => expect(at.store.commits.length).toBe(seen + 1));
	const heldMs = performance.now();
	await eventually(() => expect(performance.now() - heldMs).toBeGreaterThan(30));
	goOn();
	await call;
	const tookMs = (commits.duration.sum - before) * 1_000;
	expect(tookMs).toBeGreaterThan(30);
	expect(tookMs).toBeLessThanOrEqual(performance.now() - beganMs);
});

it("a commit says how many calls it is of, and below which: not those that came to nothing", async () => {
	await using at = await start(1_000, 0);
	const { runtime, id } = at;
	for (let call = 0; call < 3; call++) await runtime.action(id, "same");
	await runtime.action(id, "ok");
	const { spans, named } = await tracesOf(runtime, id);
	const last = named("actor.commit").at(-1)!;
	expect(last.attributes["rivet.commit.calls"]).toBe(1);
	expect(spans.find(({ spanId }) => spanId === last.parentSpanId)?.name).toBe("actor.action.ok");
});

it("a failed commit that was left out is below its call", async () => {
	await using at = await start(100, 0);
	const { runtime, id } = at;
	vi.spyOn(runtime.embedded.host.telemetry!.budget, "continues").mockReturnValue(false);
	at.store.failNext();
	await runtime.action(id, "ok");
	const traces = await tracesOf(runtime, id);
	const call = traces.one("actor.action.ok");
	const failed = traces.named("actor.commit").find(({ status }) => status.code === 2);
	expect(failed).toMatchObject({ traceId: call.traceId, parentSpanId: call.spanId });
});
