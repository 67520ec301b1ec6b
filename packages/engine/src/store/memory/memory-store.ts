import { type Clock, type StorageBatch, type StorageRange, systemClock } from "@rivetkit/protocol";
import { checkBatch, checkNewActor } from "../checks.ts";
import { compareBytes, compareText } from "../order.ts";
import {
	type ActorRecord,
	type ActorSnapshot,
	type AlarmPosition,
	type CommitBatch,
	type InsertedActor,
	type InsertOptions,
	type ListActors,
	type NewActor,
	StaleGenerationError,
	type Store,
	StoreError,
	type TimedEntry,
} from "../store.ts";
import { isToResume } from "../to-resume.ts";
import { TOMBSTONE_LIMITS, type TombstoneLimits } from "../tombstones.ts";
import { MemoryInventory } from "./memory-inventory.ts";
import { SortedMap } from "./sorted-map.ts";

export interface MemoryStoreOptions {
	/** Ages tombstones. Default: the process's own clock. */
	readonly clock?: Clock;
	readonly tombstones?: Partial<TombstoneLimits>;
}

/**
 * A store without a disk: every guarantee of {@link Store} except that nothing outlives the process.
 * Data outlives an actor's sleep, like anywhere else.
 */
export function createMemoryStore(options: MemoryStoreOptions = {}): Store {
	return new MemoryStore(options);
}

interface Actor {
	record: ActorRecord;
	kv: SortedMap<Uint8Array, Stored>;
}

interface Stored {
	readonly value: Uint8Array;
	readonly putTs: number | null;
}

type TimeKey = readonly [ts: number, actorId: string];

