// An actor that takes no calls is inspected as it is stored, and stays as it is (issue: "without waking it").
import { expect, it } from "vitest";
import { actor } from "../../src/actor/definition.ts";
import { queue } from "../../src/actor/tokens.ts";
import { eventually } from "../support/eventually.ts";
import { Gate } from "../support/gate.ts";
import { STORES } from "../support/stores.ts";
import { TestRuntime } from "../support/test-runtime.ts";
import { WireSocket } from "../support/wire-socket.ts";
import { inspect } from "./support/inspect.ts";

const DAY_MS = 86_400_000;

function scene() {
	const wakes: number[] = [];
	const subject = actor({
		state: { count: 0 },
		connState: { seat: 3 },
		queues: {
			jobs: queue<number>({ maxAttempts: 1, deadLetter: "dead" }),
			dead: queue<number>(),
			other: queue<{ text: string }>(),
		},
		onWake: () => {
			wakes.push(wakes.length);
		},
		actions: {
			fill: async (c) => {
				c.state.count = 7;
				await c.kv.put("a/1", "one");
				await c.kv.put("a/2", Uint8Array.of(0xff, 1));
				await c.kv.put("b", "three");
				await c.kv.put(Uint8Array.of(0xfe, 0), "of bytes");
				await c.kv.put(Uint8Array.of(0xff, 0), "of others");
				await c.queue.send("other", { text: "later" });
				await c.queue.send("jobs", 5);
				const message = await c.queue.next({ names: ["jobs"], completable: true });
				await message!.release();
				const at = Date.now() + DAY_MS;
				await c.schedule.at(at, "count", 1n);
				await c.cron.set({ name: "nightly", expression: "0 3 * * *", action: "count" });
				await c.cron.every({ name: "often", interval: DAY_MS, action: "count" });
				return at;
			},
			count: (c) => c.state.count,
		},
	});
	return { subject, wakes };
}

it.each(STORES)(
	"reads of what sleeps answer as awake, and wake nobody (%s)",
	async (_name, open) => {
		await using opened = await open();
		const { subject, wakes } = scene();
		await using runtime = await TestRuntime.start({ subject }, { store: opened.store });
		const id = await runtime.actorId("subject");
		await using _socket = await WireSocket.connect(`${runtime.url}/gateway/${id}/connect`, {
			connParams: { user: "ann" },
		});
		const { output: at } = (await (await runtime.action(id, "fill")).json()) as { output: number };
		const read = async (path: string) => (await inspect(runtime, id, path)).body;
		const paths = [
			"state",
			"connections",
			"rpcs",
			"queue",
			"traces?endMs=1",
			"workflow-history",
			"summary",
			"queue/messages",
			"queue/dead-letters",
			"schedules",
			"kv",
			"kv?prefix=a/&limit=1",
			"kv?reverse=true",
		];
		const awake = new Map<string, unknown>();
		for (const path of paths) awake.set(path, await read(path));
		await runtime.embedded.host.stop(id, "sleep");
		for (const path of paths) expect([path, await read(path)]).toEqual([path, awake.get(path)]);
		expect(runtime.embedded.host.liveActorIds).toEqual([]);
		expect(wakes).toHaveLength(1);

		expect(awake.get("state")).toEqual({ state: { count: 7 }, isStateEnabled: true });
		expect(awake.get("connections")).toMatchObject({
			connections: [{ details: { params: { user: "ann" }, state: { seat: 3 } } }],
		});
		expect(awake.get("queue/messages")).toEqual({
			messages: [
				{
					id: 1,
					name: "other",
					createdAtMs: expect.any(Number),
					size: expect.any(Number),
					priority: 0,
					attempt: 0,
					place: "ready",
					body: { text: "later" },
				},
				expect.objectContaining({
					id: 2,
					name: "dead",
					body: 5,
					givenUp: { queue: "jobs", attempts: 1, atMs: expect.any(Number) },
				}),
			],
			next: null,
		});
		expect(awake.get("queue/dead-letters")).toEqual({
			deadLetters: [
				{
					id: 2,
					name: "dead",
					queue: "jobs",
					body: 5,
					attempts: 1,
					createdAtMs: expect.any(Number),
					givenUpAtMs: expect.any(Number),
				},
			],
		});
		expect(awake.get("schedules")).toEqual({
			schedules: [
				{ id: expect.any(String), kind: "at", action: "count", args: ["1"], nextRunAt: at },
				expect.objectContaining({
					name: "nightly",
					kind: "cron",
					expression: "0 3 * * *",
					timezone: expect.any(String),
					args: [],
					nextRunAt: expect.any(Number),
					maxHistory: 100,
					catchUp: "once",
					overlap: "skip",
				}),
				expect.objectContaining({ name: "often", kind: "every", intervalMs: DAY_MS }),
			],
		});
		expect(awake.get("kv")).toEqual({
			entries: [
				{ key: "a/1", value: "one", type: "text", size: 3 },
				{ key: "a/2", value: "/wE=", type: "binary", size: 2 },
				{ key: "b", value: "three", type: "text", size: 5 },
				{ key: "\ufffd\0", keyBytes: "/gA=", value: "of bytes", type: "text", size: 8 },
				{ key: "\ufffd\0", keyBytes: "/wA=", value: "of others", type: "text", size: 9 },
			],
			next: null,
		});
		const { next } = awake.get("kv?prefix=a/&limit=1") as { next: string };
		expect((await read(`kv?prefix=a/&limit=1&after=${next}`)).entries).toMatchObject([
			{ key: "a/2" },
		]);
		expect((await read(`kv?prefix=a/&limit=1&after=${next}`)).next).toBeNull();
		expect((await inspect(runtime, id, "kv?after=zz")).status).toBe(400);
	},
);

