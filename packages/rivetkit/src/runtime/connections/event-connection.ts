import {
	ActorGone,
	type ActorSocket,
	type ActorSocketHandler,
	ANY_CLIENT,
	CLOSE_GOING_AWAY,
	CLOSE_NORMAL,
	CLOSE_REASON_DISPOSED,
	catalogueError,
	decodeToServer,
	type Encoding,
	encodeToClient,
	IDENTIFYING_CLIENT,
	peekActionId,
	type ResumePoint,
	RivetError,
	type ToServer,
	toWireError,
} from "@rivetkit/protocol";
import { ActionCall } from "../actions/action-call.ts";
import type { Outcome, Settle } from "../calls/call-log.ts";
import type { TurnJob } from "../commit/turn-scheduler.ts";
import type { ActorInstance } from "../instance/instance.ts";
import type { RemoteParent } from "../telemetry/trace-context.ts";
import { answerFrame, errorFrame, type Frame, frameSize } from "./client-frames.ts";
import { CLOSE_REFUSED, truncateCloseReason } from "./close-codes.ts";
import { Connection } from "./connection.ts";
import type { StoredEventHead } from "./connection-layout.ts";
import { ConnectionRecord } from "./connection-records.ts";
import { EventLog } from "./event-log.ts";
import { Liveness } from "./liveness.ts";
import { MessageProgress } from "./message-progress.ts";
import { Resumption, resyncFrame } from "./resumption.ts";
import { askGuard, isGuarded, type Refusal } from "./subscription-guard.ts";
import { subscriptionRefusal } from "./subscription-limits.ts";

/** Bytes a client may send ahead of its acceptance. Afterwards the gateway bounds what waits. */
const EARLY_BYTES_MAX = 16 * 1024 * 1024;
/** What a waiting message takes besides its content. */
const MESSAGE_OVERHEAD_BYTES = 64;

interface Waiting {
	readonly message: Frame;
	readonly index: number;
}

/** What a client says about its connection when it opens it. */
export interface EventConnectionTerms {
	readonly encoding: Encoding;
	readonly params: unknown;
	/** Id of the client's session, which its call ids begin with; null when it has none. */
	readonly session: string | null;
	/** Where the client wants to go on; null when it does not count its frames. */
	readonly resume: ResumePoint | null;
	/** Where in a trace it was opened; null for nowhere. */
	readonly tracedFrom: RemoteParent | null;
}

/**
 * One `/connect` socket: frames in, frames out (contract: protocol 3). Frames start strictly in the order
 * of arrival; by default the next one starts when the action before it has finished, while the *answers*
 * wait for the disk without holding anything up. A frame is acknowledged to the gateway together with its
 * answer; one that this incarnation did not get to goes to the next.
 *
 *     opening ─▶ open ─▶ closed
 *        └────────────────▲
 */
export class EventConnection implements ActorSocketHandler, TurnJob {
	readonly #instance: ActorInstance;
	readonly #socket: ActorSocket;
	readonly #encoding: Encoding;
	readonly #session: string | null;
	readonly #connection: Connection;
	readonly #liveness: Liveness;
	/** Of a client that counts its frames, on this socket. */
	readonly #resumption: Resumption | null;
	#phase: "opening" | "open" | "closed" = "opening";
	#backlog: Waiting[] = [];
	#earlyBytes = 0;
	#busy = 0;
	/** The turn in which a message was last handled. */
	#lastTurn = -1;
	/** Whether the next turn goes on with the backlog. */
	#isResuming = false;
	/** A subscription is being decided; what comes after it may rely on the outcome. */
	#isGuarding = false;
	/** The backlog is in line behind a `c.atomic`. */
	#isInLine = false;
	/** Messages an earlier incarnation has handled: those that come again only lack their answer. */
	readonly #handledBefore: number;
	/** Handled by this one, and durable. */
	readonly #durable = new MessageProgress(0);
	/** Handled, for the store: only where the gateway may outlive this host. */
	readonly #handled: MessageProgress | null;

	/** Of a new client. */
	static create(
		instance: ActorInstance,
		socket: ActorSocket,
		{ encoding, params, session, resume, tracedFrom }: EventConnectionTerms,
	): EventConnection {
		const connection = new Connection(instance, "websocket", params, { socket, encoding });
		connection.tracedFrom = tracedFrom;
		const head: StoredEventHead = {
			kind: "websocket",
			encoding,
			params,
			session,
			resumes: resume !== null && session !== null,
			socketId: socket.id,
		};
		if (socket.canHibernate) connection.record = new ConnectionRecord(connection, socket, head);
		return new EventConnection(instance, socket, connection, head, 0, resume);
	}

