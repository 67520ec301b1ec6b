import { SparseSet } from "../../utils/sparse-set.ts";
import type { Delivery } from "./delivery.ts";
import type { PendingReceive } from "./pending-receive.ts";
import type { RunScope } from "./run-scope.ts";

/**
 * Who receives: the unit of user code that messages are handed to and that decides over them.
 *
 * | kind | what | plain messages are final | open messages are released |
 * |---|---|---|---|
 * | run | one attempt of `run` | with its next write or receive, or when it returns | when it ends |
 * | call | one action or `onRequest` | with the next write outside of `run`, its next receive, or when it succeeds | when it ends |
 * | loose | hooks, listeners, what a call left running | at once | when the actor stops |
 * | durable | a workflow | at once: in the commit of what it records then | when the workflow says so |
 */
export class Receiver {
	readonly #scope: RunScope | null;
	readonly #decidesAtEnd: boolean;
	kind: "run" | "call" | "loose" | "durable";
	/** It came to its end. */
	isOver = false;
	/** What was handed out and is not decided upon, in that order. */
	readonly held: SparseSet<Delivery> = new SparseSet();
	/** Receives of it that are not over. */
	readonly pending: SparseSet<PendingReceive> = new SparseSet();

	/** `decidesAtEnd`: its writes may be taken back, so they decide nothing. */
	constructor(
		kind: Receiver["kind"],
		{
			scope = null,
			decidesAtEnd = false,
		}: { scope?: RunScope | null; decidesAtEnd?: boolean } = {},
	) {
		this.kind = kind;
		this.#scope = scope;
		this.#decidesAtEnd = decidesAtEnd;
	}

	/** Whether a completable message is in its hands (api 9). */
	get hasOpenMessage(): boolean {
		for (const { completable } of this.held) if (completable) return true;
		return false;
	}

	get hasPlainMessage(): boolean {
		for (const { completable } of this.held) if (!completable) return true;
		return false;
	}

	/** Whether a write made by the code that is running now is one of this receiver. */
	isWriting(runScope: RunScope | null): boolean {
		if (this.#decidesAtEnd) return false;
		if (this.#scope) return this.#scope.isCurrent;
		return !runScope?.isCurrent;
	}
}
