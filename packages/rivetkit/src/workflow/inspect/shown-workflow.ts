import type { WorkflowStatus, WorkflowWait } from "../../actor/workflow-control.types.ts";
import type { Entry } from "../history/entry.ts";
import type { Head } from "../history/head.ts";
import { ALL_ENTRIES } from "../history/location.ts";
import { locate, type StoredEntryAt } from "../history/rewind.ts";
import { publicError } from "../history/stored-error.ts";
import { readValue } from "../operations/value.ts";

/** What a workflow shows of itself, whether it is live or stored. */
export interface ShownWorkflow {
	readonly actorId: string;
	/** Null when nothing was recorded. */
	readonly head: Head | null;
	/** See `DurableView`. */
	readonly revision: string | null;
	/** Whether code of it may run now. */
	readonly isAtWork: boolean;
	readonly waitingFor: readonly WorkflowWait[];
	/** Steps whose code runs now, with the number of the try. */
	readonly running: ReadonlyMap<Entry, number>;
	/** All entries, with what is not committed, and what runs without a record. */
	entries(): Promise<StoredEntryAt[]>;
}

export function statusOf(
	head: Head,
	shown: Pick<ShownWorkflow, "isAtWork" | "waitingFor">,
): WorkflowStatus {
	const error = head.blocked?.error ?? head.error;
	const retryAt = head.blocked?.retryAt ?? head.rollback?.retryAt;
	return {
		state: head.state === "running" && !shown.isAtWork ? "sleeping" : head.state,
		blocked: head.blocked !== undefined,
		paused: head.isPaused === true,
		...(error === undefined ? undefined : { error: publicError(error) }),
		...(head.output === undefined ? undefined : { output: readValue(head.output) }),
		waitingFor: hasEnded(head) ? [] : shown.waitingFor,
		...(retryAt === undefined ? undefined : { retryAt }),
		epoch: head.epoch,
		...(head.cancelReason ? { cancelReason: head.cancelReason } : undefined),
	};
}

export function hasEnded({ state }: Head): boolean {
	return state === "completed" || state === "failed" || state === "cancelled";
}

/** Scans all entries. */
export async function scanEntries(source: {
	scan(range: typeof ALL_ENTRIES): Promise<[key: Uint8Array, value: Uint8Array][]>;
}): Promise<StoredEntryAt[]> {
	return locate(await source.scan(ALL_ENTRIES));
}
