import { catalogueError } from "@rivetkit/protocol";
import type { Span } from "../telemetry/span.ts";
import type { WheelTimer } from "../timers/timer-wheel.ts";
import type { DeliveredMessage } from "./deliveries.ts";
import type { Receiver } from "./receiver.ts";

/** What a receive asks for. */
export interface ReceiveRequest {
	/** Queues to take from; null for all but dead-letter queues. */
	readonly names: readonly string[] | null;
	/** Most messages to take; at least 1. */
	readonly count: number;
	readonly completable: boolean;
	/** Longest wait (ms); 0 for none, null for no limit. */
	readonly timeoutMs: number | null;
	readonly signal: AbortSignal | undefined;
	/** Whether nobody wants it any more; asked before it begins. See {@link Deliveries.callOff}. */
	readonly isCalledOff?: () => boolean;
}

/** What receives wait in. */
interface Waiting {
	waitEnded(pending: PendingReceive): void;
}

interface Timers {
	schedule(delayMs: number, fn: () => void): WheelTimer;
}

/** Who waits for a receive. */
export interface Settle {
	resolve(messages: DeliveredMessage[]): void;
	reject(error: unknown): void;
}

/**
 * A receive between its call and its end.
 *
 *     new ─▶ waiting ─▶ serving ─▶ over
 *       └──────────────▶┘  └ or ─▶ over: timed out, aborted, failed
 */
export class PendingReceive {
	readonly receiver: Receiver;
	readonly request: ReceiveRequest;
	readonly #settle: Settle;
	#timer: WheelTimer | null = null;
	/** Where it waits. */
	#waitsIn: Waiting | null = null;
	/** Gives back what it would have got. */
	#giveBack: (() => void) | null = null;
	#isOver = false;
	#onAbort: (() => void) | null = null;
	/** What receives; null when no spans are recorded. */
	span: Span | null = null;

	constructor(receiver: Receiver, request: ReceiveRequest, settle: Settle) {
		this.receiver = receiver;
		this.request = request;
		this.#settle = settle;
		receiver.pending.add(this);
		if (request.signal) {
			this.#onAbort = () => this.abort();
			request.signal.addEventListener("abort", this.#onAbort, { once: true });
		}
	}

	/** Whether its caller has been told how it ended. */
	get isOver(): boolean {
		return this.#isOver;
	}

	/** Waits for a message, for as long as the request says. */
	wait(timers: Timers, waiting: Waiting): void {
		this.#waitsIn = waiting;
		const { timeoutMs } = this.request;
		if (timeoutMs !== null) this.#timer = timers.schedule(timeoutMs, () => this.resolve([]));
	}

	/** There are messages for it: it cannot time out any more, but it can be aborted. */
	serve(giveBack: () => void): void {
		this.#stopWaiting();
		this.#giveBack = giveBack;
	}

	resolve(messages: DeliveredMessage[]): void {
		this.#end();
		this.#settle.resolve(messages);
	}

	reject(error: unknown): void {
		this.#end();
		this.#settle.reject(error);
	}

	abort(): void {
		const giveBack = this.#giveBack;
		this.reject(catalogueError("actor.aborted", {}));
		giveBack?.();
	}

	#end(): void {
		this.#isOver = true;
		this.#stopWaiting();
		this.#giveBack = null;
		this.receiver.pending.delete(this);
		if (this.#onAbort) this.request.signal?.removeEventListener("abort", this.#onAbort);
	}

	#stopWaiting(): void {
		this.#timer?.cancel();
		this.#timer = null;
		const waiting = this.#waitsIn;
		this.#waitsIn = null;
		waiting?.waitEnded(this);
	}
}
