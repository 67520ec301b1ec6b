// The inspector's WebSocket (contract: protocol 7.3, 8.8, checks 74 to 76).
import { decodeTraceRange, decodeWorkflowHistory } from "@rivetkit/protocol/inspector";
import { decodeCbor, encodeCbor, type InspectorVersion } from "rivetkit/inspector";
import { expect, it } from "vitest";
import { actor } from "../../src/actor/definition.ts";
import { event, queue } from "../../src/actor/tokens.ts";
import { db } from "../../src/db/index.ts";
import { eventually } from "../support/eventually.ts";
import { Gate } from "../support/gate.ts";
import { TestRuntime } from "../support/test-runtime.ts";
import { wireSend } from "../support/wire-http.ts";
import { WireSocket } from "../support/wire-socket.ts";
import { inspect } from "./support/inspect.ts";
import { InspectorSocket, tokenOf } from "./support/inspector-socket.ts";

const options = { token: "engine" };
const DAY_MS = 86_400_000;

function scene() {
	const seen: unknown[] = [];
	const subject = actor({
		state: { count: 1, when: new Date(0), big: 5n, names: new Map([["a", Uint8Array.of(1)]]) },
		connState: { seat: 3 },
		events: { tick: event<number>() },
		queues: { jobs: queue<number>() },
		onStateChange: (_c, state) => {
			seen.push(state.count);
		},
		actions: {
			add: (c, by: number) => {
				c.state.count += by;
				return c.state;
			},
			fail: () => {
				throw new Error("secret");
			},
			plan: async (c) => {
				await c.cron.every({ name: "often", interval: DAY_MS, action: "add", args: [1] });
			},
			take: async (c) => {
				await c.queue.tryNext({ names: ["jobs"] });
			},
			nap: (c) => c.sleep(),
			end: (c) => c.destroy(),
		},
	});
	return { subject, seen };
}

it("begins with Init in the version of 2.1.3, whatever the actor does", async () => {
	const { subject } = scene();
	await using runtime = await TestRuntime.start({ subject }, options);
	const id = await runtime.actorId("subject");
	await using _client = await WireSocket.connect(`${runtime.url}/gateway/${id}/connect`);
	await wireSend(runtime, id, "jobs", 1);
	for (const state of ["awake", "asleep"]) {
		if (state === "asleep") await runtime.embedded.host.stop(id, "sleep");
		const { socket, init } = await InspectorSocket.open(runtime, id);
		await using _socket = socket;
		expect([state, socket.versions]).toEqual([state, [3]]);
		expect(init).toMatchObject({
			isStateEnabled: true,
			rpcs: ["add", "fail", "plan", "take", "nap", "end"],
			isDatabaseEnabled: false,
			queueSize: 1,
			workflowHistory: undefined,
			isWorkflowEnabled: false,
		});
		expect(decodeCbor(init.state!)).toEqual({
			count: 1,
			when: new Date(0),
			big: 5n,
			names: new Map([["a", Uint8Array.of(1)]]),
		});
		expect(init.connections).toHaveLength(1);
		expect(decodeCbor(init.connections[0]!.details)).toEqual({
			type: "websocket",
			stateEnabled: true,
			state: { seat: 3 },
			subscriptions: 0,
			isHibernatable: true,
		});
	}
	expect(runtime.embedded.host.liveActorIds).toEqual([]);
});

it("without the actor's token or the configured one closes with 1011", async () => {
	const { subject } = scene();
	const inspection = { token: () => "s3cret" };
	await using runtime = await TestRuntime.start({ subject }, { ...options, inspection });
	const [id, other] = [await runtime.actorId("subject"), await runtime.actorId("subject", "b")];
	const end = async (actorId: string, token?: string) => {
		const socket = new InspectorSocket(runtime, actorId, token === undefined ? {} : { token });
		return socket.closed;
	};
	const refused = "1011 inspector.unauthorized";
	expect(await end(id)).toBe(refused);
	expect(await end(id, "wrong")).toBe(refused);
	expect(await end(id, await tokenOf(runtime, other))).toBe(refused);
	for (const token of [await tokenOf(runtime, id), "s3cret"]) {
		const { socket } = await InspectorSocket.open(runtime, id, { token });
		await socket[Symbol.asyncDispose]();
	}
	// Development on loopback is no exception here.
	await using open = await TestRuntime.start({ subject }, options);
	const free = await open.actorId("subject");
	expect((await inspect(open, free, "state")).status).toBe(200);
	expect(await new InspectorSocket(open, free).closed).toBe(refused);
	expect(await new InspectorSocket(open, "nobody", { token: "x" }).closed).toBe(
		"1011 actor.not_found",
	);
	await using off = await TestRuntime.start(
		{ subject },
		{ ...options, inspection: { enabled: false } },
	);
	const dark = await off.actorId("subject");
	const token = await tokenOf(off, dark);
	expect(await new InspectorSocket(off, dark, { token }).closed).toBe("1011 route.not_found");
});

