import { AsyncLocalStorage } from "node:async_hooks";
import type { Clock, Timer } from "@rivetkit/protocol";
import { type SlotItem, Slots, TICK_MAX } from "./slots.ts";

/** A deadline that can be called off or put off. */
export interface WheelTimer {
	/** Calling off one that has fired does nothing. */
	cancel(): void;
	/**
	 * Starts the wait anew, also after it fired or was cancelled. Cheaper than cancelling and scheduling:
	 * putting off only writes the new time down.
	 */
	restart(delayMs: number): void;
}

/**
 * Many deadlines on one clock timer. Deadlines are rounded up to a tick of `resolutionMs`; adding,
 * cancelling and restarting are O(1) and leave nothing behind. A wall clock that is set back makes no
 * wait longer than by the time since the wheel last looked at it.
 *
 * - T1. Nothing fires before its deadline, and after it as soon as the clock's timer does, at most one
 *   tick late.
 * - T2. Deadlines of different ticks fire in order of time, those of one tick in order of scheduling
 *   (restarted ones wherever they come).
 * - T3. At most one clock timer is armed, and none while the wheel is empty.
 */
export class TimerWheel {
	readonly #clock: Clock;
	readonly #resolutionMs: number;
	readonly #slots = new Slots<Entry>();
	#size = 0;
	/** What the clock showed at tick 0, moved when the clock is set back. */
	#startMs: number;
	#latestMs: number;
	#armed: Timer | null = null;
	#armedTick = Number.POSITIVE_INFINITY;
	#isFiring = false;

	constructor(clock: Clock, options: { resolutionMs: number }) {
		this.#clock = clock;
		this.#resolutionMs = options.resolutionMs;
		this.#startMs = clock.now();
		this.#latestMs = this.#startMs;
	}

	/** Deadlines that are neither fired nor cancelled. */
	get size(): number {
		return this.#size;
	}

	/**
	 * Calls `fn` once, not before `delayMs` have passed. Negative delays count as 0. Throws a
	 * `RangeError` when the delay is not finite.
	 */
	schedule(delayMs: number, fn: () => void): WheelTimer {
		const entry = new Entry(this, fn);
		this.restart(entry, delayMs);
		return entry;
	}

	/** For {@link Entry} only. */
	restart(entry: Entry, delayMs: number): void {
		const tick = this.#tickAfter(delayMs);
		if (entry.slot !== -1) {
			if (tick >= entry.tick) {
				// It stays in its slot, and moves on from there when the slot begins.
				entry.tick = tick;
				return;
			}
			this.#slots.remove(entry);
			this.#size--;
		}
		entry.tick = tick;
		this.#slots.add(entry);
		this.#size++;
		if (tick < this.#armedTick && !this.#isFiring) this.#arm();
	}

	/** For {@link Entry} only. */
	remove(entry: Entry): void {
		if (entry.slot === -1) return;
		this.#slots.remove(entry);
		this.#size--;
		if (this.#size === 0) this.#disarm();
	}

	/** The first tick that is not before the end of the wait. */
	#tickAfter(delayMs: number): number {
		if (!Number.isFinite(delayMs)) throw new RangeError(`Not a finite delay: ${delayMs}`);
		const elapsedMs = this.#elapsedMs();
		this.#slots.skipTo(Math.floor(elapsedMs / this.#resolutionMs));
		const tick = Math.ceil((elapsedMs + Math.max(0, delayMs)) / this.#resolutionMs);
		// A callback that schedules itself for now must not run again in the same round.
		const earliest = this.#slots.now + (this.#isFiring ? 1 : 0);
		return Math.min(Math.max(tick, earliest), TICK_MAX);
	}

	/** Time since tick 0. Never goes back: while a clock shows less than before, time stands still. */
	#elapsedMs(): number {
		const nowMs = this.#clock.now();
		if (nowMs < this.#latestMs) this.#startMs -= this.#latestMs - nowMs;
		this.#latestMs = nowMs;
		return nowMs - this.#startMs;
	}

	#arm(): void {
		const tick = this.#slots.nextTick();
		if (tick === undefined || tick >= this.#armedTick) return;
		this.#armed?.stop();
		this.#armedTick = tick;
		this.#armed = this.#clock.after(tick * this.#resolutionMs - this.#elapsedMs(), this.#fire);
	}

	#disarm(): void {
		this.#armed?.stop();
		this.#armed = null;
		this.#armedTick = Number.POSITIVE_INFINITY;
	}

	/** In the async context of nobody: whoever armed the timer is not who waits for it. */
	readonly #fire = AsyncLocalStorage.bind((): void => {
		const armedMs = this.#armedTick * this.#resolutionMs;
		this.#armed = null;
		this.#armedTick = Number.POSITIVE_INFINITY;
		const nowMs = this.#clock.now();
		if (nowMs < this.#latestMs) {
			// Set back since anything was scheduled: the clock does not show that the wait is over, but it is.
			this.#startMs = nowMs - armedMs;
			this.#latestMs = nowMs;
		}
		const elapsedMs = this.#elapsedMs();
		this.#isFiring = true;
		try {
			this.#fireUntil(Math.floor(elapsedMs / this.#resolutionMs));
		} finally {
			// A throwing callback must not take the others' timer with it.
			this.#isFiring = false;
			this.#arm();
		}
	});

	#fireUntil(tick: number): void {
		for (let entry = this.#slots.take(tick); entry; entry = this.#slots.take(tick)) {
			this.#size--;
			entry.fn();
		}
	}
}

class Entry implements WheelTimer, SlotItem {
	tick = 0;
	slot = -1;
	previous: SlotItem = this;
	next: SlotItem = this;
	readonly wheel: TimerWheel;
	readonly fn: () => void;

	constructor(wheel: TimerWheel, fn: () => void) {
		this.wheel = wheel;
		this.fn = fn;
	}

	cancel(): void {
		this.wheel.remove(this);
	}

	restart(delayMs: number): void {
		this.wheel.restart(this, delayMs);
	}
}
