import { catalogueError } from "@rivetkit/protocol";
import type { DurableHost } from "../../runtime/durable/durable-host.ts";
import { SparseSet } from "../../utils/sparse-set.ts";
import { EntryInProgressError, HistoryDivergedError } from "../errors.ts";
import { Entry, type Kind, type KindData, readyTsOf } from "../history/entry.ts";
import type { Journal } from "../history/journal.ts";
import {
	DEPTH_MAX,
	isInnerId,
	Location,
	NAME_BYTES_MAX,
	type Segment,
} from "../history/location.ts";
import { readScope } from "../history/stored-entries.ts";
import { heldAgain } from "../history/stored-message.ts";
import type { WorkflowErrorEvent } from "../options.types.ts";
import { Activity } from "./activity.ts";
import { codeError, isCodeError, never } from "./code-error.ts";
import type { Compensation } from "./compensation.ts";
import { idOf } from "./entry-id.ts";
import { OpenMessage } from "./open-message.ts";
import { ReplayCheck, type ReplayDifference } from "./replay-check.ts";
import { Scope } from "./scope.ts";
import { StepAttempt } from "./step-attempt.ts";
import { Strand } from "./strand.ts";
import { Waits } from "./waits.ts";

/** Operations that may be done without a wait before others get their turn. */
const OPERATIONS_PER_TURN_MAX = 64;
/** Live entries from which on a workflow is warned of. */
const LIVE_WARNING = 1_000;
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

/** A workflow's function, as it is run. */
export type WorkflowFunction = (execution: Execution, scope: Scope) => unknown;

