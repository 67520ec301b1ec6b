import {
	type Clock,
	catalogueError,
	decodeCbor,
	encodeCbor,
	toWireError,
	type WireError,
} from "@rivetkit/protocol";
import {
	type BatchPart,
	NO_SAVEPOINT,
	type OpenBatch,
	type Savepoint,
} from "../commit/batch-part.ts";
import type { Committer } from "../commit/committer.ts";
import type { StoredEntries } from "../commit/storage-layout.ts";
import {
	errorReply,
	REPLY_KEPT_BYTES_MAX,
	type Reply,
	ReplyWindow,
	replySize,
} from "./reply-window.ts";

/** How a call ended. Errors are in the form that goes over the wire, masked where they must be. */
export type Outcome =
	| { readonly ok: true; readonly output: unknown; readonly call?: SettledCall }
	| {
			readonly ok: false;
			readonly error: WireError;
			/** It failed by itself after its caller had left, perhaps for that. */
			readonly callerLeft?: boolean;
	  };

/** What an output came from. */
export interface SettledCall {
	/** It could not be sent: its caller gets this error. To be told while the call settles. */
	notSent(error: unknown): void;
}

export type Settle = (outcome: Outcome) => void;

/** Works on a call and calls one of the two once: `refuse` when nothing of the call was run. */
export type Run = (settle: Settle, refuse: Settle) => void;

/** One of those who want the answer of a call. */
interface Caller {
	readonly run: Run;
	readonly answer: Settle;
}

type Commits = Pick<Committer, "batchCount" | "dirty" | "markDirty">;

/**
 * Runs each identified call once: a repeated call gets the answer that was given, or waits for the one
 * that is being worked on. Calls without an id always run.
 */
export class CallLog implements BatchPart {
	readonly #committer: Commits;
	#window: ReplyWindow | null = null;
	readonly #running = new Map<string, Caller[]>();

	constructor(committer: Commits) {
		this.#committer = committer;
	}

	/** The answered calls; null until there is one. */
	get window(): ReplyWindow | null {
		return this.#window;
	}

	load(entries: StoredEntries, nowMs: number): void {
		this.#window = new ReplyWindow();
		this.#window.load(entries, nowMs);
	}

	take(batch: OpenBatch): void {
		this.#window?.take(batch.ops);
	}

	committed(): void {
		this.#window?.committed();
	}

	rollBack(): void {
		this.#window?.rollBack();
	}

	/** Answers are given outside of `c.atomic`. */
	savepoint(): Savepoint {
		return NO_SAVEPOINT;
	}

	/** How the call ended; null when that is not remembered. */
	outcome(callId: string): Outcome | null {
		const known = this.#window?.get(callId);
		return known ? outcomeOf(known) : null;
	}

	/**
	 * `run` is called at most once per id, unless it refuses, or fails with `callerLeft` and nothing was written: then
	 * that of whoever has repeated the call, or does so later, is called. `answer` is called once per caller.
	 */
	once(callId: string, clock: Clock, run: Run, answer: Settle): void {
		const known = this.#window?.get(callId);
		if (known) {
			answer(outcomeOf(known));
			return;
		}
		const running = this.#running.get(callId);
		if (running) {
			running.push({ run, answer });
			return;
		}
		const waiting: Caller[] = [{ run, answer }];
		this.#running.set(callId, waiting);
		const committer = this.#committer;
		const batchesBefore = committer.batchCount;
		const tell = (outcome: Outcome) => {
			this.#running.delete(callId);
			for (const caller of waiting) caller.answer(outcome);
		};
		const runAgain = (outcome: Outcome) => {
			this.#running.delete(callId);
			answer(outcome);
			for (const caller of waiting.slice(1)) {
				this.once(callId, clock, caller.run, caller.answer);
			}
		};
		run((outcome) => {
			const committedMeanwhile = committer.batchCount !== batchesBefore;
			const mayHaveWritten = committer.dirty || committedMeanwhile;
			if (!outcome.ok && outcome.callerLeft && !mayHaveWritten) {
				runAgain(outcome);
				return;
			}
			const reply = keptReply(replyOf(outcome), mayHaveWritten);
			if (reply) {
				this.#window ??= new ReplyWindow();
				this.#window.add(callId, reply, clock.now());
			}
			// What the call wrote may be stored already, in a batch without this answer.
			if (committedMeanwhile) committer.markDirty();
			tell(outcome);
		}, tell);
	}
}

/**
 * What is remembered of an answer. A few large ones must not push out those of calls that changed
 * something: a large answer of a call that wrote nothing is not kept, as running it again changes
 * nothing; of one that may have written, only the fact that it ran, or with which error it failed.
 */
function keptReply(reply: Reply, mayHaveWritten: boolean): Reply | null {
	const size = replySize(reply);
	if (size <= REPLY_KEPT_BYTES_MAX) return reply;
	if (!mayHaveWritten) return null;
	if (!reply.ok) return errorReply(shortened(reply.error));
	const error = catalogueError("action.answer_not_kept", { size, limit: REPLY_KEPT_BYTES_MAX });
	return errorReply(toWireError(error, { expose: false }));
}

/** By which its kind is known still. */
function shortened({ message, ...error }: WireError): WireError {
	return { ...error, message: message.slice(0, KEPT_MESSAGE_LENGTH_MAX), metadata: undefined };
}

/** Of the text of an error that is not kept whole (UTF-16 units). */
const KEPT_MESSAGE_LENGTH_MAX = 4_096;

function outcomeOf(reply: Reply): Outcome {
	return reply.ok
		? { ok: true, output: decodeCbor(reply.output) }
		: { ok: false, error: reply.error };
}

/** An output that cannot be encoded is left to the answer itself, which reports it as an error. */
function replyOf(outcome: Outcome): Reply {
	if (!outcome.ok) return replyOfError(outcome.error);
	try {
		return { ok: true, output: encodeCbor(outcome.output) };
	} catch {
		return UNENCODABLE;
	}
}

function replyOfError(error: WireError): Reply {
	try {
		return errorReply(error);
	} catch {
		return errorReply({ ...error, metadata: undefined });
	}
}

const UNENCODABLE: Reply = errorReply({
	group: "rivetkit",
	code: "internal_error",
	message: "Internal error. Read the server logs for more details.",
	metadata: {},
	statusCode: 500,
});