it("is woken when that is asked for, and for changes", async () => {
	const { subject } = scene();
	await using runtime = await TestRuntime.start({ subject });
	const id = await runtime.actorId("subject");
	const asleep = async () => {
		await runtime.embedded.host.stop(id, "sleep");
		expect(runtime.embedded.host.liveActorIds).toEqual([]);
	};
	const isAwake = () => expect(runtime.embedded.host.liveActorIds).toEqual([id]);
	await asleep();
	await inspect(runtime, id, "state?wake=true");
	isAwake();
	await asleep();
	expect((await inspect(runtime, id, "wake", { method: "POST" })).body).toEqual({ ok: true });
	isAwake();
	await asleep();
	await inspect(runtime, id, "state", { method: "PATCH", body: { state: { count: 9 } } });
	isAwake();
	await asleep();
	const { body } = await inspect(runtime, id, "action/count", { method: "POST" });
	expect(body).toEqual({ output: 9 });
	isAwake();
});

it("the lifecycle report says why an actor is awake, and what happened to it", async () => {
	const gate = new Gate();
	const { wakes } = scene();
	const subject = actor({
		state: {},
		options: { sleepTimeout: 60_000 },
		onWake: () => {
			wakes.push(1);
		},
		actions: {
			wait: () => gate.passed,
			nap: (c) => c.sleep(),
		},
	});
	await using runtime = await TestRuntime.start({ subject });
	const id = await runtime.actorId("subject", "a/b");
	const report = async () => (await inspect(runtime, id, "lifecycle")).body;
	expect(await report()).toEqual({
		actorId: id,
		name: "subject",
		key: ["a", "b"],
		generation: 0,
		status: "awake",
		phase: "ready",
		awakeBecause: [
			expect.stringMatching(/^it has been idle for \d+ ms, and sleeps after 60000 ms/),
		],
		createdAtMs: expect.any(Number),
		startedAtMs: expect.any(Number),
		sleptAtMs: null,
		wakesAtMs: null,
		failure: null,
		history: [
			{ atMs: expect.any(Number), generation: 0, event: "starting" },
			{ atMs: expect.any(Number), generation: 0, event: "ready" },
		],
	});
	const waiting = runtime.action(id, "wait");
	// Looking at it is not among the reasons.
	await eventually(async () =>
		expect((await report()).awakeBecause).toEqual([
			"1 action in progress: wait",
			"1 request in progress",
		]),
	);
	gate.open();
	await waiting;
	await runtime.action(id, "nap");
	await eventually(async () => expect((await report()).status).toBe("sleeping"));
	const asleep = await report();
	expect(asleep).toMatchObject({ phase: null, awakeBecause: [], sleptAtMs: expect.any(Number) });
	expect(
		asleep.history.map(({ event, detail }: Record<string, string>) => [event, detail]),
	).toEqual([
		["starting", undefined],
		["ready", undefined],
		["stopping", "it was asked to sleep"],
		["asleep", undefined],
	]);
});

