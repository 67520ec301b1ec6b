/**
 * Inspector messages between the versions (contract 7.3, 8.8). Programs see the newest shape; an older
 * peer gets what its version has, and its `Error` in place of what it lacks. Fields of CBOR stay bytes.
 */
import { decodeEnvelope, encodeEnvelope, type Readers } from "../bare/envelope.ts";
import { catalogueError } from "../errors/catalogue.ts";
import * as extended from "../generated/inspector-extended.ts";
import * as v1 from "../generated/inspector-v1.ts";
import * as v2 from "../generated/inspector-v2.ts";
import * as v3 from "../generated/inspector-v3.ts";
import * as v4 from "../generated/inspector-v4.ts";
import * as v5 from "../generated/inspector-v5.ts";
import * as v6 from "../generated/inspector-v6.ts";

/**
 * Ours: the newest version of the contract and, behind its messages, our own. The number is one that the
 * contract's versions, which are counted from 1, will not come to (docs/adr/0043).
 */
export const INSPECTOR_EXTENDED_VERSION = 0x8006;
export type InspectorVersion = 1 | 2 | 3 | 4 | 5 | 6 | typeof INSPECTOR_EXTENDED_VERSION;
/** The newest version of the contract. */
export const INSPECTOR_VERSION = 6;
/** What a server emits to a peer of unknown version: the newest one of 2.1.3. */
export const INSPECTOR_COMPATIBLE_VERSION = 3;

/** From client to server, newest shape. */
export type InspectorToServer = extended.ToServerBody;
/** From server to client, newest shape. */
export type InspectorToClient = extended.ToClientBody;

export interface Versioned<T> {
	readonly version: InspectorVersion;
	readonly message: T;
}

/** The version that first had a message, where that is not the first; and what older peers are told. */
const TO_CLIENT_SINCE: {
	readonly [tag in InspectorToClient["tag"]]?: readonly [since: InspectorVersion, what: string];
} = {
	QueueUpdated: [2, "queue"],
	QueueResponse: [2, "queue"],
	WorkflowHistoryUpdated: [2, "workflow_history"],
	WorkflowHistoryResponse: [2, "workflow_history"],
	TraceQueryResponse: [2, "trace"],
	DatabaseSchemaResponse: [3, "database"],
	DatabaseTableRowsResponse: [3, "database"],
	WorkflowReplayResponse: [4, "workflow_history"],
	SchedulesUpdated: [6, "schedules"],
	SchedulesResponse: [6, "schedules"],
	ScheduleHistoryResponse: [6, "schedules"],
	ScheduleDeleteResponse: [6, "schedules"],
	FollowResponse: [INSPECTOR_EXTENDED_VERSION, "events"],
	StateSpliced: [INSPECTOR_EXTENDED_VERSION, "state"],
	EventsAdded: [INSPECTOR_EXTENDED_VERSION, "events"],
	LogsAdded: [INSPECTOR_EXTENDED_VERSION, "logs"],
	EntriesDropped: [INSPECTOR_EXTENDED_VERSION, "events"],
};

const TO_SERVER_SINCE: { readonly [tag in InspectorToServer["tag"]]?: InspectorVersion } = {
	TraceQueryRequest: 2,
	QueueRequest: 2,
	WorkflowHistoryRequest: 2,
	DatabaseSchemaRequest: 3,
	DatabaseTableRowsRequest: 3,
	WorkflowReplayRequest: 4,
	SchedulesRequest: 6,
	ScheduleHistoryRequest: 6,
	ScheduleDeleteRequest: 6,
	FollowRequest: INSPECTOR_EXTENDED_VERSION,
};

/** Whether clients of this version know a message; in place of others they get an `Error`. */
export function isInspectorMessageOf(
	version: InspectorVersion,
	tag: InspectorToClient["tag"],
): boolean {
	return (TO_CLIENT_SINCE[tag]?.[0] ?? 1) <= version;
}

/** A message to a client of the given version, or the `Error` that says what it misses. */
export function encodeInspectorToClient(
	version: InspectorVersion,
	message: InspectorToClient,
): Uint8Array {
	const [since, what] = TO_CLIENT_SINCE[message.tag] ?? [1, ""];
	const body: InspectorToClient =
		since <= version ? message : { tag: "Error", val: { message: `inspector.${what}_dropped` } };
	switch (version) {
		case 1:
			return encodeEnvelope(version, v1.writeToClient, { body: toClientV1(body) });
		case 2:
			return encodeEnvelope(version, v2.writeToClient, { body: body as v2.ToClientBody });
		case 3:
			return encodeEnvelope(version, v3.writeToClient, { body: body as v3.ToClientBody });
		case 4:
			return encodeEnvelope(version, v4.writeToClient, { body: body as v4.ToClientBody });
		case 5:
			return encodeEnvelope(version, v5.writeToClient, { body: body as v5.ToClientBody });
		case 6:
			return encodeEnvelope(version, v6.writeToClient, { body: body as v6.ToClientBody });
		case INSPECTOR_EXTENDED_VERSION:
			return encodeEnvelope(version, extended.writeToClient, { body });
	}
}

