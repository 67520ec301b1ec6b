import {
	ActorGone,
	type ActorSocket,
	type ActorSocketHandler,
	type ActorUpgrade,
	CLOSE_GOING_AWAY,
	catalogueError,
	countLimitHit,
} from "@rivetkit/protocol";
import { CLOSE_REFUSED, truncateCloseReason } from "../connections/close-codes.ts";
import { Connection } from "../connections/connection.ts";
import type { StoredRawHead } from "../connections/connection-layout.ts";
import { ConnectionRecord } from "../connections/connection-records.ts";
import { Liveness } from "../connections/liveness.ts";
import { MessageProgress } from "../connections/message-progress.ts";
import type { ActorInstance } from "../instance/instance.ts";
import { hasEnded } from "../lifecycle/lifecycle.ts";
import { isPromiseLike } from "../lifecycle/with-timeout.ts";
import { SPAN_KINDS } from "../telemetry/span-kinds.ts";
import type { RemoteParent } from "../telemetry/trace-context.ts";
import { storedRequest, upgradeRequest } from "./incoming-request.ts";
import { ServerSocket } from "./server-socket.ts";

/** Bytes kept for a handler that has not attached its listeners yet (W-RAW-3). */
const EARLY_BYTES_MAX = 16 * 1024 * 1024;

interface Early {
	readonly message: string | Uint8Array;
	readonly index: number;
}

/**
 * One raw WebSocket (contract: lifecycle 11, protocol 3.10). Messages wait, in order, until the handler
 * has attached a listener for them, or its promise has settled, and while a `c.atomic` is under way. Of a socket that outlives the incarnation
 * (`options.canHibernateWebSocket`) each message is acknowledged when its listeners are done with it and
 * what they wrote is durable; when that is lost, the socket is closed. `onWebSocket` runs again in the next
 * incarnation. The peer's close comes behind the messages that wait, for a handler that does not listen after
 * `options.onConnectTimeout` at the latest.
 *
 *     opening ─▶ attaching ─▶ open ─▶ closed
 *        └───────────┴──────────────────▲
 */
export class RawSocketConnection implements ActorSocketHandler {
	readonly #instance: ActorInstance;
	readonly #socket: ActorSocket;
	readonly #connection: Connection;
	readonly #request: Request;
	readonly #userSocket: ServerSocket;
	readonly #liveness: Liveness;
	/** While it is `attaching` the handler is called and does not listen yet. */
	#phase: "opening" | "attaching" | "open" | "closed" = "opening";
	#early: Early[] = [];
	#earlyBytes = 0;
	/** The peer's close: comes behind the messages that wait. */
	#peerClose: (() => void) | null = null;
	/** Set while that waits for the handler to listen. */
	#endWait: (() => void) | null = null;
	/** What waits is in line behind a `c.atomic`. */
	#isInLine = false;
	/** What the listeners of the message that is being delivered return to be waited for. */
	#pending: PromiseLike<unknown>[] | null = null;
	/** Its listeners are told that it is open; those of a later incarnation are not told again. */
	#announcesOpen = false;
	/** Messages an earlier incarnation has handled. */
	readonly #handledBefore: number;
	readonly #durable = new MessageProgress(0);
	/** Handled, for the store: only where the gateway may outlive this host. */
	readonly #handled: MessageProgress | null;

	/** Of a new client. Throws what `canHibernateWebSocket` throws. */
	static create(
		instance: ActorInstance,
		socket: ActorSocket,
		upgrade: ActorUpgrade,
		params: unknown,
		tracedFrom: RemoteParent | null = null,
	): RawSocketConnection {
		const connection = new Connection(instance, "raw-websocket", params);
		connection.tracedFrom = tracedFrom;
		const request = upgradeRequest(upgrade);
		if (socket.canHibernate && mayHibernate(instance, request)) {
			const head: StoredRawHead = {
				kind: "raw-websocket",
				params,
				path: upgrade.path,
				headers: [...upgrade.headers.entries()],
				socketId: socket.id,
			};
			connection.record = new ConnectionRecord(connection, socket, head);
		}
		return new RawSocketConnection(instance, socket, connection, request, 0);
	}

	/** Of a client that an earlier incarnation has accepted. */
	static restore(
		instance: ActorInstance,
		socket: ActorSocket,
		connection: Connection,
		{ path, headers }: StoredRawHead,
		handledBefore: number,
	): RawSocketConnection {
		const request = storedRequest(path, headers);
		return new RawSocketConnection(instance, socket, connection, request, handledBefore);
	}

