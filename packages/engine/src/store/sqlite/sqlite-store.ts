import type { Clock, StorageBatch, StorageRange } from "@rivetkit/protocol";
import { checkBatch, checkNewActor } from "../checks.ts";
import {
	type ActorRecord,
	type ActorSnapshot,
	type AlarmPosition,
	BEFORE_ALL_ALARMS,
	type CommitBatch,
	type InsertedActor,
	type InsertOptions,
	type ListActors,
	type NewActor,
	StaleGenerationError,
	type Store,
	type StoredEntries,
	StoreError,
	type TimedEntry,
} from "../store.ts";
import type { TombstoneLimits } from "../tombstones.ts";
import { ActorRows } from "./actor-rows.ts";
import { Checkpointer } from "./checkpointer.ts";
import { CommitQueue } from "./commit-queue.ts";
import type { DirectoryLock } from "./directory-lock.ts";
import type { SqliteConnection, SqliteEngine } from "./engine.ts";
import { toStoreError } from "./errors.ts";
import { HistoryRows } from "./history-rows.ts";
import { InventoryRows } from "./inventory-rows.ts";
import { KvRows } from "./kv-rows.ts";
import { SqliteSnapshot } from "./sqlite-snapshot.ts";
import type { WalFile } from "./wal-file.ts";

/** Pages that an insert touches: the row, its indexes, the name. For the checkpointer's estimate. */
const PAGES_PER_ACTOR = 6;
const PAGE_BYTES = 4096;
/** Generations that wait for a commit of their actors; more are written by themselves. */
const UNWRITTEN_GENERATIONS_MAX = 256;

export interface SqliteStoreParts {
	readonly engine: SqliteEngine;
	readonly connection: SqliteConnection;
	readonly wal: WalFile;
	readonly lock: DirectoryLock;
	/** The database file. */
	readonly file: string;
	readonly clock: Clock;
	readonly checkpointBytes: number;
	readonly tombstones: TombstoneLimits;
}

/** The {@link Store} in one SQLite file; see docs/adr/0001-embedded-store.md. */
export class SqliteStore implements Store {
	readonly inventory: InventoryRows;
	readonly #parts: SqliteStoreParts;
	readonly #actors: ActorRows;
	readonly #kv: KvRows;
	readonly #history: HistoryRows;
	readonly #queue: CommitQueue;
	readonly #checkpointer: Checkpointer;
	readonly #snapshots = new Set<SqliteSnapshot>();
	#cleaning: Promise<void> | undefined;
	#isWritingGenerations = false;
	#closing: Promise<void> | undefined;

