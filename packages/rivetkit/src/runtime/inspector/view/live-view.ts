import type { StorageRange } from "@rivetkit/protocol";
import type { LifecycleEntry, LifecycleReport } from "@rivetkit/protocol/inspector/answers";
import type { ErasedActorConfig } from "../../../actor/erased.ts";
import type { Connection } from "../../connections/connection.ts";
import type { DurableView } from "../../durable/durable-view.ts";
import type { ActorInstance } from "../../instance/instance.ts";
import { type ListedEntry, listEntries } from "../../kv/list-entries.ts";
import type { IdRange } from "../../kv/range-set.ts";
import type { QueueData } from "../../queue/queue-data.ts";
import type { ActorCounts } from "../../telemetry/metrics/actor-metrics.ts";
import type { Span } from "../../telemetry/span.ts";
import { readStoredSpans } from "../../telemetry/stored-spans.ts";
import type { LifecycleLog } from "../lifecycle-log.ts";
import type { Activity } from "./activity.ts";
import type { ActorView, InspectedConnection } from "./actor-view.ts";
import { identityOf } from "./lifecycle-report.ts";
import { type ScheduleRows, StoredSchedules } from "./schedule-rows.ts";

/** An incarnation as it is now, what it has not committed yet included. */
export class LiveView implements ActorView {
	readonly #instance: ActorInstance;
	readonly #log: LifecycleLog;

	constructor(instance: ActorInstance, log: LifecycleLog) {
		this.#instance = instance;
		this.#log = log;
	}

	get config(): ErasedActorConfig {
		return this.#instance.config;
	}

	get state(): { readonly value: unknown } | null {
		const { config, state } = this.#instance;
		return config.hasState ? { value: state.raw } : null;
	}

	get connections(): InspectedConnection[] {
		const { connections } = this.#instance.made;
		return connections ? Array.from(connections.all(), inspected) : [];
	}

	get queue(): QueueData | null {
		return this.#instance.made.queue?.data ?? null;
	}

	get schedules(): ScheduleRows {
		const { schedules } = this.#instance.made;
		return schedules?.keeper ?? new StoredSchedules(this.config, [], (range) => this.#scan(range));
	}

	get lifecycle(): LifecycleReport {
		const instance = this.#instance;
		const { assignment } = instance;
		const history = this.#log.of(instance.actorId);
		return {
			...identityOf(assignment),
			status: instance.isReady ? "awake" : "stopping",
			phase: instance.phase,
			awakeBecause: instance.awakeBecause(),
			startedAtMs: lastOf(history, "ready", assignment.generation),
			sleptAtMs: lastOf(history, "asleep", assignment.generation - 1),
			wakesAtMs: instance.made.alarm ? instance.made.alarm.wakeTs : assignment.alarmTs,
			failure: null,
			history,
		};
	}

	get workflow(): DurableView | null {
		return this.#instance.durable?.view ?? null;
	}

	get activity(): Activity | null {
		const { services, assignment, telemetry } = this.#instance;
		telemetry?.tell();
		return services.telemetry ? { host: services.telemetry, actor: assignment } : null;
	}

	get counts(): ActorCounts | null {
		const { telemetry } = this.#instance;
		return telemetry?.metrics ? telemetry.counts : null;
	}

	storedSpans(): Promise<readonly Span[]> {
		return readStoredSpans((range) => this.#scan(range), this.#instance.assignment.generation);
	}

	listKv(range: IdRange, limit: number, reverse: boolean): Promise<ListedEntry[]> {
		const { kv } = this.#instance.made;
		if (kv) return kv.list(range, limit, reverse);
		const store = { scan: (stored: StorageRange) => this.#scan(stored) };
		return listEntries(store, [], { range, limit, reverse });
	}

	#scan(range: StorageRange): Promise<[Uint8Array, Uint8Array][]> {
		const { services, assignment, telemetry } = this.#instance;
		telemetry?.tell();
		return services.backend.scan(assignment, range);
	}
}

function inspected(connection: Connection): InspectedConnection {
	const { id, kind, params, hasState, rawState, hasSubscriptions, isHibernatable } = connection;
	return {
		id,
		type: kind === "inspector" ? "http" : kind,
		params,
		state: hasState ? { value: rawState } : null,
		subscriptions: hasSubscriptions ? connection.subscriptions.size : 0,
		isHibernatable,
	};
}

function lastOf(
	history: readonly LifecycleEntry[],
	event: LifecycleEntry["event"],
	generation: number,
): number | null {
	const last = history.findLast(
		(entry) => entry.event === event && entry.generation === generation,
	);
	return last?.atMs ?? null;
}
