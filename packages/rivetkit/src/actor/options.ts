/** What users may write under `options`. Times are in milliseconds, sizes in bytes. */
export interface ActorOptionsInput {
	/** Display name, shown by the inspector. Wins over a name carried by `run`. */
	name?: string | undefined;
	/** Emoji or FontAwesome name, shown by the inspector. Wins over an icon carried by `run`. */
	icon?: string | undefined;
	/** Limit for the whole start, all hooks together (lifecycle W-START-5). Default 30,000. */
	startTimeout?: number | undefined;
	/** Limit for `onMigrate`. Default 30,000. */
	onMigrateTimeout?: number | undefined;
	/** Limit for `createVars`. Default 5,000. */
	createVarsTimeout?: number | undefined;
	/** Limit for `onBeforeConnect`. Default 5,000. */
	onBeforeConnectTimeout?: number | undefined;
	/** Limit for `createConnState`. Default 5,000. */
	createConnStateTimeout?: number | undefined;
	/**
	 * Limit for `onConnect`; also for how long an `onWebSocket` may take before it listens until it is told that
	 * the client, which has sent something, is gone. Default 5,000.
	 */
	onConnectTimeout?: number | undefined;
	/** Limit for `onSleep`. Default 5,000. */
	onSleepTimeout?: number | undefined;
	/** Limit for `onDestroy`. Default 5,000. */
	onDestroyTimeout?: number | undefined;
	/** How long a change made outside a call may wait for its save. Default 1,000 (ruling 17). */
	stateSaveInterval?: number | undefined;
	/**
	 * Whether an answer or an event waits until the writes made before it are durable. Default true;
	 * false is faster and may lose the last `stateSaveInterval` in a crash.
	 */
	confirmWrites?: boolean | undefined;
	/** Whether an action that fails takes its state changes back. Default false (lifecycle W-STATE-8). */
	rollbackOnError?: boolean | undefined;
	/** Largest encoded state. A warning is logged from 128 KiB on. Default 16 MiB (lifecycle 21). */
	maxStateSize?: number | undefined;
	/** Memory that writes to `c.kv` of one commit may take. Default 64 MiB. */
	maxUncommittedKvSize?: number | undefined;
	/** Limit for one action, one `onRequest`, one scheduled action. Default 60,000. */
	actionTimeout?: number | undefined;
	/** How many actions of one connection may run at once. Default 1 (lifecycle W-ACT-2). */
	connectionConcurrency?: number | undefined;
	/** How long stopping waits for `waitUntil` promises. Default 15,000. */
	waitUntilTimeout?: number | undefined;
	/** How long stopping waits for `run`. Default 15,000. */
	runStopTimeout?: number | undefined;
	/**
	 * One budget for the whole stop: calls in progress, `run`, hooks, disconnects, `waitUntil`. The final
	 * save has its own time. When set, steps whose own limit is not set may use all of it. Default: 15,000,
	 * or the sum of the step limits that are set, if that is more (lifecycle W-STOP-4).
	 */
	sleepGracePeriod?: number | undefined;
	/** Never sleep because of idleness. Default false. */
	noSleep?: boolean | undefined;
	/** Idle time before sleep. Default 30,000. */
	sleepTimeout?: number | undefined;
	/** Distance between two pings of a connection. Default 5,000. */
	connectionLivenessInterval?: number | undefined;
	/** How long a ping may wait for its answer; two in a row close the connection. Default 2,500. */
	connectionLivenessTimeout?: number | undefined;
	/** Bytes that may wait for one slow client before its connection is closed. Default 16 MiB. */
	maxConnectionBufferSize?: number | undefined;
	/** Events that one connection may subscribe to; the next is refused, and told to `onError`. Default 1,000. */
	maxConnectionSubscriptions?: number | undefined;
	/**
	 * How long events are kept for a client that lost its socket and may come back: within this time it
	 * gets what it missed. Default 30,000.
	 */
	resumeWindow?: number | undefined;
	/** Events kept for one client that has not confirmed them; beyond, it is told to resync. Default 1,000. */
	maxResumeEvents?: number | undefined;
	/** Bytes of the events kept for one client. Default 1 MiB. */
	maxResumeBytes?: number | undefined;
	/** Whether raw WebSockets outlive the instance; a function decides per upgrade. Default false. */
	canHibernateWebSocket?: boolean | ((request: Request) => boolean) | undefined;
	/** Messages in all queues of the actor together. Default 1,000. */
	maxQueueSize?: number | undefined;
	/** Bytes of one encoded queue message. Default 65,536. */
	maxQueueMessageSize?: number | undefined;
	/** Pending schedules. Default 1,000. */
	maxSchedules?: number | undefined;
	/** Bytes of the actor's database (`database.full`). Default 10 GiB. */
	maxDatabaseSize?: number | undefined;
	/**
	 * Bytes of database pages that may change between two commits, all of which one commit holds in memory
	 * (`database.commit_too_large`). Default 256 MiB.
	 */
	maxDatabaseCommitSize?: number | undefined;
	/** Rows of one SQL result (`database.too_many_rows`); `c.db.stream` has no such limit. Default 1,000,000. */
	maxQueryRows?: number | undefined;
	/** Bytes of one SQL result (`database.result_too_large`). Default 64 MiB. */
	maxQueryBytes?: number | undefined;
	/**
	 * Longest time for reading one SQL result (`database.statement_timed_out`). A statement that computes
	 * without giving rows cannot be interrupted by the engines there are; it is logged as slow. Queries of
	 * inspectors are ended then, whatever they do. Also how long a stream waits for its reader. Default 30,000.
	 */
	queryTimeout?: number | undefined;
	/** SQL statements that take longer are logged and counted: nothing else runs meanwhile. Default 500. */
	slowQueryThreshold?: number | undefined;
}