it("an actor that was destroyed, or never was, is not found", async () => {
	const { subject } = scene();
	await using runtime = await TestRuntime.start({ subject });
	const id = await runtime.actorId("subject");
	await fetch(`${runtime.url}/actors/${id}`, { method: "DELETE" });
	for (const [path, method] of [
		["state", "GET"],
		["summary", "GET"],
		["lifecycle", "GET"],
		["state", "PATCH"],
		["action/count", "POST"],
	] as const) {
		for (const actorId of [id, "no-such-actor"]) {
			const answer = await inspect(runtime, actorId, path, { method });
			expect([path, answer.status, answer.body.group, answer.body.code]).toEqual([
				path,
				404,
				"actor",
				"not_found",
			]);
		}
	}
});

it("an actor that fails to start shows its data and why, and is not started for that", async () => {
	const trouble = { isThere: false, starts: 0 };
	const subject = actor({
		state: { count: 3 },
		onWake: () => {
			trouble.starts++;
			if (trouble.isThere) throw new Error("the disk is on fire");
		},
		actions: { get: (c) => c.state.count },
	});
	await using runtime = await TestRuntime.start({ subject });
	const id = await runtime.actorId("subject");
	await runtime.embedded.host.stop(id, "sleep");
	trouble.isThere = true;
	expect((await runtime.action(id, "get")).status).toBe(500);
	expect((await inspect(runtime, id, "state")).body.state).toEqual({ count: 3 });
	expect((await inspect(runtime, id, "summary")).body.rpcs).toEqual(["get"]);
	const { body } = await inspect(runtime, id, "lifecycle");
	expect(body).toMatchObject({
		status: "failing",
		failure: { message: "Error: the disk is on fire", retryAtMs: expect.any(Number) },
	});
	expect(body.history.at(-1)).toMatchObject({ event: "startFailed" });
	expect(trouble.starts).toBe(2);
	// What needs it awake gets what its callers get.
	const called = await inspect(runtime, id, "action/get", { method: "POST" });
	expect(called).toMatchObject({
		status: 500,
		body: { group: "rivetkit", code: "internal_error" },
	});
	trouble.isThere = false;
	await eventually(async () => expect((await runtime.action(id, "get")).status).toBe(200));
	expect((await inspect(runtime, id, "lifecycle")).body).toMatchObject({
		status: "awake",
		failure: null,
	});
});

it("an actor that is on its way in, or out, is answered for at once", async () => {
	const [starting, stopping] = [new Gate(), new Gate()];
	let slow = false;
	const subject = actor({
		state: { count: 3 },
		onWake: () => (slow ? starting.passed : undefined),
		onSleep: (c) => {
			c.state.count = 4;
			return stopping.passed;
		},
		actions: { get: (c) => c.state.count },
	});
	await using runtime = await TestRuntime.start({ subject });
	const id = await runtime.actorId("subject");
	slow = true;
	const stopped = runtime.embedded.host.stop(id, "sleep");
	await eventually(async () => {
		const { body } = await inspect(runtime, id, "lifecycle");
		expect(body).toMatchObject({ status: "stopping", phase: "onSleep" });
	});
	expect((await inspect(runtime, id, "state")).body.state).toEqual({ count: 4 });
	stopping.open();
	await stopped;
	const called = runtime.action(id, "get");
	await eventually(async () => {
		const { body } = await inspect(runtime, id, "lifecycle");
		expect(body).toMatchObject({ status: "starting", phase: null });
	});
	expect((await inspect(runtime, id, "state")).body.state).toEqual({ count: 4 });
	starting.open();
	expect((await called).status).toBe(200);
});

it("reading over and over does not keep an actor awake", async () => {
	const subject = actor({ state: {}, options: { sleepTimeout: 50 } });
	await using runtime = await TestRuntime.start({ subject });
	const id = await runtime.actorId("subject");
	await eventually(async () => {
		expect((await inspect(runtime, id, "lifecycle")).body.status).toBe("sleeping");
	});
	expect((await inspect(runtime, id, "lifecycle")).body.history.at(-2)).toMatchObject({
		event: "stopping",
		detail: "idle for 50 ms (options.sleepTimeout)",
	});
});
