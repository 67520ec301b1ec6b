/** What is kept of one actor. */
export interface Kept<T> {
	/** As of now, also for who began when it was another. */
	latest(): T;
	/** Keeps what `change` makes of it; the same changes nothing. */
	change(change: (now: T) => T): void;
}

interface KeepOptions<T> {
	/** Of an actor that there is nothing of. */
	readonly none: T;
	/** Of how many actors something is kept; those that were not changed for the longest go first. */
	readonly actorsMax: number;
	/** Whether something goes on in it, which stays however old it is. */
	readonly isBusy: (value: T) => boolean;
	/** Called after each change, with what is kept of all. */
	readonly onChange?: (values: Iterable<T>) => void;
}

/**
 * What a tab keeps by server and actor for this visit: a look at another page loses none of it, and what ends meanwhile is seen
 * when the tab is opened again.
 */
export class KeptByActor<T> {
	readonly #options: KeepOptions<T>;
	/** The latest last. */
	readonly #values = new Map<string, T>();
	readonly #listeners = new Set<() => void>();

	constructor(options: KeepOptions<T>) {
		this.#options = options;
	}

	of(endpoint: string, actorId: string): Kept<T> {
		const key = `${endpoint} ${actorId}`;
		const latest = () => this.#values.get(key) ?? this.#options.none;
		return { latest, change: (change) => this.#keep(key, latest(), change(latest())) };
	}

	subscribe = (listener: () => void): (() => void) => {
		this.#listeners.add(listener);
		return () => this.#listeners.delete(listener);
	};

	#keep(key: string, before: T, next: T): void {
		if (next === before) return;
		const { none, actorsMax, isBusy, onChange } = this.#options;
		this.#values.delete(key);
		if (next !== none) this.#values.set(key, next);
		for (const [oldest, value] of this.#values) {
			if (this.#values.size <= actorsMax) break;
			if (oldest !== key && !isBusy(value)) this.#values.delete(oldest);
		}
		onChange?.(this.#values.values());
		for (const listener of this.#listeners) listener();
	}
}
