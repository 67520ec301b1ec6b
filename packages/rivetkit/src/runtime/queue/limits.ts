/** Every limit of an actor's queue that is no option of the actor, with its reason. */

/** Plain messages handed out in one turn of the event loop: a backlog must not hold up everything else. */
export const DELIVERIES_PER_TURN_MAX = 64;
/** Bodies are read ahead for a consumer that needs the next one within this time (ms). */
export const READ_AHEAD_AFTER_MS = 20;
/** Bodies read ahead of a consumer that works off a backlog. */
export const READ_AHEAD_MESSAGES_MAX = 64;
/** Bytes of bodies read ahead. */
export const READ_AHEAD_BYTES_MAX = 256 * 1024;
/** Receives of one actor that may wait at the same time. */
export const RECEIVES_WAITING_MAX = 1_000;
/** Senders that may wait for completions of one actor's messages at the same time. */
export const SENDERS_WAITING_MAX = 10_000;

/** How long a dedupe key is remembered (lifecycle W-Q-10). */
export const DEDUPE_WINDOW_MS = 24 * 60 * 60 * 1_000;
/** Dedupe keys remembered; beyond them the oldest is forgotten early. */
export const DEDUPE_KEYS_MAX = 100_000;
/** Longest dedupe key (UTF-8 bytes). */
export const DEDUPE_KEY_BYTES_MAX = 512;

/** How long a completion is kept for a sender that lost its connection (lifecycle W-Q-5). */
export const ANSWER_KEPT_MS = 60_000;
/** Completions kept; beyond them the oldest is dropped early. */
export const ANSWERS_KEPT_MAX = 10_000;
/** Bytes of responses kept; beyond them the oldest is dropped early. They are on disk, not in memory. */
export const ANSWER_BYTES_MAX = 16 * 1024 * 1024;

/**
 * How long the alarm of an actor that has worked off its queue stays as it is: setting and clearing it
 * around each of many messages would be most of what is written.
 */
export const ALARM_LINGER_MS = 1_000;
