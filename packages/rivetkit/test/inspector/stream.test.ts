// `GET /inspector/stream`: server-sent events that follow an actor through its sleeps (ours; docs/inspector.md).
import type { ActorRequest, InspectionTarget } from "@rivetkit/protocol";
import { expect, it } from "vitest";
import { actor, event, queue } from "../../src/index.ts";
import type { Logger } from "../../src/log/logger.ts";
import type { Watcher } from "../../src/runtime/inspector/socket/actor-watch.ts";
import type { Snapshot } from "../../src/runtime/inspector/socket/snapshot.ts";
import { EventStream } from "../../src/runtime/inspector/stream/event-stream.ts";
import { InspectorStreams } from "../../src/runtime/inspector/stream/inspector-streams.ts";
import type { ActorView } from "../../src/runtime/inspector/view/actor-view.ts";
import type { TracedActor } from "../../src/runtime/telemetry/actor-telemetry.ts";
import type { TimerWheel } from "../../src/runtime/timers/timer-wheel.ts";
import { eventually } from "../support/eventually.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { Gate, soon } from "../support/gate.ts";
import { WrappedStore } from "../support/store-wrapper.ts";
import { TestRuntime } from "../support/test-runtime.ts";
import { inspect } from "./support/inspect.ts";
import { tokenOf } from "./support/inspector-socket.ts";
import { InspectorStream } from "./support/stream.ts";

const subject = actor({
	state: { n: 0n },
	events: { news: event<string>() },
	queues: { jobs: queue<number>() },
	options: { sleepTimeout: 60_000 },
	actions: {
		add: (c, by: number) => {
			c.state.n += BigInt(by);
			c.log.debug({ by }, "adding");
			c.log.error("added");
			c.broadcast("news", `now ${c.state.n}`);
			return 1;
		},
		/** As deep as arguments may be. */
		deep: (c) => {
			let value: unknown = "deep";
			for (let level = 1; level < 1_024; level++) value = [value];
			c.broadcast("news", value as string);
		},
		send: (c) => c.queue.send("jobs", 1),
		keep: (c) => c.kv.put("key", "value"),
		at: (c) => c.schedule.after(60_000, "add", 1),
	},
});

it("tells at first what is, then what changes, whatever becomes of the actor", async () => {
	await using runtime = await TestRuntime.start({ subject });
	const id = await runtime.actorId("subject");
	await using stream = await InspectorStream.open(runtime, id);
	expect(stream.status).toBe(200);
	expect(stream.headers.get("content-type")).toBe("text/event-stream");
	expect(stream.headers.get("cache-control")).toBe("no-store");
	const open = await stream.next();
	expect(open).toMatchObject({ event: "open", data: { topics: expect.arrayContaining(["logs"]) } });
	expect((await stream.until("state")).data).toEqual({ state: { n: "0" }, isStateEnabled: true });
	expect((await stream.until("connections")).data).toEqual({ connections: [] });
	expect((await stream.until("queue")).data).toEqual({ size: 0, maxSize: 1000 });
	expect((await stream.until("schedules")).data).toEqual({ schedules: [] });
	expect((await stream.until("lifecycle")).data).toMatchObject({ actorId: id, status: "awake" });
	expect((await stream.until("workflow-history")).data).toEqual({
		history: null,
		isWorkflowEnabled: false,
	});

	await runtime.action(id, "add", 2);
	const line = await stream.until("logs", ({ message }) => message === "adding");
	expect(line.data).toMatchObject({
		level: "debug",
		fields: { by: 2 },
		traceId: expect.any(String),
	});
	expect(Number(line.id)).toBe(line.data.id);
	expect((await stream.until("events")).data).toMatchObject({
		name: "news",
		args: ["now 2"],
		subscribers: 0,
	});
	const span = (await stream.until("traces", ({ name }) => name === "actor.action.add")).data;
	expect([span.traceId, span.spanId]).toEqual([line.data.traceId, line.data.spanId]);
	expect((await stream.until("state")).data.state).toEqual({ n: "2" });
	await runtime.action(id, "send");
	expect((await stream.until("queue")).data.size).toBe(1);
	await runtime.action(id, "at");
	expect((await stream.until("schedules")).data.schedules).toHaveLength(1);

	await runtime.embedded.host.stop(id, "sleep");
	await stream.until("lifecycle", ({ status }) => status === "sleeping");
	expect(runtime.embedded.host.liveActorIds).toEqual([]);
	await runtime.action(id, "add", 3);
	await stream.until("state", ({ state }) => state.n === "5");
	await runtime.embedded.engine.destroy(id);
	expect((await stream.until("end")).data).toMatchObject({ group: "actor", code: "not_found" });
	expect(await stream.next()).toBeNull();
});

