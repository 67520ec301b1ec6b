import { type HeadersView, TRACEPARENT } from "@rivetkit/protocol";
import type { ActorInstance } from "../instance/instance.ts";
import { parseTraceparent, type RemoteParent, RequestCaller } from "./trace-context.ts";

/** Where in a trace a request comes from. Null when no spans are recorded. */
export function callerOf(
	{ telemetry }: ActorInstance,
	{ headers }: { readonly headers: HeadersView },
): RequestCaller | null {
	return telemetry?.host.recordsSpans ? new RequestCaller(headers) : null;
}

/**
 * The same of a WebSocket, also by its sub-protocols: its client may be unable to send headers. Null for
 * nowhere, too. It lasts, so nothing of its request is kept.
 */
export function socketCallerOf(
	{ telemetry }: ActorInstance,
	{ headers }: { readonly headers: HeadersView },
	offered: { readonly traceparent: string | null },
): RemoteParent | null {
	if (!telemetry?.host.recordsSpans) return null;
	return parseTraceparent(headers.get(TRACEPARENT) ?? offered.traceparent);
}
