import { EncodeError, encodeCbor } from "@rivetkit/protocol";
import type {
	Connection,
	InspectorToClient,
	Schedule as ScheduleMessage,
} from "@rivetkit/protocol/inspector";
import type { Schedule } from "@rivetkit/protocol/inspector/answers";
import type { ActorView } from "../view/actor-view.ts";
import { connectionsOf } from "../view/connection-details.ts";
import { schedulesOf } from "../view/schedule-listing.ts";
import { hasWorkflow, workflowBytes } from "../view/workflow.ts";

/** What inspector sockets are kept up to date about, as it is sent. */
export interface Snapshot {
	/** CBOR; undefined without a state. */
	readonly state: Uint8Array | undefined;
	readonly connections: readonly Connection[];
	readonly queueSize: number;
	readonly schedules: readonly ScheduleMessage[];
	readonly workflowHistory: Uint8Array | undefined;
	/** See `DurableView`. */
	readonly workflowRevision: string | null;
}

/** @param before - what it was, so that what has not changed is not made again */
export async function takeSnapshot(view: ActorView, before: Snapshot | null): Promise<Snapshot> {
	const workflowRevision = view.workflow?.revision ?? null;
	const isSameWorkflow =
		before !== null && workflowRevision !== null && before.workflowRevision === workflowRevision;
	// Read first: the rest is as it is when this is here.
	const workflowHistory = isSameWorkflow ? before.workflowHistory : await workflowBytes(view);
	return {
		state: stateBytes(view),
		connections: connectionMessages(view),
		queueSize: view.queue?.index.size ?? 0,
		schedules: scheduleMessages(view),
		workflowHistory,
		workflowRevision,
	};
}

export function initMessage(view: ActorView, snapshot: Snapshot): InspectorToClient {
	const { config } = view;
	const { workflowRevision: _, ...values } = snapshot;
	return {
		tag: "Init",
		val: {
			...values,
			isStateEnabled: config.hasState,
			rpcs: [...config.actions.keys()],
			isDatabaseEnabled: config.db !== undefined,
			isWorkflowEnabled: hasWorkflow(view),
			tabConfig: [],
		},
	};
}

/** What has changed from one snapshot to the next. */
export function changesBetween(before: Snapshot, after: Snapshot): InspectorToClient[] {
	const changes: InspectorToClient[] = [];
	const { state, connections, queueSize, schedules, workflowHistory } = after;
	if (state && !isSame(before.state, state)) changes.push({ tag: "StateUpdated", val: { state } });
	if (!isSameList(before.connections, connections, isSameConnection)) {
		changes.push({ tag: "ConnectionsUpdated", val: { connections } });
	}
	if (queueSize !== before.queueSize) changes.push({ tag: "QueueUpdated", val: { queueSize } });
	if (!isSameList(before.schedules, schedules, isSameSchedule)) {
		changes.push({ tag: "SchedulesUpdated", val: { schedules } });
	}
	if (workflowHistory && !isSame(before.workflowHistory, workflowHistory)) {
		changes.push({ tag: "WorkflowHistoryUpdated", val: { history: workflowHistory } });
	}
	return changes;
}

/** Undefined without a state; also for one that cannot be stored, which its commit complains of. */
export function stateBytes({ state }: ActorView): Uint8Array | undefined {
	if (state === null) return undefined;
	try {
		return encodeCbor(state.value);
	} catch (error) {
		if (error instanceof EncodeError) return undefined;
		throw error;
	}
}

export function connectionMessages(view: ActorView): Connection[] {
	return connectionsOf(view).map(({ id, details }) => ({ id, details: encodeCbor(details) }));
}

/** Arguments are encoded by themselves: all can be shown. */
export function scheduleMessages({ schedules }: ActorView): ScheduleMessage[] {
	return schedulesOf(schedules, () => true).map(scheduleMessage);
}

function scheduleMessage(schedule: Schedule): ScheduleMessage {
	const { id, name, kind, action, args, nextRunAt, lastRunAt } = schedule;
	const { expression, timezone, intervalMs, maxHistory } = schedule;
	return {
		id,
		name,
		kind,
		action,
		args: encodeCbor(args),
		nextRunAt,
		lastRunAt,
		expression,
		timezone,
		intervalMs,
		maxHistory,
	};
}

function isSame(a: Uint8Array | undefined, b: Uint8Array): boolean {
	if (a?.byteLength !== b.byteLength) return false;
	for (let at = 0; at < b.byteLength; at++) if (a[at] !== b[at]) return false;
	return true;
}

function isSameList<T>(
	a: readonly T[],
	b: readonly T[],
	isSameItem: (a: T, b: T) => boolean,
): boolean {
	return a.length === b.length && a.every((item, at) => isSameItem(item, b[at]!));
}

function isSameConnection(a: Connection, b: Connection): boolean {
	return a.id === b.id && isSame(a.details, b.details);
}

function isSameSchedule(a: ScheduleMessage, b: ScheduleMessage): boolean {
	const { args, ...rest } = a;
	const { args: otherArgs, ...others } = b;
	return isSame(args, otherArgs) && JSON.stringify(rest) === JSON.stringify(others);
}
