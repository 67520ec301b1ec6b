import type { StorageOp, StorageRange } from "@rivetkit/protocol";
import {
	type KvListQuery,
	type KvRequestData,
	type KvResponseData,
	RUNNER_KV_KEY_BYTES_MAX,
	RUNNER_KV_KEY_OVERHEAD_BYTES,
	RUNNER_KV_KEYS_MAX,
	RUNNER_KV_LIST_LIMIT,
	RUNNER_KV_PUT_BYTES_MAX,
	RUNNER_KV_VALUE_BYTES_MAX,
} from "@rivetkit/protocol/runner";
import {
	PUT_TS_UNKNOWN,
	StaleGenerationError,
	type Store,
	type TimedEntry,
} from "../store/store.ts";
import type { KvQuota } from "./kv-quota.ts";

/** The incarnation on whose behalf a runner asks. */
export interface KvOwner {
	readonly actorId: string;
	readonly generation: number;
	readonly quota: KvQuota;
}

const EMPTY = new Uint8Array(0);

/** A refusal that the runner is told: a stable code, then words (contract: engine 4.8). */
class Refusal extends Error {}

/**
 * Answers one request to an actor's store. Rejects only with {@link StaleGenerationError}, for an incarnation that is
 * not the newest any more; other failures are answers.
 *
 * @param now - the time of what is put
 */
export async function answerKv(
	store: Store,
	owner: KvOwner,
	version: Uint8Array,
	data: KvRequestData,
	now: number,
): Promise<KvResponseData> {
	try {
		return await answer(store, owner, version, data, now);
	} catch (error) {
		if (error instanceof StaleGenerationError) throw error;
		if (error instanceof Refusal) return refused(error.message);
		return refused(`kv.failed: ${error instanceof Error ? error.message : String(error)}`);
	}
}

export function notOwner(actorId: string): KvResponseData {
	return refused(`kv.not_owner: actor ${actorId} is not placed on this runner`);
}

async function answer(
	store: Store,
	owner: KvOwner,
	version: Uint8Array,
	data: KvRequestData,
	now: number,
): Promise<KvResponseData> {
	const { actorId, generation } = owner;
	const commit = (ops: readonly StorageOp[]) =>
		store.commit({ actorId, generation, ops, putTs: now });
	const shown = (entries: readonly TimedEntry[]) => ({
		keys: entries.map(({ key }) => key),
		values: entries.map(({ value }) => value),
		metadata: entries.map(({ putTs }) => ({ version, updateTs: putTs ?? PUT_TS_UNKNOWN })),
	});
	switch (data.tag) {
		case "KvGetRequest": {
			checkKeys(data.val.keys);
			const found = await store.timedEntries(actorId, distinct(data.val.keys));
			return { tag: "KvGetResponse", val: shown(found) };
		}
		case "KvListRequest": {
			const { query, reverse, limit } = data.val;
			const range = rangeOf(query);
			const entries =
				range === null || limit === 0
					? []
					: await store.timedEntries(actorId, {
							...range,
							limit: Math.min(Number(limit ?? RUNNER_KV_LIST_LIMIT), RUNNER_KV_LIST_LIMIT),
							reverse: reverse ?? false,
						});
			return { tag: "KvListResponse", val: shown(entries) };
		}
		case "KvPutRequest": {
			const { keys, values } = data.val;
			const refusal = await owner.quota.refusal(checkPut(keys, values));
			if (refusal !== null) throw new Refusal(refusal);
			// The frame is the socket's buffer.
			await commit(
				keys.map((key, index) => ({
					op: "put",
					key: new Uint8Array(key),
					value: new Uint8Array(values[index]!),
				})),
			);
			return { tag: "KvPutResponse", val: undefined };
		}
		case "KvDeleteRequest":
			checkKeys(data.val.keys);
			await commit(data.val.keys.map((key) => ({ op: "delete", key: new Uint8Array(key) })));
			return { tag: "KvDeleteResponse", val: undefined };
		case "KvDeleteRangeRequest": {
			const start = new Uint8Array(data.val.start);
			const end = new Uint8Array(data.val.end);
			if (Buffer.compare(start, end) < 0) await commit([{ op: "deleteRange", start, end }]);
			return { tag: "KvDeleteResponse", val: undefined };
		}
		case "KvDropRequest":
			await commit([{ op: "deleteRange", start: EMPTY, end: null }]);
			return { tag: "KvDropResponse", val: undefined };
	}
}

/** Null for an empty one. */
function rangeOf(query: KvListQuery): StorageRange | null {
	switch (query.tag) {
		case "KvListAll":
			return { start: EMPTY, end: null };
		case "KvListPrefix":
			return { start: new Uint8Array(query.val.key), end: afterPrefix(query.val.key) };
		case "KvListRange": {
			const start = new Uint8Array(query.val.start);
			const end = query.val.exclusive
				? new Uint8Array(query.val.end)
				: Uint8Array.of(...query.val.end, 0);
			return Buffer.compare(start, end) < 0 ? { start, end } : null;
		}
	}
}

/** The first key behind all that begin with the prefix; null when there is none. */
function afterPrefix(prefix: Uint8Array): Uint8Array | null {
	const last = prefix.findLastIndex((byte) => byte !== 0xff);
	if (last < 0) return null;
	const end = prefix.slice(0, last + 1);
	end[last] = end[last]! + 1;
	return end;
}

function checkKeys(keys: readonly Uint8Array[]): void {
	if (keys.length > RUNNER_KV_KEYS_MAX) {
		throw new Refusal(
			`kv.too_many_keys: ${keys.length} keys in one request, at most ${RUNNER_KV_KEYS_MAX}`,
		);
	}
	for (const { byteLength } of keys) {
		if (byteLength > RUNNER_KV_KEY_BYTES_MAX) {
			throw new Refusal(
				`kv.key_too_large: a key of ${byteLength} bytes, at most ${RUNNER_KV_KEY_BYTES_MAX}`,
			);
		}
	}
}

/** How many bytes are put. */
function checkPut(keys: readonly Uint8Array[], values: readonly Uint8Array[]): number {
	if (keys.length !== values.length) {
		throw new Refusal(`kv.invalid: ${keys.length} keys and ${values.length} values`);
	}
	checkKeys(keys);
	let bytes = 0;
	for (const [index, { byteLength }] of values.entries()) {
		if (byteLength > RUNNER_KV_VALUE_BYTES_MAX) {
			throw new Refusal(
				`kv.value_too_large: a value of ${byteLength} bytes, at most ${RUNNER_KV_VALUE_BYTES_MAX}`,
			);
		}
		bytes += keys[index]!.byteLength + RUNNER_KV_KEY_OVERHEAD_BYTES + byteLength;
	}
	if (bytes > RUNNER_KV_PUT_BYTES_MAX) {
		throw new Refusal(
			`kv.payload_too_large: a put of ${bytes} bytes, at most ${RUNNER_KV_PUT_BYTES_MAX}`,
		);
	}
	return bytes;
}

function distinct(keys: readonly Uint8Array[]): Uint8Array[] {
	const byId = new Map(keys.map((key) => [Buffer.from(key).toString("latin1"), key]));
	return [...byId.values()].map((key) => new Uint8Array(key));
}

function refused(message: string): KvResponseData {
	return { tag: "KvErrorResponse", val: { message } };
}