class MemoryStore implements Store {
	readonly inventory = new MemoryInventory(() => this.#assertOpen());
	readonly #clock: Clock;
	readonly #limits: TombstoneLimits;
	readonly #actors = new Map<string, Actor>();
	readonly #live = new Map<string, Actor>();
	/** Actors ever created, discarded ones not counted: namespace, then name. */
	readonly #names = new Map<string, SortedMap<string, number>>();
	readonly #alarms = new SortedMap<TimeKey, string>(compareTimes);
	readonly #toResume = new SortedMap<string, string>(compareText);
	readonly #tombstones = new SortedMap<TimeKey, string>(compareTimes);
	#closed = false;

	constructor(options: MemoryStoreOptions) {
		this.#clock = options.clock ?? systemClock({ keepProcessAlive: false });
		this.#limits = { ...TOMBSTONE_LIMITS, ...options.tombstones };
	}

	async insertActor(actor: NewActor, options: InsertOptions = {}): Promise<InsertedActor> {
		this.#assertOpen();
		checkNewActor(actor);
		return this.#insert(actor, options.acquire ? 0 : -1);
	}

	async importActor(actor: NewActor, batch: StorageBatch): Promise<InsertedActor> {
		this.#assertOpen();
		const { actorId } = actor;
		const commit = { ...batch, actorId, generation: 0 };
		checkNewActor(actor);
		checkBatch(commit);
		const result = this.#insert(actor, commit.generation);
		if (!result.created) {
			return result;
		}
		this.#apply(commit);
		return { created: true, actor: copyRecord(this.#actors.get(actorId)!.record) };
	}

	async openSnapshot(actorId: string): Promise<ActorSnapshot | undefined> {
		this.#assertOpen();
		const actor = this.#actors.get(actorId);
		if (actor === undefined || actor.record.destroyTs !== null) {
			return undefined;
		}
		// Values are replaced, never changed.
		const entries = actor.kv
			.range(new Uint8Array(0), null)
			.map(({ key, value: { value } }): [Uint8Array, Uint8Array] => [key, value]);
		let at = 0;
		let isOpen = true;
		return {
			record: copyRecord(actor.record),
			next: (limit) => {
				if (!isOpen) {
					throw new Error("The snapshot is closed");
				}
				const page = entries.slice(at, at + limit);
				at += page.length;
				return page.map(([key, value]) => [new Uint8Array(key), new Uint8Array(value)]);
			},
			close: () => {
				isOpen = false;
			},
		};
	}

	#insert(actor: NewActor, generation: number): InsertedActor {
		const liveKey = liveKeyOf(actor);
		const holder = this.#live.get(liveKey);
		if (holder !== undefined) {
			return { created: false, actor: copyRecord(holder.record) };
		}
		if (this.#actors.has(actor.actorId)) {
			throw new Error(`The actor id ${actor.actorId} is taken by an actor with another key`);
		}
		const created: Actor = {
			record: {
				actorId: actor.actorId,
				namespace: actor.namespace,
				name: actor.name,
				key: actor.key,
				runnerNameSelector: actor.runnerNameSelector,
				crashPolicy: actor.crashPolicy,
				datacenter: actor.datacenter,
				input: actor.input === null ? null : new Uint8Array(actor.input),
				createTs: actor.createTs,
				generation,
				initialised: false,
				startTs: null,
				connectableTs: null,
				sleepTs: null,
				destroyTs: null,
				alarmTs: null,
				connected: false,
			},
			kv: new SortedMap(compareBytes),
		};
		this.#actors.set(actor.actorId, created);
		this.#live.set(liveKey, created);
		this.#countName(actor, 1);
		return { created: true, actor: copyRecord(created.record) };
	}

	async actorById(actorId: string): Promise<ActorRecord | undefined> {
		this.#assertOpen();
		const actor = this.#actors.get(actorId);
		return actor === undefined ? undefined : copyRecord(actor.record);
	}

	async actorByKey(namespace: string, name: string, key: string): Promise<ActorRecord | undefined> {
		this.#assertOpen();
		const actor = this.#live.get(liveKeyOf({ namespace, name, key }));
		return actor === undefined ? undefined : copyRecord(actor.record);
	}

	async listActors(query: ListActors): Promise<ActorRecord[]> {
		this.#assertOpen();
		return [...this.#actors.values()]
			.map((actor) => actor.record)
			.filter((record) => matches(record, query))
			.sort((a, b) => b.createTs - a.createTs || compareText(b.actorId, a.actorId))
			.slice(0, Math.max(0, query.limit))
			.map(copyRecord);
	}

	async countActors(namespace: string): Promise<ReadonlyMap<string, number>> {
		this.#assertOpen();
		const counts = new Map<string, number>();
		for (const { record } of this.#actors.values()) {
			if (record.namespace !== namespace || record.destroyTs !== null) continue;
			counts.set(record.name, (counts.get(record.name) ?? 0) + 1);
		}
		return counts;
	}

	async listNames(namespace: string, limit: number, after?: string): Promise<string[]> {
		this.#assertOpen();
		const names = this.#names.get(namespace)?.range(after ?? "", null) ?? [];
		return names
			.map((entry) => entry.key)
			.filter((name) => name !== after)
			.slice(0, Math.max(0, limit));
	}

	async acquire(actorId: string): Promise<ActorRecord> {
		this.#assertOpen();
		const actor = this.#actors.get(actorId);
		if (actor === undefined || actor.record.destroyTs !== null) {
			throw new StaleGenerationError(actorId, actor?.record.generation ?? -1);
		}
		actor.record = { ...actor.record, generation: actor.record.generation + 1 };
		return copyRecord(actor.record);
	}

	async discard(actorId: string, generation: number): Promise<void> {
		this.#assertOpen();
		const actor = this.#actors.get(actorId);
		if (
			actor === undefined ||
			actor.record.destroyTs !== null ||
			actor.record.generation !== generation ||
			actor.record.initialised
		) {
			return;
		}
		this.#setAlarm(actor, null);
		this.#toResume.delete(actorId);
		this.#actors.delete(actorId);
		this.#live.delete(liveKeyOf(actor.record));
		this.#countName(actor.record, -1);
	}

	async get(actorId: string, keys: readonly Uint8Array[]): Promise<(Uint8Array | null)[]> {
		this.#assertOpen();
		const kv = this.#actors.get(actorId)?.kv;
		return keys.map((key) => {
			const stored = kv?.get(key);
			return stored === undefined ? null : new Uint8Array(stored.value);
		});
	}

	async timedEntries(
		actorId: string,
		which: readonly Uint8Array[] | StorageRange,
	): Promise<TimedEntry[]> {
		this.#assertOpen();
		const kv = this.#actors.get(actorId)?.kv;
		const entries =
			"start" in which
				? (kv?.range(which.start, which.end, which) ?? [])
				: which.flatMap((key) => {
						const value = kv?.get(key);
						return value === undefined ? [] : [{ key, value }];
					});
		return entries.map(({ key, value: { value, putTs } }) => ({
			key: new Uint8Array(key),
			value: new Uint8Array(value),
			putTs,
		}));
	}

	async scan(
		actorId: string,
		range: StorageRange,
	): Promise<[key: Uint8Array, value: Uint8Array][]> {
		this.#assertOpen();
		const entries = this.#actors.get(actorId)?.kv.range(range.start, range.end, range) ?? [];
		return entries.map(({ key, value: { value } }) => [new Uint8Array(key), new Uint8Array(value)]);
	}

	async storedBytes(actorId: string): Promise<number> {
		this.#assertOpen();
		const entries = this.#actors.get(actorId)?.kv.range(new Uint8Array(0), null) ?? [];
		return entries.reduce(
			(sum, { key, value: { value } }) => sum + key.byteLength + value.byteLength,
			0,
		);
	}

	async commit(batch: CommitBatch): Promise<void> {
		this.#assertOpen();
		checkBatch(batch);
		this.#apply(batch);
	}

	#apply(batch: CommitBatch): void {
		const actor = this.#actors.get(batch.actorId);
		if (
			actor === undefined ||
			actor.record.destroyTs !== null ||
			actor.record.generation !== batch.generation
		) {
			throw new StaleGenerationError(batch.actorId, batch.generation);
		}
		applyOps(actor.kv, batch);
		if (batch.record !== undefined) {
			actor.record = { ...actor.record, ...definedFields(batch.record) };
			this.#noteToResume(actor);
		}
		if (batch.alarmTs !== undefined) {
			this.#setAlarm(actor, batch.alarmTs);
		}
		if (batch.destroyTs !== undefined) {
			this.#destroy(actor, batch.destroyTs);
		}
	}

	/** Nothing is grouped here. */
	endTurn(): void {}

	async sync(): Promise<void> {
		this.#assertOpen();
	}

	async dueAlarms(nowMs: number, limit: number, after?: AlarmPosition): Promise<AlarmPosition[]> {
		this.#assertOpen();
		// No text lies between one and the same with a zero behind it.
		const start: TimeKey =
			after === undefined ? [Number.NEGATIVE_INFINITY, ""] : [after.alarmTs, `${after.actorId}\0`];
		return this.#alarms
			.range(start, [nowMs + 1, ""], { limit })
			.map(({ key }) => ({ actorId: key[1], alarmTs: key[0] }));
	}

	async actorsToResume(limit: number, after = ""): Promise<string[]> {
		this.#assertOpen();
		return this.#toResume.range(`${after}\0`, null, { limit }).map(({ key }) => key);
	}

	async nextAlarmTs(): Promise<number | null> {
		this.#assertOpen();
		return this.#alarms.first()?.key[0] ?? null;
	}

	async close(): Promise<void> {
		this.#closed = true;
		this.#actors.clear();
		this.#live.clear();
	}

	#assertOpen(): void {
		if (this.#closed) {
			throw new StoreError("closed", "memory", "The memory store is closed");
		}
	}

	#noteToResume({ record }: Actor): void {
		const { actorId } = record;
		if (isToResume(record)) {
			this.#toResume.set(actorId, actorId);
		} else {
			this.#toResume.delete(actorId);
		}
	}

