import { currentSpan } from "../calls/call-scope.ts";
import type { ActorTelemetry } from "../telemetry/actor-telemetry.ts";
import type { Span } from "../telemetry/span.ts";
import { SPAN_KINDS } from "../telemetry/span-kinds.ts";

/** A try of a step, or of what undoes it. */
export interface StepSubject {
	readonly kind: "step" | "rollback";
	readonly name: string;
	/** From 1. */
	readonly attempt: number;
}

/** What a workflow waits for. */
export interface WaitSubject {
	readonly name: string;
	readonly reason: WaitReason;
	/** Messages of these queues (null: of all). */
	readonly queues?: readonly string[] | null;
	/** Milliseconds since the epoch. */
	readonly deadline?: number | undefined;
}

/** A time of the workflow's own, a message, or the pause before the next try of a step. */
export type WaitReason = "timer" | "queue" | "retry";

export function beginStepSpan(
	telemetry: ActorTelemetry,
	{ kind, name, attempt }: StepSubject,
): Span | null {
	const span = telemetry.beginSpan(SPAN_KINDS[kind], name, currentSpan());
	span?.set("rivet.workflow.attempt", attempt);
	return span;
}

/** `left`: the actor stops, and its next incarnation waits on. */
export function beginWaitSpan(
	telemetry: ActorTelemetry,
	{ name, reason, queues, deadline }: WaitSubject,
): ((how: "over" | "left") => void) | null {
	const span = telemetry.beginSpan(SPAN_KINDS.wait, name, currentSpan());
	if (span === null) return null;
	span.set("rivet.workflow.wait_reason", reason);
	if (queues) span.set("rivet.queue.name", queues.join(", "));
	if (deadline !== undefined) span.set("rivet.workflow.deadline_ms", deadline);
	return (how) => {
		if (!span.isOpen) return;
		if (how === "left") span.set("rivet.workflow.wait_left", true);
		telemetry.end(span);
	};
}
