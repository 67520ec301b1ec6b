import type { LifecycleChange, LifecycleEntry } from "@rivetkit/protocol/inspector/answers";

interface Recorded extends LifecycleEntry {
	readonly actorId: string;
}

/** Of all actors of a host together: about a megabyte. */
const ENTRIES_MAX = 8_192;

/**
 * The last things that happened to the actors of a host, so that somebody can see why one woke, slept or
 * did not start. One ring for all: an actor that sleeps has nothing of its own in memory.
 */
export class LifecycleLog {
	readonly #ring: Recorded[] = [];
	#next = 0;

	record(
		actor: { readonly actorId: string; readonly generation: number },
		atMs: number,
		event: LifecycleChange,
		detail?: string,
	): void {
		const { actorId, generation } = actor;
		this.#ring[this.#next] =
			detail === undefined
				? { actorId, atMs, generation, event }
				: { actorId, atMs, generation, event, detail };
		this.#next = (this.#next + 1) % ENTRIES_MAX;
	}

	/** Of one actor, oldest first. */
	of(actorId: string): LifecycleEntry[] {
		const ordered = [...this.#ring.slice(this.#next), ...this.#ring.slice(0, this.#next)];
		return ordered
			.filter((entry) => entry.actorId === actorId)
			.map(({ actorId: _, ...entry }) => entry);
	}
}