/** Options with the defaults of the contract (api 3.3) filled in. */
export interface ActorOptions {
	readonly name: string | undefined;
	readonly icon: string | undefined;
	readonly startTimeout: number;
	readonly onMigrateTimeout: number;
	readonly createVarsTimeout: number;
	readonly onBeforeConnectTimeout: number;
	readonly createConnStateTimeout: number;
	readonly onConnectTimeout: number;
	readonly onSleepTimeout: number;
	readonly onDestroyTimeout: number;
	readonly stateSaveInterval: number;
	readonly confirmWrites: boolean;
	readonly rollbackOnError: boolean;
	readonly maxStateSize: number;
	readonly maxUncommittedKvSize: number;
	readonly actionTimeout: number;
	readonly connectionConcurrency: number;
	readonly waitUntilTimeout: number;
	readonly runStopTimeout: number;
	readonly sleepGracePeriod: number;
	readonly noSleep: boolean;
	readonly sleepTimeout: number;
	readonly connectionLivenessInterval: number;
	readonly connectionLivenessTimeout: number;
	readonly maxConnectionBufferSize: number;
	readonly maxConnectionSubscriptions: number;
	readonly resumeWindow: number;
	readonly maxResumeEvents: number;
	readonly maxResumeBytes: number;
	readonly canHibernateWebSocket: boolean | ((request: Request) => boolean);
	readonly maxQueueSize: number;
	readonly maxQueueMessageSize: number;
	readonly maxSchedules: number;
	readonly maxDatabaseSize: number;
	readonly maxDatabaseCommitSize: number;
	readonly maxQueryRows: number;
	readonly maxQueryBytes: number;
	readonly queryTimeout: number;
	readonly slowQueryThreshold: number;
}

/** From this many encoded bytes on, state is worth a warning (lifecycle 21). */
export const STATE_SIZE_WARNING_BYTES: number = 128 * 1024;

/** What a value of an option must be. */
export type OptionKind = "duration" | "count" | "bytes" | "flag" | "text" | "flag or function";

