import { type Clock, systemClock, type Timer } from "@rivetkit/protocol";

/** Readings that count; older ones are of a server that may have been replaced. */
const READINGS = 32;
/** How much faster one clock may run than another: twice what crystals are allowed. */
const DRIFT = 2e-4;

/** What is to be added to the monotonic clock, as it was when it showed 0: then and now differ by the drift alone. */
interface Reading {
	readonly earliestMs: number;
	readonly latestMs: number;
}

/**
 * The time of the database, as far as this process knows it: the same on all nodes, whatever their own clocks
 * say. Between two readings it goes on with the monotonic clock.
 *
 * It is known within bounds, as far apart as the fastest of the last answers took: {@link now} is never ahead of the
 * database, so that nothing is done before its time, and {@link latest} is never behind it, so that what is to be done
 * after a while is not planned for too soon.
 */
export class ClusterClock implements Clock {
	readonly #timers = systemClock();
	readonly #monotonicMs: () => number;
	readonly #readings: Reading[] = [];
	#earliestMs = Number.NEGATIVE_INFINITY;
	#latestMs = Number.POSITIVE_INFINITY;

	constructor(monotonicMs: () => number = () => performance.now()) {
		this.#monotonicMs = monotonicMs;
	}

	/** Whether the database was asked. */
	get isSet(): boolean {
		return this.#readings.length > 0;
	}

	now(): number {
		return this.isSet
			? Math.floor(this.#monotonicMs() * (1 - DRIFT) + this.#earliestMs)
			: this.#timers.now();
	}

	latest(): number {
		return this.isSet
			? Math.ceil(this.#monotonicMs() * (1 + DRIFT) + this.#latestMs)
			: this.#timers.now();
	}

	after(delayMs: number, fn: () => void): Timer {
		return this.#timers.after(delayMs, fn);
	}

	/**
	 * The database said `databaseMs`, a whole number that has been cut off, in an answer to a question. Both moments are
	 * of the monotonic clock.
	 */
	read(databaseMs: number, askedAtMs: number, answeredAtMs: number): void {
		this.#readings.push({
			earliestMs: databaseMs - answeredAtMs * (1 - DRIFT),
			latestMs: databaseMs + 1 - askedAtMs - answeredAtMs * DRIFT,
		});
		if (this.#readings.length > READINGS) {
			this.#readings.shift();
		}
		this.#earliestMs = Math.max(...this.#readings.map(({ earliestMs }) => earliestMs));
		this.#latestMs = Math.min(...this.#readings.map(({ latestMs }) => latestMs));
	}
}
