import { decodeCbor, encodeCbor } from "@rivetkit/protocol";
import type { StoredError } from "./stored-error.ts";

export const HEAD_KEY: Uint8Array = Uint8Array.of(0x0e);

const FORMAT = 1;

export type WorkflowState =
	| "pending"
	| "running"
	| "sleeping"
	| "rolling_back"
	| "completed"
	| "failed"
	| "cancelled";

/** Why a workflow does not go on although it has not ended (workflows 9.3). */
export interface Blocked {
	readonly error: StoredError;
	readonly attempts: number;
	/** When it is tried again (ms since the epoch). */
	readonly retryAt: number;
}

/** What is known of a workflow without its entries. */
export interface Head {
	state: WorkflowState;
	/** Raised when the history is taken back on purpose. */
	epoch: number;
	startedAt: number;
	output?: Uint8Array;
	error?: StoredError;
	blocked?: Blocked;
	/** Set by `pause`, until `resume`. */
	isPaused?: boolean;
	/** A stop in order has come after the last start. */
	isClean: boolean;
	/** Where the process ended before, and how often (workflows 3.2.8). */
	crash?: { readonly path: string; readonly count: number };
	/** Depths at which there are entries. */
	depths: number[];
	/** Set while compensation runs before a cancellation. */
	cancelReason?: string;
	/** Entries (ids) whose rollback is left out. */
	skipRollback?: string[];
	/** Rollback: tries of the handler that failed, and when the next begins. */
	rollback?: { readonly attempts: number; readonly retryAt: number };
	/** Version of the code that has recorded it. */
	codeVersion?: number;
	/** Entries were taken back, and may have come again: their order is not that of the code. */
	isRewound?: boolean;
	/** Of a history that was taken over: the order of its latest entry. */
	sequenceBase?: number;
	/** While the actor sleeps, for inspectors: what it waits for. */
	waits?: readonly StoredWait[];
}

/** What a workflow waits for. */
export interface StoredWait {
	/** Of the entry. */
	readonly key: Uint8Array;
	/** Of a wait for messages: the queues; null for all. */
	readonly names?: readonly string[] | null;
	/** Milliseconds since the epoch. */
	readonly deadline?: number;
	/** Of an entry that may have no record: its order, and when it began. */
	readonly since?: readonly [sequence: number, ts: number];
}

export function newHead(nowMs: number): Head {
	return { state: "pending", epoch: 0, startedAt: nowMs, isClean: false, depths: [] };
}

export function encodeHead(head: Head): Uint8Array {
	return encodeCbor([FORMAT, head]);
}

/** Throws on a format that is not known: nothing is guessed (workflows 7.4). */
export function decodeHead(bytes: Uint8Array): Head {
	const [format, head] = decodeCbor(bytes) as [number, Head];
	if (format === FORMAT) return head;
	throw new Error(
		`The workflow's history has format ${format}; this version reads format ${FORMAT}. Run the version that wrote it, or a newer one.`,
	);
}
