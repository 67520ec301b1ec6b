import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { ReadableStream } from "node:stream/web";
import { serve as serveHono } from "@hono/node-server";
import { Hono } from "hono";
import { type ServeSetup, testServing } from "rivetkit/serve-test-suite";
import { serve as serveSrvx } from "srvx/node";
import { describe, expect, it } from "vitest";
import type { FetchHandler } from "../../src/index.ts";

/** `registry.handler()` and `serve()` behind servers people already have (api 14.3, ruling 7). */
const setups: ServeSetup[] = [
	{
		name: "node:http",
		async serve(registry) {
			const server = createServer((request, response) => {
				void passOn(request, response, (wanted) => registry.handler(wanted));
			});
			await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
			const { port } = server.address() as AddressInfo;
			return { endpoint: `http://127.0.0.1:${port}/api/rivet`, close: () => stopped(server) };
		},
	},
	{
		name: "node:http, by its listeners",
		takesUpgrades: true,
		async serve(registry) {
			const { onRequest, onUpgrade } = registry.nodeListeners();
			const server = createServer(onRequest).on("upgrade", onUpgrade);
			await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
			const { port } = server.address() as AddressInfo;
			return { endpoint: `http://127.0.0.1:${port}/api/rivet`, close: () => stopped(server) };
		},
	},
	{
		name: "Hono on Node",
		serve(registry) {
			const app = new Hono();
			app.all("/api/rivet/*", (c) => registry.handler(c.req.raw));
			return new Promise((resolve) => {
				const options = { fetch: app.fetch, port: 0, hostname: "127.0.0.1" };
				const server = serveHono(options, ({ port }) =>
					resolve({
						endpoint: `http://127.0.0.1:${port}/api/rivet`,
						close: () => stopped(server as Server),
					}),
				);
			});
		},
	},
	{
		name: "srvx, as the default export of a file",
		async serve(registry) {
			const { fetch } = registry.serve();
			const server = serveSrvx({ fetch, port: 0, hostname: "127.0.0.1", silent: true });
			await server.ready();
			return {
				endpoint: `${server.url!.replace(/\/$/, "")}/api/rivet`,
				close: () => server.close(true),
			};
		},
	},
	{
		name: "an address of its own",
		takesUpgrades: true,
		async serve(registry) {
			const { url } = await registry.listen();
			return { endpoint: url, close: () => {} };
		},
	},
];

for (const setup of setups) testServing({ describe, it, expect }, setup);

function stopped(server: Server): Promise<void> {
	const closed = new Promise<void>((resolve) => server.close(() => resolve()));
	server.closeAllConnections();
	return closed;
}

/** What stands between `node:http` and a fetch-style handler. */
async function passOn(
	incoming: IncomingMessage,
	response: ServerResponse,
	handle: FetchHandler,
): Promise<void> {
	const gone = new AbortController();
	response.once("close", () => gone.abort());
	const { method = "GET", headers } = incoming;
	const hasBody = method !== "GET" && method !== "HEAD";
	const answer = await handle(
		new Request(new URL(incoming.url ?? "/", `http://${headers.host}`), {
			method,
			headers: Object.entries(headers).flatMap(([name, value]) =>
				[value ?? []].flat().map((one): [string, string] => [name, one]),
			),
			signal: gone.signal,
			...(hasBody ? { body: Readable.toWeb(incoming) as BodyInit, duplex: "half" } : undefined),
		} as RequestInit),
	);
	response.writeHead(answer.status, [...answer.headers].flat());
	if (!answer.body) {
		response.end();
		return;
	}
	response.flushHeaders();
	await pipeline(Readable.fromWeb(answer.body as ReadableStream), response).catch(() => {});
}
