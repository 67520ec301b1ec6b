import type { DurableHost } from "../../runtime/durable/durable-host.ts";
import { SparseSet } from "../../utils/sparse-set.ts";
import { Entry, type Kind, type KindData, readyTsOf } from "../history/entry.ts";
import type { Journal } from "../history/journal.ts";
import { DEPTH_MAX, type KeyRange, Location, type Segment } from "../history/location.ts";
import { mayHoldSteps } from "../history/steps-within.ts";
import { readScope } from "../history/stored-entries.ts";
import { Activity } from "./activity.ts";
import { codeError, isCodeError, never } from "./code-error.ts";
import type { ExecutionOwner } from "./execution-owner.ts";
import { noteThrown } from "./failure-origin.ts";
import { LiveEntries } from "./live-entries.ts";
import { ReplayCheck } from "./replay-check.ts";
import { RollbackSearch } from "./rollback-search.ts";
import { Scope } from "./scope.ts";
import { endRoot } from "./scope-ends.ts";
import { StepAttempt } from "./step-attempt.ts";
import { Strand } from "./strand.ts";
import { Waits } from "./waits.ts";

/** Operations that may be done without a wait before others get their turn. */
const OPERATIONS_PER_TURN_MAX = 64;
/** Of a path that is too deep (characters). */
const PATH_SHOWN_MAX = 40;
/** How long records that nobody waits for may wait for a commit (ms; workflows 6.3). */
const STAGED_FOR_MS = 100;

/** How an execution ended. */
export type ExecutionEnd =
	| { readonly kind: "returned"; readonly value: unknown }
	| { readonly kind: "threw"; readonly error: unknown }
	/** The code does not fit, or is wrong: it waits for one that does. */
	| { readonly kind: "blocked"; readonly error: unknown }
	/** Somebody wanted it to end, and nothing of it runs any more. */
	| { readonly kind: "stopped" };

/** What signals say that nobody had fire. */
const REASONS: Readonly<Record<ExecutionEnd["kind"], () => Error>> = {
	returned: () => new Error("The workflow has completed"),
	threw: () => new Error("The workflow has failed"),
	blocked: () => new Error("The workflow is blocked"),
	stopped: () => new Error("The workflow was stopped"),
};

/** A workflow's function, as it is run. */
export type WorkflowFunction = (execution: Execution, scope: Scope) => unknown;

export interface ExecutionOptions {
	/** Whether a start from records is compared with them. */
	readonly checksOrder: boolean;
	/** Whether nothing was recorded before. */
	readonly isFresh: boolean;
	/** Looks for handlers: recorded entries answer, nothing is executed or written (workflows 3.8.6). */
	readonly isRollback: boolean;
	readonly strictRoot: boolean;
}

/**
 * One run of a workflow's function from its first line: recorded entries answer, the first ones without
 * a record are done. It ends once, whatever still runs of it.
 *
 *     running ─▶ stopping (nothing new begins, what runs may be recorded) ─▶ over
 *        └──────────────────────────────────────────────────────────────────▶┘
 */
export class Execution {
	readonly owner: ExecutionOwner;
	readonly host: DurableHost;
	readonly journal: Journal;
	readonly isRollback: boolean;
	readonly root: Scope;
	/** Of a rollback's replay. */
	readonly search: RollbackSearch | null;
	/** What its strands wait for. */
	readonly waits: Waits;
	readonly live: LiveEntries;
	readonly isFresh: boolean;
	readonly #isStrict: boolean;
	/** Tries of steps whose callbacks run. */
	readonly attempts: SparseSet<StepAttempt> = new SparseSet();
	readonly #activity: Activity;
	/** Of a start from records, in development. */
	readonly replayCheck: ReplayCheck | null;
	#state: "running" | "stopping" | "over" = "running";
	#stopReason: unknown = null;
	#keepsWaits = false;
	#operations = 0;
	/** Operations that code has asked for. */
	begun = 0;
	#loads = 0;
	readonly ended: Promise<ExecutionEnd>;
	#end!: (end: ExecutionEnd) => void;

