import type { CatchUp, Overlap } from "../../actor/schedule.types.ts";
import type { RetryPolicy } from "./retry.ts";
import type { Timing } from "./timing.ts";

/** What a user says about a job, checked and with its defaults. */
export interface JobDefinition {
	readonly name: string;
	readonly timing: Timing;
	readonly action: string;
	/** CBOR of the argument list. */
	readonly args: Uint8Array;
	readonly maxHistory: number;
	readonly retry: RetryPolicy;
	readonly catchUp: CatchUp;
	readonly overlap: Overlap;
}

/** A recurring call of an action. */
export interface CronJob extends JobDefinition {
	/** Order of insertion, and key of the row; at least 1. */
	readonly sequence: number;
	readonly id: string;
	/** The first time that has not been dealt with (ms since the epoch). */
	readonly nextAt: number;
	/** When the last run began; null for never. */
	readonly lastRunAt: number | null;
	/** The entries of its history: `first` up to, but not including `next`. */
	readonly history: HistoryRange;
}

export interface HistoryRange {
	readonly first: number;
	readonly next: number;
}

export const EMPTY_HISTORY: HistoryRange = { first: 0, next: 0 };
