import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { actor, createMemoryDriver, type RegistryConfigInput, setup } from "rivetkit";
import { createClient } from "rivetkit/client";
import { afterEach, describe, expect, it, vi } from "vitest";
import { type NextHandlers, toNextHandler } from "../src/index.ts";

/** `toNextHandler` (api 17, A46), called as Next.js does. */

const cleanUps: (() => unknown)[] = [];
afterEach(async () => {
	for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
	Reflect.deleteProperty(globalThis, Symbol.for("rivetkit.development"));
	vi.unstubAllEnvs();
	vi.restoreAllMocks();
});

const counter = (step = 1) =>
	actor({
		state: { count: 0 },
		actions: { add: (c) => (c.state.count += step) },
		onRequest: async (_c, request) =>
			Response.json({
				method: request.method,
				url: request.url.replace(/^https?:\/\/[^/]+/, ""),
				body: await request.text(),
			}),
	});

function registryOf(
	use: RegistryConfigInput["use"],
	options: Partial<RegistryConfigInput> = {},
): ReturnType<typeof setup> {
	const registry = setup({
		use,
		driver: createMemoryDriver(),
		managerPort: 0,
		handleSignals: false,
		logging: { level: "silent" },
		...options,
	});
	cleanUps.push(() => registry.shutdown());
	return registry;
}

const SITE = "http://localhost:3000";

/** What Next.js does with a request below `route`. */
function call(handlers: NextHandlers, path: string, init: RequestInit = {}, route = "/api/rivet") {
	const request = new Request(`${SITE}${route}${path}`, { duplex: "half", ...init } as RequestInit);
	const all = new URL(request.url).pathname.slice(route.length).split("/").filter(Boolean);
	const handler = handlers[request.method as keyof NextHandlers];
	return handler(request, { params: Promise.resolve({ all: all.map(decodeURIComponent) }) });
}

const QUERY = "rvt-namespace=default&rvt-method=getOrCreate&rvt-runner=default&rvt-key=a";
const add = async (handlers: NextHandlers) => {
	const path = `/gateway/counter/action/add?${QUERY}`;
	return (await call(handlers, path, { method: "POST", body: '{"args":[]}' })).json();
};