it.each(["awake", "asleep", "failing", "destroyed"])(
	"lets in whom it should about an actor that is %s",
	async (state) => {
		let fails = false;
		const fragile = actor({
			state: { n: 1 },
			onWake: () => {
				if (fails) throw new Error("broken");
			},
			actions: { get: (c) => c.state.n },
		});
		const inspection = { token: () => "s3cret" };
		await using runtime = await TestRuntime.start({ fragile }, { ...options, inspection });
		const id = await runtime.actorId("fragile");
		const own = await tokenOf(runtime, id);
		if (state === "destroyed") await runtime.embedded.engine.destroy(id);
		else if (state !== "awake") await runtime.embedded.host.stop(id, "sleep");
		fails = state === "failing";
		if (fails) await runtime.action(id, "get");
		const gone = state === "destroyed" ? "1011 actor.not_found" : null;
		for (const token of [undefined, "wrong"]) {
			const socket = new InspectorSocket(runtime, id, token === undefined ? {} : { token });
			expect([token, await socket.closed]).toEqual([token, gone ?? "1011 inspector.unauthorized"]);
		}
		for (const token of ["s3cret", own]) {
			if (gone !== null) {
				expect(await new InspectorSocket(runtime, id, { token }).closed).toBe(gone);
				continue;
			}
			const { socket, init } = await InspectorSocket.open(runtime, id, { token });
			await using _socket = socket;
			expect(decodeCbor(init.state!)).toEqual({ n: 1 });
			const live = state === "awake" ? [id] : [];
			expect(runtime.embedded.host.liveActorIds).toEqual(live);
			socket.send({ tag: "ActionRequest", val: { id: 1, name: "get", args: encodeCbor([]) } });
			if (fails) await socket.until("Error");
			else expect(decodeCbor((await socket.until("ActionResponse")).output)).toBe(1);
			if (state === "asleep") await runtime.embedded.host.stop(id, "sleep");
		}
	},
);

