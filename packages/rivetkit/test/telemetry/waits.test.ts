// How long calls took that wait and come so fast that they are not timed (ours; docs/metrics.md).
import { setImmediate as endOfTurn } from "node:timers/promises";
import { afterEach, expect, it, vi } from "vitest";
import { actor } from "../../src/index.ts";
import { ActorTelemetry } from "../../src/runtime/telemetry/actor-telemetry.ts";
import { TRACE_LIMITS } from "../../src/runtime/telemetry/host-telemetry.ts";
import { KEPT } from "../../src/runtime/telemetry/last-durations.ts";
import { STRETCH_MS, TIMED_MAX } from "../../src/runtime/telemetry/timed-calls.ts";
import { Turns } from "../../src/runtime/telemetry/turns.ts";
import { type Wait, Waits } from "../../src/runtime/telemetry/waits.ts";
import { eventually } from "../support/eventually.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { Gate } from "../support/gate.ts";
import { TestRuntime } from "../support/test-runtime.ts";
import { tracesOf } from "./support/spans.ts";

afterEach(() => void vi.restoreAllMocks());

const AT_A_TIME = 64;
/** Far longer than what others take, and so short that a stretch has many of them that are not timed. */
const COMPUTED_MS = 2;
/** What the time of spans is: it stands still but for what a test does to it. */
const time = { ms: Date.now() };
/** What the calls took, by their own account (ms). */
const took: number[] = [];
let gate = new Gate();
/** Calls that have come to the gate. */
let arrived = 0;

function passes(): Promise<void> {
	arrived++;
	return gate.passed;
}

function computes(ms: number): void {
	time.ms += ms;
}

/** Tells what a call takes, from its first statement to its last. */
async function measured(work: () => Promise<void>): Promise<void> {
	const beganMs = time.ms;
	await work();
	took.push(time.ms - beganMs);
}

const worker = actor({
	state: { n: 0 },
	options: { noSleep: true },
	actions: {
		now: () => {
			computes(0.01);
			took.push(0.01);
		},
		soon: () =>
			measured(async () => {
				computes(0.005);
				await undefined;
				computes(0.01);
			}),
		later: () =>
			measured(async () => {
				await passes();
			}),
		computesThenWaits: () =>
			measured(async () => {
				computes(COMPUTED_MS);
				await undefined;
			}),
		waitsThenComputes: () =>
			measured(async () => {
				await undefined;
				computes(COMPUTED_MS);
			}),
		laterFail: async () => {
			await passes();
			throw new Error("it broke");
		},
		stores: async (c) => {
			await passes();
			c.state.n++;
			await c.saveState({ immediate: true });
		},
	},
});

async function start(maxPerSecond: number | null = null) {
	gate = new Gate();
	arrived = 0;
	took.length = 0;
	const traces = maxPerSecond === null ? null : { ...TRACE_LIMITS, store: false, maxPerSecond };
	const clock = new FakeClock();
	const runtime = await TestRuntime.start(
		{ worker },
		{ clock, telemetry: { traces, metrics: true } },
	);
	const telemetry = runtime.embedded.host.telemetry!;
	vi.spyOn(telemetry, "timeOf").mockImplementation(() => time.ms);
	const id = await runtime.actorId("worker");
	const connect = () => {
		const handle = runtime.client().worker!.getForId(id);
		return handle.connect() as unknown as Record<string, () => Promise<unknown>>;
	};
	// The calls of one are run one after the other.
	const connections: ReturnType<typeof connect>[] = [];
	const callOver = (at: number, name: string) => {
		connections[at] ??= connect();
		return connections[at][name]!();
	};
	const call = (name: string) => callOver(0, name);
	return {
		runtime,
		telemetry,
		id,
		get duration() {
			return telemetry.types.get("worker")!.calls.action.duration;
		},
		call,
		callOver,
		times: (name: string, times: number) =>
			Promise.all(Array.from({ length: times }, () => call(name))),
		/** So many calls of that name that as long as a stretch lasts the next ones that wait for nothing but this turn are not timed. */
		busy: async () => {
			const { waits } = telemetry.timedCallsOf("worker");
			while (!waits.begin().isEstimated) {
				await Promise.all(Array.from({ length: AT_A_TIME }, () => call("soon")));
			}
		},
		/** A stretch is over. */
		passes: () => {
			time.ms += 2 * STRETCH_MS;
			clock.advanceSync(2 * STRETCH_MS);
		},
		[Symbol.asyncDispose]: () => runtime[Symbol.asyncDispose](),
	};
}

/** Calls of more than a second. */
function slow({
	bounds,
	counts,
	count,
}: {
	bounds: readonly number[];
	counts: Float64Array;
	count: number;
}) {
	let most = 0;
	for (const [at, bound] of bounds.entries()) if (bound <= 1) most += counts[at]!;
	return count - most;
}

it("says of calls of which one in twenty waits for two seconds how many those are, and how long all took", async () => {
	await using at = await start();
	let late = 0;
	let count = 0;
	for (let burst = 0; burst < 80; burst++) {
		gate = new Gate();
		const lateBefore = late;
		const calls = Array.from({ length: AT_A_TIME }, () => {
			const kind = count++ % 20;
			if (kind === 7) return at.callOver(1 + late++ - lateBefore, "later");
			return at.call(kind % 2 === 0 ? "now" : "soon");
		});
		const waiting = late - lateBefore;
		await eventually(() => expect([arrived, took.length]).toEqual([late, count - waiting]));
		if (burst % 8 === 0) at.passes();
		time.ms += 2_000;
		gate.open();
		await Promise.all(calls);
	}
	expect(late).toBe(count / 20);
	expect(slow(at.duration)).toBe(late);
	expect(at.duration.count).toBe(count);
	const sumMs = took.reduce((sum, ms) => sum + ms, 0);
	expect(at.duration.sum * 1_000).toBeGreaterThan(sumMs * 0.99);
	expect(at.duration.sum * 1_000).toBeLessThan(sumMs * 1.01);
});

