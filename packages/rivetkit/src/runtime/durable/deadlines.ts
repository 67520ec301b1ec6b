import { LazyHeap } from "../collections/lazy-heap.ts";
import type { AlarmSource } from "../instance/alarm-keeper.ts";
import { ALARM_LINGER_MS } from "../queue/limits.ts";

/** A deadline that somebody waits for. */
export class Deadline {
	readonly ts: number;
	readonly order: number;
	readonly fn: () => void;
	isOver = false;

	constructor(ts: number, order: number, fn: () => void) {
		this.ts = ts;
		this.order = order;
		this.fn = fn;
	}

	/** Calling off one that is over does nothing. */
	cancel(): void {
		this.isOver = true;
	}
}

const isEarlier = (a: Deadline, b: Deadline) => a.ts < b.ts || (a.ts === b.ts && a.order < b.order);

/** Whose deadlines they are. */
export interface DeadlinesOwner {
	now(): number;
	/** Whether the actor is awake, and not about to stop. */
	readonly isReady: boolean;
	/** Whether the durable run would go on at once if it were started now. */
	readonly needsWake: boolean;
	/** The next deadline has changed. */
	deadlineChanged(): void;
}

const counts = (deadline: Deadline) => !deadline.isOver;

/**
 * What a durable run waits for, as a part of the actor's one alarm. While the run is at work the stored
 * alarm is due: an actor whose process ends is woken by the next one, whoever calls it or not. It stays so
 * for a moment after the run began to wait, because setting and clearing it around each wait would be
 * most of what is written; it is exact when the actor falls asleep.
 */
export class Deadlines implements AlarmSource {
	readonly #owner: DeadlinesOwner;
	#heap: LazyHeap<Deadline> | null = null;
	#order = 0;
	#dueTs: number | null = null;
	#lastBusyMs = Number.NEGATIVE_INFINITY;

	constructor(owner: DeadlinesOwner) {
		this.#owner = owner;
	}

	/** Calls `fn` once when the time has come (ms since the epoch) and the actor is awake. */
	add(ts: number, fn: () => void): Deadline {
		const deadline = new Deadline(ts, this.#order++, fn);
		const earliest = this.nextTs();
		this.#heap ??= new LazyHeap(isEarlier, counts);
		this.#heap.push(deadline);
		if (earliest === null || ts < earliest) this.#owner.deadlineChanged();
		return deadline;
	}

	nextTs(): number | null {
		return this.#heap?.peek()?.ts ?? null;
	}

	wakeTs(): number | null {
		const { needsWake, isReady } = this.#owner;
		// Asked with every commit: one look at the clock less.
		if (!needsWake && (!isReady || this.#dueTs === null)) return this.nextTs();
		const nowMs = this.#owner.now();
		if (!isReady) return nowMs;
		if (needsWake) {
			this.#lastBusyMs = nowMs;
			this.#dueTs ??= nowMs;
		} else if (nowMs - this.#lastBusyMs > ALARM_LINGER_MS) {
			this.#dueTs = null;
		}
		return this.#dueTs ?? this.nextTs();
	}

	due(nowMs: number): void {
		const heap = this.#heap;
		if (heap === null) return;
		for (let next = heap.peek(); next && next.ts <= nowMs; next = heap.peek()) {
			next.isOver = true;
			next.fn();
		}
	}
}