it("answers every request with its id", async () => {
	const { subject } = scene();
	await using runtime = await TestRuntime.start({ subject }, options);
	const id = await runtime.actorId("subject");
	await runtime.action(id, "plan");
	for (let n = 0; n < 250; n++) await wireSend(runtime, id, "jobs", n);
	const { socket, init } = await InspectorSocket.open(runtime, id, {
		version: 6,
		query: "?version=6",
	});
	await using _socket = socket;
	expect(socket.versions).toEqual([6]);
	expect(init.schedules).toHaveLength(1);
	const state = await socket.ask({ tag: "StateRequest", val: { id: 1 } }, "StateResponse");
	expect([state.rid, state.isStateEnabled]).toEqual([1, true]);
	expect(decodeCbor(state.state!)).toMatchObject({ count: 1, big: 5n });
	expect(
		await socket.ask({ tag: "ConnectionsRequest", val: { id: 2 } }, "ConnectionsResponse"),
	).toEqual({ rid: 2, connections: [] });
	expect(await socket.ask({ tag: "RpcsListRequest", val: { id: 3 } }, "RpcsListResponse")).toEqual({
		rid: 3,
		rpcs: ["add", "fail", "plan", "take", "nap", "end"],
	});
	const called = await socket.ask(
		{ tag: "ActionRequest", val: { id: 4, name: "add", args: encodeCbor([2]) } },
		"ActionResponse",
	);
	expect([called.rid, decodeCbor(called.output)]).toEqual([
		4,
		expect.objectContaining({ count: 3, names: new Map([["a", Uint8Array.of(1)]]) }),
	]);
	const { payload, rid } = await socket.ask(
		{ tag: "TraceQueryRequest", val: { id: 5, startMs: 1, endMs: 2, limit: 3 } },
		"TraceQueryResponse",
	);
	expect([rid, payload.byteLength]).toEqual([5, 25]);
	expect(decodeTraceRange(payload)).toEqual({
		startTimeMs: 1,
		endTimeMs: 2,
		limit: 3,
		clamped: false,
		baseChunks: [],
		chunks: [],
	});
	const { status } = await socket.ask(
		{ tag: "QueueRequest", val: { id: 6, limit: 1_000 } },
		"QueueResponse",
	);
	expect([status.size, status.maxSize, status.truncated]).toEqual([250, 1_000, true]);
	expect(status.messages).toHaveLength(200);
	expect(status.messages[0]).toEqual({ id: 1, name: "jobs", createdAtMs: expect.any(Number) });
	expect(
		await socket.ask({ tag: "WorkflowHistoryRequest", val: { id: 7 } }, "WorkflowHistoryResponse"),
	).toEqual({ rid: 7, history: undefined, isWorkflowEnabled: false });
	const { schedules } = await socket.ask(
		{ tag: "SchedulesRequest", val: { id: 8 } },
		"SchedulesResponse",
	);
	expect(schedules).toEqual([
		{
			id: expect.any(String),
			name: "often",
			kind: "every",
			action: "add",
			args: encodeCbor([1]),
			nextRunAt: expect.any(Number),
			lastRunAt: undefined,
			expression: undefined,
			timezone: undefined,
			intervalMs: DAY_MS,
			maxHistory: 100,
		},
	]);
	const scheduleId = schedules[0]!.id;
	expect(
		await socket.ask(
			{ tag: "ScheduleHistoryRequest", val: { id: 9, scheduleId, limit: 5 } },
			"ScheduleHistoryResponse",
		),
	).toEqual({ rid: 9, scheduleId, history: [] });
	expect(
		await socket.ask(
			{ tag: "ScheduleDeleteRequest", val: { id: 10, scheduleId, kind: "every" } },
			"ScheduleDeleteResponse",
		),
	).toEqual({ rid: 10, scheduleId, deleted: true });
	expect(await socket.until("SchedulesUpdated")).toEqual({ schedules: [] });
});

it("pushes what changes, once, to those who have seen what was before", async () => {
	const { subject } = scene();
	await using runtime = await TestRuntime.start({ subject }, options);
	const id = await runtime.actorId("subject");
	const [one, two] = [
		await InspectorSocket.open(runtime, id),
		await InspectorSocket.open(runtime, id, { version: 6, query: "?version=6" }),
	];
	await using _one = one.socket;
	await using _two = two.socket;
	const both = [one.socket, two.socket];
	await runtime.action(id, "add", 41);
	for (const socket of both) {
		const { state } = await socket.until("StateUpdated");
		expect(decodeCbor(state)).toMatchObject({ count: 42, big: 5n });
	}
	await wireSend(runtime, id, "jobs", 1);
	for (const socket of both) expect(await socket.until("QueueUpdated")).toEqual({ queueSize: 1 });
	await runtime.action(id, "take");
	for (const socket of both) expect(await socket.until("QueueUpdated")).toEqual({ queueSize: 0 });
	const client = await WireSocket.connect(`${runtime.url}/gateway/${id}/connect`);
	client.subscribe("tick");
	for (const socket of both) {
		const { connections } = await socket.until(
			"ConnectionsUpdated",
			({ connections: [first] }) =>
				first !== undefined &&
				(decodeCbor(first.details) as { subscriptions: number }).subscriptions === 1,
		);
		expect(connections).toHaveLength(1);
	}
	await client[Symbol.asyncDispose]();
	for (const socket of both) {
		await socket.until("ConnectionsUpdated", ({ connections }) => connections.length === 0);
	}
	await runtime.action(id, "plan");
	// Only whoever knows schedules hears of them; the other one gets no error instead.
	expect((await two.socket.until("SchedulesUpdated")).schedules).toHaveLength(1);
	await one.socket.roundTrip();
	expect(one.socket.unread).toEqual([]);
	expect(new Set(one.socket.versions)).toEqual(new Set([3]));
	expect(new Set(two.socket.versions)).toEqual(new Set([6]));
});

