import { type Encoding, EVENT_RESYNC, encodeToClient, type ResumePoint } from "@rivetkit/protocol";
import type { ActorInstance } from "../instance/instance.ts";
import type { Frame } from "./client-frames.ts";
import type { Connection } from "./connection.ts";
import { askGuard, isGuarded, type Refusal } from "./subscription-guard.ts";

/** What a client gets behind its Init. */
export interface Opening {
	/** Frames that are no events of the actor. */
	readonly frames: readonly Frame[];
	/** The events it has come back for, in order. */
	readonly missed: readonly Frame[];
}

/**
 * How the connection of a client that lost its socket goes on where the one before it broke off (decision
 * record 0013). The old one lingers on, and hears what the new one hears, until the client has shown that
 * it knows the new one: it may have to come back to the old one once more.
 *
 *     none ─▶ found ─▶ adopted ─▶ confirmed
 *               └─────────┴─▶ given up
 */
export class Resumption {
	readonly #instance: ActorInstance;
	readonly #connection: Connection;
	readonly #encoding: Encoding;
	readonly #point: ResumePoint;
	#previous: Connection | null = null;

	/** @param point - where the client wants to go on */
	constructor(
		instance: ActorInstance,
		connection: Connection,
		encoding: Encoding,
		point: ResumePoint,
	) {
		this.#instance = instance;
		this.#connection = connection;
		this.#encoding = encoding;
		this.#point = point;
	}

	/** Looks for what the client comes back to. A socket that it has left, unnoticed by us, is over now. */
	find(): void {
		const id = this.#point.connectionId;
		const { session } = this.#connection;
		if (!id || session === null) return;
		const previous = this.#instance.connections.resumable(id, session);
		previous?.loseTransport?.();
		if (previous?.isLingering && previous.channel?.encoding === this.#encoding) {
			this.#previous = previous;
		}
	}

	/**
	 * Whether guards have to be asked before anything goes on: what the client may hear can have changed
	 * with its params.
	 */
	get isGuarded(): boolean {
		if (!this.#previous) return false;
		return [...this.#previous.subscriptions].some((event) => isGuarded(this.#instance, event));
	}

	/** Asks them; one that says no makes the client read anew. */
	async askGuards(): Promise<void> {
		for (const event of this.#previous?.subscriptions ?? []) {
			const refusal = await new Promise<Refusal>((resolve) =>
				askGuard(this.#instance, this.#connection, event, resolve),
			);
			if (!refusal) continue;
			this.#previous = null;
			return;
		}
	}

	/** The old one while it hears and keeps what its client misses: hooks may outlast that. */
	get #kept(): Connection | null {
		if (!this.#previous) return null;
		return this.#instance.connections.lingering.get(this.#previous.id) ?? null;
	}

	/** The connection is accepted: it hears from now on what the old one hears. */
	adopt(): void {
		const previous = this.#kept;
		if (!previous) return;
		const { connections } = this.#instance;
		for (const event of previous.subscriptions) connections.subscribe(this.#connection, event);
		connections.lingering.renew(previous.id);
	}

	/** What the client gets behind its Init, as things are when that leaves. */
	opening(): Opening {
		if (this.#point.connectionId === null) return { frames: [], missed: [] };
		const missed = this.#kept?.log?.since(this.#point.received);
		return missed ? { frames: [], missed } : { frames: [resyncFrame(this.#encoding)], missed: [] };
	}

	/** The client knows the new connection. */
	confirm(): void {
		if (!this.#previous) return;
		this.#instance.connections.lingering.giveUp(this.#previous.id);
		this.#previous = null;
	}
}

/** Says that events may have been missed for good. */
export function resyncFrame(encoding: Encoding): Frame {
	return encodeToClient(encoding, { tag: "Event", name: EVENT_RESYNC, args: [] });
}
