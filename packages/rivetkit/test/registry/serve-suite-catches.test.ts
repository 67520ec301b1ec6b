import { type ServeSetup, testServing } from "rivetkit/serve-test-suite";
import { serve } from "srvx/node";
import { expect, it } from "vitest";
import type { FetchHandler } from "../../src/index.ts";

type Fault = (request: Request, handle: FetchHandler) => Promise<Response>;

/** Behind srvx, with something between the server and the registry. */
function setupWith(fault: Fault): ServeSetup {
	return {
		name: "a faulty server",
		async serve(registry) {
			const fetch = (request: Request) => fault(request, (asked) => registry.handler(asked));
			const server = serve({ fetch, port: 0, hostname: "127.0.0.1", silent: true });
			await server.ready();
			const origin = server.url!.replace(/\/$/, "");
			return { endpoint: `${origin}/api/rivet`, close: () => server.close(true) };
		},
	};
}

/** Names of the tests that fail, of those whose name contains `wanted`. */
async function failing(fault: Fault, wanted: string): Promise<string[]> {
	const tests: { name: string; body: () => Promise<void> }[] = [];
	testServing(
		{
			describe: (_name, body) => body(),
			it: (name, body) => tests.push({ name, body }),
			expect,
		},
		setupWith(fault),
	);
	const failed: string[] = [];
	for (const { name, body } of tests) {
		if (name.includes(wanted)) await body().catch(() => failed.push(name));
	}
	return failed;
}

const without = (response: Response, ...names: string[]): Response => {
	const headers = new Headers(response.headers);
	for (const name of names) headers.delete(name);
	return new Response(response.body, { status: response.status, headers });
};

const FAULTS: Readonly<Record<string, { fault: Fault; caughtBy: string }>> = {
	"decodes paths": {
		fault: (request, handle) => handle(new Request(decodeURIComponent(request.url), request)),
		caughtBy: "passes path and query of raw requests on",
	},
	"keeps one cookie": {
		fault: async (request, handle) => {
			const response = await handle(request);
			const changed = without(response, "set-cookie");
			const [cookie] = response.headers.getSetCookie();
			if (cookie) changed.headers.set("set-cookie", cookie);
			return changed;
		},
		caughtBy: "passes method, headers, status and several cookies on",
	},
	"answers preflights itself": {
		fault: async (request, handle) =>
			request.method === "OPTIONS" ? new Response(null, { status: 204 }) : handle(request),
		caughtBy: "answers browsers of other origins",
	},
	"drops what it does not know of errors": {
		fault: async (request, handle) => {
			const response = await handle(request);
			return response.ok ? response : new Response("Bad Request", { status: response.status });
		},
		caughtBy: "carries calls and errors of clients that speak bare",
	},
	"reads bodies as text": {
		fault: async (request, handle) => {
			const body = request.method === "POST" ? await request.text() : undefined;
			return handle(new Request(request, body === undefined ? {} : { body }));
		},
		caughtBy: "carries a body of 1 MiB both ways",
	},
	"hides /metadata": {
		fault: async (request, handle) =>
			request.url.endsWith("/metadata") ? new Response("no", { status: 404 }) : handle(request),
		caughtBy: "answers /health and /metadata",
	},
};

it.each(Object.entries(FAULTS))("a server that %s fails", async (_what, { fault, caughtBy }) => {
	expect(await failing(fault, caughtBy)).toEqual([expect.stringContaining(caughtBy)]);
});
