import type { Entry, StoredMessage } from "./entry.ts";
import { type LocatedEntry, pathOf } from "./located-entry.ts";
import { decodeKey, type Segment } from "./location.ts";
import { readEntries } from "./stored-entries.ts";
import { keptMessages } from "./stored-message.ts";

/** An entry of the store, with its key. */
export interface StoredEntryAt extends LocatedEntry {
	readonly key: Uint8Array;
}

export function locate(
	scanned: readonly (readonly [key: Uint8Array, value: Uint8Array])[],
): StoredEntryAt[] {
	return [...readEntries(scanned)].map(({ key, entry }) => ({
		key,
		entry,
		segments: decodeKey(key),
	}));
}

/** Completable messages that a wait has received, and that were neither completed nor given back. */
export function openMessages(entry: Entry): StoredMessage[] {
	if (!entry.is("message") || !entry.data.isCompletable) return [];
	return (entry.data.messages ?? []).filter(
		({ isCompleted, isReturned }) => !isCompleted && !isReturned,
	);
}

export function isPlainWait(entry: Entry): entry is Entry<"message"> {
	return entry.is("message") && entry.data.isCompletable === false;
}

/** Ids of the messages that entries sent and will send again when they are taken back: those without a dedupe key. */
export function messagesSentAgain(entries: readonly StoredEntryAt[]): ReadonlySet<number> {
	const ids = new Set<number>();
	for (const { entry } of entries) {
		if (entry.is("send") && !entry.data.isOnce) ids.add(entry.data.id);
		if (entry.is("step")) for (const id of entry.data.sent ?? []) ids.add(id);
	}
	return ids;
}

/** Plain messages that entries have, which are taken back: they have nobody else. Not those that are `sentAgain`. */
export function messagesToReturn(
	entries: readonly StoredEntryAt[],
	sentAgain: ReadonlySet<number>,
): StoredMessage[] {
	return entries
		.flatMap(({ entry }) => (isPlainWait(entry) ? keptMessages(entry.data.messages) : []))
		.filter(({ id }) => !sentAgain.has(id))
		.sort((a, b) => a.id - b.id);
}

/**
 * Gives the messages of another actor's history ids of this one's queue, in their order: under their own they would be
 * taken for messages that are or were here.
 */
export function renumberMessages(entries: readonly StoredEntryAt[], nextId: () => number): void {
	const before = entries.flatMap(({ entry }) => {
		if (entry.is("send")) return [entry.data.id];
		if (entry.is("step")) return entry.data.sent ?? [];
		return entry.is("message") ? (entry.data.messages ?? []).map(({ id }) => id) : [];
	});
	const sorted = [...new Set(before)].sort((a, b) => a - b);
	const ids = new Map(sorted.map((id) => [id, nextId()]));
	for (const { entry } of entries) {
		if (entry.is("send")) entry.data.id = ids.get(entry.data.id)!;
		else if (entry.is("step") && entry.data.sent) {
			entry.data.sent = entry.data.sent.map((id) => ids.get(id)!);
		} else if (entry.is("message") && entry.data.messages) {
			entry.data.messages = entry.data.messages.map((message) => ({
				...message,
				id: ids.get(message.id)!,
			}));
		}
	}
}

/**
 * Entries that a replay from a step takes back: it, everything that began after it, and everything of its
 * innermost loop. What has ended around it begins anew.
 */
export function entriesToReplay(
	located: readonly StoredEntryAt[],
	target: StoredEntryAt,
): StoredEntryAt[] {
	const from = restartOf(located, target.segments);
	const sequence = from
		? Math.min(target.entry.createdSequence, from.entry.createdSequence)
		: target.entry.createdSequence;
	const path = from ? pathOf(from.segments) : null;
	return located.filter(
		({ segments, entry }) =>
			entry.createdSequence >= sequence ||
			(path !== null && isAtOrBelow(segments, new Set([path]))),
	);
}

/** The entry around a step that has to begin anew with it; null for none. */
function restartOf(
	located: readonly StoredEntryAt[],
	segments: readonly Segment[],
): StoredEntryAt | null {
	const byPath = new Map(located.map((at) => [pathOf(at.segments), at]));
	let innermostLoop: StoredEntryAt | null = null;
	let outermostEnded: StoredEntryAt | null = null;
	for (let length = 1; length < segments.length; length++) {
		const around = byPath.get(pathOf(segments.slice(0, length)));
		if (!around) continue;
		if (around.entry.is("loop")) innermostLoop = around;
		if (around.entry.isFinished) outermostEnded ??= around;
	}
	if (!outermostEnded || !innermostLoop) return outermostEnded ?? innermostLoop;
	return outermostEnded.segments.length < innermostLoop.segments.length
		? outermostEnded
		: innermostLoop;
}

export function isAtOrBelow(segments: readonly Segment[], paths: ReadonlySet<string>): boolean {
	for (let length = 1; length <= segments.length; length++) {
		if (paths.has(pathOf(segments.slice(0, length)))) return true;
	}
	return false;
}
