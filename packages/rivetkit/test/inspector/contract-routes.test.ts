// Every inspector route of the contract, on an actor that is awake (contract: protocol 7.2, checks 73, 76).
import { expect, it } from "vitest";
import { actor } from "../../src/actor/definition.ts";
import { event, queue } from "../../src/actor/tokens.ts";
import { eventually } from "../support/eventually.ts";
import { Gate } from "../support/gate.ts";
import { TestRuntime } from "../support/test-runtime.ts";
import { WireSocket } from "../support/wire-socket.ts";
import { inspect } from "./support/inspect.ts";

function scene() {
	const seen: unknown[] = [];
	const subject = actor({
		state: { count: 1, big: 5n },
		connState: { seat: 3 },
		events: { tick: event<number>() },
		queues: { jobs: queue<number>(), mail: queue<string>() },
		onStateChange: (_c, state) => {
			seen.push(structuredClone(state));
		},
		onBeforeConnect: (_c, params) => {
			if (!(params as { user?: string } | undefined)?.user) throw new Error("who are you?");
		},
		actions: {
			zeta: (c) => c.state.count,
			add: (c, by: number) => {
				c.state.count += by;
				return { count: c.state.count, big: c.state.big, kind: c.conn.kind };
			},
			nothing: () => {},
			fail: () => {
				throw new Error("secret");
			},
			users: { rename: (_c, user: { name: string }) => user.name.toUpperCase() },
		},
	});
	const plain = actor({ actions: { hi: () => "hi" } });
	return { seen, subject, plain };
}

async function connected(runtime: TestRuntime, actorId: string): Promise<WireSocket> {
	const url = `${runtime.url}/gateway/${actorId}/connect`;
	const socket = await WireSocket.connect(url, { connParams: { user: "ann" } });
	socket.subscribe("tick");
	await eventually(async () => {
		const { body } = await inspect(runtime, actorId, "connections");
		expect(body.connections[0]?.details.subscriptions).toBe(1);
	});
	return socket;
}

it("GET summary, state, connections and rpcs have exactly the contract's members", async () => {
	const { subject, plain } = scene();
	await using runtime = await TestRuntime.start({ subject, plain });
	const id = await runtime.actorId("subject");
	await using _socket = await connected(runtime, id);
	const connection = {
		type: "websocket",
		id: expect.stringMatching(/^[0-9a-f-]{36}$/),
		details: {
			type: "websocket",
			params: { user: "ann" },
			stateEnabled: true,
			state: { seat: 3 },
			subscriptions: 1,
			isHibernatable: true,
		},
	};
	const rpcs = ["zeta", "add", "nothing", "fail", "users.rename"];
	const state = { count: 1, big: "5" };
	expect((await inspect(runtime, id, "state")).body).toStrictEqual({ state, isStateEnabled: true });
	expect((await inspect(runtime, id, "connections")).body).toStrictEqual({
		connections: [connection],
	});
	expect((await inspect(runtime, id, "rpcs")).body).toStrictEqual({ rpcs });
	const summary = await inspect(runtime, id, "summary");
	expect(summary.body).toStrictEqual({
		state,
		connections: [connection],
		rpcs,
		queueSize: 0,
		isStateEnabled: true,
		isDatabaseEnabled: false,
		isWorkflowEnabled: false,
		workflowHistory: null,
	});
	expect(summary.headers.get("content-type")).toBe("application/json");
	expect(summary.headers.get("referrer-policy")).toBe("no-referrer");
	// A trailing slash means nothing, and HEAD is GET without a body.
	expect((await inspect(runtime, id, "state/")).body).toStrictEqual({
		state,
		isStateEnabled: true,
	});
	const head = await fetch(`${runtime.url}/gateway/${id}/inspector/state`, { method: "HEAD" });
	expect([head.status, await head.text()]).toEqual([200, ""]);

	const stateless = await runtime.actorId("plain");
	expect((await inspect(runtime, stateless, "state")).body).toStrictEqual({
		isStateEnabled: false,
	});
	expect((await inspect(runtime, stateless, "summary")).body).toStrictEqual({
		connections: [],
		rpcs: ["hi"],
		queueSize: 0,
		isStateEnabled: false,
		isDatabaseEnabled: false,
		isWorkflowEnabled: false,
		workflowHistory: null,
	});
});

it("PATCH state replaces it through the actor's own setter, and is durable when answered", async () => {
	const { subject, seen, plain } = scene();
	await using runtime = await TestRuntime.start({ subject, plain });
	const id = await runtime.actorId("subject");
	const patch = (body: unknown, actorId = id) =>
		inspect(runtime, actorId, "state", { method: "PATCH", body });
	expect((await patch({ state: { count: 40, extra: [null] } })).body).toStrictEqual({ ok: true });
	expect(seen).toEqual([{ count: 40, extra: [null] }]);
	// Whatever lives on in the process: the store has it.
	await runtime.embedded.host.stop(id, "sleep");
	expect((await inspect(runtime, id, "state")).body.state).toEqual({ count: 40, extra: [null] });
	expect(await (await runtime.action(id, "zeta")).json()).toBeDefined();

	expect(await patch({ status: 1 })).toMatchObject({
		status: 400,
		body: { group: "request", code: "invalid", metadata: null },
	});
	expect((await patch([1])).status).toBe(400);
	expect((await patch({ state: 1 }, await runtime.actorId("plain"))).body).toMatchObject({
		group: "rivetkit",
		code: "internal_error",
	});
	const raw = await fetch(`${runtime.url}/gateway/${id}/inspector/state`, {
		method: "PATCH",
		body: "{",
	});
	expect([raw.status, (await raw.json()).code]).toEqual([400, "invalid"]);
	expect((await inspect(runtime, id, "state")).body.state).toEqual({ count: 40, extra: [null] });
});