/** What an execution needs of the engine around it. */
export interface ExecutionOwner {
	readonly host: DurableHost;
	readonly journal: Journal;
	/** Of the history. */
	readonly epoch: number;
	readonly startedAt: number;
	nextSequence(): number;
	/** Depths at which there are entries. */
	readonly depths: readonly number[];
	noteDepth(depth: number): void;
	/** A step is about to run; whether the process ended in it so often that this counts as a failure. */
	frontier(path: string): boolean;
	/** Whether it waits or works has changed. */
	activityChanged(isIdle: boolean): void;
	/** Which versions of the code recorded and run, if they differ. */
	readonly versionNote: string;
	report(event: WorkflowErrorEvent): void;
	readonly maxEntrySize: number;
	readonly maxLiveEntries: number;
	readonly maxRollbackIterations: number;
	noteEntry(): void;
	/** The store could not be read. */
	readFailed(error: unknown): void;
	/** Whether this step is not to be undone, by its id. */
	isLeftOut(entryId: string): boolean;
}

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
	/** Found by a rollback's replay. */
	compensations: Compensation[] | null = null;
	/** What its strands wait for. */
	readonly waits: Waits;
	readonly isFresh: boolean;
	readonly #isStrict: boolean;
	/** Tries of steps whose callbacks run. */
	readonly attempts: SparseSet<StepAttempt> = new SparseSet();
	readonly #activity: Activity;
	/** Of a start from records, in development. */
	readonly #replayCheck: ReplayCheck | null;
	#state: "running" | "stopping" | "over" = "running";
	#stopReason: unknown = null;
	#keepsWaits = false;
	#operations = 0;
	#loads = 0;
	#live = 0;
	#isLiveWarned = false;
	readonly ended: Promise<ExecutionEnd>;
	#end!: (end: ExecutionEnd) => void;

	constructor(owner: ExecutionOwner, options: ExecutionOptions) {
		this.owner = owner;
		this.host = owner.host;
		this.journal = owner.journal;
		this.waits = new Waits(owner.host);
		this.isRollback = options.isRollback;
		this.isFresh = options.isFresh;
		this.#isStrict = options.strictRoot;
		this.ended = new Promise((resolve) => {
			this.#end = resolve;
		});
		this.#activity = new Activity(null, this);
		const isChecked = options.checksOrder && !options.isFresh && !options.isRollback;
		this.#replayCheck = isChecked ? new ReplayCheck((found) => this.#warnOf(found)) : null;
		const strand = new Strand(null, this.#activity, options.isFresh);
		this.root = new Scope(Location.root, null, strand, owner.startedAt);
	}

	/** For {@link Activity}. */
	activityChanged(isIdle: boolean): void {
		if (isIdle) this.#whenIdle?.();
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

	/** Whether code of this strand may go on. */
	isStoppedFor(strand: Strand): boolean {
		return this.#state !== "running" || strand.isOver;
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
			this.#endRoot();
			this.finish({ kind: "returned", value });
		} catch (error) {
			this.#threw(error);
		}
	}

	#threw(error: unknown): void {
		this.finish(isCodeError(error) ? { kind: "blocked", error } : { kind: "threw", error });
	}

	/**
	 * For a rollback: runs the function as far as records go. Resolves when all of it waits or has ended: with
	 * why not everything that is to be undone was found, if so.
	 */
	async replay(fn: WorkflowFunction): Promise<unknown> {
		this.#opened = [this.root];
		const waits = new Promise<void>((resolve) => {
			this.#whenIdle = resolve;
		});
		const ended = this.loadScope(this.root)
			.then(() => fn(this, this.root))
			.then(
				() => {},
				// What made it fail, or an error of the code.
				(error: unknown) => (isCodeError(error) ? error : undefined),
			);
		const blocked = this.ended.then((end) => (end.kind === "blocked" ? end.error : undefined));
		const error: unknown = await Promise.race([waits, ended, blocked]);
		return error ?? this.#missed();
	}

	/** Of a rollback's replay: the scopes that its code has come to. */
	#opened: Scope[] | null = null;

	/** Something to undo that the code did not come to. */
	#missed(): HistoryDivergedError | null {
		for (const scope of this.#opened ?? []) {
			for (const [name, entry] of scope.records ?? []) {
				if (scope.visited.has(name) || isInnerId(name) || !mayHaveToUndo(entry)) continue;
				const path = scope.location.pathOf({ kind: "name", name });
				if (this.owner.isLeftOut(idOf(this.host.actorId, entry.epoch, path))) continue;
				const message = `${entry.kind === "step" ? "Step" : `What was done in ${entry.kind}`} "${path}" is to be undone, and the code does not come to it any more. Deploy code that does, say removed("${name}", "${entry.kind === "try" ? "step" : entry.kind}") there, or end the workflow as it is: cancel({ rollback: false }).`;
				return new HistoryDivergedError(
					`${message}\n${diff(scope, null)}${this.owner.versionNote}`,
					{ path, reason: "not visited" },
				);
			}
		}
		return null;
	}

	#whenIdle: (() => void) | null = null;

	/** The end, unless there was one: nothing of it is recorded any more. */
	finish(end: ExecutionEnd): void {
		if (this.#state === "over") return;
		this.#state = "over";
		if (!this.#keepsWaits) this.root.strand.cancel(this.#stopReason);
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

	/**
	 * One operation of a scope: checks that it may begin and that history agrees, then does it. The promise
	 * never settles when the execution does not go on. One that is rejected and that nobody waits for is not
	 * the end of the process: its scope stays busy or tells of it with the next operation.
	 */
	operate<K extends Kind, T>(
		scope: Scope,
		kind: K,
		rawName: unknown,
		work: (entry: Entry<K> | undefined, name: string) => Promise<T>,
	): Promise<T> {
		try {
			return this.#operate(scope, kind, rawName, work);
		} catch (error) {
			const rejected = Promise.reject(error);
			rejected.catch(noop);
			return rejected;
		}
	}

	#operate<K extends Kind, T>(
		scope: Scope,
		kind: K,
		rawName: unknown,
		work: (entry: Entry<K> | undefined, name: string) => Promise<T>,
	): Promise<T> {
		const { strand } = scope;
		if (this.currentAttempt()) throw codeError(new EntryInProgressError());
		if (this.isStoppedFor(strand)) return never();
		if (scope.isBusy) throw codeError(new EntryInProgressError());
		const name = checkName(rawName);
		if (scope.visited.has(name)) {
			const path = scope.location.pathOf({ kind: "name", name });
			return this.block(
				new HistoryDivergedError(
					`Duplicate entry name "${name}" at location "${path}". Names are unique in their scope.`,
					{ path, reason: "duplicate" },
				),
			);
		}
		const entry = scope.records?.get(name);
		if (entry && !entry.is(kind)) return this.#wrongKind(scope, kind, name, entry);
		scope.visited.add(name);
		this.#replayCheck?.visit(scope, kind, name);
		scope.isBusy = true;
		let working: Promise<T>;
		try {
			working = work(entry as Entry<K> | undefined, name);
		} catch (error) {
			scope.isBusy = false;
			throw error;
		}
		const done: Promise<T> = working.then(
			(value) => {
				scope.isBusy = false;
				return value;
			},
			(error: unknown) => {
				scope.isBusy = false;
				// Not before it fails: a wait that lasts would keep one promise more.
				done.catch(noop);
				throw error;
			},
		);
		return done;
	}

	#warnOf({ recorded, visited }: ReplayDifference): void {
		this.host.log.warn(
			{ recorded, visited },
			"a replay came to another entry than the one that was recorded next: code between entries asks the clock, draws random numbers or reads what changes (ctx.now(), ctx.random(), ctx.uuid() and results of steps do not), or it was changed",
		);
	}

	#wrongKind<T>(scope: Scope, kind: Kind, name: string, entry: Entry): Promise<T> {
		const path = scope.location.pathOf({ kind: "name", name });
		const advice =
			entry.kind === "removed"
				? `The code said removed("${name}") before; give the new entry another name.`
				: `Give the new entry another name, and tell of the old one with removed("${name}", "${entry.kind}").`;
		return this.block(
			new HistoryDivergedError(
				`Expected ${kind} "${name}" at ${path}, found ${entry.kind}. ${advice}\n${diff(scope, { kind, name })}${this.owner.versionNote}`,
				{ path, reason: "kind" },
			),
		);
	}

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
		this.#countLive(scope.strand, 1);
		owner.noteEntry();
		return new Entry(kind, owner.nextSequence(), this.host.now(), owner.epoch, data);
	}

	/** Entries of scopes that are not at their end. Throws when they are too many. */
	#countLive(strand: Strand, count: number): void {
		const { maxLiveEntries: limit } = this.owner;
		strand.live += count;
		this.#live += count;
		if (this.#live > limit) throw codeError(catalogueError("workflow.too_many_entries", { limit }));
		if (this.#live > LIVE_WARNING && !this.#isLiveWarned) {
			this.#isLiveWarned = true;
			this.host.log.warn(
				{ entries: this.#live, limit },
				"the workflow keeps many entries; ctx.loop forgets those of finished iterations",
			);
		}
	}

	/** A strand has that many live entries, and no more. */
	#leaveLive(strand: Strand, left: number): void {
		this.#live -= strand.live - left;
		strand.live = left;
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
		this.#loads++;
		const scanned = await this.read(this.host.scan(scope.location.entries));
		this.#loads--;
		scope.records = readScope(scanned);
		this.#countLive(scope.strand, scope.records.size);
	}

	/** What the store has. A store that cannot be read is no failure of the workflow (workflows 10.5). */
	async read<T>(reading: Promise<T>): Promise<T> {
		try {
			return await reading;
		} catch (error) {
			return this.unreadable(error);
		}
	}

	/** The store could not be read: all begins again, later. What waits for this never goes on. */
	unreadable<T>(error: unknown): Promise<T> {
		if (this.#state === "running") this.owner.readFailed(error);
		return never();
	}

	/** Whether scopes are being read: then code of some strands has not come to where it was. */
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
			throw codeError(
				new RangeError(
					`"${location.path}" lies ${location.depth} scopes deep; ${DEPTH_MAX} is most`,
				),
			);
		}
		const scope = new Scope(location, parent, strand, parent.lastTs);
		this.#opened?.push(scope);
		return isNew ? scope : this.#loaded(scope);
	}

	async #loaded(scope: Scope): Promise<Scope> {
		await this.loadScope(scope);
		return this.isStoppedFor(scope.strand) ? never() : scope;
	}

	/** Deletes everything in a scope and below. */
	deleteScope(location: Location): void {
		this.journal.deleteRange(location.entries);
		this.deleteBelow(location);
	}

	/**
	 * A strand is given up: it does not go on, and what it has of the queue is given back. A plain message
	 * takes its old place, unless a step has been done with it.
	 */
	abandon(strand: Strand, reason: unknown): void {
		if (strand.isOver) return;
		for (const child of [...strand.children]) this.abandon(child, reason);
		for (const scope of strand.holding) {
			strand.holding.delete(scope);
			// Its code, if it still runs, is not told: it does not go on.
			for (const { stored } of scope.takeOpen()) this.host.messages.release(stored.id);
		}
		this.giveBack(strand);
		this.strandEnded(strand);
		strand.cancel(reason);
	}

	/** What is recorded of a strand is of no more use than how it ended. */
	strandEnded(strand: Strand): void {
		this.#leaveLive(strand, 0);
	}

	/** Plain messages that a strand has received and done no step with take their old places. */
	giveBack(strand: Strand): void {
		for (const { message, entry, location, name } of strand.takeReceived()) {
			// Its record may be kept, for a rollback.
			message.isReturned = true;
			this.journal.entry(location.namedKey(name), entry);
			this.host.messages.putBack(heldAgain(message));
		}
	}

	/**
	 * A scope has come to its end without an error: everything recorded in it was visited, and messages that
	 * were not completed are given back.
	 */
	endScope(scope: Scope): void {
		if (this.isRollback) return;
		if (scope.isBusy) throw codeError(new EntryInProgressError());
		const left = scope.unvisited();
		if (left) throw this.#notVisited(scope, left);
		scope.strand.holding.delete(scope);
		for (const message of scope.takeOpen()) message.release();
		this.#leaveLive(scope.strand, scope.liveBefore);
	}

	/**
	 * A scope's code has failed: nothing of it goes on, also what it did not wait for, and what is open in it and below is
	 * given back. Code that comes here again from records is told so by them, and does not have it again.
	 */
	failScope(scope: Scope, reason: unknown): void {
		const { strand } = scope;
		if (this.isRollback || isCodeError(reason) || this.isStoppedFor(strand)) return;
		for (const child of [...strand.children]) this.abandon(child, reason);
		strand.callOff(reason);
		for (const holder of [...strand.holding]) {
			if (!holder.isWithin(scope)) continue;
			strand.holding.delete(holder);
			for (const message of holder.takeOpen()) message.giveBack();
		}
		this.#leaveLive(strand, scope.liveBefore);
	}

	/** At the root it is only said, unless it is to be an error (workflows 4.5). */
	#endRoot(): void {
		const { root } = this;
		if (root.isBusy) throw codeError(new EntryInProgressError());
		const left = root.unvisited();
		if (!left) return;
		const error = this.#notVisited(root, left);
		if (this.#isStrict) throw error;
		this.host.log.warn({ workflow: left.name }, error.message);
	}

	#notVisited(
		scope: Scope,
		{ name, entry }: { readonly name: string; readonly entry: Entry },
	): HistoryDivergedError {
		const path = scope.location.pathOf({ kind: "name", name });
		const type = entry.kind === "try" ? "step" : entry.kind;
		const message = `Entry "${path}" exists in history but was not visited. If it is gone from the code, say removed("${name}", "${type}") there; if it has another name now, say so as well.`;
		return new HistoryDivergedError(`${message}\n${diff(scope, null)}${this.owner.versionNote}`, {
			path,
			reason: "not visited",
		});
	}

	/** A completable message that is in this scope's hands. */
	openMessage(
		scope: Scope,
		key: Uint8Array,
		entry: Entry,
		stored: ConstructorParameters<typeof OpenMessage>[4],
	): OpenMessage {
		const open = new OpenMessage(this, scope, key, entry, stored);
		if (!stored.isCompleted && !stored.isReturned) {
			scope.addOpen(open);
			scope.strand.holding.add(scope);
		}
		return open;
	}

	/** It waits for what does not come here: a rollback's replay has seen all there is on this strand. */
	park<T>(strand: Strand): Promise<T> {
		strand.wait();
		return never();
	}
}

