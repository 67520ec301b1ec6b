import type { Span } from "../telemetry/span.ts";
import type { Delivery } from "./delivery.ts";

/** Where a message came from that was given up after its last delivery. */
export interface GivenUp {
	/** The queue it could not be handled in. */
	readonly queue: string;
	readonly attempts: number;
	/** Milliseconds since the epoch. */
	readonly at: number;
}

/** What is known of a message without its body. Never changed in place: changes make a new one. */
export interface MessageHeader {
	readonly name: string;
	/** Bytes of the encoded body. */
	readonly size: number;
	/** Milliseconds since the epoch, as all times here. */
	readonly createdAt: number;
	/** Higher is handed out earlier. */
	readonly priority: number;
	/** How often it was handed out. */
	readonly attempt: number;
	/** Not handed out earlier; 0 for at once. */
	readonly availableAt: number;
	/** Dropped then, unless it is in somebody's hands; null for never. */
	readonly expiresAt: number | null;
	/** Names the send that waits for the completion; null when nobody does. */
	readonly waitKey: string | null;
	/** Set in a dead-letter queue. */
	readonly givenUp: GivenUp | null;
	/** Whether a workflow has it and will have it again after a crash. */
	readonly leased?: boolean;
}

/**
 * | place | leaves to | when |
 * |---|---|---|
 * | delayed | ready | its time has come |
 * | ready | held | handed to a receiver |
 * | held | ready, delayed | released |
 * | any | gone | completed, received for good, expired, given up and dropped |
 * | gone | ready, delayed | the commit of its removal failed |
 */
export type Place = "ready" | "delayed" | "held" | "gone";

/** One message as the index knows it. */
export class QueuedMessage {
	readonly id: number;
	header: MessageHeader;
	place: Place = "held";
	/** Who holds it, while it is held. */
	delivery: Delivery | null = null;
	/** Whether it has rows in the store, or in the commit under way. */
	isStored: boolean;
	/** Its entry in the heaps that count it now. */
	slot: object | null = null;
	/** What sent it, as long as the incarnation lives that it was sent to; null when nothing is recorded. */
	sentBy: Span | null = null;

	constructor(id: number, header: MessageHeader, isStored: boolean) {
		this.id = id;
		this.header = header;
		this.isStored = isStored;
	}
}
