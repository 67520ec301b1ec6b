import {
	DEFAULT_MAX_RETRIES,
	DEFAULT_RETRY_BACKOFF_BASE,
	DEFAULT_RETRY_BACKOFF_MAX,
	DEFAULT_STEP_TIMEOUT,
} from "../defaults.ts";
import { codeError } from "../engine/code-error.ts";

/** A step as it was asked for, with its defaults. Times in milliseconds. */
export interface StepOptions {
	readonly run: (c: never) => unknown;
	/** All tries together. */
	readonly maxAttempts: number;
	readonly backoffBase: number;
	readonly backoffMax: number;
	/** 0 for none. */
	readonly timeout: number;
	readonly retryOnTimeout: boolean;
	readonly isEphemeral: boolean;
	readonly isAtomic: boolean;
	readonly rollback: ((c: never, output: unknown) => unknown) | null;
}

/** Throws what is wrong with the options, as an error of the code. */
export function readStepOptions(name: string, raw: Readonly<Record<string, unknown>>): StepOptions {
	const {
		run,
		maxRetries,
		maxAttempts,
		retryBackoffBase = DEFAULT_RETRY_BACKOFF_BASE,
		retryBackoffMax = DEFAULT_RETRY_BACKOFF_MAX,
		timeout = DEFAULT_STEP_TIMEOUT,
		rollback,
	} = raw;
	const bad = (option: string, expected: string): Error =>
		codeError(new TypeError(`Step "${name}": ${option} must be ${expected}`));
	if (typeof run !== "function") throw bad("run", "a function");
	if (rollback !== undefined && typeof rollback !== "function") throw bad("rollback", "a function");
	if (!isTime(retryBackoffBase)) throw bad("retryBackoffBase", "milliseconds, 0 or more");
	if (!isTime(retryBackoffMax)) throw bad("retryBackoffMax", "milliseconds, 0 or more");
	if (typeof timeout !== "number" || Number.isNaN(timeout)) throw bad("timeout", "milliseconds");
	return {
		run: run as StepOptions["run"],
		maxAttempts: attemptsOf(maxRetries, maxAttempts, bad),
		backoffBase: retryBackoffBase,
		backoffMax: retryBackoffMax,
		timeout: timeout > 0 && Number.isFinite(timeout) ? timeout : 0,
		retryOnTimeout: raw.retryOnTimeout === true,
		isEphemeral: raw.ephemeral === true,
		isAtomic: raw.atomic === true,
		rollback: (rollback as StepOptions["rollback"]) ?? null,
	};
}

/** How often a step is tried: once, and `maxRetries` times more (ruling 26). */
function attemptsOf(
	maxRetries: unknown,
	maxAttempts: unknown,
	bad: (option: string, expected: string) => Error,
): number {
	if (maxAttempts !== undefined) {
		if (!isCount(maxAttempts) || maxAttempts < 1) throw bad("maxAttempts", "a number, 1 or more");
		return Math.floor(maxAttempts);
	}
	if (maxRetries === undefined) return DEFAULT_MAX_RETRIES + 1;
	if (!isCount(maxRetries)) throw bad("maxRetries", "a number, 0 or more");
	return Math.floor(maxRetries) + 1;
}

function isTime(value: unknown): value is number {
	return typeof value === "number" && value >= 0 && Number.isFinite(value);
}

function isCount(value: unknown): value is number {
	return typeof value === "number" && value >= 0;
}

/** When the next try begins, after one that began at `startedAt` (ms since the epoch; workflows 3.2.4). */
export function retryTime(
	options: StepOptions,
	attempts: number,
	startedAt: number,
	nowMs: number,
	error: unknown,
): number {
	if (typeof error === "object" && error !== null) {
		const { retryAfter, retryAt } = error as { retryAfter?: unknown; retryAt?: unknown };
		if (isTime(retryAfter)) return nowMs + Math.ceil(retryAfter);
		if (isTime(retryAt)) return Math.ceil(retryAt);
	}
	const delay = Math.min(options.backoffMax, options.backoffBase * 2 ** attempts);
	return startedAt + Math.ceil(delay);
}
