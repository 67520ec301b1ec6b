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

export interface WorkflowCancelOptions {
	readonly reason?: string | undefined;
	/** Whether completed steps are undone first. Default false. */
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
	 * Ends it for good: signals fire, steps that run are given up, and messages in its hands go back to the
	 * queue. Resolves when that is durable; with `rollback`, when it has begun to be undone. Does nothing to
	 * one that has ended.
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
