import { createServer, type Server } from "node:http";
import { createClient as createPublishedClient } from "rivetkit-published/client";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { actor } from "../../src/actor/definition.ts";
import { event, queue } from "../../src/actor/tokens.ts";
import { createClient } from "../../src/client/index.ts";
import { db } from "../../src/db/index.ts";
import { type Registry, setup } from "../../src/registry/registry.ts";
import { eventually } from "../support/eventually.ts";
import { hasStockEngine, StockEngine } from "../support/stock-engine.ts";

/**
 * Our runner behind the published engine 2.3.19, called through that engine's gateway by our client and by the
 * published 2.1.3 one (engine 11, nos. 35 and 68).
 */

const ledger = actor({
	state: { total: 0, text: "" },
	db: db({
		onMigrate: async (client) => {
			await client.execute("create table if not exists rows (n integer)");
		},
	}),
	events: { changed: event<number>() },
	queues: { jobs: queue<number>() },
	run: async (c) => {
		for await (const job of c.queue.iter()) c.state.total += job.body;
	},
	options: { sleepTimeout: 60_000 },
	actions: {
		add: (c, by: number) => {
			c.state.total += by;
			c.broadcast("changed", c.state.total);
			return c.state.total;
		},
		total: (c) => c.state.total,
		echo: (_c, ...values: unknown[]) => values,
		keep: (c, length: number) => {
			c.state.text = "x".repeat(length);
		},
		kept: (c) => c.state.text.length,
		note: async (c, key: string, value: string) => {
			await c.kv.put(key, value);
			return c.kv.get(key);
		},
		insert: async (c, count: number) => {
			await c.db.execute(
				"with recursive s(n) as (select 1 union all select n + 1 from s where n < ?) insert into rows select n from s",
				count,
			);
		},
		rows: async (c) => {
			const [row] = await c.db.execute<{ count: number }>("select count(*) as count from rows");
			return row!.count;
		},
		later: (c, delayMs: number) => {
			c.schedule.after(delayMs, "add", 1_000);
		},
		nap: (c) => c.sleep(),
		leave: (c) => c.destroy(),
	},
	onRequest: async (_c, request) => {
		const { pathname, search } = new URL(request.url);
		return new Response(`${request.method} ${pathname}${search} ${await request.text()}`, {
			status: 201,
		});
	},
	onWebSocket: (_c, socket) => {
		socket.addEventListener("message", (message) => {
			if (message.data === "close") socket.close(4001, "as you wish");
			else socket.send(message.data);
		});
	},
});

let isBroken = true;
const fragile = actor({
	createState: () => ({ count: 0 }),
	onWake: () => {
		if (isBroken) throw new Error("not today");
	},
	actions: { count: (c) => ++c.state.count, nap: (c) => c.sleep() },
});

const use = { ledger, fragile };

