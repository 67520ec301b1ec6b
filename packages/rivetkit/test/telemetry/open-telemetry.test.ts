// Spans go to the application's OpenTelemetry when it has one (W-TRC-4), with a real SDK.
import { context, propagation, SpanStatusCode, trace } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import {
	BasicTracerProvider,
	InMemorySpanExporter,
	type ReadableSpan,
	SimpleSpanProcessor,
} from "@opentelemetry/sdk-trace-base";
import { afterEach, expect, it } from "vitest";
import { activeTraceparent } from "../../src/client/transport/http/active-traceparent.ts";
import { actor } from "../../src/index.ts";
import { eventually } from "../support/eventually.ts";
import { TestRuntime } from "../support/test-runtime.ts";
import { tracesOf } from "./support/spans.ts";

const inner = actor({ actions: { double: (_c, n: number) => n * 2 } });
const outer = actor({
	state: { n: 0 },
	actions: {
		call: async (c, n: number) => {
			c.state.n = n;
			c.log.info("before");
			return trace.getTracer("app").startActiveSpan("own work", async (span) => {
				await Promise.resolve();
				const result = await c.client().inner!.getOrCreate(["i"]).double(n);
				span.end();
				return result;
			});
		},
		atOnce: () => trace.getActiveSpan()?.spanContext().spanId ?? null,
		fail: () => {
			throw new Error("it broke");
		},
	},
});

/** What the API of an application has of it; W3C trace context, as every SDK sets it. */
const W3C = {
	inject(
		active: Parameters<typeof trace.getSpanContext>[0],
		carrier: unknown,
		setter: { set(carrier: unknown, name: string, value: string): void },
	) {
		const span = trace.getSpanContext(active);
		if (!span) return;
		const flags = span.traceFlags.toString(16).padStart(2, "0");
		setter.set(carrier, "traceparent", `00-${span.traceId}-${span.spanId}-${flags}`);
	},
	extract: (active: Parameters<typeof trace.getSpanContext>[0]) => active,
	fields: () => ["traceparent"],
};

const exporter = new InMemorySpanExporter();

function register(): void {
	context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
	propagation.setGlobalPropagator(W3C);
	trace.setGlobalTracerProvider(
		new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }),
	);
}

afterEach(() => {
	trace.disable();
	context.disable();
	propagation.disable();
	exporter.reset();
});

function named(name: string): ReadableSpan {
	const found = exporter.getFinishedSpans().filter((span) => span.name === name);
	expect([name, found.length]).toEqual([name, 1]);
	return found[0]!;
}

/** The host looks when an actor starts, and loads the API then. */
async function exporting(runtime: TestRuntime): Promise<void> {
	await runtime.actorId("inner", "warm");
	await eventually(() => expect(runtime.embedded.host.telemetry!.exporter).not.toBeNull());
}

it("exports one trace with the application's own spans in it, under the ids that the inspector shows", async () => {
	await using runtime = await TestRuntime.start({ inner, outer });
	expect(runtime.embedded.host.telemetry!.exporter).toBeNull();
	register();
	await exporting(runtime);
	const id = await runtime.actorId("outer");
	const client = runtime.client();
	const result = await trace.getTracer("app").startActiveSpan("client", async (span) => {
		const called = await client.outer!.getForId(id).action({ name: "call", args: [4] });
		span.end();
		return called;
	});
	await client.dispose();
	expect(result).toBe(8);
	await eventually(() => named("actor.action.double"));
	const chain = [
		"client",
		"actor.action.call",
		"own work",
		"actor.client.inner.double",
		"actor.action.double",
	].map(named);
	for (const [at, span] of chain.entries()) {
		expect([span.name, span.spanContext().traceId]).toEqual([
			span.name,
			chain[0]!.spanContext().traceId,
		]);
		const above = chain[at - 1]?.spanContext().spanId;
		expect([span.name, span.parentSpanContext?.spanId]).toEqual([span.name, above]);
	}
	const action = chain[1]!;
	expect(action.attributes).toMatchObject({
		"rivet.actor.id": id,
		"rivet.action.name": "call",
		"rivet.conn.type": "http",
	});
	expect(action.events.map(({ name }) => name)).toContain("log");
	expect(action.status.code).toBe(SpanStatusCode.OK);
	const shown = (await tracesOf(runtime, id)).one("actor.action.call");
	expect([shown.traceId, shown.spanId, shown.parentSpanId]).toEqual([
		action.spanContext().traceId,
		action.spanContext().spanId,
		action.parentSpanContext?.spanId,
	]);
	await eventually(() => {
		const commits = exporter.getFinishedSpans().filter(({ name }) => name === "actor.commit");
		const parents = commits.map(({ parentSpanContext }) => parentSpanContext?.spanId);
		expect(parents).toContain(action.spanContext().spanId);
	});
});

it("exports the end of an actor that is destroyed, whose spans nobody can read here any more", async () => {
	register();
	await using runtime = await TestRuntime.start({ inner, doomed: actor({ onDestroy: () => {} }) });
	await exporting(runtime);
	const id = await runtime.actorId("doomed");
	await runtime.embedded.engine.destroy(id);
	await eventually(() => named("actor.onDestroy"));
	const stop = exporter
		.getFinishedSpans()
		.find(({ name, attributes }) => name === "actor.stop" && attributes["rivet.actor.id"] === id);
	expect(named("actor.onDestroy").parentSpanContext?.spanId).toBe(stop?.spanContext().spanId);
});

it("is the active span of handlers, also of those that are done when they return; failures are errors", async () => {
	register();
	await using runtime = await TestRuntime.start({ inner, outer });
	await exporting(runtime);
	const id = await runtime.actorId("outer");
	for (let at = 0; at < 3; at++) {
		exporter.reset();
		const { output } = (await (await runtime.action(id, "atOnce")).json()) as { output: string };
		expect(output).toBe(named("actor.action.atOnce").spanContext().spanId);
	}
	await runtime.action(id, "fail");
	const failed = named("actor.action.fail");
	expect(failed.status).toEqual({ code: SpanStatusCode.ERROR, message: "it broke" });
	expect(failed.attributes["error.type"]).toBe("Error");
	const [seconds] = failed.startTime;
	expect(Math.abs(seconds - Date.now() / 1_000)).toBeLessThan(60);
});

it("goes on alone when the application's tracing ends, and needs none", async () => {
	register();
	await using runtime = await TestRuntime.start({ inner, outer });
	await exporting(runtime);
	trace.disable();
	const id = await runtime.actorId("outer");
	await runtime.action(id, "fail");
	const span = (await tracesOf(runtime, id)).one("actor.action.fail");
	expect(span.traceId).not.toMatch(/^0+$/);
	expect(exporter.getFinishedSpans().map(({ name }) => name)).not.toContain("actor.action.fail");
});

it("a client says where the code is that calls, as the application's OpenTelemetry has it", () => {
	expect(activeTraceparent()).toBeUndefined();
	register();
	expect(activeTraceparent()).toBeUndefined();
	trace.getTracer("app").startActiveSpan("one", (span) => {
		const { traceId, spanId } = span.spanContext();
		expect(activeTraceparent()).toBe(`00-${traceId}-${spanId}-01`);
		span.end();
	});
});
