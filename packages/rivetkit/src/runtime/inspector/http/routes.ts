import type { ErasedActorConfig } from "../../../actor/erased.ts";
import type { ActorInstance } from "../../instance/instance.ts";
import { databaseMissing } from "../changes/use-database.ts";
import type { Repair } from "../repair/repairs.ts";
import * as repairs from "../repair/repairs.ts";
import type { ActorView } from "../view/actor-view.ts";
import type { InspectorCall } from "./call.ts";
import * as changes from "./changes.ts";
import * as reads from "./reads.ts";

/** What a route does, and what it needs for it. */
export type InspectorRoute =
	/** Answered from an incarnation, or from what is stored without waking the actor. */
	| {
			readonly kind: "read";
			readonly run: (view: ActorView, call: InspectorCall) => object | Promise<object>;
	  }
	/** Needs the actor awake, and counts as a request in progress. */
	| {
			readonly kind: "change";
			readonly run: (instance: ActorInstance, call: InspectorCall) => Promise<object>;
			/** Throws for an actor that has no such thing: nobody has to wake it to be told so. */
			readonly check?: (config: ErasedActorConfig) => void;
			/** The same of what is stored, for an actor that does not start. */
			readonly repair?: Repair;
	  };

type Read = (typeof reads)[keyof typeof reads];
type Change = (typeof changes)[keyof typeof changes];

const read = (run: Read): InspectorRoute => ({ kind: "read", run });
const change = (run: Change, repair?: Repair): InspectorRoute => ({
	kind: "change",
	run,
	...(repair && { repair }),
});
const inDatabase = (run: Change): InspectorRoute => ({
	kind: "change",
	run,
	check: ({ db }) => {
		if (db === undefined) throw databaseMissing();
	},
});

/** `METHOD /path below /inspector/`; `{}` stands for one segment. */
const ROUTES: Readonly<Record<string, InspectorRoute>> = {
	"GET state": read(reads.readState),
	"PATCH state": change(changes.changeState, repairs.repairState),
	"GET connections": read(reads.readConnections),
	"GET rpcs": read(reads.readRpcs),
	"POST action/{}": change(changes.callAction),
	"GET queue": read(reads.readQueue),
	"POST queue": change(changes.addMessage),
	"DELETE queue": change(changes.clearQueue, repairs.removeMessages),
	"GET traces": read(reads.readTraces),
	"GET workflow-history": read(reads.readWorkflowHistory),
	"POST workflow/replay": change(changes.replayWorkflowFrom),
	"GET summary": read(reads.readSummary),
	// SQL needs the actor's own connection.
	"GET database/schema": inDatabase(changes.databaseSchema),
	"GET database/rows": inDatabase(changes.databaseRows),
	"POST database/execute": inDatabase(changes.databaseExecute),

	// Ours.
	"GET lifecycle": read(reads.readLifecycle),
	"GET declarations": read(reads.readDeclarations),
	"GET metrics": read(reads.readMetrics),
	"GET events": read(reads.readEvents),
	"GET logs": read(reads.readLogs),
	"POST wake": change(changes.wakeUp),
	"GET queue/messages": read(reads.readMessages),
	"DELETE queue/messages/{}": change(changes.dropMessage, repairs.removeMessage),
	"GET queue/dead-letters": read(reads.readDeadLetters),
	"POST queue/redrive": change(changes.redriveDeadLetters, repairs.repairDeadLetters),
	"GET schedules": read(reads.readSchedules),
	"GET schedules/failures": read(reads.readScheduleFailures),
	"GET schedules/{}/history": read(reads.readScheduleHistory),
	"DELETE schedules/{}": change(changes.removeSchedule),
	"GET kv": read(reads.readKv),
	"GET workflow": read(reads.readWorkflow),
	"POST workflow/pause": change(changes.pauseWorkflow),
	"POST workflow/resume": change(changes.resumeWorkflow),
	"POST workflow/cancel": change(changes.cancelWorkflow),
	"POST workflow/recover": change(changes.recoverWorkflow),
	"POST workflow/wake": change(changes.wakeWorkflow),
	"GET workflow/export": change(changes.exportWorkflow),
	"POST workflow/import": change(changes.importWorkflow),
};

/** All there are. */
export const ROUTE_PATTERNS: readonly string[] = Object.keys(ROUTES);

interface PatternRoute {
	readonly method: string;
	readonly segments: readonly string[];
	readonly route: InspectorRoute;
}

const PATTERNS: readonly PatternRoute[] = Object.entries(ROUTES).map(([pattern, route]) => {
	const [method, path] = pattern.split(" ") as [string, string];
	return { method, segments: path.split("/"), route };
});

export interface MatchedRoute {
	readonly route: InspectorRoute;
	/** What stands for each `{}`, as it is in the path. */
	readonly parameters: readonly string[];
}

/** @param path - behind `/inspector/`, without query; a trailing slash means nothing */
export function matchRoute(method: string, path: string): MatchedRoute | null {
	const segments = path.replace(/\/$/, "").split("/");
	for (const { method: wanted, segments: pattern, route } of PATTERNS) {
		if (wanted !== method || pattern.length !== segments.length) continue;
		if (!pattern.every((part, at) => part === segments[at] || (part === "{}" && segments[at]))) {
			continue;
		}
		return { route, parameters: segments.filter((_, at) => pattern[at] === "{}") };
	}
	return null;
}
