import { type Clock, catalogueError, type Timer } from "@rivetkit/protocol";
import type { KvRequestData, KvResponseData, RunnerToServer } from "@rivetkit/protocol/runner";
import type { Logger } from "../../log/logger.ts";

/** How long an engine that is there may take to answer (contract: engine 4.8). */
export const KV_ANSWER_TIMEOUT_MS = 30_000;
/** How often overdue requests are looked for. */
const LOOK_INTERVAL_MS = 5_000;
/** Requests of one runner that wait for their answer; the ones beyond fail at once. */
export const KV_REQUESTS_MAX = 16_384;

const REQUEST_IDS = 2 ** 32;

/** An engine that is there did not answer: nobody knows whether it has done, or will do, what was asked of it. */
export class KvUnanswered extends Error {
	override readonly name = "KvUnanswered";
	constructor() {
		super(`The engine's store did not answer within ${KV_ANSWER_TIMEOUT_MS} ms`);
	}
}

interface Pending {
	readonly actorId: string;
	readonly message: RunnerToServer;
	readonly resolve: (answer: KvResponseData) => void;
	readonly reject: (error: Error) => void;
	/** When it was sent last; null while there is no socket. */
	sentTs: number | null;
}

/**
 * The requests of a runner to its actors' stores. A request that was not answered when the socket broke is
 * sent again on the next one, in its old place: all of them can be repeated, since the actor has one writer
 * and waits for each of its writes.
 */
export class KvRequests {
	readonly #clock: Clock;
	readonly #log: Logger;
	readonly #send: (message: RunnerToServer) => boolean;
	readonly #pending = new Map<number, Pending>();
	#nextId = 0;
	#timer: Timer | null = null;

	constructor(clock: Clock, log: Logger, send: (message: RunnerToServer) => boolean) {
		this.#clock = clock;
		this.#log = log;
		this.#send = send;
	}

	request(actorId: string, data: KvRequestData): Promise<KvResponseData> {
		if (this.#pending.size >= KV_REQUESTS_MAX) {
			return Promise.reject(
				catalogueError("actor.internal_error", {
					message: `${KV_REQUESTS_MAX} requests to the engine's store wait already (KV_REQUESTS_MAX)`,
				}),
			);
		}
		const requestId = this.#newId();
		const message: RunnerToServer = {
			tag: "ToServerKvRequest",
			val: { actorId, requestId, data },
		};
		return new Promise((resolve, reject) => {
			const sentTs = this.#send(message) ? this.#clock.now() : null;
			this.#pending.set(requestId, { actorId, message, resolve, reject, sentTs });
			this.#timer ??= this.#clock.after(LOOK_INTERVAL_MS, this.#look);
		});
	}

	answered(requestId: number, answer: KvResponseData): void {
		const pending = this.#pending.get(requestId);
		this.#pending.delete(requestId);
		pending?.resolve(answer);
	}

	/** A new socket is there, of the same runner. */
	resend(): void {
		for (const pending of this.#pending.values()) {
			pending.sentTs = this.#send(pending.message) ? this.#clock.now() : null;
		}
	}

	/** The socket is gone: nothing is overdue before the next one. */
	disconnected(): void {
		for (const pending of this.#pending.values()) pending.sentTs = null;
	}

	/** The incarnation is over: a request carries none, and sent again it would be one of the next. */
	fail(actorId: string, error: Error): void {
		for (const [id, pending] of [...this.#pending]) {
			if (pending.actorId !== actorId) continue;
			this.#pending.delete(id);
			pending.reject(error);
		}
	}

	/** The actors are not this runner's any more: nothing is sent again. */
	failAll(error: Error): void {
		const pending = [...this.#pending.values()];
		this.#pending.clear();
		for (const { reject } of pending) reject(error);
	}

	/** The runner is over. */
	close(error: Error): void {
		this.failAll(error);
		this.#timer?.stop();
		this.#timer = null;
	}

	#newId(): number {
		do this.#nextId = (this.#nextId + 1) % REQUEST_IDS;
		while (this.#pending.has(this.#nextId));
		return this.#nextId;
	}

	readonly #look = (): void => {
		this.#timer = null;
		const overdueTs = this.#clock.now() - KV_ANSWER_TIMEOUT_MS;
		const pendingCount = this.#pending.size;
		for (const [id, { sentTs, reject }] of [...this.#pending]) {
			if (sentTs === null || sentTs > overdueTs) continue;
			this.#pending.delete(id);
			reject(new KvUnanswered());
		}
		const count = pendingCount - this.#pending.size;
		if (count > 0) {
			this.#log.error(
				{ count, timeoutMs: KV_ANSWER_TIMEOUT_MS },
				"the engine's store did not answer in time; actors whose writes these were start anew",
			);
		}
		if (this.#pending.size > 0) this.#timer = this.#clock.after(LOOK_INTERVAL_MS, this.#look);
	};
}
