import {
	buildQueryGateway,
	buildSubprotocols,
	CAPABILITY_ACTION_STREAMS,
	CAPABILITY_CALL_IDS,
	CAPABILITY_QUERY_GATEWAY,
	CAPABILITY_QUEUE_OPTIONS,
	CAPABILITY_RESUME_EVENTS,
	contentType,
	decodeHttpActionResponse,
	decodeHttpQueueSendResponse,
	type Encoding,
	encodeAsciiJson,
	encodeConnParamsHeader,
	encodeHttpActionRequest,
	gatewayPath,
	HEADER_CALL_ID,
	HEADER_CONN_PARAMS,
	HEADER_ENCODING,
	HEADER_QUEUE_OPTIONS,
	HEADER_STREAM,
	HEADER_TOKEN,
	httpQueueSendRequestEncoder,
	joinUrl,
	PATH_ACTION,
	PATH_METADATA,
	PATH_QUEUE,
	PATH_REQUEST,
	TRACEPARENT,
} from "@rivetkit/protocol";
import { ActorError, ActorSchedulingError } from "../../errors.ts";
import type { QueueSendResult } from "../../queue-send.ts";
import { uniqueId } from "../../unique-id.ts";
import type {
	ActionCall,
	ActorQuery,
	ClientTransport,
	NewActor,
	OpenedSocket,
	QueueSendCall,
	RawHttpCall,
	SocketCall,
} from "../transport.ts";
import { type Address, announcedAddress } from "./address.ts";
import { parsed, readBody, send } from "./exchange.ts";
import {
	createActor,
	encodeInput,
	findActor,
	type ManagementCall,
	resolveActor,
} from "./management.ts";
import { MetadataLookup } from "./metadata-lookup.ts";
import type { Platform } from "./platform.ts";
import { untilAnswered } from "./repeat.ts";

/** Where and as whom to talk, after defaults were filled in. */
export interface HttpTransportConfig {
	readonly endpoint: string;
	readonly namespace: string;
	readonly token: string | undefined;
	readonly runnerName: string;
	readonly encoding: Encoding;
	/** Added to HTTP requests, not to WebSockets. */
	readonly headers: Readonly<Record<string, string>>;
	readonly lookUpMetadata: boolean;
	/** Where in a trace the code that calls is; asked for each call. */
	readonly traceparent: () => string | undefined;
}

type Read<T> = (
	response: Response,
	encoding: Encoding,
	signal: AbortSignal | undefined,
) => Promise<T>;

/** How a call to an actor is made. */
interface PostOptions<T> {
	/** It may take as long as it wants. */
	readonly waits?: boolean;
	/** It is not repeated, whatever the peer can do. */
	readonly once?: boolean;
	readonly headers?: Record<string, string>;
	/** Default: the whole body. */
	readonly read?: Read<T>;
}

/** Calls over HTTP and WebSockets (contract: protocol 2 to 5). */
export class HttpTransport implements ClientTransport {
	readonly encoding: Encoding;
	readonly #config: HttpTransportConfig;
	readonly #platform: Platform;
	readonly #configured: Address;
	readonly #headers: Headers;
	#lookup: MetadataLookup | null = null;
	#address: Address | null = null;
	/** Queries by id whose name was checked; an id never changes its name. */
	readonly #checked = new WeakSet<ActorQuery>();

	constructor(config: HttpTransportConfig, platform: Platform) {
		this.encoding = config.encoding;
		this.#config = config;
		this.#platform = platform;
		const { endpoint, namespace, token } = config;
		// Nothing is known about the peer, so nothing beyond the contract.
		this.#configured = { endpoint, namespace, token, capabilities: [] };
		this.#headers = new Headers(config.headers);
		if (platform.userAgent !== undefined && !this.#headers.has("user-agent")) {
			this.#headers.set("user-agent", platform.userAgent);
		}
		if (config.lookUpMetadata) {
			this.#lookup = this.#sharedLookup();
			this.#lookup.retain();
		} else this.#address = this.#configured;
	}

	async resolve(query: ActorQuery, signal: AbortSignal | undefined): Promise<string> {
		return resolveActor(await this.#managementCall(signal), query);
	}

	async create(actor: NewActor, signal: AbortSignal | undefined): Promise<string> {
		return createActor(await this.#managementCall(signal), actor);
	}

	async action(target: ActorQuery, call: ActionCall): Promise<unknown> {
		const body = await this.#act(target, call, {});
		return parsed(() => decodeHttpActionResponse(this.encoding, body).output);
	}

	async stream(target: ActorQuery, call: ActionCall): Promise<ReadableStream<Uint8Array>> {
		const address = await this.#reachable(call.signal);
		if (!address.capabilities.includes(CAPABILITY_ACTION_STREAMS))
			throw unsupported(address, "streams of actions");
		return this.#act(target, call, {
			once: true,
			headers: { [HEADER_STREAM]: "1" },
			read: async (response, ...context) =>
				response.ok ? response.body! : ((await readBody(response, ...context)) as never),
		});
	}

