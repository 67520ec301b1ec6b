import type { Clock, Random, Timer } from "@rivetkit/protocol";
import { encodeToServer, RESUME_NEW } from "@rivetkit/protocol";
import type { ActionInput } from "../action-stream.ts";
import { ActorClientError, ActorError, asActorError, InternalError } from "../errors.ts";
import type { ClientLog } from "../log.ts";
import type {
	ActorQuery,
	ClientTransport,
	OpenedSocket,
	SocketClose,
} from "../transport/transport.ts";
import { uniqueId } from "../unique-id.ts";
import { type FailureKind, failureKind } from "./failure-kind.ts";
import { Link } from "./link.ts";
import { PendingCalls } from "./pending-calls.ts";
import { ReconnectSchedule } from "./reconnect-schedule.ts";
import { type ActorConnStatus, nextStatus, type StatusEvent } from "./status.ts";

/** The actor asked that this client stay away (lifecycle W-CONN-4). */
const CLOSE_FINAL = 4000;

/** What a connection stands on. */
export interface ConnectionEnvironment {
	readonly transport: ClientTransport;
	readonly clock: Clock;
	readonly random: Random;
	readonly log: ClientLog;
	/** What to connect to; asked for each attempt. */
	query(): ActorQuery;
	/** Connection params; asked for each attempt. */
	params(): Promise<unknown>;
}

/** What a loop tells its connection. */
export interface LoopEvents {
	statusChanged(status: ActorConnStatus, before: ActorConnStatus): void;
	/** An error that belongs to no call. */
	troubled(error: ActorError): void;
	event(name: string, args: readonly unknown[]): void;
	/** Events may have been missed for good. */
	resync(): void;
	/** Names to subscribe to on a new socket. */
	subscriptions(): Iterable<string>;
	/** The loop ended by itself: the actor refused for good. */
	gaveUp(error: unknown): void;
}

/**
 * Keeps one connection open: attempts, back-off, and the calls that wait meanwhile (contract: protocol
 * 3.9, api 15.5).
 *
 * - C1. A rejected call is never sent afterwards.
 * - C2. A call in flight when the socket is lost is repeated, with its id, only to a peer that
 *   recognises repetitions; else it is rejected.
 * - C3. On each socket: open handlers, subscriptions, repeated calls, queued calls, in this order.
 * - C4. While nobody answers, calls wait. A refusal rejects all that wait: with a masked error the attempts
 *   go on, with a public one the connection ends.
 * - C5. No timer runs while the connection is open and idle.
 * - C6. Between the events of two sockets none is missing, or `resync` says so before the first of them.
 */
export class ConnectionLoop {
	status: ActorConnStatus = "idle";
	actorId: string | undefined;
	connectionId: string | undefined;
	/** Why the loop ended for good; later calls reject with it. */
	endReason: { readonly error: unknown } | null = null;

	readonly #environment: ConnectionEnvironment;
	readonly #events: LoopEvents;
	readonly #session: string;
	readonly #schedule = new ReconnectSchedule();
	readonly #calls = new PendingCalls();
	/** Fires when the loop ends, to stop an attempt under way. */
	readonly #ending = new AbortController();
	#link: Link | null = null;
	/** The link that was open last; its peer is asked for what came after it. */
	#lastOpen: Link | null = null;
	/** Names that the server may still have from the sockets before. */
	readonly #subscribed = new Set<string>();
	/** Open handlers have run and the backlog is sent: what comes now is sent at once. */
	#ready = false;
	#retryTimer: Timer | null = null;

	constructor(environment: ConnectionEnvironment, events: LoopEvents) {
		this.#environment = environment;
		this.#events = events;
		this.#session = uniqueId(environment.random);
	}

	/** Fires, with the reason, when the loop ends. */
	get ending(): AbortSignal {
		return this.#ending.signal;
	}

	start(): void {
		if (this.status !== "idle" || this.endReason) return;
		this.#change("start");
		void this.#attempt();
	}