describe.runIf(hasStockEngine)("behind the published engine", () => {
	let engine: StockEngine;
	let registry: Registry<typeof use>;
	const cleanUps: (() => Promise<void> | void)[] = [];

	const behind = () =>
		setup({
			use,
			endpoint: engine.endpoint,
			token: engine.token,
			namespace: engine.namespace,
			handleSignals: false,
			noWelcome: true,
			logging: { level: "silent" },
		});
	const clientWith = (encoding: "bare" | "cbor" | "json") => {
		const { endpoint, token, namespace } = engine;
		const client = createClient<typeof registry>({ endpoint, token, namespace, encoding });
		cleanUps.push(() => client.dispose());
		return client;
	};
	const published = (encoding: "bare" | "cbor" | "json") => {
		const { endpoint, token, namespace } = engine;
		const client = createPublishedClient({ endpoint, token, namespace, encoding });
		cleanUps.push(() => client.dispose());
		return client as unknown as ReturnType<typeof clientWith>;
	};
	const isAsleep = (actorId: string) =>
		eventually(async () => {
			const path = `/actors?namespace=${engine.namespace}&actor_ids=${actorId}`;
			const { actors } = (await engine.api("GET", path)) as {
				actors: { sleep_ts: number | null }[];
			};
			if (actors[0]?.sleep_ts === null) throw new Error("it is awake");
		});

	beforeAll(async () => {
		engine = await StockEngine.start();
		registry = behind();
		registry.startRunner();
		await eventually(async () => {
			const path = `/runners?namespace=${engine.namespace}`;
			const { runners } = (await engine.api("GET", path)) as { runners: unknown[] };
			expect(runners).toHaveLength(1);
		});
	});

	afterAll(async () => {
		for (const cleanUp of cleanUps) await cleanUp();
		await registry?.shutdown();
		await engine?.stop();
	});

	it("what was acknowledged is there after the engine was stopped and started again", async () => {
		const handle = clientWith("bare").ledger.getOrCreate(["restarted"]);
		expect(await handle.add(3)).toBe(3);
		await engine.down("SIGTERM");
		const startedTs = Date.now();
		await engine.up();
		// That engine drops a call to a runner that is not back yet: its caller would wait for a minute.
		await eventually(async () => {
			const path = `/runners?namespace=${engine.namespace}`;
			const { runners } = (await engine.api("GET", path)) as {
				runners: { last_ping_ts: number }[];
			};
			expect(Math.max(...runners.map(({ last_ping_ts }) => last_ping_ts))).toBeGreaterThan(
				startedTs,
			);
		});
		await eventually(async () => expect(await handle.total()).toBe(3), 40_000);
		expect(await handle.add(1)).toBe(4);
	});

	it.each([
		["our", "bare", clientWith],
		["our", "cbor", clientWith],
		["our", "json", clientWith],
		["the published", "bare", published],
		["the published", "cbor", published],
		["the published", "json", published],
	] as const)("answers %s client in %s", async (_whose, encoding, clientOf) => {
		const handle = clientOf(encoding).ledger.getOrCreate(["calls", _whose, encoding]);
		expect(await handle.add(5)).toBe(5);
		expect(await handle.add(2)).toBe(7);
		expect(await handle.echo("ü", 1, null, [true])).toEqual(["ü", 1, null, [true]]);
		await expect(
			(handle as unknown as { missing(): Promise<void> }).missing(),
		).rejects.toMatchObject({ group: "action", code: "not_found" });
	});

	it("serves raw requests and raw sockets", async () => {
		const handle = clientWith("bare").ledger.getOrCreate(["raw"]);
		const response = await handle.fetch("/a%2Fb?x=1", { method: "POST", body: "hello" });
		expect([response.status, await response.text()]).toEqual([201, "POST /a%2Fb?x=1 hello"]);
		const socket = await handle.webSocket("/any");
		const messages: unknown[] = [];
		const closed = new Promise<CloseEvent>((resolve) => socket.addEventListener("close", resolve));
		socket.addEventListener("message", ({ data }) => messages.push(data));
		await new Promise((resolve) => socket.addEventListener("open", resolve));
		socket.send("one");
		await eventually(() => expect(messages).toEqual(["one"]));
		socket.send("close");
		const { code, reason } = await closed;
		expect([code, reason]).toEqual([4001, "as you wish"]);
	});

	it.each([
		["our", clientWith],
		["the published", published],
	] as const)(
		"%s client's connection outlasts a sleep: its next message wakes the actor",
		async (whose, clientOf) => {
			const client = clientOf("bare");
			const handle = client.ledger.getOrCreate(["hibernating", whose]);
			const connection = handle.connect();
			const seen: number[] = [];
			connection.on("changed", (total) => seen.push(total));
			let closes = 0;
			connection.onClose(() => closes++);
			expect(await connection.add(1)).toBe(1);
			await eventually(() => expect(seen).toEqual([1]));
			const actorId = await handle.resolve();
			await handle.nap();
			await isAsleep(actorId);
			expect(await connection.add(2)).toBe(3);
			await eventually(() => expect(seen).toEqual([1, 3]));
			// Once more: the indexes go on.
			await handle.nap();
			await isAsleep(actorId);
			expect(await connection.add(3)).toBe(6);
			await eventually(() => expect(seen).toEqual([1, 3, 6]));
			expect(closes).toBe(0);
			await connection.dispose();
		},
	);

	it("a sleeping actor is woken by a request and by its alarm", async () => {
		const handle = clientWith("bare").ledger.getOrCreate(["woken"]);
		await handle.add(1);
		await handle.later(1_500);
		const actorId = await handle.resolve();
		await handle.nap();
		await isAsleep(actorId);
		// By the alarm: nobody calls it before.
		await eventually(async () => {
			const path = `/actors?namespace=${engine.namespace}&actor_ids=${actorId}`;
			const { actors } = (await engine.api("GET", path)) as {
				actors: { sleep_ts: number | null }[];
			};
			expect(actors[0]?.sleep_ts).toBeNull();
		});
		await eventually(async () => expect(await handle.total()).toBe(1_001));
		await handle.nap();
		await isAsleep(actorId);
		expect(await handle.total()).toBe(1_001);
	});

	it("keeps state over the engine's value limit, kv, queue messages and a database of many pages", async () => {
		const handle = clientWith("bare").ledger.getOrCreate(["data"]);
		await handle.keep(400_000);
		expect(await handle.note("key", "value")).toBe("value");
		await handle.insert(200_000);
		await handle.send("jobs", 40);
		await eventually(async () => expect(await handle.total()).toBe(40));
		const actorId = await handle.resolve();
		await handle.nap();
		await isAsleep(actorId);
		expect(await handle.kept()).toBe(400_000);
		expect(await handle.rows()).toBe(200_000);
		expect(await handle.total()).toBe(40);
	});

	it("a destroyed actor is gone with its data, and its key is free", async () => {
		const handle = clientWith("bare").ledger.getOrCreate(["destroyed"]);
		await handle.add(1);
		const before = await handle.resolve();
		await handle.leave();
		await eventually(async () => {
			const after = clientWith("bare").ledger.getOrCreate(["destroyed"]);
			expect(await after.resolve()).not.toBe(before);
			expect(await after.total()).toBe(0);
		});
	});

	it("an actor whose start fails says so, and is not destroyed (Q1)", async () => {
		isBroken = false;
		const handle = clientWith("bare").fragile.getOrCreate(["fragile"]);
		expect(await handle.count()).toBe(1);
		const actorId = await handle.resolve();
		await handle.nap();
		await isAsleep(actorId);
		isBroken = true;
		await expect(handle.count()).rejects.toMatchObject({ code: "internal_error" });
		isBroken = false;
		await eventually(async () => expect(await handle.count()).toBe(2));
		expect(await handle.resolve()).toBe(actorId);
	});

	it("another runner goes on where one has stopped, with its clients' sockets", async () => {
		const handle = clientWith("bare").ledger.getOrCreate(["moved"]);
		const connection = handle.connect();
		expect(await connection.add(1)).toBe(1);
		await registry.shutdown();
		registry = behind();
		registry.startRunner();
		expect(await connection.add(1)).toBe(2);
		expect(await handle.total()).toBe(2);
		await connection.dispose();
	});

	it("handler() is a serverless host that the engine starts", async () => {
		const host = behind();
		const server = createServer(async (incoming, outgoing) => {
			const abort = new AbortController();
			outgoing.on("close", () => abort.abort());
			const response = await host.handler(
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
		const url = `${await listening(server)}/api/rivet`;
		cleanUps.push(async () => {
			await host.shutdown();
			server.closeAllConnections();
			server.close();
		});
		const check = `/runner-configs/serverless-health-check?namespace=${engine.namespace}`;
		expect(await engine.api("POST", check, { url })).toMatchObject({
			success: { version: expect.any(String) },
		});
		await engine.configurePool("functions", {
			serverless: {
				url,
				request_lifespan: 60,
				drain_grace_period: 10,
				slots_per_runner: 2,
				max_runners: 4,
			},
		});
		const { endpoint, token, namespace } = engine;
		const client = createClient<typeof registry>({
			endpoint,
			token,
			namespace,
			runnerName: "functions",
		});
		cleanUps.push(() => client.dispose());
		expect(await client.ledger.getOrCreate(["serverless"]).add(7)).toBe(7);
	});
});

function listening(server: Server): Promise<string> {
	return new Promise((resolve) => {
		server.listen(0, "127.0.0.1", () => {
			resolve(`http://127.0.0.1:${(server.address() as { port: number }).port}`);
		});
	});
}
