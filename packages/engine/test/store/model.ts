import type { StorageBatch } from "@rivetkit/protocol";
import {
	type ActorRecord,
	type AlarmPosition,
	type CommitBatch,
	type InsertOptions,
	type ListActors,
	type NewActor,
	StaleGenerationError,
	type Store,
} from "../../src/store/store.ts";

/** The simplest thing that does what a {@link Store} promises: plain maps, no thought of speed. */
export class StoreModel {
	readonly #actors = new Map<string, { record: ActorRecord; entries: Map<string, Uint8Array> }>();

	insertActor(actor: NewActor, { acquire }: InsertOptions): unknown {
		const holder = [...this.#actors.values()].find(
			({ record }) =>
				record.destroyTs === null &&
				record.namespace === actor.namespace &&
				record.name === actor.name &&
				record.key === actor.key,
		);
		if (holder !== undefined) {
			return { created: false, actor: { ...holder.record } };
		}
		if (this.#actors.has(actor.actorId)) {
			return "taken";
		}
		const record: ActorRecord = {
			...actor,
			generation: acquire ? 0 : -1,
			initialised: false,
			startTs: null,
			connectableTs: null,
			sleepTs: null,
			destroyTs: null,
			alarmTs: null,
			connected: false,
		};
		this.#actors.set(actor.actorId, { record, entries: new Map() });
		return { created: true, actor: { ...record } };
	}

	importActor(actor: NewActor, batch: StorageBatch): unknown {
		const inserted = this.insertActor(actor, { acquire: true });
		if ((inserted as { created?: boolean }).created !== true) {
			return inserted;
		}
		this.commit({ ...batch, actorId: actor.actorId, generation: 0 });
		return { created: true, actor: this.actorById(actor.actorId) };
	}

	acquire(actorId: string): unknown {
		const actor = this.#live(actorId);
		if (actor === undefined) {
			return "stale";
		}
		actor.record = { ...actor.record, generation: actor.record.generation + 1 };
		return actor.record;
	}

	discard(actorId: string, generation: number): unknown {
		const actor = this.#live(actorId);
		if (actor?.record.generation === generation && !actor.record.initialised) {
			this.#actors.delete(actorId);
		}
		return undefined;
	}

	commit(batch: CommitBatch): unknown {
		const actor = this.#live(batch.actorId);
		if (actor?.record.generation !== batch.generation) {
			return "stale";
		}
		for (const op of batch.ops) {
			switch (op.op) {
				case "put":
					actor.entries.set(hex(op.key), op.value);
					break;
				case "delete":
					actor.entries.delete(hex(op.key));
					break;
				case "deleteRange":
					for (const key of [...actor.entries.keys()]) {
						if (key >= hex(op.start) && (op.end === null || key < hex(op.end))) {
							actor.entries.delete(key);
						}
					}
					break;
			}
		}
		actor.record = { ...actor.record, ...batch.record };
		if (batch.alarmTs !== undefined) {
			actor.record = { ...actor.record, alarmTs: batch.alarmTs };
		}
		if (batch.destroyTs !== undefined) {
			actor.record = {
				...actor.record,
				destroyTs: batch.destroyTs,
				alarmTs: null,
				input: null,
				connected: false,
			};
			actor.entries.clear();
		}
		return undefined;
	}

	get(actorId: string, keys: readonly Uint8Array[]): unknown {
		const entries = this.#actors.get(actorId)?.entries;
		return keys.map((key) => entries?.get(hex(key)) ?? null);
	}

