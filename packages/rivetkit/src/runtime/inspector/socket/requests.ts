import { decodeCbor, encodeCbor } from "@rivetkit/protocol";
import type { InspectorToClient, InspectorToServer, Uint } from "@rivetkit/protocol/inspector";
import type { Fire } from "@rivetkit/protocol/inspector/answers";
import type { ActorInstance } from "../../instance/instance.ts";
import { untracked } from "../../state/index.ts";
import { replayWorkflow } from "../changes/control-workflow.ts";
import { deleteSchedule } from "../changes/delete-schedule.ts";
import { patchState } from "../changes/patch-state.ts";
import { runAction } from "../changes/run-action.ts";
import { readRows, readSchema } from "../changes/use-database.ts";
import { invalid } from "../invalid.ts";
import type { ActorView } from "../view/actor-view.ts";
import { queueStatus } from "../view/queue-listing.ts";
import { historyOf } from "../view/schedule-listing.ts";
import { traceRange } from "../view/trace-range.ts";
import { SPANS_MAX } from "../view/traces.ts";
import { hasWorkflow, workflowBytes } from "../view/workflow.ts";
import type { FollowOptions } from "./entry-follower.ts";
import { connectionMessages, scheduleMessages, stateBytes } from "./snapshot.ts";

/** Contract: protocol 7.3. */
const QUEUE_MESSAGES_MAX = 200;
const DATABASE_ROWS_MAX = 500;
const FIRES_MAX = 1_000;

/** How requests get at their actor. */
export interface RequestHost {
	view(): Promise<ActorView>;
	/**
	 * Reads what the client is kept up to date about, and answers with it before it is told of anything newer, and
	 * after what is older.
	 */
	show(read: (view: ActorView) => InspectorToClient | Promise<InspectorToClient>): Promise<null>;
	/** Runs a change with the actor awake: it is woken if need be, and stays awake meanwhile. */
	change<T>(run: (instance: ActorInstance) => Promise<T>): Promise<T>;
	/** Tells the client of events and log lines. Throws `request.invalid`. */
	follow(options: FollowOptions): void;
	/** Fires when the client is gone. */
	readonly signal: AbortSignal;
}

