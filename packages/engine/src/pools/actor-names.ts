import type { ActorNameMetadata, Clock } from "@rivetkit/protocol";
import { compareText } from "../store/order.ts";
import type { Store } from "../store/store.ts";

/** Names of actors by namespace: those that have or had actors, and those that runners or hosts have announced. */
export class ActorNames {
	readonly #store: Store;
	readonly #clock: Clock;
	/** What is stored for sure, so that the next runner of a pool writes nothing. */
	readonly #stored = new Map<string, string>();

	constructor(store: Store, clock: Clock) {
		this.#store = store;
		this.#clock = clock;
	}

	/** Replaces what was announced of these names. */
	async announce(namespace: string, names: ReadonlyMap<string, unknown>): Promise<void> {
		for (const [name, metadata] of names) {
			const value = JSON.stringify(readMetadata(metadata));
			const id = JSON.stringify([namespace, name]);
			if (this.#stored.get(id) === value) continue;
			await this.#store.inventory.put({
				kind: "actor_name",
				scope: namespace,
				name,
				value,
				createTs: this.#clock.now(),
			});
			this.#stored.set(id, value);
		}
	}

	/** Sorted, strictly after `after`. */
	async list(
		namespace: string,
		limit: number,
		after?: string,
	): Promise<[string, ActorNameMetadata][]> {
		const [used, announced] = await Promise.all([
			this.#store.listNames(namespace, limit, after),
			this.#store.inventory.listByName("actor_name", namespace, limit, after),
		]);
		const metadata = new Map<string, ActorNameMetadata>(used.map((name) => [name, {}]));
		for (const { name, value } of announced) {
			metadata.set(name, JSON.parse(value) as ActorNameMetadata);
		}
		return [...metadata].sort(([a], [b]) => compareText(a, b)).slice(0, limit);
	}
}

/** An object, or JSON of one; anything else says nothing. */
function readMetadata(given: unknown): object {
	try {
		const value: unknown = typeof given === "string" ? JSON.parse(given) : given;
		return typeof value === "object" && value !== null && !Array.isArray(value) ? value : {};
	} catch {
		return {};
	}
}
