import { systemRandom } from "@rivetkit/protocol";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createEngine, type Engine, type EngineStats } from "../../src/index.ts";
import { createMemoryStore } from "../../src/store/memory/memory-store.ts";
import { until } from "../helpers/until.ts";
import { ScriptedRunner } from "../runners/scripted-runner.ts";
import { ScriptedHost } from "./scripted-host.ts";

/** Pools whose runners the engine starts by requests (engine 5; numbers of engine 11 behind the names). */

type Json = Record<string, unknown>;

const TOKEN = "admin";
const RETRY_MS = 40;

let engine: Engine;
let stats: () => EngineStats;
let url: string;
let host: ScriptedHost;
let actorCount = 0;

beforeEach(async () => {
	host = await ScriptedHost.listen();
	const random = systemRandom();
	engine = createEngine({
		store: createMemoryStore(),
		version: "test",
		token: TOKEN,
		random: { ...bound(random), fraction: () => 0 },
		logger: { debug() {}, info() {}, warn() {}, error() {} },
	});
	stats = engine.attachRunners(
		{ pingIntervalMs: 100, runnerLostThresholdMs: 10_000, actorStopThresholdMs: 60_000 },
		{ serverless: { retryBaseMs: RETRY_MS, metadataPollMs: 50, metadataPollMinMs: 50 } },
	);
	({ url } = await engine.listen({ port: 0 }));
});

afterEach(async () => {
	await engine.close();
	await host.close();
});

/** The same, with methods that can be spread. */
function bound(random: ReturnType<typeof systemRandom>) {
	return {
		uuid: () => random.uuid(),
		bytes: (length: number) => random.bytes(length),
		fraction: () => random.fraction(),
	};
}

async function call(method: string, path: string, body?: unknown, token = TOKEN) {
	const answer = await fetch(`${url}${path}${path.includes("?") ? "&" : "?"}namespace=default`, {
		method,
		headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
		...(body === undefined ? {} : { body: JSON.stringify(body) }),
	});
	return { status: answer.status, body: (await answer.json()) as Json };
}

async function configure(fields: object = {}, more: object = {}): Promise<void> {
	const serverless = {
		url: `${host.url}/a/`,
		headers: { "x-own": "yes" },
		request_lifespan: 600,
		slots_per_runner: 2,
		max_runners: 10,
		...fields,
	};
	const body = { datacenters: { default: { serverless, ...more } } };
	expect((await call("PUT", "/runner-configs/pool", body)).status).toBe(200);
}

async function create(key = `k${++actorCount}`, crashPolicy = "sleep"): Promise<string> {
	const { body } = await call("PUT", "/actors", {
		name: "any",
		key,
		runner_name_selector: "pool",
		crash_policy: crashPolicy,
	});
	return (body.actor as Json).actor_id as string;
}

async function actorOf(actorId: string): Promise<Json> {
	const { body } = await call("GET", `/actors?actor_ids=${actorId}`);
	return (body.actors as Json[])[0]!;
}

const isAwake = (actorId: string) =>
	until(async () => expect((await actorOf(actorId)).status).toBe("awake"));

async function poolError(): Promise<unknown> {
	const { body } = await call("GET", "/runner-configs");
	const { pool } = body.runner_configs as Record<string, { datacenters: { default: Json } }>;
	return pool!.datacenters.default.runner_pool_error;
}

describe("a start request (no. 69)", () => {
	it("has the contract's headers, and becomes a runner that hosts the actor", async () => {
		await configure();
		const actorId = await create();
		await isAwake(actorId);
		expect(host.starts).toHaveLength(1);
		const { path, headers, runner } = host.starts[0]!;
		expect(path).toBe("/a/start");
		expect(headers).toMatchObject({
			accept: "text/event-stream",
			"x-own": "yes",
			"x-rivet-endpoint": url,
			"x-rivet-total-slots": "2",
			"x-rivet-runner-name": "pool",
			"x-rivet-namespace-name": "default",
			"x-rivet-namespace-id": "default",
		});
		expect(runner!.commands[0]!.checkpoint.actorId).toBe(actorId);
		expect(runner!.init!.metadata.serverlessDrainGracePeriod).toBe(10_000);
		expect(stats()).toMatchObject({ serverlessRequests: 1, poolsFailing: 0, connected: 1 });
	});

	it("hands out a token that is good for a runner, and for nothing else (Q22)", async () => {
		await configure();
		await isAwake(await create());
		const token = String(host.starts[0]!.headers["x-rivet-token"]);
		expect(token).not.toBe(TOKEN);
		expect((await call("GET", "/namespaces", undefined, token)).status).toBe(403);
		const elsewhere = await ScriptedRunner.connect(url, {
			token,
			namespace: "other",
			isSilent: true,
		});
		expect(await elsewhere.closed).toMatchObject({ reason: "api.forbidden" });
	});
});

