import { createHash } from "node:crypto";
import { type Clock, catalogueError } from "@rivetkit/protocol";
import type { EngineLimits } from "../common/limits.ts";

const WINDOW_MS = 60_000;
/** Counters that are kept before those of past windows are looked for, once in a window, and thrown away. */
const COUNTERS_SWEPT = 10_000;
/** Counters that are kept before a pair that has none is counted by its address alone: callers make up actors, not addresses. */
const PAIRS_MAX = 100_000;
/** Characters of an actor that are kept; a longer one is kept as a hash. */
const ACTOR_CHARS_MAX = 128;

interface Counter {
	windowStartTs: number;
	callCount: number;
	inFlight: number;
}

/**
 * Calls per minute and in flight, for each pair of address and actor (lifecycle 21). They are counted before anybody knows
 * whether there is such an actor: of what callers make up, only so much is kept.
 */
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
		const counter = this.#counter(address ?? "", actor);
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

	#counter(address: string, actor: string): Counter {
		const now = this.#clock.now();
		const pair = `${address} ${actor.length > ACTOR_CHARS_MAX ? hashed(actor) : actor}`;
		let counter = this.#counters.get(pair);
		if (counter === undefined) {
			this.#forgetPast(now);
			const key = this.#counters.size < PAIRS_MAX ? pair : address;
			counter = this.#counters.get(key) ?? { windowStartTs: now, callCount: 0, inFlight: 0 };
			this.#counters.set(key, counter);
		}
		if (now - counter.windowStartTs >= WINDOW_MS) {
			counter.windowStartTs = now;
			counter.callCount = 0;
		}
		return counter;
	}

	#forgetPast(now: number): void {
		if (this.#counters.size < COUNTERS_SWEPT || now - this.#sweptTs < WINDOW_MS) {
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

function hashed(text: string): string {
	return createHash("sha256").update(text).digest("base64");
}
