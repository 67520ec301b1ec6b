import type {
	ActorRecord,
	CommitBatch,
	ListActors,
	NewActor,
	Store,
} from "../../src/store/store.ts";
import { StaleGenerationError } from "../../src/store/store.ts";

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** As much of a store as the tests of directory, placement and gateway need. */
export class FakeStore implements Store {
	readonly actors = new Map<string, Mutable<ActorRecord>>();
	readonly values = new Map<string, Map<string, Uint8Array>>();
	insertCount = 0;

	async insertActor(actor: NewActor) {
		const holder = await this.actorByKey(actor.namespace, actor.name, actor.key);
		if (holder !== undefined) {
			return { created: false, actor: holder };
		}
		const record: Mutable<ActorRecord> = {
			...actor,
			generation: -1,
			initialised: false,
			startTs: null,
			connectableTs: null,
			sleepTs: null,
			destroyTs: null,
			alarmTs: null,
		};
		this.actors.set(actor.actorId, record);
		this.insertCount++;
		return { created: true, actor: { ...record } };
	}

	async actorById(actorId: string) {
		const record = this.actors.get(actorId);
		return record === undefined ? undefined : { ...record };
	}

	actorByKey(namespace: string, name: string, key: string) {
		for (const record of this.actors.values()) {
			if (
				record.destroyTs === null &&
				record.namespace === namespace &&
				record.name === name &&
				record.key === key
			) {
				return Promise.resolve({ ...record });
			}
		}
		return Promise.resolve(undefined);
	}

	async listActors(query: ListActors) {
		return [...this.actors.values()]
			.filter(
				(actor) =>
					actor.namespace === query.namespace &&
					(query.name === undefined || actor.name === query.name) &&
					(query.key === undefined || actor.key === query.key) &&
					(query.includeDestroyed === true || actor.destroyTs === null) &&
					(query.before === undefined || isBefore(actor, query.before)),
			)
			.sort((a, b) => b.createTs - a.createTs || (a.actorId < b.actorId ? 1 : -1))
			.slice(0, query.limit);
	}

	async listNames(_namespace: string, limit: number, after?: string) {
		const names = new Set([...this.actors.values()].map((actor) => actor.name));
		return [...names]
			.filter((name) => after === undefined || name > after)
			.sort()
			.slice(0, limit);
	}

	async acquire(actorId: string) {
		const record = this.actors.get(actorId);
		if (record === undefined || record.destroyTs !== null) {
			throw new StaleGenerationError(actorId, -1);
		}
		record.generation++;
		return { ...record };
	}

	async discard(actorId: string, generation: number) {
		const record = this.actors.get(actorId);
		if (record?.generation === generation && !record.initialised) {
			this.actors.delete(actorId);
		}
	}

	async get(actorId: string, keys: readonly Uint8Array[]) {
		return keys.map((key) => this.values.get(actorId)?.get(String(key)) ?? null);
	}

	async scan(): Promise<[Uint8Array, Uint8Array][]> {
		return [];
	}

	async commit(batch: CommitBatch) {
		const record = this.actors.get(batch.actorId);
		if (record?.generation !== batch.generation || record.destroyTs !== null) {
			throw new StaleGenerationError(batch.actorId, batch.generation);
		}
		if (batch.alarmTs !== undefined) {
			record.alarmTs = batch.alarmTs;
		}
		const values = this.values.get(batch.actorId) ?? new Map<string, Uint8Array>();
		this.values.set(batch.actorId, values);
		for (const op of batch.ops) {
			if (op.op === "put") {
				values.set(String(op.key), op.value);
			}
		}
		Object.assign(record, batch.record);
		if (batch.destroyTs !== undefined) {
			record.destroyTs = batch.destroyTs;
			record.alarmTs = null;
			this.values.delete(batch.actorId);
		}
	}

	async sync() {}

	async dueAlarms(nowMs: number, limit: number) {
		return [...this.actors.values()]
			.filter((actor) => actor.alarmTs !== null && actor.alarmTs <= nowMs)
			.map((actor) => ({ actorId: actor.actorId, alarmTs: actor.alarmTs! }))
			.sort((a, b) => a.alarmTs - b.alarmTs)
			.slice(0, limit);
	}

	async nextAlarmTs() {
		const [first] = await this.dueAlarms(Number.MAX_SAFE_INTEGER, 1);
		return first?.alarmTs ?? null;
	}

	async close() {}
}

function isBefore(actor: ActorRecord, before: NonNullable<ListActors["before"]>): boolean {
	return (
		actor.createTs < before.createTs ||
		(actor.createTs === before.createTs &&
			before.actorId !== undefined &&
			actor.actorId < before.actorId)
	);
}
