import { type Clock, systemClock, type Timer } from "@rivetkit/protocol";

/**
 * The time of the database, as far as this process knows it: the same on all nodes, whatever their own clocks
 * say. Between two readings it goes on with the monotonic clock.
 */
export class ClusterClock implements Clock {
	readonly #timers = systemClock();
	#databaseMs: number | undefined;
	#readAtMs = 0;

	now(): number {
		return this.#databaseMs === undefined
			? this.#timers.now()
			: Math.floor(this.#databaseMs + (performance.now() - this.#readAtMs));
	}

	after(delayMs: number, fn: () => void): Timer {
		return this.#timers.after(delayMs, fn);
	}

	/** The database said `databaseMs` at some moment between two readings of `performance.now()`. */
	read(databaseMs: number, sentAtMs: number, answeredAtMs: number): void {
		this.#databaseMs = databaseMs;
		this.#readAtMs = (sentAtMs + answeredAtMs) / 2;
	}
}
