import type { ActorSocket, Encoding, PreparedMessage } from "@rivetkit/protocol";
import { catalogueError, countLimitHit } from "@rivetkit/protocol";
import type { ActorInstance } from "../instance/instance.ts";
import { type TrackedState, trackState } from "../state/track-state.ts";
import type { RemoteParent, RequestCaller } from "../telemetry/trace-context.ts";
import type { Frame } from "./client-frames.ts";
import { CLOSE_REFUSED } from "./close-codes.ts";
import type { ConnectionRecord } from "./connection-records.ts";
import type { EventLog } from "./event-log.ts";

export type ConnectionKind = "http" | "websocket" | "raw-request" | "raw-websocket" | "inspector";

/** How events and answers reach the peer of an event connection. */
export interface EventChannel {
	readonly socket: ActorSocket;
	readonly encoding: Encoding;
}

/**
 * One client of one actor, for as long as the connection lasts. Users hold its {@link Connection.view}.
 *
 *     candidate ─▶ open ─▶ closed
 *         └──────▶ rejected
 */
export class Connection {
	readonly instance: ActorInstance;
	readonly id: string;
	readonly kind: ConnectionKind;
	/** What the client passed; undefined when it passed nothing. */
	readonly params: unknown;
	/** Set for kind `websocket` only. */
	readonly channel: EventChannel | null;
	phase: "candidate" | "open" | "closed" | "rejected" = "candidate";
	/** Whether nothing of what its opening wrote can be taken back any more. */
	isOpeningDurable = true;
	/** What is stored of a connection that outlives the incarnation; null for others. */
	record: ConnectionRecord | null = null;
	#subscriptions: Set<string> | null = null;
	#state: TrackedState | null = null;
	/** As those see it whose time to write is over. */
	#formerState: TrackedState | null = null;
	#view: ConnectionView | null = null;
	/** Whether Init, the first frame of a socket, is out; what was released before it waits. */
	#hasBegun = false;
	#early: { readonly frame: Frame; readonly isEvent: boolean }[] | null = null;
	/** What its client may have missed; null when that does not count frames. */
	log: EventLog | null = null;
	/** The secret of a client that may come back; null when it has none. */
	session: string | null = null;
	/** Where its client says it is in a trace; null when it does not, or no spans are recorded. */
	tracedFrom: RemoteParent | RequestCaller | null = null;
	/** Set while the socket is gone and the client may come back. */
	#overflown: (() => void) | null = null;
	/** Ends the transport when the actor asks for it; set by whoever owns it. */
	closeTransport: ((code: number, reason: string) => void) | null = null;
	/** Ends a transport whose client has come back on another one. */
	loseTransport: (() => void) | null = null;
	/** Stops what the transport does by itself: the incarnation ends, the client may stay. */
	leaveTransport: (() => void) | null = null;

	constructor(
		instance: ActorInstance,
		kind: ConnectionKind,
		params: unknown,
		channel: EventChannel | null = null,
		id: string = instance.services.random.uuid(),
	) {
		this.instance = instance;
		this.id = id;
		this.kind = kind;
		this.params = params;
		this.channel = channel;
	}

	/** Whether the connection outlives the instance; must not change while it is open. */
	get isHibernatable(): boolean {
		return this.record !== null;
	}

	get view(): ConnectionView {
		this.#view ??= new ConnectionView(this, this.instance.era);
		return this.#view;
	}

	/** As contexts of this era see it: the same object for all that may write. */
	viewOf(era: number): ConnectionView {
		return era === this.instance.era ? this.view : new ConnectionView(this, era);
	}

	get subscriptions(): Set<string> {
		this.#subscriptions ??= new Set();
		return this.#subscriptions;
	}

	get hasSubscriptions(): boolean {
		return this.#subscriptions !== null && this.#subscriptions.size > 0;
	}

	get state(): unknown {
		return this.#enabledState().value;
	}

	set state(next: unknown) {
		this.#enabledState().replace(next);
	}

