/** Where a workflow stands. */
export type WorkflowStateName =
	| "pending"
	| "running"
	/** All of it waits: for a time, a message, its next try. */
	| "sleeping"
	| "rolling_back"
	| "completed"
	| "failed"
	| "cancelled";

/** What a workflow waits for. */
export interface WorkflowWait {
	/** Of the entry that waits, such as `parts/~3/wait`. */
	readonly path: string;
	/** Of a wait for messages: the queues; null for all. */
	readonly names?: readonly string[] | null;
	/** Milliseconds since the epoch. */
	readonly deadline?: number;
}

export interface WorkflowStatus {
	readonly state: WorkflowStateName;
	/** Whether its code does not fit its history, or is wrong: it waits for code that is right. */
	readonly blocked: boolean;
	readonly paused: boolean;
	/** Why it has failed, is rolled back or blocked. */
	readonly error?: {
		readonly name: string;
		readonly message: string;
		readonly stack?: string;
		readonly metadata?: unknown;
	};
	/** What it returned. */
	readonly output?: unknown;
	readonly waitingFor: readonly WorkflowWait[];
	/** When code that does not fit, or a rollback that fails, is tried again (ms since the epoch). */
	readonly retryAt?: number;
	/** How often its history was taken back on purpose. */
	readonly epoch: number;
}

/** One part of an entry's location. */
export type WorkflowHistorySegment =
	| { readonly tag: "WorkflowNameIndex"; readonly val: number }
	| {
			readonly tag: "WorkflowLoopIterationMarker";
			readonly val: { readonly loop: number; readonly iteration: number };
	  };

/** One entry; `kind.val` depends on the tag (workflows 11.2). */
export interface WorkflowHistoryEntry {
	readonly id: string;
	readonly location: readonly WorkflowHistorySegment[];
	readonly kind: { readonly tag: string; readonly val: Readonly<Record<string, unknown>> };
}

export interface WorkflowHistoryMetadata {
	readonly status: "PENDING" | "RUNNING" | "COMPLETED" | "FAILED" | "EXHAUSTED";
	readonly error: string | null;
	readonly attempts: number;
	/** Milliseconds since the epoch, like the other times; 0 for never. */
	readonly lastAttemptAt: number;
	readonly createdAt: number;
	readonly completedAt: number | null;
	readonly rollbackCompletedAt: number | null;
	readonly rollbackError: string | null;
}

/** A workflow's history as plain JSON (workflows 11.2). */
export interface WorkflowHistory {
	readonly nameRegistry: readonly string[];
	/** In the order they began. */
	readonly entries: readonly WorkflowHistoryEntry[];
	/** By the id of the entry. */
	readonly entryMetadata: Readonly<Record<string, WorkflowHistoryMetadata>>;
	readonly workflow: Omit<WorkflowStatus, "output" | "paused"> & {
		readonly paused: boolean;
		/** Entries in the history. */
		readonly liveEntries: number;
	};
}

/** Where an entry stands. */
export type WorkflowEntryStatus =
	/** It has begun, and nothing of it runs: the actor sleeps, or has ended in the middle of it. */
	| "pending"
	| "running"
	/** For a time or a message. */
	| "waiting"
	/** A step between two tries. */
	| "retrying"
	| "completed"
	| "failed"
	/** A step whose tries are used up. */
	| "exhausted"
	| "cancelled";

/** One branch of a join or race. */
export interface WorkflowBranchDetails {
	readonly name: string;
	readonly status: "running" | "completed" | "failed" | "cancelled";
	readonly error: string | null;
	readonly output?: unknown;
}

/** A message that a wait has received. */
export interface WorkflowMessageDetails {
	readonly id: number;
	readonly queue: string;
	readonly createdAt: number;
	/** Of completable ones. */
	readonly isCompleted?: boolean;
	readonly body?: unknown;
}