	#setAlarm(actor: Actor, alarmTs: number | null): void {
		const { actorId, alarmTs: previous } = actor.record;
		if (previous !== null) {
			this.#alarms.delete([previous, actorId]);
		}
		if (alarmTs !== null) {
			this.#alarms.set([alarmTs, actorId], actorId);
		}
		actor.record = { ...actor.record, alarmTs };
	}

	#destroy(actor: Actor, destroyTs: number): void {
		this.#setAlarm(actor, null);
		this.#live.delete(liveKeyOf(actor.record));
		actor.record = { ...actor.record, destroyTs, input: null, connected: false };
		this.#noteToResume(actor);
		actor.kv = new SortedMap(compareBytes);
		this.#tombstones.set([destroyTs, actor.record.actorId], actor.record.actorId);
		const oldestKept = this.#clock.now() - this.#limits.maxAgeMs;
		for (
			let oldest = this.#tombstones.first();
			oldest !== undefined &&
			(oldest.key[0] < oldestKept || this.#tombstones.size > this.#limits.maxCount);
			oldest = this.#tombstones.first()
		) {
			this.#tombstones.delete(oldest.key);
			this.#actors.delete(oldest.value);
		}
	}

	#countName({ namespace, name }: { namespace: string; name: string }, change: number): void {
		let names = this.#names.get(namespace);
		if (names === undefined) {
			names = new SortedMap(compareText);
			this.#names.set(namespace, names);
		}
		const count = (names.get(name) ?? 0) + change;
		if (count === 0) {
			names.delete(name);
		} else {
			names.set(name, count);
		}
	}
}

function applyOps(kv: Actor["kv"], batch: CommitBatch): void {
	const putTs = batch.putTs ?? null;
	for (const op of batch.ops) {
		switch (op.op) {
			case "put":
				kv.set(new Uint8Array(op.key), { value: new Uint8Array(op.value), putTs });
				break;
			case "delete":
				kv.delete(op.key);
				break;
			case "deleteRange":
				kv.deleteRange(op.start, op.end);
				break;
		}
	}
}

function matches(record: ActorRecord, query: ListActors): boolean {
	const { before } = query;
	return (
		record.namespace === query.namespace &&
		(query.name === undefined || record.name === query.name) &&
		(query.key === undefined || record.key === query.key) &&
		(query.includeDestroyed === true || record.destroyTs === null) &&
		(before === undefined ||
			record.createTs < before.createTs ||
			(record.createTs === before.createTs &&
				before.actorId !== undefined &&
				compareText(record.actorId, before.actorId) < 0))
	);
}

function liveKeyOf(actor: { namespace: string; name: string; key: string }): string {
	return JSON.stringify([actor.namespace, actor.name, actor.key]);
}

/** Callers may change what they are given; what is stored must not follow. */
function copyRecord(record: ActorRecord): ActorRecord {
	return { ...record, input: record.input === null ? null : new Uint8Array(record.input) };
}

function definedFields<T extends object>(fields: T): Partial<T> {
	return Object.fromEntries(
		Object.entries(fields).filter(([, value]) => value !== undefined),
	) as Partial<T>;
}

function compareTimes(a: TimeKey, b: TimeKey): number {
	return a[0] - b[0] || compareText(a[1], b[1]);
}
