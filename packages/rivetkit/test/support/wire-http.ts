import {
	decodeHttpActionResponse,
	decodeHttpQueueSendResponse,
	decodeHttpResponseError,
	type Encoding,
	encodeHttpActionRequest,
	encodeHttpQueueSendRequest,
	type HttpResponseError,
} from "@rivetkit/protocol";
import type { TestRuntime } from "./test-runtime.ts";

export interface WireCall {
	readonly encoding?: Encoding;
	readonly headers?: Record<string, string>;
	/** Sent instead of the encoded arguments. */
	readonly body?: string | Uint8Array<ArrayBuffer>;
	readonly signal?: AbortSignal;
}

export interface WireAnswer {
	readonly status: number;
	readonly contentType: string | null;
	readonly output?: unknown;
	readonly error?: HttpResponseError;
}

/** One action over HTTP in any encoding, with its answer decoded. */
export async function wireAction(
	runtime: TestRuntime,
	actorId: string,
	name: string,
	args: unknown[] = [],
	{ encoding = "json", headers = {}, body, signal }: WireCall = {},
): Promise<WireAnswer> {
	const path = `/gateway/${actorId}/action/${encodeURIComponent(name)}`;
	const response = await fetch(runtime.url + path, {
		method: "POST",
		headers: { "x-rivet-encoding": encoding, ...headers },
		body: body ?? (encodeHttpActionRequest(encoding, { args }) as string),
		...(signal ? { signal } : undefined),
	});
	const bytes = new Uint8Array(await response.arrayBuffer());
	const contentType = response.headers.get("content-type");
	const data = encoding === "json" ? new TextDecoder().decode(bytes) : bytes;
	return response.ok
		? { status: response.status, contentType, ...decodeHttpActionResponse(encoding, data) }
		: { status: response.status, contentType, error: decodeHttpResponseError(encoding, data) };
}

export interface WireSend extends WireCall {
	readonly wait?: boolean;
	readonly timeout?: number;
	/** Path behind the actor's. Default `/queue/<name>`. */
	readonly path?: string;
}

export interface WireSendAnswer extends WireAnswer {
	readonly outcome?: { readonly status: string; readonly response?: unknown };
}

/** One queue message over HTTP in any encoding, with its answer decoded. */
export async function wireSend(
	runtime: TestRuntime,
	actorId: string,
	name: string,
	message?: unknown,
	{ encoding = "json", headers = {}, body, signal, wait, timeout, path }: WireSend = {},
): Promise<WireSendAnswer> {
	const url = `${runtime.url}/gateway/${actorId}${path ?? `/queue/${encodeURIComponent(name)}`}`;
	const request = {
		body: message,
		name,
		...(wait === undefined ? undefined : { wait }),
		...(timeout === undefined ? undefined : { timeout }),
	};
	const response = await fetch(url, {
		method: "POST",
		headers: { "x-rivet-encoding": encoding, ...headers },
		body: body ?? (encodeHttpQueueSendRequest(encoding, request) as string),
		...(signal ? { signal } : undefined),
	});
	const bytes = new Uint8Array(await response.arrayBuffer());
	const contentType = response.headers.get("content-type");
	const data = encoding === "json" ? new TextDecoder().decode(bytes) : bytes;
	return response.ok
		? { status: response.status, contentType, outcome: decodeHttpQueueSendResponse(encoding, data) }
		: { status: response.status, contentType, error: decodeHttpResponseError(encoding, data) };
}

/** `group.code` of an answer, or of a thrown error; "ok" when there is none. */
export function codeOf(answer: unknown): string {
	const { error } = answer as { error?: unknown };
	const failure = (error ?? answer) as { group?: unknown; code?: unknown };
	return failure.group === undefined ? "ok" : `${failure.group}.${failure.code}`;
}

/** `group.code` of what a promise rejects with, "ok" when it resolves. */
export async function outcomeOf(promise: Promise<unknown>): Promise<string> {
	try {
		await promise;
		return "ok";
	} catch (error) {
		return codeOf(error);
	}
}
