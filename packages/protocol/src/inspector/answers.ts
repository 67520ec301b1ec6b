/**
 * What the inspector's routes answer (docs/inspector.md), in the form of CBOR; written here once, for the server, the
 * command line and the dashboard. Types only. Times are milliseconds since the epoch.
 */

/**
 * - `awake`: an incarnation takes calls
 * - `starting`, `stopping`: one is on its way in, or out
 * - `failing`: none lives, and the last start failed
 * - `sleeping`: none lives, and the next call or alarm starts one
 */
export type ActorStatus = "awake" | "starting" | "stopping" | "failing" | "sleeping";

/** What happened to an incarnation. */
export type LifecycleChange =
	| "starting"
	| "ready"
	| "startFailed"
	| "stopping"
	| "asleep"
	| "destroyed"
	/** It ended without its last save: a newer incarnation exists, or its destruction failed. */
	| "lost";

export interface LifecycleEntry {
	readonly atMs: number;
	readonly generation: number;
	readonly event: LifecycleChange;
	/** Why, in words. */
	readonly detail?: string;
}

/** Null for never, or not known. */
export interface LifecycleReport {
	readonly actorId: string;
	readonly name: string;
	readonly key: readonly string[];
	/** Of the newest incarnation; -1 before the first. */
	readonly generation: number;
	readonly status: ActorStatus;
	/** Where its incarnation is in its life; null without one. */
	readonly phase: string | null;
	/** What keeps it awake, in words; empty without an incarnation. */
	readonly awakeBecause: readonly string[];
	readonly createdAtMs: number;
	/** When the incarnation of now, or the last one, became ready. */
	readonly startedAtMs: number | null;
	readonly sleptAtMs: number | null;
	/** When it is woken by itself. */
	readonly wakesAtMs: number | null;
	/** Set while it is `failing`. */
	readonly failure: {
		readonly message: string;
		readonly atMs: number;
		/** Not started again before. */
		readonly retryAtMs: number;
	} | null;
	/** What happened to its incarnations on this host lately, oldest first. */
	readonly history: readonly LifecycleEntry[];
}

export interface StateAnswer {
	/** Absent without state. */
	readonly state?: unknown;
	readonly isStateEnabled: boolean;
}

export type ConnectionType = "websocket" | "http" | "raw-websocket" | "raw-request";

/** A connection in the contract's shape (protocol 7.2). */
export interface InspectedConnection {
	readonly type: ConnectionType;
	readonly id: string;
	readonly details: {
		readonly type: ConnectionType;
		readonly params?: unknown;
		readonly stateEnabled: boolean;
		readonly state?: unknown;
		readonly subscriptions: number;
		readonly isHibernatable: boolean;
	};
}

export interface ConnectionsAnswer {
	readonly connections: readonly InspectedConnection[];
}

export interface RpcsAnswer {
	/** In the order of their declaration. */
	readonly rpcs: readonly string[];
}

export interface Declaration {
	readonly name: string;
	/** Whether what it takes is validated by a schema. */
	readonly isValidated: boolean;
	/** What it takes, as JSON Schema (draft 2020-12); absent where the library of the schema cannot tell. */
	readonly schema?: object;
}

export interface DeclarationsAnswer {
	/** In the order of their declaration, as the others. `takesList`: the schema is of the list of arguments, else of the first one. */
	readonly actions: readonly (Declaration & { readonly takesList: boolean })[];
	readonly queues: readonly Declaration[];
	readonly events: readonly Declaration[];
}

export interface ActionAnswer {
	readonly output?: unknown;
}

export interface SummaryAnswer extends StateAnswer, ConnectionsAnswer, RpcsAnswer {
	readonly queueSize: number;
	readonly isDatabaseEnabled: boolean;
	readonly isWorkflowEnabled: boolean;
	/** A {@link WorkflowHistory}, or what a `run` of the user's brings along; null without. */
	readonly workflowHistory: unknown;
}

export interface QueueStatus {
	readonly size: number;
	readonly maxSize: number;
	/** Whether there are more messages than are listed. */
	readonly truncated: boolean;
	/** Oldest first. */
	readonly messages: readonly {
		readonly id: number;
		readonly name: string;
		readonly createdAtMs: number;
	}[];
}

export interface QueueMessage {
	readonly id: number;
	readonly name: string;
	readonly createdAtMs: number;
	/** Bytes of the body. */
	readonly size: number;
	readonly priority: number;
	readonly attempt: number;
	readonly place: string;
	readonly availableAtMs?: number;
	readonly expiresAtMs?: number;
	readonly givenUp?: { readonly queue: string; readonly attempts: number; readonly atMs: number };
	readonly body?: unknown;
}