	/** The call is sent when the turn is over, unless it `isStream` then. */
	call({ name, args, signal }: ActionInput, isStream: () => boolean): Promise<unknown> {
		if (this.endReason) return Promise.reject(this.endReason.error);
		if (signal?.aborted) return Promise.reject(signal.reason);
		const { encoding } = this.#environment.transport;
		try {
			// The server would end the connection over it, and every other call with it.
			if (!Array.isArray(args)) {
				throw new ActorError("message", "malformed", "args is not a list");
			}
			const answer = this.#calls.enqueue(
				(id) =>
					encodeToServer(encoding, { tag: "ActionRequest", id, name, args: args as unknown[] }),
				signal,
				isStream,
			);
			if (this.#ready) queueMicrotask(() => this.#sendQueued());
			return answer;
		} catch (error) {
			return Promise.reject(asActorError(error));
		}
	}

	/** Before the socket is open there is nothing to send: it asks for all names then. */
	subscriptionChanged(eventName: string, subscribe: boolean): void {
		if (!this.#ready) return;
		this.#sendQueued();
		this.#subscribe(eventName, subscribe);
	}

	#subscribe(eventName: string, subscribe: boolean): void {
		if (subscribe) this.#subscribed.add(eventName);
		else this.#subscribed.delete(eventName);
		this.#link?.sendSubscription(eventName, subscribe);
	}

	/**
	 * Ends the loop for good. Waiting calls reject with `error`. Resolves when the socket is closed.
	 * The status becomes idle when the user disposed the connection, disconnected otherwise.
	 */
	async end(error: unknown, how: "disposed" | "failed", closeReason: string): Promise<void> {
		this.#sendQueued();
		const closed = this.#link?.close(closeReason);
		this.endReason = { error };
		this.#link = null;
		this.#ready = false;
		this.#ending.abort(error);
		this.#retryTimer?.stop();
		this.#calls.rejectAll(error);
		this.#change(how === "failed" && this.status === "connected" ? "lost" : how);
		await closed;
	}

