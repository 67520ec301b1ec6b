/** What the inspector's routes answer (docs/inspector.md); times are milliseconds since the epoch. */

export type ActorStatus = "awake" | "starting" | "stopping" | "failing" | "sleeping";

export interface LifecycleEntry {
	readonly atMs: number;
	readonly generation: number;
	readonly event: string;
	readonly detail?: string;
}

export interface LifecycleReport {
	readonly actorId: string;
	readonly name: string;
	readonly key: readonly string[];
	readonly generation: number;
	readonly status: ActorStatus;
	readonly phase: string | null;
	readonly awakeBecause: readonly string[];
	readonly createdAtMs: number;
	readonly startedAtMs: number | null;
	readonly sleptAtMs: number | null;
	readonly wakesAtMs: number | null;
	readonly failure: {
		readonly message: string;
		readonly atMs: number;
		readonly retryAtMs: number;
	} | null;
	readonly history: readonly LifecycleEntry[];
}

export interface StateAnswer {
	readonly state?: unknown;
	readonly isStateEnabled: boolean;
}

export interface InspectedConnection {
	readonly type: string | null;
	readonly id: string;
	readonly details: {
		readonly type: string | null;
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
	readonly rpcs: readonly string[];
}

export interface ActionAnswer {
	readonly output?: unknown;
}

export interface SummaryAnswer extends StateAnswer, ConnectionsAnswer, RpcsAnswer {
	readonly queueSize: number;
	readonly isDatabaseEnabled: boolean;
	readonly isWorkflowEnabled: boolean;
}

export interface QueueStatus {
	readonly size: number;
	readonly maxSize: number;
	readonly truncated: boolean;
}

export interface QueueMessage {
	readonly id: number;
	readonly name: string;
	readonly createdAtMs: number;
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

export interface Schedule {
	readonly id: string;
	readonly name?: string;
	readonly kind: "at" | "cron" | "every";
	readonly action: string;
	readonly args: unknown;
	readonly nextRunAt: number;
	readonly lastRunAt?: number;
	readonly expression?: string;
	readonly timezone?: string;
	readonly intervalMs?: number;
	readonly maxHistory?: number;
	readonly catchUp?: string;
	readonly overlap?: string;
	readonly running?: true;
	readonly retrying?: {
		readonly attempts: number;
		readonly error: string;
		readonly nextRunAt: number;
	};
	readonly parked?: string;
}

export interface SchedulesAnswer {
	readonly schedules: readonly Schedule[];
}

export interface Fire {
	readonly action: string;
	readonly scheduledAt: number;
	readonly firedAt: number;
	readonly finishedAt?: number;
	readonly result: string;
	readonly error?: { readonly group: string; readonly code: string; readonly message: string };
	readonly attempts: number;
}

export interface ScheduleHistoryAnswer {
	readonly history: readonly Fire[];
}

export interface ScheduleFailuresAnswer {
	readonly failures: readonly (Fire & { readonly id: string })[];
}

export interface KvEntry {
	readonly key: string;
	readonly value: string | Uint8Array;
	readonly type: "text" | "binary";
	readonly size: number;
}

export interface KvAnswer {
	readonly entries: readonly KvEntry[];
	readonly next: string | null;
}

export interface DatabaseTable {
	readonly table: { readonly schema: string; readonly name: string; readonly type: string };
	readonly columns: readonly {
		readonly name: string;
		readonly type: string;
		readonly notnull: number;
		readonly dflt_value: string | null;
		readonly pk: number;
	}[];
	readonly foreignKeys: readonly {
		readonly from: string;
		readonly table: string;
		readonly to: string | null;
	}[];
	readonly records: number | null;
}

export interface SchemaAnswer {
	readonly schema: { readonly tables: readonly DatabaseTable[] };
}

export type Row = Readonly<Record<string, unknown>>;

export interface RowsAnswer {
	readonly rows: readonly Row[];
}

export interface ExecuteAnswer {
	readonly rows: readonly Row[];
}

export type WorkflowEntryStatus =
	| "pending"
	| "running"
	| "waiting"
	| "retrying"
	| "completed"
	| "failed"
	| "exhausted"
	| "cancelled";

export interface WorkflowFailure {
	readonly name: string;
	readonly message: string;
	readonly stack?: string;
	readonly metadata?: unknown;
}

export interface WorkflowBranch {
	readonly name: string;
	readonly status: string;
	readonly error: string | null;
	readonly output?: unknown;
}

export interface WorkflowEntry {
	readonly id: string;
	readonly parentId: string | null;
	readonly iteration?: number;
	readonly branch?: string;
	readonly name: string;
	readonly path: string;
	readonly kind: string;
	readonly status: WorkflowEntryStatus;
	readonly attempts: number;
	readonly startedAt: number;
	readonly endedAt: number | null;
	readonly lastAttemptAt: number | null;
	readonly deadline: number | null;
	readonly error: WorkflowFailure | null;
	readonly isCompensable?: boolean;
	readonly rolledBackAt: number | null;
	readonly rollbackError: string | null;
	readonly output?: unknown;
	readonly currentIteration?: number;
	readonly state?: unknown;
	readonly branches?: readonly WorkflowBranch[];
	readonly winner?: string | null;
	readonly queues?: readonly string[] | null;
	readonly messages?: readonly {
		readonly id: number;
		readonly queue: string;
		readonly createdAt: number;
		readonly isCompleted?: boolean;
		readonly body?: unknown;
	}[];
}

export interface WorkflowDetails {
	readonly state: string;
	readonly blocked: boolean;
	readonly paused: boolean;
	readonly error?: WorkflowFailure;
	readonly output?: unknown;
	readonly cancelReason?: string;
	readonly waitingFor: readonly {
		readonly path: string;
		readonly names?: readonly string[] | null;
		readonly deadline?: number;
	}[];
	readonly retryAt?: number;
	readonly epoch: number;
	readonly startedAt: number;
	readonly liveEntries: number;
	readonly entries: readonly WorkflowEntry[];
	readonly truncated: boolean;
}

export interface WorkflowAnswer {
	readonly workflow: WorkflowDetails | null;
	readonly isWorkflowEnabled: boolean;
}

export interface EventEntry {
	readonly id: number;
	readonly atMs: number;
	readonly name: string;
	/** Absent when they were too large to be kept. */
	readonly args?: unknown;
	readonly subscribers: number;
	readonly connId?: string;
}

export interface EventsAnswer {
	readonly events: readonly EventEntry[];
	readonly recording: boolean;
}

export interface LogEntry {
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
}

export interface OtlpAttribute {
	readonly key: string;
	readonly value: Readonly<Record<string, unknown>>;
}

export interface OtlpSpan {
	readonly traceId: string;
	readonly spanId: string;
	readonly parentSpanId?: string;
	readonly name: string;
	readonly startTimeUnixNano: string | number | bigint;
	/** Missing or 0 while it is open. */
	readonly endTimeUnixNano?: string | number | bigint;
	readonly attributes?: readonly OtlpAttribute[];
	readonly events?: readonly {
		readonly name: string;
		readonly timeUnixNano: string | number | bigint;
		readonly attributes?: readonly OtlpAttribute[];
	}[];
	readonly status?: { readonly code?: number | string; readonly message?: string };
}

export interface TracesAnswer {
	readonly otlp: {
		readonly resourceSpans?: readonly {
			readonly scopeSpans?: readonly { readonly spans?: readonly OtlpSpan[] }[];
		}[];
	};
	readonly clamped: boolean;
}