export interface MessagesAnswer {
	readonly messages: readonly QueueMessage[];
	/** The `after` of the next page; null when there is none. */
	readonly next: number | null;
}

export interface DeadLetter {
	readonly id: number;
	/** The queue it is in now. */
	readonly name: string;
	/** The queue it came from. */
	readonly queue: string;
	readonly body: unknown;
	readonly attempts: number;
	readonly createdAtMs: number;
	readonly givenUpAtMs: number;
}

export interface DeadLettersAnswer {
	readonly deadLetters: readonly DeadLetter[];
}

/** A pending call or a job: the members of the contract's `Schedule` (protocol 8.8), and ours behind them. */
export interface Schedule {
	readonly id: string;
	readonly name?: string;
	readonly kind: "at" | "cron" | "every";
	readonly action: string;
	/** Absent with `isTooDeep`. */
	readonly args?: unknown;
	/** As that of an {@link EventEntry}. */
	readonly isTooDeep?: true;
	readonly nextRunAt: number;
	readonly lastRunAt?: number;
	readonly expression?: string;
	readonly timezone?: string;
	readonly intervalMs?: number;
	readonly maxHistory?: number;
	readonly catchUp?: "skip" | "once" | "all";
	readonly overlap?: "skip" | "queue" | "allow";
	/** Of a job that is tried more than once. */
	readonly retry?: {
		readonly attempts: number;
		readonly delay: number;
		readonly factor: number;
		readonly maxDelay: number;
	};
	/** Present while a try is running. */
	readonly running?: true;
	/** Present between a failed try and the next one. */
	readonly retrying?: {
		/** Tries so far. */
		readonly attempts: number;
		/** Message of the last failure. */
		readonly error: string;
		/** Milliseconds since the epoch. */
		readonly nextRunAt: number;
	};
	/** Why it does not run although it is due. */
	readonly parked?: string;
}

export interface SchedulesAnswer {
	readonly schedules: readonly Schedule[];
}

/** The contract's `Fire` (protocol 8.8), and how often it was tried. */
export interface Fire {
	readonly action: string;
	readonly scheduledAt: number;
	readonly firedAt: number;
	readonly finishedAt?: number;
	readonly result: "running" | "ok" | "error" | "skipped";
	readonly error?: { readonly group: string; readonly code: string; readonly message: string };
	readonly attempts: number;
}

export interface ScheduleHistoryAnswer {
	readonly scheduleId: string;
	/** Newest first. */
	readonly history: readonly Fire[];
}

export interface ScheduleFailuresAnswer {
	/** Newest first. */
	readonly failures: readonly (Fire & { readonly id: string })[];
}

export interface KvEntry {
	/** Bytes that are no UTF-8 are U+FFFD. */
	readonly key: string;
	/** The key as it is, where it is no UTF-8. */
	readonly keyBytes?: Uint8Array;
	/** Text, or bytes where the value is no UTF-8. */
	readonly value: string | Uint8Array;
	readonly type: "text" | "binary";
	/** Bytes of the value. */
	readonly size: number;
}

export interface KvAnswer {
	readonly entries: readonly KvEntry[];
	/** The `after` of the next page; null when there is none. */
	readonly next: string | null;
}

/** One column, as `PRAGMA table_xinfo` tells it. */
export interface DatabaseColumn {
	readonly cid: number;
	readonly name: string;
	readonly type: string;
	readonly notnull: number;
	readonly dflt_value: string | null;
	/** Its place in the primary key, from 1; 0 outside. */
	readonly pk: number;
}

export interface DatabaseForeignKey {
	readonly from: string;
	readonly table: string;
	/** Null for the primary key of the other table. */
	readonly to: string | null;
	readonly on_update: string;
	readonly on_delete: string;
}

export interface DatabaseTable {
	readonly table: {
		readonly schema: "main";
		readonly name: string;
		readonly type: "table" | "view";
	};
	readonly columns: readonly DatabaseColumn[];
	readonly foreignKeys: readonly DatabaseForeignKey[];
	/** Rows of a table; null for a view, where counting may cost anything, and with `error`. */
	readonly records: number | null;
	/** Why it cannot be read, as SQLite says it (a view of a table that is gone): no columns are known of it then. */
	readonly error?: string;
}

export interface SchemaAnswer {
	readonly schema: { readonly tables: readonly DatabaseTable[] };
}

export type Row = Readonly<Record<string, unknown>>;

export interface RowsAnswer {
	readonly rows: readonly Row[];
}

