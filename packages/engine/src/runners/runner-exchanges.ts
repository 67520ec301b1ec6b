import {
	ActorDeclined,
	ActorGone,
	type ActorRequest,
	type ActorResponse,
	type ActorSocket,
	type ActorUpgrade,
	CLOSE_ERROR,
	CLOSE_NORMAL,
	type Clock,
	catalogueError,
	countLimitHit,
	isActorError,
} from "@rivetkit/protocol";
import type {
	HibernatingRequest,
	MessageId,
	ToClientTunnelMessageKind,
	ToServerTunnelMessageKind,
} from "@rivetkit/protocol/runner";
import { isSendableCloseCode } from "../common/close-codes.ts";
import { Deferred } from "../placement/deferred.ts";
import { isLegalHeader } from "../pools/pool-config.ts";
import { exchangeKey } from "./exchange-key.ts";
import type { RunnerRecord } from "./runner-record.ts";
import type { TunnelMessage } from "./tunnel-backlog.ts";

const INDEXES = 0x1_0000;
/** Bytes of a request body that goes through the tunnel in one piece (contract: engine 3.9). */
const BODY_BYTES_MAX = 20 * 1024 * 1024;
/** Bytes of one message of an actor to a client (contract: engine 3.9). */
const MESSAGE_BYTES_MAX = 32 * 1024 * 1024;
/** What a close without a code is told as by those who read it. */
const CLOSE_NO_CODE = 1005;

interface Unacknowledged {
	readonly index: number;
	readonly ts: number;
	readonly message: ClientMessage;
}

type ClientMessage = Extract<ToClientTunnelMessageKind, { tag: "ToClientWebSocketMessage" }>;

type Beginning = Extract<
	ToClientTunnelMessageKind,
	{ tag: "ToClientRequestStart" | "ToClientWebSocketOpen" }
>;

type End = Extract<ToClientTunnelMessageKind, { tag: "ToClientWebSocketClose" }>["val"];

interface Exchange {
	readonly id: HibernatingRequest;
	readonly actorId: string;
	readonly runner: RunnerRecord;
	readonly answer: Deferred<ActorResponse> | null;
	/** Whether the call may be made again at the next incarnation, though this one has it. */
	readonly isRepeatable: boolean;
	/** Whether the incarnation that has it takes calls still. */
	readonly isLive: () => boolean;
	readonly socket: ActorSocket | null;
	readonly opened: Deferred<void> | null;
	/** Of a call that may be made again, and of a socket that is not open yet: how it begins. */
	again: Beginning | null;
	/** Of a socket: the runner has taken it. */
	isOpen: boolean;
	/** Of what goes to the runner, over all tries. */
	nextIndex: number;
	/** The last message of the client, as the gateway counts. */
	lastIndex: number;
	/** Of a socket that is held: messages that are not acknowledged, oldest first. */
	unacknowledged: Unacknowledged[] | null;
	/** Of a socket: bytes of its client that wait in the socket of a slow runner. */
	unsent: number;
}

/** What a client may have waiting in the socket of a runner in which too much waits of all: those with little go on. */
const UNSENT_THEN_MAX = 1024 * 1024;

const CLIENT_LOST: End = { code: CLOSE_ERROR, reason: "ws.downstream_closed" };
const BACKLOG_FULL = "guard.tunnel_backlog_full";

/** Methods whose calls may be made twice (contract: engine 3.7). */
const REPEATABLE = new Set(["GET", "HEAD", "OPTIONS", "PUT", "DELETE"]);

/** HTTP calls and WebSockets on their way to actors on runners (contract: engine 4.9 to 4.12). */
export class RunnerExchanges {
	readonly #gatewayId: Uint8Array;
	readonly #newRequestId: () => Uint8Array;
	readonly #clock: Clock;
	readonly #openTimeoutMs: number;
	readonly #exchanges = new Map<string, Exchange>();

	/** @param openTimeoutMs - how long a runner may leave the offer of a socket unanswered */
	constructor(
		gatewayId: Uint8Array,
		newRequestId: () => Uint8Array,
		clock: Clock,
		openTimeoutMs: number,
	) {
		this.#clock = clock;
		this.#openTimeoutMs = openTimeoutMs;
		this.#gatewayId = gatewayId;
		this.#newRequestId = newRequestId;
	}

