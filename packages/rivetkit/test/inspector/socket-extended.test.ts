// What the inspector's WebSocket has beyond the contract, for those who ask for it (ours; docs/inspector.md).
import {
	applyStateSplice,
	decodeCbor,
	encodeCbor,
	INSPECTOR_EXTENDED_VERSION,
	type InspectorToClient,
} from "rivetkit/inspector";
import { expect, it } from "vitest";
import { actor, event } from "../../src/index.ts";
import { EntryFollower } from "../../src/runtime/inspector/socket/entry-follower.ts";
import { HostTelemetry, TRACE_LIMITS } from "../../src/runtime/telemetry/host-telemetry.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { TestRuntime } from "../support/test-runtime.ts";
import { inspect } from "./support/inspect.ts";
import { InspectorSocket } from "./support/inspector-socket.ts";

const options = { token: "engine" };
const extended = {
	version: INSPECTOR_EXTENDED_VERSION,
	query: `?version=${INSPECTOR_EXTENDED_VERSION}`,
} as const;

const subject = actor({
	createState: () => ({
		n: 0,
		when: new Date(5),
		map: new Map([["a", 1n]]),
		text: "x".repeat(9_000),
	}),
	events: { news: event() },
	actions: {
		add: (c, by: number) => {
			c.state.n += by;
			return c.state.n;
		},
		rename: (c, text: string) => {
			c.state.text = text;
		},
		tell: (c, what: unknown) => {
			c.log.debug({ what }, "telling");
			c.broadcast("news", what);
		},
		tellTwice: (c) => {
			c.broadcast("news", 1);
			c.broadcast("news", 2);
		},
		flood: (c, count: number) => {
			for (let at = 0; at < count; at++) c.broadcast("news", at);
		},
	},
});

it("tells of a state what changed in it, where that is less than the whole", async () => {
	await using runtime = await TestRuntime.start({ subject }, options);
	const id = await runtime.actorId("subject");
	const [fresh, plain] = [
		await InspectorSocket.open(runtime, id, extended),
		await InspectorSocket.open(runtime, id, { version: 6, query: "?version=6" }),
	];
	await using socket = fresh.socket;
	await using older = plain.socket;
	expect(socket.versions).toEqual([INSPECTOR_EXTENDED_VERSION]);
	let state = fresh.init.state!;
	for (const by of [1, 300]) {
		await runtime.action(id, "add", by);
		const splice = await socket.until("StateSpliced");
		expect(splice.inserted.byteLength).toBeLessThan(10);
		state = applyStateSplice(state, splice);
		const whole = (await older.until("StateUpdated")).state;
		expect(Buffer.from(state).equals(whole)).toBe(true);
	}
	expect(decodeCbor(state)).toMatchObject({ n: 301, map: new Map([["a", 1n]]) });
	await runtime.action(id, "rename", "short");
	state = applyStateSplice(state, await socket.until("StateSpliced"));
	expect(decodeCbor(state)).toMatchObject({ n: 301, text: "short" });
	// All of it is different: the whole.
	const next = encodeCbor(["no object any more", 1]);
	socket.send({ tag: "PatchStateRequest", val: { state: next } });
	const pushed = await socket.until("StateUpdated");
	expect(decodeCbor(pushed.state)).toEqual(["no object any more", 1]);
});

