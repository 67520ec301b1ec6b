import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import { actor, createFileSystemDriver, createMemoryDriver, setup } from "../../src/index.ts";
import { type NodeListeners, nodeListeners } from "../../src/registry/node-listeners.ts";
import { type LogLine, recordingLogger } from "../support/test-runtime.ts";

const cleanUps: (() => unknown)[] = [];
afterEach(async () => {
	for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

const counter = actor({ state: { n: 0 }, actions: { add: (c) => ++c.state.n } });

function registryOn(driver = createMemoryDriver()) {
	const registry = setup({
		use: { counter },
		driver,
		serveManager: false,
		managerPort: 0,
		handleSignals: false,
		noWelcome: true,
		logging: { level: "silent" },
	});
	cleanUps.push(() => registry.shutdown());
	return registry;
}

/** A server whose other paths are its own, sockets included. */
async function mounted(rivet: NodeListeners): Promise<{ server: Server; origin: string }> {
	const server = createServer((request, response) => {
		if (!rivet.onRequest(request, response)) response.end(`mine: ${request.url}`);
	});
	server.on("upgrade", (request, socket, head) => {
		if (!rivet.onUpgrade(request, socket, head)) socket.end("HTTP/1.1 418 Mine\r\n\r\n");
	});
	await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
	cleanUps.push(() => {
		server.close();
		server.closeAllConnections();
	});
	return { server, origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

const CALL =
	"/api/rivet/gateway/counter/action/add?rvt-namespace=default&rvt-method=getOrCreate&rvt-runner=default&rvt-key=k";
const call = (origin: string) => fetch(origin + CALL, { method: "POST", body: '{"args":[]}' });

/** How an upgrade to this path is answered. */
function upgrade(origin: string, path: string): Promise<string | number> {
	const socket = new WebSocket(origin.replace("http", "ws") + path, ["rivet"]);
	cleanUps.push(() => socket.terminate());
	return new Promise((resolve) => {
		socket.on("error", () => {});
		socket.on("open", () => resolve("open"));
		socket.on("unexpected-response", (_request, { statusCode = 0 }) => resolve(statusCode));
	});
}

describe("registry.nodeListeners()", () => {
	it("leaves what is elsewhere alone, requests and sockets", async () => {
		const { origin } = await mounted(registryOn().nodeListeners());
		expect(await (await call(origin)).json()).toEqual({ output: 1 });
		for (const path of ["/", "/api", "/api/rivets/health", "/other?x=/api/rivet/health"]) {
			expect(await (await fetch(origin + path)).text()).toBe(`mine: ${path}`);
			expect(await upgrade(origin, path)).toBe(418);
		}
		expect((await fetch(`${origin}/api/rivet`)).status).toBe(200);
		expect((await fetch(`${origin}/api/rivet/nowhere`)).status).toBe(404);
		expect(await upgrade(origin, CALL.replace("action/add", "connect"))).toBe("open");
	});

	it("knows its base path in a request line with the whole URL", async () => {
		const { server, origin } = await mounted(registryOn().nodeListeners({ basePath: "/a" }));
		const { port } = server.address() as AddressInfo;
		const socket = connect(port, "127.0.0.1");
		cleanUps.push(() => socket.destroy());
		socket.write(`GET ${origin}/a/health HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`);
		let answer = "";
		for await (const chunk of socket) answer += chunk;
		expect(answer).toMatch(/^HTTP\/1\.1 200 .*"runtime":"rivetkit"/s);
	});

	it("name the registry's own address to callers on this machine where sockets are not handed over", async () => {
		const seen: unknown[] = [];
		for (const takesUpgrades of [true, false]) {
			const registry = registryOn();
			const { origin } = await mounted(registry.nodeListeners({ takesUpgrades }));
			const { url } = await registry.listen();
			const response = await fetch(`${origin}/api/rivet/metadata`);
			const { clientEndpoint } = (await response.json()) as { clientEndpoint?: string };
			seen.push(clientEndpoint === url ? "its own" : clientEndpoint);
		}
		expect(seen).toEqual([undefined, "its own"]);
	});

	it("are the same at each call, for one base path", () => {
		const registry = registryOn();
		expect(registry.nodeListeners()).toBe(registry.nodeListeners({ basePath: "/api/rivet" }));
		expect(registry.nodeListeners({ basePath: "/" })).not.toBe(registry.nodeListeners());
	});

	it("log what they could not answer without its query and token, which are secrets", async () => {
		const lines: LogLine[] = [];
		const failed = Promise.reject(new Error("no"));
		const { origin } = await mounted(nodeListeners(failed, "/api/rivet", recordingLogger(lines)));
		const path = "/api/rivet/gateway/id@secret/request/x?token=secret";
		expect((await fetch(origin + path)).status).toBe(500);
		expect(lines.map(({ fields }) => fields.path)).toEqual(["/api/rivet/gateway/id@***/request/x"]);
	});

	it("answer 500 and close sockets when the registry cannot be started", async () => {
		const folder = await mkdtemp(join(tmpdir(), "node-listeners-"));
		cleanUps.push(() => rm(folder, { recursive: true, force: true }));
		const file = join(folder, "no-folder");
		await writeFile(file, "");
		const registry = registryOn(createFileSystemDriver({ path: file }));
		const { origin } = await mounted(registry.nodeListeners());
		const response = await call(origin);
		expect([response.status, await response.json()]).toMatchObject([
			500,
			{ group: "rivetkit", code: "internal_error" },
		]);
		const socket = new WebSocket(origin.replace("http", "ws") + CALL, ["rivet"]);
		const code = await new Promise((resolve) => {
			socket.on("error", () => {});
			socket.on("close", resolve);
		});
		expect(code).toBe(1006);
	});
});
