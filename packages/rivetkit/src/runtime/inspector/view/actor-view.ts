import type { ConnectionType, LifecycleReport } from "@rivetkit/protocol/inspector/answers";
import type { ErasedActorConfig } from "../../../actor/erased.ts";
import type { DurableView } from "../../durable/durable-view.ts";
import type { ListedEntry } from "../../kv/list-entries.ts";
import type { IdRange } from "../../kv/range-set.ts";
import type { QueueData } from "../../queue/queue-data.ts";
import type { ActorCounts } from "../../telemetry/metrics/actor-metrics.ts";
import type { Span } from "../../telemetry/span.ts";
import type { Activity } from "./activity.ts";
import type { ScheduleRows } from "./schedule-rows.ts";

/** One connection as inspectors see it (contract: protocol 7.2). */
export interface InspectedConnection {
	readonly id: string;
	readonly type: ConnectionType;
	/** Undefined when the client passed nothing. */
	readonly params: unknown;
	/** Null when it has none. */
	readonly state: { readonly value: unknown } | null;
	readonly subscriptions: number;
	readonly isHibernatable: boolean;
}

/** What can be read of an actor, whether it is awake or not. Reading changes nothing and wakes nobody. */
export interface ActorView {
	readonly config: ErasedActorConfig;
	/** Null when the actor has none, or none yet. */
	readonly state: { readonly value: unknown } | null;
	readonly connections: readonly InspectedConnection[];
	/** Null when nothing ever was in the queue. */
	readonly queue: QueueData | null;
	readonly schedules: ScheduleRows;
	readonly lifecycle: LifecycleReport;
	/** Null when `run` is no workflow. */
	readonly workflow: DurableView | null;
	/** Null when nothing is recorded of any actor. */
	readonly activity: Activity | null;
	/** Null when nothing is counted: metrics are off, or there is no incarnation. */
	readonly counts: ActorCounts | null;
	/** Spans that are stored, oldest first; newer ones, and perhaps the same, are in memory. */
	storedSpans(): Promise<readonly Span[]>;
	/** Entries of `c.kv`. */
	listKv(range: IdRange, limit: number, reverse: boolean): Promise<ListedEntry[]>;
}
