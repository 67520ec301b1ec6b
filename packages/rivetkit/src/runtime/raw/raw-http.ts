import { type ActorRequest, type ActorResponse, catalogueError } from "@rivetkit/protocol";
import type { RunningCall } from "../calls/running-call.ts";
import { Connection } from "../connections/connection.ts";
import type { RequestContext } from "../context/connection-context.ts";
import { isCallerGone } from "../instance/caller-gone.ts";
import type { ActorInstance } from "../instance/instance.ts";
import { HookTimeout, withTimeout } from "../lifecycle/with-timeout.ts";
import { callerOf } from "../telemetry/caller-of.ts";
import { Span, type Work } from "../telemetry/span.ts";
import { SPAN_KINDS } from "../telemetry/span-kinds.ts";
import { incomingRequest } from "./incoming-request.ts";

/**
 * `onRequest` (contract: lifecycle 11): streamed both ways. The head waits for the commit of what the
 * handler wrote; each chunk of a streamed body waits for what was written before it. The call counts as
 * work until the last byte is out or the caller has gone.
 */
export async function handleRawRequest(
	instance: ActorInstance,
	request: ActorRequest,
	path: string,
	params: unknown,
): Promise<ActorResponse> {
	const { onRequest } = instance.config;
	if (!onRequest) throw catalogueError("handler.request_not_defined", {});
	const call = new RawCall(instance, request, path, params);
	try {
		return await call.run(onRequest);
	} catch (error) {
		call.finish({ thrown: error });
		throw error;
	}
}

class RawCall implements RunningCall {
	readonly #instance: ActorInstance;
	readonly #connection: Connection;
	readonly #controller = new AbortController();
	readonly #request: Request;
	readonly #rollBacksBefore: number;
	/** Rejects when the call is given up. */
	readonly #over: Promise<never>;
	#refuse!: (error: unknown) => void;
	#body: ReadableStreamDefaultReader<Uint8Array> | null = null;
	#gaveUp: { readonly error: unknown } | null = null;
	#context: RequestContext | null = null;
	#finished = false;
	/** The body outlives the call of the router, which counts as work until it has the head. */
	#isStreaming = false;
	/** Null when nothing is recorded. */
	readonly #work: Work | null;

