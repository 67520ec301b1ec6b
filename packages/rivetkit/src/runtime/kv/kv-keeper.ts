import { catalogueError, decodeCbor, encodeCbor, type StorageRange } from "@rivetkit/protocol";
import type { AtomicScope, BatchPart, OpenBatch, Savepoint } from "../commit/batch-part.ts";
import { type StoredEntries, SUBSPACE_KV_SIZE } from "../commit/storage-layout.ts";
import type { KeyId } from "./keys.ts";
import { bytesOf, KvUndo } from "./kv-undo.ts";
import { TOTAL_BYTES_MAX } from "./limits.ts";
import { type ListedEntry, listEntries } from "./list-entries.ts";
import type { IdRange } from "./range-set.ts";
import { ReadCache } from "./read-cache.ts";
import { SizeEstimate } from "./size-estimate.ts";
import { StoreReads } from "./store-reads.ts";
import { type Entry, NO_ENTRY, sizeOf } from "./values.ts";
import { heldBytes, WriteLayer } from "./write-layer.ts";

const SIZE_KEY = Uint8Array.of(SUBSPACE_KV_SIZE);

/** From this much on a batch is cut at the next opportunity, though nobody asks for it. */
const CUT_BYTES = 1024 * 1024;

/** What is read at a time when all entries are counted. */
const COUNT_PAGE_BYTES = 1024 * 1024;
const COUNT_PAGE_ENTRIES_MAX = 4_096;

/** What kv needs of its actor. */
export interface KvHost {
	/** The most that one batch may hold in memory (`options.maxUncommittedKvSize`). */
	readonly uncommittedBytesMax: number;
	get(keys: readonly Uint8Array[]): Promise<(Uint8Array | null)[]>;
	scan(range: StorageRange): Promise<[key: Uint8Array, value: Uint8Array][]>;
	/** Whether a step of a workflow writes: no reason to save, because its record is one. Throws when it is over. */
	notesStep(): boolean;
	/** The step has ended, and what it wrote is to be saved. */
	adopted(): void;
	/** Something is written. `isFirst`: the first of its batch. */
	wrote(isFirst: boolean): void;
	/** Asks for the batch to be cut at the end of this turn. */
	cutSoon(): void;
}

type Entries = readonly (readonly [id: KeyId, entry: Entry])[];

/**
 * An actor's key/value data: what is stored, under what is being committed, under what was written since.
 * Reads see all three at once; a commit that fails takes the upper two away.
 *
 * A read of the store sees exactly the commits that were called before it (`Store`, S6), so what it
 * answers goes together with the writes as they were when it was called.
 */
export class KvKeeper implements BatchPart {
	readonly #host: KvHost;
	readonly #totalMax: number;
	#open = new WriteLayer();
	/** What is open was written by steps alone: it waits for the record of the step (workflows 6.5). */
	#isHeldBack = false;
	#inFlight: WriteLayer | null = null;
	readonly #cache = new ReadCache();
	readonly #reads: StoreReads;
	readonly #size: SizeEstimate;
	#counting: Promise<void> | null = null;
	#undo: KvUndo | null = null;

