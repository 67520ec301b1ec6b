import { decodeCbor, encodeCbor, HEADER_TOKEN } from "@rivetkit/protocol";
import { ApiError, UnreachableError } from "./errors.ts";
import { noteReachable } from "./reachable.ts";
import type { Session } from "./session.ts";

export interface ApiRequest {
	readonly method?: "GET" | "POST" | "PATCH" | "DELETE";
	readonly query?: Readonly<Record<string, string | number | boolean | null | undefined>>;
	/** Sent as CBOR, so that bigints, dates, maps and bytes arrive as they are. */
	readonly body?: object;
	/** Of a read: nothing is changed where there is another version by now. */
	readonly ifMatch?: string | null;
	readonly signal?: AbortSignal;
}

/** What was read, and which version of it. */
export interface VersionedAnswer {
	readonly value: unknown;
	/** Null where the server tells none. */
	readonly etag: string | null;
}

/**
 * One call of the server's HTTP API; values come as they are (CBOR) wherever the server can. Throws an
 * {@link ApiError} for an answer that is none, an {@link UnreachableError} when nobody answers.
 */
export async function callApi(
	session: Session,
	path: string,
	request: ApiRequest = {},
): Promise<unknown> {
	return (await callApiVersion(session, path, request)).value;
}

/** The same, with the version of what is read. */
export async function callApiVersion(
	session: Session,
	path: string,
	{ method = "GET", query, body, ifMatch = null, signal }: ApiRequest = {},
): Promise<VersionedAnswer> {
	const headers = headersOf(session, "application/cbor, application/json");
	if (body !== undefined) headers.set("content-type", "application/cbor");
	if (ifMatch !== null) headers.set("if-match", ifMatch);
	let response: Response;
	let bytes: Uint8Array;
	try {
		response = await fetch(`${session.endpoint}${path}${queryText(query)}`, {
			method,
			headers,
			cache: "no-store",
			credentials: "omit",
			...(body === undefined ? undefined : { body: encodeCbor(body) as BufferSource }),
			...(signal === undefined ? undefined : { signal }),
		});
		bytes = new Uint8Array(await response.arrayBuffer());
	} catch (error) {
		if (signal?.aborted) throw error;
		noteReachable(session.endpoint, false);
		throw new UnreachableError(session.endpoint, error);
	}
	noteReachable(session.endpoint, true);
	const value = decodeBody(response, bytes);
	if (response.ok) return { value, etag: etagOf(response) };
	throw errorFrom(response, value);
}

/** Bytes that come as they are made. Throws as {@link callApi} does. */
export async function openStream(
	session: Session,
	path: string,
	{ query, signal }: Pick<ApiRequest, "query"> & { readonly signal: AbortSignal },
): Promise<ReadableStream<Uint8Array>> {
	let response: Response;
	try {
		response = await fetch(`${session.endpoint}${path}${queryText(query)}`, {
			headers: headersOf(session, "text/event-stream"),
			cache: "no-store",
			credentials: "omit",
			signal,
		});
	} catch (error) {
		if (signal.aborted) throw error;
		noteReachable(session.endpoint, false);
		throw new UnreachableError(session.endpoint, error);
	}
	noteReachable(session.endpoint, true);
	if (response.ok && response.body !== null) return response.body;
	const bytes = new Uint8Array(await response.arrayBuffer());
	throw errorFrom(response, decodeBody(response, bytes));
}

function headersOf(session: Session, accept: string): Headers {
	const headers = new Headers({ accept });
	if (session.token !== "") headers.set("authorization", `Bearer ${session.token}`);
	const engineToken = session.engineToken || session.token;
	if (engineToken !== "") headers.set(HEADER_TOKEN, engineToken);
	return headers;
}

/** As the server gave it: proxies that compress answers make it a weak one. */
function etagOf({ headers }: Response): string | null {
	return headers.get("etag")?.replace(/^W\//, "") ?? null;
}

function queryText(query: ApiRequest["query"]): string {
	const parameters = new URLSearchParams();
	for (const [name, value] of Object.entries(query ?? {})) {
		if (value !== undefined && value !== null && value !== "") parameters.set(name, String(value));
	}
	return parameters.size === 0 ? "" : `?${parameters}`;
}

function decodeBody(response: Response, bytes: Uint8Array): unknown {
	if (bytes.byteLength === 0) return null;
	const type = response.headers.get("content-type") ?? "";
	if (/^application\/cbor\b/i.test(type)) return decodeCbor(bytes);
	const text = new TextDecoder().decode(bytes);
	return /\bjson\b/i.test(type) ? (JSON.parse(text) as unknown) : text;
}

function errorFrom(response: Response, value: unknown): ApiError {
	if (typeof value === "object" && value !== null) {
		const { group, code, message, metadata, error } = value as Record<string, unknown>;
		if (typeof group === "string" && typeof code === "string" && typeof message === "string") {
			return new ApiError(response.status, group, code, message, metadata);
		}
		if (typeof error === "string") {
			return new ApiError(response.status, "request", "invalid", error);
		}
	}
	const what = typeof value === "string" && value !== "" ? `: ${value.slice(0, 200)}` : "";
	const message = `${response.url} answered ${response.status} ${response.statusText}${what}`;
	return new ApiError(response.status, "http", String(response.status), message);
}
