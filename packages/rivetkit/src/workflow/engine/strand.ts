import type { HeldMessage } from "../../runtime/durable/held-messages.ts";
import type { Activity } from "./activity.ts";
import type { Scope } from "./scope.ts";
import type { StepAttempt } from "./step-attempt.ts";
import { StepLimit } from "./step-limit.ts";

/**
 * One line of execution: the workflow itself, or one branch of a join or race.
 *
 * | state | leaves to | when |
 * |---|---|---|
 * | active | waiting | it sleeps, waits for a message or for its next try, or for its branches |
 * | waiting | active | that is over |
 * | active, waiting | over | its function has returned or thrown, it lost its race, the execution ends |
 */
export class Strand {
	readonly parent: Strand | null;
	readonly activity: Activity;
	readonly children = new Set<Strand>();
	/** Scopes that its code is in. */
	readonly scopes = new Set<Scope>();
	#state: "active" | "waiting" | "over" = "active";
	/** Whether what it does now is done for the first time. */
	isLive: boolean;
	/** When what it waited for last was ready: tells which of two branches was first. */
	readyTs = 0;
	/** Since when a message waits that is on its way to it; null for none. */
	arrivingTs: number | null = null;
	/** The step that is running. */
	attempt: StepAttempt | null = null;
	readonly limit = new StepLimit();
	/** Ends what it waits for. */
	#cancelWait: (() => void) | null = null;
	#controller: AbortController | null = null;
	/** Plain messages received since its last step. */
	received: HeldMessage[] = [];

	constructor(parent: Strand | null, activity: Activity, isLive: boolean) {
		this.parent = parent;
		this.activity = activity;
		this.isLive = isLive;
		this.readyTs = parent?.readyTs ?? 0;
		parent?.children.add(this);
		activity.begin();
	}

	get isOver(): boolean {
		return this.#state === "over";
	}

	/** It waits; `cancel` ends the wait without a word when the strand is over before. */
	wait(cancel: (() => void) | null = null): void {
		this.#cancelWait = cancel;
		if (this.#state !== "active") return;
		this.#state = "waiting";
		this.limit.rest();
		this.activity.end();
	}

	resume(): void {
		this.#cancelWait = null;
		if (this.#state !== "waiting") return;
		this.#state = "active";
		this.activity.begin();
	}

	/** Its function has come to its end. */
	end(): void {
		if (this.isOver) return;
		const wasActive = this.#state === "active";
		this.#state = "over";
		this.limit.rest();
		this.parent?.children.delete(this);
		if (wasActive) this.activity.end();
	}

	/** It is not to go on: signals fire, waits end, and its steps may not touch the actor any more. */
	cancel(reason: unknown): void {
		if (this.isOver) return;
		for (const child of [...this.children]) child.cancel(reason);
		const cancelWait = this.#cancelWait;
		this.#cancelWait = null;
		this.end();
		cancelWait?.();
		this.#controller?.abort(reason);
		this.attempt?.revoke(reason);
	}

	/** Fires signals, here and below; what runs may come to its end. */
	abort(reason: unknown): void {
		for (const child of this.children) child.abort(reason);
		this.#controller?.abort(reason);
		this.attempt?.abort(reason);
	}

	/** Ends waits without a word, here and below. */
	dropWaits(): void {
		for (const child of this.children) child.dropWaits();
		const cancelWait = this.#cancelWait;
		this.#cancelWait = null;
		cancelWait?.();
	}

	signal(isAborted: boolean, reason: unknown): AbortSignal {
		if (!this.#controller) {
			this.#controller = new AbortController();
			if (isAborted || this.isOver) this.#controller.abort(reason);
		}
		return this.#controller.signal;
	}
}
