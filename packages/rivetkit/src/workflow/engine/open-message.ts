import { catalogueError, decodeCbor } from "@rivetkit/protocol";
import type { Entry, StoredMessage } from "../history/entry.ts";
import { never } from "./code-error.ts";
import type { Execution } from "./execution.ts";
import type { Scope } from "./scope.ts";
import type { StepAttempt } from "./step-attempt.ts";

/** What users get of a message: `complete` with completable ones. */
export interface WorkflowMessage {
	readonly id: bigint;
	readonly name: string;
	readonly body: unknown;
	readonly createdAt: number;
	readonly attempt: number;
	readonly complete?: (response?: unknown) => Promise<void>;
}

export function userMessage(stored: StoredMessage, open: OpenMessage | null): WorkflowMessage {
	const { id, name, body, createdAt, attempt } = stored;
	return {
		id: BigInt(id),
		name,
		body: decodeCbor(body),
		createdAt,
		attempt,
		...(open ? { complete: (response?: unknown) => open.complete(response) } : undefined),
	};
}

const wentBack = new WeakSet<object>();

/** Whether an error says that a message is in its queue again: it stays so, however often it is completed. */
export function isWentBack(error: unknown): boolean {
	return typeof error === "object" && error !== null && wentBack.has(error);
}

/** A completable message in a workflow's hands. */
export class OpenMessage {
	readonly stored: StoredMessage;
	readonly #execution: Execution;
	readonly #scope: Scope;
	readonly #key: Uint8Array;
	readonly #entry: Entry;
	/** Whether it was completed by code that ran, and not only in the record. */
	#isCompleted = false;
	/** Whether it is in nobody's hands, or in others', since its scope is over. */
	#isReleased: boolean;

	constructor(
		execution: Execution,
		scope: Scope,
		key: Uint8Array,
		entry: Entry,
		stored: StoredMessage,
	) {
		this.#execution = execution;
		this.#scope = scope;
		this.#key = key;
		this.#entry = entry;
		this.stored = stored;
		this.#isReleased = stored.isReturned ?? false;
	}

	/** Its scope is over without having completed it: it goes back to the queue. */
	release(): void {
		this.#isReleased = true;
		this.#execution.host.messages.release(this.stored.id);
	}

	/** As {@link release}, and its record says so: code that comes here again does not have it again. */
	giveBack(): void {
		this.stored.isReturned = true;
		this.#execution.journal.entry(this.#key, this.#entry);
		this.release();
	}

	/** Inside a step: with the step's record. Else at once; resolves when it is durable (workflows 3.5.5). */
	async complete(response?: unknown): Promise<void> {
		if (this.#isCompleted) throw new Error("Queue message already completed");
		const attempt = this.#execution.currentAttempt();
		if (!attempt && this.#execution.isStoppedHere) return never();
		this.#assertHeld();
		this.#isCompleted = true;
		if (attempt && !attempt.isOpen) {
			this.#isCompleted = false;
			throw this.#execution.host.guardError("complete");
		}
		if (this.stored.isCompleted) {
			this.#scope.deleteOpen(this);
			return;
		}
		if (attempt) await this.#completeIn(attempt, response);
		else await this.#completeNow(response);
	}

	async #completeIn(attempt: StepAttempt, response: unknown): Promise<void> {
		const admitted = this.#admit(response);
		// Without a wait, if it can be: a step need not wait for what it completes.
		const bytes = admitted instanceof Promise ? await admitted : admitted;
		if (!attempt.isOpen) throw this.#execution.host.guardError("complete");
		attempt.onRecorded({
			keep: () => this.#end(bytes),
			drop: () => {
				this.#isCompleted = false;
			},
			// Another branch's scope may be over before the step ends.
			check: () => this.#assertHeld(),
		});
	}

	async #completeNow(response: unknown): Promise<void> {
		const execution = this.#execution;
		const bytes = await this.#admit(response);
		if (execution.isStoppedHere) return never();
		this.#assertHeld();
		if (execution.isRollback) return this.#passInRollback();
		this.#end(bytes);
		execution.host.commitSoon();
		await execution.barrier();
		if (execution.isStoppedHere) return never();
	}

	/** It would be on record as completed, had it been: what follows was come to only if it was refused before. */
	#passInRollback(): Promise<void> | undefined {
		const { search, currentStrand } = this.#execution;
		if (!search!.hasUnvisitedOn(currentStrand)) return this.#execution.park();
		this.#scope.deleteOpen(this);
		return undefined;
	}

	/** Throws when its scope has given it back. */
	#assertHeld(): void {
		if (!this.#isReleased) return;
		const { id, name: queue } = this.stored;
		const error = catalogueError("queue.already_completed", { wentBack: { id, queue } });
		wentBack.add(error);
		throw error;
	}

	#admit(response: unknown): Uint8Array | null | Promise<Uint8Array | null> {
		const refused = (error: unknown): never => {
			this.#isCompleted = false;
			throw error;
		};
		try {
			const admitted = this.#execution.host.messages.admitResponse(this.stored.name, response);
			return admitted instanceof Promise ? admitted.catch(refused) : admitted;
		} catch (error) {
			return refused(error);
		}
	}

	#end(response: Uint8Array | null): void {
		this.stored.isCompleted = true;
		this.#scope.deleteOpen(this);
		this.#execution.host.messages.complete(this.stored.id, response);
		this.#execution.journal.entry(this.#key, this.#entry);
	}
}
