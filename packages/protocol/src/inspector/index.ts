/** The inspector's WebSocket protocol; apart from the main entry so that clients do not carry it. */
export type { Uint } from "../bare/runtime.ts";
export type {
	ActorEvent,
	Connection,
	Fire,
	FireError,
	Init,
	LogLine,
	QueueMessageSummary,
	QueueStatus,
	Schedule,
	StateSpliced,
	TabConfig,
} from "../generated/inspector-extended.ts";
export type * as trace from "../generated/trace-range-v1.ts";
export type * as workflow from "../generated/workflow-history.ts";
export {
	decodeInspectorToClient,
	decodeInspectorToServer,
	encodeInspectorToClient,
	encodeInspectorToServer,
	INSPECTOR_COMPATIBLE_VERSION,
	INSPECTOR_EXTENDED_VERSION,
	INSPECTOR_VERSION,
	type InspectorToClient,
	type InspectorToServer,
	type InspectorVersion,
	isInspectorMessageOf,
	type Versioned,
} from "./messages.ts";
export {
	decodeStoredEntry,
	decodeStoredEntryMetadata,
	decodeTraceRange,
	decodeWorkflowHistory,
	encodeTraceRange,
	encodeWorkflowHistory,
} from "./payloads.ts";
export { type ServerEvent, serverEvents } from "./server-events.ts";
export { applyStateSplice, spliceBetween } from "./state-splice.ts";
