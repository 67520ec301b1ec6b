import {
	type ActorRequest,
	type ActorResponse,
	type ActorUpgrade,
	CLOSE_NORMAL,
	type Clock,
	PATH_ACTION,
	PATH_QUEUE,
} from "@rivetkit/protocol";
import type {
	HibernatingRequest,
	MessageId,
	RunnerToServer,
	ToClientTunnelMessageKind,
	ToServerTunnelMessageKind,
} from "@rivetkit/protocol/runner";
import type { Logger } from "../../log/logger.ts";
import { ActorCloses } from "./actor-closes.ts";
import { TunnelHeaders, TunnelRequest, withCallId } from "./tunnel-request.ts";
import { type WholeResponse, wholeResponse } from "./tunnel-response.ts";
import { TunnelSocket } from "./tunnel-socket.ts";

/** Bytes that wait for the next socket to the engine; answers beyond are lost, and sockets closed. */
export const TUNNEL_BUFFER_BYTES_MAX: number = 32 * 1024 * 1024;
/** What a message takes in the buffer besides its content. */
const MESSAGE_OVERHEAD_BYTES = 128;
/** What a close without a code means (contract: engine 3.8). */
const REASON_DOWNSTREAM_CLOSED = "ws.downstream_closed";
const INDEXES = 0x1_0000;

/** Who answers for the actors. */
export interface TunnelTarget {
	/** Null: this runner does not have the actor, or not any more. */
	request(actorId: string, request: ActorRequest): Promise<ActorResponse | null>;
	/** False: as null. */
	openSocket(actorId: string, upgrade: ActorUpgrade, socket: TunnelSocket): Promise<boolean>;
	/** An error as an answer in the encoding the request asked for. */
	errorResponse(error: unknown, request: ActorRequest): ActorResponse;
}

interface Exchange {
	readonly actorId: string;
	readonly request: TunnelRequest | null;
	readonly socket: TunnelSocket | null;
	readonly id: Omit<MessageId, "messageIndex">;
	nextIndex: number;
}

/** The HTTP calls and WebSockets that an engine's gateway has open with actors here (contract: engine 4.9). */
export class Tunnel {
	readonly #target: TunnelTarget;
	readonly #send: (message: RunnerToServer) => boolean;
	readonly #buffered: () => number;
	readonly #log: Logger;
	readonly #closes: ActorCloses;
	readonly #exchanges = new Map<string, Exchange>();
	#unsent: RunnerToServer[] = [];
	#unsentBytes = 0;

	constructor(
		target: TunnelTarget,
		send: (message: RunnerToServer) => boolean,
		buffered: () => number,
		{ clock, log }: { readonly clock: Clock; readonly log: Logger },
	) {
		this.#closes = new ActorCloses(clock, send);
		this.#target = target;
		this.#send = send;
		this.#buffered = buffered;
		this.#log = log;
	}

	received(messageId: MessageId, kind: ToClientTunnelMessageKind): void {
		const exchange = this.#exchanges.get(keyOf(messageId));
		switch (kind.tag) {
			case "ToClientRequestStart":
				this.#begin(messageId, kind.val);
				break;
			case "ToClientRequestChunk":
				exchange?.request?.chunk(kind.val.body, kind.val.finish);
				break;
			case "ToClientRequestAbort":
				exchange?.request?.cancel();
				if (exchange?.request) this.#forget(exchange);
				break;
			case "ToClientWebSocketOpen":
				this.#open(messageId, kind.val);
				break;
			case "ToClientWebSocketMessage": {
				const { data, binary } = kind.val;
				// The frame is the socket's buffer: a message may be kept.
				const message = binary ? new Uint8Array(data) : Buffer.from(data).toString();
				exchange?.socket?.received(message, messageId.messageIndex);
				break;
			}
			case "ToClientWebSocketClose": {
				this.#closes.settled(keyOf(messageId));
				if (!exchange?.socket) break;
				const { code = CLOSE_NORMAL, reason = "" } = kind.val;
				this.#forget(exchange);
				exchange.socket.ended(code, reason, reason !== REASON_DOWNSTREAM_CLOSED);
				break;
			}
			default:
				kind satisfies never;
		}
	}

