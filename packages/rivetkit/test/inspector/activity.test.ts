// `GET /inspector/events` and `GET /inspector/logs` (ours; docs/inspector.md).
import { expect, it } from "vitest";
import { actor, event } from "../../src/index.ts";
import type { Logger } from "../../src/log/logger.ts";
import { TRACE_LIMITS } from "../../src/runtime/telemetry/host-telemetry.ts";
import { RECORDING_LEASE_MS } from "../../src/runtime/telemetry/trail.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { TestRuntime } from "../support/test-runtime.ts";
import { WireSocket } from "../support/wire-socket.ts";
import { inspect } from "./support/inspect.ts";
import { InspectorStream } from "./support/stream.ts";

const subject = actor({
	events: { news: event() },
	onConnect: (_c, conn) => {
		if (conn.params === "greet me") conn.send("news", "hello");
	},
	actions: {
		/** With its list as deep as arguments may be. */
		tellDeep: (c) => c.broadcast("news", deepValue(1_023)),
		tell: (c, what: unknown) => c.broadcast("news", [what, new Map([["a", 1n]])]),
		logDeep: (c, levels: number) =>
			c.log.error({ deep: deepValue(levels - 1) }, "levels: %d", levels),
		log: (c, level: "debug" | "info" | "error", text: string) => {
			c.log[level]({ level, err: new Error("inner") }, text);
			c.log.child({ part: "p" })[level]("%s and %d", "one", 2);
		},
		fail: () => {
			throw new Error("it broke");
		},
		flood: (c, count: number, level: "info" | "error" = "error") => {
			for (let at = 0; at < count; at++) c.log[level](String(at));
		},
	},
});

it("events are recorded while somebody looks, with their arguments and hearers", async () => {
	await using runtime = await TestRuntime.start({ subject });
	const id = await runtime.actorId("subject");
	await runtime.action(id, "tell", "unheard");
	expect((await inspect(runtime, id, "events")).body).toEqual({
		events: [],
		recording: true,
		lastId: 0,
	});
	await using socket = await WireSocket.connect(`${runtime.url}/gateway/${id}/connect`, {
		connParams: "greet me",
	});
	socket.subscribe("news");
	await socket.roundTrip();
	await runtime.action(id, "tell", { deep: [1] });
	const { events } = (await inspect(runtime, id, "events")).body;
	expect(events).toMatchObject([
		{ name: "news", args: ["hello"], subscribers: 1, connId: expect.any(String) },
		{ name: "news", args: [[{ deep: [1] }, { a: "1" }]], atMs: expect.any(Number) },
	]);
	const [{ id: first }] = events;
	const after = (await inspect(runtime, id, `events?after=${first}`)).body.events;
	expect(after).toHaveLength(1);
	expect((await inspect(runtime, id, "events?limit=1")).body.events).toEqual(after);
	await runtime.embedded.host.stop(id, "sleep");
	expect((await inspect(runtime, id, "events")).body.events).toHaveLength(2);
	expect(runtime.embedded.host.liveActorIds).toEqual([]);
});

it("what is logged of a request that is refused has its path, not its query", async () => {
	await using runtime = await TestRuntime.start({ subject });
	const id = await runtime.actorId("subject");
	expect((await inspect(runtime, id, "events?limit=secret")).status).toBe(400);
	expect(runtime.log.flatMap(({ fields }) => fields.path ?? [])).toEqual(["/inspector/events"]);
});

it("log lines are those of the actor and of the runtime about it, with the span they were written in", async () => {
	await using runtime = await TestRuntime.start({ subject });
	const id = await runtime.actorId("subject");
	const other = await runtime.actorId("subject", "other");
	await runtime.action(id, "log", "info", "hi");
	await runtime.action(id, "fail");
	await runtime.action(other, "log", "error", "elsewhere");
	const { logs, recording } = (await inspect(runtime, id, "logs")).body;
	expect(recording).toBe(true);
	const shown = logs.map(({ level, message }: { level: string; message: string }) => [
		level,
		message,
	]);
	expect(shown).toEqual([
		["info", "hi"],
		["info", "one and 2"],
		["error", "internal error"],
	]);
	expect(logs[0].fields).toEqual({ level: "info", err: { name: "Error", message: "inner" } });
	expect(logs[1].fields).toEqual({ part: "p" });
	expect(logs[0]).toMatchObject({ traceId: expect.any(String), spanId: expect.any(String) });
	const errors = (await inspect(runtime, id, "logs?level=error")).body.logs;
	expect(errors.map(({ message }: { message: string }) => message)).toEqual(["internal error"]);
	expect((await inspect(runtime, id, "logs?level=loud")).status).toBe(400);
});

