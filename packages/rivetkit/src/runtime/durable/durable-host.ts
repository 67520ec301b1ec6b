import type { StorageRange } from "@rivetkit/protocol";
import { type ErasedActorConfig, isDeadLetterQueue } from "../../actor/erased.ts";
import type { Logger } from "../../log/logger.ts";
import type { Release } from "../commit/committer.ts";
import type { ActorContext } from "../context/actor-context.ts";
import type { ActorInstance } from "../instance/instance.ts";
import { untracked } from "../state/index.ts";
import type { Thrown } from "../telemetry/actor-telemetry.ts";
import type { WheelTimer } from "../timers/timer-wheel.ts";
import { currentBranch, runInBranch } from "./current-branch.ts";
import { type Deadline, Deadlines, type DeadlinesOwner } from "./deadlines.ts";
import type { DurableRun } from "./durable-run.ts";
import { HeldMessages } from "./held-messages.ts";
import { beginStepSpan, beginWaitSpan, type StepSubject, type WaitSubject } from "./step-spans.ts";
import { currentStep, guardError, runStep, type StepWork } from "./step-work.ts";

/** What a durable run stands on: the parts of its actor that it needs, and no others. */
export class DurableHost implements DeadlinesOwner {
	readonly deadlines: Deadlines;
	readonly #instance: ActorInstance;
	#messages: HeldMessages | null = null;
	#run: DurableRun | null = null;
	#isIdle = false;

	constructor(instance: ActorInstance) {
		this.#instance = instance;
		this.deadlines = new Deadlines(this);
	}

	/** Whose host this is; set once. */
	attach(run: DurableRun): void {
		this.#run = run;
	}

	get actorId(): string {
		return this.#instance.actorId;
	}

	get name(): string {
		return this.#instance.name;
	}

