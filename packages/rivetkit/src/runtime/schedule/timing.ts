import { cronExpression } from "./cron-expression.ts";

/** When a job runs. Times are milliseconds since the epoch. */
export type Timing =
	| { readonly kind: "cron"; readonly expression: string; readonly timezone: string }
	| {
			readonly kind: "every";
			readonly interval: number;
			/** The job is due at this time plus any whole number of intervals. */
			readonly anchor: number;
	  };

/** The last moment there is; what is due then never runs. */
export const TIME_MAX = 8_640_000_000_000_000;

/** The first time after `afterMs`. Throws a `TypeError` when the expression is none any more. */
export function nextTime(timing: Timing, afterMs: number): number {
	if (timing.kind === "cron") {
		return cronExpression(timing.expression, timing.timezone).next(afterMs) ?? TIME_MAX;
	}
	const { interval, anchor } = timing;
	return anchor + (Math.floor((afterMs - anchor) / interval) + 1) * interval;
}

/** The last `count` times up to `untilMs`, that one included, latest first. */
export function latestTimes(timing: Timing, untilMs: number, count: number): number[] {
	if (timing.kind === "cron") {
		return cronExpression(timing.expression, timing.timezone).latest(untilMs, count);
	}
	const { interval, anchor } = timing;
	const latest = anchor + Math.floor((untilMs - anchor) / interval) * interval;
	return Array.from({ length: count }, (_, index) => latest - index * interval);
}

/** Whether two timings mean the same; where an interval is anchored is not part of the question. */
export function isSameTiming(a: Timing, b: Timing): boolean {
	if (a.kind === "cron") {
		return b.kind === "cron" && a.expression === b.expression && a.timezone === b.timezone;
	}
	return b.kind === "every" && a.interval === b.interval;
}
