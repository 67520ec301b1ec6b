import type { CatchUp, Overlap } from "../../actor/schedule.types.ts";
import { latestTimes, nextTime, type Timing } from "./timing.ts";

/** From this much lateness on (ms) a run counts as missed; `catchUp: "skip"` leaves it out. */
export const MISSED_AFTER_MS = 60_000;
/** Missed runs that `catchUp: "all"` makes up for. */
export const CATCH_UP_MAX = 100;
/** Runs of one job that may be pending (running, waiting or to be tried again) at the same time. */
export const PENDING_RUNS_MAX = 100;

/** What the plan needs to know of a job that is due. */
export interface DueJob {
	readonly timing: Timing;
	/** The first time that has not been dealt with; not after `nowMs`. */
	readonly nextAt: number;
	readonly catchUp: CatchUp;
	readonly overlap: Overlap;
}

/** Times that get no run. */
export interface LeftOut {
	/** The first of them. */
	readonly scheduledAt: number;
	readonly reason: string;
}

export interface RunPlan {
	/** Times that get a run, earliest first. */
	readonly runs: readonly number[];
	readonly leftOut: readonly LeftOut[];
	/** The first time after now. */
	readonly nextAt: number;
}

/**
 * What to do about a job that is due: which of the times that have come get a run, and which do not.
 * `pendingRuns` are the job's earlier runs that have not ended. Throws a `TypeError` when the job's cron
 * expression is none (any more).
 */
export function planRuns(job: DueJob, nowMs: number, pendingRuns: number): RunPlan {
	const { wanted, missed, nextAt } = catchUp(job, nowMs);
	const leftOut: LeftOut[] = missed ? [missed] : [];
	if (wanted.length === 0) return { runs: [], leftOut, nextAt };
	const room = roomFor(job.overlap, pendingRuns);
	const runs = wanted.slice(0, room);
	if (runs.length < wanted.length) {
		const reason =
			job.overlap === "skip" && pendingRuns > 0
				? "the run before it has not ended"
				: `${PENDING_RUNS_MAX} runs are pending`;
		leftOut.push({ scheduledAt: wanted[runs.length]!, reason });
	}
	return { runs, leftOut, nextAt };
}

function roomFor(overlap: Overlap, pendingRuns: number): number {
	if (overlap === "skip" && pendingRuns > 0) return 0;
	return Math.max(0, PENDING_RUNS_MAX - pendingRuns);
}

interface CaughtUp {
	readonly wanted: readonly number[];
	readonly missed: LeftOut | null;
	readonly nextAt: number;
}

function catchUp({ timing, nextAt: first, catchUp: policy }: DueJob, nowMs: number): CaughtUp {
	const second = nextTime(timing, first);
	const isOne = second > nowMs;
	const nextAt = isOne ? second : nextTime(timing, nowMs);
	const latest = isOne ? first : Math.max(first, latestTimes(timing, nowMs, 1)[0] ?? first);
	switch (policy) {
		case "once":
			return {
				wanted: [latest],
				missed: isOne ? null : { scheduledAt: first, reason: "missed; a later run stands for it" },
				nextAt,
			};
		case "skip": {
			const isMissed = nowMs - latest > MISSED_AFTER_MS;
			return {
				wanted: isMissed ? [] : [latest],
				missed: isMissed || !isOne ? { scheduledAt: first, reason: "missed" } : null,
				nextAt,
			};
		}
		case "all": {
			if (isOne) return { wanted: [first], missed: null, nextAt };
			const times = latestTimes(timing, nowMs, CATCH_UP_MAX).filter((time) => time >= first);
			const wanted = times.toReversed();
			const reason = `missed; only the latest ${CATCH_UP_MAX} are made up for`;
			return {
				wanted,
				missed: wanted[0] !== first ? { scheduledAt: first, reason } : null,
				nextAt,
			};
		}
	}
}
