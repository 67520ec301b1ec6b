import { type Clock, catalogueError } from "@rivetkit/protocol";
import type { EngineLogger } from "../common/logger.ts";
import type { PostgresStore } from "../store/postgres/postgres-store.ts";
import { type ActorRecord, StaleGenerationError } from "../store/store.ts";

export interface AcquisitionsOptions {
	readonly store: PostgresStore;
	readonly clock: Clock;
	readonly logger: EngineLogger;
	/** Whether an incarnation of the actor exists here, or begins. */
	readonly isUsed: (actorId: string) => boolean;
	/** Whether the lease under which it was acquired is the one that this node holds. */
	readonly isHeld: (acquired: ActorRecord) => boolean;
}

interface Acquiring {
	readonly record: Promise<ActorRecord | undefined>;
	/** Those that ask, and whose deadline is not over. */
	waiting: number;
}

/** How this node becomes the owner of actors: one attempt for all that ask at the same time, within their deadlines. */
export class Acquisitions {
	readonly #options: AcquisitionsOptions;
	readonly #acquiring = new Map<string, Acquiring>();

	constructor(options: AcquisitionsOptions) {
		this.#options = options;
	}

	/**
	 * Undefined when somebody else has it, or may have it because this node has lost its lease meanwhile. Rejects with
	 * `guard.actor_ready_timeout` after the deadline; what comes when that of all who ask is over is given back, unless somebody
	 * has begun to use it.
	 */
	async acquireBy(deadlineTs: number, actorId: string): Promise<ActorRecord | undefined> {
		const acquiring = this.#acquire(actorId);
		acquiring.waiting++;
		try {
			return await answeredBy(this.#options.clock, deadlineTs, acquiring.record, actorId);
		} catch (error) {
			if (--acquiring.waiting === 0) {
				void this.#giveBackLate(acquiring, actorId);
			}
			throw error;
		}
	}

	async #giveBackLate(acquiring: Acquiring, actorId: string): Promise<void> {
		const { store, logger, isUsed } = this.#options;
		// Whoever waits for it is told.
		const late = await acquiring.record.catch(() => undefined);
		if (late === undefined || acquiring.waiting > 0 || isUsed(actorId)) {
			return;
		}
		try {
			await store.release(actorId, late.generation);
		} catch (error) {
			logger.warn(
				{ actorId, generation: late.generation, err: error },
				"an actor that was acquired too late could not be given back; other nodes take it when this node's lease ends",
			);
		}
	}

	#acquire(actorId: string): Acquiring {
		let acquiring = this.#acquiring.get(actorId);
		if (acquiring === undefined) {
			const record = this.#acquireOnce(actorId).finally(() => this.#acquiring.delete(actorId));
			acquiring = { record, waiting: 0 };
			this.#acquiring.set(actorId, acquiring);
		}
		return acquiring;
	}

	async #acquireOnce(actorId: string): Promise<ActorRecord | undefined> {
		try {
			const { store, isHeld } = this.#options;
			const acquired = await store.acquire(actorId);
			return isHeld(acquired) ? acquired : undefined;
		} catch (error) {
			if (error instanceof StaleGenerationError) {
				return undefined;
			}
			throw error;
		}
	}
}

/** What PostgreSQL does not answer while it is away: then rejects with `guard.actor_ready_timeout`. */
export function answeredBy<T>(
	clock: Clock,
	deadlineTs: number,
	promise: Promise<T>,
	actorId: string,
): Promise<T> {
	return new Promise<T>((resolve, reject) => {
		const timer = clock.after(deadlineTs - clock.now(), () =>
			reject(catalogueError("guard.actor_ready_timeout", { actor_id: actorId })),
		);
		promise.then(resolve, reject).finally(() => timer.stop());
	});
}
