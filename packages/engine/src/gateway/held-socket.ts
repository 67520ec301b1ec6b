import {
	type ActorSocket,
	CLOSE_ERROR,
	CLOSE_GOING_AWAY,
	CLOSE_NORMAL,
	countLimitHit,
} from "@rivetkit/protocol";
import type { EngineLimits } from "../common/limits.ts";
import type { EngineLogger } from "../common/logger.ts";
import type { IncarnationEnd } from "../placement/incarnation.ts";
import type { AcceptedSocket, AcceptedSocketHandler } from "./accepted-socket.ts";
import { Attachment } from "./attachment.ts";
import { PendingMessages } from "./pending-messages.ts";

/**
 * - opening: offered to an incarnation that has not taken it yet
 * - attached: an incarnation has it, and it closes with that one
 * - held: an incarnation has it, and it waits for the next one when that one ends
 * - hibernating: the client is here, no incarnation is
 * - left: the client is gone, and the actor has yet to deal with it
 * - closed: over for the gateway
 */
export type HeldSocketState = "opening" | "attached" | "held" | "hibernating" | "left" | "closed";

/**
 * - taken: the offer was accepted, without a wish to be held
 * - hold: the incarnation wants it to be held
 * - ended: the incarnation is gone, and the actor goes on
 * - destroyed: the incarnation is gone, and the actor with it
 * - attach: a new incarnation gets it
 * - clientClosed: the client has closed, or its connection broke
 * - closed: this side has closed
 * - released: the actor has dealt with the client's leaving
 */
type HeldSocketEvent =
	| "taken"
	| "hold"
	| "ended"
	| "destroyed"
	| "attach"
	| "clientClosed"
	| "closed"
	| "released";

/** Events that are not listed change nothing. */
const NEXT: Readonly<
	Record<HeldSocketState, Readonly<Partial<Record<HeldSocketEvent, HeldSocketState>>>>
> = {
	opening: { taken: "attached", hold: "held", clientClosed: "closed", closed: "closed" },
	attached: { ended: "closed", destroyed: "closed", clientClosed: "closed", closed: "closed" },
	held: { ended: "hibernating", destroyed: "closed", clientClosed: "left", closed: "closed" },
	hibernating: { attach: "held", destroyed: "closed", clientClosed: "left", closed: "closed" },
	left: {
		attach: "left",
		ended: "left",
		destroyed: "closed",
		closed: "closed",
		released: "closed",
	},
	closed: {},
};

/** The state after an event. */
export function nextHeldState(state: HeldSocketState, event: HeldSocketEvent): HeldSocketState {
	return NEXT[state][event] ?? state;
}

/** What a held socket needs of those who keep it. */
export interface HeldSocketKeeper {
	readonly limits: EngineLimits;
	readonly logger: EngineLogger;
	/** Whether sockets may be held at all, now. */
	readonly canHibernate: boolean;
	now(): number;
	newId(): string;
	/** A socket without an incarnation has something for the actor: a message, or its client's leaving. */
	waits(socket: HeldSocket): void;
	/** Nothing more will come of it. */
	closed(socket: HeldSocket): void;
}

/**
 * One client's WebSocket over all incarnations of its actor (lifecycle 9.4). Numbers what the client
 * sends and keeps it until it is acknowledged, so that each message reaches an incarnation that finishes
 * with it, in order.
 */
export class HeldSocket implements AcceptedSocketHandler {
	readonly accepted: AcceptedSocket;
	/** Of the actor it was offered to last; "" before the first offer. */
	actorId = "";
	/** Messages the client was sent. */
	sentCount = 0;
	/** The last incarnation was lost with its host. */
	isInterrupted = false;
	readonly #keeper: HeldSocketKeeper;
	readonly #pending = new PendingMessages();
	#state: HeldSocketState = "opening";
	#attachment: Attachment | undefined;
	#hears = false;
	#end: { code: number; reason: string; wasClean: boolean } | undefined;
	#id: string | undefined;
	#waitingSinceTs: number | undefined;

	constructor(accepted: AcceptedSocket, keeper: HeldSocketKeeper) {
		this.accepted = accepted;
		this.#keeper = keeper;
	}

	get id(): string {
		this.#id ??= this.#keeper.newId();
		return this.#id;
	}

	get state(): HeldSocketState {
		return this.#state;
	}

	get canHibernate(): boolean {
		return this.#keeper.canHibernate;
	}

	/** Whether the next incarnation gets it without an offer. */
	get isBetween(): boolean {
		return (
			this.#attachment === undefined && (this.#state === "hibernating" || this.#state === "left")
		);
	}

	/** Since when something waits for an incarnation (ms since the epoch); undefined when nothing does. */
	get waitingSinceTs(): number | undefined {
		return this.#waitingSinceTs;
	}

	/** What an incarnation is offered, or goes on with. The one before it gets nothing more. */
	attach(): ActorSocket & { readonly isLive: boolean } {
		this.#attachment?.end();
		this.#state = nextHeldState(this.#state, "attach");
		this.#attachment = new Attachment(this);
		return this.#attachment;
	}

	/** The incarnation has accepted the offer. */
	taken(): void {
		if (this.#state !== "opening") {
			return;
		}
		this.#state = nextHeldState(this.#state, "taken");
		if (this.#attachment?.isListening) {
			this.#pending.clear();
		}
	}