it("sends values as they are to who asks for CBOR", async () => {
	await using runtime = await TestRuntime.start({ subject });
	const id = await runtime.actorId("subject");
	const asked = "?topics=state,events,workflow-history&values=cbor";
	await using stream = await InspectorStream.open(runtime, id, asked);
	expect((await stream.next())?.data).toEqual({ topics: ["state", "events", "workflow-history"] });
	expect((await stream.until("state")).data).toEqual({ state: { n: 0n }, isStateEnabled: true });
	await runtime.action(id, "add", 2);
	expect((await stream.until("events")).data.args).toEqual(["now 2"]);
	expect((await stream.until("state")).data.state).toEqual({ n: 2n });
	const refused = await inspect(runtime, id, "stream?values=xml");
	expect([refused.status, refused.body.code]).toEqual([400, "invalid"]);
});

it.each(["true", "cbor"])(
	"fails no work with what lies as deep as it may, with values=%s, and tells what is missing",
	async (values) => {
		await using runtime = await TestRuntime.start({ subject });
		const id = await runtime.actorId("subject");
		await using stream = await InspectorStream.open(runtime, id, `?topics=events&values=${values}`);
		await stream.next();
		expect((await runtime.action(id, "deep")).status).toBe(200);
		const told = (await stream.next())!;
		if (values === "true") expect(told).toMatchObject({ event: "events", data: { name: "news" } });
		else expect(told.data).toEqual({ topic: "events", count: 1 });
		await runtime.action(id, "add", 2);
		expect((await stream.next())?.data.args).toEqual(["now 2"]);
	},
);

it("sends only the topics that were asked for, and what was missed to who comes again", async () => {
	await using runtime = await TestRuntime.start({ subject });
	const id = await runtime.actorId("subject");
	let last: string | null = null;
	{
		await using stream = await InspectorStream.open(runtime, id, "?topics=logs,events");
		expect((await stream.next())?.data).toEqual({ topics: ["logs", "events"] });
		await runtime.action(id, "add", 1);
		const names = [await stream.next(), await stream.next(), await stream.next()];
		expect(names.map((message) => message?.event)).toEqual(["logs", "logs", "events"]);
		last = names[2]!.id;
	}
	// Read once more, so that events go on being recorded while nobody follows.
	await inspect(runtime, id, "events");
	await runtime.action(id, "add", 1);
	await using again = await InspectorStream.open(runtime, id, "?topics=events", {
		"last-event-id": last!,
	});
	expect((await again.until("events")).data.args).toEqual(["now 2"]);
	await using also = await InspectorStream.open(runtime, id, `?topics=events&after=${last}`);
	expect((await also.until("events")).data.args).toEqual(["now 2"]);
	for (const wrong of ["?topics=state,nonsense", "?topics="]) {
		const refused = await inspect(runtime, id, `stream${wrong}`);
		expect([wrong, refused.status, refused.body.code]).toEqual([wrong, 400, "invalid"]);
	}
	expect((await inspect(runtime, id, "stream", { method: "POST" })).status).toBe(404);
});

it("lets in whom the other routes let in, in every state of an actor", async () => {
	let fails = false;
	const fragile = actor({
		onWake: () => {
			if (fails) throw new Error("broken");
		},
	});
	await using runtime = await TestRuntime.start(
		{ fragile },
		{ token: "engine", inspection: { token: () => "s3cret", isOpen: () => false } },
	);
	const id = await runtime.actorId("fragile");
	const own = await tokenOf(runtime, id);
	const status = async (token: string | null) => {
		const headers = token === null ? {} : { authorization: `Bearer ${token}` };
		await using stream = await InspectorStream.open(runtime, id, "?topics=lifecycle", headers);
		if (stream.status !== 200) return stream.status;
		return (await stream.until("lifecycle")).data.status;
	};
	const check = async (expected: string) => {
		for (const token of [null, "wrong"]) expect([token, await status(token)]).toEqual([token, 401]);
		for (const token of ["s3cret", own]) {
			expect([token, await status(token)]).toEqual([token, expected]);
		}
	};
	await check("awake");
	await runtime.embedded.host.stop(id, "sleep");
	await check("sleeping");
	fails = true;
	await runtime.action(id, "none");
	await check("failing");
	fails = false;
	await runtime.embedded.engine.destroy(id);
	expect(await status("s3cret")).toBe(404);
	await using off = await TestRuntime.start({ fragile }, { inspection: { enabled: false } });
	const other = await off.actorId("fragile");
	expect((await inspect(off, other, "stream")).status).toBe(404);
});