	get key(): string[] {
		return [...this.#instance.key];
	}

	get config(): ErasedActorConfig {
		return this.#instance.config;
	}

	/** Higher for every incarnation. */
	get generation(): number {
		return this.#instance.assignment.generation;
	}

	/** Tells code from that of an earlier deploy. */
	get codeVersion(): number {
		return this.#instance.services.codeVersion ?? 1;
	}

	/** Whether replays are compared with what was recorded. */
	get checksReplays(): boolean {
		return this.#instance.services.checksReplays ?? false;
	}

	get log(): Logger {
		return this.#instance.log;
	}

	/** The `c` of hooks and `run`. */
	get context(): ActorContext {
		return this.#instance.contexts.actor;
	}

	get messages(): HeldMessages {
		this.#messages ??= new HeldMessages(this.#instance);
		return this.#messages;
	}

	now(): number {
		return this.#instance.now();
	}

	timer(delayMs: number, fn: () => void): WheelTimer {
		return this.#instance.services.timers.schedule(delayMs, fn);
	}

	/** Calls `fn` when the time has come; the actor may sleep meanwhile. */
	deadline(ts: number, fn: () => void): Deadline {
		return this.deadlines.add(ts, fn);
	}

	get isReady(): boolean {
		return this.#instance.isReady;
	}

	get needsWake(): boolean {
		return this.#run?.needsWake ?? false;
	}

	deadlineChanged(): void {
		this.#instance.alarm.changed();
	}

	isDeadLetter(queue: string): boolean {
		return isDeadLetterQueue(this.#instance.config, queue);
	}

	/** Those that are over are told so now. */
	lookAtDeadlines(): void {
		if (this.#instance.isReady) this.deadlines.due(this.now());
	}

	// Storage

	scan(range: StorageRange): Promise<[key: Uint8Array, value: Uint8Array][]> {
		const { services, assignment } = this.#instance;
		return services.backend.scan(assignment, range);
	}

	get(keys: readonly Uint8Array[]): Promise<(Uint8Array | null)[]> {
		const { services, assignment } = this.#instance;
		return services.backend.get(assignment, keys);
	}

	/** Something was recorded; it is in the next commit. */
	wrote(): void {
		this.#instance.committer.markDirty();
	}

	/** The commit need not wait for more. */
	commitSoon(): void {
		this.#instance.committer.cutSoon();
	}

	/** The commit may wait for more, for this long. */
	commitWithin(ms: number): void {
		this.#instance.writes.saveSoon(ms);
	}

	/** Whatever `confirmWrites` says: a step must not begin before what it builds upon is durable. */
	whenDurable(release: Release): void {
		this.#instance.committer.whenDurable(release);
	}

	nextTurn(): Promise<void> {
		return new Promise((resolve) => {
			this.#instance.services.turns.request({ endOfTurn: resolve });
		});
	}

	get isWritable(): boolean {
		return this.#instance.isWritable;
	}

	// The actor's life

	/** Whether the actor stops. */
	get isAborted(): boolean {
		return this.#instance.isAborted;
	}

	get abortSignal(): AbortSignal {
		return this.#instance.abortSignal;
	}

	/** Whether the run only waits: then it does not keep the actor awake. */
	setIdle(isIdle: boolean): void {
		if (isIdle === this.#isIdle) return;
		this.#isIdle = isIdle;
		if (isIdle) this.#instance.beginRunWait();
		else this.#instance.endRunWait();
	}

	/** Whether the run failed, and is run again by itself after a pause. */
	get isBackingOff(): boolean {
		return this.#instance.run?.isBackingOff ?? false;
	}

	/** Runs again at once, unless it is running or the actor stops. */
	restart(): void {
		if (this.#instance.isReady) this.#instance.run?.start();
	}

	/** Destroys the actor once everything written so far is durable. */
	destroyWhenDurable(): void {
		this.#instance.committer.whenDurable((error) => {
			if (error === undefined) this.#instance.requestStop("destroy");
		});
	}

	// Steps

	/** The step that the code that is running belongs to. */
	get currentStep(): StepWork | undefined {
		return currentStep(this.#instance);
	}

	runStep<T>(work: StepWork, fn: () => T): T {
		return runStep(work, () => this.#instance.runCall(work, fn, work.span));
	}

	/** The branch that the code that is running belongs to; of another actor's run, perhaps. */
	get currentBranch(): object | undefined {
		return currentBranch();
	}

	runInBranch<T>(branch: object, code: () => T): T {
		return runInBranch(branch, code);
	}

	/** The first time that code of a try runs. */
	stepBegins(work: StepWork, subject: StepSubject): void {
		const { telemetry } = this.#instance;
		if (telemetry) work.span = beginStepSpan(telemetry, subject);
	}

	/** A step has come to its end: a transaction that it began by hand and left open is rolled back. */
	stepEnded(work: StepWork, failure?: Thrown): void {
		const { database, telemetry } = this.#instance;
		database?.callEnded(work);
		const { span } = work;
		if (span === null) return;
		telemetry!.end(span, failure);
		// The commit of its record comes next.
		telemetry!.wrote(span);
	}

	/** Something is waited for; what it returns is called when that is over. Null when nothing is recorded. */
	waitBegins(subject: WaitSubject): ((how: "over" | "left") => void) | null {
		const { telemetry } = this.#instance;
		return telemetry && beginWaitSpan(telemetry, subject);
	}

	/** What the owner of a {@link StepWork} is. */
	get stepOwner(): object {
		return this.#instance;
	}

	guardError(member: string): Error {
		return guardError(member);
	}

	/** What a step changed and nobody has committed yet is in the next commit: that of its record. */
	adoptStepChanges({ changedState, changedKv, changedDatabase }: StepWork): void {
		// One after the other: asking an actor for its `kv` makes it.
		if (changedState) this.#instance.state.adoptStepChanges();
		if (changedKv) this.#instance.kv.adoptStepChanges();
		if (changedDatabase) this.#instance.database?.sqlite.adoptStepChanges();
	}

	/** Runs a step whose writes are taken back when it fails; nobody else's calls begin meanwhile. */
	atomic<T>(work: () => PromiseLike<T>, timeoutMs: number): Promise<T> {
		return this.#instance.atomic.run(work, timeoutMs);
	}

	/** A value as it is stored: without the proxies of state. */
	untracked(value: unknown): unknown {
		return untracked(value);
	}

	/** For tools of the page on guards (workflows 1.6): nothing fails over it; `c.kv` logs what it refuses. */
	noteGuard(key: string): void {
		const { config, state } = this.#instance;
		this.#instance.userKv.put(key, "true").catch(() => {});
		const value = config.hasState ? state.value : null;
		if (typeof value === "object" && value !== null && "guardTriggered" in value) {
			(value as { guardTriggered: unknown }).guardTriggered = true;
		}
	}
}
