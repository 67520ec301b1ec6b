import type { Clock, Random, Timer } from "@rivetkit/protocol";
import type { RunnerLimits } from "./runner-limits.ts";

const JITTER_MS = 500;

export interface RestartsOptions {
	readonly clock: Clock;
	readonly random: Random;
	readonly limits: RunnerLimits;
	/** Starts an actor again. */
	readonly wake: (actorId: string) => void;
}

/** Crash policy `restart`: at once the first time, then with growing pauses (contract: engine 6.6). */
export class Restarts {
	readonly #options: RestartsOptions;
	readonly #failures = new Map<string, { readonly count: number; readonly lastTs: number }>();
	/** Actors that are to be started; those without a pause have no time that is shown. */
	readonly #due = new Map<string, { readonly ts: number | null; readonly timer: Timer }>();
	/** Those that have not started since they failed, nor fallen asleep for want of a slot. */
	readonly #isDown = new Set<string>();
	#isClosed = false;

	constructor(options: RestartsOptions) {
		this.#options = options;
	}

	/** When the actor is started again; null when it has no pause. */
	dueTs(actorId: string): number | null {
		return this.#due.get(actorId)?.ts ?? null;
	}

	/** Whether the actor is to run again, but does not yet. */
	isDue(actorId: string): boolean {
		return this.#isDown.has(actorId);
	}

	/** It was to run again, and sleeps now. */
	rests(actorId: string): void {
		this.#isDown.delete(actorId);
	}

	/** The actor has failed: it is started again when its pause is over. */
	later(actorId: string): void {
		const { clock, random, limits, wake } = this.#options;
		const now = clock.now();
		const known = this.#failures.get(actorId);
		const isFresh = known === undefined || now - known.lastTs > limits.retryResetMs;
		const count = isFresh ? 0 : known.count + 1;
		this.#failures.set(actorId, { count, lastTs: now });
		const exponent = Math.min(count - 1, limits.backoffExponentMax);
		const pauseMs =
			count === 0
				? 0
				: limits.retryBaseMs * 2 ** exponent + Math.floor(random.fraction() * JITTER_MS);
		this.cancel(actorId);
		if (this.#isClosed) return;
		const timer = clock.after(pauseMs, () => {
			this.#due.delete(actorId);
			wake(actorId);
		});
		this.#isDown.add(actorId);
		this.#due.set(actorId, { ts: pauseMs > 0 ? now + pauseMs : null, timer });
	}

	/** It is started for another reason, or never again. */
	cancel(actorId: string): void {
		this.#due.get(actorId)?.timer.stop();
		this.#due.delete(actorId);
		this.#isDown.delete(actorId);
	}

	/** Its next failure is the first. */
	forget(actorId: string): void {
		this.#failures.delete(actorId);
	}

	/** Nothing is started again. */
	close(): void {
		this.#isClosed = true;
		for (const actorId of [...this.#due.keys()]) this.cancel(actorId);
	}
}