describe("how many", () => {
	it("as many as the slots that are wanted, at most the maximum; the rest waits", async () => {
		await configure({ max_runners: 2 });
		const ids = await Promise.all(Array.from({ length: 5 }, () => create()));
		await until(() => expect(stats()).toMatchObject({ waiting: 1, freeSlots: 0 }));
		expect(host.starts).toHaveLength(2);
		const [first] = host.starts;
		const { actorId, generation } = first!.runner!.commands[0]!.checkpoint;
		first!.runner!.state(actorId, generation, "wantsSleep");
		await until(() => expect(stats().waiting).toBe(0));
		const waiting = (await Promise.all(ids.map(actorOf))).filter(
			({ pending_allocation_ts }) => pending_allocation_ts !== null,
		);
		expect(waiting).toEqual([]);
		expect(host.starts).toHaveLength(2);
	});

	it("the minimum without any actor, and a margin above what is wanted", async () => {
		await configure({ min_runners: 2, runners_margin: 1, slots_per_runner: 1 });
		await until(() => expect(stats().connected).toBe(2));
		await isAwake(await create());
		await isAwake(await create());
		await until(() => expect(stats().connected).toBe(3));
		expect(host.starts).toHaveLength(3);
	});

	it("a surplus is let go of, the emptiest first", async () => {
		await configure({ slots_per_runner: 1 });
		const [one, other] = [await create(), await create()];
		await isAwake(one);
		await isAwake(other);
		const startOf = (actorId: string) =>
			host.starts.find(({ runner }) => runner!.commands[0]?.checkpoint.actorId === actorId)!;
		startOf(one).runner!.state(one, 0, "wantsSleep");
		await until(() => expect(startOf(one).isOver).toBe(true));
		expect(startOf(other).isOver).toBe(false);
		expect((await actorOf(other)).status).toBe("awake");
	});

	it("none when the maximum is 0, and all go when the pool is configured otherwise or not at all", async () => {
		await configure({ max_runners: 0 });
		const actorId = await create();
		expect(await actorOf(actorId)).toMatchObject({ status: "sleeping", error: "no_capacity" });
		await configure({ min_runners: 1 });
		await until(() => expect(host.open).toHaveLength(1));
		await call("PUT", "/runner-configs/pool", { datacenters: { default: { normal: {} } } });
		await until(() => expect(host.open).toHaveLength(0));
		await configure({ min_runners: 1 });
		await until(() => expect(host.open).toHaveLength(1));
		await call("DELETE", "/runner-configs/pool");
		await until(() => expect(host.open).toHaveLength(0));
		expect(host.starts).toHaveLength(2);
	});
});

it("before its lifespan ends a request gives its actors to the next one; then it is cut (no. 70)", async () => {
	host.runnerOptions = { stopsAtOnce: false };
	await configure({ request_lifespan: 3, drain_grace_period: 2 });
	// The engine counts from when it asks; the host sees the request later.
	const began = Date.now();
	const actorId = await create();
	await isAwake(actorId);
	const [first] = host.starts;
	host.runnerOptions = { stopsAtOnce: true };
	await until(() => expect(host.starts).toHaveLength(2));
	expect(host.starts[1]!.ts - began).toBeGreaterThanOrEqual(950);
	expect(first!.isOver).toBe(false);
	await until(() =>
		expect(first!.runner!.commands.map(({ inner }) => inner.tag)).toEqual([
			"CommandStartActor",
			"CommandStopActor",
		]),
	);
	// It does not stop, so it is lost with its runner.
	expect(await first!.runner!.closed).toEqual({ code: 1000, reason: "ws.eviction" });
	expect(Date.now() - began).toBeGreaterThanOrEqual(2_950);
	await until(async () => expect((await actorOf(actorId)).status).toBe("sleeping"));
	const answer = call("GET", `/gateway/${actorId}/x`);
	const next = await until(() => {
		const runner = host.starts.at(-1)!.runner!;
		expect(runner.tunnel).toHaveLength(1);
		return runner;
	});
	next.answer(next.tunnel[0]!, {
		tag: "ToServerResponseStart",
		val: { status: 200, headers: new Map(), body: Buffer.from("{}"), stream: false },
	});
	expect((await answer).status).toBe(200);
	expect(await actorOf(actorId)).not.toHaveProperty("error");
});

