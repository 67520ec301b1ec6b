import {
	ActorGone,
	type ActorRequest,
	type ActorResponse,
	catalogueError,
	decodeConnParams,
	type Encoding,
	HEADER_CONN_PARAMS,
	HEADER_ENCODING,
	loggedPath,
	parseEncoding,
} from "@rivetkit/protocol";
import { VERSION } from "../../utils/version.ts";
import type { ActorInstance } from "../instance/instance.ts";
import { handleRawRequest } from "../raw/raw-http.ts";
import { errorResponse, NOT_FOUND } from "./error-response.ts";
import { handleAction } from "./http-action.ts";
import { handleQueueSend } from "./http-queue.ts";

/**
 * The HTTP routes of one actor (contract: protocol 2.2). Errors are responses; rejects only with an
 * {@link ActorGone} that says how the next incarnation goes on with the call.
 */
export async function routeRequest(
	instance: ActorInstance,
	request: ActorRequest,
): Promise<ActorResponse> {
	let encoding: Encoding = "json";
	// From here on the call is this incarnation's: a stop waits for it, its body included.
	instance.work.begin("request");
	try {
		encoding = parseEncoding(request.headers.get(HEADER_ENCODING));
		return await dispatch(instance, request, encoding);
	} catch (error) {
		if (error instanceof ActorGone && error.resume) throw error;
		const operation = { path: loggedPath(request.path) };
		return errorResponse(
			encoding,
			instance.describeError(error, operation, () => request.signal),
		);
	} finally {
		instance.work.end("request");
	}
}

function dispatch(
	instance: ActorInstance,
	request: ActorRequest,
	encoding: Encoding,
): ActorResponse | Promise<ActorResponse> {
	const { method, path } = request;
	const queryStart = path.indexOf("?");
	const pathname = queryStart < 0 ? path : path.slice(0, queryStart);

	if (pathname.startsWith("/action/")) {
		const name = segment(pathname.slice("/action/".length));
		if (method !== "POST" || name === null) return NOT_FOUND;
		return handleAction(instance, name, request, encoding, connParams(request));
	}
	if (pathname === "/request" || pathname.startsWith("/request/")) {
		const rest = path.slice("/request".length);
		const forwarded = rest.startsWith("/") ? rest : `/${rest}`;
		return handleRawRequest(instance, request, forwarded, connParams(request));
	}
	if (pathname === "/queue" || pathname.startsWith("/queue/")) {
		const rest = pathname.slice("/queue/".length);
		const name = segment(rest);
		if (method !== "POST" || (name === null && rest !== "")) return NOT_FOUND;
		return handleQueueSend(instance, name, request, encoding, connParams(request));
	}
	if (method !== "GET" && method !== "HEAD") return NOT_FOUND;
	switch (pathname.endsWith("/") && pathname !== "/" ? pathname.slice(0, -1) : pathname) {
		case "/":
			return text("This is a RivetKit actor.");
		case "/health":
			return text("ok");
		case "/metadata":
			return {
				status: 200,
				headers: { "content-type": "application/json" },
				body: JSON.stringify({ runtime: "rivetkit", version: VERSION }),
			};
		default:
			return NOT_FOUND;
	}
}

/** One decoded path segment; a trailing slash is insignificant. Null when there is none, or more. */
function segment(rest: string): string | null {
	const raw = rest.endsWith("/") ? rest.slice(0, -1) : rest;
	if (raw === "" || raw.includes("/")) return null;
	try {
		return decodeURIComponent(raw);
	} catch {
		throw catalogueError("request.invalid", { detail: `bad percent-encoding in path: ${raw}` });
	}
}

function connParams(request: ActorRequest): unknown {
	const text = request.headers.get(HEADER_CONN_PARAMS);
	return text === null ? undefined : decodeConnParams(text);
}

function text(body: string): ActorResponse {
	return { status: 200, headers: { "content-type": "text/plain; charset=UTF-8" }, body };
}
