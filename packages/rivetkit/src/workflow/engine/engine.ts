import type { WorkflowWait } from "../../actor/workflow-control.types.ts";
import type { OpenBatch, Savepoint } from "../../runtime/commit/batch-part.ts";
import type { StoredEntries } from "../../runtime/commit/storage-layout.ts";
import type { DurableHost } from "../../runtime/durable/durable-host.ts";
import type { DurableRun } from "../../runtime/durable/durable-run.ts";
import { type Blocked, decodeHead, type Head, newHead } from "../history/head.ts";
import { Journal } from "../history/journal.ts";
import { PUBLISHED_HISTORY, readPublishedHistory } from "../history/published-history.ts";
import { LiveWorkflow } from "../inspect/live-workflow.ts";
import { WorkflowView } from "../inspect/workflow-view.ts";
import type { WorkflowErrorEvent } from "../options.types.ts";
import type { EngineOptions } from "./engine-options.ts";
import { Execution, type ExecutionEnd, type WorkflowFunction } from "./execution.ts";
import type { ExecutionOwner } from "./execution-owner.ts";
import { settle } from "./outcome.ts";
import { RollbackRun } from "./rollback-run.ts";
import { coldStart, hooks } from "./test-hooks.ts";
import { WorkflowControl } from "./workflow-control.ts";

/** Whoever wants a workflow to stand still waits this long for its replay (ms). */
const REACH_MS_MAX = 5_000;
/** Turns without a new entry after which code waits for something outside of it. */
const QUIET_TURNS = 3;

/**
 * The workflow of one incarnation of one actor (workflows 5). Runs its function, and what has to be run
 * instead: nothing while it is paused or blocked, what undoes it when it has failed, nothing when it has ended.
 *
 * | state | leaves to | when |
 * |---|---|---|
 * | pending | running | it is run for the first time |
 * | running | completed | the function returns |
 * | running | rolling_back, failed | it throws: with steps to undo, without |
 * | running | cancelled, rolling_back | `cancel` |
 * | rolling_back | failed, cancelled | everything is undone |
 * | failed | running | `recover` |
 */
export class WorkflowEngine implements DurableRun, ExecutionOwner {
	readonly host: DurableHost;
	readonly options: EngineOptions;
	readonly journal: Journal;
	#control: WorkflowControl | null = null;
	#view: WorkflowView | null = null;
	readonly #fn: WorkflowFunction;
	#head: Head | null = null;
	#execution: Execution | null = null;
	/** Completion order within the incarnation. */
	#sequence = 0;
	/** Whether the last incarnation ended without a stop in order, as long as that matters. */
	#isSuspect = false;
	#isFrontierNoted = false;
	/** Whether it waits for something outside of an execution: to be resumed, a time. */
	#isHalted = false;
	#isRunning = false;
	#hadWorkAtAbort = false;
	/** A commit failed: what runs is ahead of the store. */
	#isRolledBack = false;
	#failedRead: { readonly error: unknown } | null = null;
	#signal: (() => void) | null = null;

	constructor(host: DurableHost, fn: WorkflowFunction, options: EngineOptions) {
		this.host = host;
		this.#fn = fn;
		this.options = options;
		this.journal = new Journal(host);
	}

	get control(): WorkflowControl {
		this.#control ??= new WorkflowControl(this);
		return this.#control;
	}

	get view(): WorkflowView {
		this.#view ??= new WorkflowView(new LiveWorkflow(this));
		return this.#view;
	}

	// What the runtime asks

	load(head: Uint8Array | null, published: StoredEntries): void {
		this.journal.storedHead = head;
		this.#head = head === null ? null : decodeHead(head);
		if (!this.#head) {
			if (published.length > 0) this.#takeOver(published);
			return;
		}
		this.#isSuspect = !this.#head.isClean;
		this.blockedLast = this.#head.blocked ?? null;
		delete this.#head.waits;
	}

