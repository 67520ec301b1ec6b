import { type Clock, catalogueError, type Random, type Timer } from "@rivetkit/protocol";
import { Deferred } from "../placement/deferred.ts";
import type { PoolAddress } from "./pool-address.ts";
import { RecentFailures } from "./recent-failures.ts";
import type { RunnerLimits } from "./runner-limits.ts";

const JITTER_MS = 500;

export interface RestartsOptions {
	readonly clock: Clock;
	readonly random: Random;
	readonly limits: RunnerLimits;
	/** Starts an actor again. Resolves with whether it runs or sleeps, on whatever node, or is no more; never rejects. */
	readonly wake: (actorId: string) => Promise<boolean>;
	/** An actor is about to want a slot: from now on it counts. */
	readonly expected: (actorId: string, pool: PoolAddress) => void;
	/** It is not any more: it waits for one, has one, or gives up. */
	readonly settled: (actorId: string) => void;
	/** An actor whose incarnation of this generation has failed is to run again, but not before this time. */
	readonly paused: (actorId: string, generation: number, untilTs: number) => void;
}

interface Pause {
	/** When it is over; null for one of no length, which is not shown. */
	readonly ts: number | null;
	readonly timer: Timer;
	/** Settles when the actor may start, or never will. */
	readonly over: Deferred<void>;
}

/**
 * Crash policy `restart`: at once the first time, then with growing pauses (contract: engine 6.6). Whoever wants the actor
 * meanwhile waits for the end of the pause: only a deletion ends it earlier (6.1).
 */
export class Restarts {
	readonly #options: RestartsOptions;
	readonly #failures: RecentFailures;
	/** Actors that are to be started. */
	readonly #due = new Map<string, Pause>();
	/** Those whose start has failed for another reason than themselves: when they are started again. */
	readonly #retries = new Map<string, Timer>();
	/** Those that have not started since they failed, nor fallen asleep for want of a slot. */
	readonly #isDown = new Set<string>();
	#isClosed = false;

	constructor(options: RestartsOptions) {
		this.#options = options;
		this.#failures = new RecentFailures(options.clock, options.limits.retryResetMs);
	}

	/** When the actor is started again; null when it has no pause. */
	dueTs(actorId: string): number | null {
		return this.#due.get(actorId)?.ts ?? null;
	}

	/** Resolves when the actor's pause is over; undefined when it has none. Rejects with what it was refused with. */
	pauseOf(actorId: string): Promise<void> | undefined {
		return this.#due.get(actorId)?.over.promise;
	}

	/** Whether the actor is to run again, but does not yet. */
	isDue(actorId: string): boolean {
		return this.#isDown.has(actorId);
	}

	/** It was to run again, and sleeps now. */
	rests(actorId: string): void {
		this.#rests(actorId);
	}

	/** Whether it would be started at once if it failed now. */
	isFresh(actorId: string): boolean {
		return this.#failures.isFresh(actorId);
	}

	/** The actor has failed: it is started again when its pause is over. */
	later(actorId: string, generation: number, pool: PoolAddress): void {
		const { clock, random, limits, paused, expected, settled } = this.#options;
		const now = clock.now();
		const count = this.#failures.failed(actorId);
		const exponent = Math.min(count - 1, limits.backoffExponentMax);
		const pauseMs =
			count === 0
				? 0
				: limits.retryBaseMs * 2 ** exponent + Math.floor(random.fraction() * JITTER_MS);
		this.cancel(actorId);
		if (this.#isClosed) return;
		const timer = clock.after(pauseMs, () => {
			const pause = this.#due.get(actorId);
			this.#due.delete(actorId);
			pause?.over.resolve();
			this.#wake(actorId, pool);
		});
		if (pauseMs > 0) {
			paused(actorId, generation, now + pauseMs);
			// During a pause it wants no slot.
			settled(actorId);
		} else {
			expected(actorId, pool);
		}
		this.#isDown.add(actorId);
		this.#due.set(actorId, { ts: pauseMs > 0 ? now + pauseMs : null, timer, over: unwatched() });
	}

	/** Has it start, again and again until it does or is not to. */
	#wake(actorId: string, pool: PoolAddress): void {
		const { clock, limits, wake, expected, settled } = this.#options;
		expected(actorId, pool);
		void wake(actorId).then((isDone) => {
			settled(actorId);
			if (this.#isClosed || this.#due.has(actorId) || !this.#isDown.has(actorId)) return;
			if (isDone) {
				// Where it runs on another node, nothing else says so here.
				this.#isDown.delete(actorId);
				return;
			}
			// The store was away, say: nobody else would see to it.
			this.#retries.get(actorId)?.stop();
			const retry = clock.after(limits.retryBaseMs, () => {
				this.#retries.delete(actorId);
				this.#wake(actorId, pool);
			});
			this.#retries.set(actorId, retry);
		});
	}

	/** It is started, or never again: whoever waits for the end of its pause need not. */
	cancel(actorId: string): void {
		const pause = this.#due.get(actorId);
		pause?.timer.stop();
		pause?.over.resolve();
		this.#due.delete(actorId);
		this.#rests(actorId);
	}

	#rests(actorId: string): void {
		this.#isDown.delete(actorId);
		this.#retries.get(actorId)?.stop();
		this.#retries.delete(actorId);
	}

	/** It is never started again: whoever waits for the end of its pause is told why. */
	refuse(actorId: string, reason: unknown): void {
		this.#due.get(actorId)?.over.reject(reason);
		this.cancel(actorId);
		this.#options.settled(actorId);
	}

	/** Whoever waits for the end of a pause now is told that there is no use; the pauses go on. */
	refuseAll(): void {
		for (const [actorId, pause] of this.#due) {
			pause.over.reject(catalogueError("guard.service_unavailable"));
			this.#due.set(actorId, { ...pause, over: unwatched() });
		}
	}

	/** Its next failure is the first. */
	forget(actorId: string): void {
		this.#failures.forget(actorId);
	}

	/** Nothing is started again. */
	close(): void {
		this.#isClosed = true;
		this.refuseAll();
		for (const actorId of [...this.#due.keys(), ...this.#retries.keys()]) this.cancel(actorId);
	}
}

/** Mostly nobody waits for it. */
function unwatched(): Deferred<void> {
	const deferred = new Deferred<void>();
	deferred.promise.catch(() => {});
	return deferred;
}
