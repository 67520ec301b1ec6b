/** Strings are UTF-8. At most 2,045 bytes. */
export type KvKey = string | Uint8Array;
/** At most 131,072 bytes. */
export type KvValue = string | Uint8Array | ArrayBuffer;

/** How a value is read, and what that gives. */
export interface KvValueTypes {
	text: string;
	binary: Uint8Array;
	arrayBuffer: ArrayBuffer;
}
export type KvValueType = keyof KvValueTypes;

/** How a listed key is read, and what that gives. */
export interface KvKeyTypes {
	text: string;
	binary: Uint8Array;
}
export type KvKeyType = keyof KvKeyTypes;

export interface KvReadOptions<T extends KvValueType> {
	/** Default `"text"`. */
	type?: T | undefined;
}

export interface KvWriteOptions {
	/** Must match the value when given; a mismatch throws `TypeError`. */
	type?: KvValueType | undefined;
}

export interface KvListOptions<T extends KvValueType, K extends KvKeyType>
	extends KvReadOptions<T> {
	/** Default `"text"`; `"binary"` needs a `Uint8Array` prefix. */
	keyType?: K | undefined;
	/** Most entries to return. Default: all. */
	limit?: number | undefined;
	/** Descending byte order. Default false. */
	reverse?: boolean | undefined;
}

/**
 * `c.kv`: the actor's own ordered byte map (api 8). Reads see earlier writes at once. Limits: 128 keys
 * per call, 976 KiB per `putBatch`, 10 GiB per actor; each has a `kv.*` error.
 */
export interface ActorKv {
	get<T extends KvValueType = "text">(
		key: KvKey,
		options?: KvReadOptions<T>,
	): Promise<KvValueTypes[T] | null>;
	/** In the order of the keys; `null` for missing ones. */
	getBatch<T extends KvValueType = "text">(
		keys: readonly KvKey[],
		options?: KvReadOptions<T>,
	): Promise<(KvValueTypes[T] | null)[]>;
	put(key: KvKey, value: KvValue, options?: KvWriteOptions): Promise<void>;
	/** All or nothing. */
	putBatch(
		entries: readonly (readonly [key: KvKey, value: KvValue])[],
		options?: KvWriteOptions,
	): Promise<void>;
	/** A missing key is fine. */
	delete(key: KvKey): Promise<void>;
	deleteBatch(keys: readonly KvKey[]): Promise<void>;
	/** Deletes `start <= key < end` in byte order. */
	deleteRange(start: KvKey, end: KvKey): Promise<void>;
	/** Entries whose key starts with `prefix`, with their full keys, in ascending byte order. */
	list<T extends KvValueType = "text", K extends KvKeyType = "text">(
		prefix: K extends "binary" ? Uint8Array : KvKey,
		options?: KvListOptions<T, K>,
	): Promise<[key: KvKeyTypes[K], value: KvValueTypes[T]][]>;
}
