import type { DurableHost } from "../../runtime/durable/durable-host.ts";
import { SparseSet } from "../../utils/sparse-set.ts";
import type { Entry, StoredMessage } from "../history/entry.ts";
import type { Activity } from "./activity.ts";
import type { Scope } from "./scope.ts";
import type { StepAttempt } from "./step-attempt.ts";
import { StepLimit } from "./step-limit.ts";

/** Something that a strand waits for. */
export interface StrandWait {
	/** Ends it without a word. */
	callOff(): void;
}

/** A plain message that was received, and the record that has it. */
export interface Receipt {
	readonly message: StoredMessage;
	readonly entry: Entry<"message">;
	/** Of the record; made when it is needed. */
	readonly key: () => Uint8Array;
}

const NONE: readonly Receipt[] = [];

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
	readonly children: SparseSet<Strand> = new SparseSet();
	/** Branches that have ended in what is not decided yet, with plain messages: these go back if it does not come to that. */
	readonly undecided: SparseSet<Strand> = new SparseSet();
	/** Scopes with messages in hand that are to be completed. */
	readonly holding: SparseSet<Scope> = new SparseSet();
	#state: "active" | "waiting" | "over" = "active";
	/** Whether it is over because it was not to go on; its code may still be under way. */
	#isGivenUp = false;
	/** Whether what it does now is done for the first time. */
	isLive: boolean;
	/** When all that it has waited for was ready: tells which of two branches was first. */
	readyTs: number;
	#hasWaited = false;
	/** Since when a message waits that is on its way to it; null for none. */
	arrivingTs: number | null = null;
	/** Its entries in scopes that are not at their end. */
	live = 0;
	/** The step that is running. */
	attempt: StepAttempt | null = null;
	#limit: StepLimit | null = null;
	/** What it waits for. */
	#wait: StrandWait | null = null;
	#controller: AbortController | null = null;
	/** Plain messages received since its last step. */
	#received: Receipt[] | null = null;
	/** How often something was added to them, and how often a step was done, here or below. */
	receivedEver = 0;
	stepsDone = 0;

	readonly #host: DurableHost;

	constructor(parent: Strand | null, activity: Activity, isLive: boolean, host: DurableHost) {
		this.#host = host;
		this.parent = parent;
		this.activity = activity;
		this.isLive = isLive;
		this.readyTs = parent?.readyTs ?? 0;
		parent?.children.add(this);
		activity.begin();
	}

	get limit(): StepLimit {
		this.#limit ??= new StepLimit();
		return this.#limit;
	}

	/** No step is running, and none begins soon. */
	#restLimit(): void {
		this.#limit?.rest();
		this.#limit = null;
	}

	/**
	 * What it has come to was ready then (ms since the epoch): a message since it was sent, a deadline, a step
	 * when it ended.
	 */
	ready(ts: number): void {
		this.readyTs = this.#readyTsWith(ts);
		this.#hasWaited = true;
	}

	#readyTsWith(ts: number): number {
		return this.#hasWaited ? Math.max(this.readyTs, ts) : ts;
	}

	/** When it is ready with what is on its way to it, or to those below it, first; infinite for nothing. */
	get firstArrivingTs(): number {
		let first = this.arrivingTs ?? Number.POSITIVE_INFINITY;
		for (const child of this.children) first = Math.min(first, child.firstArrivingTs);
		return this.#readyTsWith(first);
	}

	/** What it received since its last step; the latest `max` of it. */
	remember(receipts: readonly Receipt[], max: number): void {
		this.#received = [...(this.#received ?? []), ...receipts].slice(-max);
		this.receivedEver++;
	}

	/** Plain messages received since its last step. */
	get received(): readonly Receipt[] {
		return this.#received ?? NONE;
	}

	/** A step has been done: what was received before it, here and around, does not go back any more. */
	keepReceived(): void {
		this.#received = null;
		this.stepsDone++;
		this.parent?.keepReceived();
	}

	/** What goes back. */
	takeReceived(): readonly Receipt[] {
		const received = this.#received ?? NONE;
		this.#received = null;
		return received;
	}

	/** Whether it is this strand, or one below it. */
	isWithin(strand: Strand): boolean {
		for (let at: Strand | null = this; at !== null; at = at.parent) if (at === strand) return true;
		return false;
	}

	get isOver(): boolean {
		return this.#state === "over";
	}

	get isGivenUp(): boolean {
		return this.#isGivenUp;
	}

	/** It waits; the wait is called off when the strand is over before. */
	wait(wait: StrandWait | null = null): void {
		this.#wait = wait;
		if (this.#state !== "active") return;
		this.#state = "waiting";
		this.#restLimit();
		this.activity.end();
	}

	resume(): void {
		this.#wait = null;
		if (this.#state !== "waiting") return;
		this.#state = "active";
		this.activity.begin();
	}

	/** Its function has come to its end: what it has received stays at hand until its parent {@link adopt | has} it. */
	end(): void {
		if (!this.isOver && this.#received !== null) this.parent?.undecided.add(this);
		this.#leave();
	}

	/**
	 * What branches of it came to is decided: it has what they have received and not given back (the latest `max`), as if
	 * that were its own. Nothing of the workflow itself goes back.
	 */
	adopt(branches: readonly Strand[], max: number): readonly Receipt[] {
		const adopted: Receipt[] = [];
		for (const branch of branches) {
			this.undecided.delete(branch);
			adopted.push(...branch.takeReceived());
		}
		if (this.parent === null || adopted.length === 0) return NONE;
		this.remember(adopted, max);
		return adopted.slice(-max);
	}

	#leave(): void {
		if (this.isOver) return;
		const wasActive = this.#state === "active";
		this.#state = "over";
		this.#restLimit();
		this.parent?.children.delete(this);
		if (wasActive) this.activity.end();
	}

	/** What it waits for and the step that runs are over without a word; it goes on itself. */
	callOff(reason: unknown): void {
		const wait = this.#wait;
		this.arrivingTs = null;
		this.resume();
		wait?.callOff();
		this.attempt?.revoke(reason);
	}

	/** As {@link callOff}, here and below. */
	callOffAll(reason: unknown): void {
		if (this.isOver) return;
		for (const child of [...this.children]) child.callOffAll(reason);
		this.callOff(reason);
	}

	/** It is not to go on: signals fire, waits end, and its steps may not touch the actor any more. */
	cancel(reason: unknown): void {
		if (this.isOver) return;
		for (const child of [...this.children]) child.cancel(reason);
		const wait = this.#wait;
		this.#wait = null;
		this.#isGivenUp = true;
		this.#leave();
		wait?.callOff();
		this.#fire(reason);
		this.attempt?.revoke(reason);
	}

	/** Fires signals, here and below; what runs may come to its end. */
	abort(reason: unknown): void {
		for (const child of this.children) child.abort(reason);
		this.#fire(reason);
		this.attempt?.abort(reason);
	}

	/** Listeners are code of the strand, whoever ends it. */
	#fire(reason: unknown): void {
		const controller = this.#controller;
		if (controller) this.#host.runInBranch(this, () => controller.abort(reason));
	}

	/** Ends waits without a word, here and below. */
	dropWaits(): void {
		for (const child of this.children) child.dropWaits();
		const wait = this.#wait;
		this.#wait = null;
		wait?.callOff();
	}

	signal(isAborted: boolean, reason: unknown): AbortSignal {
		if (!this.#controller) {
			this.#controller = new AbortController();
			if (isAborted || this.isOver) this.#controller.abort(reason);
		}
		return this.#controller.signal;
	}
}
