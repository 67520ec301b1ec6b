import { type KeyId, storedKey } from "./keys.ts";
import { type Entry, NO_ENTRY } from "./values.ts";

/** Keys that are asked for in one microtask, and what the store has for them. */
interface Group {
	readonly ids: KeyId[];
	readonly entries: Promise<readonly Entry[]>;
}

interface Place {
	readonly group: Group;
	readonly index: number;
}

/**
 * Single keys read from the store: those asked for together travel together, and who asks for a key that
 * is on its way waits for the same answer.
 */
export class StoreReads {
	readonly #get: (keys: readonly Uint8Array[]) => Promise<(Uint8Array | null)[]>;
	readonly #found: (id: KeyId, entry: Entry) => void;
	#gathering: Group | null = null;
	readonly #places = new Map<KeyId, Place>();

	/** @param found - told of each answer that no write has overtaken */
	constructor(
		get: (keys: readonly Uint8Array[]) => Promise<(Uint8Array | null)[]>,
		found: (id: KeyId, entry: Entry) => void,
	) {
		this.#get = get;
		this.#found = found;
	}

	read(id: KeyId): Promise<Entry> {
		let place = this.#places.get(id);
		if (place === undefined) {
			this.#gathering ??= this.#newGroup();
			const group = this.#gathering;
			place = { group, index: group.ids.push(id) - 1 };
			this.#places.set(id, place);
		}
		const { group, index } = place;
		return group.entries.then((entries) => entries[index]!);
	}

	/** The key is written: what is on its way is no longer what it has. */
	overtake(id: KeyId): void {
		if (this.#places.size > 0) this.#places.delete(id);
	}

	overtakeAll(): void {
		this.#places.clear();
	}

	#newGroup(): Group {
		const ids: KeyId[] = [];
		const group: Group = {
			ids,
			entries: Promise.resolve().then(async () => {
				this.#gathering = null;
				try {
					const values = await this.#get(ids.map(storedKey));
					return ids.map((id, index) => this.#arrived(group, id, values[index]!));
				} catch (error) {
					for (const id of ids) this.#isLatest(group, id);
					throw error;
				}
			}),
		};
		return group;
	}

	#arrived(group: Group, id: KeyId, value: Uint8Array | null): Entry {
		const entry = value === null ? NO_ENTRY : { value, size: value.byteLength };
		if (this.#isLatest(group, id)) this.#found(id, entry);
		return entry;
	}

	/** Whether the group is what a later reader of the key would wait for; from now on it is not. */
	#isLatest(group: Group, id: KeyId): boolean {
		return this.#places.get(id)?.group === group && this.#places.delete(id);
	}
}
