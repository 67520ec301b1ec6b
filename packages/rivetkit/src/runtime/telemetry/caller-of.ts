import { type HeadersView, TRACEPARENT } from "@rivetkit/protocol";
import type { ActorInstance } from "../instance/instance.ts";
import { parseTraceparent, type RemoteParent } from "./trace-context.ts";

/**
 * Where in a trace a request comes from: its `traceparent`, or that of the sub-protocols of a WebSocket,
 * whose clients may be unable to send headers. Null for nowhere, and when no spans are recorded.
 */
export function callerOf(
	{ telemetry }: ActorInstance,
	{ headers }: { readonly headers: HeadersView },
	offered?: { readonly traceparent: string | null },
): RemoteParent | null {
	if (!telemetry?.host.recordsSpans) return null;
	return parseTraceparent(headers.get(TRACEPARENT) ?? offered?.traceparent);
}
