import { StaleGenerationError, type Store } from "@rivetkit/engine";
import type { ActorAssignment, StorageBatch, StorageRange } from "@rivetkit/protocol";
import { type ActorBackend, FencedOff, type Incarnation, type Loaded } from "../backend.ts";

/** Actors that stand on a store in this process: function calls, no serialization. */
export class EmbeddedBackend implements ActorBackend {
	readonly #store: Store;
	readonly #alarmCommitted: (actorId: string, alarmTs: number | null) => void;

	/** @param alarmCommitted - told of each committed change of an alarm */
	constructor(store: Store, alarmCommitted: (actorId: string, alarmTs: number | null) => void) {
		this.#store = store;
		this.#alarmCommitted = alarmCommitted;
	}

	/** Placement has just read the record, so it is not read again. */
	load({ actorId, initialised }: ActorAssignment, range: StorageRange): Loaded | Promise<Loaded> {
		return initialised ? this.#store.scan(actorId, range) : null;
	}

	get({ actorId }: Incarnation, keys: readonly Uint8Array[]): Promise<(Uint8Array | null)[]> {
		return this.#store.get(actorId, keys);
	}

	async scan({ actorId }: Incarnation, range: StorageRange): Promise<[Uint8Array, Uint8Array][]> {
		return this.#store.scan(actorId, range);
	}

	commit({ actorId, generation }: Incarnation, batch: StorageBatch): Promise<void> {
		const committed = this.#store.commit({ actorId, generation, ...batch });
		const { alarmTs } = batch;
		const told =
			alarmTs === undefined
				? committed
				: committed.then(() => this.#alarmCommitted(actorId, alarmTs));
		return told.catch((error: unknown) => {
			throw error instanceof StaleGenerationError
				? new FencedOff(actorId, { cause: error })
				: error;
		});
	}

	discard({ actorId, generation }: Incarnation): Promise<void> {
		return this.#store.discard(actorId, generation);
	}
}
