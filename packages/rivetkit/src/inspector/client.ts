/**
 * `rivetkit/inspector/client`: the client's side of the inspector protocol (contract: protocol 7). Runs in
 * browsers. A socket is opened to an actor's {@link PATH_INSPECTOR_CONNECT} with the sub-protocols of
 * {@link inspectorSubprotocols}; its frames are binary.
 */
import { buildSubprotocols, routingSubprotocols } from "@rivetkit/protocol";

/** For the fields of messages that hold CBOR: states, arguments, outputs, rows. */
export {
	decodeCbor,
	encodeCbor,
	KV_KEY_INSPECTOR_TOKEN,
	PATH_INSPECTOR,
	PATH_INSPECTOR_ACTION,
	PATH_INSPECTOR_CONNECT,
	PATH_INSPECTOR_CONNECTIONS,
	PATH_INSPECTOR_DATABASE_EXECUTE,
	PATH_INSPECTOR_DATABASE_ROWS,
	PATH_INSPECTOR_DATABASE_SCHEMA,
	PATH_INSPECTOR_QUEUE,
	PATH_INSPECTOR_RPCS,
	PATH_INSPECTOR_STATE,
	PATH_INSPECTOR_SUMMARY,
	PATH_INSPECTOR_TRACES,
	PATH_INSPECTOR_WORKFLOW_HISTORY,
	PATH_INSPECTOR_WORKFLOW_REPLAY,
} from "@rivetkit/protocol";
export {
	type ActorEvent,
	applyStateSplice,
	type Connection,
	decodeInspectorToClient,
	decodeTraceRange,
	decodeWorkflowHistory,
	encodeInspectorToServer,
	type Fire,
	type FireError,
	INSPECTOR_COMPATIBLE_VERSION,
	INSPECTOR_EXTENDED_VERSION,
	INSPECTOR_VERSION,
	type Init,
	type InspectorToClient,
	type InspectorToServer,
	type InspectorVersion,
	type LogLine,
	type QueueMessageSummary,
	type QueueStatus,
	type Schedule,
	type StateSpliced,
	type TabConfig,
	type trace,
	type Uint,
	type Versioned,
	type workflow,
} from "@rivetkit/protocol/inspector";

/**
 * What to offer when the inspector's socket is opened. Throws a `TypeError` for a token that is not legal
 * in a sub-protocol.
 */
export function inspectorSubprotocols(token: string): string[] {
	return buildSubprotocols({ extra: routingSubprotocols({ inspectorToken: token }) });
}
