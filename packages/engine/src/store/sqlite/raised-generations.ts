import type { LiveActor } from "./actor-cache.ts";

/**
 * Generations that were handed out and that the rows of their actors do not have yet. They go with the
 * actor's next commit, in one transaction, so whatever an incarnation leaves behind has its generation
 * behind it. Until then they are true in this process only, which is the only one that hands out and
 * checks them (the directory is locked).
 */
export class RaisedGenerations {
	readonly #raised = new Map<string, LiveActor>();
	/** Those that the open transaction has settled, in case it is rolled back. */
	#settled: [actorId: string, actor: LiveActor][] = [];

	get size(): number {
		return this.#raised.size;
	}

	get(actorId: string): LiveActor | undefined {
		return this.#raised.get(actorId);
	}

	set(actorId: string, actor: LiveActor): void {
		this.#raised.set(actorId, actor);
	}

	/** There is no such actor. */
	delete(actorId: string): void {
		this.#raised.delete(actorId);
	}

	/** Those that are not settled, as they are now. */
	entries(): [actorId: string, actor: LiveActor][] {
		return [...this.#raised];
	}

	/** The open transaction has written the actor's generation, or removed its row. */
	settle(actorId: string): void {
		const actor = this.#raised.get(actorId);
		if (actor !== undefined) {
			this.#raised.delete(actorId);
			this.#settled.push([actorId, actor]);
		}
	}

	committed(): void {
		if (this.#settled.length > 0) {
			this.#settled = [];
		}
	}

	rolledBack(): void {
		for (const [actorId, actor] of this.#settled) {
			const newer = this.#raised.get(actorId);
			if (newer === undefined || newer.generation < actor.generation) {
				this.#raised.set(actorId, actor);
			}
		}
		this.#settled = [];
	}
}
