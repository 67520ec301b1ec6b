import type { StorageBatch, StorageRange } from "@rivetkit/protocol";
import type { Inventory } from "./inventory.ts";

/**
 * What an engine stands on. Every implementation (memory, SQLite, PostgreSQL) passes the one
 * conformance suite in `test/store/conformance/suite.ts`.
 *
 * Guarantees:
 * - S1. Order: whatever a resolved call wrote is durable no later than anything written after it.
 * - S2. `commit` and `sync` resolve only when the data would survive a power cut.
 * - S3. A batch is atomic. One refused batch never fails another that was grouped with it.
 * - S4. A batch whose generation is not the actor's newest is refused and leaves no trace.
 * - S5. At most one live actor (not destroyed) per namespace + name + key.
 * - S6. Reads see everything accepted before them, and nothing that was refused. Reads of one actor by its id
 *   see nothing that was called after them.
 *
 * Bytes passed in belong to the store until the promise settles; bytes handed out belong to the
 * caller. Times are whole milliseconds. A value no store could keep (not bytes, a time with a
 * fraction, a lone surrogate in a text, an entry over `ENTRY_BYTES_MAX`) rejects with a `TypeError`
 * or `RangeError` before anything is written.
 *
 * Batches of one actor apply in the order of their calls. A batch that fails for want of space does
 * not stop the ones called after it: whoever has several in flight for one actor must expect a gap,
 * so the runtime has one.
 */
export interface Store {
	/** What is known beside actors. */
	readonly inventory: Inventory;

	/**
	 * Inserts a live actor, or tells which live actor holds the key. With `acquire` a created actor is
	 * taken for its first incarnation at once (generation 0). Ordered (S1), not synced.
	 */
	insertActor(actor: NewActor, options?: InsertOptions): Promise<InsertedActor>;
	/** The record, destroyed actors included while their tombstone is kept. */
	actorById(actorId: string): Promise<ActorRecord | undefined>;
	/** The live actor with this name and key. */
	actorByKey(namespace: string, name: string, key: string): Promise<ActorRecord | undefined>;
	/**
	 * Newest first; ties by id, highest first, so that pages neither lose nor repeat an actor. Cheap
	 * (an index) when `name` is given; without, the namespace is read as a whole.
	 */
	listActors(query: ListActors): Promise<ActorRecord[]>;
	/** How many actors there are by name, without the destroyed ones. Reads an index as a whole. */
	countActors(namespace: string): Promise<ReadonlyMap<string, number>>;
	/** Names that have or had an actor in the namespace, sorted, strictly after `after`. */
	listNames(namespace: string, limit: number, after?: string): Promise<string[]>;

	/**
	 * Takes the actor for a new incarnation: raises the generation (0 at first) and so fences off every
	 * earlier one. Rejects with `StaleGenerationError` when the actor is destroyed or unknown.
	 *
	 * The generation is durable no later than the first commit that carries it. A crash before that may hand
	 * it out again, so an incarnation that could outlive this process needs a `sync` first.
	 *
	 * Without a promise where nothing has to be waited for; never throws, but rejects.
	 */
	acquire(actorId: string): ActorRecord | Promise<ActorRecord>;
	/**
	 * Removes an actor that was never initialised, with all it stored, as if it had not been created.
	 * Does nothing when the generation is stale or the actor is initialised. Ordered (S1), not synced.
	 */
	discard(actorId: string, generation: number): Promise<void>;

	/** Values in the order of `keys`; `null` where there is none. */
	get(actorId: string, keys: readonly Uint8Array[]): Promise<(Uint8Array | null)[]>;
	/** As `acquire`, without a promise where nothing has to be waited for. */
	scan(actorId: string, range: StorageRange): StoredEntries | Promise<StoredEntries>;

	/**
	 * As `get` and `scan`, with when each entry was put; of keys those that there are. For runners: the actors of this process
	 * do not ask, and nobody pays for it who does not.
	 */
	timedEntries(actorId: string, which: readonly Uint8Array[] | StorageRange): Promise<TimedEntry[]>;

	/** Bytes of the keys and values that the actor stores. Reads as many index entries as it has keys. */
	storedBytes(actorId: string): Promise<number>;

	/**
	 * The actor as its last commit left it, to be read while it goes on. `undefined` for one that is destroyed
	 * or unknown. What it shows is durable. Close it: until then the store keeps what is overwritten.
	 */
	openSnapshot(actorId: string): Promise<ActorSnapshot | undefined>;
	/**
	 * Inserts an actor, acquired once (generation 0), with what it stores, in one commit; or tells which live
	 * actor holds the key. Durable when it resolves.
	 */
	importActor(actor: NewActor, batch: StorageBatch): Promise<InsertedActor>;

	/** Applies one actor's batch. Rejects with {@link StaleGenerationError} or a {@link StoreError}. */
	commit(batch: CommitBatch): Promise<void>;
	/**
	 * Tells that the caller's turn of the event loop is over: what it called may be worked on now, with
	 * nothing more to be grouped with it. Only a hint.
	 */
	endTurn(): void;
	/** Resolves when everything accepted so far is durable. */
	sync(): Promise<void>;