it("hears of connections of which nothing is stored", async () => {
	const subject = actor({ onWebSocket: () => {}, actions: { nothing: () => {} } });
	await using runtime = await TestRuntime.start({ subject }, options);
	const id = await runtime.actorId("subject");
	const { socket } = await InspectorSocket.open(runtime, id);
	await using _socket = socket;
	const raw = new WireSocket(`${runtime.url}/gateway/${id}/websocket`);
	const came = await socket.until(
		"ConnectionsUpdated",
		({ connections }) => connections.length > 0,
	);
	expect(decodeCbor(came.connections[0]!.details)).toEqual({
		type: "raw-websocket",
		stateEnabled: false,
		subscriptions: 0,
		isHibernatable: false,
	});
	await raw[Symbol.asyncDispose]();
	await socket.until("ConnectionsUpdated", ({ connections }) => connections.length === 0);
});

it("PatchState is answered by StateUpdated, durable, and seen by a later StateRequest", async () => {
	const { subject, seen } = scene();
	await using runtime = await TestRuntime.start({ subject }, options);
	const id = await runtime.actorId("subject");
	const { socket } = await InspectorSocket.open(runtime, id);
	await using _socket = socket;
	const patched = { count: 9, set: new Set([1n]) };
	socket.send({ tag: "PatchStateRequest", val: { state: encodeCbor(patched) } });
	expect(decodeCbor((await socket.until("StateUpdated")).state)).toEqual(patched);
	const { state } = await socket.ask({ tag: "StateRequest", val: { id: 1 } }, "StateResponse");
	expect(decodeCbor(state!)).toEqual(patched);
	expect(seen).toEqual([9]);
	await runtime.embedded.host.stop(id, "sleep");
	expect((await inspect(runtime, id, "state", { cbor: true })).body.state).toEqual(patched);
});

it("stays open over sleep and wake-up without causing either, and ends with its actor", async () => {
	const { subject } = scene();
	await using runtime = await TestRuntime.start({ subject }, options);
	const id = await runtime.actorId("subject");
	const { socket } = await InspectorSocket.open(runtime, id);
	await using _socket = socket;
	// The socket is no work of the actor.
	const { body } = await inspect(runtime, id, "lifecycle");
	expect(body.awakeBecause).toEqual([expect.stringMatching(/^it has been idle/)]);
	await runtime.action(id, "nap");
	await eventually(() => expect(runtime.embedded.host.liveActorIds).toEqual([]));
	const asleep = await socket.ask({ tag: "StateRequest", val: { id: 1 } }, "StateResponse");
	expect(decodeCbor(asleep.state!)).toMatchObject({ count: 1 });
	expect(runtime.embedded.host.liveActorIds).toEqual([]);
	await runtime.action(id, "add", 1);
	expect(decodeCbor((await socket.until("StateUpdated")).state)).toMatchObject({ count: 2 });
	await runtime.embedded.host.stop(id, "sleep");
	// A change wakes it.
	const called = await socket.ask(
		{ tag: "ActionRequest", val: { id: 2, name: "add", args: encodeCbor([5]) } },
		"ActionResponse",
	);
	expect(decodeCbor(called.output)).toMatchObject({ count: 7 });
	await runtime.action(id, "end");
	expect(await socket.closed).toBe("1011 actor.not_found");
});

it("says what went wrong, and goes on", async () => {
	const { subject } = scene();
	await using runtime = await TestRuntime.start({ subject }, options);
	const id = await runtime.actorId("subject");
	const { socket } = await InspectorSocket.open(runtime, id, { version: 6 });
	await using _socket = socket;
	const act = (name: string, args: Uint8Array) =>
		socket.ask({ tag: "ActionRequest", val: { id: 1, name, args } }, "Error");
	const failed = await act("fail", encodeCbor([]));
	expect(failed.message).not.toContain("secret");
	expect((await act("missing", encodeCbor([]))).message).toContain("missing");
	expect((await act("add", encodeCbor(5))).message).toContain("args must be a list");
	expect((await act("add", Uint8Array.of(0xff, 0xff))).message).not.toBe("");
	const schema = await socket.ask({ tag: "DatabaseSchemaRequest", val: { id: 1 } }, "Error");
	expect(schema.message).toMatch(/^Failed to get database schema: /);
	const rows = await socket.ask(
		{ tag: "DatabaseTableRowsRequest", val: { id: 1, table: "a", limit: 1, offset: 0 } },
		"Error",
	);
	expect(rows.message).toMatch(/^Failed to get database rows: /);
	for (const frame of [
		"text",
		Uint8Array.of(3, 0, 99),
		Uint8Array.of(9, 0, 1),
		new Uint8Array(0),
	]) {
		socket.ws.send(frame);
		await socket.until("Error");
	}
	const state = await socket.ask({ tag: "StateRequest", val: { id: 7 } }, "StateResponse");
	expect(state.rid).toBe(7);
});

