import {
	type ActorRequest,
	type ActorResponse,
	buildSubprotocols,
	catalogueError,
	decodeHttpActionResponse,
	decodeHttpQueueSendResponse,
	decodeHttpResponseError,
	encodeAsciiJson,
	encodeCbor,
	encodeConnParamsHeader,
	encodeHttpActionRequest,
	encodeHttpQueueSendRequest,
	gatewayPath,
	HEADER_CONN_PARAMS,
	HEADER_ENCODING,
	HEADER_QUEUE_OPTIONS,
	HEADER_STREAM,
	type HeadersView,
	SUBPROTOCOL_RIVET,
	TRACEPARENT,
	toWireError,
} from "@rivetkit/protocol";
import { ActorError } from "../../client/errors.ts";
import type { QueueSendResult } from "../../client/queue-send.ts";
import type {
	ActionCall,
	ActorQuery,
	ClientTransport,
	NewActor,
	OpenedSocket,
	QueueSendCall,
	RawHttpCall,
	SocketCall,
} from "../../client/transport/transport.ts";
import { untracked } from "../../runtime/state/index.ts";
import type { ActorTelemetry } from "../../runtime/telemetry/actor-telemetry.ts";
import type { ManagerDriver, ActorQuery as ManagerQuery } from "../manager.ts";

const ENCODING = "bare";

/** The actor that calls. */
export interface CallingActor {
	readonly actorId: string;
	readonly name: string;
	readonly key: readonly string[];
	/** Null when nothing is recorded. */
	readonly telemetry: ActorTelemetry | null;
	/** Throws when the actor may not call itself now: while it starts it would wait for its own start. */
	admitSelfCall(): void;
	/** Throws when the code that is running could only be answered by itself: the actor's own `run`. */
	admitSelfWait(): void;
}

/**
 * Calls between actors of one process: the gateway's own functions instead of sockets. Values are still
 * encoded, so that no two actors ever share an object; parts of a caller's state go as what they are.
 */
export class InProcessTransport implements ClientTransport {
	readonly encoding = ENCODING;
	readonly #manager: ManagerDriver | Promise<ManagerDriver>;
	readonly #caller: CallingActor | null;
	readonly #publicUrl: () => string;
	readonly #exposeErrors: () => boolean;

	/**
	 * `caller` is null for the client of a registry or a test, which is no actor. A manager that is still
	 * starting makes calls wait; when it fails to start they fail with its error.
	 */
	constructor(
		manager: ManagerDriver | Promise<ManagerDriver>,
		caller: CallingActor | null,
		publicUrl: () => string,
		exposeErrors: () => boolean,
	) {
		this.#manager = manager;
		this.#caller = caller;
		this.#publicUrl = publicUrl;
		this.#exposeErrors = exposeErrors;
	}

