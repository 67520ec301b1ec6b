import { type Clock, systemClock, type Timer } from "@rivetkit/protocol";

/** Readings that count; older ones say little, as clocks drift apart. */
const READINGS = 32;

/**
 * The time of the database, as far as this process knows it: the same on all nodes, whatever their own clocks
 * say. Between two readings it goes on with the monotonic clock.
 *
 * It is never ahead of the database, so that nothing is done before its time, and behind by what the fastest of the
 * last answers took on its way at most.
 */
export class ClusterClock implements Clock {
	readonly #timers = systemClock();
	readonly #offsets: number[] = [];
	#offsetMs: number | undefined;

	now(): number {
		return this.#offsetMs === undefined
			? this.#timers.now()
			: Math.floor(performance.now() + this.#offsetMs);
	}

	after(delayMs: number, fn: () => void): Timer {
		return this.#timers.after(delayMs, fn);
	}

	/** The database said `databaseMs` in an answer that has just come, at `answeredAtMs` of `performance.now()`. */
	read(databaseMs: number, answeredAtMs: number): void {
		this.#offsets.push(databaseMs - answeredAtMs);
		if (this.#offsets.length > READINGS) {
			this.#offsets.shift();
		}
		this.#offsetMs = Math.max(...this.#offsets);
	}
}