it("takes the largest numbers of the wire for the largest that are meant", async () => {
	const subject = actor({
		state: { n: 0 },
		db: db({ onMigrate: (d) => void d.execute("CREATE TABLE IF NOT EXISTS t (a)") }),
		actions: { nothing: () => {} },
	});
	await using runtime = await TestRuntime.start({ subject }, options);
	const id = await runtime.actorId("subject");
	const { socket } = await InspectorSocket.open(runtime, id);
	await using _socket = socket;
	const most = 2n ** 64n - 1n;
	const told: string[] = [];
	for (const message of [
		{ tag: "TraceQueryRequest", val: { id: 1, startMs: most, endMs: most, limit: most } },
		{ tag: "QueueRequest", val: { id: 2, limit: most } },
		{ tag: "DatabaseTableRowsRequest", val: { id: 3, table: "t", limit: most, offset: most } },
	] as const) {
		socket.send(message);
		told.push((await socket.next()).tag);
	}
	expect(told).toEqual(["TraceQueryResponse", "QueueResponse", "DatabaseTableRowsResponse"]);
});

it("refuses more than 64 requests at the same time, and goes on", async () => {
	const gate = new Gate();
	const waiting = actor({ actions: { wait: () => gate.passed } });
	await using runtime = await TestRuntime.start({ waiting }, options);
	const id = await runtime.actorId("waiting");
	const { socket } = await InspectorSocket.open(runtime, id, { version: 6 });
	await using _socket = socket;
	const wait = (request: number) =>
		socket.send({
			tag: "ActionRequest",
			val: { id: request, name: "wait", args: encodeCbor([]) },
		});
	for (let request = 1; request <= 65; request++) wait(request);
	expect((await socket.until("Error")).message).toBe("more than 64 requests at the same time");
	gate.open();
	const answered: number[] = [];
	while (answered.length < 64) answered.push(Number((await socket.until("ActionResponse")).rid));
	expect(answered.sort((a, b) => a - b)).toEqual(Array.from({ length: 64 }, (_, at) => at + 1));
	wait(66);
	expect(Number((await socket.until("ActionResponse")).rid)).toBe(66);
});

it("closes the socket of a client that does not read once more than 64 MiB wait for it", async () => {
	const MIB = 1024 * 1024;
	const large = actor({ createState: () => ({ bytes: new Uint8Array(4 * MIB) }) });
	// It answers the close behind all that it has to read first.
	const limits = { webSocketCloseTimeoutMs: 300_000 };
	await using runtime = await TestRuntime.start({ large }, { ...options, limits });
	const id = await runtime.actorId("large");
	const [slow, other] = [
		(await InspectorSocket.open(runtime, id)).socket,
		(await InspectorSocket.open(runtime, id)).socket,
	];
	await using _slow = slow;
	await using _other = other;
	slow.ws.pause();
	for (let request = 1; request <= 40; request++) {
		slow.send({ tag: "StateRequest", val: { id: request } });
	}
	// The server has let go of it, though it has not read that yet.
	const state = await other.ask({ tag: "StateRequest", val: { id: 41 } }, "StateResponse");
	expect(state.state!.byteLength).toBeGreaterThan(4 * MIB);
	slow.ws.resume();
	expect(await slow.closed).toBe("1011 connection.buffer_full");
	const got = slow.unread.length;
	// What fits was sent, and no more: the kernel's buffers have a part, too.
	expect([got >= 16, got < 32]).toEqual([true, true]);
	const again = await other.ask({ tag: "StateRequest", val: { id: 42 } }, "StateResponse");
	expect(again.rid).toBe(42);
});

it.each<InspectorVersion>([1, 2, 3, 4, 5, 6])(
	"speaks version %d to whoever does",
	async (version) => {
		const { subject } = scene();
		await using runtime = await TestRuntime.start({ subject }, options);
		const id = await runtime.actorId("subject");
		const { socket } = await InspectorSocket.open(runtime, id, { version });
		await using _socket = socket;
		await socket.ask({ tag: "RpcsListRequest", val: { id: 1 } }, "RpcsListResponse");
		expect(socket.versions).toEqual([3, version]);
		await using asked = (
			await InspectorSocket.open(runtime, id, { version, query: `?version=${version}` })
		).socket;
		expect(asked.versions).toEqual([version]);
	},
);

