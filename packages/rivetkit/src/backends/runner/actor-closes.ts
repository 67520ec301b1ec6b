import type { Clock } from "@rivetkit/protocol";
import type { RunnerToServer } from "@rivetkit/protocol/runner";

/** Closes of which it is not known that they arrived; the oldest is forgotten first. */
export const CLOSES_KEPT_MAX = 16_384;
/** What was sent on a socket that then lived for as long has arrived. */
const ARRIVED_MS = 30_000;

interface Close {
	readonly message: RunnerToServer;
	/** When it was sent on the socket of now; null for not yet. */
	sentTs: number | null;
}

/**
 * Clients that actors here have closed, until the engine is known to have heard it: the socket may have broken just then, and
 * the client would stay open for ever. The engine answers a close with one (contract: engine 4.11).
 */
export class ActorCloses {
	readonly #clock: Clock;
	readonly #send: (message: RunnerToServer) => boolean;
	/** By exchange, in the order in which they were sent. */
	readonly #closes = new Map<string, Close>();

	constructor(clock: Clock, send: (message: RunnerToServer) => boolean) {
		this.#clock = clock;
		this.#send = send;
	}

	/** The close of an exchange was sent. */
	sent(key: string, message: RunnerToServer): void {
		this.#closes.delete(key);
		this.#closes.set(key, { message, sentTs: this.#clock.now() });
		this.#forget();
	}

	/** The engine has heard it, or offers the client anew: it is not to be told of an earlier end. */
	settled(key: string): void {
		this.#closes.delete(key);
	}

	/** The socket is gone, and what was on its way with it. */
	disconnected(): void {
		this.#forget();
		for (const close of this.#closes.values()) close.sentTs = null;
	}

	/** On a new socket of the same runner, when everything has come that the engine tells again on its part. */
	tellAgain(): void {
		for (const close of this.#closes.values()) {
			if (close.sentTs !== null) continue;
			if (!this.#send(close.message)) return;
			close.sentTs = this.#clock.now();
		}
	}

	/** The engine does not know this runner any more, nor its clients. */
	clear(): void {
		this.#closes.clear();
	}

	#forget(): void {
		const arrivedTs = this.#clock.now() - ARRIVED_MS;
		for (const [key, { sentTs }] of this.#closes) {
			const hasArrived = sentTs !== null && sentTs <= arrivedTs;
			if (!hasArrived && this.#closes.size <= CLOSES_KEPT_MAX) return;
			this.#closes.delete(key);
		}
	}
}
