/**
 * The current view of each shared connection, by hash. Listeners belong to a hash, not to a connection: who
 * listens before anything is mounted hears of what comes.
 */
export class ConnectionStore<View> {
	readonly #views = new Map<string, View>();
	readonly #listeners = new Map<string, Set<() => void>>();

	/** `undefined`: nobody is connected under this hash. */
	get(hash: string): View | undefined {
		return this.#views.get(hash);
	}

	/** The hashes in use. */
	hashes(): string[] {
		return [...this.#views.keys()];
	}

	set(hash: string, view: View): void {
		this.#views.set(hash, view);
		this.#tell(hash);
	}

	delete(hash: string): void {
		if (this.#views.delete(hash)) this.#tell(hash);
	}

	/** Calls `listener` after each change of this hash. Returns how to unsubscribe. */
	subscribe(hash: string, listener: () => void): () => void {
		const listeners = this.#listeners.get(hash) ?? new Set();
		this.#listeners.set(hash, listeners);
		// The same function may be given twice; each subscription is its own.
		const own = (): void => listener();
		listeners.add(own);
		return () => {
			if (listeners.delete(own) && listeners.size === 0) this.#listeners.delete(hash);
		};
	}

	#tell(hash: string): void {
		for (const listener of [...(this.#listeners.get(hash) ?? [])]) listener();
	}
}
