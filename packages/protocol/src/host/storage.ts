/** Shapes of an actor's stored data that cross the backend and the store boundary unchanged. */

/** One write. Operations of a batch apply in order. `end` is exclusive; `null` means "to the end". */
export type StorageOp =
	| { readonly op: "put"; readonly key: Uint8Array; readonly value: Uint8Array }
	| { readonly op: "delete"; readonly key: Uint8Array }
	| { readonly op: "deleteRange"; readonly start: Uint8Array; readonly end: Uint8Array | null };

/**
 * First byte of the first key of what is written aside and hardly read, like spans. A store may keep these keys apart,
 * so that the others of many actors stay close together; the order of all keys is the same.
 */
export const COLD_KEYS_START = 0x15;

/**
 * What one actor wrote since its last commit. It lands whole or not at all, and is refused when the
 * generation it was written under is no longer the newest.
 */
export interface StorageBatch {
	readonly ops: readonly StorageOp[];
	/** The actor's one alarm (ms since the epoch); `null` clears it, absent leaves it alone. */
	readonly alarmTs?: number | null;
	/** Changes to the actor's record. Absent fields stay. */
	readonly record?: {
		/** Set when `onCreate` is done: from then on the actor exists for good. */
		readonly initialised?: true;
		readonly startTs?: number;
		readonly connectableTs?: number | null;
		readonly sleepTs?: number | null;
		/** Whether the actor stores connections: their clients may be gone after a loss of the process. */
		readonly connected?: boolean;
	};
	/** Tombstone: the actor and all its data are gone in this commit, and its key is free. */
	readonly destroyTs?: number;
}

/** An ordered read of keys `start <= key < end`, in ascending byte order unless `reverse`. */
export interface StorageRange {
	readonly start: Uint8Array;
	/** Exclusive; `null` reads to the end. */
	readonly end: Uint8Array | null;
	readonly limit?: number;
	readonly reverse?: boolean;
}
