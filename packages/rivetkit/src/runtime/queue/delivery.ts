import type { Span } from "../telemetry/span.ts";
import type { QueuedMessage } from "./message.ts";
import type { Receiver } from "./receiver.ts";

/** One message in one receiver's hands: a lease. It is over when the message's `delivery` is another. */
export class Delivery {
	readonly message: QueuedMessage;
	readonly receiver: Receiver;
	/** Whether the message stays stored until it is completed. */
	readonly completable: boolean;
	/** Which delivery of the message this is, counted from 1. */
	readonly attempt: number;
	/** When the message was available before it was handed out. */
	readonly availableAt: number;
	/** Null when nothing is recorded. */
	span: Span | null = null;

	constructor(
		message: QueuedMessage,
		receiver: Receiver,
		completable: boolean,
		attempt: number = message.header.attempt + 1,
	) {
		this.message = message;
		this.receiver = receiver;
		this.completable = completable;
		this.attempt = attempt;
		this.availableAt = message.header.availableAt;
	}

	/** Whether its receiver still has the message. */
	get isHeld(): boolean {
		return this.message.delivery === this;
	}
}
