import type { ActorAssignment, StorageBatch, StorageRange } from "@rivetkit/protocol";
import { WAKE_END, WAKE_START } from "../../runtime/commit/storage-layout.ts";
import { type ActorBackend, FencedOff, type Incarnation, type Loaded } from "../backend.ts";
import { ActorStore } from "./actor-store.ts";
import type { RemoteKv } from "./remote-kv.ts";
import type { StoredRecord } from "./stored-record.ts";

interface Opened extends Incarnation {
	readonly store: ActorStore;
	/** Its creation failed, and nothing of it remains. */
	isDiscarded: boolean;
}

/** Tells the engine the actor's one alarm. */
export type SetAlarm = (actor: Incarnation, alarmTs: number | null) => void;

/** Actors that stand on the engine's store behind the runner protocol. */
export class RunnerBackend implements ActorBackend {
	readonly #kvOf: (actorId: string) => RemoteKv;
	readonly #setAlarm: SetAlarm;
	readonly #opened = new Map<string, Opened>();

	constructor(kvOf: (actorId: string) => RemoteKv, setAlarm: SetAlarm) {
		this.#kvOf = kvOf;
		this.#setAlarm = setAlarm;
	}

	/** Makes way for an incarnation: reads its record, and fences off what came before it in this process. */
	async open({ actorId, generation }: Incarnation): Promise<StoredRecord> {
		this.close(actorId);
		const store = new ActorStore(this.#kvOf(actorId), (alarmTs) =>
			this.#setAlarm({ actorId, generation }, alarmTs),
		);
		this.#opened.set(actorId, { actorId, generation, store, isDiscarded: false });
		return store.open({ start: WAKE_START, end: WAKE_END });
	}

	/** The incarnation is over, or not this runner's any more: it reads and writes nothing from now on. */
	close(actorId: string): void {
		const opened = this.#opened.get(actorId);
		if (!opened) return;
		opened.store.end(new FencedOff(actorId));
		this.#opened.delete(actorId);
	}

	/** As {@link close}, for one that is still on its way out. */
	fence({ actorId, generation }: Incarnation): void {
		const opened = this.#opened.get(actorId);
		if (opened?.generation === generation) opened.store.end(new FencedOff(actorId));
	}

	/** Whether the incarnation may write no more: it lost the actor, or half of a commit could not be done. */
	isFenced({ actorId, generation }: Incarnation): boolean {
		const opened = this.#opened.get(actorId);
		return opened?.generation !== generation || opened.store.hasEnded;
	}

	/** Whether a failed creation has left nothing of the actor. */
	isDiscarded(actorId: string): boolean {
		return this.#opened.get(actorId)?.isDiscarded ?? false;
	}

	/** What the actor's record says as committed last. */
	recordOf(actorId: string): StoredRecord | undefined {
		return this.#opened.get(actorId)?.store.record;
	}

	load(actor: ActorAssignment, range: StorageRange): Loaded | Promise<Loaded> {
		return this.#storeOf(actor).load(range);
	}

	async get(actor: Incarnation, keys: readonly Uint8Array[]): Promise<(Uint8Array | null)[]> {
		return this.#storeOf(actor).get(keys);
	}

	async scan(actor: Incarnation, range: StorageRange): Promise<[Uint8Array, Uint8Array][]> {
		return this.#storeOf(actor).scan(range);
	}

	async commit(actor: Incarnation, batch: StorageBatch): Promise<void> {
		return this.#storeOf(actor).commit(batch);
	}

	async discard(actor: Incarnation): Promise<void> {
		const opened = this.#opened.get(actor.actorId);
		if (opened?.generation !== actor.generation || opened.store.record.initialised) return;
		await opened.store.discard();
		opened.isDiscarded = true;
	}

	#storeOf({ actorId, generation }: Incarnation): ActorStore {
		const opened = this.#opened.get(actorId);
		if (opened?.generation !== generation) throw new FencedOff(actorId);
		return opened.store;
	}
}
