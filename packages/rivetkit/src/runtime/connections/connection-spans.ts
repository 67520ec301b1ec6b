import { currentSpan } from "../calls/call-scope.ts";
import type { Attributes } from "../telemetry/span.ts";
import { SPAN_KINDS } from "../telemetry/span-kinds.ts";
import type { Connection } from "./connection.ts";

/** What the attributes of a connection take in a span, about. */
const ATTRIBUTES_BYTES = 160;

type Work = () => void | Promise<void>;

/** Whether it has spans of its own, if the budget of traces has room for them. */
export function isTraced(connection: Connection): boolean {
	return connection.instance.telemetry?.host.recordsSpans === true && isLasting(connection);
}

/** Runs the opening of a connection as a span in the trace that its client is in. */
export function traceOpening(connection: Connection, open: Work): void | Promise<void> {
	const telemetry = connection.instance.telemetry!;
	const span = telemetry.beginSpan(SPAN_KINDS.connect, null, connection.tracedFrom);
	if (span === null) return open();
	span.begin(attributesOf(connection), ATTRIBUTES_BYTES);
	return telemetry.runTraced(span, open);
}

/** The same for its end, below what closes it, if that is code of the actor. */
export function traceClosing(connection: Connection, close: Work): void | Promise<void> {
	const telemetry = connection.instance.telemetry!;
	const parent = currentSpan() ?? connection.tracedFrom;
	const span = telemetry.beginSpan(SPAN_KINDS.disconnect, null, parent);
	if (span === null) return close();
	span.begin(attributesOf(connection), ATTRIBUTES_BYTES);
	return telemetry.runTraced(span, close);
}

/** An event of the opening or the end (contract: lifecycle 19). */
export function noteConnection(
	connection: Connection,
	event: "connection.connect" | "connection.disconnect",
): void {
	if (!isTraced(connection)) return;
	connection.instance.telemetry!.event(event, attributesOf(connection));
}

/** A hook about a connection: below its opening or end, or in the trace that its client is in. */
export function traceHook<Result>(
	connection: Connection,
	name: string,
	hook: () => Result,
): Result {
	const { telemetry } = connection.instance;
	if (!telemetry) return hook();
	if (!isLasting(connection)) {
		return telemetry.traced(SPAN_KINDS.hook, name, hook, connection.tracedFrom);
	}
	// Of an opening that is left out its hooks are, too.
	const span = currentSpan();
	return span === null ? hook() : telemetry.traced(SPAN_KINDS.hook, name, hook, span);
}

/** The connection of a single call is part of that call, and tells nothing that its span does not. */
function isLasting({ kind }: Connection): boolean {
	return kind === "websocket" || kind === "raw-websocket";
}

function attributesOf({ id, kind, isHibernatable }: Connection): Attributes {
	return {
		"rivet.conn.id": id,
		"rivet.conn.type": kind,
		"rivet.conn.hibernatable": isHibernatable,
	};
}
