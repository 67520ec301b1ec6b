/** How often a failed call is tried again, and how long it waits in between. */
export interface RetryOptions {
	/** Tries in all, the first one included: 1 to 1,000. */
	attempts: number;
	/** Milliseconds before the second try. Default 1,000. */
	delay?: number | undefined;
	/** What the delay is multiplied with after each further failure, at least 1. Default 2. */
	factor?: number | undefined;
	/** What the delay grows to at most (ms). Default 3,600,000. */
	maxDelay?: number | undefined;
}

/** What {@link ActorSchedule.with} changes about the calls that are made through it. */
export interface ScheduleOptions {
	/** Without it a call that fails is given up after its first try. */
	retry?: RetryOptions | undefined;
	/** Whether the action gets a {@link ScheduledFireInfo} behind its arguments. Default false. */
	fireInfo?: boolean | undefined;
}

/** One pending call of an action. */
export interface ScheduleEntry {
	readonly id: string;
	readonly action: string;
	readonly args: readonly unknown[];
	/** Milliseconds since the epoch: the time that was asked for. */
	readonly runAt: number;
	/** Present while a try is running. */
	readonly running?: true;
	/** Present between a failed try and the next one. */
	readonly retrying?: Retrying;
	/** Why the call is not made although it is due: its action is gone. It is made when that is back. */
	readonly parked?: string;
}

/** A call between a failed try and the next one. */
export interface Retrying {
	/** Tries so far. */
	readonly attempts: number;
	/** Message of the last failure. */
	readonly error: string;
	/** Milliseconds since the epoch. */
	readonly nextRunAt: number;
}

/** A call that failed as often as it was to be tried. */
export interface ScheduleFailure {
	readonly id: string;
	readonly action: string;
	/** Milliseconds since the epoch, like `failedAt`. */
	readonly runAt: number;
	readonly failedAt: number;
	readonly attempts: number;
	/** Message of the last failure. */
	readonly error: string;
}

/** The two ways to schedule a call. */
export interface ScheduleCalls {
	/**
	 * Calls `action` with `args` after `delayMs` (fractions are rounded up, negative delays run as soon as
	 * possible, there is no longest one). Resolves to the schedule's id.
	 *
	 * The promise resolves when the call is part of what the actor commits next, not when that is on disk:
	 * what an action writes and schedules lands together or not at all, and its answer waits for the disk.
	 *
	 * Rejects with a `TypeError` for a delay that is not a finite number and for arguments that cannot be
	 * stored (it names the path), with `action.not_found` for an unknown action, with
	 * `schedule.arguments_too_large` over 64 KiB of encoded arguments, and with `schedule.full` at
	 * `options.maxSchedules`. Nothing is stored then.
	 */
	after(delayMs: number, action: string, ...args: unknown[]): Promise<string>;
	/** Calls `action` at a time (ms since the epoch); past times run as soon as possible. As {@link after}. */
	at(epochMs: number, action: string, ...args: unknown[]): Promise<string>;
}

/**
 * `c.schedule`: durable one-shot calls of the actor's own actions (api 10, lifecycle 13). A call wakes its
 * sleeping actor, is never early, and survives restarts, upgrades and crashes. Calls that are due together
 * run one after the other, earliest first.
 *
 * **At least once**: a call is forgotten in the same commit as what its action wrote last. After a crash
 * in the middle it is made again; what the action did outside the actor may then happen twice.
 */
export interface ActorSchedule extends ScheduleCalls {
	/**
	 * The same calls with options: `c.schedule.with({ retry: { attempts: 5 } }).after(1_000, "charge", id)`.
	 * Throws a `TypeError` for options that are none.
	 */
	with(options: ScheduleOptions): ScheduleCalls;
	/** Null once the call was made, given up or cancelled. */
	get(id: string): Promise<ScheduleEntry | null>;
	/** Pending calls in the order in which they will run. */
	list(): Promise<ScheduleEntry[]>;
	/**
	 * Whether there was something to cancel. A call whose action is running already ends as it would, and
	 * is not tried again.
	 */
	cancel(id: string): Promise<boolean>;
	/** The last 100 calls that were given up, newest first. */
	failures(options?: { limit?: number | undefined }): Promise<ScheduleFailure[]>;
}

/**
 * What becomes of times that passed while nothing could run (the server was down). `once`: all of them
 * together are one run. `skip`: what is more than a minute late is left out. `all`: each gets its run, in
 * order; of more than 100, the latest 100. A run that is made up for is still subject to {@link Overlap}: with
 * `queue`, none is left out behind one that a crash cut off.
 */
export type CatchUp = "skip" | "once" | "all";

/**
 * What becomes of a run whose predecessor has not ended (it is running, or waits to be tried again).
 * `skip`: it is left out. `queue`: it waits for its turn. `allow`: both run at the same time. With 100 runs
 * of one job pending, further ones are left out.
 */
export type Overlap = "skip" | "queue" | "allow";