	async #attempt(): Promise<void> {
		const { transport } = this.#environment;
		const { signal } = this.#ending;
		const query = this.#environment.query();
		try {
			const params = await this.#environment.params();
			if (signal.aborted) return;
			const actorId = await transport.resolve(query, signal);
			if (signal.aborted) return;
			const opened = await transport.openSocket(actorId, {
				path: "/connect",
				protocols: [],
				params,
				session: this.#session,
				resume: this.#lastOpen ? `${this.connectionId}.${this.#lastOpen.received}` : RESUME_NEW,
				signal,
			});
			if (signal.aborted) opened.socket.close(1000, "Disposed");
			else this.#link = this.#follow(opened, actorId, query);
		} catch (error) {
			if (signal.aborted) return;
			// What no transport tells fails here each time: params that cannot travel, no WebSockets at all.
			const isTold = error instanceof ActorClientError;
			this.#attemptFailed(error, isTold ? failureKind(error, query) : "permanent");
		}
	}

	#follow(opened: OpenedSocket, actorId: string, query: ActorQuery): Link {
		const { transport, clock, log } = this.#environment;
		const link: Link = new Link(opened, {
			encoding: transport.encoding,
			clock,
			log,
			events: {
				opened: (id, connectionId) => this.#opened(link, id, connectionId),
				answered: (callId, output) => {
					if (!this.#calls.answered(callId, output)) this.#unknownCall(callId);
				},
				failed: (callId, error) => {
					if (!this.#calls.failed(callId, error)) this.#unknownCall(callId);
				},
				troubled: (error) => {
					if (!link.subscribed && !link.recognisesRepeats) this.#calls.rejectAll(error);
					this.#events.troubled(error);
				},
				event: (name, args) => this.#events.event(name, args),
				resync: () => this.#events.resync(),
				ended: (error, close) => void this.#linkEnded(link, error, close, actorId, query),
			},
		});
		return link;
	}

	#opened(link: Link, actorId: string, connectionId: string): void {
		this.actorId = actorId;
		this.connectionId = connectionId;
		const mayHaveMissed = this.#lastOpen && !link.resumesEvents;
		this.#lastOpen = link;
		this.#change("opened");
		// An open handler may have disposed the connection.
		if (this.#link !== link) return;
		const names = new Set(this.#events.subscriptions());
		for (const name of this.#subscribed) if (!names.has(name)) this.#subscribe(name, false);
		for (const name of names) this.#subscribe(name, true);
		const nowMs = this.#environment.clock.now();
		if (link.recognisesRepeats) {
			this.#calls.rejectUnrepeatable(nowMs, connectionLost());
			this.#calls.repeat(nowMs, (frame) => link.send(frame));
		} else {
			this.#calls.rejectSent(connectionLost());
		}
		this.#ready = true;
		this.#sendQueued();
		if (mayHaveMissed) this.#events.resync();
	}

	async #linkEnded(
		link: Link,
		error: Error,
		close: SocketClose,
		actorId: string,
		query: ActorQuery,
	): Promise<void> {
		if (this.#link === link) {
			this.#link = null;
			this.#ready = false;
		}
		const { transport, clock } = this.#environment;
		const reason = error instanceof ActorError ? await transport.explain(error, actorId) : error;
		if (this.endReason) return;
		if (link.openedAtMs === null) {
			if (!link.recognisesRepeats) this.#calls.rejectAll(reason);
			this.#attemptFailed(reason, failureKind(reason, query));
			return;
		}
		this.#change("lost");
		if (this.endReason) return;
		if (close.code === CLOSE_FINAL) {
			this.#giveUp(reason);
			return;
		}
		if (!link.recognisesRepeats || failureKind(reason, query) === "permanent")
			this.#calls.rejectAll(reason);
		else this.#calls.rejectUnrepeatable(clock.now(), reason);
		if (reason instanceof ActorError) this.#events.troubled(reason);
		this.#retryAfter(this.#schedule.afterLoss(clock.now() - link.openedAtMs));
	}

	#attemptFailed(reason: unknown, kind: FailureKind): void {
		const error = asActorError(reason);
		this.#change("failed");
		if (this.endReason) return;
		// Before the error handlers, whose own calls are for the next attempt.
		if (kind === "refusal") this.#calls.rejectAll(error);
		this.#events.troubled(error);
		if (this.endReason) return;
		if (kind === "permanent") {
			this.#giveUp(error);
			return;
		}
		this.#calls.rejectUnrepeatable(this.#environment.clock.now(), error);
		this.#retryAfter(this.#schedule.afterFailure());
	}

	#giveUp(error: unknown): void {
		void this.end(error, "failed", "");
		this.#events.gaveUp(error);
	}

	#retryAfter(delayMs: number): void {
		// A callback may have ended the loop.
		if (this.endReason) return;
		const retry = () => {
			this.#retryTimer = null;
			this.#change("retry");
			if (!this.endReason) void this.#attempt();
		};
		if (delayMs === 0) retry();
		else this.#retryTimer = this.#environment.clock.after(delayMs, retry);
	}

	#sendQueued(): void {
		const link = this.#link;
		if (link && this.#ready)
			this.#calls.flush(this.#environment.clock.now(), (frame) => link.send(frame));
	}

	#unknownCall(callId: number): void {
		this.#environment.log.warn(`an answer to call ${callId}, which nobody waits for`);
	}

	#change(event: StatusEvent): void {
		const before = this.status;
		const after = nextStatus(before, event);
		if (after === null) throw new InternalError(`a connection cannot be ${event} while ${before}`);
		this.status = after;
		if (after !== before) this.#events.statusChanged(after, before);
	}
}

function connectionLost(): Error {
	return new Error("Connection lost before the call was answered");
}
