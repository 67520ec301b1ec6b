// `rivetkit actors tail`, as a process, against a server that speaks the inspector's stream (docs/inspector.md).
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { encodeBase64, encodeCbor } from "@rivetkit/protocol";
import { afterAll, beforeAll, beforeEach, expect, it } from "vitest";
import { eventually } from "../support/eventually.ts";
import { connectMcp } from "./support/mcp-client.ts";
import { type CliOutcome, runCli, startCli } from "./support/run-cli.ts";

// They start processes.

const ACTOR = {
	actor_id: "1knf3m7e5z1sk3trahkx1yvpfyal00",
	name: "counter",
	key: "a",
	namespace_id: "default",
	runner_name_selector: "default",
	create_ts: 1,
	status: "awake",
};

/** Streams that were asked for, with the way to answer them. */
let streams: { readonly request: IncomingMessage; readonly response: ServerResponse }[] = [];
let hasStream = true;
const server = createServer((request, response) => {
	const { pathname } = new URL(request.url!, "http://server");
	if (pathname === "/actors") {
		response.setHeader("content-type", "application/json");
		response.end(JSON.stringify({ actors: [ACTOR], pagination: { cursor: null } }));
	} else if (hasStream && pathname === `/gateway/${ACTOR.actor_id}/inspector/stream`) {
		response.writeHead(200, { "content-type": "text/event-stream" });
		response.write('event: open\ndata: {"topics":[]}\n\n');
		streams.push({ request, response });
	} else {
		response.writeHead(404).end("Not Found (RivetKit)");
	}
});
let endpoint = "";

beforeAll(async () => {
	await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
	endpoint = `http://127.0.0.1:${(server.address() as { port: number }).port}`;
});

afterAll(() => {
	server.closeAllConnections();
	server.close();
});

beforeEach(() => {
	streams = [];
	hasStream = true;
});

async function tailing(...args: string[]) {
	const running = startCli(["actors", "tail", "counter/a", ...args], {
		env: { RIVET_ENDPOINT: endpoint },
	});
	const stream = async (index: number) =>
		eventually(() => {
			expect(streams.length).toBeGreaterThan(index);
			return streams[index]!;
		});
	await stream(0);
	return {
		running,
		stream,
		send(event: string, data: object | string, id?: string) {
			const { response } = streams.at(-1)!;
			const text = typeof data === "string" ? data : JSON.stringify(data);
			response.write(`${id === undefined ? "" : `id: ${id}\n`}event: ${event}\ndata: ${text}\n\n`);
		},
	};
}

const exactly = (data: object) => encodeBase64(encodeCbor(data));

const lines = ({ stdout }: CliOutcome) => stdout.split("\n").filter((line) => line !== "");

it("prints what happens, one line each, and ends when the actor is destroyed", async () => {
	const { send, running, stream } = await tailing();
	const { request } = await stream(0);
	expect(new URL(request.url!, endpoint).searchParams.get("topics")).toBe(
		"state,connections,queue,schedules,lifecycle,events,logs",
	);
	send("state", { state: { count: 1, list: [1] }, isStateEnabled: true });
	send("state", { state: { count: 2, list: [1, 2] }, isStateEnabled: true });
	const connection = { type: "websocket", id: "c1", details: {} };
	send("connections", { connections: [] });
	send("connections", { connections: [connection] });
	send("connections", { connections: [] });
	send("queue", { size: 3, maxSize: 1000 });
	send("schedules", {
		schedules: [{ id: "s", kind: "at", action: "add", nextRunAt: 0, args: [] }],
	});
	send("lifecycle", {
		status: "awake",
		awakeBecause: ["it has been idle for 5 ms, and sleeps after 800 ms"],
	});
	send("lifecycle", {
		status: "awake",
		awakeBecause: ["it has been idle for 105 ms, and sleeps after 800 ms"],
	});
	send("lifecycle", { status: "sleeping", awakeBecause: [] });
	send("events", { id: "1", atMs: 1, name: "count", args: [2, "x"], subscribers: 1 });
	send("logs", { id: "2", atMs: 1, level: "info", message: "hi\u001b[31m", fields: { n: 1 } });
	send("dropped", { topic: "logs", count: 4 });
	send("dropped", { topic: "events", count: null });
	send("end", { group: "actor", code: "not_found", message: "Actor destroyed" });
	const outcome = await running.ended;
	expect(lines(outcome).map((line) => line.replace(/^\d\d:\d\d:\d\d\.\d{3} {2}/, ""))).toEqual([
		'state       {"count":1,"list":[1]}',
		"state       count: 2",
		"state       list[1]: 2",
		"connections 0 connections",
		"connections + websocket c1",
		"connections - websocket c1",
		"queue       3 of 1000 messages",
		"schedules   1 scheduled, next add at 1970-01-01T00:00:00.000Z",
		"lifecycle   awake: it has been idle for 5 ms, and sleeps after 800 ms",
		"lifecycle   sleeping",
		'events      count(2,"x")',
		'logs        INFO hi\\x1b[31m {"n":1}',
		"dropped     4 of logs were missed, because they came faster than they were read",
		"dropped     some of events may be missing: more happened meanwhile than the server keeps",
	]);
	expect([outcome.code, outcome.stderr]).toEqual([0, "The end of counter/a: it is destroyed.\n"]);
});