it("changes are answered when they are on disk, and not before", async () => {
	const { subject } = scene();
	await using runtime = await TestRuntime.start({ subject });
	const id = await runtime.actorId("subject");
	const { commit } = runtime.store;
	const change = async (path: string, method: string, body?: unknown) => {
		const [reached, gate] = [new Gate(), new Gate()];
		Object.assign(runtime.store, {
			commit: async (batch: never) => {
				reached.open();
				await gate.passed;
				return commit.call(runtime.store, batch);
			},
		});
		let isAnswered = false;
		const answer = inspect(runtime, id, path, { method, body }).then((got) => {
			isAnswered = true;
			return got;
		});
		await reached.passed;
		// A round trip to the same server is later than an answer that had not waited.
		await inspect(runtime, id, "rpcs");
		expect([path, isAnswered]).toEqual([path, false]);
		gate.open();
		expect((await answer).status).toBe(200);
	};
	await change("state", "PATCH", { state: { count: 2 } });
	await change("action/add", "POST", { args: [1] });
	await change("queue", "POST", { name: "jobs", body: 1 });
	await change("queue", "DELETE");
});

it("POST action runs on a connection of its own, past onBeforeConnect", async () => {
	const { subject } = scene();
	await using runtime = await TestRuntime.start({ subject });
	const id = await runtime.actorId("subject");
	const post = (name: string, body?: unknown) =>
		inspect(runtime, id, `action/${name}`, {
			method: "POST",
			...(body === undefined ? {} : { body }),
		});
	expect((await post("add", { args: [2] })).body).toStrictEqual({
		output: { count: 3, big: "5", kind: "inspector" },
	});
	expect((await post("zeta")).body).toStrictEqual({ output: 3 });
	expect((await post("nothing", {})).body).toStrictEqual({});
	expect((await post("users.rename", { properties: { name: "ann" } })).body).toStrictEqual({
		output: "ANN",
	});
	expect((await post("users%2Erename", { args: [{ name: "bob" }] })).body.output).toBe("BOB");
	expect(await post("fail")).toMatchObject({
		status: 500,
		body: { group: "rivetkit", code: "internal_error", metadata: {} },
	});
	expect(JSON.stringify((await post("fail")).body)).not.toContain("secret");
	expect(await post("missing")).toMatchObject({
		status: 400,
		body: { group: "action", code: "not_found" },
	});
	expect((await post("add", { args: 5 })).status).toBe(400);
	expect((await post("add", { args: [], properties: {} })).status).toBe(400);
	// The connection is gone again.
	expect((await inspect(runtime, id, "connections")).body.connections).toEqual([]);
});

it("the queue is listed oldest first without being consumed, added to, and cleared", async () => {
	const { subject } = scene();
	await using runtime = await TestRuntime.start({ subject });
	const id = await runtime.actorId("subject");
	const add = (body: object) => inspect(runtime, id, "queue", { method: "POST", body });
	const first = await add({ name: "jobs", body: 7 });
	expect(first.body).toStrictEqual({ id: "1", name: "jobs", createdAtMs: expect.any(Number) });
	await add({ name: "mail", body: "hello" });
	await add({ name: "jobs" });
	const list = async (query = "") => (await inspect(runtime, id, `queue${query}`)).body;
	const one = (messageId: number, name: string) => ({
		id: messageId,
		name,
		createdAtMs: expect.any(Number),
	});
	const all = [one(1, "jobs"), one(2, "mail"), one(3, "jobs")];
	expect(await list()).toStrictEqual({ size: 3, maxSize: 1000, truncated: false, messages: all });
	expect(await list("?limit=2")).toStrictEqual({
		size: 3,
		maxSize: 1000,
		truncated: true,
		messages: all.slice(0, 2),
	});
	for (const none of ["0", "x", "-1"]) {
		expect(await list(`?limit=${none}`)).toMatchObject({ size: 3, truncated: true, messages: [] });
	}
	expect((await inspect(runtime, id, "summary")).body.queueSize).toBe(3);
	expect(await add({ name: "post", body: 1 })).toMatchObject({
		status: 400,
		body: { message: expect.stringContaining("declared are: jobs, mail") },
	});
	expect((await add({})).status).toBe(400);
	const cleared = await inspect(runtime, id, "queue?name=jobs", { method: "DELETE" });
	expect(cleared.body).toStrictEqual({});
	expect(await list()).toMatchObject({ size: 1, messages: [one(2, "mail")] });
	await inspect(runtime, id, "queue", { method: "DELETE" });
	await runtime.embedded.host.stop(id, "sleep");
	expect(await list()).toMatchObject({ size: 0, messages: [] });
});

