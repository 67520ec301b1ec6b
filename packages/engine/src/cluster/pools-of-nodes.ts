import type { PoolName, PoolRoom, PoolState } from "../common/pool-state.ts";

/** Of a pool without a runner, and of a node that has told nothing. */
export const NOTHING: PoolRoom = { version: -1, free: 0 };

/** What other nodes have told of their pools; which of them count is for `Peers` to say (contract: engine 7.2, 9.1). */
export class PoolsOfNodes {
	readonly #byEpoch = new Map<number, Map<string, { version: number; free: number }>>();

	/** All that a node has now. */
	heard(epoch: number, states: readonly PoolState[]): void {
		const now = states.map(
			({ version, free, ...pool }) => [idOf(pool), { version, free }] as const,
		);
		this.#byEpoch.set(epoch, new Map(now));
	}

	forget(epoch: number): void {
		this.#byEpoch.delete(epoch);
	}

	at(epoch: number, pool: PoolName): PoolRoom {
		return this.#byEpoch.get(epoch)?.get(idOf(pool)) ?? NOTHING;
	}

	/** A node gets one actor more: until it tells again, it has one slot less. */
	given(epoch: number, pool: PoolName): void {
		const room = this.#byEpoch.get(epoch)?.get(idOf(pool));
		if (room !== undefined && room.free > 0) room.free--;
	}
}

function idOf({ namespace, pool }: PoolName): string {
	return JSON.stringify([namespace, pool]);
}
