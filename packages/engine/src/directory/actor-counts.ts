import type { Clock } from "@rivetkit/protocol";
import type { Store } from "../store/store.ts";

/** How long counts of actors are kept: the store reads its index for them. */
export const COUNTS_KEPT_MS = 10_000;

/** How many actors of a namespace there are by name, for whoever asks often. */
export class ActorCounts {
	readonly #store: Store;
	readonly #clock: Clock;
	readonly #namespace: string;
	#kept:
		| { readonly atMs: number; readonly counts: Promise<ReadonlyMap<string, number>> }
		| undefined;

	constructor(store: Store, clock: Clock, namespace: string) {
		this.#store = store;
		this.#clock = clock;
		this.#namespace = namespace;
	}

	/** At most {@link COUNTS_KEPT_MS} old. Rejects when the store cannot be read; the next one to ask has it read again. */
	read(): Promise<ReadonlyMap<string, number>> {
		const now = this.#clock.now();
		if (this.#kept === undefined || now - this.#kept.atMs >= COUNTS_KEPT_MS) {
			const kept = { atMs: now, counts: this.#store.countActors(this.#namespace) };
			this.#kept = kept;
			// Whoever asked hears of it.
			kept.counts.catch(() => {
				if (this.#kept === kept) this.#kept = undefined;
			});
		}
		return this.#kept.counts;
	}
}
