import { currentSpan } from "../calls/call-scope.ts";
import type { ActorTelemetry } from "../telemetry/actor-telemetry.ts";
import { SPAN_KINDS } from "../telemetry/span-kinds.ts";
import type { Delivery } from "./delivery.ts";
import type { PendingReceive } from "./pending-receive.ts";

/** Tells traces and metrics what becomes of messages (contract: lifecycle 19). */
export class DeliveryRecorder {
	readonly #telemetry: ActorTelemetry;

	constructor(telemetry: ActorTelemetry) {
		this.#telemetry = telemetry;
	}

	/** Something begins to receive, and may wait. */
	receives(pending: PendingReceive): void {
		if (this.#telemetry.host.recordsSpans) pending.span = currentSpan();
	}

	/** The span goes on until the message is decided upon; it is below what has sent the message. */
	handedOut(delivery: Delivery, { span: receiver }: PendingReceive): void {
		const { host } = this.#telemetry;
		if (!host.recordsSpans) return;
		const { id, header, sentBy } = delivery.message;
		const span = this.#telemetry.beginSpan(SPAN_KINDS.message, header.name, sentBy);
		const isTold = receiver?.takesEvent() ?? false;
		if (span === null && !isTold) return;
		const attributes = {
			"rivet.queue.name": header.name,
			"rivet.queue.message_id": String(id),
			"rivet.queue.created_at_ms": header.createdAt,
			"rivet.queue.latency_ms": Math.max(0, Math.floor(host.nowMs()) - header.createdAt),
		};
		if (isTold) receiver!.addEvent("queue.message.receive", host.nowMs(), attributes);
		if (span === null) return;
		for (const [name, value] of Object.entries(attributes)) span.set(name, value);
		span.set("rivet.queue.attempt", delivery.attempt);
		delivery.span = span;
	}

	over(delivery: Delivery, how: "completed" | "released"): void {
		const { metrics } = this.#telemetry;
		if (metrics) metrics.deliveries[how]++;
		const { span } = delivery;
		if (span === null) return;
		delivery.span = null;
		if (how === "completed") this.#telemetry.end(span);
		else this.#telemetry.end(span, { thrown: RELEASED });
	}
}

const RELEASED = { name: "Released", message: "its receiver ended without completing the message" };
