import { LastDurations } from "./last-durations.ts";
import type { TurnEnd, Turns } from "./turns.ts";
import { type Told, UntimedCalls } from "./untimed-calls.ts";

/** That a call has left the stack. One may be of all calls that do in a turn of the event loop. */
export class Wait {
	/** See {@link Turns.current}. */
	readonly turn: number;
	/** When the first of them left it. */
	readonly beganMs: number;
	/** Whether what the call takes stands for others: then it is of that call alone. */
	readonly isSample: boolean;
	/** Whether a call that ends well now counts as long as samples did that waited, and the next one that waits may have this, too. */
	isEstimated: boolean;

	constructor(turn: number, beganMs: number, isSample: boolean, isEstimated: boolean) {
		this.turn = turn;
		this.beganMs = beganMs;
		this.isSample = isSample;
		this.isEstimated = isEstimated;
	}
}

/** Whose calls they are. */
export interface Host {
	readonly turns: Turns;
	nowMs(): number;
}

/**
 * How long the calls of one type waited that are not timed from their begin. What lasts beyond the turn of the event loop
 * takes long enough to be timed one by one. The others may wait for a microtask only: once enough of them are sampled,
 * they need no clock.
 */
export class Waits implements TurnEnd {
	readonly #host: Host;
	/** Those that waited, and had ended before the turn was over. */
	readonly #withinTurn: UntimedCalls;
	/** What samples took before they waited. */
	readonly #before = new LastDurations();
	/** In this stretch. */
	#wasSampled = false;
	/** Of this turn; null while none is shared. */
	#shared: Wait | null = null;

	constructor(host: Host, told: Told) {
		this.#host = host;
		this.#withinTurn = new UntimedCalls(told);
	}

	/** Of a call that is none of the samples. */
	begin(): Wait {
		if (this.#shared !== null) return this.#shared;
		const { turns } = this.#host;
		const wait = new Wait(turns.current, this.#host.nowMs(), false, this.#withinTurn.isKnown);
		if (!wait.isEstimated) return wait;
		this.#shared = wait;
		turns.whenOver(this);
		return wait;
	}

	turnEnded(): void {
		this.#stopSharing();
	}

	#stopSharing(): void {
		if (this.#shared !== null) this.#shared.isEstimated = false;
		this.#shared = null;
	}

	/** @param isRandom - not one of the first of a stretch: of calls that come together those have waited the least */
	beginSample(startMs: number, isRandom: boolean): Wait {
		const { turns } = this.#host;
		const nowMs = this.#host.nowMs();
		this.#before.add(nowMs - startMs);
		return new Wait(turns.current, nowMs, isRandom, false);
	}

	/** A call has ended well that was timed from its begin. */
	ended(wait: Wait, tookMs: number): void {
		if (!wait.isSample || this.#host.turns.isOver(wait.turn)) return;
		this.#withinTurn.add(tookMs);
		this.#wasSampled = true;
	}

	/** See {@link UntimedCalls.isRenewed}. */
	get isRenewed(): boolean {
		return this.#withinTurn.isRenewed;
	}

	/** So many have ended that are. */
	count(calls: number): void {
		this.#withinTurn.count(calls);
	}

	/** See {@link UntimedCalls.tell}. */
	tell(): void {
		this.#withinTurn.tell();
	}

	/** When a call began that was not timed and waits, or has waited. */
	startOf(wait: Wait): number {
		return this.#before.isFull ? wait.beganMs - this.#before.next() : wait.beganMs;
	}

	/** A stretch begins. What samples said stays for it if the last one had some more: else few calls wait, and need none. */
	stretchBegins(): void {
		if (!this.#wasSampled) {
			this.#stopSharing();
			this.#withinTurn.clear();
			this.#before.clear();
		}
		this.#wasSampled = false;
	}
}
