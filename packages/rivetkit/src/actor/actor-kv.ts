import type {
	KvKey,
	KvKeyType,
	KvKeyTypes,
	KvListOptions,
	KvReadOptions,
	KvValue,
	KvValueType,
	KvValueTypes,
	KvWriteOptions,
} from "./kv.types.ts";

/**
 * `c.kv`: the actor's own ordered byte map (api 8). Every `c.kv` is an instance of it; users do not make
 * any.
 *
 * A write is there for every later read as soon as it is called. Its promise resolves when it is part of
 * the actor's open batch, which lands as a whole or not at all (ruling 18); answers wait for the disk,
 * and so does `c.saveState({ immediate: true })`. A commit that fails takes its writes back.
 *
 * Methods reject with
 * - `TypeError` for a key, value or option of the wrong type;
 * - `kv.key_too_large` for a key over 2,045 bytes, `kv.value_too_large` for a value over 131,072 bytes;
 * - `kv.too_many_keys` for more than 128 keys in one call;
 * - `kv.batch_too_large` for a `putBatch` of more than 976 KiB, counting 3 bytes per entry extra;
 * - `kv.storage_full` when keys and values would come to more than 10 GiB;
 * - `kv.uncommitted_too_large` when one batch would hold more than `options.maxUncommittedKvSize`;
 * - `actor.stopping` once the actor has stopped.
 *
 * The metadata of all `kv.*` errors is `{ size, limit }`.
 */
export abstract class ActorKv {
	/** The value, or `null` when there is none. */
	abstract get<T extends KvValueType = "text">(
		key: KvKey,
		options?: KvReadOptions<T>,
	): Promise<KvValueTypes[T] | null>;

	/** In the order of the keys; `null` for missing ones. */
	abstract getBatch<T extends KvValueType = "text">(
		keys: readonly KvKey[],
		options?: KvReadOptions<T>,
	): Promise<(KvValueTypes[T] | null)[]>;

	abstract put(key: KvKey, value: KvValue, options?: KvWriteOptions): Promise<void>;

	/** All or nothing. The last value counts when a key is there twice. */
	abstract putBatch(
		entries: readonly (readonly [key: KvKey, value: KvValue])[],
		options?: KvWriteOptions,
	): Promise<void>;

	/** A missing key is fine. */
	abstract delete(key: KvKey): Promise<void>;

	/** Missing keys are fine. */
	abstract deleteBatch(keys: readonly KvKey[]): Promise<void>;

	/** Deletes `start <= key < end` in byte order; nothing when `end` is not behind `start`. */
	abstract deleteRange(start: KvKey, end: KvKey): Promise<void>;

	/**
	 * Entries whose key begins with `prefix` (by default all), with their full keys, in byte order: as they
	 * are at the time of the call. Holds all it returns in memory: page through much with `limit`, and
	 * `start` right behind the last key (`${lastKey}\0`).
	 */
	abstract list<T extends KvValueType = "text", K extends KvKeyType = "text">(
		prefix?: K extends "binary" ? Uint8Array : KvKey,
		options?: KvListOptions<T, K>,
	): Promise<[key: KvKeyTypes[K], value: KvValueTypes[T]][]>;
}
