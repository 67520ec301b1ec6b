import { type Clock, catalogueError } from "@rivetkit/protocol";
import { Deferred } from "../placement/deferred.ts";
import { StartsElsewhere } from "../placement/elsewhere.ts";
import { isSamePool, type PoolAddress } from "./pool-address.ts";
import type { RunnerRecord, Slot } from "./runner-record.ts";

export interface WaitingActor extends PoolAddress {
	readonly actorId: string;
	readonly sinceTs: number;
}

/** How an actor waits if it has to. */
export interface Wait {
	/** Without end, rather than for {@link SlotQueueOptions.waitMs} (contract: engine 6.3). */
	readonly isPatient: boolean;
	/** Here, though other nodes may have room: they have not taken it. */
	readonly staysHere: boolean;
	/** Called when it has to wait. */
	readonly begins: () => void;
}

interface Waiting extends WaitingActor {
	readonly staysHere: boolean;
	readonly placed: Deferred<Slot>;
}

export interface SlotQueueOptions {
	readonly clock: Clock;
	/** How long an actor waits (ms). */
	readonly waitMs: number;
	/** A runner with a free slot. */
	readonly choose: (pool: PoolAddress) => RunnerRecord | undefined;
	/** Whether another node has a slot that is as good as any here. */
	readonly hasRoomElsewhere: (pool: PoolAddress) => boolean;
	/** Those that want a slot are others than before. */
	readonly changed: (pool: PoolAddress) => void;
	/** An actor has waited for too long. */
	readonly late: (actorId: string, pool: PoolAddress) => void;
}

/** Actors and the slots they get, those that wait longest first (contract: engine 6.3, 7.3). */
export class SlotQueue {
	readonly #options: SlotQueueOptions;
	/** In the order they came. */
	readonly #waiting = new Set<Waiting>();
	/** The same: whoever waits for an actor looks every few seconds, and thousands may wait. */
	readonly #byActor = new Map<string, Waiting>();
	/** Actors that are about to ask for a slot, and have none. */
	readonly #expected = new Map<string, PoolAddress>();
	#isClosed = false;

	constructor(options: SlotQueueOptions) {
		this.#options = options;
	}

	get size(): number {
		return this.#waiting.size;
	}

	/** Actors that want a slot, those that are expected included. */
	countOf(pool: PoolAddress): number {
		let count = 0;
		for (const waiting of this.#waiting) if (isSamePool(waiting, pool)) count++;
		for (const expected of this.#expected.values()) if (isSamePool(expected, pool)) count++;
		return count;
	}

	/** An actor without a slot is about to ask for one: until then, or {@link expectNoMore}, it counts as one that waits. */
	expect(actorId: string, pool: PoolAddress): void {
		if (!this.#byActor.has(actorId)) this.#expected.set(actorId, pool);
	}

	/** It will not ask. */
	expectNoMore(actorId: string): void {
		const pool = this.#expected.get(actorId);
		if (pool === undefined) return;
		this.#expected.delete(actorId);
		this.#options.changed(pool);
	}

	of(actorId: string): WaitingActor | undefined {
		return this.#byActor.get(actorId);
	}

	/**
	 * A slot on a runner of the pool, now or when there is one.
	 *
	 * @throws `guard.actor_ready_timeout`, `guard.service_unavailable`, {@link StartsElsewhere}, or what it was refused with
	 */
	async take(pool: PoolAddress, actorId: string, wait: Wait): Promise<Slot> {
		const { clock, waitMs, choose, hasRoomElsewhere, changed, late } = this.#options;
		const wasExpected = this.#expected.delete(actorId);
		const free = choose(pool);
		if (free) {
			const slot = free.take(actorId);
			changed(pool);
			return slot;
		}
		if (this.#isClosed) throw catalogueError("guard.service_unavailable");
		if (!wait.staysHere && hasRoomElsewhere(pool)) {
			if (wasExpected) changed(pool);
			throw new StartsElsewhere(actorId);
		}
		const waiting: Waiting = {
			...pool,
			actorId,
			staysHere: wait.staysHere,
			sinceTs: clock.now(),
			placed: new Deferred(),
		};
		this.#waiting.add(waiting);
		this.#byActor.set(actorId, waiting);
		changed(pool);
		wait.begins();
		try {
			if (wait.isPatient) return await waiting.placed.promise;
			return await waiting.placed.within(clock, waitMs, () => {
				late(actorId, pool);
				return catalogueError("guard.actor_ready_timeout", { actor_id: actorId });
			});
		} finally {
			this.#forget(waiting);
			changed(pool);
		}
	}

	/** Gives free slots to those who wait. */
	serve(): void {
		/** Pools that have none left: thousands may wait in one, and a slot gets free with each end of an actor. */
		const full: PoolAddress[] = [];
		for (const waiting of this.#waiting) {
			if (full.some((pool) => isSamePool(pool, waiting))) continue;
			const runner = this.#options.choose(waiting);
			if (!runner) {
				full.push(waiting);
				continue;
			}
			this.#forget(waiting);
			// Taken before the next one is looked for.
			waiting.placed.resolve(runner.take(waiting.actorId));
		}
	}

	/** Other nodes have so many slots: as many of those that wait go there, the oldest first. */
	leave(pool: PoolAddress, slots: number): void {
		const waiting = [...this.#waiting]
			.filter((one) => !one.staysHere && isSamePool(one, pool))
			.slice(0, slots);
		for (const one of waiting) this.#turnAway(one, new StartsElsewhere(one.actorId));
	}

	/** The actor waits no more. */
	refuse(actorId: string, reason: unknown): void {
		for (const waiting of [...this.#waiting]) {
			if (waiting.actorId === actorId) this.#turnAway(waiting, reason);
		}
	}

	/** Nobody waits any more. */
	refuseAll(): void {
		for (const waiting of [...this.#waiting]) {
			this.#turnAway(waiting, catalogueError("guard.service_unavailable"));
		}
	}

	#forget(waiting: Waiting): void {
		this.#waiting.delete(waiting);
		if (this.#byActor.get(waiting.actorId) === waiting) this.#byActor.delete(waiting.actorId);
	}

	/** It is not to be given a slot that gets free before it hears of it. */
	#turnAway(waiting: Waiting, reason: unknown): void {
		this.#forget(waiting);
		waiting.placed.reject(reason);
	}

	/** There will be no slots. */
	close(): void {
		this.#isClosed = true;
		this.refuseAll();
	}
}