/** One entry of a workflow, as a dashboard draws it. Times in milliseconds since the epoch; null for not (yet). */
export interface WorkflowEntryDetails {
	/** The id it has in the history; that of a step is what a replay begins with. */
	readonly id: string;
	/** Of the loop, join, race or block around it; null at the root. */
	readonly parentId: string | null;
	/** Below a loop: which iteration. */
	readonly iteration?: number;
	/** Below a join or race: which branch. */
	readonly branch?: string;
	readonly name: string;
	/** Such as `parts/~3/wait`. */
	readonly path: string;
	readonly kind:
		| "step"
		| "loop"
		| "sleep"
		| "message"
		| "rollback_checkpoint"
		| "join"
		| "race"
		| "removed"
		| "version_check"
		| "try"
		| "send";
	readonly status: WorkflowEntryStatus;
	/** Of a step: tries so far, with the one that runs. */
	readonly attempts: number;
	readonly startedAt: number;
	readonly endedAt: number | null;
	readonly lastAttemptAt: number | null;
	/** When it goes on at the latest: the end of a sleep, the timeout of a wait, the next try of a step. */
	readonly deadline: number | null;
	readonly error: {
		readonly name: string;
		readonly message: string;
		readonly stack?: string;
		readonly metadata?: unknown;
	} | null;
	/** Whether the step has a handler that undoes it. */
	readonly isCompensable?: boolean;
	readonly rolledBackAt: number | null;
	readonly rollbackError: string | null;
	/** Of a step, loop, race or block that has ended. */
	readonly output?: unknown;
	/** Of a loop: where it is, and what with. */
	readonly currentIteration?: number;
	readonly state?: unknown;
	readonly branches?: readonly WorkflowBranchDetails[];
	/** Of a race. */
	readonly winner?: string | null;
	/** Of a wait: which queues, null for all. */
	readonly queues?: readonly string[] | null;
	readonly messages?: readonly WorkflowMessageDetails[];
	/** Of a check. */
	readonly version?: { readonly resolved: number; readonly latest: number };
	/** What kind of entry was removed. */
	readonly originalType?: string;
}

/** A workflow as a dashboard draws it. */
export interface WorkflowDetails extends WorkflowStatus {
	readonly startedAt: number;
	/** Why it was, or is being, cancelled. */
	readonly cancelReason?: string;
	/** Steps whose code runs now, by id. */
	readonly running: readonly {
		readonly entryId: string;
		readonly path: string;
		readonly attempt: number;
	}[];
	/** Entries in the history. */
	readonly liveEntries: number;
	/** In the order they began. */
	readonly entries: readonly WorkflowEntryDetails[];
	/** Whether earlier entries were left out. */
	readonly truncated: boolean;
}

export interface WorkflowCancelOptions {
	readonly reason?: string | undefined;
	/** Whether completed steps that have a `rollback` are undone first. Default true. */
	readonly rollback?: boolean | undefined;
}

export interface WorkflowRecoverOptions {
	/** Ids of steps whose rollback is left out, for a rollback that cannot succeed. */
	readonly skipRollback?: readonly string[] | undefined;
}

export interface WorkflowReplayOptions {
	/** Id of the step to begin with; everything when missing. */
	readonly entryId?: string | undefined;
}

/** `c.workflow`: the actor's workflow, seen from outside of it (workflows 5.6, 10.4, 11). */
export interface ActorWorkflow {
	status(): WorkflowStatus;
	/**
	 * Begins nothing new until {@link ActorWorkflow.resume}, also after a restart. Steps that run may end.
	 * Resolves when that is durable.
	 */
	pause(): Promise<void>;
	resume(): Promise<void>;
	/**
	 * Ends it for good: signals fire, steps that run are given up, messages in its hands go back to the
	 * queue, and completed steps are undone. Resolves when that is durable; when there may be something to
	 * undo, when that has begun (its state is `rolling_back` until it is `cancelled`). Does nothing to one
	 * that has ended, and leaves one alone that is being undone because it failed.
	 */
	cancel(options?: WorkflowCancelOptions): Promise<void>;
	/**
	 * Goes on with one that has failed or is blocked: steps that failed, and those that were undone, are done
	 * again. Throws `workflow.not_recoverable` in any other state.
	 */
	recover(options?: WorkflowRecoverOptions): Promise<void>;
	/** Looks at deadlines and at what blocks it now. Ends no sleep early. */
	wake(): void;
	/** Null when nothing is recorded. */
	history(): Promise<WorkflowHistory | null>;
	/**
	 * Takes back a step and everything that began after it, and goes on from there; in a loop, its innermost
	 * loop begins anew. What was changed outside of the history stays. Throws `actor.workflow_in_flight`
	 * while code of it runs, and `workflow.entry_not_found` when no step has this id.
	 */
	replay(options?: WorkflowReplayOptions): Promise<WorkflowHistory | null>;
	/** Its history as bytes, for `import` in another actor. */
	export(): Promise<Uint8Array>;
	/**
	 * Takes over the history of another actor's workflow, instead of its own, and goes on from there: what
	 * was recorded there answers here. State and queue are not part of it. Throws `actor.workflow_in_flight`
	 * while code of it runs.
	 */
	import(exported: Uint8Array): Promise<void>;
}
