import type { StorageRange } from "@rivetkit/protocol";
import type { WorkflowDetails, WorkflowHistory } from "../../actor/workflow-control.types.ts";

/** Where the durable run of an actor without an incarnation is read from. */
export interface StoredRun {
	readonly actorId: string;
	/** What its head was stored as; null when nothing was recorded. */
	readonly head: Uint8Array | null;
	scan(range: StorageRange): Promise<[key: Uint8Array, value: Uint8Array][]>;
}

/** Values of users: as plain JSON, or as they are. */
export type ValueForm = "plain" | "exact";

export interface DetailsOptions {
	readonly form: ValueForm;
	/** The latest entries, and what is around them; the rest is left out. */
	readonly limit: number;
	/** Whether outputs, loop states and messages are wanted. */
	readonly withValues: boolean;
}

/**
 * A durable run as inspectors see it: with what is not committed yet and what runs now, when it is live.
 * Looking changes nothing, and waits for no commit.
 */
export interface DurableView {
	/** Unchanged means that nothing new is to be seen; null when that is not known. */
	readonly revision: string | null;
	/** Null when nothing is recorded (contract: workflows 11.2). */
	history(form: ValueForm): Promise<WorkflowHistory | null>;
	/** The same for the inspector's socket (workflows 11.3). */
	bytes(): Promise<Uint8Array | undefined>;
	/** Ours: entries as a tree, with what each of them waits for. Null when nothing is recorded. */
	details(options: DetailsOptions): Promise<WorkflowDetails | null>;
}

/** What `run` carries for inspectors when it is durable. */
export type StoredRunReader = (stored: StoredRun) => DurableView;
