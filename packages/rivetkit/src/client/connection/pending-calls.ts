import { isStreamError } from "../action-stream.ts";
import { ActorError } from "../errors.ts";

/**
 * How long after it was first sent a call may be repeated on a new socket (ms). Well below the five
 * minutes for which an actor remembers answers at the least, so that a repeated call never runs twice.
 */
export const RESEND_WINDOW_MS = 60_000;
/** How often one call is repeated at the most: a call that kills its host must end. */
export const RESENDS_MAX = 8;
/** How many calls may wait for a connection to open. */
export const QUEUED_CALLS_MAX = 100_000;

/** An action of a connection that is not answered yet. */
interface PendingCall {
	readonly id: number;
	/** Encoded at the time of the call, so later changes to the arguments do not matter. */
	readonly frame: string | Uint8Array;
	/** Its caller reads it as a stream: it is not to be sent. */
	readonly isStream: () => boolean;
	readonly resolve: (output: unknown) => void;
	readonly reject: (error: unknown) => void;
	/** Time of the first sending; null while queued. */
	firstSentAtMs: number | null;
	sendCount: number;
	/** The caller has its result (an abort) though the server did not answer yet. */
	settled: boolean;
	stopListening: (() => void) | null;
}

/**
 * The calls of one connection, in order: those sent and not answered, then those waiting to be sent.
 * Ids start at 0, rise by one, and go on over reconnects (contract: protocol 3.4). A call that was
 * rejected is in neither list any more, so it is never sent (protocol 3.9, Q17).
 */
export class PendingCalls {
	#nextId = 0;
	readonly #sent = new Map<number, PendingCall>();
	#queued: PendingCall[] = [];

	/**
	 * Adds a call at the end of the queue; the promise settles with its answer. An abort rejects it, and
	 * takes it out when it was not sent yet. What `encode` throws is thrown, and the id is not used.
	 */
	enqueue(
		encode: (id: number) => string | Uint8Array,
		signal: AbortSignal | undefined,
		isStream: () => boolean,
	): Promise<unknown> {
		if (this.#queued.length >= QUEUED_CALLS_MAX) {
			throw new ActorError(
				"client",
				"too_many_queued_calls",
				`${QUEUED_CALLS_MAX} calls already wait for the connection.`,
				{ limit: QUEUED_CALLS_MAX },
			);
		}
		const id = this.#nextId;
		const frame = encode(id);
		this.#nextId++;
		return new Promise((resolve, reject) => {
			const call: PendingCall = {
				id,
				frame,
				isStream,
				resolve,
				reject,
				firstSentAtMs: null,
				sendCount: 0,
				settled: false,
				stopListening: null,
			};
			this.#queued.push(call);
			if (signal) this.#listenForAbort(call, signal);
		});
	}

	/** Hands every queued call to `send`, in order, but those that are streams: they reject. */
	flush(nowMs: number, send: (frame: string | Uint8Array) => void): void {
		for (const call of this.#queued.splice(0)) {
			if (call.isStream()) {
				settle(call, "reject", isStreamError());
				continue;
			}
			this.#sent.set(call.id, call);
			this.#send(call, nowMs, send);
		}
	}

	/**
	 * Rejects the sent calls that may not be repeated any more, because the actor may have forgotten
	 * them or because they were repeated too often. Calls whose caller has left are forgotten.
	 */
	rejectUnrepeatable(nowMs: number, reason: unknown): void {
		for (const call of [...this.#sent.values()]) {
			const ageMs = nowMs - (call.firstSentAtMs ?? nowMs);
			if (!call.settled && ageMs <= RESEND_WINDOW_MS && call.sendCount <= RESENDS_MAX) continue;
			this.#sent.delete(call.id);
			settle(call, "reject", reason);
		}
	}

	/** Sends the calls that were sent before once more, in order and with their ids. */
	repeat(nowMs: number, send: (frame: string | Uint8Array) => void): void {
		for (const call of [...this.#sent.values()]) this.#send(call, nowMs, send);
	}

	/** Settles the call with its answer. False when no such call waits for one. */
	answered(id: number, output: unknown): boolean {
		return this.#settleSent(id, "resolve", output);
	}

	/** Rejects the call with the error it was answered with. False when no such call waits. */
	failed(id: number, error: unknown): boolean {
		return this.#settleSent(id, "reject", error);
	}

	rejectSent(reason: unknown): void {
		const calls = [...this.#sent.values()];
		this.#sent.clear();
		for (const call of calls) settle(call, "reject", reason);
	}

	rejectAll(reason: unknown): void {
		this.rejectSent(reason);
		for (const call of this.#queued.splice(0)) settle(call, "reject", reason);
	}

	#settleSent(id: number, how: "resolve" | "reject", value: unknown): boolean {
		const call = this.#sent.get(id);
		if (call) settle(call, how, value);
		return this.#sent.delete(id);
	}

	#listenForAbort(call: PendingCall, signal: AbortSignal): void {
		const onAbort = () => {
			this.#queued = this.#queued.filter((other) => other !== call);
			settle(call, "reject", signal.reason);
		};
		signal.addEventListener("abort", onAbort);
		call.stopListening = () => signal.removeEventListener("abort", onAbort);
	}

	#send(call: PendingCall, nowMs: number, send: (frame: string | Uint8Array) => void): void {
		call.firstSentAtMs ??= nowMs;
		call.sendCount++;
		send(call.frame);
	}
}

function settle(call: PendingCall, how: "resolve" | "reject", value: unknown): void {
	if (call.settled) return;
	call.settled = true;
	call.stopListening?.();
	call[how](value);
}