	get formerState(): unknown {
		return (this.#formerState ?? this.#enabledState()).value;
	}

	get hasState(): boolean {
		return this.#state !== null;
	}

	get rawState(): unknown {
		return this.#state?.raw;
	}

	initState(raw: unknown): void {
		const { era } = this.instance;
		const state = trackState(raw, {
			rootPath: "conn.state",
			onChange: () => this.#stateChanged(),
			beforeWrite: () => {
				this.instance.assertCurrent(era);
				this.instance.assertWritable();
				this.instance.beforeConnectionWrite(state);
			},
		});
		this.#state = state;
	}

	/** Views, and parts of the state that somebody holds, can only be read from now on (W-STOP-5). */
	renew(): void {
		this.#view = null;
		if (!this.#state) return;
		this.#formerState ??= this.#state;
		this.initState(this.#state.raw);
	}

	/** Goes back to what was committed. */
	resetState(raw: unknown): void {
		if (!this.#state) return;
		this.instance.beforeConnectionReset(this.#state);
		this.#state.reset(raw);
	}

	/** What happens to the state of a connection that has left is of no consequence (lifecycle 9.3). */
	#stateChanged(): void {
		if (this.record && this.phase === "open") {
			this.instance.connectionRecords.stateChanged(this.record);
		}
	}

	#enabledState(): TrackedState {
		if (!this.#state) throw catalogueError("actor.conn_state_not_enabled", {});
		return this.#state;
	}

	/**
	 * Sends what opens the stream (Init; nothing to a client that went on), the events a client has come
	 * back for, then what was released before.
	 */
	begin(opening: readonly Frame[], missed: readonly Frame[] = []): void {
		this.#hasBegun = true;
		for (const frame of opening) this.deliver(frame);
		for (const data of missed) this.deliverEvent({ data });
		for (const { frame, isEvent } of this.#early ?? []) {
			if (isEvent) this.deliverEvent({ data: frame });
			else this.deliver(frame);
		}
		this.#early = null;
	}

	/**
	 * Sends a frame that was made for this connection's encoding. Callers hold it back until durable, in
	 * order with the closing of the socket, so what was sent before a `disconnect` arrives.
	 */
	deliver(frame: Frame): void {
		if (!this.channel) return;
		if (!this.#hasBegun) {
			this.#early ??= [];
			this.#early.push({ frame, isEvent: false });
			return;
		}
		this.channel.socket.send(frame);
		this.#limitBuffer(this.channel.socket);
	}

	/** The same for an event, which its client may come back for. */
	deliverEvent(event: PreparedMessage): void {
		if (!this.channel) return;
		const { socket } = this.channel;
		if (this.#overflown) {
			if (!this.log?.addUnsent(socket.sentCount, event.data)) this.#overflown();
			return;
		}
		if (!this.#hasBegun) {
			this.#early ??= [];
			this.#early.push({ frame: event.data, isEvent: true });
			return;
		}
		socket.sendPrepared(event);
		this.log?.add(socket.sentCount, event.data);
		this.#limitBuffer(socket);
	}

	/** The socket is gone: events go into the log only, until that cannot hold all of them. */
	linger(overflown: () => void): void {
		this.#overflown = overflown;
	}

	get isLingering(): boolean {
		return this.#overflown !== null;
	}

	#limitBuffer(socket: ActorSocket): void {
		const limit = this.instance.options.maxConnectionBufferSize;
		if (socket.bufferedBytes <= limit) return;
		this.instance.log.warn(
			{ connId: this.id, bufferedBytes: socket.bufferedBytes, limit },
			"connection closed: the client reads too slowly (options.maxConnectionBufferSize)",
		);
		countLimitHit("connection.buffer_full");
		this.closeTransport?.(CLOSE_REFUSED, "connection.buffer_full");
	}
}

/** The `conn` that users see (contract: api 5.2). */
export class ConnectionView {
	readonly #connection: Connection;
	readonly #era: number;

	constructor(connection: Connection, era: number) {
		this.#connection = connection;
		this.#era = era;
	}

	/** For all that is more than reading. Throws `actor.stopping` for who may only read. */
	get #current(): Connection {
		this.#connection.instance.assertCurrent(this.#era);
		return this.#connection;
	}

	/** UUID. */
	get id(): string {
		return this.#connection.id;
	}

	get params(): unknown {
		return this.#connection.params;
	}

	get state(): unknown {
		const isCurrent = this.#era === this.#connection.instance.era;
		return isCurrent ? this.#connection.state : this.#connection.formerState;
	}

	set state(next: unknown) {
		this.#current.state = next;
	}

	get kind(): ConnectionKind {
		return this.#connection.kind;
	}

	/** Whether the connection, with its client's socket, outlives this incarnation. */
	get isHibernatable(): boolean {
		return this.#connection.isHibernatable;
	}

	/** A copy: subscribing is the client's business. */
	get subscriptions(): Set<string> {
		return new Set(this.#connection.hasSubscriptions ? this.#connection.subscriptions : []);
	}

	send(event: string, ...args: unknown[]): void {
		this.#connection.instance.events.sendTo(this.#current, event, args);
	}

	/** Refused as a rejection, which does not end the process when nobody looks at it. */
	disconnect(reason?: string, options?: { final?: boolean }): Promise<void> {
		const { instance, id } = this.#connection;
		const closed = this.#disconnect(reason ?? "", options?.final ?? false);
		closed.catch((error: unknown) => {
			instance.log.warn({ err: error, connId: id }, "conn.disconnect was refused");
		});
		return closed;
	}

	async #disconnect(reason: string, final: boolean): Promise<void> {
		const connection = this.#current;
		await connection.instance.connections.disconnect(connection, reason, final);
	}
}
