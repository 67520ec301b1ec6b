import { HEADER_SKIP_READY_WAIT, SUBPROTOCOL_SKIP_READY_WAIT } from "@rivetkit/protocol";
import { anySignal, untilAborted } from "./abort.ts";
import {
	type ActionInput,
	type ActionResult,
	actionResult,
	isStreamError,
} from "./action-stream.ts";
import { assertIs } from "./arguments.ts";
import { ActorConnRaw } from "./connection/connection.ts";
import type { ClientEnvironment } from "./environment.ts";
import { asActorError, asClientError } from "./errors.ts";
import { connectionParams, type ParamsSource } from "./params.ts";
import { connectionProxy } from "./proxy.ts";
import { messageOptionsOf, type QueueSendOptions, type QueueSendResult } from "./queue-send.ts";
import { rawHttpCall, rawSocketPath } from "./raw-request.ts";
import type { ActorQuery } from "./transport/transport.ts";

/** What all handles of a client share. */
export interface HandleOwner {
	readonly environment: ClientEnvironment;
	/** Connections to close when the client is disposed; null when it was. */
	connections: Set<ActorConnRaw> | null;
}

/** What a handle was made with besides its query. */
export interface HandleOptions extends ParamsSource {
	/** Aborts look-ups, actions, and connections of the handle. */
	readonly signal?: AbortSignal | undefined;
}

/** For raw requests and sockets, which an actor may want to see while it still starts. */
export interface ReadyWait {
	/** Reach the actor even if it is not ready (contract: api 21). Default false. */
	readonly skipReadyWait?: boolean | undefined;
}

/**
 * A reference to an actor (contract: api 15.3). Making one does nothing; each use looks the actor up,
 * so a handle with a key follows an actor that is destroyed and created again. Used through a proxy
 * that takes unknown members as actions.
 */
export class ActorHandleRaw {
	readonly #owner: HandleOwner;
	readonly #options: HandleOptions;
	#query: ActorQuery;

	constructor(owner: HandleOwner, query: ActorQuery, options: HandleOptions) {
		this.#owner = owner;
		this.#query = query;
		this.#options = options;
	}

	/**
	 * Runs an action and returns its result. Rejects with an `ActorError`, whatever went wrong, or after
	 * an abort with the signal's reason. The result of an action that streams is iterated, at once, instead.
	 */
	action(call: ActionInput): ActionResult {
		const signal = anySignal(this.#options.signal, call.signal);
		return actionResult({
			encoding: this.#transport.encoding,
			signal: () => signal,
			run: async (isStream) => {
				try {
					const params = await this.#params(signal);
					if (isStream()) throw isStreamError();
					return await this.#transport.action(this.#query, { ...call, params, signal });
				} catch (error) {
					signal?.throwIfAborted();
					throw asActorError(error);
				}
			},
			open: (signal) => this.#stream(call, signal),
		});
	}

	async #stream(call: ActionInput, signal: AbortSignal | undefined) {
		const params = await this.#params(signal);
		return this.#transport.stream(this.#query, { ...call, params, signal });
	}

	/**
	 * Opens a connection in the background and returns it at once. Dispose it when done. After the client
	 * was disposed the connection is, too, from the start.
	 */
	connect(): ActorConnRaw {
		const { environment, connections } = this.#owner;
		const connection = new ActorConnRaw({
			...environment,
			query: () => this.#query,
			params: () => connectionParams(this.#options),
			signal: this.#options.signal,
			queueSend: (queue, body, options) => this.send(queue, body, options),
			stream: (call, signal) => this.#stream(call, signal),
			ended: (ended) => connections?.delete(ended),
		});
		if (connections) {
			connections.add(connection);
			connection.connect();
		} else {
			void connection.dispose();
		}
		return connectionProxy(connection);
	}

	/**
	 * Sends a request to the actor's `onRequest`. Only path and query of `input` count; a leading slash is
	 * optional. Returns the response whatever its status; throws when the actor cannot be found.
	 */
	async fetch(
		input: string | URL | Request,
		{ skipReadyWait, ...init }: RequestInit & ReadyWait = {},
	): Promise<Response> {
		const call = await rawHttpCall(input, init);
		if (skipReadyWait) call.init.headers.set(HEADER_SKIP_READY_WAIT, "true");
		const signal = anySignal(this.#options.signal, call.signal);
		const params = await this.#params(signal);
		const actorId = await this.#transport.resolve(this.#query, signal);
		return this.#transport.request(actorId, { ...call, params, signal });
	}

	/**
	 * Opens a WebSocket to the actor's `onWebSocket`, below `path` and with its query. Resolves with the
	 * socket before it is open. `protocols` are offered behind RivetKit's own entries.
	 */
	async webSocket(
		path?: string,
		protocols: string | readonly string[] = [],
		{ skipReadyWait }: ReadyWait = {},
	): Promise<WebSocket> {
		const { signal } = this.#options;
		const params = await this.#params(signal);
		const actorId = await this.#transport.resolve(this.#query, signal);
		const { socket } = await this.#transport.openSocket(actorId, {
			path: rawSocketPath(path),
			protocols: [skipReadyWait ? SUBPROTOCOL_SKIP_READY_WAIT : [], protocols].flat(2),
			params,
			session: undefined,
			resume: undefined,
			signal,
		});
		return socket as unknown as WebSocket;
	}

	/** Finds (or creates) the actor, and pins the handle to the id it returns. */
	async resolve(): Promise<string> {
		const actorId = await this.#transport.resolve(this.#query, this.#options.signal);
		this.#query = { kind: "found", name: this.#query.name, actorId };
		return actorId;
	}

	/** Public URL of the actor; append `/request/…` or `/websocket/…`. Looks the actor up. */
	async getGatewayUrl(): Promise<string> {
		const actorId = await this.#transport.resolve(this.#query, this.#options.signal);
		return this.#transport.gatewayUrl(actorId);
	}

	/**
	 * Puts a message into a queue of the actor. Without `wait` it resolves, with nothing, when the message
	 * is stored; with `wait` it resolves with what became of it. Rejects at once with `request.invalid` for a name that is no
	 * string and a `timeout` that is no number.
	 */
	async send(
		queue: string,
		body: unknown,
		options: QueueSendOptions = {},
	): Promise<QueueSendResult | undefined> {
		const { timeout = Number.POSITIVE_INFINITY } = options;
		assertIs("string", "queue name", queue);
		assertIs("number", "timeout", timeout);
		const signal = anySignal(this.#options.signal, options.signal);
		const params = await this.#params(signal);
		const wait = options.wait === true;
		try {
			const result = await this.#transport.queueSend(this.#query, {
				queue,
				body,
				wait,
				timeoutMs: wait && timeout !== Number.POSITIVE_INFINITY ? timeout : undefined,
				options: messageOptionsOf(options),
				params,
				signal,
			});
			return wait ? result : undefined;
		} catch (error) {
			signal?.throwIfAborted();
			throw asClientError(error);
		}
	}

	get #transport() {
		return this.#owner.environment.transport;
	}

	async #params(signal: AbortSignal | undefined): Promise<unknown> {
		signal?.throwIfAborted();
		return this.#options.getParams
			? untilAborted(connectionParams(this.#options), signal)
			: this.#options.params;
	}
}
