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
	/**
	 * `c.atomic` begins: from now on, note how to take back what is written while `scope.isRunning`. At most
	 * one savepoint of a part exists at a time, and no batch is taken while it does; a `rollBack` may come.
	 * {@link UndoLog} does it for parts whose single writes are easy to take back.
	 */
	savepoint(scope: AtomicScope): Savepoint;
}

/** The work of one `c.atomic`. */
export interface AtomicScope {
	/** Whether the code that is running now belongs to it, also after its waits. */
	readonly isRunning: boolean;
}

/** How it ends; one of the two is called once. */
export interface Savepoint {
	/** Takes back what the scope wrote. What others wrote meanwhile stays, over what the scope wrote too. */
	rewind(): void;
	/** Keeps it. */
	release(): void;
}

/** Of a part that nothing in a scope writes to. */
export const NO_SAVEPOINT: Savepoint = { rewind() {}, release() {} };

/** Of a part that is made of parts; rewound last to first. */
export function joinSavepoints(savepoints: readonly Savepoint[]): Savepoint {
	return {
		rewind() {
			for (const savepoint of savepoints.toReversed()) savepoint.rewind();
		},
		release() {
			for (const savepoint of savepoints) savepoint.release();
		},
	};
}