it.each([
	["stops in time", true],
	["is cut with its request", false],
])(
	"an actor that sleeps when its request is drained, but is called meanwhile, and %s goes on in the one request after",
	async (_how, stopsInTime) => {
		host.runnerOptions = { stopsAtOnce: false };
		// Drained after 1.5 s.
		await configure({ request_lifespan: 2 });
		const actorId = await create("called");
		await isAwake(actorId);
		host.runnerOptions = { stopsAtOnce: true };
		await until(() => expect(host.starts[1]?.runner?.init).toBeDefined());
		const answer = call("GET", `/gateway/${actorId}/x`);
		const [first, second] = host.starts.map(({ runner }) => runner!);
		// Behind the call on its way.
		await call("GET", `/actors?actor_ids=${actorId}`);
		if (stopsInTime) first!.obey();
		await until(() => expect(second!.tunnel).toHaveLength(1));
		second!.answer(second!.tunnel[0]!, {
			tag: "ToServerResponseStart",
			val: { status: 200, headers: new Map(), body: Buffer.from("{}"), stream: false },
		});
		expect((await answer).status).toBe(200);
		await until(() => expect(host.starts[0]!.isOver).toBe(true));
		expect(host.starts).toHaveLength(2);
		expect(stats().serverlessRequests).toBe(1);
	},
);

it.each([
	["stops when it is told to", true],
	["is cut with its request", false],
])(
	"an actor that is to run again and %s goes on in the one request after",
	async (_how, stopsAtOnce) => {
		host.runnerOptions = { stopsAtOnce };
		// Drained after 1.5 s.
		await configure({ request_lifespan: 2 });
		const actorId = await create("again", "restart");
		await isAwake(actorId);
		host.runnerOptions = { stopsAtOnce: true };
		await until(() => expect(host.starts[0]!.isOver).toBe(true));
		await isAwake(actorId);
		const commandsOf = ({ runner }: (typeof host.starts)[number]) =>
			runner!.commands.map(({ inner }) => inner.tag);
		expect(host.starts.map(commandsOf)).toEqual([
			["CommandStartActor", "CommandStopActor"],
			["CommandStartActor"],
		]);
		expect(stats().serverlessRequests).toBe(1);
	},
);

describe("a host that fails (no. 71)", () => {
	it.each<[string, ScriptedHost["does"], unknown]>([
		["answers 500", 500, { serverless_http_error: { status_code: 500, body: "it is broken" } }],
		["ends before it greets", "ends", "serverless_stream_ended_early"],
		[
			"greets with something else",
			{ data: "*" },
			{ serverless_invalid_sse_payload: { message: "not base64", raw_payload: "*" } },
		],
	])("that %s is shown with the pool and its actors", async (_what, does, error) => {
		host.does = does;
		await configure();
		const actorId = await create();
		await until(async () => expect(await poolError()).toEqual(error));
		expect(await actorOf(actorId)).toMatchObject({
			error: { runner_pool_error: error },
			pending_allocation_ts: expect.any(Number),
		});
		expect(stats().poolsFailing).toBe(1);
	});

	it("that cannot be reached, too; callers need not wait, and the pauses grow", async () => {
		host.does = 500;
		await configure();
		const actorId = await create();
		await until(() => expect(host.starts.length).toBeGreaterThanOrEqual(5));
		const pauses = host.starts.slice(1, 5).map(({ ts }, index) => ts - host.starts[index]!.ts);
		for (const [index, pause] of pauses.entries()) {
			expect(pause).toBeGreaterThanOrEqual(RETRY_MS * 2 ** index - 5);
		}
		const answer = await call("GET", `/gateway/${actorId}/x`);
		expect([answer.status, answer.body.code]).toEqual([503, "actor_runner_failed"]);
		const gone = await ScriptedHost.listen();
		const goneUrl = gone.url;
		await gone.close();
		await configure({ url: goneUrl });
		await until(async () => {
			expect(await poolError()).toEqual({
				serverless_connection_error: { message: expect.stringContaining("ECONNREFUSED") },
			});
		});
	});

	it("whose runners go to another node of the address fails, too: it is not asked again and again", async () => {
		const other = createEngine({
			store: createMemoryStore(),
			version: "test",
			token: TOKEN,
			logger: { debug() {}, info() {}, warn() {}, error() {} },
		});
		other.attachRunners();
		host.engineUrl = (await other.listen({ port: 0 })).url;
		try {
			await configure();
			const actorId = await create();
			await until(() => expect(host.starts.length).toBeGreaterThanOrEqual(4));
			const pauses = host.starts.slice(1, 4).map(({ ts }, index) => ts - host.starts[index]!.ts);
			for (const [index, pause] of pauses.entries()) {
				expect(pause).toBeGreaterThanOrEqual(RETRY_MS * 2 ** index - 5);
			}
			const message = expect.stringContaining(`${url} (public_url)`);
			expect(await poolError()).toEqual({ serverless_connection_error: { message } });
			// Each request that failed was let go of.
			await until(() => expect(host.starts[0]!.isOver).toBe(true));
			host.engineUrl = undefined;
			await isAwake(actorId);
		} finally {
			await other.close();
		}
	});

	it("is well again after three good starts", async () => {
		host.does = 500;
		await configure({ slots_per_runner: 1 });
		const ids = [await create(), await create()];
		await until(async () => expect(await poolError()).toBeDefined());
		host.does = "runs";
		for (const actorId of ids) await isAwake(actorId);
		expect(await poolError()).toBeDefined();
		await isAwake(await create());
		await until(async () => expect(await poolError()).toBeUndefined());
	});
});

