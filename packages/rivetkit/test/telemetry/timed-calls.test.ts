// Of many calls of one type of actors only some are timed (ours; docs/metrics.md).
import { type Random, systemRandom } from "@rivetkit/protocol";
import fc from "fast-check";
import { afterEach, expect, it, vi } from "vitest";
import { actor } from "../../src/index.ts";
import { CallShare } from "../../src/runtime/telemetry/call-share.ts";
import { TRACE_LIMITS } from "../../src/runtime/telemetry/host-telemetry.ts";
import { KEPT } from "../../src/runtime/telemetry/last-durations.ts";
import type { Work } from "../../src/runtime/telemetry/span.ts";
import {
	ASKED_MIN,
	SKIPS_MAX,
	STRETCH_MS,
	TIMED_EVERY,
	TIMED_MAX,
	TimedCalls,
} from "../../src/runtime/telemetry/timed-calls.ts";
import { Turns } from "../../src/runtime/telemetry/turns.ts";
import type { Told } from "../../src/runtime/telemetry/untimed-calls.ts";
import { TimerWheel } from "../../src/runtime/timers/timer-wheel.ts";
import { eventually } from "../support/eventually.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { TestRuntime } from "../support/test-runtime.ts";
import { tracesOf } from "./support/spans.ts";

afterEach(() => void vi.restoreAllMocks());

class Share extends CallShare {
	counted = 0;
	protected gathered(calls: number): void {
		this.counted += calls;
	}
}

/** The calls of one actor, as it asks for them. */
class Caller {
	readonly share = new Share();
	readonly #calls: TimedCalls;

	constructor(calls: TimedCalls) {
		this.#calls = calls;
	}