function toClientV1(body: InspectorToClient): v1.ToClientBody {
	return body.tag === "Init"
		? { tag: body.tag, val: { ...body.val, events: [] } }
		: (body as Exclude<v1.ToClientBody, { tag: "Init" }>);
}

const TO_CLIENT: Readers<{ readonly body: { readonly tag: string; readonly val: object } }> = {
	1: v1.readToClient,
	2: v2.readToClient,
	3: v3.readToClient,
	4: v4.readToClient,
	5: v5.readToClient,
	6: v6.readToClient,
	[INSPECTOR_EXTENDED_VERSION]: extended.readToClient,
};

/** Throws `message.malformed` and nothing else. Bytes in the result are views of `data`. */
export function decodeInspectorToClient(data: string | Uint8Array): Versioned<InspectorToClient> {
	return decodeEnvelope(data, TO_CLIENT, ({ body }, version) => ({
		version: version as InspectorVersion,
		message: upgradeToClient(body as v1.ToClientBody | InspectorToClient),
	}));
}

/** What newer versions added to `Init`, as an older server means it. */
const INIT_DEFAULTS = {
	queueSize: 0,
	workflowHistory: undefined,
	isWorkflowEnabled: false,
	tabConfig: [],
	schedules: [],
};

function upgradeToClient(body: v1.ToClientBody | InspectorToClient): InspectorToClient {
	switch (body.tag) {
		case "EventsResponse":
		case "EventsUpdated":
			return { tag: "Error", val: { message: "inspector.events_dropped" } };
		case "Init": {
			if (!("events" in body.val)) {
				return { tag: body.tag, val: { ...INIT_DEFAULTS, ...body.val } };
			}
			const { events: _dropped, ...init } = body.val;
			return { tag: body.tag, val: { ...INIT_DEFAULTS, ...init } };
		}
		default:
			return body;
	}
}

/** A message to a server of the given version. Throws `feature.unsupported` for what it lacks. */
export function encodeInspectorToServer(
	version: InspectorVersion,
	message: InspectorToServer,
): Uint8Array {
	if ((TO_SERVER_SINCE[message.tag] ?? 1) > version) {
		throw catalogueError("feature.unsupported", {
			feature: `${message.tag} in version ${version} of the inspector protocol`,
		});
	}
	switch (version) {
		case 1:
			return encodeEnvelope(version, v1.writeToServer, { body: message as v1.ToServerBody });
		case 2:
			return encodeEnvelope(version, v2.writeToServer, { body: message as v2.ToServerBody });
		case 3:
			return encodeEnvelope(version, v3.writeToServer, { body: message as v3.ToServerBody });
		case 4:
			return encodeEnvelope(version, v4.writeToServer, { body: message as v4.ToServerBody });
		case 5:
			return encodeEnvelope(version, v5.writeToServer, { body: message as v5.ToServerBody });
		case 6:
			return encodeEnvelope(version, v6.writeToServer, { body: message as v6.ToServerBody });
		case INSPECTOR_EXTENDED_VERSION:
			return encodeEnvelope(version, extended.writeToServer, { body: message });
	}
}

const TO_SERVER: Readers<v1.ToServer | extended.ToServer> = {
	1: v1.readToServer,
	2: v2.readToServer,
	3: v3.readToServer,
	4: v4.readToServer,
	5: v5.readToServer,
	6: v6.readToServer,
	[INSPECTOR_EXTENDED_VERSION]: extended.readToServer,
};

/** A request of an older version that newer ones do not have; `val` is its answer. */
export interface DroppedRequest {
	readonly tag: "Dropped";
	readonly val: Extract<InspectorToClient, { tag: "Error" }>;
}

/** Throws `message.malformed` and nothing else. Bytes in the result are views of `data`. */
export function decodeInspectorToServer(
	data: string | Uint8Array,
): Versioned<InspectorToServer | DroppedRequest> {
	return decodeEnvelope(data, TO_SERVER, ({ body }, version) => {
		const isDropped = body.tag === "EventsRequest" || body.tag === "ClearEventsRequest";
		const message = isDropped ? EVENTS_DROPPED : body;
		return { version: version as InspectorVersion, message };
	});
}

const EVENTS_DROPPED: DroppedRequest = {
	tag: "Dropped",
	val: { tag: "Error", val: { message: "inspector.events_dropped" } },
};