it("lines that the logger does not let through are kept while somebody watches, and for a minute after", async () => {
	const clock = new FakeClock();
	const written: string[] = [];
	await using runtime = await TestRuntime.start(
		{ subject },
		{ clock, telemetry: { traces: null, metrics: false }, logger: quietLogger(written) },
	);
	const id = await runtime.actorId("subject");
	const messages = async () =>
		(await inspect(runtime, id, "logs")).body.logs.map(
			({ message }: { message: string }) => message,
		);
	await runtime.action(id, "log", "info", "before");
	await runtime.action(id, "log", "error", "always");
	expect(await messages()).toEqual(["always", "one and 2"]);
	await runtime.action(id, "log", "debug", "watched");
	expect(await messages()).toContain("watched");
	clock.setForward(RECORDING_LEASE_MS + 1);
	await runtime.action(id, "log", "debug", "unwatched");
	expect(await messages()).not.toContain("unwatched");
	expect(written).toEqual(["always", "%s and %d"]);
});

it("of one actor the last entries are kept", async () => {
	await using runtime = await TestRuntime.start({ subject });
	const id = await runtime.actorId("subject");
	await runtime.action(id, "flood", 300);
	const { logs } = (await inspect(runtime, id, "logs?limit=1000")).body;
	expect(logs).toHaveLength(256);
	expect(logs[0].message).toBe("44");
	await inspect(runtime, id, "events");
	await runtime.action(id, "tell", "x".repeat(20_000));
	const { events } = (await inspect(runtime, id, "events")).body;
	expect(events).toHaveLength(1);
	expect(events[0]).not.toHaveProperty("args");
});

it("who asks for what came after an entry is told when some of it is not kept any more", async () => {
	await using runtime = await TestRuntime.start({ subject });
	const id = await runtime.actorId("subject");
	const logs = async (query: string) =>
		(await inspect(runtime, id, `logs?limit=1000${query}`)).body;
	await runtime.action(id, "flood", 10);
	const first = await logs("");
	const [oldest, last] = [first.logs[0].id, first.logs.at(-1).id];
	expect(first).not.toHaveProperty("missed");
	expect(await logs(`&after=${last}`)).toEqual({ logs: [], recording: true, lastId: last });
	await runtime.action(id, "flood", 256);
	expect(await logs(`&after=${last}`)).not.toHaveProperty("missed");
	expect(await logs(`&after=${oldest}`)).toHaveProperty("missed", true);
	// More than were asked for are missing, too; and what another process had.
	const few = (await inspect(runtime, id, `logs?limit=5&after=${last}`)).body;
	expect([few.logs.length, few.missed]).toEqual([5, true]);
	expect(await logs("&after=1")).toHaveProperty("missed", true);

	await using stream = await InspectorStream.open(runtime, id, `?topics=logs&after=${oldest}`);
	expect((await stream.next())?.event).toBe("open");
	expect(await stream.next()).toMatchObject({
		event: "dropped",
		data: { topic: "logs", count: null },
	});
	await using whole = await InspectorStream.open(runtime, id, `?topics=logs&after=${last}`);
	expect([(await whole.next())?.event, (await whole.next())?.event]).toEqual(["open", "logs"]);
});

it("to who reads one level, lines of others are no gap when it goes on after what was looked through", async () => {
	await using runtime = await TestRuntime.start({ subject });
	const id = await runtime.actorId("subject");
	const errors = async (after: number) =>
		(await inspect(runtime, id, `logs?limit=1000&level=error&after=${after}`)).body;
	await runtime.action(id, "flood", 1);
	let read = await errors(0);
	const { id: shown } = read.logs.at(-1);
	// More than are kept, and never more than that between two reads.
	for (let round = 0; round < 3; round++) {
		await runtime.action(id, "flood", 200, "info");
		read = await errors(read.lastId);
		expect([read.logs, read.missed, read.lastId > shown]).toEqual([[], undefined, true]);
	}
	await runtime.action(id, "flood", 1);
	read = await errors(read.lastId);
	expect([read.logs.length, read.missed, read.lastId]).toEqual([1, undefined, read.logs[0].id]);
	// An id of a line that is shown says nothing about those in between.
	expect(await errors(shown)).toHaveProperty("missed", true);
	await runtime.action(id, "flood", 300, "info");
	expect(await errors(read.lastId)).toHaveProperty("missed", true);
});

