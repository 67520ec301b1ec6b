// One trace from a client through one actor to another (W-TRC-4, W3C trace context).
import { expect, it } from "vitest";
import { createClient } from "../../src/client/index.ts";
import { actor, queue } from "../../src/index.ts";
import { formatTraceparent, parseTraceparent } from "../../src/runtime/telemetry/trace-context.ts";
import { eventually } from "../support/eventually.ts";
import { TestRuntime } from "../support/test-runtime.ts";
import { tracesOf } from "./support/spans.ts";

const TRACE = "0af7651916cd43dd8448eb211c80319c";
const PARENT = "b7ad6b7169203331";
const TRACEPARENT = `00-${TRACE}-${PARENT}-01`;

const second = actor({
	queues: { jobs: queue<number>() },
	onRequest: () => new Response("ok"),
	run: async (c) => {
		for await (const message of c.queue.iter()) void message;
	},
	actions: { double: (_c, n: number) => n * 2 },
});
const first = actor({
	onRequest: async (c) => {
		const other = c.client().second!.getOrCreate(["s"]);
		return new Response(String(await other.double(3)));
	},
	actions: {
		waits: async (c, n: number) => {
			const other = c.client().second!.getOrCreate(["s"]);
			await Promise.resolve();
			return other.double(n);
		},
		passes: (c, n: number) => c.client().second!.getOrCreate(["s"]).double(n),
		sends: async (c) => {
			const other = c.client().second!.getOrCreate(["s"]);
			await other.send("jobs", 1);
			const response = await other.fetch("/there");
			await response.text();
		},
		atOnce: (_c, n: number) => n,
	},
});
const use = { first, second };

async function ids(runtime: TestRuntime): Promise<[first: string, second: string]> {
	return [await runtime.actorId("first", "f"), await runtime.actorId("second", "s")];
}

it("over HTTP: the client's traceparent, an action, and the actor that it calls", async () => {
	await using runtime = await TestRuntime.start(use);
	const [f, s] = await ids(runtime);
	const client = createClient({ endpoint: runtime.url, traceparent: () => TRACEPARENT });
	for (const name of ["waits", "passes"]) {
		expect(await client.first!.getOrCreate(["f"]).action({ name, args: [2] })).toBe(4);
		const outer = (await tracesOf(runtime, f)).one(`actor.action.${name}`);
		expect([outer.traceId, outer.parentSpanId]).toEqual([TRACE, PARENT]);
		const call = (await tracesOf(runtime, f))
			.named("actor.client.second.double")
			.find(({ parentSpanId }) => parentSpanId === outer.spanId);
		expect([name, call?.traceId, call?.kind]).toEqual([name, TRACE, 3]);
		const inner = (await tracesOf(runtime, s))
			.named("actor.action.double")
			.find(({ parentSpanId }) => parentSpanId === call!.spanId);
		expect([name, inner?.traceId]).toEqual([name, TRACE]);
	}
	await client.dispose();
});

it("over a WebSocket: what the socket was opened with", async () => {
	await using runtime = await TestRuntime.start(use);
	const [f, s] = await ids(runtime);
	const client = createClient({ endpoint: runtime.url, traceparent: () => TRACEPARENT });
	const connection = client.first!.getOrCreate(["f"]).connect();
	expect(await connection.action({ name: "waits", args: [5] })).toBe(10);
	await connection.dispose();
	await client.dispose();
	const outer = (await tracesOf(runtime, f)).one("actor.action.waits");
	expect([outer.traceId, outer.parentSpanId]).toEqual([TRACE, PARENT]);
	expect(outer.attributes["rivet.conn.type"]).toBe("websocket");
	expect((await tracesOf(runtime, s)).one("actor.action.double").traceId).toBe(TRACE);
});

it("through raw requests, queue messages and connections between actors", async () => {
	await using runtime = await TestRuntime.start(use);
	const [f, s] = await ids(runtime);
	const headers = { traceparent: TRACEPARENT };
	const raw = await fetch(`${runtime.url}/gateway/${f}/request/`, { headers });
	expect(await raw.text()).toBe("6");
	expect((await tracesOf(runtime, f)).one("actor.onRequest").parentSpanId).toBe(PARENT);
	expect((await tracesOf(runtime, s)).one("actor.action.double").traceId).toBe(TRACE);
	await fetch(`${runtime.url}/gateway/${f}/action/sends`, {
		method: "POST",
		body: JSON.stringify({ args: [] }),
		headers,
	});
	await eventually(async () => {
		const traces = await tracesOf(runtime, s);
		const send = traces.one("actor.queue.send");
		const message = traces.one("actor.queue.message");
		expect([send.traceId, message.traceId, message.parentSpanId]).toEqual([
			TRACE,
			TRACE,
			send.spanId,
		]);
	});
	expect((await tracesOf(runtime, s)).one("actor.onRequest").traceId).toBe(TRACE);
});

it("a handler that is done when it returns stays in its own span, and one call knows nothing of another", async () => {
	await using runtime = await TestRuntime.start(use);
	const [f] = await ids(runtime);
	for (let n = 0; n < 3; n++) await runtime.action(f, "atOnce", n);
	await Promise.all([runtime.action(f, "waits", 1), runtime.action(f, "waits", 2)]);
	const traces = await tracesOf(runtime, f);
	const calls = [...traces.named("actor.action.atOnce"), ...traces.named("actor.action.waits")];
	expect(new Set(calls.map(({ traceId }) => traceId)).size).toBe(5);
	const parents = traces.named("actor.client.second.double").map((span) => span.parentSpanId);
	expect(new Set(parents)).toEqual(
		new Set(traces.named("actor.action.waits").map(({ spanId }) => spanId)),
	);
});

it("reads traceparent as the standard has it", () => {
	expect(parseTraceparent(TRACEPARENT)).toEqual({ traceId: TRACE, spanId: PARENT, flags: 1 });
	expect(formatTraceparent(parseTraceparent(TRACEPARENT)!)).toBe(TRACEPARENT);
	expect(parseTraceparent(`cc-${TRACE}-${PARENT}-00-more`)?.traceId).toBe(TRACE);
	expect(parseTraceparent(`${TRACEPARENT}, 00-${TRACE}-1111111111111111-00`)?.flags).toBe(0);
	for (const wrong of [
		undefined,
		null,
		"",
		"nonsense",
		`ff-${TRACE}-${PARENT}-01`,
		`00-${TRACE}-${PARENT}-01-more`,
		`00-${"0".repeat(32)}-${PARENT}-01`,
		`00-${TRACE}-${"0".repeat(16)}-01`,
		TRACEPARENT.toUpperCase(),
	]) {
		expect([wrong, parseTraceparent(wrong)]).toEqual([wrong, null]);
	}
});
