import type { AtomicScope, BatchPart, OpenBatch, Savepoint } from "../commit/batch-part.ts";
import { type CronJob, EMPTY_HISTORY, type HistoryRange, type JobDefinition } from "./cron-job.ts";
import type { HistoryLog } from "./history-log.ts";
import type { PendingCall, Run } from "./pending-call.ts";
import { planRuns } from "./plan-runs.ts";
import { type HistoryRow, JOB_LAYOUT } from "./schedule-layout.ts";
import { StoredRows } from "./stored-rows.ts";
import { isSameTiming, nextTime } from "./timing.ts";

/** A time of a job that gets a run. */
export interface PlannedRun {
	readonly source: Run;
	readonly scheduledAt: number;
}

/** An actor's recurring jobs, and what becomes of their runs. */
export class JobTable implements BatchPart {
	readonly #rows = new StoredRows(JOB_LAYOUT);
	readonly #history: HistoryLog;

	constructor(history: HistoryLog) {
		this.#history = history;
	}

	get size(): number {
		return this.#rows.size;
	}

	load(job: CronJob): void {
		this.#rows.load(job);
	}

	get(sequence: number): CronJob | undefined {
		return this.#rows.get(sequence);
	}

	byName(name: string): CronJob | undefined {
		for (const job of this.#rows.values()) if (job.name === name) return job;
		return undefined;
	}

	/** In no particular order. */
	values(): Iterable<CronJob> {
		return this.#rows.values();
	}

	create(definition: JobDefinition, sequence: number, id: string, nowMs: number): void {
		this.#rows.set({
			...definition,
			sequence,
			id,
			nextAt: nextTime(definition.timing, nowMs),
			lastRunAt: null,
			history: EMPTY_HISTORY,
		});
	}

	/** Whether anything is different now. The next time stays unless the timing is another one. */
	update(known: CronJob, definition: JobDefinition, nowMs: number): boolean {
		const keepsTime = isSameTiming(known.timing, definition.timing);
		if (keepsTime && isSameDefinition(known, definition)) return false;
		this.#rows.set({
			...known,
			...definition,
			...(keepsTime ? { timing: known.timing } : { nextAt: nextTime(definition.timing, nowMs) }),
			history: this.#history.trimmed(known.sequence, known.history, definition.maxHistory),
		});
		return true;
	}

	delete({ sequence }: CronJob): void {
		this.#history.deleteAll(sequence);
		this.#rows.delete(sequence);
	}

	/**
	 * Moves a job that is due on to its next time, and tells which times get a run. Throws a `TypeError`
	 * when the job's expression is none any more.
	 */
	plan(job: CronJob, nowMs: number, pendingRuns: number): PlannedRun[] {
		const { runs, leftOut, nextAt } = planRuns(job, nowMs, pendingRuns);
		let { history } = job;
		for (const { scheduledAt, reason } of leftOut) {
			const index = history.next;
			history = this.#extended(job, history);
			this.#history.put(job.sequence, index, history, {
				action: job.action,
				scheduledAt,
				firedAt: nowMs,
				finishedAt: null,
				result: "skipped",
				attempts: 0,
				error: { group: "schedule", code: "skipped", message: reason },
			});
		}
		const planned = runs.map((scheduledAt): PlannedRun => {
			const source: Run = { kind: "run", job: job.sequence, index: history.next };
			history = this.#extended(job, history);
			return { source, scheduledAt };
		});
		this.#rows.set({ ...job, nextAt, history });
		return planned;
	}

	/** One more entry, and the oldest out when there are too many. */
	#extended(job: CronJob, { first, next }: HistoryRange): HistoryRange {
		return this.#history.trimmed(job.sequence, { first, next: next + 1 }, job.maxHistory);
	}

	/** A try of a run begins. */
	began(run: Run, call: PendingCall, firedAt: number): void {
		const job = this.#rows.get(run.job);
		if (!job) return;
		this.#rows.set({ ...job, lastRunAt: firedAt });
		this.record(run, call, { firedAt, finishedAt: null, result: "running", error: null });
	}

	/** What became of a run so far. */
	record(
		{ job: sequence, index }: Run,
		{ scheduledAt, attempt }: PendingCall,
		outcome: Pick<HistoryRow, "firedAt" | "finishedAt" | "result" | "error">,
	): void {
		const job = this.#rows.get(sequence);
		if (!job) return;
		const { action, history } = job;
		const row: HistoryRow = { action, scheduledAt, attempts: attempt, ...outcome };
		this.#history.put(sequence, index, history, row);
	}

	take(batch: OpenBatch): void {
		this.#rows.take(batch);
	}

	committed(): void {
		this.#rows.committed();
	}

	rollBack(): void {
		this.#rows.rollBack();
	}

	savepoint(scope: AtomicScope): Savepoint {
		return this.#rows.savepoint(scope);
	}
}

function isSameDefinition(a: JobDefinition, b: JobDefinition): boolean {
	return (
		a.action === b.action &&
		a.maxHistory === b.maxHistory &&
		a.catchUp === b.catchUp &&
		a.overlap === b.overlap &&
		RETRY_KEYS.every((key) => a.retry[key] === b.retry[key]) &&
		a.args.byteLength === b.args.byteLength &&
		a.args.every((byte, at) => byte === b.args[at])
	);
}

const RETRY_KEYS = ["attempts", "delay", "factor", "maxDelay"] as const;