interface CronCommon {
	/** Unique within the actor, at most 128 characters; setting a name again updates it. */
	name: string;
	action: string;
	/** At most 64 KiB encoded. */
	args?: readonly unknown[] | undefined;
	/** Runs that `history` remembers, 0 to 10,000. Default 100. */
	maxHistory?: number | undefined;
	/** Without it a run that fails is not tried again. */
	retry?: RetryOptions | undefined;
	/** Default `"once"`. */
	catchUp?: CatchUp | undefined;
	/** Default `"skip"`. */
	overlap?: Overlap | undefined;
}

export interface CronSetOptions extends CronCommon {
	/**
	 * Minute, hour, day of month, month, day of week; with six fields, seconds first. `*`, lists, ranges,
	 * steps, names (`MON`, `JAN`), `L`, `#`, and `@hourly` to `@yearly`. Day of month or day of week is enough
	 * when both are given.
	 *
	 * When the zone's clocks change: expressions without `*` and steps in their time (`30 2 * * *`) run once
	 * a day. Where that time does not exist they run at the first moment after the gap; where it comes
	 * twice, the first time. All others (`0 * * * *`) run evenly in real time: through both passes of a
	 * repeated hour, and never in a gap.
	 */
	expression: string;
	/** IANA name. Default `"UTC"`. */
	timezone?: string | undefined;
}

export interface CronEveryOptions extends CronCommon {
	/**
	 * Milliseconds, a whole number of at least 5,000. Runs are due at fixed distances from the moment the
	 * job was set, however long they take: intervals do not drift.
	 */
	interval: number;
}

export type CronEntry = {
	readonly id: string;
	readonly name: string;
	readonly action: string;
	readonly args: readonly unknown[];
	readonly maxHistory: number;
	readonly catchUp: CatchUp;
	readonly overlap: Overlap;
	readonly retry?: Required<RetryOptions>;
	/** Milliseconds since the epoch. */
	readonly nextRunAt: number;
	/** When the last run began (ms since the epoch). */
	readonly lastRunAt?: number;
	/** Present while a run is in progress. */
	readonly running?: true;
	/** Present while a run waits to be tried again. */
	readonly retrying?: Retrying;
	/** Why the job does not run although it is due: its action is gone. It goes on when that is back. */
	readonly parked?: string;
} & (
	| { readonly kind: "cron"; readonly expression: string; readonly timezone: string }
	| { readonly kind: "every"; readonly interval: number }
);

/** One run of a job; a run that is tried again stays one entry. */
export interface CronHistoryEntry {
	readonly action: string;
	/** Milliseconds since the epoch, like the other times. */
	readonly scheduledAt: number;
	/** When the last try began, or when it was decided to leave the run out. */
	readonly firedAt: number;
	readonly finishedAt?: number;
	/**
	 * `running` also of a run that a crash cut off, until it is run again; `error` also of one that will be
	 * tried again.
	 */
	readonly result: "running" | "ok" | "error" | "skipped";
	/** Tries so far; 0 for a run that was left out. */
	readonly attempts: number;
	/** Why it failed or was left out. */
	readonly error?: string;
}

/**
 * The last argument of an action that a cron or interval job called (api 21), and of one-shot calls that
 * asked for it. `id` and `scheduledAt` together are the same for all tries of one run, and for no other.
 */
export interface ScheduledFireInfo {
	readonly kind: "at" | "cron" | "every";
	/** Of the schedule or job. */
	readonly id: string;
	/** Of the job. */
	readonly name?: string;
	/** Milliseconds since the epoch, like `firedAt`. */
	readonly scheduledAt: number;
	readonly firedAt: number;
	/** 1 for the first try; counts those that a crash or a stop cut off. */
	readonly attempt: number;
}

/**
 * `c.cron`: durable recurring calls of the actor's own actions (api 10). Everything said of
 * {@link ActorSchedule} holds for each run. Setting a job to what it is changes nothing, so that `onWake` is a
 * good place for it.
 */
export interface ActorCron {
	/**
	 * Creates or updates the job of this name. An update keeps its history, and its next time unless
	 * expression or zone changed; runs that wait get the new action and arguments.
	 *
	 * Rejects with a `TypeError` for options that are none (a wrong expression or zone included), with
	 * `action.not_found`, `schedule.arguments_too_large`, and with `schedule.full` at `options.maxSchedules`
	 * (jobs and one-shot calls together).
	 */
	set(options: CronSetOptions): Promise<void>;
	/** As {@link set}; the first run is one interval from now. */
	every(options: CronEveryOptions): Promise<void>;
	get(name: string): Promise<CronEntry | null>;
	/** By name. */
	list(): Promise<CronEntry[]>;
	/** Whether there was something to delete. History goes with it; a run in progress ends as it would. */
	delete(name: string): Promise<boolean>;
	/** Newest first. Empty for a job that does not exist. */
	history(name: string, options?: { limit?: number | undefined }): Promise<CronHistoryEntry[]>;
}
