import type { ActorInstance } from "../instance/instance.ts";
import type { WheelTimer } from "../timers/timer-wheel.ts";
import type { Connection } from "./connection.ts";

/** Connections of one actor that are kept for clients that may come back; the oldest is given up first. */
export const LINGERING_CONNECTIONS_MAX = 10_000;

interface Lingering {
	readonly connection: Connection;
	readonly timer: WheelTimer;
}

/**
 * Connections that are over for the actor, whose clients may come back for the events they miss: for
 * `options.resumeWindow` each hears what it was subscribed to, into its log.
 */
export class LingeringConnections {
	readonly #instance: ActorInstance;
	readonly #givenUp: (connection: Connection) => void;
	#lingering: Map<string, Lingering> | null = null;

	/** @param givenUp - told of each connection that does not linger any more */
	constructor(instance: ActorInstance, givenUp: (connection: Connection) => void) {
		this.#instance = instance;
		this.#givenUp = givenUp;
	}

	/** From now on the connection's events go into its log, for as long as that holds all of them. */
	add(connection: Connection): void {
		connection.linger(() => this.giveUp(connection.id));
		this.#lingering ??= new Map();
		const { timers } = this.#instance.services;
		const timer = timers.schedule(this.#instance.options.resumeWindow, () =>
			this.giveUp(connection.id),
		);
		this.#lingering.set(connection.id, { connection, timer });
		if (this.#lingering.size > LINGERING_CONNECTIONS_MAX) {
			this.giveUp(this.#lingering.keys().next().value!);
		}
	}

	get(id: string): Connection | undefined {
		return this.#lingering?.get(id)?.connection;
	}

	/** A client has come back for it, and may have to do so again: its time begins anew. */
	renew(id: string): void {
		this.#lingering?.get(id)?.timer.restart(this.#instance.options.resumeWindow);
	}

	giveUp(id: string): void {
		const lingering = this.#lingering?.get(id);
		if (!lingering) return;
		lingering.timer.cancel();
		this.#lingering!.delete(id);
		if (this.#lingering!.size === 0) this.#lingering = null;
		this.#givenUp(lingering.connection);
	}

	/** The incarnation has ended, and with it what it remembers. */
	end(): void {
		for (const id of [...(this.#lingering?.keys() ?? [])]) this.giveUp(id);
	}
}