	constructor(instance: ActorInstance, request: ActorRequest, path: string, params: unknown) {
		this.#instance = instance;
		this.#connection = new Connection(instance, "raw-request", params);
		this.#rollBacksBefore = instance.writes.rollBackCount;
		const signal = AbortSignal.any([request.signal, this.#controller.signal]);
		this.#request = incomingRequest(request, path, signal);
		this.#over = new Promise((_resolve, reject) => {
			this.#refuse = reject;
		});
		this.#over.catch(() => {});
		this.#connection.tracedFrom = callerOf(instance, request);
		const work = instance.telemetry?.begin(SPAN_KINDS.request, null, this.#connection.tracedFrom);
		this.#work = work ?? null;
		if (work instanceof Span) {
			const { pathname } = new URL(this.#request.url);
			work.set("http.request.method", request.method);
			work.set("url.path", pathname);
			// As the contract (lifecycle 19) and older tools have it.
			work.set("http.method", request.method);
			work.set("http.url", pathname);
		}
		instance.runningCalls.add(this);
	}

	get #span(): Span | null {
		return this.#work instanceof Span ? this.#work : null;
	}

	get kind(): "request" {
		return "request";
	}

	/** Without the query, which may hold secrets. */
	get name(): string {
		return `${this.#request.method} ${new URL(this.#request.url).pathname}`;
	}

	async run(onRequest: (c: unknown, request: Request) => unknown): Promise<ActorResponse> {
		await this.#instance.connections.open(this.#connection, this.#request);
		const answering = this.#respond(onRequest);
		try {
			const response = await Promise.race([answering, this.#over]);
			await this.#durable();
			return this.#deliver(response);
		} catch (error) {
			discard(answering, error);
			throw error;
		}
	}

	/** The stop of the actor is told by `c.abortSignal`; the request's own signal is about its caller. */
	abort(): void {}

	giveUp(error: unknown): void {
		this.#gaveUp = { error };
		this.#controller.abort(error);
		this.#context?.endReceiving(false);
		this.#refuse(error);
		void this.#body?.cancel(error).catch(() => {});
	}

	finish(failure?: { readonly thrown: unknown }): void {
		if (this.#finished) return;
		this.#finished = true;
		const instance = this.#instance;
		if (this.#work) instance.telemetry!.end(this.#work, failure);
		instance.runningCalls.delete(this);
		void instance.connections.close(this.#connection);
		if (this.#isStreaming) instance.work.end("request");
		instance.writes.saveSoon();
	}

	async #respond(onRequest: (c: unknown, request: Request) => unknown): Promise<Response> {
		const instance = this.#instance;
		const limitMs = instance.options.actionTimeout;
		const { signal } = this.#request;
		const c = instance.contexts.request(this.#connection, this.#request, signal);
		this.#context = c;
		let answered: unknown;
		let response: unknown;
		if (!instance.isFree) {
			await instance.untilFree();
			instance.assertAcceptsWork();
		}
		try {
			answered = instance.runCall(this, () => onRequest(c, this.#request), this.#span);
			response = await withTimeout(instance, "onRequest", limitMs, answered, "actionTimeout");
			c.endReceiving(true);
		} catch (error) {
			c.endReceiving(false);
			if (!(error instanceof HookTimeout)) throw error;
			const timedOut = catalogueError("request.timed_out", { timeoutMs: limitMs });
			if (answered instanceof Promise) discard(answered, timedOut);
			this.#controller.abort(timedOut);
			throw timedOut;
		} finally {
			instance.database?.callEnded(this);
		}
		// Structural: the Response of another realm or polyfill is one too.
		if (!isResponse(response)) throw catalogueError("handler.invalid_request_handler_response", {});
		return response;
	}

	#deliver(response: Response): ActorResponse {
		const headers: Record<string, string | readonly string[]> = {};
		for (const [name, value] of response.headers) {
			if (name !== "set-cookie") headers[name] = value;
		}
		const cookies = response.headers.getSetCookie();
		if (cookies.length > 0) headers["set-cookie"] = cookies;
		const { status, statusText } = response;
		this.#span?.set("http.response.status_code", status);
		const body = response.body ? this.#tracked(response.body) : null;
		if (body === null) this.finish();
		return { status, statusText, headers, body };
	}

	/** Passes a body on chunk by chunk, each after what was written before it is durable. */
	#tracked(body: ReadableStream<Uint8Array>): ReadableStream<Uint8Array> {
		const reader = body.getReader();
		this.#body = reader;
		this.#isStreaming = true;
		this.#instance.work.begin("request");
		return new ReadableStream<Uint8Array>({
			pull: async (controller) => {
				try {
					const { done, value } = await reader.read();
					await this.#durable();
					if (this.#finished) return;
					if (this.#gaveUp) throw this.#gaveUp.error;
					if (done) {
						this.finish();
						controller.close();
					} else {
						controller.enqueue(value);
					}
				} catch (error) {
					// The reader has gone: nobody misses what breaks off now.
					if (this.#finished) return;
					const { log } = this.#instance;
					const text = "a streamed response of onRequest broke off";
					if (isCallerGone(error, () => this.#request.signal)) log.debug(text);
					else log.warn({ err: error }, text);
					this.finish({ thrown: error });
					controller.error(error);
					reader.cancel(error).catch(() => {});
				}
			},
			cancel: async (reason) => {
				this.finish();
				await reader.cancel(reason);
			},
		});
	}

	/** Waits for the commit of what was written so far; throws when something written was lost. */
	async #durable(): Promise<void> {
		const { committer, options } = this.#instance;
		if (!options.confirmWrites) return;
		if (committer.pending) await committer.flush();
		const rolledBack = this.#instance.writes.rolledBackSince(this.#rollBacksBefore);
		if (rolledBack) throw rolledBack.error;
	}
}

/** A response that goes to nobody, now or when it comes: whatever feeds its body may stop. */
function discard(answering: Promise<unknown>, reason: unknown): void {
	answering
		.then((response) => (isResponse(response) ? response.body?.cancel(reason) : undefined))
		.catch(() => {});
}

function isResponse(value: unknown): value is Response {
	if (typeof value !== "object" || value === null) return false;
	const { status, arrayBuffer } = value as Partial<Response>;
	return typeof arrayBuffer === "function" && Number(status) >= 200 && Number(status) <= 599;
}