	/**
	 * Actors whose alarm is at or before `nowMs`, earliest first, ties by id; only those strictly after a
	 * position, if one is given. Costs as much as it returns.
	 */
	dueAlarms(nowMs: number, limit: number, after?: AlarmPosition): Promise<AlarmPosition[]>;
	/**
	 * Ids of actors that are to hear of the end of the process that ran them, in order, strictly after `after`: those whose
	 * record says `connected`, and those with crash policy `restart` that have run (`startTs`) and have no `sleepTs`; without
	 * the destroyed ones. In SQLite it costs as much as it returns.
	 */
	actorsToResume(limit: number, after?: string): Promise<string[]>;
	/** The earliest alarm of all, or null. */
	nextAlarmTs(): Promise<number | null>;

	/** Commits what is accepted, syncs, releases the data directory. Idempotent. */
	close(): Promise<void>;
}

/** One actor at one moment. */
export interface ActorSnapshot {
	readonly record: ActorRecord;
	/** The next entries in the order of their keys, at most `limit`; none at the end. */
	next(limit: number): StoredEntries | Promise<StoredEntries>;
	/** Idempotent. */
	close(): void;
}

/** An alarm, and its place among all of them. */
export interface AlarmPosition {
	readonly alarmTs: number;
	readonly actorId: string;
}

/** A position that every alarm is after. */
export const BEFORE_ALL_ALARMS: AlarmPosition = {
	alarmTs: Number.MIN_SAFE_INTEGER,
	actorId: "",
};

export interface InsertOptions {
	/** As {@link Store.acquire}, when the actor is created. Default: false. */
	readonly acquire?: boolean;
}

export interface InsertedActor {
	readonly created: boolean;
	readonly actor: ActorRecord;
}

/** Entries in ascending order of their keys, or in descending order where that was asked for. */
export type StoredEntries = [key: Uint8Array, value: Uint8Array][];

/** How the time of an entry is told where nobody knows it: it was put before stores kept any, or by the engine itself. */
export const PUT_TS_UNKNOWN = 0;

export interface TimedEntry {
	readonly key: Uint8Array;
	readonly value: Uint8Array;
	/** See {@link CommitBatch.putTs}; null when the commit did not say. */
	readonly putTs: number | null;
}

export interface CommitBatch extends StorageBatch {
	readonly actorId: string;
	readonly generation: number;
	/** When its entries are put (ms since the epoch), for who wants to know it later: see {@link Store.timedEntries}. */
	readonly putTs?: number;
}

export interface NewActor {
	readonly actorId: string;
	readonly namespace: string;
	readonly name: string;
	/** Serialized key (contract: protocol 4.7). */
	readonly key: string;
	readonly runnerNameSelector: string;
	readonly crashPolicy: string;
	readonly datacenter: string;
	readonly input: Uint8Array | null;
	readonly createTs: number;
}

export interface ActorRecord extends NewActor {
	/** -1 until the first `acquire`. */
	readonly generation: number;
	readonly initialised: boolean;
	readonly startTs: number | null;
	readonly connectableTs: number | null;
	readonly sleepTs: number | null;
	readonly destroyTs: number | null;
	readonly alarmTs: number | null;
	/** Whether the actor stores connections. */
	readonly connected: boolean;
	/**
	 * Where several nodes share a store: the lease under which this record's actor was acquired, told by what acquires. It may
	 * be over by the time it is told.
	 */
	readonly acquiredUnder?: number;
}

export interface ListActors {
	readonly namespace: string;
	readonly name?: string;
	readonly key?: string;
	readonly includeDestroyed?: boolean;
	/**
	 * Only actors strictly after this position. Without the id: only those created before `createTs`,
	 * so the ones that share it are passed over.
	 */
	readonly before?: { readonly createTs: number; readonly actorId?: string };
	readonly limit: number;
}

/** The batch (or lease) belongs to an incarnation that is not the newest one any more. */
export class StaleGenerationError extends Error {
	override readonly name = "StaleGenerationError";
	readonly actorId: string;
	readonly generation: number;
	constructor(actorId: string, generation: number) {
		super(`Actor ${actorId}: generation ${generation} was superseded; nothing was written`);
		this.actorId = actorId;
		this.generation = generation;
	}
}

export type StoreErrorCode =
	/** Another process holds the data directory. */
	| "locked"
	/** No space left; the batches of this turn were rolled back, later ones may succeed. */
	| "full"
	/** The directory or file cannot be written. */
	| "read_only"
	/** The file is not a RivetKit store, or is corrupt. */
	| "damaged"
	/** Written by a newer version than this one can read. */
	| "newer_format"
	/** A sync failed: what is on disk is unknown, so nothing is accepted until a restart. */
	| "failed"
	/** This runtime has no SQLite engine; the PostgreSQL is too old. */
	| "unsupported"
	/** The database server cannot be reached. */
	| "unavailable"
	/** A connection pooler is between the store and its database. */
	| "pooled"
	| "closed";

/** The store cannot do what was asked; the message names the path and what to do. */
export class StoreError extends Error {
	override readonly name = "StoreError";
	readonly code: StoreErrorCode;
	readonly path: string;
	constructor(code: StoreErrorCode, path: string, message: string, options?: ErrorOptions) {
		super(message, options);
		this.code = code;
		this.path = path;
	}
}
