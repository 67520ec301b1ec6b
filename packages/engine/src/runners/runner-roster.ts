import type { Clock } from "@rivetkit/protocol";
import type { PoolRoom, PoolState, PoolsElsewhere } from "../common/pool-state.ts";
import { isSamePool, type PoolAddress } from "./pool-address.ts";
import type { RunnerLimits } from "./runner-limits.ts";
import type { RunnerRecord } from "./runner-record.ts";

/** Runners that are gone and are listed still; the oldest is forgotten first. */
const GONE_RUNNERS_MAX = 1_000;

export interface RunnerRosterOptions {
	readonly clock: Clock;
	readonly limits: RunnerLimits;
	/** A pool has got its first runner, or lost its last one. */
	readonly poolsChanged: () => void;
	/** Undefined where there are no other nodes. */
	readonly elsewhere: PoolsElsewhere | undefined;
}

/** Which runners there are, and which of them gets the next actor. */
export class RunnerRoster {
	readonly #options: RunnerRosterOptions;
	readonly #runners = new Map<string, RunnerRecord>();
	readonly #gone: RunnerRecord[] = [];
	#pools: readonly PoolAddress[] = [];

	constructor(options: RunnerRosterOptions) {
		this.#options = options;
	}

	/** As they are now: runners may come and go meanwhile. */
	get all(): RunnerRecord[] {
		return [...this.#runners.values()];
	}

	get(runnerId: string): RunnerRecord | undefined {
		return this.#runners.get(runnerId);
	}

	in(pool: PoolAddress): RunnerRecord[] {
		return this.all.filter((runner) => isSamePool(runner, pool));
	}

	/** Whether a start of the actor has a slot on a runner that is there. */
	hasSlotOf(actorId: string): boolean {
		for (const { actors } of this.#runners.values()) if (actors.has(actorId)) return true;
		return false;
	}

	/** Runners of a namespace, those that are gone included, as far as they are remembered. */
	list(namespace: string): RunnerRecord[] {
		return [...this.#gone, ...this.#runners.values()].filter(
			(runner) => runner.namespace === namespace,
		);
	}

	/** The one with this key that takes actors. */
	withKey(pool: PoolAddress, key: string): RunnerRecord | undefined {
		return this.in(pool).find((runner) => runner.key === key && runner.drainTs === null);
	}

	add(runner: RunnerRecord): void {
		this.#runners.set(runner.runnerId, runner);
		this.#countPools();
	}

	drains(runner: RunnerRecord): void {
		runner.drainTs = this.#options.clock.now();
		this.#countPools();
	}

	/** False when it was not there any more. */
	remove(runner: RunnerRecord): boolean {
		if (!this.#runners.delete(runner.runnerId)) return false;
		runner.stopTs = this.#options.clock.now();
		this.#countPools();
		this.#gone.push(runner);
		if (this.#gone.length > GONE_RUNNERS_MAX) this.#gone.shift();
		return true;
	}

	/** Pools with runners that take actors, though perhaps not now. */
	get pools(): readonly PoolAddress[] {
		return this.#pools;
	}

	/** Whether a runner of the pool is connected that takes actors. */
	has(pool: PoolAddress): boolean {
		return this.in(pool).some(({ drainTs, socket }) => drainTs === null && socket !== null);
	}

	/** The emptiest of the newest version with a live runner, on any node; a full one keeps older ones idle (Q19). */
	choose(pool: PoolAddress): RunnerRecord | undefined {
		const newest = this.#newestIn(pool);
		const isOlder = newest.some(
			({ version }) => version < (this.#options.elsewhere?.newestVersion(pool) ?? -1),
		);
		if (isOlder) return undefined;
		const [best] = newest
			.filter(({ freeSlots }) => freeSlots > 0)
			.sort((a, b) => b.freeSlots / b.totalSlots - a.freeSlots / a.totalSlots);
		return best;
	}

	/** What there is for the next actor of a pool, on this node; undefined without a runner that is connected. */
	roomIn(pool: PoolAddress): PoolRoom | undefined {
		const newest = this.#newestIn(pool);
		const [one] = newest;
		if (one === undefined) return undefined;
		const free = newest.reduce((sum, { freeSlots }) => sum + freeSlots, 0);
		return { version: one.version, free };
	}

	/** The same of all pools with a runner that is connected. */
	get rooms(): PoolState[] {
		return this.#pools.flatMap((pool) => {
			const room = this.roomIn(pool);
			return room ? [{ ...pool, ...room }] : [];
		});
	}

	/** Live runners of the newest version. */
	#newestIn(pool: PoolAddress): RunnerRecord[] {
		const { clock, limits } = this.#options;
		const sinceTs = clock.now() - limits.runnerEligibleThresholdMs;
		const live = this.in(pool).filter(
			({ socket, drainTs, lastPongTs }) =>
				socket !== null && drainTs === null && lastPongTs >= sinceTs,
		);
		const newest = Math.max(...live.map(({ version }) => version));
		return live.filter(({ version }) => version === newest);
	}

	#countPools(): void {
		const before = this.#pools;
		const pools: PoolAddress[] = [];
		for (const runner of this.#runners.values()) {
			if (runner.drainTs === null && !pools.some((pool) => isSamePool(runner, pool))) {
				pools.push({ namespace: runner.namespace, pool: runner.pool });
			}
		}
		this.#pools = pools;
		const isKnown = (pool: PoolAddress) => before.some((one) => isSamePool(one, pool));
		if (pools.length !== before.length || !pools.every(isKnown)) this.#options.poolsChanged();
	}
}
