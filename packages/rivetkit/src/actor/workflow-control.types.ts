import type { WorkflowHistory, WorkflowStatus } from "@rivetkit/protocol/inspector/answers";

export type {
	WorkflowBranchDetails,
	WorkflowDetails,
	WorkflowEntryDetails,
	WorkflowEntryStatus,
	WorkflowHistory,
	WorkflowHistoryEntry,
	WorkflowHistoryMetadata,
	WorkflowHistorySegment,
	WorkflowMessageDetails,
	WorkflowStateName,
	WorkflowStatus,
	WorkflowWait,
} from "@rivetkit/protocol/inspector/answers";

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

/**
 * `c.workflow`: the actor's workflow, seen from outside of it (workflows 5.6, 10.4, 11). Options that are no
 * object, are unknown or of another type are refused with a `TypeError`.
 */
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
	 * while code of it runs, `workflow.not_replayable` when it is cancelled, and `workflow.entry_not_found` when no
	 * step has this id.
	 */
	replay(options?: WorkflowReplayOptions): Promise<WorkflowHistory | null>;
	/** Its history as bytes, for `import` in another actor. */
	export(): Promise<Uint8Array>;
	/**
	 * Takes over the history of another actor's workflow, instead of its own, and goes on from there: what
	 * was recorded there answers here. State and queue are not part of it. Throws `actor.workflow_in_flight`
	 * while code of it runs, and `workflow.not_replayable` when it is cancelled.
	 */
	import(exported: Uint8Array): Promise<void>;
}