	/** The incarnation is gone; so is the actor if it was `destroyed`. */
	ended(how: IncarnationEnd): void {
		const before = this.#state;
		const destroyed = how === "destroyed";
		this.isInterrupted ||= how === "lost";
		this.#attachment?.end();
		this.#attachment = undefined;
		this.#state = nextHeldState(before, destroyed ? "destroyed" : "ended");
		if (this.#state === "closed" && before !== "closed") {
			if (destroyed) {
				this.accepted.close(CLOSE_NORMAL, "");
			} else if (this.canHibernate) {
				this.accepted.close(CLOSE_NORMAL, "actor.stopped");
			} else {
				this.accepted.close(CLOSE_GOING_AWAY, "");
			}
			this.#closed();
		} else if (this.#hasNews) {
			this.#wait();
		}
	}

	/** For the gateway's own answers, while no incarnation has it. */
	send(message: string | Uint8Array): void {
		this.sentCount++;
		this.accepted.send(message);
	}

	/** This side closes. */
	close(code: number, reason: string): void {
		this.accepted.close(code, reason);
		if (this.#state !== "closed") {
			this.#state = nextHeldState(this.#state, "closed");
			this.#closed();
		}
	}

	hold(): void {
		if (this.#keeper.canHibernate) {
			this.#state = nextHeldState(this.#state, "hold");
		}
	}

	acknowledge(index: number): void {
		this.#pending.acknowledge(index);
	}

	release(): void {
		if (this.#state === "left") {
			this.#state = nextHeldState(this.#state, "released");
			this.#closed();
		}
	}

	/** Somebody listens: what waits is delivered, then what comes. */
	listened(): void {
		const attachment = this.#attachment!;
		this.#waitingSinceTs = undefined;
		this.isInterrupted = false;
		for (const [index, message] of this.#pending.entries()) {
			if (attachment !== this.#attachment || this.#state === "closed") {
				return;
			}
			this.#deliver(attachment, message, index);
		}
		if (this.#state === "attached") {
			this.#pending.clear();
		}
		if (!this.#hears) {
			this.#hears = true;
			this.accepted.listen(this);
		} else if (this.#end !== undefined) {
			queueMicrotask(() => this.#tellClosed(attachment));
		}
	}

	onMessage(message: string | Uint8Array): void {
		switch (this.#state) {
			case "attached":
				if (this.#attachment?.isListening) {
					this.#attachment.deliver(message, this.#pending.pass());
					return;
				}
				this.#keep(message);
				return;
			case "opening":
			case "held": {
				const index = this.#keep(message);
				if (index !== undefined) {
					this.#attachment?.deliver(message, index);
				}
				return;
			}
			case "hibernating":
				if (this.#keep(message) !== undefined) {
					this.#wait();
				}
				return;
			case "left":
			case "closed":
				return;
			default:
				this.#state satisfies never;
		}
	}

	onPong(): void {
		this.#attachment?.tellPong();
	}

	onClose(code: number, reason: string, wasClean: boolean): void {
		const before = this.#state;
		this.#end = { code, reason, wasClean };
		this.#state = nextHeldState(before, "clientClosed");
		if (this.#attachment !== undefined) {
			this.#tellClosed(this.#attachment);
		} else if (this.#state === "left") {
			this.#wait();
		}
		if (this.#state === "closed" && before !== "closed") {
			this.#closed();
		}
	}

	/** Whether the next incarnation has something to do for this client. */
	get #hasNews(): boolean {
		return this.#state === "left" || (this.#state === "hibernating" && this.#pending.count > 0);
	}

	/** Keeps a message until it is acknowledged; closes the socket when too much waits already. */
	#keep(message: string | Uint8Array): number | undefined {
		const { webSocketPendingMessagesMax, webSocketPendingBytesMax } = this.#keeper.limits;
		// An actor that is awake works on them, whatever their number.
		const isFull =
			this.#state === "hibernating" && this.#pending.count >= webSocketPendingMessagesMax;
		if (isFull || this.#pending.bytes + message.length > webSocketPendingBytesMax) {
			this.#keeper.logger.warn(
				{ actorId: this.actorId, count: this.#pending.count, bytes: this.#pending.bytes },
				"websocket closed: too much waits for its actor (limits.webSocketPendingBytesMax, webSocketPendingMessagesMax)",
			);
			countLimitHit("guard.websocket_pending_limit_reached");
			this.accepted.close(CLOSE_ERROR, "guard.websocket_pending_limit_reached");
			return undefined;
		}
		return this.#pending.push(message);
	}

	#wait(): void {
		this.#waitingSinceTs ??= this.#keeper.now();
		this.#keeper.waits(this);
	}

	#deliver(attachment: Attachment, message: string | Uint8Array, index: number): void {
		try {
			attachment.deliver(message, index);
		} catch (error) {
			this.#keeper.logger.error({ err: error }, "a websocket message handler threw");
			this.close(CLOSE_ERROR, "rivetkit.internal_error");
		}
	}

	#tellClosed(attachment: Attachment): void {
		const { code, reason, wasClean } = this.#end!;
		try {
			attachment.tellClosed(code, reason, wasClean);
		} catch (error) {
			this.#keeper.logger.error({ err: error }, "a websocket close handler threw");
		}
	}

	#closed(): void {
		this.#pending.clear();
		this.#keeper.closed(this);
	}
}
