import { type Clock, catalogueError } from "@rivetkit/protocol";
import type { EngineLimits } from "../common/limits.ts";

const WINDOW_MS = 60_000;
/** Counters that are kept before those of past windows are looked for, once in a window, and thrown away. */
const COUNTERS_MAX = 10_000;

interface Counter {
	windowStartTs: number;
	callCount: number;
	inFlight: number;
}

/** Calls per minute and in flight, for each pair of address and actor (lifecycle 21). */
export class CallLimiter {
	readonly #clock: Clock;
	readonly #limits: EngineLimits;
	readonly #counters = new Map<string, Counter>();
	#sweptTs = Number.NEGATIVE_INFINITY;

	constructor(clock: Clock, limits: EngineLimits) {
		this.#clock = clock;
		this.#limits = limits;
	}

	/** Undefined when no limit is set, so that calls cost nothing. */
	static for(clock: Clock, limits: EngineLimits): CallLimiter | undefined {
		return limits.requestsPerMinuteMax > 0 || limits.requestsInFlightMax > 0
			? new CallLimiter(clock, limits)
			: undefined;
	}

	/**
	 * Counts one call and returns what to do when it has its answer.
	 *
	 * @param actor - id of the actor, or the name in a query
	 * @throws `guard.rate_limit`
	 */
	enter(address: string | undefined, actor: string): () => void {
		const { requestsPerMinuteMax, requestsInFlightMax } = this.#limits;
		const counter = this.#counter(`${address ?? ""} ${actor}`);
		if (
			(requestsPerMinuteMax > 0 && counter.callCount >= requestsPerMinuteMax) ||
			(requestsInFlightMax > 0 && counter.inFlight >= requestsInFlightMax)
		) {
			throw catalogueError("guard.rate_limit");
		}
		counter.callCount++;
		counter.inFlight++;
		return () => {
			counter.inFlight--;
		};
	}

	#counter(key: string): Counter {
		const now = this.#clock.now();
		let counter = this.#counters.get(key);
		if (counter === undefined) {
			this.#forgetPast(now);
			counter = { windowStartTs: now, callCount: 0, inFlight: 0 };
			this.#counters.set(key, counter);
		} else if (now - counter.windowStartTs >= WINDOW_MS) {
			counter.windowStartTs = now;
			counter.callCount = 0;
		}
		return counter;
	}

	#forgetPast(now: number): void {
		if (this.#counters.size < COUNTERS_MAX || now - this.#sweptTs < WINDOW_MS) {
			return;
		}
		this.#sweptTs = now;
		for (const [key, counter] of this.#counters) {
			if (counter.inFlight === 0 && now - counter.windowStartTs >= WINDOW_MS) {
				this.#counters.delete(key);
			}
		}
	}
}
