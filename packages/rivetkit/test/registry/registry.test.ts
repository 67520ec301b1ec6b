import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import { networkInterfaces, tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it, vi } from "vitest";
import { createClient } from "../../src/client/index.ts";
import { actor, createMemoryDriver, type RegistryConfigInput, setup } from "../../src/index.ts";

/** `setup()` and what a registry can do (api 14, A30, A31, protocol 5.1 and 4.10). */

const counter = actor({
	options: { name: "Counter", icon: "🧮" },
	state: { count: 0 },
	actions: { add: (c, amount: number) => (c.state.count += amount) },
});

const cleanUps: (() => unknown)[] = [];
afterEach(async () => {
	for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

function memoryRegistry(
	options: Pick<
		RegistryConfigInput,
		"managerBasePath" | "managerHost" | "managerPort" | "limits"
	> = {},
) {
	const registry = setup({
		use: { counter },
		driver: createMemoryDriver(),
		managerPort: 0,
		noWelcome: true,
		handleSignals: false,
		...options,
	});
	cleanUps.push(() => registry.shutdown());
	return registry;
}

const get = async (url: string) => (await fetch(url)).json();

describe("registry", () => {
	it("serves the whole local API below the base path of its handler", async () => {
		const registry = memoryRegistry();
		const call = (path: string, init?: RequestInit) =>
			registry.handler(new Request(`http://app.example/api/rivet${path}`, init));
		const metadata = await (await call("/metadata")).json();
		expect(metadata).toMatchObject({
			runtime: "rivetkit",
			runner: { kind: { serverless: {} }, version: 1 },
			actorNames: { counter: { metadata: { name: "Counter", icon: "🧮" } } },
		});
		const query = "rvt-namespace=default&rvt-method=getOrCreate&rvt-runner=default&rvt-key=a";
		const answer = await call(`/gateway/counter/action/add?${query}`, {
			method: "POST",
			body: '{"args":[2]}',
		});
		expect([answer.status, await answer.json()]).toEqual([200, { output: 2 }]);
		const outside = await registry.handler(new Request("http://app.example/elsewhere"));
		expect(outside.status).toBe(404);
	});

	it("names the address it listens on in /metadata, base path included", async () => {
		const registry = memoryRegistry({ managerBasePath: "/rivet" });
		const { url } = await registry.listen();
		expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/rivet$/);
		expect(await get(`${url}/metadata`)).toMatchObject({ clientEndpoint: url });
		const viaHandler = await registry.handler(new Request("http://x/api/rivet/metadata"));
		expect(await viaHandler.json()).toMatchObject({ clientEndpoint: url });
	});

	it("answers below the base path of its handler, too, where it listens at the root", async () => {
		const registry = memoryRegistry();
		const { url } = await registry.listen();
		const runner = { kind: { normal: {} }, version: 1 };
		for (const base of [url, `${url}/api/rivet`]) {
			expect(await get(`${base}/metadata`)).toMatchObject({ runner, clientEndpoint: url });
			const client = createClient<typeof registry>({ endpoint: base, disableMetadataLookup: true });
			cleanUps.push(() => client.dispose());
			const connection = client.counter.getOrCreate([base]).connect();
			expect(await connection.add(4)).toBe(4);
			expect(await client.counter.getOrCreate([base]).add(1)).toBe(5);
		}
		expect((await fetch(`${url}/api/rivets/metadata`)).status).toBe(404);
		const based = await memoryRegistry({ managerBasePath: "/elsewhere" }).listen();
		expect((await fetch(`${new URL(based.url).origin}/api/rivet/metadata`)).status).toBe(404);
	});

	it("sends nobody away from an address that works: none in production, none from elsewhere", async () => {
		const registry = memoryRegistry({ managerHost: "0.0.0.0" });
		const { url, port } = await registry.listen();
		const elsewhere = Object.values(networkInterfaces())
			.flat()
			.find((address) => address?.family === "IPv4" && !address.internal);
		if (elsewhere) {
			const remote = await get(`http://${elsewhere.address}:${port}/metadata`);
			expect(remote).not.toHaveProperty("clientEndpoint");
		}
		expect(await get(`${url}/metadata`)).toMatchObject({ clientEndpoint: url });
		vi.stubEnv("NODE_ENV", "production");
		cleanUps.push(() => vi.unstubAllEnvs());
		expect(await get(`${url}/metadata`)).not.toHaveProperty("clientEndpoint");
		const viaHandler = await registry.handler(new Request("http://x/api/rivet/metadata"));
		expect(await viaHandler.json()).toMatchObject({ clientEndpoint: url });
	});

	it("gives clients that are pointed at the handler's server their way to the sockets", async () => {
		const registry = memoryRegistry();
		await registry.listen();
		const front = await fetchServer((request) => registry.handler(request));
		const client = createClient<typeof registry>(`${front}/api/rivet`);
		cleanUps.push(() => client.dispose());
		const connection = client.counter.getOrCreate(["socket"]).connect();
		expect(await connection.add(4)).toBe(4);
		expect(await client.counter.getOrCreate(["socket"]).add(1)).toBe(5);
	});

	it("starts once however it is asked, and returns a client without a network", async () => {
		const registry = memoryRegistry();
		registry.startRunner();
		const { client } = registry.start();
		const [first, second] = await Promise.all([registry.listen(), registry.listen()]);
		expect(first).toBe(second);
		expect(await client.counter.getOrCreate(["local"]).add(1)).toBe(1);
		const remote = createClient<typeof registry>(first.url);
		cleanUps.push(() => remote.dispose());
		expect(await remote.counter.get(["local"]).add(1)).toBe(2);
	});

	it("says who holds the port, and the two ways out, instead of taking another", async () => {
		const taken = await memoryRegistry().listen();
		const second = memoryRegistry({ managerPort: taken.port });
		await expect(second.listen()).rejects.toThrow(
			new RegExp(`${taken.port}[\\s\\S]*setup\\(\\{ managerPort`),
		);
	});

	it("gives its engine the limits it was given, and the error says how to raise them", async () => {
		const registry = memoryRegistry({ limits: { httpBodyBytesMax: 10 } });
		const { url } = await registry.listen();
		const query = "rvt-namespace=default&rvt-method=getOrCreate&rvt-runner=default&rvt-key=a";
		const post = (amount: string) =>
			fetch(`${url}/gateway/counter/action/add?${query}`, {
				method: "POST",
				body: `{"args":[${amount}]}`,
			});
		const refused = await post("1");
		expect([refused.status, await refused.json()]).toEqual([
			413,
			{
				group: "guard",
				code: "invalid_request_body",
				message:
					"Request body too large. Limit is 10 bytes. It can be raised with: `setup({ limits: { httpBodyBytesMax: ... } })`",
				metadata: { limit: 10 },
			},
		]);
		const roomy = memoryRegistry();
		const { url: roomyUrl } = await roomy.listen();
		const answer = await fetch(`${roomyUrl}/gateway/counter/action/add?${query}`, {
			method: "POST",
			body: '{"args":[1]}',
		});
		expect(answer.status).toBe(200);
	});

	it("shuts down once, ends sockets, and refuses to start again", async () => {
		const registry = memoryRegistry();
		const { url } = await registry.listen();
		const client = createClient<typeof registry>(url);
		cleanUps.push(() => client.dispose());
		const connection = client.counter.getOrCreate([]).connect();
		await connection.add(1);
		const disconnected = new Promise<void>((resolve) => connection.onClose(resolve));
		await Promise.all([registry.shutdown(), registry.shutdown()]);
		await disconnected;
		await expect(fetch(`${url}/health`)).rejects.toThrow();
		expect(() => registry.startRunner()).toThrow("shut down");
	});

	it("with an endpoint it is that engine that listens", async () => {
		const registry = setup({ use: { counter }, endpoint: "http://127.0.0.1:1", noWelcome: true });
		await expect(registry.listen()).rejects.toMatchObject({
			group: "feature",
			code: "unsupported",
			// Who set it for the command line has to be told which setting it is.
			message: expect.stringContaining("RIVET_ENDPOINT"),
		});
		await registry.shutdown();
	});

	it("throws at setup for a configuration that contradicts itself", () => {
		expect(() =>
			setup({ use: { counter }, endpoint: "http://h", driver: createMemoryDriver() }),
		).toThrow(/driver/);
	});

	it("keeps data in the directory it is given, and finds it again", async () => {
		const storagePath = await mkdtemp(join(tmpdir(), "registry-"));
		cleanUps.push(() => rm(storagePath, { recursive: true, force: true }));
		const run = async () => {
			const options = { use: { counter }, storagePath, noWelcome: true, handleSignals: false };
			const registry = setup({ ...options, managerPort: 0 });
			const { client } = registry.start();
			const count = await client.counter.getOrCreate(["kept"]).add(1);
			await registry.shutdown();
			return count;
		};
		expect([await run(), await run()]).toEqual([1, 2]);
	});
});

/** A server of the user's own that hands requests to a fetch-style handler. */
async function fetchServer(handle: (request: Request) => Promise<Response>): Promise<string> {
	const server: Server = createServer(async (incoming, outgoing) => {
		const chunks: Buffer[] = [];
		for await (const chunk of incoming) chunks.push(chunk as Buffer);
		const { method = "GET", url } = incoming;
		const body = method === "GET" || method === "HEAD" ? null : Buffer.concat(chunks);
		const headers = incoming.headers as Record<string, string>;
		const response = await handle(new Request(`http://front${url}`, { method, headers, body }));
		outgoing.writeHead(response.status, Object.fromEntries(response.headers));
		outgoing.end(Buffer.from(await response.arrayBuffer()));
	});
	await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
	cleanUps.push(() => new Promise((resolve) => server.close(resolve)));
	server.on("connection", (socket) => cleanUps.push(() => socket.destroy()));
	return `http://127.0.0.1:${(server.address() as { port: number }).port}`;
}