it("prints lines of JSON for programs, and only what is asked for; Ctrl-C ends it", async () => {
	const { send, running, stream } = await tailing("--json", "--only", "state, logs");
	const { request } = await stream(0);
	expect(new URL(request.url!, endpoint).searchParams.get("topics")).toBe("state,logs");
	send("state", { state: 1, isStateEnabled: true });
	await eventually(() => expect(running.stdout).toContain("\n"));
	running.signal("SIGINT");
	const outcome = await running.ended;
	expect([outcome.code, outcome.stderr]).toEqual([0, ""]);
	expect(lines(outcome).map((line) => JSON.parse(line))).toEqual([
		{ topic: "state", atMs: expect.any(Number), data: { state: 1, isStateEnabled: true } },
	]);
});

it("goes on where it was when the server comes back", async () => {
	const { send, running, stream } = await tailing("--only", "logs");
	send("logs", { id: "41", level: "info", message: "before", fields: {} }, "41");
	await eventually(() => expect(running.stdout).toContain("before"));
	(await stream(0)).response.destroy();
	const { request } = await stream(1);
	expect(request.headers["last-event-id"]).toBe("41");
	send("logs", { id: "42", level: "warn", message: "after", fields: {} }, "42");
	send("end", { group: "actor", code: "not_found", message: "Actor destroyed" });
	const outcome = await running.ended;
	expect(outcome.stdout).toMatch(/INFO before\n.*WARN after\n$/);
	expect(outcome.stderr).toBe(
		"The server went away; waiting for it.\nIt goes on.\nThe end of counter/a: it is destroyed.\n",
	);
});

it("of an actor on a server without the stream, or with a wrong topic, is refused", async () => {
	hasStream = false;
	const [none, wrong] = await Promise.all([
		runCli(["actors", "tail", "counter/a"], { env: { RIVET_ENDPOINT: endpoint } }),
		runCli(["actors", "tail", "counter/a", "--only", "stat"], {
			env: { RIVET_ENDPOINT: endpoint },
		}),
	]);
	expect([none.code, none.stderr]).toEqual([
		1,
		"error: The server does not have this: it is older, or its inspector is switched off (RIVET_INSPECTOR_DISABLE).\n",
	]);
	expect(wrong.code).toBe(2);
	expect(wrong.stderr).toContain("--only takes state, connections");
});

it("an agent watches it for a while, or until it is destroyed", async () => {
	await using t = await connectMcp([], { endpoint });
	const short = t.use("watch_actor", { actor: "counter/a", seconds: 2, topics: ["queue"] });
	const { request, response } = await eventually(() => {
		expect(streams).toHaveLength(1);
		return streams[0]!;
	});
	expect(new URL(request.url!, endpoint).searchParams.get("topics")).toBe("queue");
	response.write('event: queue\ndata: {"size":1,"maxSize":9}\n\n');
	expect(await short).toEqual({
		events: [{ topic: "queue", atMs: expect.any(Number), data: { size: 1, maxSize: 9 } }],
		truncated: false,
		ended: null,
	});
	const whole = t.use("watch_actor", { actor: "counter/a", seconds: 60 });
	await eventually(() => expect(streams).toHaveLength(2));
	streams[1]!.response.end();
	await eventually(() => expect(streams).toHaveLength(3));
	streams[2]!.response.write(
		'event: end\ndata: {"group":"actor","code":"not_found","message":"-"}\n\n',
	);
	const atMs = expect.any(Number);
	expect(await whole).toEqual({
		events: [
			{ topic: "lost", atMs, data: { why: "ended" } },
			{ topic: "back", atMs, data: {} },
		],
		truncated: false,
		ended: "it is destroyed",
	});
});

it("writes values that JSON has no form for as the other verbs do", async () => {
	const state = (n: bigint) => exactly({ state: { n, at: new Date(0) }, isStateEnabled: true });
	const event = exactly({ id: 1, name: "news", args: [5n], subscribers: 0 });
	const END = { group: "actor", code: "not_found", message: "gone" };
	const people = await tailing();
	const { request } = await people.stream(0);
	expect(new URL(request.url!, endpoint).searchParams.get("values")).toBe("cbor");
	people.send("state", state(1n));
	people.send("state", state(2n));
	people.send("events", event);
	people.send("end", END);
	expect(lines(await people.running.ended).map((line) => line.slice(14))).toEqual([
		'state       {"n":["$BigInt","1"],"at":["$Date","1970-01-01T00:00:00.000Z"]}',
		'state       n: ["$BigInt","2"]',
		'events      news(["$BigInt","5"])',
	]);
	streams = [];
	const machine = await tailing("--json");
	machine.send("state", state(1n));
	machine.send("end", END);
	expect(JSON.parse(lines(await machine.running.ended)[0]!).data.state.n).toEqual(["$BigInt", "1"]);
});
