import { catalogueError, EncodeError, encodeCbor } from "@rivetkit/protocol";
import type {
	CatchUp,
	CronEveryOptions,
	CronSetOptions,
	Overlap,
	RetryOptions,
	ScheduleOptions,
} from "../../actor/schedule.types.ts";
import { untracked } from "../state/index.ts";
import { cronExpression } from "./cron-expression.ts";
import type { JobDefinition } from "./cron-job.ts";
import type { OneShot } from "./pending-call.ts";
import { ATTEMPTS_MAX, NO_RETRY, type RetryPolicy } from "./retry.ts";
import { TIME_MAX, type Timing } from "./timing.ts";

/** Encoded arguments of one call (bytes). */
const ARGUMENTS_BYTES_MAX = 64 * 1024;
/** Characters of a job's name. */
const NAME_LENGTH_MAX = 128;
/** Shortest distance of two runs of an interval job (ms). */
const INTERVAL_MIN_MS = 5_000;
const HISTORY_DEFAULT = 100;
const HISTORY_MAX = 10_000;

const CATCH_UP: readonly CatchUp[] = ["skip", "once", "all"];
const OVERLAP: readonly Overlap[] = ["skip", "queue", "allow"];

/** A time as it is stored: whole milliseconds, not before what was asked for. Throws a `TypeError`. */
export function checkTime(what: string, ms: number): number {
	if (typeof ms !== "number" || !Number.isFinite(ms)) {
		throw new TypeError(`${what} must be a finite number of milliseconds, got ${show(ms)}`);
	}
	return Math.min(Math.max(Math.ceil(ms), -TIME_MAX), TIME_MAX);
}

/** Throws a `TypeError` naming the path, or `schedule.arguments_too_large`. */
export function encodeArguments(action: string, args: readonly unknown[]): Uint8Array {
	let encoded: Uint8Array;
	try {
		encoded = encodeCbor(untracked(args));
	} catch (error) {
		if (!(error instanceof EncodeError)) throw error;
		throw new TypeError(
			`Arguments of '${action}' cannot be stored: args${error.path}: ${error.reason}`,
			{ cause: error },
		);
	}
	const size = encoded.byteLength;
	if (size > ARGUMENTS_BYTES_MAX) {
		throw catalogueError("schedule.arguments_too_large", { size, limit: ARGUMENTS_BYTES_MAX });
	}
	return encoded;
}

const SCHEDULE_OPTIONS = ["retry", "fireInfo"];

export function checkScheduleOptions(
	options: ScheduleOptions,
): Pick<OneShot, "retry" | "fireInfo"> {
	checkKeys("schedule option", options, SCHEDULE_OPTIONS);
	const { retry, fireInfo = false } = options;
	if (typeof fireInfo !== "boolean") {
		throw new TypeError(`fireInfo must be true or false, got ${show(fireInfo)}`);
	}
	return { retry: checkRetry(retry), fireInfo };
}

const COMMON = ["name", "action", "args", "maxHistory", "retry", "catchUp", "overlap"];
const CRON_OPTIONS = [...COMMON, "expression", "timezone"];
const EVERY_OPTIONS = [...COMMON, "interval"];

export function checkCron(options: CronSetOptions): JobDefinition {
	checkKeys("cron option", options, CRON_OPTIONS);
	const { expression, timezone = "UTC" } = options;
	checkText("expression", expression);
	checkText("timezone", timezone);
	cronExpression(expression, timezone);
	return checkJob(options, { kind: "cron", expression, timezone });
}

export function checkEvery(options: CronEveryOptions, nowMs: number): JobDefinition {
	checkKeys("cron option", options, EVERY_OPTIONS);
	const { interval } = options;
	if (!Number.isSafeInteger(interval) || interval < INTERVAL_MIN_MS) {
		throw new TypeError(
			`interval must be a whole number of at least ${INTERVAL_MIN_MS} ms, got ${show(interval)}`,
		);
	}
	return checkJob(options, { kind: "every", interval, anchor: nowMs });
}

function checkJob(options: CronSetOptions | CronEveryOptions, timing: Timing): JobDefinition {
	const { name, action, args = [], maxHistory = HISTORY_DEFAULT } = options;
	const { catchUp = "once", overlap = "skip" } = options;
	checkText("name", name);
	if (name.length === 0 || name.length > NAME_LENGTH_MAX) {
		throw new TypeError(`name must have 1 to ${NAME_LENGTH_MAX} characters, has ${name.length}`);
	}
	checkText("action", action);
	if (!Array.isArray(args)) throw new TypeError(`args must be a list, got ${show(args)}`);
	checkWhole("maxHistory", maxHistory, 0, HISTORY_MAX);
	checkOneOf("catchUp", catchUp, CATCH_UP);
	checkOneOf("overlap", overlap, OVERLAP);
	return {
		name,
		timing,
		action,
		args: encodeArguments(action, args),
		maxHistory,
		retry: checkRetry(options.retry),
		catchUp,
		overlap,
	};
}

const RETRY_OPTIONS = ["attempts", "delay", "factor", "maxDelay"];

function checkRetry(options: RetryOptions | undefined): RetryPolicy {
	if (options === undefined) return NO_RETRY;
	checkKeys("retry option", options, RETRY_OPTIONS);
	const {
		attempts,
		delay = NO_RETRY.delay,
		factor = NO_RETRY.factor,
		maxDelay = NO_RETRY.maxDelay,
	} = options;
	checkWhole("retry.attempts", attempts, 1, ATTEMPTS_MAX);
	checkAtLeast("retry.delay", delay, 0);
	checkAtLeast("retry.factor", factor, 1);
	checkAtLeast("retry.maxDelay", maxDelay, 0);
	return { attempts, delay, factor, maxDelay };
}

/** How many entries to read; all of them without a limit. */
export function checkLimit(options: { limit?: number | undefined } = {}): number {
	const { limit = HISTORY_MAX } = options;
	checkWhole("limit", limit, 0, Number.MAX_SAFE_INTEGER);
	return limit;
}

function checkKeys(what: string, options: unknown, known: readonly string[]): void {
	if (typeof options !== "object" || options === null) {
		throw new TypeError(`${what}s must be an object, got ${show(options)}`);
	}
	const unknown = Object.keys(options).find((key) => !known.includes(key));
	if (unknown !== undefined) {
		throw new TypeError(`Unknown ${what} '${unknown}': expected one of ${known.join(", ")}`);
	}
}

export function checkText(what: string, value: unknown): void {
	if (typeof value !== "string")
		throw new TypeError(`${what} must be a string, got ${show(value)}`);
}

function checkWhole(what: string, value: unknown, min: number, max: number): void {
	if (Number.isSafeInteger(value) && (value as number) >= min && (value as number) <= max) return;
	throw new TypeError(`${what} must be a whole number from ${min} to ${max}, got ${show(value)}`);
}

function checkAtLeast(what: string, value: unknown, min: number): void {
	if (typeof value === "number" && Number.isFinite(value) && value >= min) return;
	throw new TypeError(`${what} must be a finite number of at least ${min}, got ${show(value)}`);
}

function checkOneOf(what: string, value: unknown, known: readonly string[]): void {
	if (known.includes(value as string)) return;
	throw new TypeError(`${what} must be one of ${known.join(", ")}, got ${show(value)}`);
}

function show(value: unknown): string {
	return typeof value === "string" ? JSON.stringify(value) : String(value);
}
