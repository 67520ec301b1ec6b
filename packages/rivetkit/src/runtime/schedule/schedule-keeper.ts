import { catalogueError } from "@rivetkit/protocol";
import { findAction } from "../../actor/erased.ts";
import { LazyHeap } from "../collections/lazy-heap.ts";
import {
	type AtomicScope,
	type BatchPart,
	joinSavepoints,
	type OpenBatch,
	type Savepoint,
} from "../commit/batch-part.ts";
import type { StoredEntries } from "../commit/storage-layout.ts";
import { UndoLog } from "../commit/undo-log.ts";
import type { AlarmSource } from "../instance/alarm-keeper.ts";
import type { ActorInstance } from "../instance/instance.ts";
import { CallIndex } from "./call-index.ts";
import type { CronJob, JobDefinition } from "./cron-job.ts";
import { FailureLog } from "./failure-log.ts";
import { fireInOrder } from "./firing.ts";
import { HistoryLog } from "./history-log.ts";
import { JobTable } from "./job-table.ts";
import {
	begun,
	type FireError,
	failed,
	type OneShot,
	type PendingCall,
	pendingCall,
} from "./pending-call.ts";
import { NO_RETRY, pauseAfter, pauseAfterInterruption, type RetryPolicy } from "./retry.ts";
import { CALL_LAYOUT, type HistoryRow, readRow } from "./schedule-layout.ts";
import { StoredRows } from "./stored-rows.ts";
import { byDue, Turns } from "./turns.ts";

/** An actor looks this often whether the actions of its parked calls are back (ms). */
const PARKED_CHECK_MS = 3_600_000;
/** After a commit that failed nothing fires for this long (ms), doubling up to the second. */
const HOLD_FIRST_MS = 1_000;
const HOLD_MAX_MS = 60_000;

/** A call that is about to be made, with all that its row leaves to its job. */
export interface Startable {
	readonly call: PendingCall;
	readonly job: CronJob | null;
	readonly action: string;
	readonly args: Uint8Array;
}

/**
 * An actor's scheduled calls and recurring jobs (contract: lifecycle 13, api 10).
 *
 * - K1. A call leaves the table in the same batch as what its action wrote last, and a try is written down
 *   and durable before its action starts. So a crash makes a call again, and every try is counted.
 * - K2. A job that is due moves on and gets its run in one batch: no time of a job is lost or used twice.
 * - K3. The actor's alarm is never later than what has to be done, tries in progress included.
 * - K4. Nothing fires before its time by the wall clock, while the actor stops, or while commits fail. What is
 *   due when a start hook or `run` says `c.sleep()` comes first: each wake gets on with it.
 * - K5. What cannot run because its action is gone stays, and is looked at again.
 */
