import type { Clock } from "@rivetkit/protocol";

interface Failure {
	readonly count: number;
	readonly lastTs: number;
}

/** How often actors have failed in a row: one that has not for a while begins anew, and is forgotten. */
export class RecentFailures {
	readonly #clock: Clock;
	readonly #resetMs: number;
	/** The one whose last failure is the longest ago first. */
	readonly #byActor = new Map<string, Failure>();

	constructor(clock: Clock, resetMs: number) {
		this.#clock = clock;
		this.#resetMs = resetMs;
	}

	/** How many actors are remembered. */
	get size(): number {
		return this.#byActor.size;
	}

	/** Whether its next failure is the first. */
	isFresh(actorId: string): boolean {
		const known = this.#byActor.get(actorId);
		return known === undefined || this.#isOld(known);
	}

	/** Returns how often it had failed before. */
	failed(actorId: string): number {
		const count = this.isFresh(actorId) ? 0 : this.#byActor.get(actorId)!.count + 1;
		this.#byActor.delete(actorId);
		this.#byActor.set(actorId, { count, lastTs: this.#clock.now() });
		for (const [other, failure] of this.#byActor) {
			if (!this.#isOld(failure)) break;
			this.#byActor.delete(other);
		}
		return count;
	}

	/** Its next failure is the first. */
	forget(actorId: string): void {
		this.#byActor.delete(actorId);
	}

	#isOld({ lastTs }: Failure): boolean {
		return this.#clock.now() - lastTs > this.#resetMs;
	}
}