	scan(actorId: string, range: Parameters<Store["scan"]>[1]): unknown {
		const keys = [...(this.#actors.get(actorId)?.entries.keys() ?? [])]
			.filter((key) => key >= hex(range.start) && (range.end === null || key < hex(range.end)))
			.sort();
		const ordered = range.reverse ? keys.reverse() : keys;
		return ordered
			.slice(0, range.limit)
			.map((key) => [
				new Uint8Array(Buffer.from(key, "hex")),
				this.#actors.get(actorId)!.entries.get(key),
			]);
	}

	actorById(actorId: string): unknown {
		return this.#actors.get(actorId)?.record;
	}

	actorByKey(namespace: string, name: string, key: string): unknown {
		return this.#records().find(
			(record) =>
				record.destroyTs === null &&
				record.namespace === namespace &&
				record.name === name &&
				record.key === key,
		);
	}

	listActors(query: ListActors): unknown {
		return this.#records()
			.filter(
				(record) =>
					record.namespace === query.namespace &&
					record.name === (query.name ?? record.name) &&
					record.key === (query.key ?? record.key) &&
					(query.includeDestroyed || record.destroyTs === null) &&
					(query.before === undefined ||
						position(record) < position({ actorId: "", ...query.before })),
			)
			.sort((a, b) => (position(a) < position(b) ? 1 : -1))
			.slice(0, query.limit);
	}

	countActors(namespace: string): unknown {
		const counts = new Map<string, number>();
		for (const record of this.#records()) {
			if (record.namespace !== namespace || record.destroyTs !== null) continue;
			counts.set(record.name, (counts.get(record.name) ?? 0) + 1);
		}
		return counts;
	}

	listNames(namespace: string, limit: number, after?: string): unknown {
		const names = this.#records()
			.filter((record) => record.namespace === namespace)
			.map((record) => record.name)
			.filter((name) => after === undefined || name > after);
		return [...new Set(names)].sort().slice(0, limit);
	}

	dueAlarms(nowMs: number, limit: number, after?: AlarmPosition): unknown {
		const isAfter = (alarmTs: number, actorId: string) =>
			after === undefined ||
			alarmTs > after.alarmTs ||
			(alarmTs === after.alarmTs && actorId > after.actorId);
		return this.#records()
			.filter(({ alarmTs }) => alarmTs !== null && alarmTs <= nowMs)
			.filter(({ alarmTs, actorId }) => isAfter(alarmTs!, actorId))
			.sort((a, b) => a.alarmTs! - b.alarmTs! || (a.actorId < b.actorId ? -1 : 1))
			.slice(0, limit)
			.map(({ actorId, alarmTs }) => ({ actorId, alarmTs }));
	}

	actorsToResume(limit: number, after = ""): unknown {
		return this.#records()
			.filter(
				({ connected, crashPolicy, startTs, sleepTs, destroyTs }) =>
					connected ||
					(crashPolicy === "restart" && startTs !== null && sleepTs === null && destroyTs === null),
			)
			.filter(({ actorId }) => actorId > after)
			.map(({ actorId }) => actorId)
			.sort()
			.slice(0, limit);
	}

	nextAlarmTs(): unknown {
		const times = this.#records().flatMap((record) => record.alarmTs ?? []);
		return times.length === 0 ? null : Math.min(...times);
	}

	/** One of the actors, live ones if there are any; an unknown id now and then. */
	pickActor(pick: number): { actorId: string; generation: number } {
		const live = this.#records().filter((record) => record.destroyTs === null);
		const choice = pick % 8 === 0 ? this.#records() : live;
		return choice[Math.floor(pick / 8) % choice.length] ?? { actorId: "nobody", generation: 0 };
	}

	#live(actorId: string) {
		const actor = this.#actors.get(actorId);
		return actor?.record.destroyTs === null ? actor : undefined;
	}

	#records(): ActorRecord[] {
		return [...this.#actors.values()].map((actor) => actor.record);
	}
}

/** A promise's outcome in the terms of the model. */
export async function outcomeOf(promise: Promise<unknown>): Promise<unknown> {
	try {
		return await promise;
	} catch (error) {
		if (error instanceof StaleGenerationError) {
			return "stale";
		}
		if (error instanceof Error && error.message.endsWith("is taken by an actor with another key")) {
			return "taken";
		}
		throw error;
	}
}

function hex(bytes: Uint8Array): string {
	return Buffer.from(bytes).toString("hex");
}

/** Sorts like creation time, then id. */
function position(record: { createTs: number; actorId: string }): string {
	return `${String(record.createTs).padStart(16, "0")} ${record.actorId}`;
}
