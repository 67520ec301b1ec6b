import type { ActorAssignment, StorageBatch, StorageRange } from "@rivetkit/protocol";

/** Names one incarnation of an actor: its id and the generation its commits carry. */
export interface Incarnation {
	readonly actorId: string;
	readonly generation: number;
}

/**
 * What live actors stand on. One per host. Embedded: function calls into a store in this process;
 * runner: the runner protocol to an engine; Durable Object: the object's own storage.
 * Every implementation passes `rivetkit/driver-test-suite`.
 *
 * - B1. `commit` resolves when the batch is durable, and rejects with {@link FencedOff} when a newer
 *   incarnation exists (then nothing of it was written), or nobody knows whether it was written (the next
 *   incarnation reads that), or with another error when it could not be written (then nothing of it was
 *   written either, and later commits may succeed).
 * - B2. Commits of one incarnation apply in the order of the calls.
 * - B3. A read sees the commits of its incarnation that were called before it, but for those that fail,
 *   and none that were called after it. So what it answers goes together with what was written by then.
 */
export interface ActorBackend {
	/**
	 * What a wake reads: the entries in `range`; null for an actor that was never initialised. Without a
	 * promise where nothing has to be waited for: such an actor is ready at once.
	 */
	load(actor: ActorAssignment, range: StorageRange): Loaded | Promise<Loaded>;
	get(actor: Incarnation, keys: readonly Uint8Array[]): Promise<(Uint8Array | null)[]>;
	scan(actor: Incarnation, range: StorageRange): Promise<[key: Uint8Array, value: Uint8Array][]>;
	commit(actor: Incarnation, batch: StorageBatch): Promise<void>;
	/** Removes an actor whose creation failed, key included (only before it was initialised). */
	discard(actor: Incarnation): Promise<void>;
}

/** What {@link ActorBackend.load} finds. */
export type Loaded = [key: Uint8Array, value: Uint8Array][] | null;

/** A newer incarnation of the actor exists: this one must stop without writing. */
export class FencedOff extends Error {
	override readonly name = "FencedOff";
	readonly actorId: string;
	constructor(actorId: string, options?: ErrorOptions) {
		super(`Actor ${actorId} was taken over by a newer incarnation; nothing was written`, options);
		this.actorId = actorId;
	}
}
