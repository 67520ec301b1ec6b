import type { Clock } from "@rivetkit/protocol";
import type { CommitBatch, NewActor, Store } from "../../src/store/store.ts";

export const text = (value: string) => new TextEncoder().encode(value);
export const plain = (value: Uint8Array | null | undefined) =>
	value === null || value === undefined ? null : new TextDecoder().decode(value);

/** A wall clock that stands still until it is set. Its timers are the real ones. */
export function manualClock(startMs = 1_700_000_000_000): Clock & { set(nowMs: number): void } {
	let nowMs = startMs;
	return {
		now: () => nowMs,
		set: (next) => {
			nowMs = next;
		},
		after: (delayMs, fn) => {
			const handle = setTimeout(fn, delayMs);
			return { stop: () => clearTimeout(handle) };
		},
	};
}

let actorCount = 0;

/** A complete new actor; every call makes another id and key. */
export function newActor(fields: Partial<NewActor> = {}): NewActor {
	actorCount += 1;
	return {
		actorId: `actor-${String(actorCount).padStart(8, "0")}`,
		namespace: "default",
		name: "counter",
		key: `key-${actorCount}`,
		runnerNameSelector: "default",
		crashPolicy: "sleep",
		datacenter: "local",
		input: null,
		createTs: 1_700_000_000_000 + actorCount,
		...fields,
	};
}

/** An actor that was inserted and acquired once, so its generation is 0. */
export async function acquiredActor(
	store: Store,
	fields: Partial<NewActor> = {},
): Promise<NewActor> {
	const actor = newActor(fields);
	await store.insertActor(actor);
	await store.acquire(actor.actorId);
	return actor;
}

export function putBatch(
	actorId: string,
	generation: number,
	entries: Readonly<Record<string, string>>,
	fields: Partial<CommitBatch> = {},
): CommitBatch {
	return {
		actorId,
		generation,
		ops: Object.entries(entries).map(([key, value]) => ({
			op: "put",
			key: text(key),
			value: text(value),
		})),
		...fields,
	};
}

/** Everything an actor has stored, as text. */
export async function contents(store: Store, actorId: string): Promise<Record<string, string>> {
	const entries = await store.scan(actorId, { start: new Uint8Array(0), end: null });
	return Object.fromEntries(entries.map(([key, value]) => [plain(key), plain(value)]));
}