	/** Whether the next call is none of the samples. */
	skips(): boolean {
		if (this.share.skips > 0) {
			this.share.skips--;
			return true;
		}
		if (!this.#calls.skips()) return false;
		this.#calls.leftOut(this.share);
		return true;
	}

	ended(): void {
		this.share.stayed++;
		this.#calls.list(this.share);
	}
}

const timedCalls = (random: Random, told: Told = () => {}) =>
	new TimedCalls(random, { turns: new Turns(), nowMs: () => 0 }, told);

it("times a few calls of each stretch, one in so many of the others, and the first after them", () => {
	const gaps = fc.array(fc.constantFrom(0, 0, 0, 0, 0.1, 1, 7, 40), {
		minLength: 1,
		maxLength: 600,
	});
	// How many calls of an actor come before those of the next one.
	const rows = fc.array(fc.constantFrom(1, 1, 5, ASKED_MIN + 5, 100), { minLength: 1 });
	fc.assert(
		fc.property(gaps, rows, (list, row) => {
			const clock = new FakeClock();
			const timers = new TimerWheel(clock, { resolutionMs: 1 });
			const calls = timedCalls(systemRandom());
			const callers = row.flatMap((length, at) => Array<number>(length).fill(at % 3));
			const actors = Array.from({ length: 3 }, () => new Caller(calls));
			let turn = 0;
			let timed = 0;
			const call = () => {
				const caller = actors[callers[turn++ % callers.length]!]!;
				if (caller.skips()) {
					caller.ended();
					return false;
				}
				calls.began(null, clock.now(), timers);
				timed++;
				return true;
			};
			const timedAt: number[] = [];
			let skipped = 0;
			for (const gap of list) {
				clock.advanceSync(gap);
				if (call()) {
					timedAt.push(clock.now());
					skipped = 0;
					continue;
				}
				// Only where there were many just now, and never too many in a row.
				const since = clock.now() - 2 * STRETCH_MS - 2;
				expect(timedAt.filter((at) => at >= since).length).toBeGreaterThanOrEqual(TIMED_MAX);
				// Two others may have been left some of those before the last one.
				expect(++skipped).toBeLessThan(TIMED_EVERY * 1.5 + 2 * SKIPS_MAX);
			}
			clock.advanceSync(STRETCH_MS + 1);
			expect(call()).toBe(true);
			// What comes one by one is timed one by one, and no timer is left for it.
			clock.advanceSync(STRETCH_MS + 1);
			for (let at = 0; at < 5 * TIMED_MAX; at++) {
				expect(call()).toBe(true);
				clock.advanceSync(STRETCH_MS / (TIMED_MAX - 1) + 1);
			}
			expect(clock.armed).toBe(0);
			calls.gather();
			const counted = actors.reduce((sum, { share }) => sum + share.counted, 0);
			expect(counted).toBe(turn - timed);
		}),
	);
});

/** The same in each run: how often each pattern is met is not left to chance. */
const seeded: Random = { ...systemRandom(), fraction: () => 0.42 };

it.each([
	[64, 20],
	[64, 7],
	[16, 3],
	[2, 0],
	[2, 1],
])("says of a pattern how often it is slow: of each %d the one at %d", (period, slowAt) => {
	const clock = new FakeClock();
	const timers = new TimerWheel(clock, { resolutionMs: 1 });
	let count = 0;
	let slow = 0;
	let told = 0;
	const calls = timedCalls(seeded, (tookMs, times) => {
		told += times;
		if (tookMs === 0.5) slow += times;
	});
	const caller = new Caller(calls);
	let untimed = 0;
	for (let burst = 0; burst < 4_000; burst++) {
		let tookMs = 0;
		// No timer runs while a burst does.
		for (let at = 0; at < 64; at++, count++) {
			const took = at % period === slowAt ? 0.5 : 0.01;
			tookMs += took;
			if (caller.skips()) {
				caller.ended();
				untimed++;
				continue;
			}
			const work = {} as Work;
			calls.began(work, clock.now(), timers);
			calls.ended(work, took, null);
			if (took === 0.5) slow++;
		}
		clock.advanceSync(tookMs);
	}
	calls.tell();
	expect(told).toBe(untimed);
	// The first calls of a stretch are all samples, and it begins with a burst: at 7 they are met twice as often.
	const share = slow / count;
	expect(share).toBeGreaterThan(0.5 / period);
	expect(share).toBeLessThan(Math.min(0.65, 3 / period));
});

it("keeps nothing of a sample that has ended, failed or left the stack", () => {
	const timers = { schedule: () => ({ cancel: () => {} }) };
	const told: [tookMs: number, calls: number][] = [];
	const calls = timedCalls(systemRandom(), (...those) => told.push(those));
	const [first, second] = [{} as Work, {} as Work];
	const third = { startMs: 0 } as Work;
	calls.began(first, 0, timers as never);
	calls.ended(first, 3, null);
	calls.ended(first, 7, null);
	calls.began(second, 0, timers as never);
	calls.ended(second, null, null);
	calls.ended(second, 9, null);
	calls.began(third, 0, timers as never);
	calls.ended(third, 11, calls.leavesStack(third));
	const caller = new Caller(calls);
	caller.ended();
	caller.ended();
	calls.tell();
	expect(told).toEqual([[3, 2]]);
});

it("calls share the samples of their time, and are told of before the next one takes the place of one of these", () => {
	const timers = { schedule: () => ({ cancel: () => {} }) };
	const told: [tookMs: number, calls: number][] = [];
	const calls = timedCalls(systemRandom(), (...those) => told.push(those));
	const caller = new Caller(calls);
	const sample = (tookMs: number) => {
		const work = {} as Work;
		calls.began(work, 0, timers as never);
		calls.ended(work, tookMs, null);
	};
	for (let at = 1; at <= KEPT; at++) {
		caller.ended();
		sample(at);
	}
	expect(told).toEqual([]);
	sample(100);
	expect(told.toSorted(([a], [b]) => a - b)).toEqual(
		Array.from({ length: KEPT }, (_, at) => [at + 1, 1]),
	);
	told.length = 0;
	for (let at = 0; at < KEPT; at++) caller.ended();
	calls.tell();
	expect(told.map(([tookMs]) => tookMs).sort((a, b) => a - b)).toEqual([2, 3, 4, 5, 6, 7, 8, 100]);
});

/** What the time of spans is: it stands still but for what a test does to it. */
const time = { ms: Date.now() };
const worker = actor({
	options: { noSleep: true },
	actions: {
		work: () => 1,
		later: (c) => c.schedule.after(1, "work"),
		fail: () => {
			throw new TypeError("it broke");
		},
		block: () => {
			time.ms += 1_500;
		},
		blockAndFail: () => {
			time.ms += 1_500;
			throw new Error("too late");
		},
		dawdle: async () => {
			await Promise.resolve();
			time.ms += 1_500;
		},
	},
});

const SUM = 'rivetkit_call_duration_seconds_sum{actor="worker",kind="action"}';

/** A runtime with an actor that had so many calls at once that the next ones are not timed. */
async function busy(traced: boolean, maxPerSecond = 10, calls = TIMED_MAX) {
	const traces = traced ? { ...TRACE_LIMITS, store: false, maxPerSecond } : null;
	const clock = new FakeClock();
	const runtime = await TestRuntime.start(
		{ worker },
		{ clock, telemetry: { traces, metrics: true } },
	);
	const telemetry = runtime.embedded.host.telemetry!;
	vi.spyOn(telemetry, "timeOf").mockImplementation(() => time.ms);
	const id = await runtime.actorId("worker");
	for (let at = 0; at < calls; at++) await runtime.action(id, "work");
	const looks = vi.spyOn(telemetry, "nowMs");
	return {
		runtime,
		id,
		clock,
		looks,
		metrics: async () => await (await fetch(`${runtime.url}/metrics`)).text(),
		[Symbol.asyncDispose]: () => runtime[Symbol.asyncDispose](),
	};
}

it.each([
	["metrics", false],
	["metrics and traces", true],
] as const)(
	"looks at no clock for most of many calls, and counts them all: %s",
	async (_what, traced) => {
		await using at = await busy(traced);
		const { runtime, id, looks, clock } = at;
		let untimed = 0;
		for (; looks.mock.calls.length === 0; untimed++) await runtime.action(id, "work");
		expect(looks).toHaveBeenCalledTimes(2);
		expect(untimed).toBeGreaterThan(TIMED_EVERY / 2);
		expect(untimed).toBeLessThanOrEqual(TIMED_EVERY * 1.5);
		await runtime.action(id, "work");
		expect(looks).toHaveBeenCalledTimes(2);
		const calls = TIMED_MAX + untimed + 1;
		const text = await at.metrics();
		expect(text).toContain(`kind="action",outcome="ok"} ${calls}\n`);
		const name = "rivetkit_call_duration_seconds";
		expect(text).toContain(`${name}_count{actor="worker",kind="action"} ${calls}\n`);
		expect(text).toContain(`${name}_bucket{actor="worker",kind="action",le="+Inf"} ${calls}\n`);

		clock.advanceSync(STRETCH_MS * 2);
		looks.mockClear();
		await runtime.action(id, "work");
		expect(looks).toHaveBeenCalledTimes(2);
	},
);

it("one that is not timed counts as long as the last that was and did not wait", async () => {
	await using at = await busy(false);
	const { runtime, id } = at;
	for (let call = 0; call < 3; call++) {
		await runtime.action(id, "dawdle");
		await runtime.action(id, "work");
	}
	const text = await at.metrics();
	const bucket = (le: string) =>
		Number(new RegExp(`_bucket{actor="worker",kind="action",le="${le}"} (\\d+)`).exec(text)?.[1]);
	expect([bucket("0.0001"), bucket("1"), bucket("2.5")]).toEqual([
		TIMED_MAX + 3,
		TIMED_MAX + 3,
		TIMED_MAX + 6,
	]);
	expect(text).toContain(`${SUM} 4.5\n`);
});

it("is about the actors of a type together", async () => {
	await using at = await busy(false);
	const { runtime, looks } = at;
	const others = await Promise.all(
		Array.from({ length: 3 }, (_, key) => runtime.actorId("worker", `other-${key}`)),
	);
	looks.mockClear();
	for (const id of others) await runtime.action(id, "work");
	expect(looks).toHaveBeenCalledTimes(0);
	expect(await at.metrics()).toContain(`kind="action",outcome="ok"} ${TIMED_MAX + 3}\n`);
});

it("a quiet actor beside a busy one has its traces, and others do not count as long as its calls", async () => {
	// A busy one takes half of them.
	await using at = await busy(true, 40);
	const { runtime, id } = at;
	const quiet = await runtime.actorId("worker", "quiet");
	const names = async (of: string) =>
		(await tracesOf(runtime, of)).spans.filter(({ name }) => name.startsWith("actor.action."));
	for (let at = 0; at < 40; at++) await runtime.action(id, "work");
	const before = (await names(id)).length;
	await runtime.action(quiet, "block");
	await runtime.action(id, "work");
	expect(await names(quiet)).toHaveLength(1);
	expect(await names(id)).toHaveLength(before);
	const text = await at.metrics();
	expect(text).toContain(`${SUM} 1.5\n`);
	expect(text).toContain(`kind="action",outcome="ok"} ${TIMED_MAX + 42}\n`);
});

it("is traced however fast it comes, as long as there is room for its trace", async () => {
	await using at = await busy(true, 100);
	const { runtime, id } = at;
	for (let call = 0; call < 30; call++) await runtime.action(id, "work");
	const { named, leftOut } = await tracesOf(runtime, id);
	expect(named("actor.action.work")).toHaveLength(TIMED_MAX + 30);
	expect(leftOut).toBe(0);
});

it("one that computes for long counts for an eighth of those behind it, and no longer than that", async () => {
	await using at = await busy(false, 10, TIMED_MAX - 1);
	const { runtime, id } = at;
	await runtime.action(id, "block");
	for (let call = 0; call < 2 * KEPT; call++) await runtime.action(id, "work");
	expect(await at.metrics()).toContain(`${SUM} ${1.5 * 3}\n`);
});

it.each([
	["failed", "blockAndFail"],
	["waited", "dawdle"],
])("what has %s does not say how long others took", async (_how, action) => {
	await using at = await busy(false, 10, TIMED_MAX - 1);
	const { runtime, id } = at;
	await runtime.action(id, action);
	for (let call = 0; call < 2 * KEPT; call++) await runtime.action(id, "work");
	expect(await at.metrics()).toContain(`${SUM} 1.5\n`);
});

it("an actor with many calls in a row asks once for so many of them, until a stretch is over", () => {
	const clock = new FakeClock();
	const timers = new TimerWheel(clock, { resolutionMs: 1 });
	const calls = timedCalls(seeded);
	const [busy, other] = [new Caller(calls), new Caller(calls)];
	const sample = () => {
		const work = {} as Work;
		calls.began(work, clock.now(), timers);
		calls.ended(work, 1, null);
	};
	for (let call = 0; call < TIMED_MAX; call++) sample();
	const untilSkips = (caller: Caller) => {
		let asked = 0;
		while (caller.share.skips === 0) {
			expect(caller.skips()).toBe(true);
			asked++;
		}
		return asked;
	};
	expect(untilSkips(busy)).toBe(ASKED_MIN);
	expect(busy.share.skips).toBe(SKIPS_MAX);
	// One between its calls begins the row anew, for both.
	expect(untilSkips(other)).toBe(ASKED_MIN);
	expect(other.skips()).toBe(true);
	clock.advanceSync(STRETCH_MS + 1);
	expect(busy.share.skips).toBe(0);
	expect(calls.skips()).toBe(false);
});

it("leaves no timer when the host closes", async () => {
	const at = await busy(false);
	await at.runtime.action(at.id, "work");
	await at.runtime[Symbol.asyncDispose]();
	expect(at.clock.armed).toBe(0);
});

it("a scheduled one is timed, however many calls there are", async () => {
	await using at = await busy(false);
	const { runtime, id, looks, clock } = at;
	await runtime.action(id, "later");
	looks.mockClear();
	await clock.advance(STRETCH_MS / 2);
	await eventually(async () => {
		expect(await at.metrics()).toContain('kind="scheduled",outcome="ok"} 1\n');
	});
	expect(looks.mock.calls.length).toBeGreaterThanOrEqual(2);
});

it("one that is not timed is a span alone when it fails, and is timed from when it leaves the stack", async () => {
	await using at = await busy(true);
	const { runtime, id } = at;
	await runtime.action(id, "fail");
	const failed = (await tracesOf(runtime, id)).one("actor.action.fail");
	expect(failed.status).toEqual({ code: 2, message: "it broke" });
	expect(failed.attributes).toMatchObject({ "rivet.trace.left_out": true });
	expect(failed.startTimeUnixNano).toBe(failed.endTimeUnixNano);
	expect(await at.metrics()).toContain('kind="action",outcome="error"} 1\n');

	time.ms += 1_000;
	await runtime.action(id, "dawdle");
	const slow = (await tracesOf(runtime, id)).one("actor.action.dawdle");
	expect(slow.attributes).toMatchObject({ "rivet.trace.left_out": true });
	const tookNs = BigInt(slow.endTimeUnixNano) - BigInt(slow.startTimeUnixNano);
	expect(tookNs).toBe(1_500_000_000n);
});