	#act<T = Uint8Array>(target: ActorQuery, call: ActionCall, options: PostOptions<T>): Promise<T> {
		let request: string | Uint8Array | null = null;
		const encode = () => {
			request ??= encodeHttpActionRequest(this.encoding, { args: call.args as unknown[] });
			return request;
		};
		return this.#post(
			target,
			`${PATH_ACTION}${encodeURIComponent(call.name)}`,
			call,
			encode,
			options,
		);
	}

	async queueSend(target: ActorQuery, call: QueueSendCall): Promise<QueueSendResult> {
		const { clock } = this.#platform;
		const { timeoutMs, options } = call;
		const address = await this.#reachable(call.signal);
		if (options && !address.capabilities.includes(CAPABILITY_QUEUE_OPTIONS)) {
			throw unsupported(address, `${Object.keys(options).join(", ")} of queue messages`);
		}
		const beganMs = clock.now();
		// The body as it is now: the sender may change it while the call is repeated.
		const encode = httpQueueSendRequestEncoder(this.encoding, {
			body: call.body,
			name: call.queue,
			wait: call.wait,
		});
		const body = await this.#post(
			target,
			`${PATH_QUEUE}/${encodeURIComponent(call.queue)}`,
			call,
			(tryCount) => {
				// 0 means that the message is not even stored.
				if (tryCount === 1 || timeoutMs === undefined || timeoutMs <= 0) return encode(timeoutMs);
				// It is stored in any case, whatever time is left for the wait.
				return encode(Math.max(1, timeoutMs - (clock.now() - beganMs)));
			},
			{
				waits: call.wait,
				headers: options ? { [HEADER_QUEUE_OPTIONS]: encodeAsciiJson(options) } : {},
			},
		);
		return parsed(() => decodeHttpQueueSendResponse(this.encoding, body) as QueueSendResult);
	}

	async request(actorId: string, call: RawHttpCall): Promise<Response> {
		const address = await this.#reachable(call.signal);
		const { headers: own, ...init } = call.init;
		const headers = this.#headersFor(address, call.params, own);
		const { signal } = call;
		return this.#platform.fetch(
			joinUrl(address.endpoint, gatewayPath(actorId, address.token, PATH_REQUEST + call.path)),
			{ credentials: "include", ...init, headers, ...(signal && { signal }) },
		);
	}

	async openSocket(actorId: string, call: SocketCall): Promise<OpenedSocket> {
		const address = await this.#reachable(call.signal);
		const url = joinUrl(address.endpoint, gatewayPath(actorId, address.token, call.path));
		const { capabilities } = address;
		const { session, resume } = call;
		const recognisesRepeats = capabilities.includes(CAPABILITY_CALL_IDS) && session !== undefined;
		const resumesEvents = capabilities.includes(CAPABILITY_RESUME_EVENTS) && resume !== undefined;
		const protocols = buildSubprotocols({
			encoding: this.encoding,
			connParams: call.params,
			...(recognisesRepeats && { session }),
			...(resumesEvents && { resume }),
			// Ours, as what else a peer with this ability knows.
			...(capabilities.includes(CAPABILITY_CALL_IDS) && {
				traceparent: this.#config.traceparent(),
			}),
			extra: call.protocols,
		});
		const WebSocket = this.#platform.webSocket();
		const socket = new WebSocket(url.replace(/^http/, "ws"), protocols);
		return { socket, recognisesRepeats, resumesEvents };
	}

	async gatewayUrl(actorId: string): Promise<string> {
		const { endpoint, token } = await this.#reachable(undefined);
		return joinUrl(endpoint, gatewayPath(actorId, token));
	}

	async explain(error: ActorError, id: string | undefined): Promise<ActorError> {
		const { group, code, metadata } = error;
		const mayBeScheduling = group === "guard" && /^actor_(ready_timeout|runner_failed)$/.test(code);
		// Of an actor that the server found by its key, the error says which it is.
		const actorId = id ?? (metadata as { actor_id?: string } | undefined)?.actor_id;
		if (!mayBeScheduling || !actorId) return error;
		try {
			const actor = await findActor(await this.#managementCall(undefined), actorId);
			return actor?.error ? new ActorSchedulingError(group, code, actorId, actor.error) : error;
		} catch {
			// The first error says more than that its explanation could not be had.
			return error;
		}
	}

	dispose(): void {
		this.#lookup?.release();
		this.#lookup = null;
	}

	/** One call to an actor with a body: resolved and called in one request where the peer can do so. */
	async #post<T = Uint8Array>(
		target: ActorQuery,
		path: string,
		call: { readonly params: unknown; readonly signal: AbortSignal | undefined },
		encode: (tryCount: number) => string | Uint8Array,
		{ waits, once, headers: more = {}, read = readBody as Read<T> }: PostOptions<T>,
	): Promise<T> {
		const { signal } = call;
		const address = await this.#reachable(signal);
		const headers = this.#headersFor(address, call.params, Object.entries(more));
		headers.set(HEADER_ENCODING, this.encoding);
		headers.set("content-type", contentType(this.encoding));
		const { fetch, random } = this.#platform;
		let tryCount = 0;
		const tryOnce = async () => {
			const init = {
				method: "POST",
				headers,
				body: encode(++tryCount) as BodyInit,
				...(signal && { signal }),
			};
			let url = this.#queryUrl(address, target, path);
			let actorId: string | undefined;
			if (!url) {
				actorId = await this.#actorId(address, target, signal);
				url = joinUrl(address.endpoint, gatewayPath(actorId, address.token, path));
			}
			try {
				return await read(await send(fetch, url, init), this.encoding, signal);
			} catch (error) {
				throw error instanceof ActorError ? await this.explain(error, actorId) : error;
			}
		};
		if (once || !address.capabilities.includes(CAPABILITY_CALL_IDS)) return tryOnce();
		headers.set(HEADER_CALL_ID, uniqueId(random));
		return untilAnswered(tryOnce, this.#platform, signal, waits);
	}

	/** The URL that resolves and calls; `null` when the peer or the form cannot do it. */
	#queryUrl(address: Address, target: ActorQuery, path: string): string | null {
		if (!resolvesQueries(address) || !("key" in target)) return null;
		const { namespace, token, endpoint } = address;
		const { kind, name, key, input, region } = target;
		const query = buildQueryGateway({
			method: kind,
			name,
			namespace,
			key,
			pool: this.#config.runnerName,
			input: encodeInput(input),
			region,
			token,
			path,
		});
		return query === null ? null : joinUrl(endpoint, query);
	}

	/**
	 * The id to call. For a peer whose gateway reports missing actors by itself, the name behind an id is
	 * checked once; for others each call looks the actor up (contract: protocol 4.6).
	 */
	async #actorId(
		address: Address,
		target: ActorQuery,
		signal: AbortSignal | undefined,
	): Promise<string> {
		if (target.kind === "id" && this.#checked.has(target)) return target.actorId;
		const actorId = await resolveActor(this.#managementCallTo(address, signal), target);
		if (resolvesQueries(address)) this.#checked.add(target);
		return actorId;
	}

	/** Those of every call to an actor, and where in a trace it is made, unless `own` say so. */
	#headersFor(address: Address, params: unknown, own: Iterable<[string, string]> = []): Headers {
		const headers = new Headers(this.#headers);
		const traceparent = this.#config.traceparent();
		if (traceparent) headers.set(TRACEPARENT, traceparent);
		for (const [name, value] of own) headers.set(name, value);
		if (address.token !== undefined) headers.set(HEADER_TOKEN, address.token);
		if (params !== undefined) headers.set(HEADER_CONN_PARAMS, encodeConnParamsHeader(params));
		return headers;
	}

	async #managementCall(signal: AbortSignal | undefined): Promise<ManagementCall> {
		return this.#managementCallTo(await this.#reachable(signal), signal);
	}

	#managementCallTo(address: Address, signal: AbortSignal | undefined): ManagementCall {
		const { runnerName } = this.#config;
		const { fetch } = this.#platform;
		return { fetch, address, headers: this.#headers, runnerName, signal };
	}

	/** Waits for the look-up, within its bounds. */
	async #reachable(signal: AbortSignal | undefined): Promise<Address> {
		if (this.#address) return this.#address;
		// A call after `dispose` may still be the first; it looks for itself.
		const lookup = this.#lookup ?? this.#sharedLookup();
		const metadata = await lookup.wait(this.#platform.clock, signal);
		this.#address = announcedAddress(this.#configured, metadata);
		return this.#address;
	}

	#sharedLookup(): MetadataLookup {
		const { endpoint, namespace } = this.#config;
		const { metadata, fetch, backgroundClock, log } = this.#platform;
		let lookup = metadata.get(endpoint);
		if (!lookup) {
			lookup = new MetadataLookup({
				url: joinUrl(endpoint, PATH_METADATA, { namespace }),
				headers: this.#headers,
				fetch,
				backgroundClock,
				log,
			});
			metadata.set(endpoint, lookup);
		}
		return lookup;
	}
}

/** Whether one request can resolve and call. */
function resolvesQueries({ capabilities }: Address): boolean {
	return capabilities.includes(CAPABILITY_QUERY_GATEWAY);
}

function unsupported(address: Address, what: string): ActorError {
	return new ActorError(
		"feature",
		"unsupported",
		`The server at ${address.endpoint} does not announce ${what} (disableMetadataLookup?)`,
	);
}