describe("toNextHandler", () => {
	it("sets what the contract says, and keeps what else the user has set", () => {
		const registry = registryOf({ counter: counter() }, { serverless: { engineVersion: "1.2.3" } });
		toNextHandler(registry);
		expect(registry.config).toMatchObject({
			serveManager: false,
			noWelcome: true,
			serverless: { basePath: "/", engineVersion: "1.2.3" },
		});
		const now = Date.now() / 1_000;
		expect(registry.config.runner?.version).toBeGreaterThan(now - 60);
		expect(registry.config.runner?.version).toBeLessThanOrEqual(now);
	});

	it("tells a remote engine where the functions are, outside production", () => {
		vi.stubEnv("PORT", "3456");
		const options = { driver: undefined, endpoint: "http://engine:6420" };
		const pool = (environment: Record<string, string>) => {
			for (const [name, value] of Object.entries(environment)) vi.stubEnv(name, value);
			const registry = registryOf({ counter: counter() }, options);
			toNextHandler(registry);
			return registry.config.serverless?.configureRunnerPool;
		};
		expect(pool({})).toEqual({
			url: "http://127.0.0.1:3456/api/rivet",
			maxRunners: 100_000,
			requestLifespan: 300,
			slotsPerRunner: 1,
			metadata: { provider: "next-js" },
		});
		expect(pool({ NEXT_PUBLIC_VERCEL_URL: "https://v.app" })?.url).toBe("https://v.app/api/rivet");
		expect(pool({ NEXT_PUBLIC_SITE_URL: "https://s.app" })?.url).toBe("https://s.app/api/rivet");
		expect(pool({ NODE_ENV: "production" })).toBeUndefined();
	});

	it.each([
		["/api/rivet", ""],
		["/base/api/rivet", ""],
		["/actors", ""],
		["/api/rivet", "/"],
	])(
		"strips %s and forwards every method, path and body as they came (%j)",
		async (route, slash) => {
			const handlers = toNextHandler(registryOf({ counter: counter() }));
			expect((await call(handlers, "/health", {}, route)).status).toBe(200);
			for (const method of ["GET", "POST", "PUT", "DELETE", "PATCH"]) {
				const path = `/gateway/counter/request/a%2Fb/%C3%A9${slash}?${QUERY}&x=%20y`;
				const body = method === "GET" ? "" : "the body";
				const answer = await call(handlers, path, { method, ...(body && { body }) }, route);
				const seen = await answer.json();
				expect(seen).toEqual({ method, url: `/a%2Fb/%C3%A9${slash}?x=%20y`, body });
			}
			const head = await call(handlers, "/health", { method: "HEAD" }, route);
			expect([head.status, await head.text()]).toEqual([200, ""]);
			const preflight = await call(
				handlers,
				"/actors",
				{
					method: "OPTIONS",
					headers: { origin: "https://page.example", "access-control-request-method": "PUT" },
				},
				route,
			);
			expect(preflight.status).toBe(204);
			expect(preflight.headers.get("access-control-allow-origin")).toBe("https://page.example");
		},
	);

	it("starts nothing before the first request: Next.js evaluates routes to look at them", async () => {
		const listened = vi.fn();
		const registry = registryOf({ counter: counter() });
		vi.spyOn(registry, "listen").mockImplementation(listened);
		const handlers = toNextHandler(registry);
		await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
		expect(Reflect.get(globalThis, Symbol.for("rivetkit.development"))).toMatchObject({
			runtime: null,
		});
		await call(handlers, "/health");
		expect(listened).toHaveBeenCalled();
	});

	it("names the address that takes WebSockets", async () => {
		const registry = registryOf({ counter: counter() });
		const handlers = toNextHandler(registry);
		const { clientEndpoint } = (await (await call(handlers, "/metadata")).json()) as {
			clientEndpoint: string;
		};
		expect(clientEndpoint).toBe((await registry.listen()).url);
		const client = createClient<typeof registry>(clientEndpoint);
		cleanUps.push(() => client.dispose());
		const connection = client.counter!.getOrCreate(["a"]).connect();
		expect(await connection.action({ name: "add", args: [] })).toBe(1);
	});

	it("lets a route that is evaluated again take over: one engine, one port, open sockets", async () => {
		const first = registryOf({ counter: counter() });
		await add(toNextHandler(first));
		const { url } = await first.listen();
		const client = createClient<typeof first>(url);
		cleanUps.push(() => client.dispose());
		const connection = client.counter!.getOrCreate(["a"]).connect();
		const statuses: string[] = [];
		connection.onStatusChange((status) => statuses.push(status));
		const increase = () => connection.action({ name: "add", args: [] });
		expect(await increase()).toBe(2);
		const second = registryOf({ counter: counter(10) });
		const handlers = toNextHandler(second);
		// Nobody asks the route: the evaluation is enough.
		const grown = async () => -Number(await increase()) + Number(await increase());
		await expect.poll(grown).toBe(10);
		expect((await second.listen()).url).toBe(url);
		expect(await add(handlers)).toMatchObject({ output: expect.any(Number) });
		expect(statuses).toEqual(["connected"]);
	});

	it("answers 503 with the reason while the port is taken, and goes on when it is free", async () => {
		const occupant = createServer((_, response) => response.end("me"));
		await new Promise<void>((resolve) => occupant.listen(0, "127.0.0.1", resolve));
		const { port } = occupant.address() as AddressInfo;
		const printed = vi.spyOn(console, "error").mockImplementation(() => {});
		const handlers = toNextHandler(registryOf({ counter: counter() }, { managerPort: port }));
		const refused = await call(handlers, "/health");
		expect([refused.status, await refused.json()]).toMatchObject([
			503,
			{ group: "guard", code: "service_unavailable", message: expect.stringContaining(`${port}`) },
		]);
		expect(printed.mock.calls.flat().join()).toContain("setup({ managerPort");
		occupant.closeAllConnections();
		await new Promise((resolve) => occupant.close(resolve));
		expect(await add(handlers)).toEqual({ output: 1 });
	});

	it("in production answers HTTP, and listens only when it is told to", async () => {
		vi.stubEnv("NODE_ENV", "production");
		const quiet = registryOf({ counter: counter() });
		const handlers = toNextHandler(quiet);
		expect(await add(handlers)).toEqual({ output: 1 });
		expect(await (await call(handlers, "/metadata")).json()).not.toHaveProperty("clientEndpoint");
		const loud = toNextHandler(registryOf({ counter: counter() }, { serveManager: true }));
		const metadata = await (await call(loud, "/metadata")).json();
		expect(metadata).toMatchObject({ clientEndpoint: expect.stringMatching(/^http:/) });
	});
});
