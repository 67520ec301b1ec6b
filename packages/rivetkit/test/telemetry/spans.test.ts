// Spans, attributes and events of what an actor does (contract: lifecycle 19, check L57).
import { expect, it } from "vitest";
import { db } from "../../src/db/index.ts";
import { actor, event, queue } from "../../src/index.ts";
import { decodeCbor, decodeTraceRange } from "../../src/inspector/client.ts";
import { TRACE_LIMITS } from "../../src/runtime/telemetry/host-telemetry.ts";
import { inspect } from "../inspector/support/inspect.ts";
import { InspectorSocket } from "../inspector/support/inspector-socket.ts";
import { eventually } from "../support/eventually.ts";
import { TestRuntime } from "../support/test-runtime.ts";
import { WireSocket } from "../support/wire-socket.ts";
import { type TestSpan, tracesOf } from "./support/spans.ts";

const subject = actor({
	createState: () => ({ n: 0 }),
	createVars: () => ({}),
	createConnState: () => ({}),
	events: { news: event<string>() },
	queues: { jobs: queue<string>() },
	db: db({ onMigrate: (d) => void d.execute("CREATE TABLE IF NOT EXISTS t (a)") }),
	onCreate: () => {},
	onWake: () => {},
	onSleep: () => {},
	onStateChange: () => {},
	onBeforeConnect: () => {},
	onConnect: () => {},
	onDisconnect: () => {},
	onBeforeActionResponse: (_c, _name, _args, output) => output,
	onRequest: (c) => {
		c.state.n += 1;
		return new Response("yes", { status: 201 });
	},
	onWebSocket: (_c, socket) => {
		socket.addEventListener("message", () => socket.close());
	},
	run: async (c) => {
		for await (const message of c.queue.iter({ completable: true })) {
			if (message.body === "stop") return;
			await message.complete();
		}
	},
	actions: {
		act: async (c, n: number) => {
			c.state.n = n;
			c.log.info({ n }, "acting on %s", "this");
			c.broadcast("news", "done");
			await c.db.execute("INSERT INTO t VALUES (?)", n);
			await c.schedule.after(60_000, "later");
			await c.queue.send("jobs", "a job");
			return n;
		},
		fail: () => {
			throw new Error("it broke");
		},
		many: async (c) => {
			for (let at = 0; at < 100; at++) await c.db.execute("INSERT INTO t VALUES (1)");
		},
		soon: async (c) => {
			await c.schedule.after(1, "later");
		},
		later: () => {},
		whisper: (c) => c.conn?.send("news", "psst"),
		chat: (c) => {
			for (let at = 0; at < 100; at++) c.broadcast("news", String(at));
		},
	},
});