	private constructor(
		instance: ActorInstance,
		socket: ActorSocket,
		connection: Connection,
		request: Request,
		handledBefore: number,
	) {
		this.#instance = instance;
		this.#socket = socket;
		this.#connection = connection;
		this.#request = request;
		this.#handledBefore = handledBefore;
		this.#handled =
			connection.record && socket.outlivesHost ? new MessageProgress(handledBefore) : null;
		this.#liveness = new Liveness(instance, socket, () => this.#peerDead());
		connection.closeTransport = (code, reason) => this.#close(code, reason);
		connection.leaveTransport = () => {
			this.#liveness.stop();
			this.#endWait?.();
		};
		this.#userSocket = new ServerSocket(socket, request.url.replace(/^http/, "ws"), {
			release: (step, whenDropped) =>
				instance.afterDurable((error) => {
					if (error !== undefined) {
						this.#fail(error);
						return;
					}
					step();
					this.#limitBuffer();
				}, whenDropped),
			closed: (code, reason) => this.#close(code, reason),
			failed: (error) => this.#fail(error),
			track: (promise) => this.#track(promise),
			listening: () => queueMicrotask(() => this.#deliverEarly()),
		});
	}

	/**
	 * Resolves when the hooks are done and the handler is called; it may go on for as long as it likes.
	 * Rejects with {@link ActorGone} when the actor stopped on the way.
	 */
	async open(): Promise<void> {
		const instance = this.#instance;
		this.#socket.listen(this);
		try {
			if (!instance.config.onWebSocket) throw catalogueError("handler.websocket_not_defined", {});
			await instance.connections.open(this.#connection, this.#request);
			if (!instance.isFree) {
				await instance.untilFree();
				instance.assertAcceptsWork();
			}
		} catch (error) {
			if (!instance.acceptsWork) throw new ActorGone(instance.actorId);
			this.#fail(error);
			return;
		}
		if (this.#phase === "closed") {
			await instance.connections.close(this.#connection);
			return;
		}
		if (!this.#peerClose) this.#liveness.start();
		this.#announcesOpen = true;
		this.#callHandler();
		if (this.#connection.record) await this.#held();
	}

	/** For the client of an earlier incarnation. */
	reattach(): void {
		this.#callHandler();
	}

	goOn(): void {
		this.#liveness.start();
		this.#socket.listen(this, this.#handledBefore);
	}

	/** Resolves when the connection is stored, so that the next incarnation finds it. */
	#held(): Promise<void> {
		const instance = this.#instance;
		return new Promise((resolve, reject) => {
			instance.afterDurable((error) => {
				if (instance.isFenced) {
					reject(new ActorGone(instance.actorId));
					return;
				}
				if (error === undefined) this.#socket.hold();
				else this.#fail(error);
				resolve();
			});
		});
	}

	#callHandler(): void {
		const instance = this.#instance;
		const { onWebSocket } = instance.config;
		if (this.#phase === "opening") this.#phase = "attaching";
		if (this.#peerClose) this.#waitForHandler();
		try {
			if (!onWebSocket) throw catalogueError("handler.websocket_not_defined", {});
			const c = instance.contexts.connection(this.#connection, this.#request);
			const call = () => onWebSocket(c, this.#userSocket);
			const { telemetry } = instance;
			const pending = telemetry
				? telemetry.traced(SPAN_KINDS.webSocket, null, call, this.#connection.tracedFrom)
				: call();
			instance.writes.saveSoon();
			if (isPromiseLike(pending)) {
				pending.then(
					() => this.#deliverEarly(),
					(error) => this.#fail(error),
				);
			} else {
				this.#deliverEarly();
			}
		} catch (error) {
			this.#fail(error);
		}
	}

	#deliverEarly(): void {
		this.#instance.writes.saveSoon();
		if (this.#phase !== "attaching") return;
		this.#phase = "open";
		if (this.#announcesOpen) {
			this.#userSocket.opened();
			this.#instance.writes.saveSoon();
		}
		this.#workOff();
		this.#endWait?.();
	}

	onMessage(message: string | Uint8Array, index: number): void {
		if (this.#phase === "closed" || this.#peerClose) return;
		this.#durable.came(index);
		this.#handled?.came(index);
		if (index <= this.#handledBefore) {
			this.#acknowledge(index);
			return;
		}
		if (this.#phase === "open" && this.#early.length === 0 && this.#instance.isFree) {
			this.#deliver(message, index);
			return;
		}
		this.#earlyBytes += message.length;
		// What a gateway holds, it bounds.
		if (this.#earlyBytes > EARLY_BYTES_MAX && !this.#connection.record) {
			this.#close(CLOSE_REFUSED, "connection.backlog_full");
		} else {
			this.#early.push({ message, index });
			this.#workOff();
		}
	}

	#workOff(): void {
		while (this.#phase === "open" && (this.#early.length > 0 || this.#peerClose)) {
			if (this.#isLeftToNext) return;
			if (!this.#instance.isFree) {
				this.#standInLine();
				return;
			}
			const next = this.#early.shift();
			if (next === undefined) {
				this.#peerClose!();
				return;
			}
			this.#earlyBytes -= next.message.length;
			this.#deliver(next.message, next.index);
		}
	}

	#standInLine(): void {
		if (this.#isInLine) return;
		this.#isInLine = true;
		this.#instance.whenFree(() => {
			this.#isInLine = false;
			this.#workOff();
		});
	}

	onPong(): void {
		this.#liveness.pong();
	}

	/** A stopping actor leaves what its gateway keeps, the close included, to the next incarnation. */
	get #isLeftToNext(): boolean {
		return this.#connection.record !== null && !this.#instance.isReady;
	}

	onClose(code: number, reason: string, wasClean: boolean): void {
		this.#liveness.stop();
		if (this.#isLeftToNext) return;
		const close = () => this.#closedByPeer(code, reason, wasClean);
		if (this.#early.length === 0 && (this.#phase !== "open" || this.#instance.isFree)) {
			close();
			return;
		}
		this.#peerClose = close;
		if (this.#phase === "attaching") this.#waitForHandler();
		else this.#workOff();
	}

	/** A handler may listen to nothing but the close. */
	#waitForHandler(): void {
		const { services, options, work } = this.#instance;
		// An actor that slept through it would be woken for the same again.
		work.begin("socketListener");
		const timer = services.timers.schedule(options.onConnectTimeout, () => this.#deliverEarly());
		this.#endWait = () => {
			this.#endWait = null;
			timer.cancel();
			work.end("socketListener");
		};
	}

	#closedByPeer(code: number, reason: string, wasClean: boolean): void {
		this.#phase = "closed";
		this.#peerClose = null;
		this.#early = [];
		this.#userSocket.end(code, reason, wasClean);
		void this.#instance.connections.close(this.#connection);
		this.#instance.writes.saveSoon();
	}

	#deliver(message: string | Uint8Array, index: number): void {
		// The actor has asked for the close, which follows when its last writes are durable.
		if (this.#connection.phase !== "open") return;
		if (this.#isLeftToNext) return;
		const pending: PromiseLike<unknown>[] = [];
		this.#pending = pending;
		this.#userSocket.receive(message);
		this.#pending = null;
		this.#instance.writes.saveSoon();
		if (!this.#connection.record) return;
		if (pending.length === 0) this.#done(index);
		else void Promise.allSettled(pending).then(() => this.#done(index));
	}

	/** The listeners are done with a message; it is let go with the commit of what they wrote. */
	#done(index: number): void {
		const instance = this.#instance;
		const { record } = this.#connection;
		if (this.#handled?.done(index)) {
			instance.connectionRecords.messageHandled(record!, this.#handled.through);
		}
		if (!instance.committer.pending) {
			this.#acknowledge(index);
			return;
		}
		instance.committer.nextCommit().then(
			() => {
				if (!instance.isFenced) this.#acknowledge(index);
			},
			(error) => {
				// Of an incarnation that has ended, the next one gets the message; otherwise the client is told.
				if (!hasEnded(instance.phase)) this.#fail(error);
			},
		);
	}

	#acknowledge(index: number): void {
		if (this.#durable.done(index)) this.#socket.acknowledge(this.#durable.through);
	}

	#track(promise: PromiseLike<unknown>): void {
		const { work } = this.#instance;
		work.begin("socketListener");
		const done = () => {
			work.end("socketListener");
			this.#instance.writes.saveSoon();
		};
		this.#pending?.push(promise);
		promise.then(done, (error) => {
			this.#fail(error);
			done();
		});
	}

	/** W-CONN-6, as for connections with events. */
	#limitBuffer(): void {
		const { bufferedBytes } = this.#socket;
		const limit = this.#instance.options.maxConnectionBufferSize;
		if (bufferedBytes <= limit) return;
		this.#instance.log.warn(
			{ connId: this.#connection.id, bufferedBytes, limit },
			"connection closed: the client reads too slowly (options.maxConnectionBufferSize)",
		);
		countLimitHit("connection.buffer_full");
		this.#close(CLOSE_REFUSED, "connection.buffer_full");
	}

	/** Ruling 24: a throwing listener is logged and closes this socket; the process lives. */
	#fail(error: unknown): void {
		// A fenced incarnation has no say over a client that goes on with the next one.
		if (this.#connection.record && this.#instance.isFenced) return;
		const wire = this.#instance.describeError(error, { connId: this.#connection.id });
		this.#close(CLOSE_REFUSED, `${wire.group}.${wire.code}`);
	}

	#peerDead(): void {
		this.#instance.log.info(
			{ connId: this.#connection.id },
			"connection closed: the client did not answer pings (options.connectionLivenessTimeout)",
		);
		this.#close(CLOSE_GOING_AWAY, "connection.liveness_timeout");
	}

	#close(code: number, reason: string): void {
		if (this.#phase === "closed") return;
		this.#phase = "closed";
		this.#early = [];
		this.#endWait?.();
		this.#liveness.stop();
		const cut = truncateCloseReason(reason);
		this.#socket.close(code, cut);
		this.#userSocket.end(code, cut, true);
		void this.#instance.connections.close(this.#connection);
	}
}

/** Decided once, at upgrade (lifecycle 5.1). */
function mayHibernate(instance: ActorInstance, request: Request): boolean {
	const { canHibernateWebSocket } = instance.options;
	if (typeof canHibernateWebSocket === "boolean") return canHibernateWebSocket;
	const verdict: unknown = canHibernateWebSocket(request);
	if (typeof verdict === "boolean") return verdict;
	throw new TypeError(
		`options.canHibernateWebSocket must return true or false, not ${String(verdict)}`,
	);
}