	/** Prepares the statements, so it throws when the tables are not as expected. */
	constructor(parts: SqliteStoreParts) {
		const { connection, wal, file, clock } = parts;
		this.#parts = parts;
		this.#actors = new ActorRows(connection);
		this.#kv = new KvRows(connection);
		this.#history = new HistoryRows(connection, parts.tombstones);
		this.#queue = new CommitQueue({
			connection,
			file,
			clock,
			sync: () => wal.sync(),
			onRollback: () => {
				this.#actors.forget();
				this.#history.forget();
			},
			onCommitted: () => {
				this.#actors.committed();
				this.#checkpointer.check();
			},
		});
		this.#checkpointer = new Checkpointer({
			engine: parts.engine,
			file,
			wal,
			queue: this.#queue,
			checkpointBytes: parts.checkpointBytes,
			onFailure: (error) => this.#queue.stop(error),
		});
		this.inventory = new InventoryRows(connection, this.#queue, () => this.#checkpointer.wrote(1));
	}

	/** Makes durable what an earlier process left, and goes on with the removals it had begun. */
	async start(): Promise<void> {
		await this.#queue.sync();
		this.#clean();
	}

	async insertActor(actor: NewActor, options: InsertOptions = {}): Promise<InsertedActor> {
		checkNewActor(actor);
		const generation = options.acquire ? 0 : -1;
		return inserted(actor, await this.#queue.ordered(() => this.#insert(actor, generation)));
	}

	async importActor(actor: NewActor, batch: StorageBatch): Promise<InsertedActor> {
		const { actorId } = actor;
		const commit = { ...batch, actorId, generation: 0 };
		checkNewActor(actor);
		checkBatch(commit);
		const result = await this.#queue.durable(() => {
			const insertion = this.#insert(actor, commit.generation);
			if (!insertion?.created) {
				return insertion;
			}
			this.#apply(commit);
			return { created: true, actor: this.#actors.byId(actorId)! };
		});
		return inserted(actor, result);
	}

	/** Undefined when the id is taken, and not by a holder of the key. */
	#insert(actor: NewActor, generation: number): InsertedActor | undefined {
		const created = this.#actors.insert(actor, generation);
		if (created === undefined) {
			const holder = this.#actors.byKey(actor.namespace, actor.name, actor.key);
			return holder && { created: false, actor: holder };
		}
		this.#history.actorInserted(actor.namespace, actor.name);
		this.#checkpointer.wrote(
			PAGES_PER_ACTOR + (actor.input === null ? 0 : 1 + actor.input.byteLength / PAGE_BYTES),
		);
		return { created: true, actor: created };
	}

	async openSnapshot(actorId: string): Promise<ActorSnapshot | undefined> {
		const { engine, file } = this.#parts;
		await this.sync();
		if (this.#closing !== undefined) {
			throw closedError(file);
		}
		try {
			const snapshot = SqliteSnapshot.open(engine, file, actorId, (one) =>
				this.#snapshots.delete(one),
			);
			if (snapshot !== undefined) {
				this.#snapshots.add(snapshot);
			}
			return snapshot;
		} catch (error) {
			throw toStoreError(error, file, "Cannot read the store");
		}
	}

	actorById(actorId: string): Promise<ActorRecord | undefined> {
		return this.#queue.read(() => this.#actors.byId(actorId));
	}

	actorByKey(namespace: string, name: string, key: string): Promise<ActorRecord | undefined> {
		return this.#queue.read(() => this.#actors.byKey(namespace, name, key));
	}

	listActors(query: ListActors): Promise<ActorRecord[]> {
		return this.#queue.read(() => this.#actors.list(query));
	}

	countActors(namespace: string): Promise<ReadonlyMap<string, number>> {
		return this.#queue.read(() => this.#history.counts(namespace));
	}

	listNames(namespace: string, limit: number, after?: string): Promise<string[]> {
		return this.#queue.read(() => this.#history.names(namespace, limit, after));
	}

	acquire(actorId: string): ActorRecord | Promise<ActorRecord> {
		const acquired = this.#queue.readNow(() => this.#actors.raiseGeneration(actorId));
		if (this.#actors.unwrittenGenerations > UNWRITTEN_GENERATIONS_MAX) {
			this.#writeGenerations();
		}
		return acquired;
	}

	/** One that fails is repeated: those that are not written stay in the way. */
	#writeGenerations(): void {
		if (this.#isWritingGenerations) {
			return;
		}
		this.#isWritingGenerations = true;
		const over = () => {
			this.#isWritingGenerations = false;
		};
		this.#queue.ordered(this.#writeAllGenerations).then(over, over);
	}

	readonly #writeAllGenerations = (): void => {
		this.#checkpointer.wrote(this.#actors.unwrittenGenerations);
		this.#actors.writeGenerations();
	};

	discard(actorId: string, generation: number): Promise<void> {
		return this.#queue.ordered(() => {
			const record = this.#actors.byId(actorId);
			const live = this.#actors.live(actorId);
			if (
				record === undefined ||
				record.initialised ||
				live === undefined ||
				live.generation !== generation
			) {
				return;
			}
			this.#removeData(live.rowId);
			this.#actors.remove(actorId, live.rowId);
			this.#history.actorDiscarded(record.namespace, record.name);
		});
	}

	get(actorId: string, keys: readonly Uint8Array[]): Promise<(Uint8Array | null)[]> {
		return this.#queue.read(() => {
			const actor = this.#actors.live(actorId);
			return keys.map((key) => (actor === undefined ? null : this.#kv.get(actor.rowId, key)));
		});
	}

	scan(actorId: string, range: StorageRange): StoredEntries | Promise<StoredEntries> {
		return this.#queue.readNow(() => {
			const actor = this.#actors.live(actorId);
			return actor === undefined ? [] : this.#kv.scan(actor.rowId, range);
		});
	}

	timedEntries(
		actorId: string,
		which: readonly Uint8Array[] | StorageRange,
	): Promise<TimedEntry[]> {
		return this.#queue.read(() => {
			const actor = this.#actors.live(actorId);
			return actor === undefined ? [] : this.#kv.timed(actor.rowId, which);
		});
	}

	storedBytes(actorId: string): Promise<number> {
		return this.#queue.read(() => {
			const actor = this.#actors.live(actorId);
			return actor === undefined ? 0 : this.#kv.bytes(actor.rowId);
		});
	}

	commit(batch: CommitBatch): Promise<void> {
		try {
			checkBatch(batch);
		} catch (error) {
			return Promise.reject(error);
		}
		return this.#queue.durable(() => this.#apply(batch));
	}

	endTurn(): void {
		this.#queue.endTurn();
	}

	sync(): Promise<void> {
		return this.#actors.unwrittenGenerations > 0
			? this.#queue.durable(this.#writeAllGenerations)
			: this.#queue.sync();
	}

	dueAlarms(
		nowMs: number,
		limit: number,
		after: AlarmPosition = BEFORE_ALL_ALARMS,
	): Promise<AlarmPosition[]> {
		return this.#queue.read(() => this.#actors.dueAlarms(nowMs, limit, after));
	}

	actorsToResume(limit: number, after = ""): Promise<string[]> {
		return this.#queue.read(() => this.#actors.toResume(limit, after));
	}

	nextAlarmTs(): Promise<number | null> {
		return this.#queue.read(() => this.#actors.nextAlarmTs());
	}

	close(): Promise<void> {
		this.#closing ??= this.#close();
		return this.#closing;
	}

	#apply(batch: CommitBatch): void {
		const { actorId, generation, ops } = batch;
		const actor = this.#actors.live(actorId);
		if (actor === undefined || actor.generation !== generation) {
			throw new StaleGenerationError(actorId, generation);
		}
		const { rowId } = actor;
		this.#actors.writeGeneration(actorId);
		if (batch.destroyTs === undefined) {
			this.#checkpointer.wrote(this.#kv.apply(rowId, ops, batch.putTs ?? null));
		}
		if (
			batch.record !== undefined ||
			batch.alarmTs !== undefined ||
			batch.destroyTs !== undefined
		) {
			this.#actors.update(actorId, rowId, batch);
			this.#checkpointer.wrote(1);
		}
		if (batch.destroyTs !== undefined) {
			this.#removeData(rowId);
			this.#history.actorDestroyed(this.#parts.clock.now());
		}
	}

	#removeData(rowId: number): void {
		this.#checkpointer.wrote(PAGES_PER_ACTOR);
		if (!this.#kv.removeAll(rowId)) {
			// After the transaction in whose middle we are.
			queueMicrotask(() => this.#clean());
		}
	}

	/** Removes, a little per turn, what destroyed actors left. */
	#clean(): void {
		if (this.#cleaning !== undefined || this.#closing !== undefined) {
			return;
		}
		this.#cleaning = this.#cleanAll().finally(() => {
			this.#cleaning = undefined;
		});
	}

	async #cleanAll(): Promise<void> {
		const { clock, file } = this.#parts;
		try {
			for (let more = true; more && this.#closing === undefined; ) {
				more = await this.#queue.ordered(() => {
					const moreData = this.#kv.removeSome();
					const moreTombstones = this.#history.dropTombstones(clock.now());
					return moreData || moreTombstones;
				});
				this.#checkpointer.wrote(more ? PAGES_PER_ACTOR : 0);
			}
		} catch (error) {
			// What is left is noted in the store: the next removal or start goes on with it. Why it
			// failed (a full disk, a store that stopped) is told to every caller that writes.
			if (!(error instanceof StoreError)) {
				this.#queue.stop(
					new StoreError(
						"failed",
						file,
						`Cannot remove the data of destroyed actors from ${file}: ${error}. Restart the process.`,
						{ cause: error },
					),
				);
			}
		}
	}

	#closeSnapshots(): void {
		for (const snapshot of [...this.#snapshots]) {
			snapshot.close();
		}
	}

	async #close(): Promise<void> {
		const { connection, wal, lock, file } = this.#parts;
		if (this.#actors.unwrittenGenerations > 0) {
			this.#writeGenerations();
		}
		const steps: (() => unknown)[] = [
			() => this.#queue.finish(closedError(file)),
			() => this.#closeSnapshots(),
			() => this.#checkpointer.close(),
			// The last connection copies the log into the database as it closes.
			() => connection.exec("PRAGMA synchronous = FULL"),
			() => connection.close(),
			() => wal.close(),
			() => lock.release(),
		];
		// Each step is due whether or not the ones before it worked.
		const failures: unknown[] = [];
		for (const step of steps) {
			try {
				await step();
			} catch (error) {
				failures.push(error);
			}
		}
		if (failures.length > 0) {
			throw toStoreError(failures[0], file, "Cannot close the store");
		}
	}
}

function inserted(actor: NewActor, result: InsertedActor | undefined): InsertedActor {
	if (result === undefined) {
		throw new Error(`The actor id ${actor.actorId} is taken by an actor with another key`);
	}
	return result;
}

function closedError(file: string): StoreError {
	return new StoreError("closed", file, `The store ${file} is closed`);
}