export interface EventEntry {
	/** Grows with time, over all actors of a host, events, log lines and spans together. */
	readonly id: number;
	readonly atMs: number;
	readonly name: string;
	/** Absent when they were too large to be kept, or with `isTooDeep`. */
	readonly args?: unknown;
	/** They are nested as deep as values may be, and lie deeper here: CBOR cannot carry them. */
	readonly isTooDeep?: true;
	/** How many connections it was sent to. */
	readonly subscribers: number;
	/** Of the one connection that it was for. */
	readonly connId?: string;
}

export interface EventsAnswer {
	readonly events: readonly EventEntry[];
	readonly recording: boolean;
	/** What to ask for those after, next time. */
	readonly lastId: number;
	/** Between the entry that was asked for those after, and the first one here, some may be missing. */
	readonly missed?: true;
}

export interface LogEntry {
	/** As that of an {@link EventEntry}. */
	readonly id: number;
	readonly atMs: number;
	readonly level: string;
	readonly message: string;
	readonly fields: unknown;
	readonly traceId?: string;
	readonly spanId?: string;
}

export interface LogsAnswer {
	readonly logs: readonly LogEntry[];
	readonly recording: boolean;
	/** As that of an {@link EventsAnswer}: higher than the id of the last line here when later ones are of a lower level. */
	readonly lastId: number;
	/** As that of an {@link EventsAnswer}. */
	readonly missed?: true;
}

/** OTLP in JSON: decimal text for what has 64 bits. */
export interface OtlpAttribute {
	readonly key: string;
	readonly value: Readonly<Record<string, unknown>>;
}

export interface OtlpEvent {
	readonly name: string;
	readonly timeUnixNano: string;
	readonly attributes: readonly OtlpAttribute[];
	readonly droppedAttributesCount: number;
}

export interface OtlpSpan {
	readonly traceId: string;
	readonly spanId: string;
	readonly parentSpanId?: string;
	readonly flags: number;
	readonly name: string;
	readonly kind: number;
	readonly startTimeUnixNano: string;
	/** "0" while it is open. */
	readonly endTimeUnixNano: string;
	readonly attributes: readonly OtlpAttribute[];
	readonly droppedAttributesCount: number;
	readonly events: readonly OtlpEvent[];
	readonly droppedEventsCount: number;
	readonly links: readonly never[];
	readonly droppedLinksCount: number;
	/** 0 while it is open, 1 when it is well, 2 when it failed. */
	readonly status: { readonly code: number; readonly message?: string };
}

export interface TracesAnswer {
	readonly otlp: {
		readonly resourceSpans: readonly {
			readonly resource?: { readonly attributes: readonly OtlpAttribute[] };
			readonly scopeSpans: readonly {
				readonly scope?: { readonly name: string; readonly version: string };
				readonly spans: readonly OtlpSpan[];
			}[];
		}[];
	};
	/** Whether there are more. */
	readonly clamped: boolean;
}

export interface WorkflowAnswer {
	/** Null without a workflow, and while nothing is recorded. */
	readonly workflow: WorkflowDetails | null;
	readonly isWorkflowEnabled: boolean;
}

/** Where a workflow stands. */
export type WorkflowStateName =
	| "pending"
	| "running"
	/** All of it waits: for a time, a message, its next try. */
	| "sleeping"
	| "rolling_back"
	| "completed"
	| "failed"
	| "cancelled";

/** What a workflow waits for. */
export interface WorkflowWait {
	/** Of the entry that waits, such as `parts/~3/wait`. */
	readonly path: string;
	/** Of a wait for messages: the queues; null for all. */
	readonly names?: readonly string[] | null;
	/** Milliseconds since the epoch. */
	readonly deadline?: number;
}

export interface WorkflowStatus {
	readonly state: WorkflowStateName;
	/** Whether its code does not fit its history, or is wrong: it waits for code that is right. */
	readonly blocked: boolean;
	readonly paused: boolean;
	/** Why it has failed, is rolled back or blocked. */
	readonly error?: {
		readonly name: string;
		readonly message: string;
		readonly stack?: string;
		readonly metadata?: unknown;
	};
	/** What it returned. */
	readonly output?: unknown;
	readonly waitingFor: readonly WorkflowWait[];
	/** When code that does not fit, or a rollback that fails, is tried again (ms since the epoch). */
	readonly retryAt?: number;
	/** How often its history was taken back on purpose. */
	readonly epoch: number;
	/** Why it was, or is being, cancelled; absent where nobody said. */
	readonly cancelReason?: string;
}

/** One part of an entry's location. */
export type WorkflowHistorySegment =
	| { readonly tag: "WorkflowNameIndex"; readonly val: number }
	| {
			readonly tag: "WorkflowLoopIterationMarker";
			readonly val: { readonly loop: number; readonly iteration: number };
	  };

/** One entry; `kind.val` depends on the tag (workflows 11.2). */
export interface WorkflowHistoryEntry {
	readonly id: string;
	readonly location: readonly WorkflowHistorySegment[];
	readonly kind: { readonly tag: string; readonly val: Readonly<Record<string, unknown>> };
}