it("shows a database, and a workflow's history as its adapter has it", async () => {
	const history = { nameRegistry: ["charge"], entries: [], entryMetadata: new Map() };
	let isKnown = false;
	const subject = actor({
		db: db({ onMigrate: (d) => void d.execute("CREATE TABLE IF NOT EXISTS t (a, b BLOB)") }),
		actions: {
			fill: async (c) => {
				await c.db.execute("INSERT INTO t VALUES (1, x'00ff'), (2, NULL)");
			},
			fillMore: async (c) => {
				await c.db.execute(
					"WITH RECURSIVE n(i) AS (SELECT 3 UNION ALL SELECT i + 1 FROM n WHERE i < 600) INSERT INTO t SELECT i, NULL FROM n",
				);
			},
		},
		run: {
			run: () => {},
			inspector: { workflow: { getHistory: () => (isKnown ? history : null) } },
		},
	});
	await using runtime = await TestRuntime.start({ subject }, options);
	const id = await runtime.actorId("subject");
	await runtime.action(id, "fill");
	const { socket, init } = await InspectorSocket.open(runtime, id);
	await using _socket = socket;
	expect([init.isDatabaseEnabled, init.isWorkflowEnabled, init.workflowHistory]).toEqual([
		true,
		true,
		undefined,
	]);
	const { schema } = await socket.ask(
		{ tag: "DatabaseSchemaRequest", val: { id: 1 } },
		"DatabaseSchemaResponse",
	);
	expect(decodeCbor(schema)).toMatchObject({ tables: [{ table: { name: "t" }, records: 2 }] });
	const { result } = await socket.ask(
		{ tag: "DatabaseTableRowsRequest", val: { id: 2, table: "t", limit: 1, offset: 0 } },
		"DatabaseTableRowsResponse",
	);
	expect(decodeCbor(result)).toEqual([{ a: 1, b: Uint8Array.of(0, 255) }]);
	await runtime.action(id, "fillMore");
	const page = await socket.ask(
		{ tag: "DatabaseTableRowsRequest", val: { id: 4, table: "t", limit: 10_000, offset: 50 } },
		"DatabaseTableRowsResponse",
	);
	const rows = decodeCbor(page.result) as { a: number }[];
	expect([rows.length, rows[0]!.a, rows.at(-1)!.a]).toEqual([500, 51, 550]);
	isKnown = true;
	await runtime.action(id, "fill");
	const pushed = await socket.until("WorkflowHistoryUpdated");
	expect(decodeWorkflowHistory(pushed.history)).toEqual(history);
	const asked = await socket.ask(
		{ tag: "WorkflowHistoryRequest", val: { id: 3 } },
		"WorkflowHistoryResponse",
	);
	expect(decodeWorkflowHistory(asked.history!)).toEqual(history);
});

it("a change that fails to be stored is pushed back", async () => {
	const { subject } = scene();
	const gate = new Gate();
	await using runtime = await TestRuntime.start({ subject }, options);
	const id = await runtime.actorId("subject");
	const { socket } = await InspectorSocket.open(runtime, id);
	await using _socket = socket;
	const { commit } = runtime.store;
	let fails = true;
	Object.assign(runtime.store, {
		commit: async (batch: never) => {
			if (!fails) return commit.call(runtime.store, batch);
			fails = false;
			await gate.passed;
			throw new Error("disk full");
		},
	});
	const called = runtime.action(id, "add", 5);
	await eventually(() => expect(fails).toBe(false));
	const during = await socket.ask({ tag: "StateRequest", val: { id: 1 } }, "StateResponse");
	expect(decodeCbor(during.state!)).toMatchObject({ count: 6 });
	gate.open();
	expect((await called).status).toBe(500);
	const after = await socket.ask({ tag: "StateRequest", val: { id: 2 } }, "StateResponse");
	expect(decodeCbor(after.state!)).toMatchObject({ count: 1 });
});

it("an engine that closes closes its sockets, and a socket that leaves leaves nothing", async () => {
	const { subject } = scene();
	const runtime = await TestRuntime.start({ subject }, options);
	const id = await runtime.actorId("subject");
	const { socket } = await InspectorSocket.open(runtime, id);
	const second = await InspectorSocket.open(runtime, id);
	await second.socket[Symbol.asyncDispose]();
	await runtime.action(id, "add", 1);
	await socket.until("StateUpdated");
	await runtime[Symbol.asyncDispose]();
	expect(await socket.closed).toMatch(/^1001 /);
});
