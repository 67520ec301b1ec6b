// Queue messages that the budget of traces has no room for (ours; docs/traces.md).
import { setImmediate as endOfTurn } from "node:timers/promises";
import { systemRandom } from "@rivetkit/protocol";
import { afterEach, expect, it, vi } from "vitest";
import { actor, queue } from "../../src/index.ts";
import { ClientSend } from "../../src/runtime/queue/client-send.ts";
import { ActorTelemetry } from "../../src/runtime/telemetry/actor-telemetry.ts";
import { HostTelemetry, TRACE_LIMITS } from "../../src/runtime/telemetry/host-telemetry.ts";
import { SPAN_KINDS } from "../../src/runtime/telemetry/span-kinds.ts";
import { TimerWheel } from "../../src/runtime/timers/timer-wheel.ts";
import { eventually } from "../support/eventually.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { TestRuntime } from "../support/test-runtime.ts";
import { tracesOf } from "./support/spans.ts";

afterEach(() => void vi.restoreAllMocks());

const MESSAGES = 50;
/** What the time of spans is: it stands still but for what a test does to it. */
const time = { ms: Date.now() };
const worker = actor({
	state: { n: 0 },
	queues: { jobs: queue<number>() },
	options: { noSleep: true },
	run: async (c) => {
		for await (const { body } of c.queue.iter({ names: ["jobs"] })) c.state.n += body;
	},
	actions: {
		send: async (c) => {
			await Promise.all(Array.from({ length: MESSAGES }, () => c.queue.send("jobs", 1)));
		},
	},
});

async function start() {
	const telemetry = { traces: { ...TRACE_LIMITS, store: false, maxPerSecond: 1 }, metrics: true };
	const runtime = await TestRuntime.start({ worker }, { telemetry });
	const host = runtime.embedded.host.telemetry!;
	vi.spyOn(host, "timeOf").mockImplementation(() => time.ms);
	const id = await runtime.actorId("worker");
	const { deliveries, calls } = host.metricsOf("worker");
	return {
		runtime,
		host,
		id,
		deliveries,
		sends: calls["queue-send"],
		post: (queueName: string) =>
			fetch(`${runtime.url}/gateway/${id}/queue/${queueName}`, {
				method: "POST",
				body: JSON.stringify({ body: 1 }),
			}),
		[Symbol.asyncDispose]: () => runtime[Symbol.asyncDispose](),
	};
}

it("in a turn in which it has refused something they look at no clock, and are counted", async () => {
	await using at = await start();
	// Of the first ones the span of the `run` tells, if it has one.
	for (let round = 1; round <= 2; round++) await at.runtime.action(at.id, "send");
	await eventually(() => expect(at.deliveries.completed).toBe(2 * MESSAGES));
	const before = at.host.leftOut;
	const looks = vi.spyOn(at.host, "nowMs");
	await at.runtime.action(at.id, "send");
	await eventually(() => expect(at.deliveries.completed).toBe(3 * MESSAGES));
	expect(at.host.leftOut - before).toBeGreaterThan(MESSAGES);
	expect(looks.mock.calls.length).toBeLessThan(MESSAGES / 2);
});

it("in a later second the first one has its trace, whoever looked at the clock last", async () => {
	await using at = await start();
	await at.runtime.action(at.id, "send");
	await eventually(() => expect(at.deliveries.completed).toBe(MESSAGES));
	time.ms += 1_000;
	expect((await at.post("jobs")).status).toBe(200);
	await eventually(() => expect(at.deliveries.completed).toBe(MESSAGES + 1));
	const traces = await tracesOf(at.runtime, at.id);
	const send = traces.one("actor.queue.send");
	expect(traces.one("actor.queue.message").parentSpanId).toBe(send.spanId);
});

it("in a new turn the first one looks at the clock: when there is room again it has its trace, though nobody else has looked", async () => {
	const clock = new FakeClock();
	const traces = { ...TRACE_LIMITS, store: false, maxPerSecond: 1 };
	const host = new HostTelemetry({ traces, metrics: true }, { clock, random: systemRandom() });
	vi.spyOn(host, "timeOf").mockImplementation(() => time.ms);
	const telemetry = new ActorTelemetry(
		host,
		{ actorId: "1", name: "worker", key: [], region: "" },
		{ generation: 1, timers: new TimerWheel(clock, { resolutionMs: 1 }), commitSpans: () => {} },
	);
	const looks = vi.spyOn(host, "nowMs");
	const message = () => telemetry.beginSpan(SPAN_KINDS.message, "jobs", null);
	expect(message()).not.toBe(null);
	expect(message()).toBe(null);
	expect(looks).toHaveBeenCalledTimes(2);
	time.ms += 1_000;
	expect(message()).toBe(null);
	expect(looks).toHaveBeenCalledTimes(2);
	await endOfTurn();
	expect(message()).not.toBe(null);
	expect(looks).toHaveBeenCalledTimes(3);
});

it("a send counts once, however it ends, and one that fails is a span alone", async () => {
	await using at = await start();
	const { sends } = at;
	expect((await at.post("jobs")).status).toBe(200);
	expect([sends.succeeded, sends.failed, sends.duration.count]).toEqual([1, 0, 1]);
	const broken = new Error("it broke");
	vi.spyOn(ClientSend.prototype, "run").mockRejectedValueOnce(broken);
	expect((await at.post("jobs")).status).toBe(500);
	expect([sends.succeeded, sends.failed, sends.duration.count]).toEqual([1, 1, 2]);
	const failed = (await tracesOf(at.runtime, at.id)).one("actor.queue.send");
	expect(failed.status).toEqual({ code: 2, message: "it broke" });
	expect(failed.attributes).toMatchObject({ "rivet.trace.left_out": true });
});
