/** Strings are UTF-8 and must be well-formed. At most 2,045 bytes; may be empty. */
export type KvKey = string | Uint8Array;
/** At most 131,072 bytes; may be empty. Bytes are copied. */
export type KvValue = string | Uint8Array | ArrayBuffer;

/** How a value is read, and what that gives. */
export interface KvValueTypes {
	/** UTF-8. What is not valid UTF-8 is read as U+FFFD: read bytes as `"binary"`. */
	text: string;
	binary: Uint8Array;
	arrayBuffer: ArrayBuffer;
}
export type KvValueType = keyof KvValueTypes;

/** How a listed key is read, and what that gives. */
export interface KvKeyTypes {
	/** UTF-8. A key that is not valid UTF-8 is read as another one: list such keys as `"binary"`. */
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
	/** Only keys from this one on. Default: from the first with the prefix. At most 2,046 bytes. */
	start?: KvKey | undefined;
	/** Only keys before this one. Default: up to the last with the prefix. At most 2,046 bytes. */
	end?: KvKey | undefined;
	/** Most entries to return, a whole number or `Infinity`. Default: all. */
	limit?: number | undefined;
	/** Descending byte order. Default false. */
	reverse?: boolean | undefined;
}
