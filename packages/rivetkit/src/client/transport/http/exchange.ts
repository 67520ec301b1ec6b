import { decodeHttpResponseError, type Encoding, HEADER_RAY_ID } from "@rivetkit/protocol";
import { ActorError, describeCause, HttpRequestError } from "../../errors.ts";

export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

/**
 * Nobody knows whether the call ran: the connection failed before a whole answer arrived, or a gateway in
 * between answered for a server it could not reach.
 */
export class Unanswered extends HttpRequestError {}

const UNAVAILABLE_STATUSES = new Set([502, 503, 504]);

/** One request. Rejects with the signal's reason after an abort, else with {@link Unanswered}. */
export async function send(fetch: Fetch, url: string, init: RequestInit): Promise<Response> {
	try {
		return await fetch(url, { ...init, credentials: "include" });
	} catch (error) {
		throw broken(error, init.signal);
	}
}

/**
 * The body of a successful response. A structured error becomes an `ActorError`; any other failure an
 * `HttpRequestError` with status, body and ray id (contract: protocol 2.6, 6.5).
 */
export async function readBody(
	response: Response,
	encoding: Encoding,
	signal: AbortSignal | null | undefined,
): Promise<Uint8Array> {
	let body: Uint8Array;
	try {
		body = new Uint8Array(await response.arrayBuffer());
	} catch (error) {
		throw broken(error, signal);
	}
	if (response.ok) return body;
	throw failure(response, body, encoding);
}

/** Decodes a success body. */
export function parsed<T>(decode: () => T): T {
	try {
		return decode();
	} catch (error) {
		throw new HttpRequestError(`Failed to parse response: ${describeCause(error)}`, {
			cause: error,
		});
	}
}

function failure(response: Response, body: Uint8Array, encoding: Encoding): Error {
	const isJson = response.headers.get("content-type")?.includes("application/json");
	try {
		const error = decodeHttpResponseError(isJson ? "json" : encoding, body);
		return new ActorError(error.group, error.code, error.message, error.metadata);
	} catch {
		// Not one of ours: something between here and the server answered.
		const rayId = response.headers.get(HEADER_RAY_ID);
		const ray = rayId ? ` (Ray ID: ${rayId})` : "";
		const text = new TextDecoder().decode(body);
		const message = `${response.statusText} (${response.status})${ray}:\n${text}`;
		return UNAVAILABLE_STATUSES.has(response.status)
			? new Unanswered(message)
			: new HttpRequestError(message);
	}
}

function broken(error: unknown, signal: AbortSignal | null | undefined): unknown {
	if (signal?.aborted) return signal.reason;
	return new Unanswered(`Request failed: ${describeCause(error)}`, { cause: error });
}