it("tells of calls, hooks, commits, statements, messages and lives, each below what did it", async () => {
	await using runtime = await TestRuntime.start({ subject });
	const id = await runtime.actorId("subject", "a/b");
	expect((await runtime.action(id, "act", 7)).status).toBe(200);
	await eventually(async () => {
		expect((await tracesOf(runtime, id)).one("actor.queue.message").status).toEqual({ code: 1 });
	});
	const traces = await tracesOf(runtime, id);

	const responseHook = traces.one("actor.onBeforeActionResponse");
	expect(responseHook.parentSpanId).toBe(traces.one("actor.action.act").spanId);
	const start = traces.one("actor.start");
	expect(start.parentSpanId).toBeUndefined();
	for (const hook of ["createState", "onCreate", "createVars", "onWake"]) {
		const span = traces.one(`actor.${hook}`);
		expect([hook, span.traceId, span.parentSpanId]).toEqual([hook, start.traceId, start.spanId]);
	}
	const action = traces.one("actor.action.act");
	expect(action.kind).toBe(2);
	expect(action.status).toEqual({ code: 1 });
	expect(action.attributes).toMatchObject({
		"rivet.actor.id": id,
		"rivet.actor.name": "subject",
		"rivet.actor.key": "a/b",
		"rivet.actor.region": "default",
		"rivet.action.name": "act",
		"rivet.conn.type": "http",
		"rivet.conn.hibernatable": false,
	});
	expect(action.events).toEqual(
		expect.arrayContaining([
			{ name: "log", attributes: { "log.level": "info", "log.message": "acting on this" } },
			{
				name: "message.broadcast",
				attributes: { "rivet.event.name": "news", "rivet.broadcast.subscribers": 0 },
			},
			{
				name: "schedule.created",
				attributes: expect.objectContaining({ "rivet.action.name": "later" }),
			},
		]),
	);
	const [migration, statement] = traces.named("actor.db.execute") as [TestSpan, TestSpan];
	expect(migration.parentSpanId).toBe(start.spanId);
	expect(statement.parentSpanId).toBe(action.spanId);
	expect(statement.attributes["db.query.text"]).toBe("INSERT INTO t VALUES (?)");
	const message = traces.one("actor.queue.message");
	expect([message.traceId, message.parentSpanId]).toEqual([action.traceId, action.spanId]);
	expect(message.attributes).toMatchObject({
		"rivet.queue.name": "jobs",
		"rivet.queue.message_id": "1",
		"rivet.queue.attempt": 1,
		"rivet.queue.latency_ms": expect.any(Number),
	});
	const run = traces.one("actor.run");
	expect([run.endTimeUnixNano, run.status]).toEqual(["0", { code: 0 }]);
	expect(run.events).toEqual([expect.objectContaining({ name: "queue.message.receive" })]);
	const commits = traces.named("actor.commit");
	const own = commits.find(({ parentSpanId }) => parentSpanId === action.spanId);
	expect(own?.attributes["rivet.commit.bytes"]).toBeGreaterThan(0);
	for (const hook of ["onBeforeConnect", "createConnState", "onConnect", "onDisconnect"]) {
		expect([hook, traces.named(`actor.${hook}`).length]).toEqual([hook, 1]);
	}
	expect(traces.one("actor.onStateChange")).toMatchObject({
		parentSpanId: action.spanId,
		attributes: { "rivet.state.path": "state.n" },
	});
	for (const { startTimeUnixNano, endTimeUnixNano, traceId, spanId } of traces.spans) {
		expect(traceId).toMatch(/^[0-9a-f]{32}$/);
		expect(spanId).toMatch(/^[0-9a-f]{16}$/);
		const tookNs = BigInt(endTimeUnixNano) - BigInt(startTimeUnixNano);
		if (endTimeUnixNano !== "0") expect(tookNs).toBeGreaterThanOrEqual(0n);
		expect(Math.abs(Number(startTimeUnixNano) / 1e6 - Date.now())).toBeLessThan(60_000);
	}
});

it("tells what failed, of raw requests and sockets, and of schedules", async () => {
	await using runtime = await TestRuntime.start({ subject });
	const id = await runtime.actorId("subject");
	expect((await runtime.action(id, "fail")).status).toBe(500);
	expect((await runtime.action(id, "none")).status).toBe(400);
	await using wire = await WireSocket.connect(`${runtime.url}/gateway/${id}/connect`);
	wire.act(1, "whisper");
	expect((await fetch(`${runtime.url}/gateway/${id}/request/a/b?secret=1`)).status).toBe(201);
	const socket = new WebSocket(`${runtime.url.replace("http", "ws")}/gateway/${id}/websocket`);
	await new Promise((resolve) => socket.addEventListener("open", resolve));
	socket.send("bye");
	await new Promise((resolve) => socket.addEventListener("close", resolve));
	await runtime.action(id, "soon");
	await eventually(async () => {
		const done = await tracesOf(runtime, id);
		for (const name of ["later", "whisper"]) {
			expect(done.one(`actor.action.${name}`).status).toEqual({ code: 1 });
		}
	});
	const traces = await tracesOf(runtime, id);
	expect(traces.one("actor.action.fail")).toMatchObject({
		status: { code: 2, message: "it broke" },
		attributes: { "error.type": "Error", "error.message": "it broke" },
	});
	expect(traces.one("actor.action.none").attributes["error.type"]).toBe("action.not_found");
	expect(traces.one("actor.action.whisper").events).toEqual([
		{
			name: "message.send",
			attributes: { "rivet.event.name": "news", "rivet.conn.id": expect.any(String) },
		},
	]);
	expect(traces.one("actor.onRequest").attributes).toMatchObject({
		// The contract's names, and those of OpenTelemetry.
		"http.method": "GET",
		"http.url": "/a/b",
		"http.request.method": "GET",
		"url.path": "/a/b",
		"http.response.status_code": 201,
	});
	expect(traces.one("actor.onWebSocket").status).toEqual({ code: 1 });
	const scheduled = traces.one("actor.action.later");
	expect(scheduled.parentSpanId).toBeUndefined();
	expect(scheduled.attributes).toMatchObject({
		"rivet.action.scheduled": true,
		"rivet.schedule.event_id": expect.any(String),
		"rivet.schedule.timestamp_ms": expect.any(Number),
	});
	expect(scheduled.events).toEqual([expect.objectContaining({ name: "schedule.triggered" })]);
});