	/**
	 * One call. Rejects with `ActorGone`, with `ActorDeclined` when the runner aborts one that may be made again
	 * (others with `guard.tunnel_request_aborted`), with what the caller is told when the runner is lost or too much waits for it
	 * (`guard.tunnel_backlog_full`), or with the reason for which the caller went away: the runner is not told of that (Q6).
	 *
	 * @param isLive - whether the incarnation is there still, asked when the body is
	 */
	async request(
		runner: RunnerRecord,
		actorId: string,
		request: ActorRequest,
		isLive: () => boolean,
	): Promise<ActorResponse> {
		const { signal } = request;
		const body = hasBody(request) ? await bodyOf(request) : new Uint8Array(0);
		signal.throwIfAborted();
		// Nobody would end an exchange that begins after its incarnation.
		if (!isLive()) throw new ActorGone(actorId);
		const answer = new Deferred<ActorResponse>();
		const exchange = this.#add({
			id: { gatewayId: this.#gatewayId, requestId: this.#newRequestId() },
			actorId,
			runner,
			answer,
			isRepeatable: isRepeatable(request),
			isLive,
			socket: null,
			opened: null,
		});
		const start: Beginning = {
			tag: "ToClientRequestStart",
			val: {
				actorId,
				method: request.method,
				path: request.path,
				headers: new Map(request.headers.entries()),
				body: body.byteLength === 0 ? undefined : body,
				stream: false,
			},
		};
		if (exchange.isRepeatable) exchange.again = start;
		if (!this.#tell(exchange, start)) {
			this.#forget(exchange);
			throw this.#backlogFull(runner);
		}
		const abandoned = () => {
			if (!this.#forget(exchange)) return;
			runner.backlog.drop(exchange.id);
			answer.reject(signal.reason);
		};
		signal.addEventListener("abort", abandoned, { once: true });
		try {
			return await answer.promise;
		} finally {
			signal.removeEventListener("abort", abandoned);
		}
	}

