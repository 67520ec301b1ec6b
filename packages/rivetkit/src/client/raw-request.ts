import type { RawHttpCall } from "./transport/transport.ts";

/** Only path and query of what a user gives count; the rest of the URL is ours. */
const BASE = "http://actor";
/** Of the hop that a request came by, and not of the next one. Browsers leave them out; Node fails, or sends what is not so. */
const HEADERS_OF_HOP = "connection expect host keep-alive te transfer-encoding upgrade".split(" ");

/**
 * What `handle.fetch(input, init)` sends. `init` wins over a `Request`; headers are merged the same way.
 * The body of a `Request` is read first, because browsers cannot stream it on.
 */
export async function rawHttpCall(
	input: string | URL | Request,
	init: RequestInit = {},
): Promise<Omit<RawHttpCall, "params">> {
	const request = typeof input === "object" && "url" in input ? input : undefined;
	const headers = new Headers(request?.headers);
	for (const [name, value] of new Headers(init.headers)) headers.set(name, value);
	for (const name of HEADERS_OF_HOP) headers.delete(name);
	const method = (init.method ?? request?.method ?? "GET").toUpperCase();
	const { signal: initSignal, headers: _replaced, ...rest } = init;
	const call: RequestInit & { headers: Headers; duplex?: "half" } = { ...rest, method, headers };
	if (request) call.redirect ??= request.redirect;
	if (method === "GET" || method === "HEAD") delete call.body;
	else if (call.body === undefined && request?.body) call.body = await request.arrayBuffer();
	if (call.body instanceof ReadableStream) call.duplex = "half";
	return {
		path: pathAndQuery(request?.url ?? String(input)),
		init: call,
		signal: initSignal ?? request?.signal,
	};
}

/** `/websocket/…` of a raw socket: one leading slash of the user's path is dropped, the query is kept. No `..` leads out of it. */
export function rawSocketPath(path = ""): string {
	return `/websocket${pathAndQuery(path)}`;
}

function pathAndQuery(url: string): string {
	const absolute = /^[a-z][a-z\d+.-]*:\/\//i.test(url);
	const { pathname, search } = new URL(absolute ? url : `${BASE}/${url.replace(/^\//, "")}`);
	return pathname + search;
}
