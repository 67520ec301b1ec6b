import { decodeCbor, encodeCbor } from "@rivetkit/protocol";
import type { GivenUp } from "../../runtime/queue/message.ts";
import type { StoredError } from "./stored-error.ts";

/** Kinds of entries; the first nine are those of the contract (workflows 7.1), in its order. */
export const KINDS = [
	"step",
	"loop",
	"sleep",
	"message",
	"rollback_checkpoint",
	"join",
	"race",
	"removed",
	"version_check",
	"try",
	"send",
	"outcome",
	"start",
] as const;
export type Kind = (typeof KINDS)[number];

export const STATUSES = [
	"pending",
	"running",
	"completed",
	"failed",
	"exhausted",
	"cancelled",
] as const;
export type Status = (typeof STATUSES)[number];

/** Why a step failed for good. */
export type FailKind = "critical" | "timeout" | "exhausted" | "rollback";

/** A message in the record of a wait. */
export interface StoredMessage {
	readonly id: number;
	readonly name: string;
	/** CBOR. */
	readonly body: Uint8Array;
	readonly createdAt: number;
	readonly attempt: number;
	/** Of completable ones. */
	isCompleted: boolean;
	/** It is in the queue again: because its branch was given up (plain ones), or because its scope failed (completable ones). */
	isReturned?: true;
	// How it was in the queue, where that is not as with most.
	/** Absent for 0. */
	readonly priority?: number;
	/** Milliseconds since the epoch; absent for never. */
	readonly expiresAt?: number;
	/** Of a dead letter. */
	readonly givenUp?: GivenUp;
}

/** What entries of each kind keep besides what all keep. Values of users are CBOR in bytes. */
export interface KindData {
	// `readyTs`: when what it has come to was ready (ms since the epoch); absent for when it ended.
	// `isStepless`: in a branch, that no step was done in it; of a loop, in none of the iterations that are over.
	// `thrownTo`: of a failure, the depth of the outermost scope whose code has failed with it; 0 for the workflow.
	// `unused`: in a branch, keys of the waits in it whose messages go back if what is around it is given up.
	step: {
		output?: Uint8Array;
		/** When the next try begins (ms since the epoch). */
		retryAt?: number;
		failKind?: FailKind;
		/** Whether it has a rollback handler. */
		isCompensable?: boolean;
		/** Messages it sent that it would send once more: those without a dedupe key. */
		sent?: readonly number[];
		thrownTo?: number;
	};
	loop: {
		iteration: number;
		state?: Uint8Array;
		output?: Uint8Array;
		readyTs?: number;
		/** Iterations below this one are deleted, but for those that are kept. */
		prunedTo: number;
		/** Of a history of 2.1.3: iterations from here on have no records. */
		recordedTo?: number;
		/** Iterations with steps that may have to be rolled back from outside of the loop. */
		kept?: number[];
		isStepless?: true;
		/** In a branch: from this iteration on there are messages that it gives back when it is given up. */
		unusedFrom?: number;
	};
	sleep: { deadline: number };
	message: {
		names: string[] | null;
		count: number;
		/** Null in a history of 2.1.3: as the code says. */
		isCompletable: boolean | null;
		isBatch: boolean;
		deadline?: number;
		messages?: StoredMessage[];
		hasTimedOut?: boolean;
		thrownTo?: number;
	};
	rollback_checkpoint: Record<never, never>;
	join: {
		branches: string[];
		/** When it has ended: outputs and errors by branch. */
		outputs?: Record<string, Uint8Array | undefined>;
		/** Branches whose entries are kept for a rollback. */
		kept?: string[];
		readyTs?: number;
		isStepless?: true;
		unused?: Uint8Array[];
		thrownTo?: number;
	};
	race: {
		branches: string[];
		winner?: string;
		output?: Uint8Array;
		kept?: string[];
		readyTs?: number;
		isStepless?: true;
		unused?: Uint8Array[];
		thrownTo?: number;
	};
	removed: { originalType: string };
	version_check: { resolved: number; latest: number };
	try: {
		output?: Uint8Array;
		compensable?: number;
		readyTs?: number;
		isStepless?: true;
		unused?: Uint8Array[];
	};
	/** `isOnce`: with a dedupe key, so that sending it again does nothing. */
	send: { id: number; queue: string; isOnce?: true };
	outcome: {
		output?: Uint8Array;
		/** Steps in the branch that may have to be undone. */
		compensable?: number;
		readyTs?: number;
		isStepless?: true;
		unused?: Uint8Array[];
	};
	start: { state?: Uint8Array };
}

interface AnyData {
	/** The code need not come to it any more: it did so to throw a failure on that is done again. */
	isOptional?: true;
}

export const NOT_STAGED = -1;
/** What an entry without values comes to, about. */
const ENTRY_BYTES = 64;

/** One durable operation in history. Changed in place; each change is staged. */
export class Entry<K extends Kind = Kind> {
	readonly kind: K;
	status: Status = "running";
	readonly epoch: number;
	/** Order in which entries began. */
	readonly createdSequence: number;
	/** Milliseconds since the epoch, as all times here. */
	readonly createdAt: number;
	/** Order in which entries ended; 0 for not yet. */
	completedSequence = 0;
	completedAt = 0;
	attempts = 0;
	lastAttemptAt = 0;
	error: StoredError | null = null;
	rollbackCompletedAt = 0;
	rollbackError: StoredError | null = null;
	data: KindData[K] & AnyData;
	/** How much the next batch will have of it, as it is then (bytes); negative for nothing. */
	stagedBytes: number = NOT_STAGED;
	/** Deleted, or about to be: not to be written any more. */
	isGone = false;
	/** Whether the store has more of it than one value, or may soon. */
	isChunked = false;

