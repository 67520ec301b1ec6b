import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createEngine, type Engine, openSqliteStore } from "@rivetkit/engine";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { actor } from "../../src/actor/definition.ts";
import { event, queue } from "../../src/actor/tokens.ts";
import { createClient } from "../../src/client/index.ts";
import { setup } from "../../src/registry/registry.ts";
import { eventually } from "../support/eventually.ts";

/** Runners behind our engine: the published 2.1.3 one and ours (engine 11, no. 34). */

const TOKEN = "admin";

type Params = { readonly isCounted?: boolean } | undefined;

const tally = actor({
	state: { total: 0, left: 0 },
	onDisconnect: (c, connection) => {
		if ((connection.params as Params)?.isCounted) c.state.left++;
	},
	events: { bumped: event<number>() },
	queues: { jobs: queue<number>() },
	run: async (c) => {
		for await (const job of c.queue.iter()) c.state.total += job.body;
	},
	options: { sleepTimeout: 60_000 },
	actions: {
		bump: (c, by: number) => {
			c.state.total += by;
			c.broadcast("bumped", c.state.total);
			return c.state.total;
		},
		total: (c) => c.state.total,
		left: (c) => c.state.left,
		later: (c, delayMs: number) => {
			c.schedule.after(delayMs, "bump", 1_000);
		},
		region: (c) => c.region,
		nap: (c) => c.sleep(),
		leave: (c) => c.destroy(),
	},
	onRequest: (_c, request) =>
		new Response(`raw ${request.method} ${new URL(request.url).pathname}`),
});

const ours = () =>
	setup({
		use: { tally },
		endpoint: url,
		token: TOKEN,
		runner: { runnerName: "ours" },
		handleSignals: false,
		noWelcome: true,
		logging: { level: "silent" },
	});

async function manage(method: string, path: string, body?: object): Promise<unknown> {
	const separator = path.includes("?") ? "&" : "?";
	const response = await fetch(`${url}${path}${separator}namespace=default`, {
		method,
		headers: { authorization: `Bearer ${TOKEN}`, "content-type": "application/json" },
		...(body && { body: JSON.stringify(body) }),
	});
	expect(response.status).toBe(200);
	return response.json();
}

const directory = mkdtempSync(join(tmpdir(), "rivetkit-our-engine-"));
let engine: Engine;
/** Lets everything sleep, and gives the data back. */
let stopEngine: (() => Promise<void>) | undefined;
let url = "";
let registry: ReturnType<typeof ours>;
let published: ChildProcess;

async function startEngine(port = 0): Promise<void> {
	const store = await openSqliteStore({ directory });
	engine = createEngine({
		store,
		version: "0.0.0-test",
		token: TOKEN,
		logger: { debug() {}, info() {}, warn() {}, error() {} },
	});
	stopEngine = async () => {
		stopEngine = undefined;
		await engine.close();
		await store.close();
	};
	engine.attachRunners({ pingIntervalMs: 500, runnerLostThresholdMs: 3_000 });
	({ url } = await engine.listen({ port }));
}

beforeAll(async () => {
	await startEngine();
	for (const pool of ["ours", "published"]) {
		await manage("PUT", `/runner-configs/${pool}`, { datacenters: { default: { normal: {} } } });
	}
	registry = ours();
	registry.startRunner();
	const script = fileURLToPath(new URL("published-runner-server.mjs", import.meta.url));
	published = spawn(process.execPath, [script], {
		env: {
			PATH: process.env.PATH,
			NODE_ENV: "production",
			RIVET_ENDPOINT: url,
			RIVET_TOKEN: TOKEN,
			RIVET_NAMESPACE: "default",
			RIVET_RUNNER: "published",
		},
		stdio: "ignore",
	});
});

afterAll(async () => {
	published?.kill("SIGKILL");
	await registry?.shutdown();
	await stopEngine?.();
	rmSync(directory, { recursive: true, force: true });
});