export interface WorkflowHistoryMetadata {
	readonly status: "PENDING" | "RUNNING" | "COMPLETED" | "FAILED" | "EXHAUSTED";
	readonly error: string | null;
	readonly attempts: number;
	/** Milliseconds since the epoch, like the other times; 0 for never. */
	readonly lastAttemptAt: number;
	readonly createdAt: number;
	readonly completedAt: number | null;
	readonly rollbackCompletedAt: number | null;
	readonly rollbackError: string | null;
}

/** A workflow's history as plain JSON (workflows 11.2). */
export interface WorkflowHistory {
	readonly nameRegistry: readonly string[];
	/** In the order they began. */
	readonly entries: readonly WorkflowHistoryEntry[];
	/** By the id of the entry. */
	readonly entryMetadata: Readonly<Record<string, WorkflowHistoryMetadata>>;
	readonly workflow: Omit<WorkflowStatus, "output" | "paused"> & {
		readonly paused: boolean;
		/** Entries in the history. */
		readonly liveEntries: number;
	};
}

/** Where an entry stands. */
export type WorkflowEntryStatus =
	/** It has begun, and nothing of it runs: the actor sleeps, or has ended in the middle of it. */
	| "pending"
	| "running"
	/** For a time or a message. */
	| "waiting"
	/** A step between two tries. */
	| "retrying"
	| "completed"
	| "failed"
	/** A step whose tries are used up. */
	| "exhausted"
	| "cancelled";

/** One branch of a join or race. */
export interface WorkflowBranchDetails {
	readonly name: string;
	readonly status: "running" | "completed" | "failed" | "cancelled";
	readonly error: string | null;
	readonly output?: unknown;
}

/** A message that a wait has received. */
export interface WorkflowMessageDetails {
	readonly id: number;
	readonly queue: string;
	readonly createdAt: number;
	/** Of completable ones. */
	readonly isCompleted?: boolean;
	readonly body?: unknown;
}

/** One entry of a workflow, as a dashboard draws it. Times in milliseconds since the epoch; null for not (yet). */
export interface WorkflowEntryDetails {
	/** The id it has in the history; that of a step is what a replay begins with. */
	readonly id: string;
	/** Of the loop, join, race or block around it; null at the root. */
	readonly parentId: string | null;
	/** Below a loop: which iteration. */
	readonly iteration?: number;
	/** Below a join or race: which branch. */
	readonly branch?: string;
	readonly name: string;
	/** Such as `parts/~3/wait`. */
	readonly path: string;
	readonly kind:
		| "step"
		| "loop"
		| "sleep"
		| "message"
		| "rollback_checkpoint"
		| "join"
		| "race"
		| "removed"
		| "version_check"
		| "try"
		| "send";
	readonly status: WorkflowEntryStatus;
	/** Of a step: tries so far, with the one that runs. */
	readonly attempts: number;
	readonly startedAt: number;
	readonly endedAt: number | null;
	readonly lastAttemptAt: number | null;
	/** When it goes on at the latest: the end of a sleep, the timeout of a wait, the next try of a step. */
	readonly deadline: number | null;
	readonly error: {
		readonly name: string;
		readonly message: string;
		readonly stack?: string;
		readonly metadata?: unknown;
	} | null;
	/** Whether the step has a handler that undoes it. */
	readonly isCompensable?: boolean;
	readonly rolledBackAt: number | null;
	readonly rollbackError: string | null;
	/** Of a step, loop, race or block that has ended. */
	readonly output?: unknown;
	/** Of a loop: where it is, and what with. */
	readonly currentIteration?: number;
	readonly state?: unknown;
	readonly branches?: readonly WorkflowBranchDetails[];
	/** Of a race. */
	readonly winner?: string | null;
	/** Of a wait: which queues, null for all. */
	readonly queues?: readonly string[] | null;
	readonly messages?: readonly WorkflowMessageDetails[];
	/** Of a check. */
	readonly version?: { readonly resolved: number; readonly latest: number };
	/** What kind of entry was removed. */
	readonly originalType?: string;
}

/** A workflow as a dashboard draws it. */
export interface WorkflowDetails extends WorkflowStatus {
	readonly startedAt: number;
	/** Steps whose code runs now, by id. */
	readonly running: readonly {
		readonly entryId: string;
		readonly path: string;
		readonly attempt: number;
	}[];
	/** Entries in the history. */
	readonly liveEntries: number;
	/** In the order they began. */
	readonly entries: readonly WorkflowEntryDetails[];
	/** Whether earlier entries were left out. */
	readonly truncated: boolean;
}