it("traces and the workflow's history have the shapes of an actor without them", async () => {
	const { subject } = scene();
	const withAdapter = actor({
		run: { run: () => {}, inspector: { workflow: { getHistory: () => ({ entries: [5n] }) } } },
	});
	await using runtime = await TestRuntime.start({ subject, withAdapter });
	const id = await runtime.actorId("subject");
	expect((await inspect(runtime, id, "traces?startMs=0&endMs=5&limit=10")).body).toStrictEqual({
		otlp: { resourceSpans: [{ scopeSpans: [{ spans: [] }] }] },
		clamped: false,
	});
	expect((await inspect(runtime, id, "workflow-history")).body).toStrictEqual({
		history: null,
		isWorkflowEnabled: false,
	});
	const other = await runtime.actorId("withAdapter");
	expect((await inspect(runtime, other, "workflow-history")).body).toStrictEqual({
		history: { entries: ["5"] },
		isWorkflowEnabled: true,
	});
});

it("what is no route, or has another method, is a plain 404", async () => {
	const { subject } = scene();
	await using runtime = await TestRuntime.start({ subject });
	const id = await runtime.actorId("subject");
	for (const [path, method] of [
		["", "GET"],
		["nothing", "GET"],
		["state", "POST"],
		["action/", "POST"],
		["action/a/b", "POST"],
		["summary", "DELETE"],
		["connect", "GET"],
	] as const) {
		const answer = await inspect(runtime, id, path, { method });
		expect([path, answer.status, answer.headers.get("content-type")]).toEqual([
			path,
			404,
			"text/plain; charset=UTF-8",
		]);
	}
	expect((await inspect(runtime, id, "action/%E0%A4%A", { method: "POST" })).status).toBe(400);
});

it("replaces no state that somebody has changed since it was seen, where If-Match says so", async () => {
	const subject = actor({
		createState: () => ({ n: 1n, at: new Date(0), tags: new Set(["a"]) }),
		actions: { add: (c) => void c.state.n++ },
	});
	await using runtime = await TestRuntime.start({ subject });
	const id = await runtime.actorId("subject");
	const seen = async () => (await inspect(runtime, id, "state")).headers.get("etag")!;
	const patch = async (ifMatch: string, state: unknown) => {
		const headers = { "if-match": ifMatch };
		const { status, body } = await inspect(runtime, id, "state", {
			method: "PATCH",
			body: { state },
			headers,
		});
		return [status, body.code ?? body.ok];
	};
	const refused = [412, "state_changed"];
	const first = await seen();
	expect(first).toMatch(/^"[\w-]{22}"$/);
	expect(await seen()).toBe(first);
	// The same when it sleeps, and when it is awake again.
	await runtime.embedded.host.stop(id, "sleep");
	expect(await seen()).toBe(first);
	await runtime.action(id, "add");
	expect(await patch(first, { n: 5 })).toEqual(refused);
	expect((await inspect(runtime, id, "state")).body.state.n).toBe("2");
	const second = await seen();
	expect(second).not.toBe(first);
	expect(await patch(`W/${second}`, { n: 5 })).toEqual(refused);
	expect(await patch("", { n: 5 })).toEqual(refused);
	expect(await patch(`"other", ${second}`, { n: 5 })).toEqual([200, true]);
	expect(await patch(second, { n: 6 })).toEqual(refused);
	// As a proxy hands it on that compresses: of the same state it is the same version.
	const compressed = (tag: string, by: string) => tag.replace(/"$/, `-${by}"`);
	expect(await patch(compressed(second, "gzip"), { n: 6 })).toEqual(refused);
	expect(await patch(compressed(await seen(), "other"), { n: 6 })).toEqual(refused);
	expect(await patch(compressed(await seen(), "gzip"), { n: 6 })).toEqual([200, true]);
	expect(await patch(compressed(await seen(), "br"), { n: 8 })).toEqual([200, true]);
	expect(await patch("*", { n: 7 })).toEqual([200, true]);
	expect((await inspect(runtime, id, "state")).body.state).toEqual({ n: 7 });
});

it("of two that have seen the same, one replaces the state", async () => {
	const subject = actor({ state: { n: 0 }, actions: { nothing: () => {} } });
	await using runtime = await TestRuntime.start({ subject });
	const id = await runtime.actorId("subject");
	const etag = (await inspect(runtime, id, "state")).headers.get("etag")!;
	const answers = await Promise.all(
		[1, 2, 3, 4].map((n) =>
			inspect(runtime, id, "state", {
				method: "PATCH",
				body: { state: { n } },
				headers: { "if-match": etag },
			}),
		),
	);
	expect(answers.map(({ status }) => status).sort()).toEqual([200, 412, 412, 412]);
});
