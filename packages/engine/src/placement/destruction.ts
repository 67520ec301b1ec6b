import { type Clock, catalogueError } from "@rivetkit/protocol";
import type { EngineLogger } from "../common/logger.ts";
import { StaleGenerationError, type Store } from "../store/store.ts";
import type { HostSlot } from "./host-slot.ts";
import { type Incarnation, newPlaced } from "./incarnation.ts";
import type { Incarnations } from "./incarnations.ts";
import type { StartBackoff } from "./start-backoff.ts";

export interface DestructionOptions {
	readonly store: Store;
	readonly clock: Clock;
	readonly logger: EngineLogger;
	readonly incarnations: Incarnations;
	readonly backoff: StartBackoff;
	readonly hostSlot: HostSlot;
	/** Whether nothing is started any more. */
	readonly isClosed: () => boolean;
	readonly ready: (actorId: string, deadlineTs: number) => Promise<Incarnation>;
	readonly stop: (actorId: string) => Promise<void>;
}

/** How an actor is removed for good: by its incarnation, with its hooks, or without one. */
export class Destruction {
	readonly #options: DestructionOptions;

	constructor(options: DestructionOptions) {
		this.#options = options;
	}

	/** See `Placement.destroy`. */
	async destroy(actorId: string, deadlineTs: number): Promise<void> {
		const { store, clock, logger, incarnations, hostSlot, isClosed, ready, stop } = this.#options;
		for (let found = false; ; found = true) {
			const record = await store.actorById(actorId);
			if (record === undefined) {
				if (found) {
					// Destroyed, and its tombstone is gone already.
					return;
				}
				throw catalogueError("actor.not_found", { identifier: actorId });
			}
			if (record.destroyTs !== null) {
				return;
			}
			if (clock.now() >= deadlineTs) {
				throw catalogueError("guard.actor_ready_timeout", { actor_id: actorId });
			}
			try {
				const incarnation = await ready(actorId, deadlineTs);
				if (!incarnations.has(actorId)) {
					await incarnation.host.stop(actorId, "destroy");
					continue;
				}
			} catch (error) {
				if (isClosed() || hostSlot.attached === undefined) {
					throw error;
				}
				logger.warn(
					{ actorId, name: record.name, key: record.key, err: error },
					"actor is destroyed without its hooks, because it cannot be started",
				);
				await this.bury(actorId);
				continue;
			}
			await stop(actorId);
		}
	}

	/** See `Placement.bury`. */
	async bury(actorId: string): Promise<void> {
		const { store, clock, incarnations, backoff, hostSlot } = this.#options;
		const { attached } = hostSlot;
		if (incarnations.has(actorId) || attached === undefined) {
			return;
		}
		const placed = newPlaced(actorId, attached.host, { phase: "stopping", intent: "destroy" });
		incarnations.add(placed);
		try {
			const { generation } = await store.acquire(actorId);
			placed.generation = generation;
			await store.commit({ actorId, generation, ops: [], destroyTs: clock.now() });
			backoff.clear(actorId);
		} catch (error) {
			if (!(error instanceof StaleGenerationError)) {
				throw error;
			}
		} finally {
			incarnations.tell(placed, "stopped");
		}
	}
}
