import { decodeCbor, encodeCbor } from "@rivetkit/protocol";
import { RUNNER_KV_KEYS_MAX } from "@rivetkit/protocol/runner";
import { INTENT_KEY, LOG_RANGE, logKey } from "./private-keys.ts";
import { piecesOf, putsOf } from "./put-limits.ts";
import { deleteKeys, deleteRange, listEntries, putEntries, type RemoteKv } from "./remote-kv.ts";
import type { Entry, KeyRange, Writes } from "./storage-plan.ts";

/** What is left to do of a commit that is durable. As decoded: its types are checked where they are used. */
export interface Intent {
	readonly ranges: readonly (readonly [start: Uint8Array, end: Uint8Array])[];
	readonly deletes: readonly Uint8Array[];
	/** Pieces in the log that hold all of the commit; 0 when its entries are there already. */
	readonly pieces: number;
}

/** All of a commit. */
export interface Logged extends Omit<Intent, "pieces"> {
	readonly puts: readonly (readonly [key: Uint8Array, value: Uint8Array])[];
}

export function readIntent(value: Uint8Array): Intent {
	return decodeCbor(value) as Intent;
}

/** What makes a commit durable once it is put. */
export function intentEntry(intent: Intent): Entry {
	return { key: INTENT_KEY, value: encodeCbor(intent) };
}

export function pairsOf(ranges: readonly KeyRange[]): [Uint8Array, Uint8Array][] {
	return ranges.map(({ start, end }) => [start, end]);
}

export function loggedOf({ ranges, deletes, puts }: Writes): Logged {
	return {
		ranges: pairsOf(ranges),
		deletes,
		puts: puts.map(({ key, value }) => [key, value]),
	};
}

/** Writes all of a commit into the log; returns in how many pieces. Nobody looks there before its intent is put. */
export async function writeLog(kv: RemoteKv, logged: Logged): Promise<number> {
	const pieces = piecesOf(encodeCbor(logged), (index) => logKey(index));
	for (const some of putsOf(pieces)) await putEntries(kv, some);
	return pieces.length;
}

/**
 * Does what is left of a commit; may be done again after any crash.
 *
 * @param known - what the log has, where it need not be read
 */
export async function carryOut(kv: RemoteKv, intent: Intent, known?: Logged): Promise<void> {
	const logged = intent.pieces === 0 ? null : (known ?? (await readLog(kv, intent.pieces)));
	for (const [start, end] of (logged ?? intent).ranges) await deleteRange(kv, { start, end });
	const deletes = [...(logged ?? intent).deletes];
	while (deletes.length >= RUNNER_KV_KEYS_MAX) {
		await deleteKeys(kv, deletes.splice(0, RUNNER_KV_KEYS_MAX));
	}
	if (logged) {
		const entries = logged.puts.map(([key, value]) => ({ key, value }));
		for (const some of putsOf(entries)) await putEntries(kv, some);
	}
	await deleteKeys(kv, [...deletes, INTENT_KEY]);
	if (logged) await deleteRange(kv, LOG_RANGE);
}

async function readLog(kv: RemoteKv, pieces: number): Promise<Logged> {
	const entries = await listEntries(kv, { ...LOG_RANGE, limit: pieces });
	return decodeCbor(Buffer.concat(entries.map(([, value]) => value))) as Logged;
}