it("keeps the spans of an actor that sleeps, and forgets those of one that is destroyed", async () => {
	await using runtime = await TestRuntime.start({ subject });
	const id = await runtime.actorId("subject");
	await runtime.action(id, "act", 1);
	await runtime.embedded.host.stop(id, "sleep");
	const asleep = await tracesOf(runtime, id);
	expect(runtime.embedded.host.liveActorIds).toEqual([]);
	expect(asleep.one("actor.action.act").status).toEqual({ code: 1 });
	const stop = asleep.one("actor.stop");
	expect(asleep.one("actor.onSleep").parentSpanId).toBe(stop.spanId);
	await runtime.action(id, "act", 2);
	expect((await tracesOf(runtime, id)).named("actor.action.act")).toHaveLength(2);
	const { host } = runtime.embedded;
	expect(host.telemetry!.trails.size).toBe(1);
	await runtime.embedded.engine.destroy(id);
	await eventually(() => expect(host.telemetry!.trails.size).toBe(0));
});

it("of one actor keeps the last spans; asks answer those of a time, the latest ones first to stay", async () => {
	await using runtime = await TestRuntime.start(
		{ subject },
		{ telemetry: { traces: { ...TRACE_LIMITS, maxSpans: 20, store: false }, metrics: false } },
	);
	const id = await runtime.actorId("subject");
	for (let n = 0; n < 30; n++) await runtime.action(id, "act", n);
	const all = await tracesOf(runtime, id);
	expect(all.spans).toHaveLength(20);
	expect(all.clamped).toBe(false);
	const two = await tracesOf(runtime, id, "?limit=2");
	expect(two.clamped).toBe(true);
	expect(two.spans.map(({ spanId }) => spanId)).toEqual(
		all.spans.slice(-2).map(({ spanId }) => spanId),
	);
	expect((await tracesOf(runtime, id, "?endMs=1000")).spans).toEqual([]);
	expect((await tracesOf(runtime, id, `?startMs=${Date.now() + 10_000}`)).spans).toEqual([]);
	expect((await tracesOf(runtime, id, "?limit=0")).clamped).toBe(true);
	const bad = await fetch(`${runtime.url}/gateway/${id}/inspector/traces?limit=x`);
	expect(bad.status).toBe(400);
});

