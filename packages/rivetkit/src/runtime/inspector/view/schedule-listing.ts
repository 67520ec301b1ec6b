import { decodeCbor } from "@rivetkit/protocol";
import type { CatchUp, Overlap, Retrying } from "../../../actor/schedule.types.ts";
import type { CronJob } from "../../schedule/cron-job.ts";
import type { OneShot, PendingCall } from "../../schedule/pending-call.ts";
import type { RetryPolicy } from "../../schedule/retry.ts";
import { parkedOf, progressOf } from "../../schedule/schedule-access.ts";
import type { HistoryRow } from "../../schedule/schedule-layout.ts";
import type { ScheduleRows } from "./schedule-rows.ts";

/** A pending call or a job: the members of the contract's `Schedule` (protocol 8.8), and ours behind them. */
export interface ScheduleJson {
	readonly id: string;
	readonly name?: string;
	readonly kind: "at" | "cron" | "every";
	readonly action: string;
	readonly args: unknown;
	readonly nextRunAt: number;
	readonly lastRunAt?: number;
	readonly expression?: string;
	readonly timezone?: string;
	readonly intervalMs?: number;
	readonly maxHistory?: number;
	readonly catchUp?: CatchUp;
	readonly overlap?: Overlap;
	/** Of a job that is tried more than once. */
	readonly retry?: RetryPolicy;
	/** Present while a try is running. */
	readonly running?: true;
	/** Present between a failed try and the next one. */
	readonly retrying?: Retrying;
	/** Why it does not run although it is due. */
	readonly parked?: string;
}

/** One-shot calls in the order in which they will be made, then jobs by name. */
export function schedulesOf(rows: ScheduleRows): ScheduleJson[] {
	return [
		...rows.calls().map((call) => callJson(rows, call)),
		...rows.jobs().map((job) => jobJson(rows, job)),
	];
}

function callJson(rows: ScheduleRows, call: PendingCall): ScheduleJson {
	const { id, action, args } = call.source as OneShot;
	return {
		id,
		kind: "at",
		action,
		args: decodeCbor(args),
		nextRunAt: call.scheduledAt,
		...progressOf(call),
		...parkedOf(rows.callParked(call)),
	};
}

function jobJson(rows: ScheduleRows, job: CronJob): ScheduleJson {
	const { id, name, timing, action, args, nextAt, lastRunAt, maxHistory } = job;
	const { catchUp, overlap, retry } = job;
	const progress = rows.runsOf(job).map(progressOf);
	return {
		id,
		name,
		kind: timing.kind,
		action,
		args: decodeCbor(args),
		nextRunAt: nextAt,
		...(lastRunAt !== null && { lastRunAt }),
		...(timing.kind === "cron"
			? { expression: timing.expression, timezone: timing.timezone }
			: { intervalMs: timing.interval }),
		maxHistory,
		catchUp,
		overlap,
		...(retry.attempts > 1 && { retry }),
		...(progress.some(({ running }) => running) && { running: true as const }),
		...progress.find(({ retrying }) => retrying),
		...parkedOf(rows.jobParked(job)),
	};
}

/** What became of the runs of a job, newest first; nothing for an id that is no job's. */
export async function historyOf(
	rows: ScheduleRows,
	scheduleId: string,
	limit: number,
): Promise<{ scheduleId: string; history: FireJson[] }> {
	const job = rows.jobs().find(({ id }) => id === scheduleId);
	const history = job ? await rows.historyOf(job.name, limit) : [];
	return { scheduleId, history: history.map(fireJson) };
}

/** One-shot calls that were given up, newest first. */
export async function failuresOf(
	rows: ScheduleRows,
	limit: number,
): Promise<{ failures: object[] }> {
	const failures = await rows.failures(limit);
	return { failures: failures.map((row) => ({ id: row.id, ...fireJson(row) })) };
}

/** The contract's `Fire` (protocol 8.8), and how often it was tried. */
export interface FireJson {
	readonly action: string;
	readonly scheduledAt: number;
	readonly firedAt: number;
	readonly finishedAt?: number;
	readonly result: HistoryRow["result"];
	readonly error?: { readonly group: string; readonly code: string; readonly message: string };
	readonly attempts: number;
}

function fireJson(row: HistoryRow): FireJson {
	const { action, scheduledAt, firedAt, finishedAt, result, attempts, error } = row;
	return {
		action,
		scheduledAt,
		firedAt,
		...(finishedAt !== null && { finishedAt }),
		result,
		...(error && { error }),
		attempts,
	};
}
