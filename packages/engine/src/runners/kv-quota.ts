import type { Store } from "../store/store.ts";

/**
 * How much one incarnation's actor stores, about (contract: engine 4.8). Measured at its first put; what is put from then on
 * is added, whether it replaces something or not, and measured again when that seems too much. A put that does not fit
 * beside what it replaces is refused.
 */
export class KvQuota {
	readonly #store: Store;
	readonly #actorId: string;
	readonly #bytesMax: number;
	#measured: Promise<number> | undefined;
	#added = 0;

	constructor(store: Store, actorId: string, bytesMax: number) {
		this.#store = store;
		this.#actorId = actorId;
		this.#bytesMax = bytesMax;
	}

	/** The refusal of a put of so many bytes; null when there is room, which is then taken. */
	async refusal(bytes: number): Promise<string | null> {
		if (!(await this.#fits(bytes))) {
			this.#measured = undefined;
			this.#added = 0;
			if (!(await this.#fits(bytes))) {
				return `kv.quota_exceeded: the store of an actor has at most ${this.#bytesMax} bytes`;
			}
		}
		this.#added += bytes;
		return null;
	}

	async #fits(bytes: number): Promise<boolean> {
		this.#measured ??= this.#store.storedBytes(this.#actorId);
		return (await this.#measured) + this.#added + bytes <= this.#bytesMax;
	}
}
