import type { PoolName } from "../common/pool-state.ts";

interface Count extends PoolName {
	count: number;
}

/** How many starts wait for room, by pool: one without any is not to keep others from starting. */
export class WaitingCounts {
	readonly #byPool = new Map<string, Count>();

	add(pool: PoolName | undefined): void {
		if (pool === undefined) {
			return;
		}
		const known = this.#byPool.get(idOf(pool));
		if (known === undefined) {
			this.#byPool.set(idOf(pool), { ...pool, count: 1 });
		} else {
			known.count++;
		}
	}

	remove(pool: PoolName | undefined): void {
		const known = pool && this.#byPool.get(idOf(pool));
		if (known !== undefined && --known.count === 0) {
			this.#byPool.delete(idOf(known));
		}
	}

	in(pool: PoolName): number {
		return this.#byPool.get(idOf(pool))?.count ?? 0;
	}

	/** Pools in which so many wait, or more. */
	crowded(count: number): PoolName[] {
		return [...this.#byPool.values()].filter((pool) => pool.count >= count);
	}
}

function idOf({ namespace, pool }: PoolName): string {
	return JSON.stringify([namespace, pool]);
}
