import { decodeCbor } from "@rivetkit/protocol";
import type {
	Fire,
	Schedule,
	ScheduleFailuresAnswer,
	ScheduleHistoryAnswer,
} from "@rivetkit/protocol/inspector/answers";
import type { CronJob } from "../../schedule/cron-job.ts";
import type { OneShot, PendingCall } from "../../schedule/pending-call.ts";
import { parkedOf, progressOf } from "../../schedule/schedule-access.ts";
import type { HistoryRow } from "../../schedule/schedule-layout.ts";
import type { ScheduleRows } from "./schedule-rows.ts";

/**
 * One-shot calls in the order in which they will be made, then jobs by name.
 *
 * @param isShowable - of arguments: those that are not are left out, with a note
 */
export function schedulesOf(rows: ScheduleRows, isShowable: IsShowable): Schedule[] {
	return [
		...rows.calls().map((call) => callJson(rows, call, isShowable)),
		...rows.jobs().map((job) => jobJson(rows, job, isShowable)),
	];
}

type IsShowable = (args: unknown) => boolean;

function argsJson(bytes: Uint8Array, isShowable: IsShowable): Pick<Schedule, "args" | "isTooDeep"> {
	const args = decodeCbor(bytes);
	return isShowable(args) ? { args } : { isTooDeep: true };
}

function callJson(rows: ScheduleRows, call: PendingCall, isShowable: IsShowable): Schedule {
	const { id, action, args } = call.source as OneShot;
	return {
		id,
		kind: "at",
		action,
		...argsJson(args, isShowable),
		nextRunAt: call.scheduledAt,
		...progressOf(call),
		...parkedOf(rows.callParked(call)),
	};
}

function jobJson(rows: ScheduleRows, job: CronJob, isShowable: IsShowable): Schedule {
	const { id, name, timing, action, args, nextAt, lastRunAt, maxHistory } = job;
	const { catchUp, overlap, retry } = job;
	const progress = rows.runsOf(job).map(progressOf);
	return {
		id,
		name,
		kind: timing.kind,
		action,
		...argsJson(args, isShowable),
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
): Promise<ScheduleHistoryAnswer> {
	const job = rows.jobs().find(({ id }) => id === scheduleId);
	const history = job ? await rows.historyOf(job.name, limit) : [];
	return { scheduleId, history: history.map(fireJson) };
}

/** One-shot calls that were given up, newest first. */
export async function failuresOf(
	rows: ScheduleRows,
	limit: number,
): Promise<ScheduleFailuresAnswer> {
	const failures = await rows.failures(limit);
	return { failures: failures.map((row) => ({ id: row.id!, ...fireJson(row) })) };
}

function fireJson(row: HistoryRow): Fire {
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
