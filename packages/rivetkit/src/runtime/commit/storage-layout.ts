import { COLD_KEYS_START } from "@rivetkit/protocol";

/**
 * The runtime's own key space in an actor's store. The first byte names a subspace, so that no key of a
 * user can ever reach another one's data. What is below {@link WAKE_END} is read whole by every wake;
 * the rest is read when it is asked for.
 *
 * | byte | what |
 * |---|---|
 * | 1 | state: `01` whole value, or its head when chunked; `01 <u32 index>` chunks |
 * | 2 | answered calls: `02 <u48 sequence>` one entry per commit |
 * | 3 | schedules and cron jobs, see `schedule/schedule-layout.ts`; `03` alone is the inspector's token (protocol 4.6) |
 * | 4 | connections that outlive the incarnation: `04 <16 bytes id> <part>`, see `connection-layout.ts` |
 * | 5 | queue: what every wake reads of it, see `queue/queue-layout.ts` |
 * | 6 | workflow: a history of 2.1.3, until it is taken over (contract: workflows 7.6) |
 * | 0x0e | workflow: its head, see `workflow/history/` |
 * | 0x0f | upper bound of the bytes in `c.kv`, CBOR |
 * | 0x10 | queue: bodies, and what else is read when it is asked for |
 * | 0x11 | histories of cron jobs, see `schedule/schedule-layout.ts` |
 * | 0x12 | `c.kv`: `12 <key>` |
 * | 0x13 | database: records, pages, bytes of providers (`sqlite/pages/stored-pages.ts`) |
 * | 0x14 | workflow: its entries, see `workflow/history/` |
 * | 0x15 | spans, see `telemetry/stored-spans.ts` |
 */
export const SUBSPACE_STATE = 0x01;
export const SUBSPACE_REPLIES = 0x02;
export const SUBSPACE_SCHEDULE = 0x03;
export const SUBSPACE_CONNECTIONS = 0x04;
export const SUBSPACE_QUEUE = 0x05;
export const SUBSPACE_PUBLISHED_WORKFLOW = 0x06;
export const SUBSPACE_WORKFLOW = 0x0e;
export const SUBSPACE_KV_SIZE = 0x0f;
export const SUBSPACE_QUEUE_DATA = 0x10;
export const SUBSPACE_HISTORY = 0x11;
export const SUBSPACE_KV = 0x12;
export const SUBSPACE_WORKFLOW_HISTORY = 0x14;
/** The first of those that stores may keep apart. */
export const SUBSPACE_TRACES: number = COLD_KEYS_START;

export const WAKE_START: Uint8Array = Uint8Array.of(SUBSPACE_STATE);
export const WAKE_END: Uint8Array = Uint8Array.of(0x10);

/** Version of all this; to be raised when a reader of the older one would misread what is stored. */
export const STORAGE_LAYOUT_VERSION = 1;

/** Whether an entry is of this very actor and of no copy: its clients' connections, its token, what it did. */
export function staysBehind(key: Uint8Array): boolean {
	const [subspace] = key;
	return subspace === SUBSPACE_CONNECTIONS || subspace === SUBSPACE_TRACES || isInspectorToken(key);
}

/** Entries in ascending order of their keys. */
export type StoredEntries = readonly (readonly [key: Uint8Array, value: Uint8Array])[];

/** The entries of one subspace, from an ordered scan of several. */
export function entriesOf(scanned: StoredEntries, subspace: number): StoredEntries {
	const first = scanned.findIndex(([key]) => key[0] === subspace && !isInspectorToken(key));
	if (first < 0) return [];
	const end = scanned.findIndex(([key], index) => index > first && key[0] !== subspace);
	return scanned.slice(first, end < 0 ? scanned.length : end);
}

function isInspectorToken(key: Uint8Array): boolean {
	return key.byteLength === 1 && key[0] === SUBSPACE_SCHEDULE;
}
