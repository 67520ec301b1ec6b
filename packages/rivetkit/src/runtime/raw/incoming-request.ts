import {
	type ActorRequest,
	type ActorUpgrade,
	catalogueError,
	type HeadersView,
} from "@rivetkit/protocol";

/** The origin that requests have inside an actor; only path and query mean something there. */
const ORIGIN = "http://actor";

/** Methods that the fetch standard allows in no `Request`. */
const FORBIDDEN_METHODS = new Set(["CONNECT", "TRACE", "TRACK"]);

/**
 * The `Request` a user's `onRequest` gets: streamed body, the call's abort signal. Throws
 * `request.invalid` for a method that none can have.
 */
export function incomingRequest(request: ActorRequest, path: string, signal: AbortSignal): Request {
	if (FORBIDDEN_METHODS.has(request.method)) {
		throw catalogueError("request.invalid", {
			detail: `method ${request.method} cannot be handed to onRequest`,
		});
	}
	const hasBody = request.method !== "GET" && request.method !== "HEAD";
	const body = hasBody ? request.body.stream() : null;
	return new Request(ORIGIN + path, {
		method: request.method,
		headers: toHeaders(request.headers),
		signal,
		...(body ? { body, duplex: "half" } : undefined),
	} as RequestInit);
}

/** The synthetic request of an action (`http://actor/action/<name>`), made only when a hook asks. */
export function metadataRequest(headers: HeadersView, path: string): Request {
	return new Request(ORIGIN + path, { headers: toHeaders(headers) });
}

/** The upgrade request as `c.request` shows it. */
export function upgradeRequest(upgrade: ActorUpgrade): Request {
	return metadataRequest(upgrade.headers, upgrade.path);
}

/** The same, of a client that came while an earlier incarnation lived. */
export function storedRequest(
	path: string,
	headers: readonly (readonly [name: string, value: string])[],
): Request {
	return new Request(ORIGIN + path, { headers: headers as [string, string][] });
}

function toHeaders(view: HeadersView): Headers {
	const headers = new Headers();
	for (const [name, value] of view.entries()) headers.append(name, value);
	return headers;
}