	/**
	 * Offers a socket. Rejects with `ActorDeclined` when the runner refuses it before it was open, or does not answer,
	 * with `ActorGone` when the incarnation ends first, and with `guard.tunnel_backlog_full`.
	 */
	async openSocket(
		runner: RunnerRecord,
		actorId: string,
		upgrade: ActorUpgrade,
		socket: ActorSocket,
	): Promise<void> {
		const opened = new Deferred<void>();
		const id = idOf(socket);
		const exchange = this.#add({
			id,
			actorId,
			runner,
			answer: null,
			isRepeatable: true,
			isLive: () => true,
			socket,
			opened,
		});
		exchange.again = {
			tag: "ToClientWebSocketOpen",
			val: { actorId, path: upgrade.path, headers: headersOf(upgrade) },
		};
		if (!this.#tell(exchange, exchange.again)) {
			this.#forget(exchange);
			throw this.#backlogFull(runner);
		}
		const late = this.#clock.after(this.#openTimeoutMs, () => this.#unanswered(exchange));
		try {
			await opened.promise;
		} finally {
			late.stop();
		}
	}

	/** A runner that has heard of the offer is told that it is over: the next one may go to another. */
	#unanswered(exchange: Exchange): void {
		const { actorId, runner, id, opened } = exchange;
		if (!this.#forget(exchange)) return;
		const end = { code: CLOSE_ERROR, reason: "guard.request_timeout" };
		if (!runner.backlog.drop(id)) {
			runner.socket?.send(this.#message(exchange, { tag: "ToClientWebSocketClose", val: end }));
		}
		opened?.reject(new ActorDeclined(actorId));
	}

	/** Sockets that an earlier incarnation held, for the next one; their messages come once it runs. */
	resume(runner: RunnerRecord, actorId: string, sockets: readonly ActorSocket[]): void {
		for (const socket of sockets) {
			const exchange = this.#add({
				id: idOf(socket),
				actorId,
				runner,
				answer: null,
				isRepeatable: true,
				isLive: () => true,
				socket,
				opened: null,
			});
			exchange.unacknowledged = [];
			this.#listen(exchange, socket);
		}
	}

	/**
	 * The runner is back on another socket. What waits for it is sent, and what may be told twice of what was sent into the
	 * one before: nobody knows what of that had arrived, nor which answers were lost with it. The runner drops messages of held
	 * clients that it has, and closes of clients that it does not (contract: engine 4.12); a call or a socket that comes
	 * again takes the place of the first (4.9, 4.11).
	 */
	reconnected(runner: RunnerRecord): void {
		for (const exchange of this.#exchanges.values()) {
			if (exchange.runner !== runner) continue;
			try {
				this.#repeat(exchange);
			} catch (error) {
				this.#undeliverable(exchange);
				throw error;
			}
		}
		const send = (message: TunnelMessage): boolean => {
			try {
				return runner.socket?.send(message) ?? false;
			} catch (error) {
				const exchange = this.#exchanges.get(exchangeKey(message.val.messageId));
				if (exchange) this.#undeliverable(exchange);
				throw error;
			}
		};
		runner.backlog.drain(send);
		runner.ends.tellAgain(send);
	}

	#repeat(exchange: Exchange): void {
		const { again, unacknowledged, runner, id } = exchange;
		if (again !== null && !runner.backlog.has(id)) this.#tell(exchange, again);
		if (unacknowledged === null) return;
		runner.backlog.drop(id);
		for (const { message, index } of unacknowledged) {
			if (!this.#tell(exchange, message, index)) break;
		}
	}

	/** Whoever waits for what cannot be sent hears of it; the log has why. */
	#undeliverable(exchange: Exchange): void {
		this.#forget(exchange);
		const error = catalogueError("guard.tunnel_response_closed");
		exchange.answer?.reject(error);
		exchange.opened?.reject(error);
		exchange.socket?.close(CLOSE_ERROR, "guard.tunnel_response_closed");
	}

	/** Closes the clients of which a message is not acknowledged for so long (contract: engine 4.12). */
	closeOverdue(olderThanTs: number): void {
		for (const exchange of [...this.#exchanges.values()]) {
			const oldest = exchange.unacknowledged?.[0];
			if (oldest === undefined || oldest.ts >= olderThanTs) continue;
			this.#cut(exchange, "guard.websocket_garbage_collected");
		}
	}

	static idsOf(sockets: readonly ActorSocket[]): HibernatingRequest[] {
		return sockets.map(idOf);
	}

	received(runner: RunnerRecord, messageId: MessageId, kind: ToServerTunnelMessageKind): void {
		const exchange = this.#exchanges.get(exchangeKey(messageId));
		if (exchange === undefined && runner.isResumed) this.#tellLost(runner, messageId, kind);
		if (exchange?.runner !== runner) return;
		const { socket } = exchange;
		switch (kind.tag) {
			case "ToServerResponseStart": {
				const { status, headers, body } = kind.val;
				this.#forget(exchange);
				const { responseBodyBytesMax } = runner.limits;
				if (!isHead(status, headers) || (body?.byteLength ?? 0) > responseBodyBytesMax) {
					exchange.answer?.reject(catalogueError("guard.invalid_response_body"));
					break;
				}
				exchange.answer?.resolve({
					status,
					headers: Object.fromEntries(headers),
					body: body ? new Uint8Array(body) : null,
				});
				break;
			}
			case "ToServerResponseAbort":
				this.#forget(exchange);
				exchange.answer?.reject(abortOf(exchange));
				break;
			case "ToServerResponseChunk":
				// No version carries streamed answers.
				break;
			case "ToServerWebSocketOpen":
				if (!socket || !exchange.opened) break;
				if (kind.val.canHibernate) {
					socket.hold();
					exchange.unacknowledged = [];
				}
				exchange.again = null;
				exchange.isOpen = true;
				this.#listen(exchange, socket);
				exchange.opened.resolve();
				break;
			case "ToServerWebSocketMessage": {
				const { data, binary } = kind.val;
				if (data.byteLength > MESSAGE_BYTES_MAX) {
					this.#cut(exchange, "message.outgoing_too_long");
					break;
				}
				socket?.send(binary ? new Uint8Array(data) : Buffer.from(data).toString());
				break;
			}
			case "ToServerWebSocketMessageAck":
				this.#acknowledge(exchange, wholeIndex(kind.val.index, exchange.lastIndex));
				break;
			case "ToServerWebSocketClose": {
				const { code = CLOSE_NORMAL, reason = "ws.closed", hibernate } = kind.val;
				this.#forget(exchange);
				if (!exchange.isOpen) {
					// A refusal: it is offered again.
					exchange.opened?.reject(new ActorDeclined(exchange.actorId));
					break;
				}
				if (hibernate && exchange.unacknowledged !== null) break;
				if (socket) {
					const val: End = { code: CLOSE_NORMAL, reason: undefined };
					runner.socket?.send(this.#message(exchange, { tag: "ToClientWebSocketClose", val }));
				}
				// What no endpoint may send, such as 1006 of a socket that broke behind the actor, comes as a plain close.
				socket?.close(isSendableCloseCode(code) ? code : CLOSE_NORMAL, reason);
				break;
			}
			default:
				kind satisfies never;
		}
	}

	/** A runner that has gone on may not know that its clients were those of a process that is gone. */
	#tellLost(runner: RunnerRecord, messageId: MessageId, { tag }: ToServerTunnelMessageKind): void {
		if (tag !== "ToServerWebSocketMessage" && tag !== "ToServerWebSocketMessageAck") return;
		runner.socket?.send({
			tag: "ToClientTunnelMessage",
			val: {
				messageId: { ...messageId, messageIndex: 0 },
				messageKind: { tag: "ToClientWebSocketClose", val: CLIENT_LOST },
			},
		});
	}

	/** The incarnation is over: what it has not answered goes to the next one, or fails with `lost`. */
	actorEnded(actorId: string, isLost: boolean): void {
		for (const exchange of [...this.#exchanges.values()]) {
			if (exchange.actorId !== actorId) continue;
			this.#forget(exchange);
			const isUnheardOf = exchange.runner.backlog.drop(exchange.id);
			exchange.opened?.reject(new ActorGone(actorId));
			exchange.answer?.reject(
				isUnheardOf || (exchange.isRepeatable && !isLost)
					? new ActorGone(actorId)
					: catalogueError(
							isLost ? "guard.tunnel_response_closed" : "guard.actor_stopped_while_waiting",
						),
			);
		}
	}

	#acknowledge(exchange: Exchange, index: number): void {
		const { unacknowledged } = exchange;
		while (unacknowledged?.[0] !== undefined && unacknowledged[0].index <= index) {
			unacknowledged.shift();
		}
		exchange.socket?.acknowledge(index);
	}

	#add(
		given: Omit<
			Exchange,
			"again" | "isOpen" | "nextIndex" | "lastIndex" | "unacknowledged" | "unsent"
		>,
	): Exchange {
		const exchange: Exchange = {
			...given,
			again: null,
			// One that an earlier incarnation has opened is not opened again.
			isOpen: given.opened === null,
			nextIndex: 0,
			lastIndex: 0,
			unacknowledged: null,
			unsent: 0,
		};
		exchange.opened?.promise.catch(() => {});
		this.#exchanges.set(exchangeKey(given.id), exchange);
		return exchange;
	}

	#listen(exchange: Exchange, socket: ActorSocket): void {
		socket.listen({
			onMessage: (content, index) => {
				exchange.lastIndex = index;
				const binary = typeof content !== "string";
				const data = binary ? content : Buffer.from(content);
				const message: ClientMessage = { tag: "ToClientWebSocketMessage", val: { data, binary } };
				exchange.unacknowledged?.push({ index, ts: this.#clock.now(), message });
				// What one that is held may send ahead is limited by what is kept of it.
				const isTooFast =
					exchange.unacknowledged === null &&
					exchange.unsent > UNSENT_THEN_MAX &&
					exchange.runner.isCongested;
				exchange.unsent += data.byteLength;
				const sent = () => {
					exchange.unsent -= data.byteLength;
				};
				if (!isTooFast && this.#tell(exchange, message, index, sent)) return;
				countLimitHit(BACKLOG_FULL);
				this.#cut(exchange, BACKLOG_FULL);
			},
			onClose: (code, reason, wasClean) => {
				if (!this.#forget(exchange)) return;
				this.#tellEnd(exchange, endOf(code, reason, wasClean));
				socket.release();
			},
		});
	}

	/** Ends an exchange with a client that cannot go on. */
	#cut(exchange: Exchange, reason: string): void {
		if (!this.#forget(exchange)) return;
		// There is a gap behind what waits for the runner.
		exchange.runner.backlog.drop(exchange.id);
		exchange.unacknowledged = null;
		this.#tellEnd(exchange, { code: CLOSE_ERROR, reason });
		exchange.socket?.close(CLOSE_ERROR, reason);
	}

	/**
	 * The client is gone, and nobody will ask for what it has sent: until its runner has heard of that for sure, the end is
	 * kept, and what it has not acknowledged.
	 */
	#tellEnd(exchange: Exchange, end: End): void {
		const { runner, unacknowledged } = exchange;
		const sentBefore = (unacknowledged ?? []).map(({ message, index }) =>
			this.#message(exchange, message, index),
		);
		const close = this.#message(exchange, { tag: "ToClientWebSocketClose", val: end });
		runner.ends.add(sentBefore, close);
		// What else waits for the runner comes before the ends.
		if (!runner.socket?.send(close) && unacknowledged !== null) runner.backlog.drop(exchange.id);
	}

	/** False when the runner is away and too much waits for it already. */
	#tell(
		exchange: Exchange,
		messageKind: ToClientTunnelMessageKind,
		index?: number,
		sent?: () => void,
	): boolean {
		try {
			return exchange.runner.tell(this.#message(exchange, messageKind, index), sent);
		} catch (error) {
			this.#forget(exchange);
			throw error;
		}
	}

	#message(
		exchange: Exchange,
		messageKind: ToClientTunnelMessageKind,
		index?: number,
	): TunnelMessage {
		const messageIndex = (index ?? exchange.nextIndex) % INDEXES;
		exchange.nextIndex = messageIndex + 1;
		return {
			tag: "ToClientTunnelMessage",
			val: { messageId: { ...exchange.id, messageIndex }, messageKind },
		};
	}

	#backlogFull({ limits }: RunnerRecord): Error {
		return catalogueError(BACKLOG_FULL, {
			bytes: limits.tunnelBacklogBytesMax,
			messages: limits.tunnelBacklogMessagesMax,
		});
	}

	#forget(exchange: Exchange): boolean {
		const key = exchangeKey(exchange.id);
		return this.#exchanges.get(key) === exchange && this.#exchanges.delete(key);
	}
}

