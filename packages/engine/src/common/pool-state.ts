/** One pool of one namespace. */
export interface PoolName {
	readonly namespace: string;
	readonly pool: string;
}

/** What a node has for the next actor of a pool (contract: engine 7.2). */
export interface PoolRoom {
	/** The newest version of its runners that are connected; -1 without any. */
	readonly version: number;
	/** Free slots on those. */
	readonly free: number;
}

/** What a node tells the others of one of its pools. */
export interface PoolState extends PoolName, PoolRoom {}

/** What one node knows of the pools of the others. */
export interface PoolsElsewhere {
	/** The newest version that any of them has; -1 for none. */
	newestVersion(pool: PoolName): number;
	/** Whether one of them has room on a version that is at least this one. */
	hasRoom(pool: PoolName, version: number): boolean;
}