	/** @param handledBefore - the last message that earlier incarnations have handled, as stored */
	constructor(
		instance: ActorInstance,
		socket: ActorSocket,
		connection: Connection,
		{ encoding, session, resumes }: StoredEventHead,
		handledBefore: number,
		resume: ResumePoint | null = null,
	) {
		this.#instance = instance;
		this.#socket = socket;
		this.#encoding = encoding;
		this.#session = session;
		this.#connection = connection;
		this.#handledBefore = handledBefore;
		this.#resumption = resume && new Resumption(instance, connection, encoding, resume);
		if (resumes) {
			connection.session = session;
			connection.log = new EventLog(instance.options, socket.sentCount);
		}
		this.#handled =
			connection.record && socket.outlivesHost ? new MessageProgress(handledBefore) : null;
		connection.closeTransport = (code, reason) => this.#closeSocket(code, reason);
		connection.loseTransport = () => this.#lose(CLOSE_NORMAL, "connection.superseded");
		connection.leaveTransport = () => this.#liveness.stop();
		this.#liveness = new Liveness(instance, socket, () => this.#peerDead());
	}

	/**
	 * Runs the opening hooks, then answers with Init. A refusal is an Error frame and close 1011. Rejects
	 * with {@link ActorGone} when the actor stopped on the way: nothing of the connection remains.
	 */
	async open(request: Request): Promise<void> {
		const instance = this.#instance;
		this.#socket.listen(this);
		this.#resumption?.find();
		try {
			await instance.connections.open(this.#connection, request);
		} catch (error) {
			if (!instance.acceptsWork) throw new ActorGone(instance.actorId);
			this.#refuse(error);
			return;
		}
		if (this.#resumption?.isGuarded) await this.#resumption.askGuards();
		if (this.#phase === "closed") {
			await instance.connections.close(this.#connection);
			return;
		}
		this.#phase = "open";
		const begun = this.#begun();
		this.#workOff();
		await begun;
	}

	/** Resolves when the client has its Init, or was refused. */
	#begun(): Promise<void> {
		const instance = this.#instance;
		this.#resumption?.adopt();
		const init = encodeToClient(this.#encoding, {
			tag: "Init",
			actorId: instance.actorId,
			connectionId: this.#connection.id,
		});
		return new Promise((resolve, reject) => {
			instance.afterDurable((error) => {
				if (instance.isFenced) {
					reject(new ActorGone(instance.actorId));
					return;
				}
				if (error === undefined) {
					// From here on the record is stored: the next incarnation finds it.
					if (this.#connection.record) this.#socket.hold();
					const { frames = [], missed = [] } = this.#resumption?.opening() ?? {};
					this.#connection.begin([init, ...frames], missed);
					if (this.#phase === "open") this.#liveness.start();
				} else {
					this.#refuse(error);
				}
				resolve();
			});
		});
	}

	/** Goes on with a client that an earlier incarnation has accepted. */
	goOn(): void {
		this.#phase = "open";
		const mayHaveMissed = this.#connection.log !== null && this.#socket.isInterrupted;
		this.#connection.begin(mayHaveMissed ? [resyncFrame(this.#encoding)] : []);
		this.#liveness.start();
		this.#socket.listen(this, this.#handledBefore);
	}

	onMessage(message: Frame, index: number): void {
		if (this.#phase === "closed") return;
		if (this.#phase === "open") this.#resumption?.confirm();
		this.#durable.came(index);
		this.#handled?.came(index);
		const isFree = this.#instance.isFree;
		if (this.#backlog.length === 0 && isFree && this.#mayHandle && !this.#mayLeaveRest) {
			this.#handle(message, index);
			return;
		}
		if (this.#phase === "opening") {
			this.#earlyBytes += message.length + MESSAGE_OVERHEAD_BYTES;
			if (this.#earlyBytes > EARLY_BYTES_MAX) {
				this.#closeSocket(CLOSE_REFUSED, "connection.backlog_full");
				return;
			}
		}
		this.#backlog.push({ message, index });
		if (isFree) this.#resumeLater();
		else this.#standInLine();
	}

	/** Goes on with what an overdue turn left to the next one. */
	endOfTurn(): void {
		this.#isResuming = false;
		this.#workOff();
	}

	#resumeLater(): void {
		const { turns } = this.#instance.services;
		if (this.#isResuming || !turns.isOverdue) return;
		this.#isResuming = true;
		turns.requestNext(this);
	}

	onPong(): void {
		this.#liveness.pong();
		this.#connection.log?.confirm(this.#liveness.sentAtPing);
		this.#resumption?.confirm();
	}

	onClose(code: number, reason: string): void {
		this.#liveness.stop();
		if (this.#isInLine) this.#instance.whenFree(() => this.#ended(code, reason));
		else this.#ended(code, reason);
	}

	#ended(code: number, reason: string): void {
		if (this.#isResuming) this.#workOffAll();
		this.#backlog = [];
		if (this.#phase === "closed") return;
		// A stopping actor leaves it, and what came before it, to the next incarnation.
		if (this.#connection.record && !this.#instance.isReady) return;
		const isDisposed = code === CLOSE_NORMAL && reason === CLOSE_REASON_DISPOSED;
		this.#closed(!isDisposed);
	}

	/** A stopping actor begins nothing new: what it leaves in the backlog goes to the next incarnation. */
	get #mayHandle(): boolean {
		const { options, acceptsCalls } = this.#instance;
		if (!acceptsCalls || this.#phase !== "open" || this.#connection.phase !== "open") return false;
		return !this.#isGuarding && this.#busy < options.connectionConcurrency;
	}

	/**
	 * Whether the rest of what came at once waits for the next turn, so that the disk need not wait for
	 * it. Only what comes behind a message of the same turn: many connections share a turn as it is.
	 */
	get #mayLeaveRest(): boolean {
		const { turns } = this.#instance.services;
		return this.#lastTurn === turns.turn && turns.isOverdue;
	}

	#workOff(): void {
		while (this.#backlog.length > 0 && this.#mayHandle && !this.#mayLeaveRest) {
			if (!this.#instance.isFree) {
				this.#standInLine();
				return;
			}
			const { message, index } = this.#backlog.shift()!;
			this.#handle(message, index);
		}
		if (this.#backlog.length > 0) this.#resumeLater();
	}

	#standInLine(): void {
		if (this.#isInLine) return;
		this.#isInLine = true;
		this.#instance.whenFree(() => {
			this.#isInLine = false;
			this.#workOff();
		});
	}

	/** What came before the end of the connection came in time, whatever turn it was left to. */
	#workOffAll(): void {
		while (this.#backlog.length > 0 && this.#mayHandle && this.#instance.isFree) {
			const { message, index } = this.#backlog.shift()!;
			this.#handle(message, index);
		}
	}

	#handle(data: Frame, index: number): void {
		this.#lastTurn = this.#instance.services.turns.turn;
		const limit = this.#instance.services.limits.maxIncomingMessageSize;
		const size = frameSize(data);
		if (size > limit) {
			this.#refuseOversized(data, size, limit, index);
			return;
		}
		let message: ToServer;
		try {
			message = decodeToServer(this.#encoding, data);
		} catch (error) {
			if (!(error instanceof RivetError)) throw error;
			this.#instance.log.warn({ connId: this.#connection.id, err: error }, "undecodable frame");
			this.#closeSocket(CLOSE_REFUSED, `${error.group}.${error.code}`);
			return;
		}
		switch (message.tag) {
			case "ActionRequest":
				this.#act(message, index);
				return;
			case "SubscriptionRequest":
				this.#subscribe(message.eventName, message.subscribe, index);
				return;
			default:
				message satisfies never;
		}
	}

	#act({ id, name, args }: Extract<ToServer, { tag: "ActionRequest" }>, index: number): void {
		const instance = this.#instance;
		this.#busy++;
		let inline = true;
		const run = (settle: Settle) => {
			new ActionCall(instance, this.#connection, name, args, settle).start();
		};
		const answer = (outcome: Outcome) => {
			this.#busy--;
			const client = this.#session === null ? ANY_CLIENT : IDENTIFYING_CLIENT;
			const call = { id, action: name, client };
			const frame = answerFrame(instance, this.#encoding, call, outcome);
			this.#done(index, (error) => {
				this.#connection.deliver(
					error === undefined ? frame : errorFrame(instance, this.#encoding, error, id, name),
				);
			});
			if (!inline) this.#workOff();
		};
		const callId = this.#callId(id, index);
		if (callId === null) run(answer);
		else if (index <= this.#handledBefore) answer(instance.calls.outcome(callId) ?? FORGOTTEN);
		else instance.calls.once(callId, instance.services.clock, run, answer);
		inline = false;
	}

	/** By what a call is recognised when it comes again; null when it cannot come again. */
	#callId(id: number | bigint, index: number): string | null {
		if (this.#session !== null) return `${this.#session}:${id}`;
		// Ids are the client's, who may use one twice; its messages are numbered by the gateway.
		return this.#handled ? `${this.#connection.id}#${index}` : null;
	}

	#subscribe(event: string, subscribe: boolean, index: number): void {
		const connection = this.#connection;
		if (!subscribe) {
			this.#instance.connections.unsubscribe(connection, event);
			this.#done(index, ignore);
			return;
		}
		const limited = subscriptionRefusal(connection, event);
		if (limited) {
			this.#subscribed(event, { error: limited }, index);
			return;
		}
		this.#isGuarding = isGuarded(this.#instance, event);
		let inline = true;
		askGuard(this.#instance, connection, event, (refusal) => {
			this.#isGuarding = false;
			this.#subscribed(event, refusal, index);
			if (!inline) this.#workOff();
		});
		inline = false;
	}

	#subscribed(event: string, refusal: Refusal, index: number): void {
		const connection = this.#connection;
		if (refusal) {
			const frame = errorFrame(this.#instance, this.#encoding, refusal.error, null);
			this.#done(index, () => connection.deliver(frame));
		} else {
			this.#instance.connections.subscribe(connection, event);
			this.#done(index, ignore);
		}
	}

	/** Ruling 2: only the call fails when its id can be read; otherwise the connection is refused. */
	#refuseOversized(data: Frame, size: number, limit: number, index: number): void {
		const error = catalogueError("message.incoming_too_long", { size, limit });
		const id = peekActionId(this.#encoding, data);
		const frame = errorFrame(this.#instance, this.#encoding, error, id);
		this.#done(index, () => {
			this.#connection.deliver(frame);
			if (id === null) this.#closeSocket(CLOSE_REFUSED, "message.incoming_too_long");
		});
	}

	/**
	 * A message is handled: `release` sends what comes of it as soon as that may be seen, and then the
	 * gateway need not keep the message any longer. What a fenced incarnation has left undone is not its
	 * own to answer: the next one gets the message.
	 */
	#done(index: number, release: (error: unknown) => void): void {
		const instance = this.#instance;
		const { record } = this.#connection;
		if (this.#handled?.done(index)) {
			instance.connectionRecords.messageHandled(record!, this.#handled.through);
		}
		instance.afterDurable((error) => {
			if (instance.isFenced && record) return;
			release(error);
			if (this.#durable.done(index)) this.#socket.acknowledge(this.#durable.through);
		});
	}

	#refuse(error: unknown): void {
		if (this.#phase === "closed") return;
		const wire = this.#instance.describeError(error, {});
		this.#socket.send(encodeToClient(this.#encoding, { tag: "Error", ...wire, actionId: null }));
		this.#closeSocket(CLOSE_REFUSED, `${wire.group}.${wire.code}`);
	}

	#closeSocket(code: number, reason: string): void {
		if (this.#phase === "closed") return;
		this.#socket.close(code, truncateCloseReason(reason));
		this.#closed(false);
	}

	/** The client is not there any more, though its socket is: it may come back on another one. */
	#lose(code: number, reason: string): void {
		if (this.#phase === "closed") return;
		this.#socket.close(code, reason);
		this.#closed(true);
	}

	#closed(mayReturn: boolean): void {
		const wasOpen = this.#phase === "open";
		this.#phase = "closed";
		this.#liveness.stop();
		this.#backlog = [];
		if (wasOpen) void this.#instance.connections.close(this.#connection, mayReturn);
	}

	#peerDead(): void {
		this.#instance.log.info(
			{ connId: this.#connection.id },
			"connection closed: the client did not answer pings (options.connectionLivenessTimeout)",
		);
		this.#lose(CLOSE_GOING_AWAY, "connection.liveness_timeout");
	}
}

/** A call that was handled, whose answer the crash of a host took and nobody remembers. */
const FORGOTTEN: Outcome = {
	ok: false,
	error: toWireError(catalogueError("action.answer_forgotten"), { expose: false }),
};

function ignore(): void {}