	/** The sockets that an actor goes on with when it wakes; what their clients send from now on waits for it. */
	restore(actorId: string, hibernating: readonly HibernatingRequest[]): TunnelSocket[] {
		return hibernating.map((id) => {
			const key = keyOf(id);
			this.#closes.settled(key);
			const known = this.#exchanges.get(key);
			known?.socket?.incarnationEnded();
			const socket: TunnelSocket = TunnelSocket.restored(
				key,
				(kind) => this.#tell(exchange, kind),
				this.#buffered,
			);
			const exchange: Exchange = {
				actorId,
				request: null,
				socket,
				id: copyOf(id),
				// Nobody looks at it; it only goes on within this process.
				nextIndex: known?.nextIndex ?? 0,
			};
			this.#exchanges.set(key, exchange);
			return socket;
		});
	}

	/** The incarnation is over: what it has not answered, its engine gives to the next one. */
	actorEnded(actorId: string): void {
		for (const exchange of [...this.#exchanges.values()]) {
			if (exchange.actorId !== actorId) continue;
			exchange.socket?.incarnationEnded();
			this.#forget(exchange);
		}
	}

	/** A new socket of the same runner. */
	flush(): void {
		const unsent = this.#unsent;
		this.#unsent = [];
		this.#unsentBytes = 0;
		for (const message of unsent) this.#sendOrKeep(message);
	}

	/** Everything has come that the engine tells again on a new socket: an end that is told now is of no client that it offers again. */
	caughtUp(): void {
		this.#closes.tellAgain();
	}

	disconnected(): void {
		this.#closes.disconnected();
	}

	/** The engine does not know this runner any more, nor what it had open here. */
	clear(): void {
		this.#closes.clear();
		this.#unsent = [];
		this.#unsentBytes = 0;
		for (const { request, socket } of this.#exchanges.values()) {
			request?.cancel();
			socket?.ended(1001, "ws.going_away", false);
		}
		this.#exchanges.clear();
	}

	#begin(
		id: MessageId,
		start: Extract<ToClientTunnelMessageKind, { tag: "ToClientRequestStart" }>["val"],
	): void {
		const key = keyOf(id);
		// The same ids again are a new try of the gateway's.
		this.#exchanges.get(key)?.request?.cancel();
		const path = start.path;
		const isCall = path.startsWith(PATH_ACTION) || path.startsWith(PATH_QUEUE);
		const request = new TunnelRequest({
			...start,
			headers: isCall ? withCallId(start.headers, key) : start.headers,
		});
		const exchange: Exchange = {
			actorId: start.actorId,
			request,
			socket: null,
			id: copyOf(id),
			nextIndex: 0,
		};
		this.#exchanges.set(key, exchange);
		void this.#answer(exchange, request);
	}

