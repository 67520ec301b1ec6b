/** `rivetkit/inspector`: both sides of the inspector protocol (contract: protocol 7). */
export {
	decodeInspectorToServer,
	encodeInspectorToClient,
	encodeTraceRange,
	encodeWorkflowHistory,
} from "@rivetkit/protocol/inspector";
export * from "./client.ts";
