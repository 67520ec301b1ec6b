/** How long the records of destroyed actors stay readable. Whichever bound is reached first counts. */
export interface TombstoneLimits {
	/** Milliseconds after the destruction. Default 7 days. */
	readonly maxAgeMs: number;
	/** Tombstones kept at most; the oldest go first. In PostgreSQL up to 1 % more, for each process. Default 100,000. */
	readonly maxCount: number;
}

export const TOMBSTONE_LIMITS: TombstoneLimits = {
	maxAgeMs: 7 * 24 * 60 * 60 * 1000,
	maxCount: 100_000,
};
