import { type Clock, decodeCbor, type InspectedActor, type StorageRange } from "@rivetkit/protocol";
import type { ActorStatus, LifecycleReport } from "@rivetkit/protocol/inspector/answers";
import { type ErasedActorConfig, isDeadLetterQueue } from "../../../actor/erased.ts";
import type { ActorBackend } from "../../../backends/backend.ts";
import {
	entriesOf,
	type StoredEntries,
	SUBSPACE_CONNECTIONS,
	SUBSPACE_QUEUE,
	SUBSPACE_SCHEDULE,
	SUBSPACE_STATE,
	SUBSPACE_WORKFLOW,
	WAKE_END,
	WAKE_START,
} from "../../commit/storage-layout.ts";
import { readConnections, type StoredConnection } from "../../connections/connection-layout.ts";
import type { DurableView, StoredRunReader } from "../../durable/durable-view.ts";
import { readState } from "../../instance/state-layout.ts";
import { type ListedEntry, listEntries } from "../../kv/list-entries.ts";
import type { IdRange } from "../../kv/range-set.ts";
import { QueueData } from "../../queue/queue-data.ts";
import type { HostTelemetry } from "../../telemetry/host-telemetry.ts";
import type { Span } from "../../telemetry/span.ts";
import { readStoredSpans } from "../../telemetry/stored-spans.ts";
import type { LifecycleLog } from "../lifecycle-log.ts";
import type { Activity } from "./activity.ts";
import type { ActorView, InspectedConnection } from "./actor-view.ts";
import { identityOf } from "./lifecycle-report.ts";
import { StoredSchedules } from "./schedule-rows.ts";

/** What a view of stored data stands on. */
export interface StoredViewServices {
	readonly backend: ActorBackend;
	readonly clock: Clock;
	readonly log: LifecycleLog;
	readonly telemetry?: HostTelemetry;
}

/** An actor without an incarnation, as its store has it. */
export class StoredView implements ActorView {
	readonly config: ErasedActorConfig;
	readonly state: { readonly value: unknown } | null;
	readonly connections: readonly InspectedConnection[];
	readonly queue: QueueData | null;
	readonly schedules: StoredSchedules;
	readonly workflow: DurableView | null;
	readonly #actor: InspectedActor;
	readonly #services: StoredViewServices;

	constructor(
		services: StoredViewServices,
		config: ErasedActorConfig,
		actor: InspectedActor,
		entries: StoredEntries,
	) {
		this.config = config;
		this.#actor = actor;
		this.#services = services;
		this.state = stateIn(config, entries);
		this.connections = readConnections(entriesOf(entries, SUBSPACE_CONNECTIONS), () => {}).map(
			inspected,
		);
		this.queue = this.#queueIn(entriesOf(entries, SUBSPACE_QUEUE));
		const schedules = entriesOf(entries, SUBSPACE_SCHEDULE);
		this.schedules = new StoredSchedules(config, schedules, (range) => this.#scan(range));
		this.workflow = this.#workflowIn(entriesOf(entries, SUBSPACE_WORKFLOW));
	}

	/** Reads what a wake would read. */
	static async read(
		services: StoredViewServices,
		config: ErasedActorConfig,
		actor: InspectedActor,
	): Promise<StoredView> {
		const range = { start: WAKE_START, end: WAKE_END };
		const entries = await services.backend.load(actor.assignment, range);
		return new StoredView(services, config, actor, entries ?? []);
	}

	get lifecycle(): LifecycleReport {
		const { assignment, placement, startTs, sleepTs, retryTs } = this.#actor;
		const history = this.#services.log.of(assignment.actorId);
		const last = history.at(-1);
		const failed = placement === "resting" && last?.event === "startFailed" ? last : null;
		return {
			...identityOf(assignment),
			status: failed ? "failing" : STATUS[placement],
			phase: null,
			awakeBecause: [],
			startedAtMs: startTs,
			sleptAtMs: sleepTs,
			wakesAtMs: assignment.alarmTs,
			failure: failed && {
				message: failed.detail ?? "",
				atMs: failed.atMs,
				retryAtMs: Math.max(failed.atMs, retryTs),
			},
			history,
		};
	}

	get activity(): Activity | null {
		const { telemetry } = this.#services;
		return telemetry ? { host: telemetry, actor: this.#actor.assignment } : null;
	}

	get counts(): null {
		return null;
	}

	storedSpans(): Promise<readonly Span[]> {
		return readStoredSpans((range) => this.#scan(range), null);
	}

	listKv(range: IdRange, limit: number, reverse: boolean): Promise<ListedEntry[]> {
		const store = { scan: (stored: StorageRange) => this.#scan(stored) };
		return listEntries(store, [], { range, limit, reverse });
	}

	#workflowIn([head]: StoredEntries): DurableView | null {
		const read = this.config.run?.durableView as StoredRunReader | undefined;
		if (!read) return null;
		const { actorId } = this.#actor.assignment;
		return read({ actorId, head: head?.[1] ?? null, scan: (range) => this.#scan(range) });
	}

	#queueIn(entries: StoredEntries): QueueData | null {
		if (entries.length === 0) return null;
		const { backend, clock } = this.#services;
		const data = new QueueData(backend, this.#actor.assignment, {
			now: () => clock.now(),
			schedule: readOnly,
			isDeadLetter: (name) => isDeadLetterQueue(this.config, name),
			wrote: readOnly,
			waitBegan: readOnly,
			waitEnded: readOnly,
		});
		data.load(entries);
		return data;
	}

	#scan(range: StorageRange): Promise<[Uint8Array, Uint8Array][]> {
		return this.#services.backend.scan(this.#actor.assignment, range);
	}
}

const STATUS: Readonly<Record<InspectedActor["placement"], ActorStatus>> = {
	resting: "sleeping",
	starting: "starting",
	live: "awake",
	stopping: "stopping",
};

function stateIn(
	{ hasState }: ErasedActorConfig,
	entries: StoredEntries,
): { readonly value: unknown } | null {
	if (!hasState) return null;
	const { bytes } = readState(entriesOf(entries, SUBSPACE_STATE));
	return bytes && { value: decodeCbor(bytes) };
}

function inspected({ id, head, state, subscriptions }: StoredConnection): InspectedConnection {
	return {
		id,
		type: head.kind,
		params: head.params,
		state: state && { value: decodeCbor(state) },
		subscriptions: subscriptions.length,
		isHibernatable: true,
	};
}

function readOnly(): never {
	throw new Error("A stored actor is only looked at");
}