	async resolve(query: ActorQuery, signal: AbortSignal | undefined): Promise<string> {
		signal?.throwIfAborted();
		if (this.#isCaller(query)) this.#caller!.admitSelfCall();
		if (query.kind === "found") return query.actorId;
		const { actor } = await this.#told((await this.#manager).resolve(managerQuery(query)));
		signal?.throwIfAborted();
		return actor.actorId;
	}

	async create(actor: NewActor, signal: AbortSignal | undefined): Promise<string> {
		signal?.throwIfAborted();
		const { actor: created } = await this.#told(
			(await this.#manager).resolve({
				kind: "create",
				name: actor.name,
				key: actor.key,
				input: encodeInput(actor.input),
			}),
		);
		return created.actorId;
	}

	async action(target: ActorQuery, call: ActionCall): Promise<unknown> {
		const body = encodeHttpActionRequest(ENCODING, {
			args: untracked([...call.args]) as unknown[],
		});
		return this.#traced(`${target.name}.${call.name}`, async (headers) => {
			const path = `/action/${encodeURIComponent(call.name)}`;
			const response = await this.#post(target, path, body, call, headers);
			return decodeHttpActionResponse(ENCODING, response).output;
		});
	}

	/** Runs a call that says in its headers where in a trace it comes from, if its caller is in one. */
	async #traced<T>(
		subject: string,
		call: (headers: Readonly<Record<string, string>>) => Promise<T>,
	): Promise<T> {
		const telemetry = this.#caller?.telemetry;
		const outgoing = telemetry?.beginOutgoing(subject);
		if (!telemetry || !outgoing) return call({});
		try {
			const result = await call({ [TRACEPARENT]: outgoing.traceparent });
			telemetry.endOutgoing(outgoing);
			return result;
		} catch (thrown) {
			telemetry.endOutgoing(outgoing, { thrown });
			throw thrown;
		}
	}

	async stream(target: ActorQuery, call: ActionCall): Promise<ReadableStream<Uint8Array>> {
		const response = await this.#request(
			target,
			`/action/${encodeURIComponent(call.name)}`,
			encodeHttpActionRequest(ENCODING, { args: untracked([...call.args]) as unknown[] }),
			call,
			{ [HEADER_STREAM]: "1" },
		);
		if (response.body instanceof ReadableStream) return response.body;
		throw failure(response);
	}

	async queueSend(target: ActorQuery, call: QueueSendCall): Promise<QueueSendResult> {
		if (call.wait && this.#isCaller(target)) this.#caller!.admitSelfWait();
		const { options } = call;
		const body = encodeHttpQueueSendRequest(ENCODING, {
			body: untracked(call.body),
			...(call.wait ? { wait: true } : undefined),
			...(call.timeoutMs === undefined ? undefined : { timeout: call.timeoutMs }),
		});
		return this.#traced(`${target.name}.queue.${call.queue}`, async (headers) => {
			const path = `/queue/${encodeURIComponent(call.queue)}`;
			const response = await this.#post(target, path, body, call, {
				...headers,
				...(options ? { [HEADER_QUEUE_OPTIONS]: encodeAsciiJson(options) } : undefined),
			});
			return decodeHttpQueueSendResponse(ENCODING, response) as QueueSendResult;
		});
	}

	async request(actorId: string, call: RawHttpCall): Promise<Response> {
		const headers = new Headers(call.init.headers);
		if (call.params !== undefined) {
			headers.set(HEADER_CONN_PARAMS, encodeConnParamsHeader(call.params));
		}
		const url = `http://actor${gatewayPath(actorId, undefined, `/request${call.path}`)}`;
		const init = { ...call.init, headers, ...(call.signal ? { signal: call.signal } : undefined) };
		return this.#traced("fetch", async (more) => {
			// Who says where it comes from by itself knows better.
			for (const [name, value] of Object.entries(more)) {
				if (!headers.has(name)) headers.set(name, value);
			}
			return (await this.#manager).fetch(new Request(url, init));
		});
	}

	async openSocket(actorId: string, call: SocketCall): Promise<OpenedSocket> {
		const protocols = buildSubprotocols({
			encoding: ENCODING,
			connParams: call.params,
			...(call.session === undefined ? undefined : { session: call.session }),
			extra: call.protocols,
		});
		const outgoing = this.#caller?.telemetry?.beginOutgoing("connect");
		if (outgoing) this.#caller!.telemetry!.endOutgoing(outgoing);
		const headers: Record<string, string> = outgoing ? { [TRACEPARENT]: outgoing.traceparent } : {};
		const upgrade = { path: call.path, headers: new PlainHeaders(headers), protocols };
		const socket = (await this.#manager).connect(actorId, upgrade, SUBPROTOCOL_RIVET);
		// Nothing breaks in one process: a socket that ends was closed.
		return { socket, recognisesRepeats: true, resumesEvents: false };
	}

	async gatewayUrl(actorId: string): Promise<string> {
		return this.#publicUrl() + gatewayPath(actorId);
	}

	async explain(error: ActorError): Promise<ActorError> {
		return error;
	}

	dispose(): void {}

	/** The manager's errors as every caller gets them: internal ones masked, in the class of clients. */
	async #told<T>(promise: Promise<T>): Promise<T> {
		try {
			return await promise;
		} catch (error) {
			const wire = toWireError(error, { expose: this.#exposeErrors() });
			throw new ActorError(wire.group, wire.code, wire.message, wire.metadata, { cause: error });
		}
	}

	#isCaller(query: ActorQuery): boolean {
		const caller = this.#caller;
		if (!caller) return false;
		if (query.kind === "found" || query.kind === "id") return query.actorId === caller.actorId;
		const { key } = query;
		return (
			query.name === caller.name &&
			key.length === caller.key.length &&
			key.every((part, index) => part === caller.key[index])
		);
	}

	async #post(
		target: ActorQuery,
		path: string,
		body: string | Uint8Array,
		call: { readonly params: unknown; readonly signal: AbortSignal | undefined },
		more: Readonly<Record<string, string>> = {},
	): Promise<Uint8Array> {
		const response = await this.#request(target, path, body, call, more);
		if (response.status >= 200 && response.status < 300) return bodyBytes(response);
		throw failure(response);
	}

	async #request(
		target: ActorQuery,
		path: string,
		body: string | Uint8Array,
		call: { readonly params: unknown; readonly signal: AbortSignal | undefined },
		more: Readonly<Record<string, string>>,
	): Promise<ActorResponse> {
		const actorId = await this.resolve(target, call.signal);
		const headers: Record<string, string> = { [HEADER_ENCODING]: ENCODING, ...more };
		if (call.params !== undefined)
			headers[HEADER_CONN_PARAMS] = encodeConnParamsHeader(call.params);
		const request = new LocalRequest(path, headers, body as Uint8Array, call.signal);
		const answered = (await this.#manager).request(actorId, request);
		return call.signal ? raceAbort(answered, call.signal) : answered;
	}
}