	async #answer(exchange: Exchange, request: TunnelRequest): Promise<void> {
		const whole = await this.#responseTo(exchange.actorId, request);
		if (this.#exchanges.get(keyOf(exchange.id)) !== exchange) return;
		this.#forget(exchange);
		this.#tell(
			exchange,
			whole === null
				? { tag: "ToServerResponseAbort", val: undefined }
				: { tag: "ToServerResponseStart", val: { ...whole, stream: false } },
		);
	}

	/** Null: another incarnation has to answer. Never rejects. */
	async #responseTo(actorId: string, request: TunnelRequest): Promise<WholeResponse | null> {
		try {
			const response = await this.#target.request(actorId, request);
			return response && (await wholeResponse(response));
		} catch (error) {
			return wholeResponse(this.#target.errorResponse(error, request));
		}
	}

	#open(
		id: MessageId,
		open: Extract<ToClientTunnelMessageKind, { tag: "ToClientWebSocketOpen" }>["val"],
	): void {
		const key = keyOf(id);
		this.#closes.settled(key);
		this.#exchanges.get(key)?.socket?.ended(CLOSE_NORMAL, "ws.replaced", false);
		const socket: TunnelSocket = TunnelSocket.opening(
			key,
			(kind) => this.#tell(exchange, kind),
			this.#buffered,
		);
		const exchange: Exchange = {
			actorId: open.actorId,
			request: null,
			socket,
			id: copyOf(id),
			nextIndex: 0,
		};
		this.#exchanges.set(key, exchange);
		const headers = new TunnelHeaders(open.headers);
		const offered = headers.get("sec-websocket-protocol") ?? "";
		const upgrade: ActorUpgrade = {
			path: open.path,
			headers,
			protocols: offered.split(",").flatMap((entry) => entry.trim() || []),
		};
		void this.#offer(exchange, socket, upgrade);
	}

	async #offer(exchange: Exchange, socket: TunnelSocket, upgrade: ActorUpgrade): Promise<void> {
		try {
			if (await this.#target.openSocket(exchange.actorId, upgrade, socket)) {
				socket.taken();
				return;
			}
		} catch (error) {
			this.#log.error({ actorId: exchange.actorId, err: error }, "a websocket was not taken");
		}
		socket.incarnationEnded();
		this.#forget(exchange);
	}

	#tell(exchange: Exchange, messageKind: ToServerTunnelMessageKind): void {
		const { id } = exchange;
		const messageIndex = exchange.nextIndex;
		exchange.nextIndex = (messageIndex + 1) % INDEXES;
		if (messageKind.tag === "ToServerWebSocketClose") this.#forget(exchange);
		this.#sendOrKeep({
			tag: "ToServerTunnelMessage",
			val: { messageId: { ...id, messageIndex }, messageKind },
		});
	}

	#sendOrKeep(message: RunnerToServer): void {
		if (this.#send(message)) {
			this.#noteClose(message);
			return;
		}
		const bytes = MESSAGE_OVERHEAD_BYTES + contentBytes(message);
		if (this.#unsentBytes + bytes > TUNNEL_BUFFER_BYTES_MAX) {
			this.#log.warn(
				{ limit: TUNNEL_BUFFER_BYTES_MAX },
				"too much waits for the engine to come back (TUNNEL_BUFFER_BYTES_MAX): an answer is lost",
			);
			return;
		}
		this.#unsentBytes += bytes;
		this.#unsent.push(message);
	}

	/** A refusal need not arrive: the engine offers the client again by itself. */
	#noteClose(message: RunnerToServer): void {
		if (message.tag !== "ToServerTunnelMessage") return;
		const { messageId, messageKind } = message.val;
		const isClose = messageKind.tag === "ToServerWebSocketClose";
		if (isClose && messageKind.val.code !== undefined) this.#closes.sent(keyOf(messageId), message);
	}

	#forget(exchange: Exchange): void {
		const key = keyOf(exchange.id);
		if (this.#exchanges.get(key) === exchange) this.#exchanges.delete(key);
	}
}

function keyOf({ gatewayId, requestId }: HibernatingRequest): string {
	return Buffer.concat([gatewayId, requestId]).toString("hex");
}

/** Ids of its own: those that came are part of a received frame. */
function copyOf({ gatewayId, requestId }: HibernatingRequest): HibernatingRequest {
	return { gatewayId: new Uint8Array(gatewayId), requestId: new Uint8Array(requestId) };
}

function contentBytes(message: RunnerToServer): number {
	if (message.tag !== "ToServerTunnelMessage") return 0;
	const { messageKind } = message.val;
	switch (messageKind.tag) {
		case "ToServerResponseStart":
			return messageKind.val.body?.byteLength ?? 0;
		case "ToServerWebSocketMessage":
			return messageKind.val.data.byteLength;
		default:
			return 0;
	}
}
