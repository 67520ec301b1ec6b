// With everything turned off, calls allocate nothing for traces and metrics (issue: nothing when off).
import { type HeapProfiler, Session } from "node:inspector/promises";
import { expect, it } from "vitest";
import { actor, event } from "../../src/index.ts";
import { type TelemetryConfig, TRACE_LIMITS } from "../../src/runtime/telemetry/host-telemetry.ts";
import { TestRuntime } from "../support/test-runtime.ts";

const counter = actor({
	state: { n: 0 },
	events: { news: event<number>() },
	options: { noSleep: true },
	onStateChange: () => {},
	onBeforeActionResponse: (_c, _name, _args, output) => output,
	actions: {
		add: (c) => {
			c.state.n += 1;
			c.broadcast("news", c.state.n);
			return c.state.n;
		},
	},
});

/** The runtime of JavaScript makes its own notes about a function when that has run for some time. */
const WARM_UP_CALLS = 100;
const CALLS = 60;

/** It may do so at any time, once: what is of each call is in every one of these stretches. */
const STRETCHES = 4;

/** Bytes that code of the telemetry allocates for a call, in the mean of the stretch with the least. */
async function allocated(telemetry: TelemetryConfig): Promise<number> {
	await using runtime = await TestRuntime.start({ counter }, { telemetry });
	const id = await runtime.actorId("counter");
	const call = async (times: number) => {
		for (let at = 0; at < times; at++) await runtime.action(id, "add");
	};
	await call(WARM_UP_CALLS);
	const session = new Session();
	session.connect();
	try {
		const means: number[] = [];
		for (let stretch = 0; stretch < STRETCHES; stretch++) {
			await session.post("HeapProfiler.startSampling", {
				samplingInterval: 128,
				includeObjectsCollectedByMajorGC: true,
				includeObjectsCollectedByMinorGC: true,
			} as HeapProfiler.StartSamplingParameterType);
			await call(CALLS);
			const { profile } = await session.post("HeapProfiler.stopSampling");
			means.push(bytesOf(profile.head) / CALLS);
		}
		return Math.min(...means);
	} finally {
		session.disconnect();
	}
}

function bytesOf({ callFrame, selfSize, children }: HeapProfiler.SamplingHeapProfileNode): number {
	const own = callFrame.url.includes("/runtime/telemetry/") ? selfSize : 0;
	return children.reduce((sum, child) => sum + bytesOf(child), own);
}

it("allocates nothing for calls, their hooks, events and commits", async () => {
	// Nothing that could be allocated has less than 8.
	expect(await allocated({ traces: null, metrics: false })).toBeLessThan(8);
});

it("would be seen if it did", async () => {
	expect(await allocated({ traces: null, metrics: true })).toBeGreaterThan(50);
	expect(await allocated({ traces: TRACE_LIMITS, metrics: false })).toBeGreaterThan(100);
});