function failure(response: ActorResponse): ActorError {
	const error = decodeHttpResponseError(ENCODING, bodyBytes(response));
	return new ActorError(error.group, error.code, error.message, error.metadata);
}

/** A call that needs no network: its body is there, and it ends when its signal says so. */
class LocalRequest implements ActorRequest {
	readonly method = "POST";
	readonly path: string;
	readonly headers: HeadersView;
	readonly body: ActorRequest["body"];
	#signal: AbortSignal | undefined;

	constructor(
		path: string,
		headers: Record<string, string>,
		body: Uint8Array,
		signal: AbortSignal | undefined,
	) {
		this.path = path;
		this.headers = new PlainHeaders(headers);
		this.body = {
			bytes: async (limit) => {
				const size = body.byteLength;
				if (size > limit) throw catalogueError("message.incoming_too_long", { size, limit });
				return body;
			},
			stream: () => null,
		};
		this.#signal = signal;
	}

	get signal(): AbortSignal {
		this.#signal ??= new AbortController().signal;
		return this.#signal;
	}
}

class PlainHeaders implements HeadersView {
	readonly #headers: Readonly<Record<string, string>>;
	constructor(headers: Readonly<Record<string, string>>) {
		this.#headers = headers;
	}
	get(name: string): string | null {
		return this.#headers[name] ?? null;
	}
	entries(): Iterable<[string, string]> {
		return Object.entries(this.#headers);
	}
}

function managerQuery(query: Exclude<ActorQuery, { kind: "found" }>): ManagerQuery {
	return query.kind === "getOrCreate"
		? {
				kind: "getOrCreate",
				name: query.name,
				key: query.key,
				input: encodeInput(query.input),
			}
		: query;
}

function encodeInput(input: unknown): Uint8Array | null {
	return input === undefined ? null : encodeCbor(untracked(input));
}

function bodyBytes(response: ActorResponse): Uint8Array {
	if (response.body instanceof Uint8Array) return response.body;
	return new TextEncoder().encode(typeof response.body === "string" ? response.body : "");
}

function raceAbort<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
	return new Promise((resolve, reject) => {
		const abort = () => reject(signal.reason);
		if (signal.aborted) {
			abort();
			return;
		}
		signal.addEventListener("abort", abort, { once: true });
		promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
	});
}
