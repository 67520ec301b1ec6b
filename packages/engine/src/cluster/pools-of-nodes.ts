import type { PoolName, PoolRoom, PoolState, PoolsElsewhere } from "../common/pool-state.ts";

const NOTHING: PoolRoom = { version: -1, free: 0 };

/** What other nodes have told of their pools, so that an actor starts where it is best (contract: engine 7.2, 9.1). */
export class PoolsOfNodes implements PoolsElsewhere {
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

	/** Undefined of a node that has told nothing. */
	at(epoch: number, pool: PoolName): PoolRoom | undefined {
		const node = this.#byEpoch.get(epoch);
		return node && (node.get(idOf(pool)) ?? NOTHING);
	}

	/** A node gets one actor more: until it tells again, it has one slot less. */
	given(epoch: number, pool: PoolName): void {
		const room = this.#byEpoch.get(epoch)?.get(idOf(pool));
		if (room !== undefined && room.free > 0) room.free--;
	}

	newestVersion(pool: PoolName): number {
		return Math.max(-1, ...this.#rooms(pool).map(({ version }) => version));
	}

	hasRoom(pool: PoolName, version: number): boolean {
		return this.#rooms(pool).some((room) => room.version >= version && room.free > 0);
	}

	#rooms(pool: PoolName): PoolRoom[] {
		const id = idOf(pool);
		return [...this.#byEpoch.values()].flatMap((node) => node.get(id) ?? []);
	}
}

function idOf({ namespace, pool }: PoolName): string {
	return JSON.stringify([namespace, pool]);
}