/** Whether there may be completed steps in it, or it is one, that a rollback undoes. */
function mayHaveToUndo(entry: Entry): boolean {
	if (entry.is("step")) {
		const { isCompensable = false } = entry.data;
		return isCompensable && entry.status === "completed" && entry.rollbackCompletedAt === 0;
	}
	if (entry.is("loop") || entry.is("join") || entry.is("race")) {
		return (entry.data.kept?.length ?? 0) > 0;
	}
	return entry.is("try") && (entry.data.compensable ?? 0) > 0;
}

/** Whether it is a completed step, or there may be some in it. */
export function mayHoldSteps({ kind, status }: Entry): boolean {
	switch (kind) {
		case "step":
			return status === "completed";
		case "loop":
		case "join":
		case "race":
		case "try":
			return true;
		default:
			return false;
	}
}

const utf8 = new TextEncoder();

function checkName(name: unknown): string {
	if (typeof name !== "string" || name === "") {
		const found = typeof name === "string" ? "an empty one" : typeof name;
		throw codeError(new TypeError(`An entry's name is text that is not empty, not ${found}`));
	}
	if (name.length * 3 > NAME_BYTES_MAX && utf8.encode(name).byteLength > NAME_BYTES_MAX) {
		throw codeError(
			new RangeError(`The entry name "${name.slice(0, 40)}…" has over ${NAME_BYTES_MAX} bytes`),
		);
	}
	if (/\p{Surrogate}/u.test(name)) {
		throw codeError(new TypeError("An entry's name has half of a surrogate pair in it"));
	}
	return name;
}

function noop(): void {}

/** What history has and what the code asked for, in one list. */
const DIFF_LINES_MAX = 20;

function diff(scope: Scope, asked: { readonly kind: Kind; readonly name: string } | null): string {
	const lines: string[] = [];
	for (const [name, entry] of scope.records ?? []) {
		if (isInnerId(name)) continue;
		if (name === asked?.name) lines.push(`- ${entry.kind} "${name}"`, `+ ${asked.kind} "${name}"`);
		else lines.push(`${scope.visited.has(name) ? " " : "-"} ${entry.kind} "${name}"`);
	}
	const more = lines.length - DIFF_LINES_MAX;
	const shown = more > 0 ? [...lines.slice(0, DIFF_LINES_MAX), `  … ${more} more`] : lines;
	const where = scope.location.path === "" ? "the root" : scope.location.path;
	return [`In ${where} (- recorded and not asked for, + asked for):`, ...shown].join("\n");
}