describe("what a host says of itself (no. 72)", () => {
	it("names are known, and a newer version drains the older runners", async () => {
		const versioned = (version: number) => ({
			runtime: "rivetkit",
			version: "9",
			runner: { version },
			actorNames: { chat: { metadata: { icon: "bell" } }, odd: 1 },
		});
		host.metadata = versioned(1);
		await configure({}, { drain_on_version_upgrade: true });
		const actorId = await create();
		await isAwake(actorId);
		await until(async () => {
			expect((await call("GET", "/actors/names")).body.names).toEqual({
				any: { metadata: {} },
				chat: { metadata: { icon: "bell" } },
			});
		});
		host.runnerOptions = { stopsAtOnce: true, codeVersion: 2 };
		host.metadata = versioned(2);
		await until(() => expect(host.starts[0]!.isOver).toBe(true));
		expect(host.starts[0]!.runner!.commands.at(-1)!.inner.tag).toBe("CommandStopActor");
		await until(async () => expect((await actorOf(actorId)).status).toBe("sleeping"));
	});

	it("is asked for at once when it is another host, again and again, and on demand", async () => {
		await configure({ metadata_poll_interval: 60_000 });
		await until(() => expect(host.metadataCount).toBe(1));
		expect((await call("POST", "/runner-configs/pool/refresh-metadata", {})).body).toEqual({});
		expect(host.metadataCount).toBe(2);
		await configure({ metadata_poll_interval: 50, headers: {} });
		await until(() => expect(host.metadataCount).toBeGreaterThanOrEqual(5));
	});

	it("is asked for as often as the pool's configuration says now", async () => {
		await configure({ metadata_poll_interval: 60_000 });
		await until(() => expect(host.metadataCount).toBe(1));
		await configure({ metadata_poll_interval: 50 });
		await until(() => expect(host.metadataCount).toBeGreaterThanOrEqual(4));
	});

	it.each<[string, unknown, object]>([
		[
			"another runtime",
			{ runtime: "other", version: "1" },
			{ kind: "invalid_response_schema", runtime: "other", version: "1" },
		],
		["no version", { runtime: "rivetkit", version: " " }, { kind: "invalid_response_schema" }],
		["an error", 404, { kind: "non_success_status", status_code: 404, body: "404" }],
	])("a health check tells %s", async (_what, metadata, expected) => {
		host.metadata = metadata;
		const check = (address: string) =>
			call("POST", "/runner-configs/serverless-health-check", { url: address });
		const { status, body } = await check(`${host.url}/a`);
		expect(status).toBe(200);
		expect(body).toEqual({
			failure: {
				error: { message: expect.any(String), metadata: expect.objectContaining(expected) },
			},
		});
	});

	it("a health check tells a good host, one that is not there, and what is no address", async () => {
		const check = async (address: string) =>
			(await call("POST", "/runner-configs/serverless-health-check", { url: address })).body;
		expect(await check(`${host.url}/a/`)).toEqual({ success: { version: "9" } });
		const kind = (name: string) => ({ failure: { error: { metadata: { kind: name } } } });
		expect(await check("http://127.0.0.1:9")).toMatchObject(kind("request_failed"));
		expect(await check("/a")).toMatchObject(kind("invalid_request"));
		expect(await check("http://127.0.0.1:1")).toMatchObject({
			failure: { error: { details: expect.stringContaining("fetch refuses port 1, ") } },
		});
	});
});

it("another URL drains the old requests and starts new ones (no. 73)", async () => {
	await configure();
	const actorId = await create();
	await isAwake(actorId);
	await configure({ url: `${host.url}/b`, min_runners: 1 });
	await until(() => expect(host.starts[0]!.isOver).toBe(true));
	await until(() => expect(host.open.map(({ path }) => path)).toEqual(["/b/start"]));
	expect(host.starts[0]!.runner!.commands.at(-1)!.inner.tag).toBe("CommandStopActor");
	// The same with other slots is no other host.
	await configure({ url: `${host.url}/b`, min_runners: 1, slots_per_runner: 5 });
	expect(host.open).toHaveLength(1);
});
