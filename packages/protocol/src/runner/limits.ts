/** Sizes and times of the runner protocol that both sides keep to (contract: engine 4.1, 4.7, 4.8). */

/** Bytes of a key of an actor's store. */
export const RUNNER_KV_KEY_BYTES_MAX = 2_046;
/** Bytes of a value of an actor's store. */
export const RUNNER_KV_VALUE_BYTES_MAX = 131_072;
/** Keys of one get, put or delete. */
export const RUNNER_KV_KEYS_MAX = 128;
/** Bytes of one put: keys, two more for each, and values. */
export const RUNNER_KV_PUT_BYTES_MAX = 999_424;
/** Bytes of all keys and values that one actor stores, about. */
export const RUNNER_KV_STORE_BYTES_MAX = 10 * 1024 ** 3;
/** What a key counts for beside its bytes in {@link RUNNER_KV_PUT_BYTES_MAX}. */
export const RUNNER_KV_KEY_OVERHEAD_BYTES = 2;
/** Entries of a list that names no limit. */
export const RUNNER_KV_LIST_LIMIT = 16_384;

/** Path of the runner's socket; the query has `protocol_version`, `namespace` and `runner_key`. */
export const PATH_RUNNER_CONNECT = "/runners/connect";
/**
 * Of the answer to a runner's upgrade: which process of the engine it is, in any text. A runner that comes back to another
 * one as the same runner has lost the clients and callers of the first (contract: engine 4.12). Ours; others do not send it.
 */
export const HEADER_ENGINE_PROCESS = "x-rivetkit-engine-process";
/**
 * Of a runner's upgrade: which process it is, in any text. Another process with the same key has nothing of what the first
 * one ran. Ours; others do not send it.
 */
export const HEADER_RUNNER_PROCESS = "x-rivetkit-runner-process";
/** Reason of a close after which a runner does not come back. */
export const RUNNER_EVICTED = "ws.eviction";
/** Reason of a close by an engine that does not speak the version. */
export const RUNNER_VERSION_REFUSED = "ws.invalid_packet";
/** Reason of a runner's own close. */
export const RUNNER_SHUTDOWN = "pegboard.runner_shutdown";
