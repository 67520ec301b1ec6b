import type { Clock } from "@rivetkit/protocol";
import type { EngineLimits } from "../common/limits.ts";
import type { PoolName } from "../common/pool-state.ts";
import type { Placement } from "./placement.ts";

/** Pause before those are tried again that found their pool crowded (ms): whenever there is room, those that wait get it. */
export const CROWDED_RETRY_MS = 10_000;

export interface BackgroundWakesOptions {
	readonly placement: Pick<Placement, "wake" | "waiting">;
	readonly clock: Clock;
	readonly limits: EngineLimits;
	/** Told of each that could not be woken. */
	readonly failed: (actorId: string, error: unknown) => void;
}

/** What became of one that was to begin: too many wait for room in its pool, or nothing is begun any more. */
export type Begun = "begun" | "crowded" | "closed";

/**
 * Has many actors run that nobody calls: `wakesAtOnceMax` at a time, and none of a pool while `wakesWaitingMax` starts wait for
 * room in it already, here or on the node that has got the last of them. One that waits for room is not waited for here.
 */
export class BackgroundWakes {
	readonly #options: BackgroundWakesOptions;
	readonly #pending = new Set<Promise<void>>();
	/** Pools that another node has no room in either, by a text of their own, and until when that counts (ms since the epoch). */
	readonly #crowdedElsewhere = new Map<string, number>();
	#isClosed = false;

	constructor(options: BackgroundWakesOptions) {
		this.#options = options;
	}

	/** Resolves when there is a place for this one, and it is begun, or its pool has no room: it is to be tried again later. */
	async begin(actorId: string, pool: PoolName): Promise<Begun> {
		const { placement, clock, limits, failed } = this.#options;
		while (!this.#isClosed && this.#pending.size >= limits.wakesAtOnceMax) {
			await Promise.race(this.#pending);
		}
		if (this.#isClosed) {
			return "closed";
		}
		const id = JSON.stringify([pool.namespace, pool.pool]);
		const isCrowdedElsewhere = (this.#crowdedElsewhere.get(id) ?? 0) > clock.now();
		if (isCrowdedElsewhere || placement.waiting.in(pool) >= limits.wakesWaitingMax) {
			return "crowded";
		}
		this.#crowdedElsewhere.delete(id);
		const pending: Promise<void> = placement
			.wake(actorId, clock.now() + limits.routeTimeoutMs)
			.then((woken) => {
				if (woken === "crowded") {
					this.#crowdedElsewhere.set(id, clock.now() + CROWDED_RETRY_MS);
				}
			})
			.catch((error: unknown) => failed(actorId, error))
			.finally(() => this.#pending.delete(pending));
		this.#pending.add(pending);
		return "begun";
	}

	/** Resolves when those that were begun run, wait for room, or have failed. */
	async settled(): Promise<void> {
		await Promise.all(this.#pending);
	}

	/** Begins nothing any more. */
	close(): void {
		this.#isClosed = true;
	}
}