it("events that nobody had recorded for a while are missing, and said to be", async () => {
	const clock = new FakeClock();
	await using runtime = await TestRuntime.start({ subject }, { clock });
	const id = await runtime.actorId("subject");
	const after = async (last: number) => (await inspect(runtime, id, `events?after=${last}`)).body;
	await after(0);
	await runtime.action(id, "tell", 1);
	const first = (await after(0)).events[0].id;
	clock.setForward(RECORDING_LEASE_MS - 1);
	await runtime.action(id, "tell", 2);
	const second = await after(first);
	expect([second.events.length, second.missed]).toEqual([1, undefined]);
	clock.setForward(RECORDING_LEASE_MS + 1);
	await runtime.action(id, "tell", 3);
	const { id: lastId } = second.events[0];
	expect(await after(lastId)).toEqual({ events: [], recording: true, lastId, missed: true });
	await runtime.action(id, "tell", 4);
	const last = (await after(0)).events.at(-1).id;
	expect(await after(last)).not.toHaveProperty("missed");
});

it("who follows and comes back within a minute has missed nothing", async () => {
	const clock = new FakeClock();
	await using runtime = await TestRuntime.start({ subject }, { clock });
	const id = await runtime.actorId("subject");
	let last = 0;
	{
		await using stream = await InspectorStream.open(runtime, id, "?topics=events,logs");
		await runtime.action(id, "tell", 1);
		last = Number((await stream.until("events")).id);
	}
	await runtime.action(id, "tell", 2);
	await runtime.action(id, "log", "debug", "meanwhile");
	await using again = await InspectorStream.open(runtime, id, `?topics=events,logs&after=${last}`);
	const heard = [await again.next(), await again.next(), await again.next()];
	expect(heard.map((message) => message?.event)).toEqual(["open", "events", "logs"]);
});

it("without any recording there is nothing to read", async () => {
	await using runtime = await TestRuntime.start({ subject }, { telemetry: null });
	const id = await runtime.actorId("subject");
	const nothing = { recording: false, lastId: 0 };
	expect((await inspect(runtime, id, "events")).body).toEqual({ events: [], ...nothing });
	expect((await inspect(runtime, id, "logs")).body).toEqual({ logs: [], ...nothing });
	expect(TRACE_LIMITS.maxTotalBytes).toBe(16 * 1024 * 1024);
});

/** Lets errors through only. */
function quietLogger(written: string[]): Logger {
	const write = (first: object | string, second?: unknown) => {
		written.push(typeof first === "string" ? first : String(second));
	};
	const ignore = () => {};
	return {
		trace: ignore,
		debug: ignore,
		info: ignore,
		warn: ignore,
		error: write,
		fatal: write,
		level: "error",
		isLevelEnabled: (level) => level === "error" || level === "fatal",
		child: () => quietLogger(written),
	};
}

it("events with arguments as deep as they may be keep no others from being shown", async () => {
	await using runtime = await TestRuntime.start({ subject });
	const id = await runtime.actorId("subject");
	await inspect(runtime, id, "events");
	await runtime.action(id, "tell", "before");
	await runtime.action(id, "tellDeep");
	await runtime.action(id, "tell", "after");
	const named = (body: { events: { args?: unknown[]; isTooDeep?: true }[] }) =>
		body.events.map(({ args, isTooDeep }) => isTooDeep ?? (args![0] as unknown[])[0]);
	expect(named((await inspect(runtime, id, "events", { cbor: true })).body)).toEqual([
		"before",
		true,
		"after",
	]);
	expect(named((await inspect(runtime, id, "events")).body)).toEqual([
		"before",
		expect.any(Array),
		"after",
	]);
});

function deepValue(levels: number): unknown {
	let value: unknown = "deep";
	for (let level = 0; level < levels; level++) value = [value];
	return value;
}

it.each([false, true])(
	"a line with fields as deep as values may be keeps no others from being shown, with cbor %s",
	async (cbor) => {
		await using runtime = await TestRuntime.start({ subject });
		const id = await runtime.actorId("subject");
		for (const levels of [2, 1_020, 1_040]) await runtime.action(id, "logDeep", levels);
		const { status, body } = await inspect(runtime, id, "logs", { cbor });
		expect(status).toBe(200);
		const unreadable = { unreadable: expect.any(String) };
		expect(body.logs).toMatchObject([
			{ message: "levels: 2", fields: { deep: ["deep"] } },
			{ message: "levels: 1020", fields: unreadable },
			{ message: "levels: 1040", fields: unreadable },
		]);
	},
);