	/** The history of 2.1.3 becomes ours, in one commit. */
	#takeOver(published: StoredEntries): void {
		const { host, journal } = this;
		const { head, entries } = readPublishedHistory(published, host.now());
		this.#head = head;
		journal.deleteRange(PUBLISHED_HISTORY);
		for (const { key, entry } of entries) journal.entry(key, entry);
		journal.head(head);
		host.log.info({ entries: entries.length }, "a workflow that began with 2.1.3 is taken over");
	}

	get head(): Head {
		this.#head ??= newHead(this.host.now());
		return this.#head;
	}

	get execution(): Execution | null {
		return this.#execution;
	}

	/** What it waits for now. */
	get waitingFor(): WorkflowWait[] {
		return this.#execution?.waits.shown() ?? [];
	}

	get hasEnded(): boolean {
		switch (this.head.state) {
			case "completed":
			case "failed":
			case "cancelled":
				return true;
			default:
				return false;
		}
	}

	/** Whether there may be steps to undo: of those in records that have not answered yet, nothing is known. */
	get mayHaveToUndo(): boolean {
		const { state, isPaused, blocked } = this.head;
		if (state === "pending") return false;
		const execution = this.#execution;
		if (execution === null || isPaused || blocked) return true;
		const isKnown = execution.isFresh || execution.isIdle;
		return !isKnown || execution.root.compensable > 0;
	}

	/** Whether code of it is at work, rather than waiting. */
	get isBusy(): boolean {
		return this.#isRunning && !this.#isHalted && !(this.#execution?.isIdle ?? false);
	}

	get needsWake(): boolean {
		if (this.hasEnded || this.head.isPaused) return false;
		if (this.host.isAborted) return this.#hadWorkAtAbort;
		return !this.#isRunning || this.isBusy;
	}

	waitsFor(queue: string): boolean {
		return this.#execution?.waits.includesQueue(queue) ?? false;
	}

	sendsPutOff(queue: string | null): number {
		let count = 0;
		for (const attempt of this.#execution?.attempts ?? []) count += attempt.sendsPutOff(queue);
		return count;
	}

	abort(): void {
		if (this.hasEnded) return;
		this.#hadWorkAtAbort = this.needsWakeNow;
		this.head.isClean = true;
		this.head.waits = this.#execution?.waits.stored() ?? [];
		if (this.head.state !== "pending") this.journal.head(this.head);
		this.#execution?.stop(this.host.abortSignal.reason, { keepsWaits: true });
		this.signal();
	}

	/** As {@link needsWake}, of one that has not stopped yet. */
	get needsWakeNow(): boolean {
		return !this.head.isPaused && (!this.#isRunning || this.isBusy);
	}

	stop(): void {
		const execution = this.#execution;
		execution?.finish({ kind: "stopped" });
		const reason = new Error("a commit of the workflow failed");
		for (const attempt of execution?.attempts ?? []) attempt.revoke(reason);
		this.signal();
	}

	/** Whether a commit failed, so that what was run never was. */
	get isRolledBack(): boolean {
		return this.#isRolledBack;
	}

	/** Whether it is to begin again from what is stored. */
	get isLost(): boolean {
		return this.#isRolledBack || this.#failedRead !== null;
	}

	/** It is not the workflow that has failed: it is run again, later (workflows 10.5). */
	readFailed(error: unknown): void {
		this.#failedRead = { error };
		this.#execution?.finish({ kind: "stopped" });
		this.signal();
	}

	// Commits

	take(batch: OpenBatch): void {
		this.journal.take(batch);
	}

	committed(): void {
		this.journal.committed();
	}

	/** What runs has built upon what is gone: it begins again from what is stored (workflows 3.2, W3.2g). */
	rollBack(): void {
		this.journal.rollBack();
		// What is asked of it from now on is asked of what is stored: a pause that was lost is none.
		const { storedHead } = this.journal;
		this.#head = storedHead && decodeHead(storedHead);
		this.#isRolledBack = true;
		if (!this.#isRunning) {
			// Its end is gone, too. One whose commit failed before has its pause.
			if (!this.host.isBackingOff) this.host.restart();
			return;
		}
		this.#execution?.finish({ kind: "stopped" });
		this.signal();
	}

	/** What it records is written when its step is kept, and that is the end of it. */
	savepoint(): Savepoint {
		return NOTHING_TO_REWIND;
	}

	// Running

	async run(): Promise<void> {
		this.#isRunning = true;
		try {
			this.#isRolledBack = false;
			this.#failedRead = null;
			if (this.head.state === "pending") this.#begin();
			else await this.#deployed();
			while (!this.hasEnded && !this.host.isAborted && !this.isLost) {
				if (this.head.isPaused) await this.waitFor(null);
				else if (this.head.state === "rolling_back") await new RollbackRun(this).run();
				else {
					const execution = await this.#start();
					// Not in a function of its own: this is where a workflow waits that lasts.
					if (execution) await this.#followed(await execution.ended, execution);
				}
			}
			if (this.#isRolledBack) {
				throw new Error("a commit of the workflow failed; it goes on from what is stored");
			}
			if (this.#failedRead) {
				const { error: cause } = this.#failedRead;
				throw new Error("records of the workflow could not be read; it begins again", { cause });
			}
		} finally {
			this.#reach();
			this.#isRunning = false;
			this.host.setIdle(false);
		}
	}

	/** Whether nothing can have been recorded. */
	#isNew = false;

	/** What a new version of the code changes: a workflow that failed may be tried again with it, once. */
	async #deployed(): Promise<void> {
		const { head, host } = this;
		this.#recordedVersion = head.codeVersion ?? host.codeVersion;
		if (this.#recordedVersion === host.codeVersion) return;
		head.codeVersion = host.codeVersion;
		if (head.state !== "failed" || !this.options.recoverOnDeploy) return;
		host.log.info({ version: host.codeVersion }, "the failed workflow is tried with new code");
		await this.control.recover();
	}

	#recordedVersion: number | null = null;

	/** For messages about code that does not fit: which versions there are. */
	get versionNote(): string {
		const { codeVersion } = this.host;
		const recorded = this.#recordedVersion;
		if (recorded === null || recorded === codeVersion) return "";
		return `\nRecorded by version ${recorded} of the registry; this is version ${codeVersion}.`;
	}

	#begin(): void {
		this.#isNew = true;
		this.head.codeVersion = this.host.codeVersion;
		this.head.state = "running";
		this.head.startedAt = this.host.now();
		this.#isFrontierNoted = true;
		this.writeHead();
	}

	/** Begins one run of the function; null when that is not what is to be done any more. */
	async #start(): Promise<Execution | null> {
		const isFresh = this.#isNew;
		this.#isNew = false;
		this.#hasReached = isFresh;
		// It is about to be read.
		if (!isFresh) await this.durable();
		if (this.host.isAborted || this.isLost) return null;
		// Told meanwhile, when there was nothing to stop.
		if (this.head.isPaused || this.head.state !== "running") {
			this.#reach();
			return null;
		}
		const execution = this.newExecution({ isRollback: false, isFresh });
		execution.start(this.#fn);
		if (this.head.blocked) void this.#watchBlocked(execution);
		return execution;
	}

	/** What follows from how a run of the function ended. */
	#followed(end: ExecutionEnd, execution: Execution): Promise<void> | undefined {
		this.#reach();
		return this.#isRolledBack ? undefined : settle(this, end, execution);
	}

	/** Whether what is recorded has answered, so that what is done from here on is new. */
	#hasReached = true;
	get hasReached(): boolean {
		return this.#hasReached;
	}

	#reaching: (() => void)[] | null = null;

	#reach(): void {
		if (this.#hasReached) return;
		this.#hasReached = true;
		const reaching = this.#reaching ?? [];
		this.#reaching = null;
		for (const resolve of reaching) resolve();
	}

	/** Resolves when a workflow that was started from its records has come to where it was. */
	reached(): Promise<void> {
		if (this.#hasReached) return Promise.resolve();
		return new Promise((resolve) => {
			// It may wait for something outside of it between two entries.
			const timer = this.host.timer(REACH_MS_MAX, resolve);
			this.#reaching ??= [];
			this.#reaching.push(() => {
				timer.cancel();
				resolve();
			});
		});
	}

	newExecution({ isRollback, isFresh }: { isRollback: boolean; isFresh: boolean }): Execution {
		const execution = new Execution(this, {
			isFresh,
			isRollback,
			checksOrder: this.host.checksReplays && !this.head.isRewound,
			strictRoot: this.options.strictRoot,
		});
		this.#execution = execution;
		return execution;
	}

	/**
	 * Runs the function to find out what is to be undone; resolves when it has seen all there is, with why
	 * that is not all, if so.
	 */
	async replayForRollback(execution: Execution): Promise<unknown> {
		return execution.replay(this.#fn);
	}

	/** Waits for a signal, or for a time (ms since the epoch): meanwhile the actor may sleep. */
	async waitFor(untilTs: number | null): Promise<void> {
		const { host } = this;
		if (host.isAborted || this.isLost) return;
		await new Promise<void>((resolve) => {
			const deadline = untilTs === null ? null : host.deadline(untilTs, () => this.signal());
			this.#signal = () => {
				// Whoever stops sleeps until then.
				if (!host.isAborted) deadline?.cancel();
				resolve();
			};
			this.#isHalted = true;
			host.setIdle(true);
			host.commitSoon();
		});
		this.#isHalted = false;
		host.setIdle(false);
	}

	/** What waits outside of an execution looks again. */
	signal(): void {
		const signal = this.#signal;
		this.#signal = null;
		signal?.();
	}

	/** Final; resolves when it is durable. */
	async end(state: "completed" | "failed" | "cancelled"): Promise<void> {
		const { head } = this;
		head.state = state;
		delete head.blocked;
		delete head.crash;
		delete head.rollback;
		this.host.messages.releaseAll();
		this.writeHead();
		await this.durable();
	}

	writeHead(): void {
		this.journal.head(this.head);
		this.host.commitWithin(HEAD_FOR_MS);
	}

	/** Resolves when everything recorded so far is durable, or {@link isLost}, or the actor stops. */
	durable(): Promise<void> {
		if (!this.journal.isPending) return Promise.resolve();
		return new Promise((resolve) => this.host.whenDurable(() => resolve()));
	}

	/** As {@link durable}, for whoever is not part of the workflow: rejects when the commit fails. */
	flushed(): Promise<void> {
		if (!this.journal.isPending) return Promise.resolve();
		return new Promise((resolve, reject) => {
			this.host.whenDurable((error) => (error === undefined ? resolve() : reject(error)));
		});
	}

	/** Runs again from what is recorded, in place: as after a crash, but nothing is lost. */
	restart(reason: string): void {
		this.#execution?.stop(new Error(reason));
	}

	// What executions ask

	get epoch(): number {
		return this.head.epoch;
	}

	get startedAt(): number {
		return this.head.startedAt;
	}

	get depths(): readonly number[] {
		return this.head.depths;
	}

	noteDepth(depth: number): void {
		const { head } = this;
		if (head.depths.includes(depth)) return;
		// A list that is pushed to gets room for seventeen.
		head.depths = head.depths.concat(depth).sort((a, b) => a - b);
		this.journal.head(head);
	}

	/** Higher for every entry, over all incarnations. */
	nextSequence(): number {
		const base = this.head.sequenceBase ?? 0;
		return base + this.host.generation * 2 ** 32 + ++this.#sequence;
	}

	/** Entries that begin from now on come after this one. */
	sequencesFrom(sequence: number): void {
		this.head.sequenceBase = Math.max(sequence, this.head.sequenceBase ?? 0);
	}

	frontier(path: string): boolean {
		if (this.#isFrontierNoted) return false;
		this.#isFrontierNoted = true;
		this.#reach();
		const { head } = this;
		const before = head.crash?.path === path ? head.crash.count : 0;
		if (this.#isSuspect) head.crash = { path, count: before + 1 };
		else delete head.crash;
		head.isClean = false;
		this.journal.head(head);
		return (head.crash?.count ?? 0) > CRASHES_FREE_MAX;
	}

	activityChanged(isIdle: boolean): void {
		if (this.#isHalted) return;
		this.host.setIdle(isIdle);
		if (!isIdle) return;
		this.#reach();
		this.progressed();
		this.host.commitSoon();
		if (hooks.coldStartAtEveryWait) coldStart(this);
	}

	/** The code has come past all that is recorded: what was wrong with it is over, unless it shows again. */
	progressed(): void {
		if (!this.head.blocked) return;
		delete this.head.blocked;
		this.writeHead();
	}

	/** What blocked it last, as long as nothing was recorded since: the same again is no news, and waits longer. */
	blockedLast: Blocked | null = null;

	noteRecord(): void {
		this.blockedLast = null;
	}

	/** Code that waits for something outside of the workflow begins nothing, and does not wait as a workflow does. */
	async #watchBlocked(execution: Execution): Promise<void> {
		let begun: number;
		do {
			begun = execution.begun;
			for (let turn = 0; turn < QUIET_TURNS; turn++) await this.host.nextTurn();
			if (execution !== this.#execution || execution.isStopped) return;
		} while (execution.isLoading || execution.begun !== begun);
		this.progressed();
	}

	isLeftOut(entryId: string): boolean {
		return this.head.skipRollback?.includes(entryId) ?? false;
	}

	report(event: WorkflowErrorEvent): void {
		const { onError } = this.options;
		if (!onError) return;
		const failed = (error: unknown) =>
			this.host.log.warn({ err: error }, "onError of the workflow failed");
		try {
			Promise.resolve(onError(this.host.context, event)).catch(failed);
		} catch (error) {
			failed(error);
		}
	}

	get maxLiveEntries(): number {
		return this.options.maxLiveEntries;
	}

	get maxEntrySize(): number {
		return this.options.maxEntrySize;
	}

	get maxRollbackIterations(): number {
		return this.options.maxRollbackIterations;
	}
}

const NOTHING_TO_REWIND: Savepoint = { rewind() {}, release() {} };

/** How long the head may wait for a commit that comes anyway (ms). */
const HEAD_FOR_MS = 100;

/** Crashes in one and the same step that are nobody's failure (workflows 3.2.8). */
const CRASHES_FREE_MAX = 9;
