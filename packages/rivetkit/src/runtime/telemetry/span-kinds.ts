/** What a span is about. One table: names and attributes are formed only when somebody reads. */
export interface SpanKind {
	/** The whole name, or what its subject follows. */
	readonly name: string;
	/** Whether the subject is part of the name. */
	readonly isNamed: boolean;
	/** The attribute that the subject is told in; null for none. */
	readonly subjectKey: string | null;
	/** Of OTLP: something inside, work for a caller, a call of somebody else, a message that was received. */
	readonly role: "internal" | "server" | "client" | "consumer";
	/** As what it is counted and measured: a kind of call, a commit, a start; null for not at all. */
	readonly counted: CallKind | "commit" | "start" | null;
}

/** The `kind` of calls in metrics. */
export const CALL_KINDS = ["action", "scheduled", "request", "websocket", "queue-send"] as const;
export type CallKind = (typeof CALL_KINDS)[number];

function kind(
	name: string,
	role: SpanKind["role"] = "internal",
	{ isNamed = false, subjectKey = null, counted = null }: Partial<SpanKind> = {},
): SpanKind {
	return { name, isNamed, subjectKey, role, counted };
}

const ACTION = { isNamed: true, subjectKey: "rivet.action.name" } as const;

/** Contract: lifecycle 19 and its W-TRC-3. */
export const SPAN_KINDS = {
	action: kind("actor.action.", "server", { ...ACTION, counted: "action" }),
	scheduled: kind("actor.action.", "internal", { ...ACTION, counted: "scheduled" }),
	request: kind("actor.onRequest", "server", { counted: "request" }),
	webSocket: kind("actor.onWebSocket", "server", { counted: "websocket" }),
	queueSend: kind("actor.queue.send", "server", {
		subjectKey: "rivet.queue.name",
		counted: "queue-send",
	}),
	message: kind("actor.queue.message", "consumer", { subjectKey: "rivet.queue.name" }),
	run: kind("actor.run"),
	step: kind("actor.workflow.step.", "internal", {
		isNamed: true,
		subjectKey: "rivet.workflow.step",
	}),
	/** What undoes a step. */
	rollback: kind("actor.workflow.rollback.", "internal", {
		isNamed: true,
		subjectKey: "rivet.workflow.step",
	}),
	/** What a workflow waits for: a time, a message, the next try of a step. */
	wait: kind("actor.workflow.wait.", "internal", {
		isNamed: true,
		subjectKey: "rivet.workflow.wait",
	}),
	hook: kind("actor.", "internal", { isNamed: true }),
	/** Of connections that last: those of single calls are part of their call. */
	connect: kind("actor.connect", "server"),
	disconnect: kind("actor.disconnect", "server"),
	start: kind("actor.start", "internal", { counted: "start" }),
	stop: kind("actor.stop"),
	commit: kind("actor.commit", "internal", { counted: "commit" }),
	statement: kind("actor.db.execute", "client", { subjectKey: "db.query.text" }),
	/** A call that it makes through `c.client()`; the subject is `<actor>.<action>` or the like. */
	outgoing: kind("actor.client.", "client", { isNamed: true }),
} as const satisfies Record<string, SpanKind>;
