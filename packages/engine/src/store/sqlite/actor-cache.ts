/** What a commit must know about a live actor. */
export interface LiveActor {
	readonly rowId: number;
	readonly generation: number;
}

/**
 * The live actors of late, so that a commit checks its generation without a query. Only this process
 * writes (the directory is locked), so an entry stays true until it is changed here; a transaction
 * that is rolled back clears all.
 *
 * Bounded by two generations of entries: when the young one is full it becomes the old one, and what
 * nobody asked for since the last change is forgotten.
 */
export class ActorCache {
	readonly #generationMax: number;
	#young = new Map<string, LiveActor>();
	#old = new Map<string, LiveActor>();

	constructor(entriesMax: number) {
		this.#generationMax = Math.ceil(entriesMax / 2);
	}

	get(actorId: string): LiveActor | undefined {
		const young = this.#young.get(actorId);
		if (young !== undefined) {
			return young;
		}
		const old = this.#old.get(actorId);
		return old === undefined ? undefined : this.set(actorId, old);
	}

	set(actorId: string, actor: LiveActor): LiveActor {
		if (this.#young.size >= this.#generationMax) {
			this.#old = this.#young;
			this.#young = new Map();
		}
		this.#young.set(actorId, actor);
		return actor;
	}

	delete(actorId: string): void {
		this.#young.delete(actorId);
		this.#old.delete(actorId);
	}

	clear(): void {
		this.#young.clear();
		this.#old.clear();
	}
}
