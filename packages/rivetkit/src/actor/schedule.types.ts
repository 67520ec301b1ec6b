/** One pending call of an action. */
export interface ScheduleEntry {
	readonly id: string;
	readonly action: string;
	readonly args: readonly unknown[];
	/** Milliseconds since the epoch. */
	readonly runAt: number;
}

/** `c.schedule`: durable one-shot calls of the actor's own actions (api 10). */
export interface ActorSchedule {
	/**
	 * Calls `action` after `delayMs`. Resolves to the schedule's id. Throws `TypeError` for a delay that
	 * is not finite, `action.not_found` for an unknown action, `schedule.full` at `options.maxSchedules`.
	 */
	after(delayMs: number, action: string, ...args: unknown[]): Promise<string>;
	/** Calls `action` at a time (ms since the epoch); past times run as soon as possible. */
	at(epochMs: number, action: string, ...args: unknown[]): Promise<string>;
	get(id: string): Promise<ScheduleEntry | null>;
	/** In the order in which they will run. */
	list(): Promise<ScheduleEntry[]>;
	/** Whether there was something to cancel. */
	cancel(id: string): Promise<boolean>;
}

interface CronCommon {
	/** Unique within the actor; setting a name again updates it. */
	name: string;
	action: string;
	args?: readonly unknown[] | undefined;
	/** Runs that `history` remembers. Default 100. */
	maxHistory?: number | undefined;
}

export interface CronSetOptions extends CronCommon {
	/** Five or six fields. */
	expression: string;
	/** IANA name. Default `"UTC"`. */
	timezone?: string | undefined;
}

export interface CronEveryOptions extends CronCommon {
	/** Milliseconds, at least 5,000. Intervals do not drift. */
	interval: number;
}

export type CronEntry = {
	readonly name: string;
	readonly action: string;
	readonly args: readonly unknown[];
	readonly maxHistory: number;
	/** Milliseconds since the epoch. */
	readonly nextRunAt: number;
} & (
	| { readonly kind: "cron"; readonly expression: string; readonly timezone: string }
	| { readonly kind: "every"; readonly interval: number }
);

export interface CronHistoryEntry {
	readonly action: string;
	/** Milliseconds since the epoch, like the other times. */
	readonly scheduledAt: number;
	readonly firedAt: number;
	readonly finishedAt?: number;
	readonly result: "running" | "ok" | "error" | "skipped";
	readonly error?: string;
}

/** The last argument of an action that a cron or interval job called (api 21). */
export interface ScheduledCall {
	readonly kind: "at" | "cron" | "every";
	readonly id: string;
	readonly name?: string;
	/** Milliseconds since the epoch, like `firedAt`. */
	readonly scheduledAt: number;
	readonly firedAt: number;
	/** 1 for the first try. */
	readonly attempt: number;
}

/** `c.cron`: durable recurring calls of the actor's own actions (api 10). Overlapping runs are skipped. */
export interface ActorCron {
	set(options: CronSetOptions): Promise<void>;
	every(options: CronEveryOptions): Promise<void>;
	get(name: string): Promise<CronEntry | null>;
	list(): Promise<CronEntry[]>;
	/** Whether there was something to delete. */
	delete(name: string): Promise<boolean>;
	/** Newest first. */
	history(name: string, options?: { limit?: number | undefined }): Promise<CronHistoryEntry[]>;
}
