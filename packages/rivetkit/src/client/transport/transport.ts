import type { Encoding } from "@rivetkit/protocol";
import type { ActorError } from "../errors.ts";
import type { QueueMessageOptions, QueueSendResult } from "../queue-send.ts";

/** Which actor a handle means. Contract: api 15.2. */
export type ActorQuery =
	/** An actor that was found before; no look-up is needed. */
	| { readonly kind: "found"; readonly name: string; readonly actorId: string }
	/** The actor of this id, if it is alive and has this name. */
	| { readonly kind: "id"; readonly name: string; readonly actorId: string }
	| ({ readonly kind: "get" } & Pick<NewActor, "name" | "key"> & {
				readonly [Of in "input" | "region"]?: undefined;
			})
	| ({ readonly kind: "getOrCreate" } & NewActor);

/** An actor to be created, at the latest now. */
export interface NewActor {
	readonly name: string;
	/** Components; empty for the one actor without a key. */
	readonly key: readonly string[];
	/** Everything but `undefined` is passed on. */
	readonly input: unknown;
	readonly region: string | undefined;
}

export interface ActionCall {
	/** Wire name; nested actions are joined by dots. */
	readonly name: string;
	readonly args: readonly unknown[];
	/** Connection params; `undefined` means none. */
	readonly params: unknown;
	readonly signal: AbortSignal | undefined;
}

export interface QueueSendCall {
	readonly queue: string;
	readonly body: unknown;
	/** Wait until a consumer completed the message. */
	readonly wait: boolean;
	/** How long to wait; `undefined` waits as long as the transport does. */
	readonly timeoutMs: number | undefined;
	/** Options of ours; `undefined` when there are none. */
	readonly options: QueueMessageOptions | undefined;
	readonly params: unknown;
	readonly signal: AbortSignal | undefined;
}

export interface RawHttpCall {
	/** Path and query as the actor's handler shall see them, with a leading slash. */
	readonly path: string;
	/** Method, headers, body and what else `fetch` takes. */
	readonly init: RequestInit & { readonly headers: Headers };
	readonly params: unknown;
	readonly signal: AbortSignal | undefined;
}

export interface SocketCall {
	/** `/connect` or `/websocket/…`, with query. */
	readonly path: string;
	/** Sub-protocols of the user, offered behind ours. */
	readonly protocols: readonly string[];
	readonly params: unknown;
	/** Names the connection across reconnects, so that repeated calls are recognised. */
	readonly session: string | undefined;
	/** Where events are to go on; `undefined` for a socket without events. */
	readonly resume: string | undefined;
	readonly signal: AbortSignal | undefined;
}

/** The part of a `WebSocket` a connection needs. Binary messages come as `ArrayBuffer`. */
export interface ClientSocket {
	binaryType: string;
	send(data: string | Uint8Array): void;
	close(code?: number, reason?: string): void;
	addEventListener(type: "open" | "error", listener: () => void): void;
	addEventListener(type: "message", listener: (event: { readonly data: unknown }) => void): void;
	addEventListener(type: "close", listener: (event: SocketClose) => void): void;
}

export interface SocketClose {
	readonly code: number;
	readonly reason: string;
	readonly wasClean: boolean;
}

/** A socket on its way to be open. */
export interface OpenedSocket {
	readonly socket: ClientSocket;
	/**
	 * Whether the peer recognises calls by session and id and answers a repeated one without running it
	 * again. False for peers that would run it twice.
	 */
	readonly recognisesRepeats: boolean;
	/** Whether the peer sends the events that were missed, or says that it cannot. */
	readonly resumesEvents: boolean;
}

/**
 * How calls reach actors. Over HTTP and WebSockets, or in the same process.
 *
 * - T1. Failures the other side answered with are `ActorError`; others are `HttpRequestError`s or,
 *   after an abort, the signal's reason.
 * - T2. A call runs at most once however it is retried: a transport repeats one only when it knows that
 *   the first try was not started, or that the peer recognises the repetition.
 */
export interface ClientTransport {
	/** Encoding of the frames on `/connect` sockets. */
	readonly encoding: Encoding;
	/** The id of the actor, created if the query says so. `actor.not_found` when there is none. */
	resolve(query: ActorQuery, signal: AbortSignal | undefined): Promise<string>;
	/** Creates an actor and returns its id. `actor.duplicate_key` when the key is taken. */
	create(actor: NewActor, signal: AbortSignal | undefined): Promise<string>;
	action(target: ActorQuery, call: ActionCall): Promise<unknown>;
	/** Runs an action for what it streams: the frames, in {@link encoding}. Never made twice. */
	stream(target: ActorQuery, call: ActionCall): Promise<ReadableStream<Uint8Array>>;
	queueSend(target: ActorQuery, call: QueueSendCall): Promise<QueueSendResult>;
	/** The actor's own response, whatever its status. */
	request(actorId: string, call: RawHttpCall): Promise<Response>;
	/** Returns before the socket is open; what goes wrong later closes it. */
	openSocket(actorId: string, call: SocketCall): Promise<OpenedSocket>;
	/** Public URL of the actor, to which `/request/…` or `/websocket/…` may be appended. */
	gatewayUrl(actorId: string): Promise<string>;
	/**
	 * A better error for the same failure, where the transport can find out more about it: why an
	 * engine could not start the actor (contract: protocol 6.4). Else the error itself. Never rejects.
	 */
	explain(error: ActorError, actorId: string | undefined): Promise<ActorError>;
	/** Ends background work. Calls under way are not affected. */
	dispose(): void;
}
