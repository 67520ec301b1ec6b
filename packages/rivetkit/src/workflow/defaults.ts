/** Tries after the first (ruling 26). */
export const DEFAULT_MAX_RETRIES = 3;
/** Milliseconds, like the other times. */
export const DEFAULT_RETRY_BACKOFF_BASE = 100;
export const DEFAULT_RETRY_BACKOFF_MAX = 30_000;
export const DEFAULT_STEP_TIMEOUT = 30_000;
/** Iterations, like the other loop constants. */
export const DEFAULT_LOOP_COMMIT_INTERVAL = 20;
export const DEFAULT_LOOP_HISTORY_EVERY = 20;
export const DEFAULT_LOOP_HISTORY_KEEP = 20;
export const DEFAULT_LOOP_HISTORY_PRUNE_INTERVAL = 20;
