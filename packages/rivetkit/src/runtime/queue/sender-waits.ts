import { ActorGone, catalogueError, type ResumedCall } from "@rivetkit/protocol";
import { SparseMap } from "../../utils/sparse-map.ts";
import type { WheelTimer } from "../timers/timer-wheel.ts";
import type { SendOutcome } from "./kept-answers.ts";
import { SENDERS_WAITING_MAX } from "./limits.ts";
import type { QueuedMessage } from "./message.ts";

const TEMPORARY = "~";

/**
 * The key of a send that brought none. Unless its message has a dedupe key it cannot come again by itself, only be
 * handed on.
 */
export const ownWaitKey = (uuid: string, dedupeKey: string | null): string =>
	dedupeKey === null ? TEMPORARY + uuid : uuid;

/** Whether a sender with this key may come again after a lost connection. */
export const mayComeAgain = (waitKey: string): boolean => !waitKey.startsWith(TEMPORARY);

/** One sender that waits for what becomes of its message. */
interface SenderWait {
	readonly left: ResumedCall;
	readonly settle: (outcome: SendOutcome) => void;
	readonly fail: (error: unknown) => void;
	/** The message is durable: from now on the wait may time out. */
	readonly stored: () => void;
}

/** How long and for whom a sender waits. */
export interface WaitOptions {
	/** Under which its send is known, here and in the next incarnation. */
	readonly waitKey: string;
	/** When the wait times out (ms since the epoch); null for never. */
	readonly deadlineMs: number | null;
	/** Ends the wait: the caller went away. */
	readonly signal: AbortSignal;
}

/** What the waits need of the host. */
export interface WaitHost {
	now(): number;
	schedule(delayMs: number, fn: () => void): WheelTimer;
	/** A request does nothing but wait from now on. */
	waitBegan(): void;
	/** It goes on. */
	waitEnded(): void;
}

/**
 * Senders that wait for the completion of their message (lifecycle 12.4). A wait is found by the key of
 * its send, so that a sender that comes again, after a lost connection or to the next incarnation, goes
 * on waiting for the same message.
 */
export class SenderWaits {
	readonly #host: WaitHost;
	readonly #byKey = new SparseMap<string, QueuedMessage>();
	readonly #waits = new SparseMap<QueuedMessage, Set<SenderWait>>();
	readonly #arriving = new SparseMap<string, Promise<unknown>>();
	#count = 0;

	constructor(host: WaitHost) {
		this.#host = host;
	}

	/** Notes which message a key means. */
	know(message: QueuedMessage): void {
		const { waitKey } = message.header;
		if (waitKey !== null) this.#byKey.set(waitKey, message);
	}

	/** The message never was: a send with its key is a new one. */
	forget(message: QueuedMessage): void {
		const { waitKey } = message.header;
		if (waitKey !== null && this.#byKey.get(waitKey) === message) this.#byKey.delete(waitKey);
	}

	/** The message of an earlier send with this key, as long as nothing has become of it. */
	messageOf(waitKey: string): QueuedMessage | undefined {
		return this.#byKey.get(waitKey);
	}

	/** A send with this key that is still being looked at; settles, without an error, when it is not. */
	arriving(waitKey: string): Promise<unknown> | undefined {
		return this.#arriving.get(waitKey);
	}

	/** Notes that a send is being looked at, until it is not. */
	async arrives<T>(waitKey: string, send: PromiseLike<T>): Promise<T> {
		const arrived = Promise.resolve(send);
		this.#arriving.set(
			waitKey,
			arrived.catch(() => {}),
		);
		try {
			return await arrived;
		} finally {
			this.#arriving.delete(waitKey);
		}
	}

	/** Whether somebody waits for this message now. */
	has(message: QueuedMessage): boolean {
		return this.#waits.has(message);
	}

	/** Messages that somebody waits for now. */
	get awaited(): QueuedMessage[] {
		return [...this.#waits.keys()];
	}

	/** Throws `queue.too_many_waits` when one more sender would be too many. */
	assertRoom(): void {
		if (this.#count < SENDERS_WAITING_MAX) return;
		throw catalogueError("queue.too_many_waits", { limit: SENDERS_WAITING_MAX });
	}

	/**
	 * Waits for what becomes of a message. A wait that is over says that its message stays in the queue, so
	 * it ends no sooner than {@link stored}. Rejects with an {@link ActorGone} that can be resumed when the
	 * actor stops first, and with the reason of the signal when the caller goes away.
	 */
	wait(message: QueuedMessage, { waitKey, deadlineMs, signal }: WaitOptions): Promise<SendOutcome> {
		return new Promise((resolve, reject) => {
			let timer: WheelTimer | null = null;
			let isStored = false;
			let isOverdue = false;
			const timeOut = () => {
				isOverdue = true;
				if (isStored) wait.settle({ status: "timedOut" });
			};
			const leave = () => {
				timer?.cancel();
				signal.removeEventListener("abort", onAbort);
				const waits = this.#waits.get(message);
				if (!waits?.delete(wait)) return;
				this.#count--;
				this.#host.waitEnded();
				if (waits.size === 0) this.#waits.delete(message);
			};
			const wait: SenderWait = {
				left: { callId: waitKey, deadlineTs: deadlineMs },
				settle: (outcome) => {
					leave();
					resolve(outcome);
				},
				fail: (error) => {
					leave();
					reject(error);
				},
				stored: () => {
					isStored = true;
					if (isOverdue) timeOut();
				},
			};
			const onAbort = () => wait.fail(signal.reason);
			let waits = this.#waits.get(message);
			if (!waits) {
				waits = new Set();
				this.#waits.set(message, waits);
			}
			waits.add(wait);
			this.#count++;
			this.#host.waitBegan();
			if (deadlineMs !== null) {
				const delayMs = deadlineMs - this.#host.now();
				timer = this.#host.schedule(delayMs, timeOut);
			}
			if (signal.aborted) onAbort();
			else signal.addEventListener("abort", onAbort, { once: true });
		});
	}

	/** The message is durable. */
	stored(message: QueuedMessage): void {
		for (const wait of this.#waits.get(message) ?? []) wait.stored();
	}

	/** Something became of the message, and it is durable. */
	answer(message: QueuedMessage, waitKey: string | null, outcome: SendOutcome): void {
		if (waitKey !== null) this.#byKey.delete(waitKey);
		for (const wait of this.#waits.get(message) ?? []) wait.settle(outcome);
	}

	/** The message never was: its commit failed. */
	fail(message: QueuedMessage, error: unknown): void {
		this.forget(message);
		this.#failAll(message, () => error);
	}

	/** The actor falls asleep: every sender is told to ask the next incarnation. */
	handOn(actorId: string): void {
		for (const message of this.awaited) {
			this.#failAll(message, ({ left }) => new ActorGone(actorId, left));
		}
	}

	/**
	 * The actor is being destroyed, and there is no next incarnation: who waits for one of these messages is
	 * told so.
	 */
	giveUp(actorId: string, messages: Iterable<QueuedMessage>): void {
		for (const message of messages) {
			this.#failAll(message, () => catalogueError("actor.stopping", { actorId }));
		}
	}

	#failAll(message: QueuedMessage, reason: (wait: SenderWait) => unknown): void {
		for (const wait of [...(this.#waits.get(message) ?? [])]) wait.fail(reason(wait));
	}
}