	constructor(kind: K, sequence: number, nowMs: number, epoch: number, data: KindData[K]) {
		this.kind = kind;
		this.createdSequence = sequence;
		this.createdAt = nowMs;
		this.epoch = epoch;
		this.data = data;
	}

	get isFinished(): boolean {
		switch (this.status) {
			case "completed":
			case "failed":
			case "exhausted":
			case "cancelled":
				return true;
			default:
				return false;
		}
	}

	get isStaged(): boolean {
		return this.stagedBytes >= 0;
	}

	/** About as many bytes as it is stored as: values of users, and what all have. */
	get size(): number {
		const { error } = this;
		const ofError = error === null ? 0 : error.message.length + (error.stack?.length ?? 0);
		return ENTRY_BYTES + ofError + valueBytes(this) + unusedBytes(this);
	}

	is<Wanted extends Kind>(kind: Wanted): this is Entry<Wanted> {
		return (this.kind as Kind) === kind;
	}

	encode(): Uint8Array {
		return encodeCbor([
			KINDS.indexOf(this.kind),
			STATUSES.indexOf(this.status),
			this.epoch,
			this.createdSequence,
			this.createdAt,
			this.completedSequence,
			this.completedAt,
			this.attempts,
			this.lastAttemptAt,
			this.error,
			this.data,
			...(this.rollbackCompletedAt > 0 || this.rollbackError
				? [this.rollbackCompletedAt, this.rollbackError]
				: []),
		]);
	}

	/** Throws on what no version of this file has written. */
	static decode(bytes: Uint8Array): Entry {
		const fields = decodeCbor(bytes) as StoredEntry;
		const kind = KINDS[fields[0]];
		const status = STATUSES[fields[1]];
		if (kind === undefined || status === undefined) {
			throw new Error(
				`Workflow entry of unknown kind ${fields[0]} or status ${fields[1]}: written by a newer version`,
			);
		}
		const entry = new Entry<Kind>(kind, fields[3], fields[4], fields[2], fields[10]);
		entry.status = status;
		entry.completedSequence = fields[5];
		entry.completedAt = fields[6];
		entry.attempts = fields[7];
		entry.lastAttemptAt = fields[8];
		entry.error = fields[9];
		entry.rollbackCompletedAt = fields[11] ?? 0;
		entry.rollbackError = fields[12] ?? null;
		return entry;
	}
}

type StoredEntry = [
	kind: number,
	status: number,
	epoch: number,
	createdSequence: number,
	createdAt: number,
	completedSequence: number,
	completedAt: number,
	attempts: number,
	lastAttemptAt: number,
	error: StoredError | null,
	data: never,
	rollbackCompletedAt?: number,
	rollbackError?: StoredError | null,
];

/** When what an entry has come to was ready (ms since the epoch); null for one that is no wait and no work. */
export function readyTsOf(entry: Entry): number | null {
	if (entry.is("step")) return entry.completedAt;
	if (entry.is("sleep")) return entry.data.deadline;
	if (entry.is("message")) {
		const { messages = [], deadline } = entry.data;
		if (messages.length === 0) return deadline ?? entry.completedAt;
		return messages.reduce((latest, { createdAt }) => Math.max(latest, createdAt), 0);
	}
	const isComposite =
		entry.is("loop") ||
		entry.is("join") ||
		entry.is("race") ||
		entry.is("try") ||
		entry.is("outcome");
	return isComposite ? (entry.data.readyTs ?? entry.completedAt) : null;
}

/** `readyTs` of the data of an entry that ended at `completedAt`, as far as it need be said. */
export function readyPart(readyTs: number, completedAt: number): { readonly readyTs?: number } {
	return readyTs === completedAt ? {} : { readyTs };
}

/** `isStepless` of the data of a composite, when that many steps had been done on its strand as it began. */
export function steplessPart(
	{ parent, stepsDone }: { readonly parent: unknown; readonly stepsDone: number },
	stepsBefore: number,
): { readonly isStepless?: true } {
	return parent !== null && stepsDone === stepsBefore ? { isStepless: true } : {};
}

function unusedBytes(entry: Entry): number {
	if (entry.is("join") || entry.is("race") || entry.is("try") || entry.is("outcome")) {
		return (entry.data.unused ?? []).reduce((sum, key) => sum + key.byteLength, 0);
	}
	return 0;
}

function valueBytes(entry: Entry): number {
	if (entry.is("step") || entry.is("race") || entry.is("try") || entry.is("outcome")) {
		return entry.data.output?.byteLength ?? 0;
	}
	if (entry.is("loop")) {
		const { state, output } = entry.data;
		return (state?.byteLength ?? 0) + (output?.byteLength ?? 0);
	}
	if (entry.is("message")) {
		return (entry.data.messages ?? []).reduce((sum, { body }) => sum + body.byteLength, 0);
	}
	if (entry.is("join")) {
		const outputs = Object.values(entry.data.outputs ?? {});
		return outputs.reduce((sum, output) => sum + (output?.byteLength ?? 0), 0);
	}
	return entry.is("start") ? (entry.data.state?.byteLength ?? 0) : 0;
}