	constructor(owner: ExecutionOwner, options: ExecutionOptions) {
		this.owner = owner;
		this.host = owner.host;
		this.journal = owner.journal;
		this.waits = new Waits(owner.host);
		this.isRollback = options.isRollback;
		this.search = options.isRollback ? new RollbackSearch() : null;
		this.live = new LiveEntries(owner.maxLiveEntries, owner.host.log);
		this.isFresh = options.isFresh;
		this.#isStrict = options.strictRoot;
		this.ended = new Promise((resolve) => {
			this.#end = resolve;
		});
		this.#activity = new Activity(null, this);
		const isChecked = options.checksOrder && !options.isFresh && !options.isRollback;
		this.replayCheck = isChecked ? new ReplayCheck(owner.host.log) : null;
		const strand = new Strand(null, this.#activity, options.isFresh, owner.host);
		this.root = new Scope(Location.root, null, strand, owner.startedAt);
	}

	/** For {@link Activity}. */
	activityChanged(isIdle: boolean): void {
		if (isIdle) this.search?.idle();
		// A rollback is at work until it says that it waits.
		if (this.#state !== "over" && !this.isRollback) this.owner.activityChanged(isIdle);
	}

	get stopReason(): unknown {
		return this.#stopReason;
	}

	/** Whether nothing new may begin. */
	get isStopped(): boolean {
		return this.#state !== "running";
	}

	get isOver(): boolean {
		return this.#state === "over";
	}

	get isIdle(): boolean {
		return this.#activity.isIdle;
	}

	/** Whose code is running: it need not be that of the scope whose context it uses. */
	get currentStrand(): Strand {
		// Nothing but strands is put there.
		const strand = this.host.currentBranch as Strand | undefined;
		const root = this.root.strand;
		return strand?.isWithin(root) ? strand : root;
	}

	/** Whether code that is not to go on is running. */
	get isStoppedHere(): boolean {
		return this.#state !== "running" || this.currentStrand.isGivenUp;
	}

	/** Whether code of this strand may go on no more. */
	isStoppedFor(strand: Strand): boolean {
		return this.#state !== "running" || strand.isOver;
	}

	/** Whether code of this scope may go on no more. */
	isStoppedIn(scope: Scope): boolean {
		return this.isStoppedFor(scope.strand) || scope.isWithinFailed;
	}

	/** Runs the function. Errors of it are the end's. */
	start(fn: WorkflowFunction): void {
		if (this.isFresh) this.#run(fn);
		else {
			this.loadScope(this.root).then(
				() => {
					if (!this.isStopped) this.#run(fn);
				},
				(error: unknown) => this.#threw(error),
			);
		}
	}

	#run(fn: WorkflowFunction): void {
		try {
			Promise.resolve(fn(this, this.root)).then(
				(value) => this.#returned(value),
				(error: unknown) => this.#threw(error),
			);
		} catch (error) {
			this.#threw(error);
		}
	}

	#returned(value: unknown): void {
		if (this.isStopped) return;
		try {
			endRoot(this, { isStrict: this.#isStrict });
			this.finish({ kind: "returned", value });
		} catch (error) {
			this.#threw(error);
		}
	}

	#threw(error: unknown): void {
		if (isCodeError(error)) {
			this.finish({ kind: "blocked", error });
			return;
		}
		if (!this.isOver) noteThrown(this, this.root, error);
		this.finish({ kind: "threw", error });
	}

	/**
	 * For a rollback: runs the function as far as records go. Resolves when all of it waits or has ended, or
	 * was stopped: with why not everything that is to be undone was found, if so.
	 */
	async replay(fn: WorkflowFunction): Promise<unknown> {
		const search = this.search!;
		search.opened(this.root);
		const ended = this.loadScope(this.root)
			.then(() => fn(this, this.root))
			.then(
				() => {},
				// What made it fail, or an error of the code.
				(error: unknown) => (isCodeError(error) ? error : undefined),
			);
		const blocked = this.ended.then((end) => (end.kind === "blocked" ? end.error : undefined));
		const error: unknown = await Promise.race([search.waits, ended, blocked]);
		if (error) return error;
		// Nobody knows what its code would have come to.
		return this.isStopped ? undefined : search.missed(this.owner);
	}

	/** The end, unless there was one: nothing of it is recorded any more. `reason`: what its signals say. */
	finish(end: ExecutionEnd, reason: Error = REASONS[end.kind]()): void {
		if (this.#state === "over") return;
		this.#state = "over";
		this.#stopReason ??= reason;
		if (!this.#keepsWaits) {
			this.root.strand.cancel(this.#stopReason);
			// Handlers of a rollback are on no strand.
			for (const attempt of this.attempts) attempt.revoke(this.#stopReason);
		}
		this.#end(end);
	}

	/** The code does not fit the history, or is wrong. What waits for this never goes on. */
	block<T>(error: unknown): Promise<T> {
		if (this.#state === "running") this.finish({ kind: "blocked", error });
		return never();
	}

	/**
	 * Nothing new begins, and what ends until nothing runs any more is recorded. `keepsWaits`: deadlines and
	 * waits stay as they are, for the actor's alarm to stand in for them.
	 */
	stop(reason: unknown, { keepsWaits = false }: { keepsWaits?: boolean } = {}): void {
		if (this.#state !== "running") return;
		this.#state = "stopping";
		this.#stopReason = reason;
		this.#keepsWaits = keepsWaits;
		if (keepsWaits) this.waits.leave();
		else this.root.strand.dropWaits();
		this.root.strand.abort(reason);
		for (const attempt of this.attempts) attempt.abort(reason);
		this.#endIfQuiet();
	}

	#endIfQuiet(): void {
		if (this.#state === "stopping" && this.attempts.size === 0) this.finish({ kind: "stopped" });
	}

	// Steps

	attemptBegun(attempt: StepAttempt): void {
		this.attempts.add(attempt);
		if (!this.isRollback) this.owner.progressed();
	}

	attemptEnded(attempt: StepAttempt): void {
		this.attempts.delete(attempt);
		this.#endIfQuiet();
	}

	/** The try whose callback is running now; it may be over. */
	currentAttempt(): StepAttempt | undefined {
		const step = this.host.currentStep;
		return step instanceof StepAttempt ? step : undefined;
	}

	// Operations

	/** Others get their turn now and then, however many operations need no wait; null when it goes on. */
	breathe(): Promise<void> | null {
		return ++this.#operations % OPERATIONS_PER_TURN_MAX === 0 ? this.host.nextTurn() : null;
	}

	/** Resolves when everything recorded so far is durable; null when it is. */
	barrier(): Promise<void> | null {
		if (!this.journal.isPending) return null;
		return new Promise((resolve) => {
			// A commit that fails ends the execution: whoever waits never goes on.
			this.host.whenDurable((error) => {
				if (error === undefined) resolve();
			});
		});
	}

	// Entries

	/** A new entry of a scope; staged by {@link record}. */
	create<K extends Kind>(scope: Scope, kind: K, data: KindData[K]): Entry<K> {
		const { owner } = this;
		this.live.add(scope.strand, 1);
		owner.progressed();
		return new Entry(kind, owner.nextSequence(), this.host.now(), owner.epoch, data);
	}

	key(scope: Scope, segment: Segment): Uint8Array {
		return scope.location.keyAt(segment);
	}

	keyOf(scope: Scope, name: string): Uint8Array {
		return scope.location.namedKey(name);
	}

	/** The entry as it is now is in the next commit; `soon`: at the end of this turn. */
	record(scope: Scope, key: Uint8Array, entry: Entry, soon = false): void {
		if (this.isRollback) return;
		this.owner.noteDepth(scope.location.depth);
		this.owner.noteRecord();
		this.journal.entry(key, entry);
		if (soon || this.journal.isFull) this.host.commitSoon();
		else this.host.commitWithin(STAGED_FOR_MS);
	}

	/** The entry has ended as this. */
	complete(scope: Scope, entry: Entry, status: Entry["status"] = "completed"): void {
		entry.status = status;
		entry.completedAt = this.host.now();
		entry.completedSequence = this.owner.nextSequence();
		scope.lastTs = entry.completedAt;
		scope.strand.isLive = true;
	}

	/** The entry answers from its record. */
	answered(scope: Scope, entry: Entry): void {
		scope.strand.isLive = false;
		if (entry.completedAt > 0) scope.lastTs = entry.completedAt;
		const readyTs = readyTsOf(entry);
		if (readyTs !== null) scope.strand.ready(readyTs);
		if (mayHoldSteps(entry)) scope.strand.keepReceived();
	}

	/** Deletes everything in and below scopes that {@link Location.below} of a location covers. */
	deleteBelow(location: Location): void {
		for (const depth of this.#depthsBelow(location)) {
			this.journal.deleteRange(location.below(depth));
		}
	}

	deleteIterations(loop: Location, from: number, to: number): void {
		for (const depth of this.#depthsBelow(loop)) {
			this.journal.deleteRange(loop.iterationsBelow(depth, from, to));
		}
	}

	#depthsBelow(location: Location): number[] {
		return this.owner.depths.filter((depth) => depth > location.depth);
	}

	// Scopes

	/** Reads what was recorded in a scope. */
	async loadScope(scope: Scope): Promise<void> {
		const scanned = await this.scan(scope.location.entries);
		scope.records = readScope(scanned);
		this.live.add(scope.strand, scope.records.size);
	}

	/** Until it is here, code of some strand has not come to where it was. */
	scan(range: KeyRange): Promise<[key: Uint8Array, value: Uint8Array][]> {
		return this.read(this.host.scan(range));
	}

	/** What the store has. A store that cannot be read is no failure of the workflow (workflows 10.5). */
	async read<T>(reading: Promise<T>): Promise<T> {
		this.#loads++;
		try {
			const found = await reading;
			this.#loads--;
			return found;
		} catch (error) {
			return this.unreadable(error);
		}
	}

	/** The store could not be read: all begins again, later. What waits for this never goes on. */
	unreadable<T>(error: unknown): Promise<T> {
		if (this.#state === "running") this.owner.readFailed(error);
		return never();
	}

	/** Whether records are being read: then code of some strands has not come to where it was. */
	get isLoading(): boolean {
		return this.#loads > 0;
	}

	/** A scope below `parent`; `isNew`: nothing can be recorded in it. */
	openScope(
		parent: Scope,
		location: Location,
		{ isNew, strand = parent.strand }: { isNew: boolean; strand?: Strand },
	): Scope | Promise<Scope> {
		if (location.depth > DEPTH_MAX) {
			const { path, depth } = location;
			const shown = path.length > PATH_SHOWN_MAX ? `…${path.slice(-PATH_SHOWN_MAX)}` : path;
			throw codeError(new RangeError(`"${shown}" lies ${depth} scopes deep; ${DEPTH_MAX} is most`));
		}
		const scope = new Scope(location, parent, strand, parent.lastTs);
		this.search?.opened(scope);
		return isNew ? scope : this.#loaded(scope);
	}

	async #loaded(scope: Scope): Promise<Scope> {
		await this.loadScope(scope);
		return this.isStoppedIn(scope) ? never() : scope;
	}

	/** Deletes everything in a scope and below. */
	deleteScope(location: Location): void {
		this.journal.deleteRange(location.entries);
		this.deleteBelow(location);
	}

	/** The code that is running waits for what does not come here: a rollback's replay has seen all of its strand. */
	park<T>(): Promise<T> {
		this.currentStrand.wait();
		return never();
	}
}