it("says of calls that wait for each other within a turn how long they took together", async () => {
	await using at = await start();
	for (let burst = 0; burst < 160; burst++) await at.times("soon", AT_A_TIME);
	const sumMs = took.reduce((sum, ms) => sum + ms, 0);
	expect(at.duration.count).toBe(took.length);
	expect(at.duration.sum * 1_000).toBeGreaterThan(sumMs * 0.7);
	expect(at.duration.sum * 1_000).toBeLessThan(sumMs * 1.4);
});

it("looks at the clock for few of many that wait within a turn", async () => {
	await using at = await start();
	await at.busy();
	const looks = vi.spyOn(at.telemetry, "nowMs");
	const left = vi.spyOn(ActorTelemetry.prototype, "leavesStack");
	await at.times("soon", 2 * AT_A_TIME);
	const waits = left.mock.results.map(({ value }) => value as Wait);
	const untimed = waits.filter((_wait, call) => left.mock.calls[call]![0] === null);
	const turns = new Set(untimed.map(({ turn }) => turn)).size;
	expect(untimed.length).toBeGreaterThan(AT_A_TIME);
	// At most two are samples, which have three.
	expect(looks.mock.calls.length).toBeLessThanOrEqual(turns + 6);
});

it.each([
	["waits for ten seconds", "later", 10, "fulfilled"],
	["fails after ten seconds", "laterFail", 10, "rejected"],
])("one of thousands that %s", async (_what, name, seconds, status) => {
	await using at = await start();
	await at.busy();
	const before = at.duration.sum;
	const calls = Promise.allSettled([at.call(name)]);
	await eventually(() => expect(arrived).toBe(1));
	time.ms += seconds * 1_000;
	gate.open();
	expect(await calls).toMatchObject([{ status }]);
	expect(at.duration.sum - before).toBeGreaterThanOrEqual(seconds);
	expect(at.duration.sum - before).toBeLessThan(seconds + 0.01);
	expect(slow(at.duration)).toBe(1);
});

it.each([
	["first computes", "computesThenWaits"],
	["then computes", "waitsThenComputes"],
])("what waits within a turn, and %s, counts as long as it took", async (_what, name) => {
	await using at = await start();
	for (let call = 0; call < 4 * TIMED_MAX; call++) await at.call(name);
	expect(at.duration.sum * 1_000).toBeCloseTo(took.length * COMPUTED_MS, 6);
});

it("what samples waited is not what others wait after a stretch without one", async () => {
	await using at = await start();
	await at.busy();
	at.passes();
	await at.times("now", TIMED_MAX + 1);
	at.passes();
	const before = { sum: at.duration.sum, count: at.duration.count };
	for (let call = 0; call < 4 * TIMED_MAX; call++) await at.call("waitsThenComputes");
	expect((at.duration.sum - before.sum) * 1_000).toBeCloseTo(4 * TIMED_MAX * COMPUTED_MS, 6);
});

it("what is stored while a call waits that is left out is left out with it, in a second with room, too", async () => {
	await using at = await start(1);
	await at.times("now", TIMED_MAX);
	const commits = async () => (await tracesOf(at.runtime, at.id)).named("actor.commit").length;
	gate.open();
	// What others left out is committed.
	await at.call("stores");
	gate = new Gate();
	const before = await commits();
	const call = at.call("stores");
	await eventually(() => expect(arrived).toBe(2));
	time.ms += 1_500;
	gate.open();
	await call;
	expect((await commits()) - before).toBe(0);
});

it("one that was left out and waits for long is a span alone", async () => {
	await using at = await start(10);
	await at.times("now", 3 * TIMED_MAX);
	const call = at.call("later");
	await eventually(() => expect(arrived).toBe(1));
	time.ms += 1_500;
	gate.open();
	await call;
	const late = (await tracesOf(at.runtime, at.id)).one("actor.action.later");
	expect(late.attributes).toMatchObject({ "rivet.trace.left_out": true });
	expect(BigInt(late.endTimeUnixNano) - BigInt(late.startTimeUnixNano)).toBe(1_500_000_000n);
});

it("samples stand for others only when they ended in the turn they began to wait in, and were not the first of a stretch", async () => {
	const turns = new Turns();
	const told = vi.fn();
	const waits = new Waits({ turns, nowMs: () => 0 }, told);
	for (let sample = 0; sample < KEPT; sample++) {
		waits.ended(waits.beginSample(0, false), 7);
		const late = waits.beginSample(0, true);
		await endOfTurn();
		waits.ended(late, 9);
	}
	expect(waits.begin().isEstimated).toBe(false);
	for (let sample = 0; sample < KEPT; sample++) waits.ended(waits.beginSample(0, true), 3);
	const wait = waits.begin();
	expect(wait.isEstimated).toBe(true);
	expect(waits.begin()).toBe(wait);
	waits.count(1);
	waits.tell();
	expect(told.mock.calls).toEqual([[3, 1]]);
	await endOfTurn();
	expect(wait.isEstimated).toBe(false);
	expect(waits.begin()).not.toBe(wait);
});
