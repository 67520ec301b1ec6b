// What traces may cost: so many in a second, and nothing for what is beyond (ours; docs/traces.md).
import { AsyncLocalStorage } from "node:async_hooks";
import fc from "fast-check";
import { afterEach, expect, it, vi } from "vitest";
import { db } from "../../src/db/index.ts";
import { actor, event } from "../../src/index.ts";
import { TRACE_LIMITS } from "../../src/runtime/telemetry/host-telemetry.ts";
import {
	BudgetShare,
	SPANS_AGAIN_MAX,
	SPANS_OF_TRACE_MAX,
	TraceBudget,
} from "../../src/runtime/telemetry/trace-budget.ts";
import { RequestCaller } from "../../src/runtime/telemetry/trace-context.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { TestRuntime } from "../support/test-runtime.ts";
import { tracesOf } from "./support/spans.ts";

afterEach(() => void vi.restoreAllMocks());

/** What the time of spans is: it stands still but for what a test does to it. */
const time = { ms: Date.now() };
const worker = actor({
	state: { n: 0 },
	events: { news: event<number>() },
	db: db({ onMigrate: (d) => void d.execute("CREATE TABLE IF NOT EXISTS t (a)") }),
	options: { noSleep: true },
	onStateChange: () => {},
	actions: {
		work: async (c) => {
			c.state.n += 1;
			c.broadcast("news", 1);
			await c.db.execute("INSERT INTO t VALUES (1)");
			return c.state.n;
		},
		fail: () => {
			throw new TypeError("it broke");
		},
		dawdle: async () => {
			await Promise.resolve();
			time.ms += 1_500;
		},
	},
});

async function start(
	maxPerSecond: number,
	metrics = true,
	clock = new FakeClock(),
): Promise<TestRuntime> {
	const traces = { ...TRACE_LIMITS, maxPerSecond };
	const runtime = await TestRuntime.start({ worker }, { clock, telemetry: { traces, metrics } });
	vi.spyOn(runtime.embedded.host.telemetry!, "timeOf").mockImplementation(() => time.ms);
	return runtime;
}

it("admits at most so many in a second, whoever asks, and a quiet actor while half is left", () => {
	const asks = fc.array(
		fc.record({
			actor: fc.integer({ min: 0, max: 5 }),
			passMs: fc.constantFrom(0, 0, 0, 7, 400),
			looksAtClock: fc.constantFrom(true, true, false),
		}),
		{ minLength: 50, maxLength: 400 },
	);
	fc.assert(
		fc.property(fc.integer({ min: 1, max: 40 }), asks, (max, list) => {
			const clock = new FakeClock();
			const budget = new TraceBudget(max);
			const shares = Array.from({ length: 6 }, () => new BudgetShare());
			const seconds: { beganMs: number; admitted: number; asked: number[] }[] = [];
			for (const { actor: at, passMs, looksAtClock } of list) {
				clock.advanceSync(passMs);
				let second = seconds.at(-1);
				if (!second && !looksAtClock) continue;
				if (!second || (looksAtClock && clock.now() - second.beganMs >= 1_000)) {
					second = { beganMs: clock.now(), admitted: 0, asked: [0, 0, 0, 0, 0, 0] };
					seconds.push(second);
				}
				const before = seconds.at(-2);
				const follows = before && second.beganMs - before.beganMs < 2_000;
				const isQuiet = ++second.asked[at]! <= 10 && !(follows && before.asked[at]! > 10);
				const limit = isQuiet ? max : max - Math.floor(max / 2);
				if (!looksAtClock) {
					const isRefused = budget.refuses(shares[at]!);
					expect(isRefused).toBe(second.admitted >= limit);
					if (!isRefused) second.asked[at]!--;
					continue;
				}
				const isAdmitted = budget.admits(shares[at]!, clock.now());
				expect(isAdmitted).toBe(second.admitted < limit);
				if (isAdmitted) second.admitted++;
				expect(second.admitted).toBeLessThanOrEqual(max);
			}
		}),
	);
});

