import type { DurableHost } from "../../runtime/durable/durable-host.ts";
import type { Journal } from "../history/journal.ts";
import type { WorkflowErrorEvent } from "../options.types.ts";

/** What an execution needs of the engine around it. */
export interface ExecutionOwner {
	readonly host: DurableHost;
	readonly journal: Journal;
	/** Of the history. */
	readonly epoch: number;
	readonly startedAt: number;
	nextSequence(): number;
	/** Depths at which there are entries. */
	readonly depths: readonly number[];
	noteDepth(depth: number): void;
	/** A step is about to run; whether the process ended in it so often that this counts as a failure. */
	frontier(path: string): boolean;
	/** Whether it waits or works has changed. */
	activityChanged(isIdle: boolean): void;
	/** Which versions of the code recorded and run, if they differ. */
	readonly versionNote: string;
	report(event: WorkflowErrorEvent): void;
	readonly maxEntrySize: number;
	readonly maxLiveEntries: number;
	readonly maxRollbackIterations: number;
	/** The code has come past what is recorded: it begins something new, or waits. */
	progressed(): void;
	/** An entry is recorded, or changed. */
	noteRecord(): void;
	/** The store could not be read. */
	readFailed(error: unknown): void;
	/** Whether this step is not to be undone, by its id. */
	isLeftOut(entryId: string): boolean;
}