it("the inspector's WebSocket answers the same spans as records", async () => {
	await using runtime = await TestRuntime.start({ subject }, { token: "engine" });
	const id = await runtime.actorId("subject");
	await runtime.action(id, "fail");
	const { socket } = await InspectorSocket.open(runtime, id);
	await using _socket = socket;
	const val = { id: 1, startMs: 0, endMs: Date.now() + 1_000, limit: 1_000 };
	const { payload } = await socket.ask({ tag: "TraceQueryRequest", val }, "TraceQueryResponse");
	const { chunks, clamped } = decodeTraceRange(payload);
	expect([chunks.length, clamped]).toEqual([1, false]);
	const { strings, records, activeSpans, baseUnixNs } = chunks[0]!;
	const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");
	const { spans, one } = await tracesOf(runtime, id);
	const starts = records.flatMap(({ body }) => (body.tag === "Start" ? [body.val] : []));
	expect(starts.map(({ spanId, name }) => [hex(spanId), strings[name]])).toEqual(
		spans.map(({ spanId, name }) => [spanId, name]),
	);
	const failed = one("actor.action.fail");
	const start = starts.find(({ spanId }) => hex(spanId) === failed.spanId)!;
	expect(hex(start.traceId)).toBe(failed.traceId);
	const attributes = start.attributes.map(({ key, value }) => [strings[key], decodeCbor(value)]);
	expect(Object.fromEntries(attributes)).toEqual(failed.attributes);
	const end = records.find(
		({ body }) => body.tag === "End" && hex(body.val.spanId) === failed.spanId,
	)!;
	expect(end.body.val).toMatchObject({ status: { code: "Error", message: "it broke" } });
	expect(BigInt(baseUnixNs) + BigInt(end.timeOffsetNs)).toBe(BigInt(failed.endTimeUnixNano));
	expect(activeSpans.map(({ spanId }) => hex(spanId))).toEqual([one("actor.run").spanId]);
});

it("bounds the statements, events and texts of one span", async () => {
	await using runtime = await TestRuntime.start({ subject });
	const id = await runtime.actorId("subject");
	await runtime.action(id, "many");
	await runtime.action(id, "chat");
	const traces = await tracesOf(runtime, id);
	const many = traces.one("actor.action.many");
	const below = ({ parentSpanId }: TestSpan) => parentSpanId === many.spanId;
	expect(traces.named("actor.db.execute").filter(below)).toHaveLength(64);
	expect(many.attributes["rivet.db.statements"]).toBe(100);
	const chat = traces.one("actor.action.chat");
	expect(chat.events).toHaveLength(64);
	expect(chat.droppedEventsCount).toBe(36);
});

it("records nothing when it is off", async () => {
	await using runtime = await TestRuntime.start(
		{ subject },
		{ telemetry: { traces: null, metrics: true } },
	);
	const id = await runtime.actorId("subject");
	await runtime.action(id, "act", 1);
	const response = await fetch(`${runtime.url}/gateway/${id}/inspector/traces`);
	expect(await response.json()).toStrictEqual({
		otlp: { resourceSpans: [{ scopeSpans: [{ spans: [] }] }] },
		clamped: false,
	});
});

it("a call whose output cannot be sent has failed, whoever has called", async () => {
	const subject = actor({
		actions: {
			unsendable: () => ({ method: () => 1 }),
			huge: () => "x".repeat(2_000),
			fine: () => 1,
			stream: async function* () {
				yield 1;
				return { method: () => 1 };
			},
		},
	});
	await using runtime = await TestRuntime.start({ subject }, { maxOutgoingMessageSize: 1_000 });
	const id = await runtime.actorId("subject");
	const connection = runtime.client().subject!.getForId(id).connect();
	const call = async (name: string) => {
		expect((await runtime.action(id, name)).status).not.toBe(200);
		await expect(connection.action({ name, args: [] })).rejects.toThrow();
	};
	await call("unsendable");
	await call("huge");
	const path = "action/unsendable";
	const inspected = await inspect(runtime, id, path, { method: "POST", body: {} });
	expect([inspected.status, inspected.body.code]).toEqual([500, "internal_error"]);
	const streamed = await fetch(`${runtime.url}/gateway/${id}/action/stream`, {
		method: "POST",
		headers: { "x-rivet-stream": "1" },
		body: JSON.stringify({ args: [] }),
	});
	expect(await streamed.text()).toContain("internal_error");
	expect((await runtime.action(id, "fine")).status).toBe(200);
	await connection.dispose();
	await eventually(async () => {
		const traces = await tracesOf(runtime, id);
		const codes = (name: string) =>
			traces.named(`actor.action.${name}`).map((span) => span.status?.code);
		expect(codes("unsendable")).toEqual([2, 2, 2]);
		expect(codes("huge")).toEqual([2, 2]);
		expect(codes("stream")).toEqual([2]);
		expect(codes("fine")).toEqual([1]);
	});
});