export class ScheduleKeeper implements BatchPart, AlarmSource {
	readonly #instance: ActorInstance;
	readonly #history: HistoryLog;
	readonly #calls = new StoredRows<PendingCall>(CALL_LAYOUT, (before, after) =>
		this.#callChanged(before, after),
	);
	readonly #index = new CallIndex({
		current: (sequence) => this.#calls.get(sequence),
		dueTs: (call) => this.#dueTs(call),
		isLeftOut: ({ sequence }) => this.#claimed.has(sequence) || this.#gone.has(sequence),
	});
	readonly #jobs: JobTable;
	readonly #failures: FailureLog;
	#nextSequence = 1;
	/** Calls in the hands of {@link fireInOrder}. */
	readonly #claimed = new Set<number>();
	/** The same, earliest first. */
	readonly #inProgress = new LazyHeap<PendingCall>(
		(a, b) => a.dueAt < b.dueAt,
		({ sequence, dueAt }) =>
			this.#claimed.has(sequence) && this.#calls.get(sequence)?.dueAt === dueAt,
	);
	/** One-shot calls whose action is gone. */
	readonly #gone = new Set<number>();
	/** Calls that were cut off, and until when they wait (ms since the epoch). */
	readonly #waits = new Map<number, number>();
	/** Jobs that cannot be planned, by sequence, and why. */
	readonly #broken = new Map<number, string>();
	#heldUntil = 0;
	#holdMs = 0;
	#parkedCheckTs = 0;
	/** What jobs and their runs say about {@link Times}. */
	#jobTimes: JobTimes | null = null;
	#undo: UndoLog | null = null;

	constructor(instance: ActorInstance) {
		this.#instance = instance;
		this.#history = new HistoryLog((range) =>
			instance.services.backend.scan(instance.assignment, range),
		);
		this.#jobs = new JobTable(this.#history);
		this.#failures = new FailureLog(this.#history);
	}

	/** What a wake found on disk. */
	load(entries: StoredEntries): void {
		const now = this.#instance.now();
		for (const [key, value] of entries) {
			const { kind, row } = readRow(key, value);
			this.#nextSequence = Math.max(this.#nextSequence, row.sequence + 1);
			if (kind === "call") this.#calls.load(row);
			else if (kind === "job") this.#jobs.load(row);
			else this.#failures.load(row);
		}
		for (const call of this.#calls.values()) if (call.isRunning) this.#cutOff(call, now);
		this.#parkedCheckTs = now + PARKED_CHECK_MS;
		for (const reason of this.#parkedReasons()) {
			this.#instance.log.error({ reason }, "scheduled calls are parked until their action is back");
		}
	}

	#cutOff(call: PendingCall, now: number): void {
		const { sequence, source, scheduledAt, attempt } = call;
		const pauseMs = pauseAfterInterruption(call.interruptions);
		this.#waits.set(sequence, now + pauseMs);
		const job = source.kind === "run" ? this.#jobs.get(source.job) : undefined;
		const names = source.kind === "at" ? { action: source.action } : { job: job?.name };
		this.#instance.log.warn(
			{ ...names, scheduledAt, attempt, pauseMs },
			"a scheduled action was cut off; it is run again",
		);
	}

	#parkedReasons(): Set<string> {
		const reasons = new Set<string>();
		for (const call of this.#calls.values()) reasons.add(this.callParked(call) ?? "");
		for (const job of this.#jobs.values()) reasons.add(this.jobParked(job) ?? "");
		reasons.delete("");
		return reasons;
	}

	// One-shot calls

	#callChanged(before: PendingCall | undefined, after: PendingCall | undefined): void {
		if ((after ?? before)!.source.kind === "run") this.#jobTimes = null;
		else if (!after) this.#gone.delete(before!.sequence);
		else if (!before && this.callParked(after) !== null) this.#gone.add(after.sequence);
		this.#index.changed(before, after);
	}

	/** In the order in which they will be made. */
	calls(): PendingCall[] {
		return [...this.#calls.values()].filter(({ source }) => source.kind === "at").sort(byDue);
	}

	call(id: string): PendingCall | undefined {
		const sequence = this.#index.sequenceOf(id);
		return sequence === undefined ? undefined : this.#calls.get(sequence);
	}

	/** Throws `action.not_found` and `schedule.full`. */
	add(call: Omit<OneShot, "kind" | "id">, runAt: number): string {
		this.#assertAction(call.action);
		this.#assertRoom();
		const id = this.#instance.services.random.uuid();
		const source: OneShot = { kind: "at", id, ...call };
		this.#calls.set(pendingCall(this.#nextSequence++, source, runAt));
		this.#changed();
		this.#instance.telemetry?.event("schedule.created", {
			"rivet.schedule.event_id": id,
			"rivet.schedule.timestamp_ms": runAt,
			"rivet.action.name": call.action,
		});
		return id;
	}

	cancel(id: string): boolean {
		const call = this.call(id);
		if (!call) return false;
		this.#drop(call);
		this.#changed();
		return true;
	}

	failures(limit: number): Promise<HistoryRow[]> {
		return this.#failures.read(limit);
	}

	// Jobs

	/** By name. */
	jobs(): CronJob[] {
		return [...this.#jobs.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
	}

	job(name: string): CronJob | undefined {
		return this.#jobs.byName(name);
	}

	/** The runs of a job that have not ended, in order. */
	runsOf({ sequence }: CronJob): PendingCall[] {
		return [...this.#index.runs]
			.filter(({ source }) => source.kind === "run" && source.job === sequence)
			.sort((a, b) => a.sequence - b.sequence);
	}

	/** Throws `action.not_found` and `schedule.full`. */
	setJob(definition: JobDefinition): void {
		this.#assertAction(definition.action);
		const now = this.#instance.now();
		const known = this.#jobs.byName(definition.name);
		if (known) {
			if (!this.#jobs.update(known, definition, now)) return;
			this.#mended(known);
		} else {
			this.#assertRoom();
			const id = this.#instance.services.random.uuid();
			this.#jobs.create(definition, this.#nextSequence++, id, now);
		}
		this.#jobTimes = null;
		this.#changed();
	}

	deleteJob(name: string): boolean {
		const job = this.#jobs.byName(name);
		if (!job) return false;
		for (const run of this.runsOf(job)) this.#drop(run);
		this.#jobs.delete(job);
		this.#mended(job);
		this.#jobTimes = null;
		this.#changed();
		return true;
	}

	#mended({ sequence }: CronJob): void {
		const why = this.#broken.get(sequence);
		if (why === undefined) return;
		this.#broken.delete(sequence);
		this.#undo?.note(() => this.#broken.set(sequence, why));
	}

	async historyOf(name: string, limit: number): Promise<HistoryRow[]> {
		const job = this.#jobs.byName(name);
		return job ? this.#history.read(job.sequence, limit) : [];
	}

	// What is parked

	/** Why a job does not run although it is due; null when it does. */
	jobParked(job: CronJob): string | null {
		return this.#broken.get(job.sequence) ?? this.#actionGone(job.action);
	}

	/** Why a call is not made although it is due; null when it is. */
	callParked({ source }: PendingCall): string | null {
		if (source.kind === "at") return this.#actionGone(source.action);
		const job = this.#jobs.get(source.job);
		return job ? this.jobParked(job) : "its job is gone";
	}

	#actionGone(action: string): string | null {
		if (findAction(this.#instance.config, action)) return null;
		return `the actor has no action '${action}'`;
	}

	// When

	nextTs(): number | null {
		return finite(this.#look().next);
	}

	wakeTs(): number | null {
		return finite(this.#look().wake);
	}

	#look(): Times {
		this.#jobTimes ??= this.#computeJobTimes();
		const { nextTs, hasParked } = this.#jobTimes;
		let next = Math.min(nextTs, this.#index.nextTs);
		if (hasParked || this.#gone.size > 0) next = Math.min(next, this.#parkedCheckTs);
		const inProgressTs = this.#inProgress.peek()?.dueAt ?? Number.POSITIVE_INFINITY;
		return { next: Math.max(next, this.#heldUntil), wake: Math.min(next, inProgressTs) };
	}

	#computeJobTimes(): JobTimes {
		let nextTs = Number.POSITIVE_INFINITY;
		let hasParked = false;
		const turns = this.#turns();
		for (const run of this.#index.runs) {
			if (this.#claimed.has(run.sequence)) continue;
			if (this.callParked(run) !== null) hasParked = true;
			else if (turns.has(run)) nextTs = Math.min(nextTs, this.#dueTs(run));
		}
		for (const job of this.#jobs.values()) {
			if (this.jobParked(job) !== null) hasParked = true;
			else nextTs = Math.min(nextTs, job.nextAt);
		}
		return { nextTs, hasParked };
	}

	#dueTs(call: PendingCall): number {
		return Math.max(call.dueAt, this.#waits.get(call.sequence) ?? 0);
	}

	#turns(beside?: ReadonlySet<number>): Turns {
		if (this.#jobs.size === 0) return NO_TURNS;
		const mayOverlap = (job: number) => this.#jobs.get(job)?.overlap === "allow";
		return new Turns(this.#index.runs, mayOverlap, beside);
	}

	due(nowMs: number): void {
		// One that only wants to sleep was woken for this, and would be again.
		if (this.#instance.stopIntent === "destroy") return;
		if (this.#parkedCheckTs <= nowMs) this.#parkedCheckTs = nowMs + PARKED_CHECK_MS;
		for (const job of [...this.#jobs.values()]) {
			if (job.nextAt <= nowMs && this.jobParked(job) === null) this.#planJob(job, nowMs);
		}
		const calls = this.#dueCalls(nowMs);
		for (const call of calls) {
			this.#claimed.add(call.sequence);
			this.#inProgress.push(call);
		}
		this.#jobTimes = null;
		const together = calls.map(({ sequence }) => sequence);
		if (together.length > 0) void fireInOrder(this.#instance, this, together);
	}

	#planJob(job: CronJob, nowMs: number): void {
		try {
			const planned = this.#jobs.plan(job, nowMs, this.runsOf(job).length);
			for (const { source, scheduledAt } of planned) {
				this.#calls.set(pendingCall(this.#nextSequence++, source, scheduledAt));
			}
			this.#wrote();
		} catch (error) {
			this.#broken.set(job.sequence, error instanceof Error ? error.message : String(error));
			this.#instance.log.error({ err: error, job: job.name }, "a job cannot be run; it is parked");
		}
	}

	/** In the order of their firing, those that wait for another one of these included. */
	#dueCalls(nowMs: number): PendingCall[] {
		const runs = [...this.#index.runs].filter(
			(run) =>
				this.#dueTs(run) <= nowMs &&
				!this.#claimed.has(run.sequence) &&
				this.callParked(run) === null,
		);
		const turns = this.#turns(new Set(runs.map(({ sequence }) => sequence)));
		const due = runs.filter((run) => turns.has(run));
		return [...this.#index.takeDue(nowMs), ...due].sort(byDue);
	}

	// Firing; for `fireInOrder` only

	/** The call, when it can be made now: it may have been cancelled since it fell due, or have to wait. */
	startable(sequence: number): Startable | null {
		const call = this.#calls.get(sequence);
		if (!call || this.callParked(call) !== null) return null;
		if (call.source.kind === "at") {
			const { action, args } = call.source;
			return { call, job: null, action, args };
		}
		if (!this.#turns().has(call)) return null;
		const job = this.#jobs.get(call.source.job)!;
		return { call, job, action: job.action, args: job.args };
	}

	/** Writes down that a try begins (K1). */
	begin({ call }: Startable): PendingCall {
		const running = begun(call);
		this.#calls.set(running);
		this.#waits.delete(call.sequence);
		if (call.source.kind === "run") {
			this.#jobs.began(call.source, running, this.#instance.now());
		}
		this.#wrote();
		return running;
	}

	/** Whether a begun call is still to be made. */
	isWanted(call: PendingCall): boolean {
		return this.#calls.get(call.sequence) === call;
	}

	succeeded(call: PendingCall, firedAt: number): void {
		if (!this.#calls.get(call.sequence)) return;
		const finishedAt = this.#instance.now();
		if (call.source.kind === "run") {
			this.#jobs.record(call.source, call, { firedAt, finishedAt, result: "ok", error: null });
		}
		this.#drop(call);
		this.#changed();
	}

	/** Returns in how many ms the call is tried again; null when it is given up. */
	failed(call: PendingCall, firedAt: number, error: FireError): number | null {
		if (!this.#calls.get(call.sequence)) return null;
		const finishedAt = this.#instance.now();
		const pauseMs = pauseAfter(this.#retryOf(call), call.failures + 1);
		if (call.source.kind === "run") {
			this.#jobs.record(call.source, call, { firedAt, finishedAt, result: "error", error });
		}
		if (pauseMs !== null) {
			this.#calls.set(failed(call, error, finishedAt + pauseMs));
		} else {
			if (call.source.kind === "at") this.#failures.add(call.source, call, finishedAt, error);
			this.#drop(call);
		}
		this.#changed();
		return pauseMs;
	}

	/** Calls are no longer in the hands of `fireInOrder`. */
	release(sequences: Iterable<number>): void {
		for (const sequence of sequences) {
			if (!this.#claimed.delete(sequence)) continue;
			const call = this.#calls.get(sequence);
			if (call?.source.kind === "at") this.#index.offer(call);
			else this.#jobTimes = null;
		}
		this.#instance.alarm.changed();
	}

	#retryOf({ source }: PendingCall): RetryPolicy {
		if (source.kind === "at") return source.retry;
		return this.#jobs.get(source.job)?.retry ?? NO_RETRY;
	}

	#drop({ sequence }: PendingCall): void {
		const wait = this.#waits.get(sequence);
		this.#calls.delete(sequence);
		this.#waits.delete(sequence);
		if (wait !== undefined) this.#undo?.note(() => this.#waits.set(sequence, wait));
	}

	#assertAction(name: string): void {
		if (!findAction(this.#instance.config, name))
			throw catalogueError("action.not_found", { name });
	}

	#assertRoom(): void {
		const limit = this.#instance.options.maxSchedules;
		// Runs of jobs do not count.
		if (this.#index.oneShotCount + this.#jobs.size < limit) return;
		throw catalogueError("schedule.full", { limit });
	}

	// Commits

	#changed(): void {
		this.#wrote();
		this.#instance.alarm.changed();
	}

	#wrote(): void {
		this.#instance.committer.markDirty();
		// A call asks for the commit when it ends; everybody else needs the timer (W-STATE-2).
		if (!this.#instance.inCall) this.#instance.writes.saveSoon();
	}

	take(batch: OpenBatch): void {
		for (const part of this.#parts) part.take(batch);
	}

	committed(): void {
		for (const part of this.#parts) part.committed();
		if (this.#holdMs === 0) return;
		this.#holdMs = 0;
		this.#heldUntil = 0;
		this.#instance.alarm.changed();
	}

	rollBack(): void {
		for (const part of this.#parts) part.rollBack();
		this.#undo?.clear();
		this.#jobTimes = null;
		this.hold();
	}

	savepoint(scope: AtomicScope): Savepoint {
		this.#undo = new UndoLog(scope, () => {
			this.#undo = null;
			this.#jobTimes = null;
			this.#instance.alarm.changed();
		});
		// Its own is rewound last: it looks at the others.
		return joinSavepoints([this.#undo, ...this.#parts.map((part) => part.savepoint(scope))]);
	}

	/**
	 * With a disk that takes nothing, whatever is due would be tried as fast as commits fail (K4). Failures
	 * during the pause do not prolong it: a client whose calls cannot be committed must not put off what is
	 * scheduled for good.
	 */
	hold(): void {
		const now = this.#instance.now();
		if (now < this.#heldUntil) return;
		this.#holdMs = Math.min(HOLD_MAX_MS, Math.max(HOLD_FIRST_MS, this.#holdMs * 2));
		this.#heldUntil = now + this.#holdMs;
	}

	get #parts(): readonly BatchPart[] {
		return [this.#calls, this.#jobs, this.#failures, this.#history];
	}
}

/** Without jobs every call may begin at any time. */
const NO_TURNS = new Turns([], () => true);

interface JobTimes {
	/** When a job or a run of one is due. */
	readonly nextTs: number;
	/** Whether some cannot be run. */
	readonly hasParked: boolean;
}

interface Times {
	/** When there is something to do. */
	readonly next: number;
	/** When the actor has to be awake: what is in progress would have to be done again. */
	readonly wake: number;
}

const finite = (ts: number): number | null => (ts === Number.POSITIVE_INFINITY ? null : ts);
