import type { Random } from "@rivetkit/protocol";
import type { TimerWheel, WheelTimer } from "../timers/timer-wheel.ts";
import type { CallShare } from "./call-share.ts";
import type { Work } from "./span.ts";
import { type Told, UntimedCalls } from "./untimed-calls.ts";
import { type Host, type Wait, Waits } from "./waits.ts";

/** Calls of a type of actors that are timed one by one in a stretch. */
export const TIMED_MAX = 8;
/** Of those beyond it, one of so many is in the mean; half as many are skipped at least, one and a half times as many at most. */
export const TIMED_EVERY = 128;
/** Calls of one actor that were left out one after another before it need not ask for each. */
export const ASKED_MIN = 16;
/** Calls that it then leaves out without asking. */
export const SKIPS_MAX = 16;
/** How long a stretch is (ms). */
export const STRETCH_MS = 100;

/**
 * Which calls of the actors of one type are timed. Looking at the clock twice takes a fiftieth of a small call that came with
 * many others, and what is measured by it as long again. So of many in a stretch of time only some are: the samples.
 */
export class TimedCalls {
	/** Of those that leave the stack. */
	readonly waits: Waits;
	/** Those that never left the stack. */
	readonly #stayed: UntimedCalls;
	/** The last one that began, until it has ended. */
	#sample: Work | null = null;
	/** Calls until the next sample. */
	#skips = 0;
	#samples = 0;
	#stretchBeganMs = Number.NEGATIVE_INFINITY;
	/** Runs while calls may be skipped: what comes after the many is timed again. */
	#timer: WheelTimer | null = null;
	/** Whose call was left out last, and how many of its calls were without one of another between them. */
	#latest: CallShare | null = null;
	#inRow = 0;
	/** Those that have something to be gathered. */
	#shares: CallShare[] = [];
	/** Of a generator of its own (xorshift): asking the source for each sample would take as long as what it saves. */
	#state: number;

	/** @param told - of calls that have ended well and were not timed */
	constructor(random: Random, host: Host, told: Told) {
		this.#stayed = new UntimedCalls(told);
		this.waits = new Waits(host, told);
		this.#state = 1 + Math.floor(random.fraction() * (2 ** 32 - 1));
	}

	/** Whether the next call is none of the samples. */
	skips(): boolean {
		if (this.#skips === 0) return false;
		this.#skips--;
		return true;
	}

	/** One of these calls that was skipped is not traced either. */
	leftOut(share: CallShare): void {
		if (share !== this.#latest) {
			this.#latest = share;
			this.#inRow = 0;
		}
		if (++this.#inRow < ASKED_MIN) return;
		share.skips = Math.min(SKIPS_MAX, this.#skips);
		this.#skips -= share.skips;
		this.list(share);
	}

	/** It has counted a call, or has skips. */
	list(share: CallShare): void {
		if (share.isListed) return;
		share.isListed = true;
		this.#shares.push(share);
	}

	/** Of all actors of the type: what they have counted, and what they may skip. */
	gather(): void {
		const shares = this.#shares;
		this.#shares = [];
		for (const share of shares) {
			this.#stayed.count(share.stayed);
			this.waits.count(share.waited);
			share.clear();
		}
	}

	/** A sample begins. @param nowMs - of any clock */
	began(work: Work | null, nowMs: number, timers: Pick<TimerWheel, "schedule">): void {
		this.#sample = work;
		// The wall clock may be set back.
		if (Math.abs(nowMs - this.#stretchBeganMs) >= STRETCH_MS) {
			this.#stretchBeganMs = nowMs;
			this.#samples = 0;
			this.gather();
			this.waits.stretchBegins();
		}
		if (++this.#samples < TIMED_MAX) return;
		this.#skips = (TIMED_EVERY >> 1) + (this.#draw() % TIMED_EVERY);
		this.#timer ??= timers.schedule(STRETCH_MS, () => this.end());
	}

	/** A call leaves the stack. @param work - null for one that is not timed */
	leavesStack(work: Work | null): Wait {
		if (work === null || work !== this.#sample) return this.waits.begin();
		return this.waits.beginSample(work.startMs, this.#samples > TIMED_MAX);
	}

	/**
	 * A timed call has ended; one of a quiet actor need not be a sample.
	 *
	 * @param tookMs - null when it failed: it says nothing of those that are not timed
	 * @param wait - null when it has never left the stack
	 */
	ended(work: Work, tookMs: number | null, wait: Wait | null): void {
		const isSample = work === this.#sample;
		if (isSample) this.#sample = null;
		if (tookMs === null) return;
		if (this.#stayed.isRenewed) this.#tell(this.#stayed);
		if (this.waits.isRenewed) this.#tell(this.waits);
		if (wait !== null) this.waits.ended(wait, tookMs);
		else if (isSample) this.#stayed.add(tookMs);
	}

	/** Tells of all that were counted. */
	tell(): void {
		this.#tell(this.#stayed);
		this.#tell(this.waits);
	}

	#tell(counted: UntimedCalls | Waits): void {
		this.gather();
		counted.tell();
	}

	/** When a call began that was not timed, and ends now without having left the stack. */
	startOf(nowMs: number): number {
		return nowMs - this.#stayed.nextMs();
	}

	/** The many are over, or an actor of the type has stopped: no timer is left of the last one. */
	end(): void {
		this.#timer?.cancel();
		this.#timer = null;
		this.#skips = 0;
		this.#latest = null;
		this.gather();
	}

	/** Calls that come in a pattern are not all sampled at the same place of it. */
	#draw(): number {
		let state = this.#state;
		state ^= state << 13;
		state ^= state >>> 17;
		state ^= state << 5;
		this.#state = state;
		return state >>> 0;
	}
}