/** Every option with its kind and default; `undefined` means that absence has a meaning of its own. */
export const OPTION_TABLE: {
	readonly [K in keyof Required<ActorOptionsInput>]: {
		readonly kind: OptionKind;
		readonly fallback: ActorOptionsInput[K];
	};
} = {
	name: { kind: "text", fallback: undefined },
	icon: { kind: "text", fallback: undefined },
	startTimeout: { kind: "duration", fallback: 30_000 },
	onMigrateTimeout: { kind: "duration", fallback: 30_000 },
	createVarsTimeout: { kind: "duration", fallback: 5_000 },
	onBeforeConnectTimeout: { kind: "duration", fallback: 5_000 },
	createConnStateTimeout: { kind: "duration", fallback: 5_000 },
	onConnectTimeout: { kind: "duration", fallback: 5_000 },
	onSleepTimeout: { kind: "duration", fallback: 5_000 },
	onDestroyTimeout: { kind: "duration", fallback: 5_000 },
	stateSaveInterval: { kind: "duration", fallback: 1_000 },
	confirmWrites: { kind: "flag", fallback: true },
	rollbackOnError: { kind: "flag", fallback: false },
	maxStateSize: { kind: "bytes", fallback: 16 * 1024 * 1024 },
	maxUncommittedKvSize: { kind: "bytes", fallback: 64 * 1024 * 1024 },
	actionTimeout: { kind: "duration", fallback: 60_000 },
	connectionConcurrency: { kind: "count", fallback: 1 },
	waitUntilTimeout: { kind: "duration", fallback: 15_000 },
	runStopTimeout: { kind: "duration", fallback: 15_000 },
	sleepGracePeriod: { kind: "duration", fallback: 15_000 },
	noSleep: { kind: "flag", fallback: false },
	sleepTimeout: { kind: "duration", fallback: 30_000 },
	connectionLivenessInterval: { kind: "duration", fallback: 5_000 },
	connectionLivenessTimeout: { kind: "duration", fallback: 2_500 },
	maxConnectionBufferSize: { kind: "bytes", fallback: 16 * 1024 * 1024 },
	maxConnectionSubscriptions: { kind: "count", fallback: 1_000 },
	resumeWindow: { kind: "duration", fallback: 30_000 },
	maxResumeEvents: { kind: "count", fallback: 1_000 },
	maxResumeBytes: { kind: "bytes", fallback: 1024 * 1024 },
	canHibernateWebSocket: { kind: "flag or function", fallback: false },
	maxQueueSize: { kind: "count", fallback: 1_000 },
	maxQueueMessageSize: { kind: "bytes", fallback: 65_536 },
	maxSchedules: { kind: "count", fallback: 1_000 },
	maxDatabaseSize: { kind: "bytes", fallback: 10 * 1024 ** 3 },
	maxDatabaseCommitSize: { kind: "bytes", fallback: 256 * 1024 ** 2 },
	maxQueryRows: { kind: "count", fallback: 1_000_000 },
	maxQueryBytes: { kind: "bytes", fallback: 64 * 1024 ** 2 },
	queryTimeout: { kind: "duration", fallback: 30_000 },
	slowQueryThreshold: { kind: "duration", fallback: 500 },
};

export const OPTION_NAMES: readonly (keyof ActorOptionsInput)[] = Object.keys(
	OPTION_TABLE,
) as (keyof ActorOptionsInput)[];

const STOP_STEPS = [
	"runStopTimeout",
	"onSleepTimeout",
	"onDestroyTimeout",
	"waitUntilTimeout",
] as const;

/** Fills in the defaults. Expects validated input. */
export function resolveOptions(input: ActorOptionsInput): ActorOptions {
	const resolved: Record<string, unknown> = {};
	for (const name of OPTION_NAMES) resolved[name] = input[name] ?? OPTION_TABLE[name].fallback;
	if (input.sleepGracePeriod === undefined) {
		const asked = STOP_STEPS.reduce((sum, step) => sum + (input[step] ?? 0), 0);
		resolved.sleepGracePeriod = Math.max(OPTION_TABLE.sleepGracePeriod.fallback as number, asked);
	} else {
		for (const step of STOP_STEPS) resolved[step] = input[step] ?? input.sleepGracePeriod;
	}
	return Object.freeze(resolved) as unknown as ActorOptions;
}