/** What becomes of a call that its runner aborts: an incarnation on its way out has not run it. */
function abortOf({ actorId, isLive, isRepeatable }: Exchange): Error {
	if (!isLive()) return new ActorGone(actorId);
	return isRepeatable ? new ActorDeclined(actorId) : catalogueError("guard.tunnel_request_aborted");
}

/** Whether a client can be given it. */
function isHead(status: number, headers: ReadonlyMap<string, string>): boolean {
	return status >= 200 && status <= 599 && [...headers].every((header) => isLegalHeader(...header));
}

/** How the actor hears of a client that has closed (contract: engine 3.8). */
function endOf(code: number, reason: string, wasClean: boolean): End {
	if (!wasClean) return CLIENT_LOST;
	return code === CLOSE_NO_CODE ? { code: CLOSE_NORMAL, reason: undefined } : { code, reason };
}

/** Whether a call may be made twice. */
export function isRepeatable({ method }: ActorRequest): boolean {
	return REPEATABLE.has(method);
}

function hasBody({ method }: ActorRequest): boolean {
	return method !== "GET" && method !== "HEAD";
}

/** Throws `guard.invalid_request_body` for one that does not fit. */
async function bodyOf({ body }: ActorRequest): Promise<Uint8Array> {
	try {
		return await body.bytes(BODY_BYTES_MAX);
	} catch (error) {
		const isTooLong = isActorError(error) && error.code === "incoming_too_long";
		throw isTooLong
			? catalogueError("guard.invalid_request_body", { limit: BODY_BYTES_MAX, option: null })
			: error;
	}
}

function headersOf({ headers, protocols }: ActorUpgrade): Map<string, string> {
	const map = new Map(headers.entries());
	if (protocols.length > 0) map.set("sec-websocket-protocol", protocols.join(", "));
	return map;
}

/** The socket's own id, cut to what the protocol has room for. */
function idOf({ id }: ActorSocket): HibernatingRequest {
	const bytes = Buffer.from(id.replaceAll("-", "").slice(0, 16), "hex");
	return { gatewayId: bytes.subarray(0, 4), requestId: bytes.subarray(4, 8) };
}

/** The newest index up to `last` whose low 16 bits are these. */
function wholeIndex(low: number, last: number): number {
	const behind = (((last - low) % INDEXES) + INDEXES) % INDEXES;
	return last - behind;
}
