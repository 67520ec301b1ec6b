import { createMemoryStore, type Store } from "@rivetkit/engine";
import type { StorageBatch } from "@rivetkit/protocol";
import type { OpenBatch } from "../../src/runtime/commit/batch-part.ts";
import {
	entriesOf,
	SUBSPACE_KV_SIZE,
	WAKE_END,
	WAKE_START,
} from "../../src/runtime/commit/storage-layout.ts";
import { type KvHost, KvKeeper } from "../../src/runtime/kv/kv-keeper.ts";
import { type KvOwner, UserKv } from "../../src/runtime/kv/user-kv.ts";

const ACTOR_ID = "actor";

/** A keeper on a store, with commits made by hand. */
export class KeeperHarness implements KvHost, KvOwner {
	readonly store: Store;
	readonly totalMax: number | undefined;
	uncommittedBytesMax: number;
	keeper: KvKeeper;
	kv: UserKv;
	generation = 0;
	/** Keys that were asked for, one list per call. */
	readonly gets: string[][] = [];
	readonly scans: { start: string; end: string | null; limit: number | undefined }[] = [];
	/** Answers of the store that arrive when the test says so; null when they arrive by themselves. */
	held: (() => void)[] | null = null;
	/** Methods that refused a call. */
	readonly refusals: string[] = [];
	firstWrites = 0;
	cutsWanted = 0;

	private constructor(store: Store, options: HarnessOptions) {
		this.store = store;
		this.totalMax = options.totalMax;
		this.uncommittedBytesMax = options.uncommittedBytesMax ?? 64 * 1024 * 1024;
		this.keeper = this.#newKeeper();
		this.kv = new UserKv(this.keeper, this);
	}

	static async open(store: Store = createMemoryStore(), options: HarnessOptions = {}) {
		const harness = new KeeperHarness(store, options);
		await store.insertActor({
			actorId: ACTOR_ID,
			namespace: "default",
			name: "n",
			key: "/",
			runnerNameSelector: "default",
			crashPolicy: "sleep",
			datacenter: "local",
			input: null,
			createTs: 0,
		});
		await harness.reopen();
		return harness;
	}

	#newKeeper(): KvKeeper {
		return this.totalMax === undefined ? new KvKeeper(this) : new KvKeeper(this, this.totalMax);
	}

	/** A new incarnation: what was not committed is gone. */
	async reopen(): Promise<void> {
		({ generation: this.generation } = await this.store.acquire(ACTOR_ID));
		this.keeper = this.#newKeeper();
		this.kv = new UserKv(this.keeper, this);
		const wake = await this.store.scan(ACTOR_ID, { start: WAKE_START, end: WAKE_END });
		const size = entriesOf(wake, SUBSPACE_KV_SIZE);
		if (size.length > 0) this.keeper.load(size);
	}

	assertAllowed(): void {}

	refused(operation: string): void {
		this.refusals.push(operation);
	}

	get(keys: readonly Uint8Array[]): Promise<(Uint8Array | null)[]> {
		this.gets.push(keys.map((key) => new TextDecoder().decode(key.subarray(1))));
		return this.#arriving(this.store.get(ACTOR_ID, keys));
	}

	/** Lets what is {@link held} arrive. */
	arrive(): void {
		for (const arrive of this.held?.splice(0) ?? []) arrive();
	}

	#arriving<T>(answer: Promise<T>): Promise<T> {
		const { held } = this;
		return held === null ? answer : new Promise((resolve) => held.push(() => resolve(answer)));
	}

	scan(range: Parameters<KvHost["scan"]>[0]): Promise<[Uint8Array, Uint8Array][]> {
		const text = (key: Uint8Array) => new TextDecoder().decode(key.subarray(1));
		this.scans.push({
			start: text(range.start),
			end: range.end && text(range.end),
			limit: range.limit,
		});
		return this.#arriving(Promise.resolve(this.store.scan(ACTOR_ID, range)));
	}

	notesStep(): boolean {
		return false;
	}

	adopted(): void {}

	wrote(isFirst: boolean): void {
		if (isFirst) this.firstWrites++;
	}

	cutSoon(): void {
		this.cutsWanted++;
	}

	/** The next batch, without an effect on the store. */
	take(): StorageBatch {
		const batch: OpenBatch = { ops: [] };
		this.keeper.take(batch);
		return batch;
	}

	/** What the committer calls when a batch was taken. */
	commitToStore(batch: StorageBatch): Promise<void> {
		return this.store.commit({ actorId: ACTOR_ID, generation: this.generation, ...batch });
	}

	async commit(): Promise<StorageBatch> {
		const batch = this.take();
		await this.commitToStore(batch);
		this.keeper.committed();
		return batch;
	}

	/** Everything in the actor's store, the runtime's own entries too. */
	async stored(): Promise<[Uint8Array, Uint8Array][]> {
		return this.store.scan(ACTOR_ID, { start: new Uint8Array(), end: null });
	}
}

interface HarnessOptions {
	readonly totalMax?: number;
	readonly uncommittedBytesMax?: number;
}