it("a trace has room for its spans of one second, and asks again for more and for later ones", () => {
	const clock = new FakeClock();
	const budget = new TraceBudget(4);
	const share = new BudgetShare();
	expect(budget.admits(share, clock.now())).toBe(true);
	const trace = budget.admission();
	for (let span = 0; span < SPANS_OF_TRACE_MAX; span++) {
		expect(budget.continues(trace, share, clock.now())).toBe(true);
	}
	// One more is asked for, and there are two others.
	expect(budget.continues(trace, share, clock.now())).toBe(true);
	expect([
		budget.admits(share, clock.now()),
		budget.admits(share, clock.now()),
		budget.admits(share, clock.now()),
	]).toEqual([true, true, false]);
	expect(budget.continues(trace, share, clock.now())).toBe(true);
	clock.advanceSync(1_000);
	for (let at = 0; at < 4; at++) expect(budget.admits(share, clock.now())).toBe(true);
	expect(budget.continues(trace, share, clock.now())).toBe(false);
	// A wall clock that is set back does not end it all.
	clock.setBack(60_000);
	expect(budget.continues(trace, share, clock.now())).toBe(true);
});

it("a trace that goes on is not worth more than others: each time it asks, it gets a few spans", () => {
	const clock = new FakeClock();
	const max = 100;
	const budget = new TraceBudget(max);
	const connection = new BudgetShare();
	expect(budget.admits(connection, clock.now())).toBe(true);
	const trace = budget.admission();
	for (let second = 0; second < 3; second++) {
		clock.advanceSync(1_000);
		let recorded = 0;
		for (let call = 0; call < 10_000; call++) {
			if (budget.continues(trace, connection, clock.now())) recorded++;
		}
		// It is a busy one.
		expect(recorded).toBe((max / 2) * SPANS_AGAIN_MAX);
	}
});

it("leaves out what is too much with everything below it, and says how much that was", async () => {
	const clock = new FakeClock();
	await using runtime = await start(20, true, clock);
	const busy = await runtime.actorId("worker", "busy");
	for (let at = 0; at < 40; at++) expect((await runtime.action(busy, "work")).status).toBe(200);
	// Of the ten of an actor that is not busy, its start and the commit of that are two.
	const traces = await tracesOf(runtime, busy);
	expect(traces.named("actor.action.work")).toHaveLength(8);
	expect(traces.named("actor.onStateChange")).toHaveLength(8);
	expect(traces.named("actor.db.execute")).toHaveLength(8 + 1);
	const begun = traces.spans.filter(({ parentSpanId }) => parentSpanId === undefined);
	expect(new Set(begun.map(({ name }) => name))).toEqual(
		new Set(["actor.start", "actor.action.work", "actor.commit"]),
	);
	expect(traces.leftOut).toBe(32);

	// Another one is not what makes it too much.
	const quiet = await runtime.actorId("worker", "quiet");
	await runtime.action(quiet, "work");
	const seen = await tracesOf(runtime, quiet);
	expect(seen.named("actor.action.work")).toHaveLength(1);
	expect(seen.leftOut).toBe(0);

	const metrics = await (await fetch(`${runtime.url}/metrics`)).text();
	expect(metrics).toContain("\nrivetkit_traces_left_out_total 32\n");
	expect(metrics).toContain('kind="action",outcome="ok"} 41\n');

	time.ms += 5_000;
	clock.advanceSync(5_000);
	await runtime.action(busy, "work");
	expect((await tracesOf(runtime, busy)).named("actor.action.work")).toHaveLength(9);
});

