/** Limits of `c.kv` (contract: api 8, lifecycle 21). Sizes in bytes of UTF-8 or of the value itself. */

/** A stock engine takes 2,046 bytes, one of which is the subspace. */
export const KEY_BYTES_MAX = 2_045;
/** Bounds of a range may be one byte longer, so that a bound right behind any key exists. */
export const BOUND_BYTES_MAX: number = KEY_BYTES_MAX + 1;
export const VALUE_BYTES_MAX: number = 128 * 1024;
export const KEYS_PER_CALL_MAX = 128;
/** Of one `putBatch`; each entry counts with {@link ENTRY_EXTRA_BYTES} more than its key and value. */
export const BATCH_BYTES_MAX: number = 976 * 1024;
export const ENTRY_EXTRA_BYTES = 3;
/** Of all keys and values of one actor. */
export const TOTAL_BYTES_MAX: number = 10 * 1024 ** 3;