describe.each(["ours", "published"])("a runner of the pool %s", (runnerName) => {
	const client = () =>
		createClient<ReturnType<typeof ours>>({ endpoint: url, token: TOKEN, runnerName });
	const isAsleep = (actorId: string) =>
		eventually(async () => {
			const answer = await manage("GET", `/actors?actor_ids=${actorId}`);
			const { actors } = answer as { actors: { status: string }[] };
			expect(actors[0]?.status).toBe("sleeping");
		});

	it("answers actions and raw requests", async () => {
		const handle = client().tally.getOrCreate(["calls", runnerName]);
		expect(await handle.bump(5)).toBe(5);
		expect(await handle.bump(2)).toBe(7);
		const response = await handle.fetch("/a");
		expect(await response.text()).toMatch(/^raw GET \//);
	});

	it("keeps a connection over a sleep, and wakes for its messages", async () => {
		const handle = client().tally.getOrCreate(["connected", runnerName]);
		const connection = handle.connect();
		const seen: number[] = [];
		connection.on("bumped", (total) => seen.push(total));
		expect(await connection.bump(1)).toBe(1);
		await eventually(() => expect(seen).toEqual([1]));
		const actorId = await handle.resolve();
		for (const total of [2, 3]) {
			await handle.nap();
			await isAsleep(actorId);
			expect(await connection.bump(1)).toBe(total);
			await eventually(() => expect(seen.at(-1)).toBe(total));
		}
		await connection.dispose();
	});

	it("is woken by a client that leaves while it sleeps, and told of it once (no. 56)", async () => {
		const handle = client().tally.getOrCreate(["left", runnerName]);
		const counted = client().tally.getOrCreate(["left", runnerName], {
			params: { isCounted: true },
		});
		const connection = counted.connect();
		expect(await connection.bump(1)).toBe(1);
		const actorId = await handle.resolve();
		await handle.nap();
		await isAsleep(actorId);
		await connection.dispose();
		await eventually(async () => {
			const answer = await manage("GET", `/actors?actor_ids=${actorId}`);
			const { actors } = answer as { actors: { status: string }[] };
			expect(actors[0]?.status).toBe("awake");
		});
		await eventually(async () => expect(await handle.left()).toBe(1));
		expect(await handle.total()).toBe(1);
	});

	it("is woken by its alarm, and keeps its state", async () => {
		const handle = client().tally.getOrCreate(["alarm", runnerName]);
		await handle.bump(1);
		await handle.later(1_000);
		const actorId = await handle.resolve();
		await handle.nap();
		await isAsleep(actorId);
		await eventually(async () => expect(await handle.total()).toBe(1_001));
	});

	it("destroys, and its key is free", async () => {
		const handle = client().tally.getOrCreate(["destroyed", runnerName]);
		await handle.bump(1);
		const before = await handle.resolve();
		await handle.leave();
		await eventually(async () => {
			const after = client().tally.getOrCreate(["destroyed", runnerName]);
			expect(await after.resolve()).not.toBe(before);
			expect(await after.total()).toBe(0);
		});
	});
});

it("an actor of ours is told that its region is not known", async () => {
	const client = createClient<ReturnType<typeof ours>>({
		endpoint: url,
		token: TOKEN,
		runnerName: "ours",
	});
	expect(await client.tally.getOrCreate(["region"]).region()).toBe("unknown");
	await client.dispose();
});

it("an engine that is stopped and started again has what was acknowledged, its runners back, and their sleepers' alarms", async () => {
	const client = (runnerName: string) =>
		createClient<ReturnType<typeof ours>>({ endpoint: url, token: TOKEN, runnerName });
	const handles = ["ours", "published"].map((name) =>
		client(name).tally.getOrCreate(["restarted", name]),
	);
	for (const handle of handles) expect(await handle.bump(4)).toBe(4);
	const ids = await Promise.all(handles.map((handle) => handle.resolve()));
	await Promise.all(handles.map((handle) => handle.later(3_000)));
	await stopEngine!();
	await startEngine(Number(new URL(url).port));
	for (const [index, handle] of handles.entries()) {
		// By its alarm: nobody calls it before.
		await eventually(async () => {
			const answer = await manage("GET", `/actors?actor_ids=${ids[index]}`);
			const { actors } = answer as { actors: { status: string }[] };
			expect(actors[0]?.status).toBe("awake");
		});
		await eventually(async () => expect(await handle.total()).toBe(1_004));
	}
});

it("a runner that is killed loses its actors to the next one, with all that was acknowledged", async () => {
	const client = createClient<ReturnType<typeof ours>>({
		endpoint: url,
		token: TOKEN,
		runnerName: "published",
	});
	const handle = client.tally.getOrCreate(["killed"]);
	expect(await handle.bump(3)).toBe(3);
	const connection = handle.connect();
	expect(await connection.bump(1)).toBe(4);
	published.kill("SIGKILL");
	await once(published, "exit");
	// The same pool, another program: it must not misread what 2.1.3 has stored.
	const next = setup({
		use: { tally },
		endpoint: url,
		token: TOKEN,
		runner: { runnerName: "published" },
		handleSignals: false,
		logging: { level: "silent" },
	});
	next.startRunner();
	await expect(handle.total()).rejects.toMatchObject({ code: "internal_error" });
	await connection.dispose();
	await client.dispose();
	await next.shutdown();
});
