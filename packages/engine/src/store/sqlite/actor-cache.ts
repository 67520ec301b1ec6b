/** What a commit must know about a live actor. */
export interface LiveActor {
	readonly rowId: number;
	generation: number;
}

/**
 * The live actors of late, so that a commit checks its generation without a query. Only this process
 * writes (the directory is locked), so an entry stays true until it is changed here; a transaction
 * that is rolled back clears all. Bounded: the oldest entry makes room.
 */
export class ActorCache {
	readonly #entries = new Map<string, LiveActor>();
	readonly #entriesMax: number;

	constructor(entriesMax: number) {
		this.#entriesMax = entriesMax;
	}

	get(actorId: string): LiveActor | undefined {
		return this.#entries.get(actorId);
	}

	set(actorId: string, actor: LiveActor): LiveActor {
		this.#entries.set(actorId, actor);
		if (this.#entries.size > this.#entriesMax) {
			const oldest = this.#entries.keys().next();
			if (oldest.done !== true) {
				this.#entries.delete(oldest.value);
			}
		}
		return actor;
	}

	delete(actorId: string): void {
		this.#entries.delete(actorId);
	}

	clear(): void {
		this.#entries.clear();
	}
}