it("tells of events and log lines to who asks for them, also of those that were kept", async () => {
	await using runtime = await TestRuntime.start({ subject }, options);
	const id = await runtime.actorId("subject");
	const { socket } = await InspectorSocket.open(runtime, id, extended);
	await using _socket = socket;
	await runtime.action(id, "tell", "unheard");
	const follow = (val: { events: boolean; logs: boolean; after?: number | bigint }) =>
		socket.ask(
			{ tag: "FollowRequest", val: { id: 7, after: undefined, ...val } },
			"FollowResponse",
		);
	expect((await follow({ events: true, logs: true })).rid).toBe(7);
	await runtime.action(id, "tell", new Map([["a", 1]]));
	const { logs } = await socket.until("LogsAdded");
	expect(logs).toMatchObject([{ level: "debug", message: "telling", traceId: expect.any(String) }]);
	await runtime.action(id, "tellTwice");
	const { events } = await socket.until("EventsAdded", (val) => val.events.length === 2);
	expect(events.map(({ args, name }) => [name, decodeCbor(args!)])).toEqual([
		["news", [1]],
		["news", [2]],
	]);
	// The same ids as over HTTP, to go on after.
	const listed = (await inspect(runtime, id, "events")).body.events;
	expect(listed.map((entry: { id: number }) => entry.id).slice(-2)).toEqual(
		events.map((entry) => Number(entry.id)),
	);
	expect((await follow({ events: false, logs: true })).rid).toBe(7);
	await runtime.action(id, "tell", 3);
	await socket.until("LogsAdded");
	await runtime.action(id, "add", 1);
	await socket.until("StateSpliced");
	expect(socket.unread.filter(({ tag }) => tag === "EventsAdded")).toEqual([]);
	await follow({ events: true, logs: false, after: events[0]!.id });
	const kept = await socket.until("EventsAdded");
	expect(kept.events.map(({ args }) => decodeCbor(args!))).toEqual([[2], [3]]);
	await runtime.action(id, "flood", 300);
	await follow({ events: true, logs: false, after: events[0]!.id });
	expect(await socket.until("EntriesDropped")).toEqual({ topic: "events", count: undefined });

	// Who leaves is not told any more, and nothing is recorded for him.
	await socket[Symbol.asyncDispose]();
	await runtime.embedded.host.stop(id, "sleep");
	expect(runtime.embedded.host.liveActorIds).toEqual([]);
});

it("says where nothing is recorded, and keeps older versions as they are", async () => {
	await using runtime = await TestRuntime.start({ subject }, { ...options, telemetry: null });
	const id = await runtime.actorId("subject");
	const { socket } = await InspectorSocket.open(runtime, id, extended);
	await using _socket = socket;
	const val = { id: 1, events: true, logs: true, after: undefined };
	const { message } = await socket.ask({ tag: "FollowRequest", val }, "Error");
	expect(message).toContain("nothing is recorded");
	const { socket: old } = await InspectorSocket.open(runtime, id, { version: 6 });
	await using _old = old;
	expect(() => old.send({ tag: "FollowRequest", val })).toThrow("version 6");
});

it("tells a client that reads too slowly how many entries it missed", async () => {
	const clock = new FakeClock();
	const telemetry = new HostTelemetry(
		{ traces: TRACE_LIMITS, metrics: false },
		{ clock, random: { bytes: (length: number) => new Uint8Array(length) } as never },
	);
	const sent: InspectorToClient[] = [];
	const sink = { waitingBytes: 0, push: (message: InspectorToClient) => void sent.push(message) };
	const looks: (() => void)[] = [];
	const timers = {
		schedule: (_ms: number, run: () => void) => {
			looks.push(run);
			return { cancel() {} };
		},
	} as never;
	const follower = new EntryFollower({ telemetry, timers }, "a", sink);
	follower.follow({ id: 1, events: true, logs: false, after: undefined });
	expect(sent.splice(0)).toEqual([{ tag: "FollowResponse", val: { rid: 1 } }]);
	const trail = telemetry.trails.open("a");
	const emit = async (...names: string[]) => {
		for (const name of names) {
			trail.addEvent({
				id: telemetry.trails.next(),
				atMs: 0,
				name,
				args: null,
				subscribers: 0,
				bytes: 1,
				isDropped: false,
			});
		}
		await Promise.resolve();
	};
	await emit("a", "b");
	expect(sent.splice(0)).toMatchObject([
		{ tag: "EventsAdded", val: { events: [{ name: "a" }, { name: "b" }] } },
	]);
	sink.waitingBytes = 2_000_000;
	await emit("c", "d");
	await emit("e");
	looks.at(-1)!();
	expect(sent).toEqual([]);
	sink.waitingBytes = 0;
	looks.at(-1)!();
	expect(sent.splice(0)).toEqual([{ tag: "EntriesDropped", val: { topic: "events", count: 3 } }]);
	await emit("f");
	expect(sent.splice(0)).toMatchObject([{ tag: "EventsAdded", val: { events: [{ name: "f" }] } }]);
	// A client that goes in the turn of an entry, with much that it has not read, is not looked at again and again.
	sink.waitingBytes = 2_000_000;
	const { length } = looks;
	const emitted = emit("g");
	follower.end();
	await emitted;
	expect(looks).toHaveLength(length);
	expect(trail.listeners).toBeNull();
});