it("beyond the budget a failed or slow call is a span alone, below its caller", async () => {
	// Without metrics, too.
	await using runtime = await start(10, false);
	const id = await runtime.actorId("worker");
	for (let at = 0; at < 20; at++) await runtime.action(id, "work");
	const before = await tracesOf(runtime, id);

	const traceId = "4bf92f3577b34da6a3ce929d0e0e4736";
	await fetch(`${runtime.url}/gateway/${id}/action/fail`, {
		method: "POST",
		body: JSON.stringify({ args: [] }),
		headers: { traceparent: `00-${traceId}-00f067aa0ba902b7-01` },
	});
	// Within a tenth of the budget: one.
	await runtime.action(id, "fail");
	const failed = (await tracesOf(runtime, id)).one("actor.action.fail");
	expect([failed.traceId, failed.parentSpanId]).toEqual([traceId, "00f067aa0ba902b7"]);
	expect(failed.status).toEqual({ code: 2, message: "it broke" });
	expect(failed.attributes).toMatchObject({
		"error.type": "TypeError",
		"rivet.trace.left_out": true,
	});

	time.ms += 1_000;
	for (let at = 0; at < 20; at++) await runtime.action(id, "work");
	await runtime.action(id, "dawdle");
	const slow = (await tracesOf(runtime, id)).one("actor.action.dawdle");
	expect(slow.status).toEqual({ code: 1 });
	expect(slow.attributes).toMatchObject({ "rivet.trace.left_out": true });
	const tookMs = Number(BigInt(slow.endTimeUnixNano) - BigInt(slow.startTimeUnixNano)) / 1e6;
	expect(tookMs).toBeGreaterThanOrEqual(1_500);
	expect((await tracesOf(runtime, id)).leftOut).toBeGreaterThan(before.leftOut + 2);
});

it("says so, too, when nothing at all of an actor was recorded", async () => {
	await using runtime = await start(1);
	await runtime.actorId("worker", "first");
	const id = await runtime.actorId("worker", "second");
	await runtime.action(id, "work");
	const traces = await tracesOf(runtime, id);
	expect(traces.spans).toEqual([]);
	// Its start and its action.
	expect(traces.leftOut).toBe(2);
});

it("does for a call nothing but count when it is left out, and not even that when turned off", async () => {
	const countOf = async (telemetry: "off" | number) => {
		await using runtime =
			telemetry === "off"
				? await TestRuntime.start({ worker }, { telemetry: { traces: null, metrics: false } })
				: await start(telemetry, false);
		const id = await runtime.actorId("worker");
		for (let at = 0; at < 20; at++) await runtime.action(id, "work");
		const host = runtime.embedded.host.telemetry!;
		const bytes = host.trails.bytes;
		const entered = vi.spyOn(AsyncLocalStorage.prototype, "run");
		const asked = vi.spyOn(AsyncLocalStorage.prototype, "getStore");
		const timed = vi.spyOn(host, "nowMs");
		const wallTimed = vi.spyOn(host, "wallMs");
		const numbered = vi.spyOn(host, "nextSpanId");
		const admitted = vi.spyOn(host.budget, "admits");
		const callersRead = vi.spyOn(RequestCaller.prototype, "read");
		for (let at = 0; at < 5; at++) await runtime.action(id, "work");
		const counts = {
			contexts: entered.mock.calls.length,
			lookups: asked.mock.calls.length,
			readings: timed.mock.calls.length,
			wallReadings: wallTimed.mock.calls.length,
			spans: numbered.mock.calls.length,
			asked: admitted.mock.calls.length,
			callersRead: callersRead.mock.calls.length,
			grew: host.trails.bytes - bytes,
		};
		vi.restoreAllMocks();
		return counts;
	};
	const off = await countOf("off");
	expect(off).toMatchObject({ readings: 0, spans: 0, asked: 0, callersRead: 0, grew: 0 });
	const leftOut = await countOf(1);
	expect(leftOut).toMatchObject({
		contexts: off.contexts,
		wallReadings: 0,
		spans: 0,
		callersRead: 0,
		grew: 0,
	});
	const traced = await countOf(1_000);
	expect(traced.spans).toBeGreaterThanOrEqual(5 * 4);
	expect(traced.contexts).toBeGreaterThan(off.contexts);
	expect(traced.callersRead).toBeGreaterThanOrEqual(5);
	expect(traced.grew).toBeGreaterThan(0);
});
