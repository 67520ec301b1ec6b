import type { Clock, Random } from "@rivetkit/protocol";
import type { ServerlessLimits } from "./serverless-limits.ts";

const JITTER_MS = 500;

/** Growing pauses after failures (contract: engine 5.3, 5.4). */
export class RetryPause {
	readonly #clock: Clock;
	readonly #random: Random;
	readonly #limits: ServerlessLimits;
	readonly #baseMs: () => number;
	#count = 0;
	#lastTs = Number.NEGATIVE_INFINITY;
	/** When the next attempt is due (ms since the epoch); 0 for now. */
	retryTs = 0;

	constructor(clock: Clock, random: Random, limits: ServerlessLimits, baseMs: () => number) {
		this.#clock = clock;
		this.#random = random;
		this.#limits = limits;
		this.#baseMs = baseMs;
	}

	/** @param begunTs - when the attempt began: those that began together count once */
	failed(begunTs: number): void {
		if (begunTs < this.#lastTs) return;
		const now = this.#clock.now();
		const { retryResetMs, backoffExponentMax } = this.#limits;
		if (now - this.#lastTs > retryResetMs) this.#count = 0;
		const factor = 2 ** Math.min(this.#count, backoffExponentMax);
		this.#count++;
		this.#lastTs = now;
		this.retryTs = now + this.#baseMs() * factor + Math.floor(this.#random.fraction() * JITTER_MS);
	}
}