it("keeps no actor awake, and lets go of who left, and of all when the engine closes", async () => {
	const sleepy = actor({ options: { sleepTimeout: 50 }, actions: { get: () => 1 } });
	await using runtime = await TestRuntime.start({ sleepy });
	const id = await runtime.actorId("sleepy");
	const streams = await Promise.all(
		Array.from({ length: 64 }, () => InspectorStream.open(runtime, id, "?topics=logs,lifecycle")),
	);
	const refused = await inspect(runtime, id, "stream");
	expect([refused.status, refused.body.code]).toEqual([429, "too_many_streams"]);
	await eventually(() => expect(runtime.embedded.host.liveActorIds).toEqual([]));
	for (const stream of streams.slice(1)) await stream[Symbol.asyncDispose]();
	await eventually(async () => {
		await using one = await InspectorStream.open(runtime, id, "?topics=logs");
		expect(one.status).toBe(200);
	});
	const rest = streams[0]!;
	const over = (async () => {
		while ((await rest.next()) !== null);
	})();
	await soon(runtime.embedded.close());
	await soon(over);
	expect(rest.isOver).toBe(true);
});

it("says something every 15 s, so that proxies keep the connection", async () => {
	const clock = new FakeClock();
	await using runtime = await TestRuntime.start({ subject }, { clock });
	const id = await runtime.actorId("subject");
	const gone = new AbortController();
	const response = await fetch(`${runtime.url}/gateway/${id}/inspector/stream?topics=events`, {
		signal: gone.signal,
	});
	const reader = response.body!.getReader();
	const read = async () => new TextDecoder().decode((await reader.read()).value);
	expect(await read()).toContain("event: open");
	for (let beat = 0; beat < 2; beat++) {
		const next = soon(read());
		await clock.advance(16_000);
		expect(await next).toBe(":\n\n");
	}
	gone.abort();
});

it("tells a client that reads too slowly how much it missed, and the latest of what can be told anew", async () => {
	const stream = new EventStream(() => {});
	const block = JSON.stringify("x".repeat(400_000));
	for (let id = 1; id <= 5; id++) stream.entry("logs", block, id);
	stream.latest("state", "1");
	stream.latest("state", "2");
	const reader = stream.body.getReader();
	const decoder = new TextDecoder();
	const read = async () => decoder.decode((await reader.read()).value);
	for (let id = 1; id <= 3; id++) expect((await read()).slice(0, 20)).toContain(`id: ${id}\n`);
	expect(await read()).toBe('event: dropped\ndata: {"topic":"logs","count":2}\n\n');
	expect(await read()).toBe("event: state\ndata: 2\n\n");
	stream.entry("logs", "6", 6);
	expect(await read()).toBe("id: 6\nevent: logs\ndata: 6\n\n");
	stream.end();
	expect((await reader.read()).done).toBe(true);
});

it("tells what is missing where it is missing, and never what was before after what is", async () => {
	const stream = new EventStream(() => {});
	const block = JSON.stringify("x".repeat(600_000));
	for (let id = 1; id <= 4; id++) stream.entry("logs", block, id);
	stream.latest("state", "1");
	const reader = stream.body.getReader();
	const decoder = new TextDecoder();
	const read = async () => decoder.decode((await reader.read()).value).slice(0, 60);
	expect(await read()).toContain("id: 1\n");
	// There is room again, before all was read.
	stream.entry("logs", "5", 5);
	stream.latest("state", "2");
	expect(await read()).toContain("id: 2\n");
	expect(await read()).toBe('event: dropped\ndata: {"topic":"logs","count":2}\n\n');
	expect(await read()).toBe("id: 5\nevent: logs\ndata: 5\n\n");
	expect(await read()).toBe("event: state\ndata: 2\n\n");
	stream.latest("state", "3");
	expect(await read()).toBe("event: state\ndata: 3\n\n");
	stream.end();
	expect((await reader.read()).done).toBe(true);
});