	constructor(host: KvHost, totalMax: number = TOTAL_BYTES_MAX) {
		this.#host = host;
		this.#totalMax = totalMax;
		this.#size = new SizeEstimate(totalMax);
		this.#reads = new StoreReads(
			(keys) => host.get(keys),
			(id, entry) => this.#cache.set(id, entry),
		);
	}

	/** What a wake found of {@link SUBSPACE_KV_SIZE}. */
	load(entries: StoredEntries): void {
		const stored = entries[0];
		if (stored) this.#size.load(decodeCbor(stored[1]) as number);
	}

	// Reading

	/** What a key has, if that is known without the store. */
	find(id: KeyId): Entry | undefined {
		return this.#written(id) ?? this.#cache.get(id);
	}

	/** For keys that {@link find} knows nothing of. */
	read(id: KeyId): Promise<Entry> {
		return this.#reads.read(id);
	}

	/** The entries of a range as they are now. */
	list(range: IdRange, limit: number, reverse: boolean): Promise<ListedEntry[]> {
		const written = this.#inFlight === null ? [this.#open] : [this.#inFlight, this.#open];
		return listEntries(this.#host, written, { range, limit, reverse });
	}

	#written(id: KeyId): Entry | undefined {
		return this.#open.get(id) ?? this.#inFlight?.get(id);
	}

	// Writing

	/** Waits only when the actor may be full. */
	put(id: KeyId, entry: Entry): Promise<void> | undefined {
		const previous = this.#open.points.get(id);
		const base = this.#bytesOf(id, previous);
		if (this.#size.bytes + bytesOf(id, entry) - (base ?? 0) > this.#totalMax) {
			return this.#putMeasured([[id, entry]], new Map());
		}
		this.#assertRoom(heldBytes(id, entry) - (previous ? heldBytes(id, previous) : 0));
		this.#set(id, entry, previous, base);
		return undefined;
	}

	/** All or none. */
	putAll(entries: Entries): Promise<void> | undefined {
		return this.#putAll(entries, new Map());
	}

	/** `measured`: what keys had that nothing was known of; empty before anything was measured. */
	#putAll(entries: Entries, measured: ReadonlyMap<KeyId, number>): Promise<void> | undefined {
		let growth = 0;
		let held = 0;
		for (const [id, entry] of entries) {
			growth += bytesOf(id, entry) - (this.#baseOf(id) ?? measured.get(id) ?? 0);
			held += heldBytes(id, entry);
		}
		if (this.#size.bytes + growth > this.#totalMax) return this.#putMeasured(entries, measured);
		this.#assertRoom(held);
		for (const [id, entry] of entries) this.#write(id, entry, measured.get(id));
		return undefined;
	}

	deleteAll(ids: readonly KeyId[]): void {
		this.#assertRoom(ids.reduce((sum, id) => sum + heldBytes(id, NO_ENTRY), 0));
		for (const id of ids) this.#write(id, NO_ENTRY);
	}

	deleteRange(start: KeyId, end: KeyId): void {
		if (start >= end) return;
		this.#assertRoom(start.length + end.length);
		this.#wrote();
		this.#undo?.empties(start, end);
		for (const [id, entry] of this.#open.entriesIn({ start, end })) {
			this.#size.replaced(bytesOf(id, entry), 0);
		}
		this.#size.shrank();
		this.#open.deleteRange(start, end);
		this.#reads.overtakeAll();
		this.#cutWhenLarge();
	}

	/** `measured`: bytes of what the key has, if nothing else tells. */
	#write(id: KeyId, entry: Entry, measured?: number): void {
		const previous = this.#open.points.get(id);
		this.#set(id, entry, previous, this.#bytesOf(id, previous) ?? measured);
	}

	#wrote(): void {
		const isFirst = this.#open.isEmpty || this.#isHeldBack;
		if (this.#host.notesStep()) {
			this.#isHeldBack = isFirst;
			return;
		}
		this.#host.wrote(isFirst);
		this.#isHeldBack = false;
	}

	/** A step that wrote has ended: what it wrote is in the next commit, unless it was in one before. */
	adoptStepChanges(): void {
		if (!this.#isHeldBack) return;
		this.#isHeldBack = false;
		this.#host.adopted();
	}

	/** `previous`: what the open batch writes to the key; `base`: bytes of what the key has. */
	#set(id: KeyId, entry: Entry, previous: Entry | undefined, base: number | undefined): void {
		this.#wrote();
		if (this.#undo !== null) this.#undo.writes(id, previous, base ?? 0);
		this.#size.replaced(base, bytesOf(id, entry));
		this.#open.set(id, entry, previous);
		this.#reads.overtake(id);
		this.#cutWhenLarge();
	}

	/** Bytes of what the key has, as far as that is known without the store. */
	#bytesOf(id: KeyId, open: Entry | undefined): number | undefined {
		const entry = open ?? this.#written(id) ?? this.#cache.peek(id);
		return entry === undefined ? undefined : bytesOf(id, entry);
	}

	#baseOf(id: KeyId): number | undefined {
		return this.#bytesOf(id, this.#open.points.get(id));
	}

	#assertRoom(bytes: number): void {
		const size = this.#open.bytes + bytes;
		const limit = this.#host.uncommittedBytesMax;
		if (size > limit) throw catalogueError("kv.uncommitted_too_large", { size, limit });
	}

	#cutWhenLarge(): void {
		if (this.#open.bytes > CUT_BYTES) this.#host.cutSoon();
	}

	// Size

	/**
	 * Puts what seems not to fit, once it is known what there is and what it replaces. Rejects with
	 * `kv.storage_full` when it does not fit.
	 */
	async #putMeasured(entries: Entries, measured: ReadonlyMap<KeyId, number>): Promise<void> {
		const unknown = entries.filter(([id]) => this.#baseOf(id) === undefined && !measured.has(id));
		if (this.#size.isExact && unknown.length === 0) {
			const sizes = new Map(entries.map(([id, entry]) => [id, bytesOf(id, entry)]));
			let size = this.#size.bytes;
			for (const [id, bytes] of sizes) size += bytes - (this.#baseOf(id) ?? measured.get(id)!);
			throw catalogueError("kv.storage_full", { size, limit: this.#totalMax });
		}
		if (!this.#size.isExact) {
			this.#counting ??= this.#count().finally(() => {
				this.#counting = null;
			});
			await this.#counting;
		}
		const found = await Promise.all(
			unknown.map(async ([id]) => {
				const entry = this.find(id) ?? (await this.read(id));
				return [id, bytesOf(id, entry)] as const;
			}),
		);
		await this.#putAll(entries, new Map([...measured, ...found]));
	}

	async #count(): Promise<void> {
		this.#size.countBegins();
		let counted: number | null = null;
		try {
			counted = await this.#sumOfAll();
		} finally {
			this.#size.countEnds(counted);
		}
	}

	async #sumOfAll(): Promise<number> {
		let sum = 0;
		let seen = 0;
		let start: KeyId = "";
		let limit = 1;
		for (;;) {
			const page = await this.list({ start, end: null }, limit, false);
			for (const { id, value } of page) sum += id.length + sizeOf(value);
			if (page.length < limit) return sum;
			seen += page.length;
			start = `${page.at(-1)!.id}\0`;
			const fitting = Math.floor((COUNT_PAGE_BYTES * seen) / Math.max(1, sum));
			limit = Math.min(Math.max(1, fitting), COUNT_PAGE_ENTRIES_MAX);
		}
	}

	// Committing

	take(batch: OpenBatch): void {
		if (this.#open.isEmpty || this.#isHeldBack) return;
		this.#open.addTo(batch.ops);
		const size = this.#size.take();
		if (size !== null) batch.ops.push({ op: "put", key: SIZE_KEY, value: encodeCbor(size) });
		this.#inFlight = this.#open;
		this.#open = new WriteLayer();
	}

	committed(): void {
		const layer = this.#inFlight;
		if (layer === null) return;
		this.#inFlight = null;
		this.#size.committed();
		this.#cache.update(layer);
	}

	rollBack(): void {
		this.#open = new WriteLayer();
		this.#isHeldBack = false;
		this.#inFlight = null;
		this.#size.rollBack();
		this.#undo?.rolledBack();
	}

	savepoint(scope: AtomicScope): Savepoint {
		const keeper = this;
		this.#undo = new KvUndo(scope, {
			get open() {
				return keeper.#open;
			},
			size: this.#size,
			ended() {
				keeper.#undo = null;
			},
		});
		return this.#undo;
	}
}
