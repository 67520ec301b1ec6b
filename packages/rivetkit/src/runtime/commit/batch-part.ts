import type { StorageBatch, StorageOp } from "@rivetkit/protocol";

/** A batch while the parts of an actor add to it. Operations apply in the order they are added. */
export interface OpenBatch {
	readonly ops: StorageOp[];
	/** The actor's one alarm (ms since the epoch); `null` clears it, absent leaves it alone. */
	alarmTs?: number | null;
	record?: NonNullable<StorageBatch["record"]>;
}

/**
 * One kind of an actor's data (state, answered calls, schedules, …) on its way into the commits. Whoever
 * writes marks the committer dirty; the batch is then cut, and every part adds what it has.
 *
 * After `take` comes `committed` or `rollBack`, or neither when no part had anything to add. Either may
 * also come without a `take` before it.
 */
export interface BatchPart {
	/** Adds what was written since the last call. Throws when it cannot be encoded: all is rolled back. */
	take(batch: OpenBatch): void;
	/** What was taken last is durable. */
	committed(): void;
	/** Neither what was taken last nor what was written since will land: go back to what is committed. */
	rollBack(): void;
}