it("says only that something is new to who asks for no values, also of what no topic has", async () => {
	await using runtime = await TestRuntime.start({ subject });
	const id = await runtime.actorId("subject");
	const topics = "changed,state,lifecycle,logs";
	await using stream = await InspectorStream.open(runtime, id, `?topics=${topics}&values=false`);
	expect((await stream.next())?.data).toEqual({ topics: topics.split(",") });
	expect(await stream.until("state")).toMatchObject({ data: {} });
	expect(await stream.until("lifecycle")).toMatchObject({ data: {} });
	await runtime.action(id, "add", 2);
	const line = await stream.until("logs");
	expect([line.data, Number(line.id) > 0]).toEqual([{}, true]);
	expect((await stream.until("state")).data).toEqual({});
	// A key is in no topic.
	const kept = stream.until("changed");
	await runtime.action(id, "keep");
	expect((await kept).data).toEqual({});
	const refused = await inspect(runtime, id, "stream?topics=changes");
	expect(refused.body.message).toContain("there is no topic 'changes'");
});

it("of two looks the later one is what a client is told last, also when the first is read slower", async () => {
	const gates = [new Gate(), new Gate(), new Gate()];
	let look = 0;
	const id = "an actor";
	let watcher: Watcher | undefined;
	const streams = new InspectorStreams({
		timers: { schedule: () => ({ cancel() {} }) } as unknown as TimerWheel,
		log: { debug() {} } as unknown as Logger,
		telemetry: null,
		watch: async (_target, one) => {
			watcher = one;
			return () => {};
		},
	});
	const target = { actorId: id, closing: new AbortController().signal } as InspectionTarget;
	const query = new URLSearchParams("topics=workflow-history");
	const request = { headers: new Headers() } as unknown as ActorRequest;
	const response = await streams.open(target, { actorId: id } as TracedActor, request, query);
	const read = () => {
		const at = look++;
		return {
			config: {},
			workflow: { history: () => gates[at]!.passed.then(() => ({ look: at })) },
		} as unknown as ActorView;
	};
	const changes = [{ tag: "WorkflowHistoryUpdated", val: { history: new Uint8Array() } }] as const;
	watcher!.begin(read(), {} as Snapshot);
	watcher!.looked(read(), changes);
	watcher!.looked(read(), changes);
	const reader = (response.body as ReadableStream<Uint8Array>).getReader();
	const next = async () => new TextDecoder().decode((await reader.read()).value);
	expect(await next()).toContain("event: open");
	gates[1]!.open();
	expect(await next()).toContain('"look":1');
	gates[0]!.open();
	await gates[0]!.passed;
	gates[2]!.open();
	expect(await next()).toContain('"look":2');
	await reader.cancel();
});

it("who goes on after an id of an earlier process hears what is new", async () => {
	const { store } = new WrappedStore();
	const first = await TestRuntime.start({ subject }, { store });
	const id = await first.actorId("subject");
	await first.action(id, "add", 1);
	const { logs } = (await inspect(first, id, "logs")).body;
	const last = logs.at(-1).id;
	await first.embedded.close();
	await using second = await TestRuntime.start({ subject }, { store });
	await second.action(id, "add", 1);
	const after = await inspect(second, id, `logs?after=${last}`);
	expect(after.body.logs.map(({ message }: { message: string }) => message)).toContain("added");
});

it("ends for who comes while the engine lets go of everybody", async () => {
	const streams = new InspectorStreams({
		timers: { schedule: () => ({ cancel() {} }) } as unknown as TimerWheel,
		log: { debug() {} } as unknown as Logger,
		telemetry: null,
		watch: async () => () => {},
	});
	const target = {
		actorId: "an actor",
		closing: AbortSignal.abort(),
	} as unknown as InspectionTarget;
	const request = { headers: new Headers() } as unknown as ActorRequest;
	const actor = { actorId: "an actor" } as TracedActor;
	const { body } = await streams.open(target, actor, request, new URLSearchParams());
	const text = await soon(new Response(body as ReadableStream<Uint8Array>).text());
	expect(text).toContain("event: open");
});
