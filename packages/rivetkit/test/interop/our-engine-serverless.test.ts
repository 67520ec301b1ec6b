import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import { fileURLToPath } from "node:url";
import { createEngine, createMemoryStore, type Engine } from "@rivetkit/engine";
import { afterAll, beforeAll, expect, it } from "vitest";
import { freePort } from "../../../../scripts/lib/free-port.ts";
import { actor } from "../../src/actor/definition.ts";
import { createClient } from "../../src/client/index.ts";
import { setup } from "../../src/registry/registry.ts";
import { eventually } from "../support/eventually.ts";

/** Serverless hosts behind our engine: `registry.handler()` of ours, and of the published 2.1.3 (engine 11, nos. 14, 69). */

const TOKEN = "admin";

const tally = actor({
	state: { total: 0 },
	actions: {
		bump: (c, by: number) => {
			c.state.total += by;
			return c.state.total;
		},
		nap: (c) => c.sleep(),
		bumpOther: async (c, key: string, by: number): Promise<number> => {
			const client = c.client<Tallies>();
			return client.tally.getOrCreate([key]).bump(by);
		},
	},
});

type Tallies = ReturnType<typeof setup<{ tally: typeof tally }>>;

const ours = (port: number) =>
	setup({
		use: { tally },
		endpoint: url,
		token: TOKEN,
		handleSignals: false,
		noWelcome: true,
		logging: { level: "silent" },
		serverless: {
			configureRunnerPool: {
				name: "ours",
				url: `http://127.0.0.1:${port}/api/rivet`,
				requestLifespan: 60,
				slotsPerRunner: 2,
				maxRunners: 4,
				metadata: { team: "a" },
			},
		},
	});

let engine: Engine;
let stats: ReturnType<Engine["attachRunners"]>;
let url = "";
let registry: ReturnType<typeof ours>;
let server: Server;
let published: ChildProcess;

async function manage(method: string, path: string, body?: object): Promise<unknown> {
	const response = await fetch(`${url}${path}${path.includes("?") ? "&" : "?"}namespace=default`, {
		method,
		headers: { authorization: `Bearer ${TOKEN}`, "content-type": "application/json" },
		...(body && { body: JSON.stringify(body) }),
	});
	expect(response.status).toBe(200);
	return response.json();
}

const configsOf = async (pool: string) => {
	const { runner_configs } = (await manage("GET", `/runner-configs?runner_name=${pool}`)) as {
		runner_configs: Record<string, { datacenters: { default: Record<string, object> } }>;
	};
	return runner_configs[pool]?.datacenters.default;
};

beforeAll(async () => {
	engine = createEngine({
		store: createMemoryStore(),
		version: "0.0.0-test",
		token: TOKEN,
		logger: { debug() {}, info() {}, warn() {}, error() {} },
	});
	stats = engine.attachRunners({ pingIntervalMs: 500, runnerLostThresholdMs: 3_000 });
	({ url } = await engine.listen({ port: 0 }));
	server = createServer(async (incoming, outgoing) => {
		const abort = new AbortController();
		outgoing.on("close", () => abort.abort());
		const response = await registry.handler(
			new Request(`http://127.0.0.1${incoming.url}`, {
				headers: incoming.headers as Record<string, string>,
				signal: abort.signal,
			}),
		);
		outgoing.writeHead(response.status, Object.fromEntries(response.headers));
		outgoing.flushHeaders();
		for await (const chunk of response.body ?? []) outgoing.write(chunk);
		outgoing.end();
	});
	const port = await listening(server);
	registry = ours(port);
	// It begins with its first request.
	await fetch(`http://127.0.0.1:${port}/api/rivet/health`);
	const publishedPort = await freePort();
	const script = fileURLToPath(new URL("published-handler-server.mjs", import.meta.url));
	published = spawn(process.execPath, [script], {
		env: {
			PATH: process.env.PATH,
			NODE_ENV: "production",
			RIVET_ENDPOINT: url,
			RIVET_TOKEN: TOKEN,
			RIVET_NAMESPACE: "default",
			PORT: String(publishedPort),
			POOL: "published",
		},
		stdio: "ignore",
	});
});

afterAll(async () => {
	published?.kill("SIGKILL");
	await engine?.close();
	await registry?.shutdown();
	server?.closeAllConnections();
	server?.close();
});

const client = (runnerName: string) =>
	createClient<Tallies>({ endpoint: url, token: TOKEN, runnerName });

it("a host of ours configures its pool, once it is one", async () => {
	await eventually(async () => {
		expect(await configsOf("ours")).toMatchObject({
			serverless: {
				request_lifespan: 60,
				drain_grace_period: 10,
				slots_per_runner: 2,
				max_runners: 4,
				min_runners: 0,
				runners_margin: 0,
				metadata_poll_interval: 1_000,
			},
			metadata: { team: "a" },
			drain_on_version_upgrade: true,
		});
	});
});

it("the published host configures its pool with what it always sends (no. 14)", async () => {
	await eventually(async () => {
		expect(await configsOf("published")).toMatchObject({
			serverless: { request_lifespan: 900, max_runners: 10, slots_per_runner: 1 },
		});
	});
});

it.each(["ours", "published"])(
	"a host of the pool %s is started when an actor needs it, and let go of when none does",
	async (pool) => {
		const handle = client(pool).tally.getOrCreate(["serverless", pool]);
		expect(await handle.bump(5)).toBe(5);
		expect(stats()).toMatchObject({ serverlessRequests: 1, connected: 1 });
		await handle.nap();
		await eventually(() => expect(stats()).toMatchObject({ serverlessRequests: 0, connected: 0 }));
		expect(await handle.bump(2)).toBe(7);
		await handle.nap();
		await eventually(() => expect(stats().serverlessRequests).toBe(0));
	},
);

it("names of a host's actors are known, and it passes the health check", async () => {
	expect(await manage("GET", "/actors/names")).toMatchObject({
		names: { tally: expect.anything() },
	});
	const config = (await configsOf("ours")) as { serverless: { url: string } };
	const { url: address } = config.serverless;
	expect(await manage("POST", "/runner-configs/serverless-health-check", { url: address })).toEqual(
		{
			success: { version: expect.any(String) },
		},
	);
});

it("an actor on a serverless host calls another one, though its host was handed a runner's token only (Q22)", async () => {
	const handle = client("ours").tally.getOrCreate(["caller"]);
	expect(await handle.bumpOther("called", 3)).toBe(3);
	expect(await handle.bumpOther("called", 3)).toBe(6);
});

async function listening(one: Server): Promise<number> {
	one.listen(0, "127.0.0.1");
	await once(one, "listening");
	return (one.address() as { port: number }).port;
}
