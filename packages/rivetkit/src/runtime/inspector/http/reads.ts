import { actorMetrics } from "../../telemetry/metrics/actor-metrics.ts";
import { PROMETHEUS_TYPE } from "../../telemetry/metrics/prometheus.ts";
import { invalid } from "../invalid.ts";
import { stateVersion } from "../state-version.ts";
import { eventsOf, isLevel, logsOf } from "../view/activity.ts";
import type { ActorView } from "../view/actor-view.ts";
import { connectionsOf } from "../view/connection-details.ts";
import { declarationsOf } from "../view/declarations.ts";
import { listKv } from "../view/kv-page.ts";
import { deadLettersOf, messagePage, queueStatus } from "../view/queue-listing.ts";
import { failuresOf, historyOf, schedulesOf } from "../view/schedule-listing.ts";
import { SPANS_MAX, tracesOf } from "../view/traces.ts";
import { workflowDetailsOf, workflowOf } from "../view/workflow.ts";
import { canAnswer, TextAnswer, versionedAnswer } from "./answers.ts";
import type { InspectorCall } from "./call.ts";

/** For what has no limit of its own. */
const ANY = { otherwise: Number.MAX_SAFE_INTEGER, max: Number.MAX_SAFE_INTEGER };
const FIRST = { otherwise: 0, max: Number.MAX_SAFE_INTEGER };

type Read = (view: ActorView, call: InspectorCall) => object | Promise<object>;

const stateOf = ({ state, config }: ActorView) => ({
	...(state && { state: state.value }),
	isStateEnabled: config.hasState,
});

const rpcsOf = ({ config }: ActorView) => ({ rpcs: [...config.actions.keys()] });

/** The contract's answers (protocol 7.2). */

export const readState: Read = (view, call) => {
	const state = stateOf(view);
	const version = stateVersion(view.state);
	return version === null ? state : versionedAnswer(state, call.wantsCbor, version);
};

export const readConnections: Read = (view) => ({ connections: connectionsOf(view) });

export const readRpcs: Read = rpcsOf;

export const readQueue: Read = (view, { query }) => {
	// Anything that is no number lists nothing.
	const limit = Math.trunc(Number(query.get("limit") ?? 50));
	return queueStatus(view, limit > 0 ? limit : 0);
};

export const readTraces: Read = (view, call) =>
	tracesOf(view, {
		startMs: call.number("startMs", { otherwise: 0, max: Number.MAX_SAFE_INTEGER }),
		endMs: call.number("endMs", ANY),
		limit: call.number("limit", { otherwise: 1_000, max: SPANS_MAX }),
	});

export const readWorkflowHistory: Read = (view, call) => workflowOf(view, call.valueForm);

export const readSummary: Read = async (view, call) => {
	const { history, isWorkflowEnabled } = await workflowOf(view, call.valueForm);
	return {
		...stateOf(view),
		connections: connectionsOf(view),
		...rpcsOf(view),
		queueSize: view.queue?.index.size ?? 0,
		isDatabaseEnabled: view.config.db !== undefined,
		isWorkflowEnabled,
		workflowHistory: history,
	};
};

/** Ours. */

const PAGE = { otherwise: 100, max: 1_000 };
const ENTRIES = { otherwise: 1_000, max: 100_000 };

export const readEvents: Read = ({ activity }, call) =>
	eventsOf(
		activity,
		{ limit: call.number("limit", PAGE), after: call.number("after", FIRST) },
		(args) => canAnswer({ events: [{ args }] }, call.wantsCbor),
	);

export const readLogs: Read = ({ activity }, call) => {
	const level = call.query.get("level");
	if (level !== null && !isLevel(level)) throw invalid(`there is no log level '${level}'`);
	const limit = call.number("limit", PAGE);
	return logsOf(activity, { limit, after: call.number("after", FIRST), level });
};

export const readDeclarations: Read = ({ config }) => declarationsOf(config);

/** Contract: protocol 8.4. */
export const readMetrics: Read = (view) => new TextAnswer(PROMETHEUS_TYPE, actorMetrics(view));

export const readLifecycle: Read = ({ lifecycle }) => lifecycle;

export const readMessages: Read = (view, call) =>
	messagePage(view, {
		limit: call.number("limit", PAGE),
		after: call.number("after", { otherwise: 0, max: Number.MAX_SAFE_INTEGER }),
		reverse: call.query.get("reverse") === "true",
		name: call.query.get("name"),
		withBodies: call.query.get("bodies") !== "false",
	});

export const readDeadLetters: Read = (view, call) =>
	deadLettersOf(view, { limit: call.number("limit", PAGE), queue: call.query.get("queue") });

export const readSchedules: Read = ({ schedules }, { wantsCbor }) => ({
	schedules: schedulesOf(schedules, (args) => canAnswer({ schedules: [{ args }] }, wantsCbor)),
});

export const readScheduleHistory: Read = (view, call) =>
	historyOf(view.schedules, call.parameters[0]!, call.number("limit", PAGE));

export const readScheduleFailures: Read = (view, call) =>
	failuresOf(view.schedules, call.number("limit", PAGE));

export const readWorkflow: Read = (view, call) =>
	workflowDetailsOf(view, {
		form: call.valueForm,
		limit: call.number("limit", ENTRIES),
		withValues: call.query.get("values") !== "false",
	});

export const readKv: Read = (view, call) =>
	listKv(view, {
		prefix: call.query.get("prefix") ?? "",
		after: call.query.get("after"),
		limit: call.number("limit", PAGE),
		reverse: call.query.get("reverse") === "true",
	});
