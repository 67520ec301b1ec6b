import type { KeyId } from "./keys.ts";
import type { Entry } from "./values.ts";
import { CACHED_BATCH_BYTES_MAX, heldBytes, type WriteLayer } from "./write-layer.ts";

/** Memory of an actor's cache, about. It is gone when the actor sleeps. */
const READ_CACHE_BYTES_MAX: number = 64 * 1024;
/** Larger values are read again: a few of them must not push out everything else. */
const CACHED_VALUE_BYTES_MAX: number = READ_CACHE_BYTES_MAX / 8;

/**
 * Committed entries that were used lately, also what is known to be missing. Two halves: what was used
 * since the younger one was begun, and what only was before; the older one goes as a whole.
 */
export class ReadCache {
	#young = new Map<KeyId, Entry>();
	#old = new Map<KeyId, Entry>();
	#youngBytes = 0;

	get(id: KeyId): Entry | undefined {
		const entry = this.#young.get(id);
		if (entry !== undefined || this.#old.size === 0) return entry;
		const old = this.#old.get(id);
		if (old !== undefined) this.set(id, old);
		return old;
	}

	/** Like {@link get}, but does not count as use. */
	peek(id: KeyId): Entry | undefined {
		return this.#young.get(id) ?? this.#old.get(id);
	}

	set(id: KeyId, entry: Entry): void {
		this.delete(id);
		if (entry.size > CACHED_VALUE_BYTES_MAX) return;
		this.#young.set(id, entry);
		this.#youngBytes += heldBytes(id, entry);
		if (this.#youngBytes > READ_CACHE_BYTES_MAX / 2) {
			this.#old = this.#young;
			this.#young = new Map();
			this.#youngBytes = 0;
		}
	}

	delete(id: KeyId): void {
		const young = this.#young.get(id);
		if (young !== undefined) {
			this.#youngBytes -= heldBytes(id, young);
			this.#young.delete(id);
		}
		if (this.#old.size > 0) this.#old.delete(id);
	}

	/** The writes of a batch are committed. */
	update(layer: WriteLayer): void {
		const { points, emptied, bytes } = layer;
		if (!emptied.isEmpty) {
			for (const id of [...this.#young.keys(), ...this.#old.keys()]) {
				if (emptied.has(id)) this.delete(id);
			}
		}
		// A large batch would only push itself out.
		const keeps = bytes <= CACHED_BATCH_BYTES_MAX;
		if (!keeps && this.#isEmpty) return;
		for (const [id, entry] of points) {
			if (keeps) this.set(id, entry);
			else this.delete(id);
		}
	}

	get #isEmpty(): boolean {
		return this.#young.size === 0 && this.#old.size === 0;
	}
}
