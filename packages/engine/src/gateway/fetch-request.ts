import {
	type ActorResponse,
	catalogueError,
	type HeadersView,
	type RequestBody,
} from "@rivetkit/protocol";
import { corsHeaders, type FlatHeaders, isOwnHeader, preflightHeaders } from "./cors.ts";
import { bodyTooLong, type InboundRequest } from "./inbound.ts";
import { keepsLength } from "./keeps-length.ts";

/** One request of a fetch-style server. */
export class FetchRequest implements InboundRequest, RequestBody {
	method: string;
	path: string;
	headers: HeadersView;
	readonly request: Request;
	/** A fetch-style server does not tell. */
	readonly peerAddress = undefined;
	readonly #bodyBytesMax: number;
	#bytes: Promise<Uint8Array> | undefined;

	constructor(request: Request, bodyBytesMax: number) {
		const url = new URL(request.url);
		this.request = request;
		this.method = request.method;
		this.path = url.pathname + url.search;
		this.headers = {
			get: (name) => request.headers.get(name),
			entries: () => request.headers.entries(),
		};
		this.#bodyBytesMax = bodyBytesMax;
	}

	get body(): RequestBody {
		return this;
	}

	get signal(): AbortSignal {
		return this.request.signal;
	}

	bytes(limitBytes: number): Promise<Uint8Array> {
		this.#bytes ??= this.#read(limitBytes);
		return this.#bytes;
	}

	async #read(limitBytes: number): Promise<Uint8Array> {
		const limit = Math.min(limitBytes, this.#bodyBytesMax);
		const declared = Number(this.request.headers.get("content-length") ?? 0);
		if (declared > limit) {
			throw bodyTooLong(limitBytes, this.#bodyBytesMax, declared);
		}
		const chunks: Uint8Array[] = [];
		let size = 0;
		const reader = this.request.body?.getReader();
		for (let next = await reader?.read(); next && !next.done; next = await reader!.read()) {
			size += next.value.byteLength;
			if (size > limit) {
				await reader!.cancel();
				throw bodyTooLong(limitBytes, this.#bodyBytesMax);
			}
			chunks.push(next.value);
		}
		const [first] = chunks;
		return chunks.length === 1 ? first! : join(chunks, size);
	}

	stream(): ReadableStream<Uint8Array> | null {
		let size = 0;
		return (
			this.request.body?.pipeThrough(
				new TransformStream<Uint8Array, Uint8Array>({
					transform: (chunk, controller) => {
						size += chunk.byteLength;
						if (size > this.#bodyBytesMax) {
							controller.error(
								catalogueError("guard.invalid_request_body", { limit: this.#bodyBytesMax }),
							);
						} else {
							controller.enqueue(chunk);
						}
					},
				}),
			) ?? null
		);
	}
}

/** The answer as a fetch response, with the headers of protocol 4.9. */
export function fetchResponse(request: Request, answer: ActorResponse): Response {
	const headers = new Headers();
	const isHead = request.method === "HEAD";
	const dropsLength = answer.body === null && !keepsLength(answer, isHead);
	for (const [name, value] of Object.entries(answer.headers)) {
		if (!isOwnHeader(name) && !(dropsLength && name === "content-length")) {
			for (const one of typeof value === "string" ? [value] : value) {
				headers.append(name, one);
			}
		}
	}
	const cors = corsHeaders(request.headers.get("origin"));
	for (let index = 0; index < cors.length; index += 2) {
		headers.append(cors[index]!, cors[index + 1]!);
	}
	const { status, statusText, body } = answer;
	const bodiless = isHead || status === 204 || status === 304;
	if (bodiless && body instanceof ReadableStream) {
		void body.cancel().catch(() => {});
	}
	return new Response(bodiless ? null : (body as BodyInit | null), {
		status,
		headers,
		...(statusText === undefined ? {} : { statusText }),
	});
}

/** The answer to `OPTIONS`. */
export function fetchPreflight(request: Request): Response {
	return preflightResponse(preflightHeaders(request.headers));
}

/** The same with these headers, names and values alternating. */
export function preflightResponse(flat: FlatHeaders): Response {
	const headers = new Headers();
	for (let index = 0; index < flat.length; index += 2) {
		headers.append(flat[index]!, flat[index + 1]!);
	}
	return new Response(null, { status: 204, headers });
}

function join(chunks: readonly Uint8Array[], size: number): Uint8Array {
	const whole = new Uint8Array(size);
	let at = 0;
	for (const chunk of chunks) {
		whole.set(chunk, at);
		at += chunk.byteLength;
	}
	return whole;
}
