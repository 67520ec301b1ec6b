import type { AtomicScope, BatchPart, OpenBatch, Savepoint } from "../commit/batch-part.ts";
import { EMPTY_HISTORY } from "./cron-job.ts";
import type { HistoryLog } from "./history-log.ts";
import type { FireError, OneShot, PendingCall } from "./pending-call.ts";
import {
	FAILURE_LOG_LAYOUT,
	FAILURES,
	type FailureRange,
	type HistoryRow,
} from "./schedule-layout.ts";
import { StoredRows } from "./stored-rows.ts";

/** One-shot calls that were given up and are remembered. */
const FAILURES_MAX = 100;

/** The one-shot calls of an actor that failed as often as they were to be tried. */
export class FailureLog implements BatchPart {
	readonly #range = new StoredRows<FailureRange>(FAILURE_LOG_LAYOUT);
	readonly #history: HistoryLog;

	constructor(history: HistoryLog) {
		this.#history = history;
	}

	load(range: FailureRange): void {
		this.#range.load(range);
	}

	add(
		{ id, action }: OneShot,
		{ scheduledAt, attempt }: PendingCall,
		failedAt: number,
		error: FireError,
	): void {
		const { first, next } = this.#range.get(FAILURES) ?? EMPTY_HISTORY;
		const range = this.#history.trimmed(FAILURES, { first, next: next + 1 }, FAILURES_MAX);
		this.#range.set({ sequence: FAILURES, ...range });
		this.#history.put(FAILURES, next, range, {
			id,
			action,
			scheduledAt,
			firedAt: failedAt,
			finishedAt: failedAt,
			result: "error",
			attempts: attempt,
			error,
		});
	}

	/** Newest first. */
	read(limit: number): Promise<HistoryRow[]> {
		return this.#history.read(FAILURES, limit);
	}

	take(batch: OpenBatch): void {
		this.#range.take(batch);
	}

	committed(): void {
		this.#range.committed();
	}

	rollBack(): void {
		this.#range.rollBack();
	}

	savepoint(scope: AtomicScope): Savepoint {
		return this.#range.savepoint(scope);
	}
}
