import type { Entry, StoredMessage } from "./entry.ts";
import { type LocatedEntry, pathOf } from "./located-entry.ts";
import { decodeKey, type Segment } from "./location.ts";
import { readEntries } from "./stored-entries.ts";

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

/** Entries that `recover` takes back: what failed, and what was undone, unless something around it has ended. */
export function entriesToRecover(located: readonly StoredEntryAt[]): StoredEntryAt[] {
	const ended = new Set(
		located
			.filter(({ entry }) => entry.isFinished && entry.status === "completed")
			.filter(({ entry }) => entry.rollbackCompletedAt === 0)
			.map(({ segments }) => pathOf(segments)),
	);
	return located.filter(({ segments, entry }) => {
		if (isBelow(segments, ended)) return false;
		if (entry.rollbackCompletedAt > 0) return true;
		if (openMessages(entry).length > 0) return true;
		return entry.status === "failed" || entry.status === "exhausted";
	});
}

/** Completable messages that a wait has received and that were not completed. */
export function openMessages(entry: Entry): StoredMessage[] {
	if (!entry.is("message") || !entry.data.isCompletable) return [];
	return (entry.data.messages ?? []).filter(({ isCompleted }) => !isCompleted);
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
			(path !== null && (pathOf(segments) === path || isBelow(segments, new Set([path])))),
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

function isBelow(segments: readonly Segment[], paths: ReadonlySet<string>): boolean {
	for (let length = 1; length < segments.length; length++) {
		if (paths.has(pathOf(segments.slice(0, length)))) return true;
	}
	return false;
}