/** Answers one request of an inspector's socket. Rejects with what goes to the client as an `Error`. */
export async function answerRequest(
	host: RequestHost,
	request: InspectorToServer,
): Promise<InspectorToClient | null> {
	switch (request.tag) {
		case "PatchStateRequest": {
			const state = decodeCbor(request.val.state);
			await host.change((instance) => patchState(instance, state));
			return null;
		}
		case "StateRequest": {
			const { id: rid } = request.val;
			return host.show((view) => {
				const state = stateBytes(view);
				const { hasState: isStateEnabled } = view.config;
				return { tag: "StateResponse", val: { rid, state, isStateEnabled } };
			});
		}
		case "ConnectionsRequest": {
			const { id: rid } = request.val;
			return host.show((view) => ({
				tag: "ConnectionsResponse",
				val: { rid, connections: connectionMessages(view) },
			}));
		}
		case "ActionRequest":
			return callAction(host, request.val);
		case "RpcsListRequest": {
			const rpcs = [...(await host.view()).config.actions.keys()];
			return { tag: "RpcsListResponse", val: { rid: request.val.id, rpcs } };
		}
		case "TraceQueryRequest": {
			const { id: rid, startMs, endMs, limit } = request.val;
			const payload = await traceRange(await host.view(), {
				startMs: upTo(Number.MAX_SAFE_INTEGER, startMs),
				endMs: upTo(Number.MAX_SAFE_INTEGER, endMs),
				limit: upTo(SPANS_MAX, limit),
			});
			return { tag: "TraceQueryResponse", val: { rid, payload } };
		}
		case "QueueRequest": {
			const { id: rid } = request.val;
			const limit = upTo(QUEUE_MESSAGES_MAX, request.val.limit);
			return host.show((view) => ({
				tag: "QueueResponse",
				val: { rid, status: queueStatus(view, limit) },
			}));
		}
		case "WorkflowHistoryRequest": {
			const { id: rid } = request.val;
			return host.show(async (view) => {
				const isWorkflowEnabled = hasWorkflow(view);
				const history = await workflowBytes(view);
				return { tag: "WorkflowHistoryResponse", val: { rid, history, isWorkflowEnabled } };
			});
		}
		case "WorkflowReplayRequest": {
			const { id: rid, entryId } = request.val;
			await host.change((instance) => replayWorkflow(instance, entryId));
			return host.show(async (view) => ({
				tag: "WorkflowReplayResponse",
				val: { rid, history: await workflowBytes(view), isWorkflowEnabled: true },
			}));
		}
		case "DatabaseSchemaRequest": {
			const schema = await told("Failed to get database schema", () => host.change(readSchema));
			return {
				tag: "DatabaseSchemaResponse",
				val: { rid: request.val.id, schema: encodeCbor(schema) },
			};
		}
		case "DatabaseTableRowsRequest": {
			const { id: rid, table, limit, offset } = request.val;
			const page = {
				limit: upTo(DATABASE_ROWS_MAX, limit),
				offset: upTo(Number.MAX_SAFE_INTEGER, offset),
			};
			const rows = await told("Failed to get database rows", () =>
				host.change((instance) => readRows(instance, table, page, host.signal)),
			);
			return { tag: "DatabaseTableRowsResponse", val: { rid, result: encodeCbor(rows) } };
		}
		case "SchedulesRequest": {
			const { id: rid } = request.val;
			return host.show((view) => ({
				tag: "SchedulesResponse",
				val: { rid, schedules: scheduleMessages(view) },
			}));
		}
		case "ScheduleHistoryRequest": {
			const { id: rid, scheduleId } = request.val;
			const limit = upTo(FIRES_MAX, request.val.limit);
			const { schedules } = await host.view();
			const { history } = await historyOf(schedules, scheduleId, limit);
			return {
				tag: "ScheduleHistoryResponse",
				val: { rid, scheduleId, history: history.map(fireMessage) },
			};
		}
		case "ScheduleDeleteRequest": {
			const { id: rid, scheduleId } = request.val;
			const deleted = await host.change((instance) => deleteSchedule(instance, scheduleId));
			return { tag: "ScheduleDeleteResponse", val: { rid, scheduleId, deleted } };
		}
		case "FollowRequest":
			// It answers itself: before what was kept.
			host.follow(request.val);
			return null;
		default:
			return request satisfies never;
	}
}

async function callAction(
	host: RequestHost,
	{ id, name, args }: { readonly id: Uint; readonly name: string; readonly args: Uint8Array },
): Promise<InspectorToClient> {
	const list = decodeCbor(args);
	if (!Array.isArray(list)) throw invalid("args must be a list");
	const outcome = await host.change((instance) =>
		runAction(instance, name, list, host.signal, (output) => encodeCbor(untracked(output))),
	);
	if (!outcome.ok) throw new RequestFailed(outcome.error.message);
	return { tag: "ActionResponse", val: { rid: id, output: outcome.answer } };
}

/** Numbers on the wire may be larger than any that is meant. */
function upTo(max: number, value: Uint): number {
	return Math.min(Number(value), max);
}

/** What a client is told, in these words. */
export class RequestFailed extends Error {
	override readonly name = "RequestFailed";
}

/** The contract's words for failures of the database. */
async function told<T>(what: string, work: () => Promise<T>): Promise<T> {
	try {
		return await work();
	} catch (error) {
		const reason = error instanceof Error ? error.message : String(error);
		throw new RequestFailed(`${what}: ${reason}`, { cause: error });
	}
}

function fireMessage({ attempts: _, error, finishedAt, ...fire }: Fire) {
	return { ...fire, finishedAt, error: error && { ...error, metadata: undefined } };
}
