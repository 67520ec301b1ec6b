import { serve as serveHono } from "@hono/node-server";
import { Hono } from "hono";
import { serve as serveSrvx } from "srvx/node";
import { afterEach, describe, expect, it } from "vitest";
import { createClient } from "../../src/client/index.ts";
import { actor, createMemoryDriver, event, setup } from "../../src/index.ts";

/** `registry.handler()` and `serve()` behind servers people already have (api 14.3, ruling 7). */

const counter = actor({
	state: { count: 0 },
	events: { count: event<number>() },
	onRequest: async (_c, request) => new Response(request.body, { headers: { "x-raw": "1" } }),
	actions: {
		add: (c, amount: number) => {
			c.state.count += amount;
			c.broadcast("count", c.state.count);
			return c.state.count;
		},
	},
});

const cleanUps: (() => unknown)[] = [];
afterEach(async () => {
	for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

async function memoryRegistry() {
	const registry = setup({
		use: { counter },
		driver: createMemoryDriver(),
		managerPort: 0,
		noWelcome: true,
		handleSignals: false,
	});
	cleanUps.push(() => registry.shutdown());
	await registry.listen();
	return registry;
}

type Fetch = (request: Request) => Response | Promise<Response>;

/** Starts a server for `fetch` and resolves with its origin. */
const servers: Record<string, (fetch: Fetch) => Promise<string>> = {
	"Hono on Node": (fetch) => {
		const app = new Hono();
		app.all("/api/rivet/*", (c) => fetch(c.req.raw));
		return new Promise((resolve) => {
			const server = serveHono({ fetch: app.fetch, port: 0, hostname: "127.0.0.1" }, ({ port }) =>
				resolve(`http://127.0.0.1:${port}`),
			);
			cleanUps.push(() => new Promise((done) => server.close(done)));
		});
	},
	srvx: async (fetch) => {
		const server = serveSrvx({ fetch, port: 0, hostname: "127.0.0.1", silent: true });
		await server.ready();
		cleanUps.push(() => server.close(true));
		return server.url!.replace(/\/$/, "");
	},
};

describe.each(Object.keys(servers))("%s", (name) => {
	it("carries calls, raw requests and errors below /api/rivet, and names the way to sockets", async () => {
		const registry = await memoryRegistry();
		const origin = await servers[name]!((request) => registry.handler(request));
		const client = createClient<typeof registry>(`${origin}/api/rivet`);
		cleanUps.push(() => client.dispose());
		const handle = client.counter.getOrCreate(["served"]);
		expect(await handle.add(2)).toBe(2);
		const connection = handle.connect();
		const told = new Promise((resolve) => connection.on("count", resolve));
		expect(await connection.add(1)).toBe(3);
		expect(await told).toBe(3);

		// Through the server itself, not through the address that /metadata names.
		const base = `${origin}/api/rivet/gateway/${await handle.resolve()}`;
		const body = "x".repeat(200_000);
		const raw = await fetch(`${base}/request/echo`, { method: "POST", body });
		expect([raw.headers.get("x-raw"), await raw.text()]).toEqual(["1", body]);
		const missing = await fetch(`${base}/action/nothing`, { method: "POST", body: '{"args":[]}' });
		expect([missing.status, await missing.json()]).toMatchObject([
			400,
			{ group: "action", code: "not_found" },
		]);
	});

	it("serves the default export of a file", async () => {
		const registry = await memoryRegistry();
		const origin = await servers[name]!(registry.serve().fetch);
		const health = await fetch(`${origin}/api/rivet/health`);
		expect(await health.json()).toMatchObject({ status: "ok", runtime: "rivetkit" });
	});
});
