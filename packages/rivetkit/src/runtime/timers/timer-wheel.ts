import type { Clock, Timer } from "@rivetkit/protocol";
import { TickHeap } from "./tick-heap.ts";

/** A deadline that can be called off. Calling off one that has fired does nothing. */
export interface WheelTimer {
	cancel(): void;
}

/**
 * Many deadlines on one clock timer. Deadlines are rounded up to a tick, so that those close together
 * share one; adding and cancelling are O(1) but for the first deadline of a tick.
 *
 * - T1. Nothing fires before its deadline, and after it as soon as the clock's timer does, at most one
 *   tick late.
 * - T2. Deadlines of different ticks fire in order of time, those of one tick in order of scheduling.
 * - T3. At most one clock timer is armed, and none while the wheel is empty.
 */
export class TimerWheel {
	readonly #clock: Clock;
	readonly #resolutionMs: number;
	readonly #ticks = new Map<number, Set<Entry>>();
	/** Ticks that have, or had, deadlines. */
	readonly #order = new TickHeap();
	#size = 0;
	#armed: Timer | null = null;
	#armedTick = Number.POSITIVE_INFINITY;

	constructor(clock: Clock, options: { resolutionMs: number }) {
		this.#clock = clock;
		this.#resolutionMs = options.resolutionMs;
	}

	/** Deadlines that are neither fired nor cancelled. */
	get size(): number {
		return this.#size;
	}

	/** Calls `fn` once, not before `delayMs` have passed. Negative delays count as 0. */
	schedule(delayMs: number, fn: () => void): WheelTimer {
		const dueMs = this.#clock.now() + Math.max(0, delayMs);
		const tick = Math.ceil(dueMs / this.#resolutionMs);
		let entries = this.#ticks.get(tick);
		if (!entries) {
			entries = new Set();
			this.#ticks.set(tick, entries);
			this.#order.push(tick);
		}
		const entry = new Entry(this, tick, fn);
		entries.add(entry);
		this.#size++;
		if (tick < this.#armedTick) this.#arm(tick);
		return entry;
	}

	/** For {@link Entry} only. */
	remove(entry: Entry): void {
		const entries = this.#ticks.get(entry.tick);
		if (!entries?.delete(entry)) return;
		this.#size--;
		if (entries.size === 0) this.#ticks.delete(entry.tick);
		if (this.#size === 0) {
			this.#disarm();
			this.#order.clear();
		}
	}

	#arm(tick: number): void {
		this.#armed?.stop();
		this.#armedTick = tick;
		const dueMs = tick * this.#resolutionMs;
		this.#armed = this.#clock.after(dueMs - this.#clock.now(), this.#fire);
	}

	#disarm(): void {
		this.#armed?.stop();
		this.#armed = null;
		this.#armedTick = Number.POSITIVE_INFINITY;
	}

	readonly #fire = (): void => {
		this.#armed = null;
		this.#armedTick = Number.POSITIVE_INFINITY;
		const nowTick = Math.floor(this.#clock.now() / this.#resolutionMs);
		try {
			for (;;) {
				const tick = this.#order.peek();
				if (tick === undefined || tick > nowTick) break;
				this.#order.pop();
				this.#fireTick(tick);
			}
		} finally {
			// A throwing callback must not take the others' timer with it.
			this.#rearm();
		}
	};

	#fireTick(tick: number): void {
		const entries = this.#ticks.get(tick);
		if (!entries) return;
		try {
			for (const entry of entries) {
				entries.delete(entry);
				this.#size--;
				entry.fn();
			}
		} finally {
			if (entries.size === 0) this.#ticks.delete(tick);
			else this.#order.push(tick);
		}
	}

	#rearm(): void {
		for (;;) {
			const tick = this.#order.peek();
			if (tick === undefined) return;
			if (this.#ticks.has(tick)) {
				if (tick < this.#armedTick) this.#arm(tick);
				return;
			}
			this.#order.pop();
		}
	}
}

class Entry implements WheelTimer {
	readonly tick: number;
	readonly fn: () => void;
	readonly #wheel: TimerWheel;

	constructor(wheel: TimerWheel, tick: number, fn: () => void) {
		this.#wheel = wheel;
		this.tick = tick;
		this.fn = fn;
	}

	cancel(): void {
		this.#wheel.remove(this);
	}
}
