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

/** What `recover` takes back, and which joins and races it has go on. */
export interface Recovery {
	readonly gone: StoredEntryAt[];
	readonly reopened: StoredEntryAt[];
}

/**
 * Recovery from a failure: what failed is done again, and what was undone, with everything that was built upon
 * it. Failures inside of something that has ended are past.
 */
export function entriesToRecover(located: readonly StoredEntryAt[]): Recovery {
	const around = new Surroundings(located);
	const restarts = new Set<string>();
	for (const at of located) {
		const { entry } = at;
		// A loop that has counted messages which went back to the queue since will receive them again.
		const isUndone = entry.rollbackCompletedAt > 0;
		if (isUndone || (hasReturned(entry) && !around.hasEndedAround(at))) {
			restarts.add(around.restartOfUndone(at));
		}
	}
	const gone: StoredEntryAt[] = [];
	const reopened: StoredEntryAt[] = [];
	for (const at of located) {
		const { segments, entry } = at;
		if (restarts.has(pathOf(segments)) || isBelow(segments, restarts)) gone.push(at);
		else if (around.hasEndedAround(at)) continue;
		else if (entry.status === "failed" && (entry.is("join") || entry.is("race"))) reopened.push(at);
		else if (entry.status === "failed" || entry.status === "exhausted") gone.push(at);
		else if (openMessages(entry).length > 0 || hasReturned(entry)) gone.push(at);
	}
	return { gone, reopened };
}

/** Entries by where they are, to find those around others. */
class Surroundings {
	readonly #byPath: ReadonlyMap<string, Entry>;

	constructor(located: readonly StoredEntryAt[]) {
		const entries = located.map(({ segments, entry }): [string, Entry] => {
			// How a branch ended stands for the branch.
			const path = entry.is("outcome") ? segments.slice(0, -1) : segments;
			return [pathOf(path), entry];
		});
		this.#byPath = new Map(entries);
	}

	/** Whether something around an entry has come to its end, and not because it failed. */
	hasEndedAround({ segments }: StoredEntryAt): boolean {
		return this.#outermost(segments, (entry) => entry.status === "completed") !== null;
	}

	/** Where what has to be done again begins: at the step itself, if the code comes to it once more. */
	restartOfUndone({ segments }: StoredEntryAt): string {
		const passed = this.#outermost(segments, (entry, next) => {
			if (entry.status === "completed") return true;
			if (!entry.is("loop") || next?.kind !== "iteration") return false;
			return next.iteration < entry.data.iteration;
		});
		return passed ?? pathOf(segments);
	}

	#outermost(
		segments: readonly Segment[],
		is: (entry: Entry, next: Segment | undefined) => boolean,
	): string | null {
		for (let length = 1; length < segments.length; length++) {
			const path = pathOf(segments.slice(0, length));
			const entry = this.#byPath.get(path);
			if (entry && is(entry, segments[length])) return path;
		}
		return null;
	}
}

/** Completable messages that a wait has received and that were not completed. */
export function openMessages(entry: Entry): StoredMessage[] {
	if (!entry.is("message") || !entry.data.isCompletable) return [];
	return (entry.data.messages ?? []).filter(({ isCompleted }) => !isCompleted);
}

/** Whether messages that a wait has received went back to the queue. */
function hasReturned(entry: Entry): boolean {
	return entry.is("message") && (entry.data.messages ?? []).some(({ isReturned }) => isReturned);
}

/**
 * Plain messages that entries have, which are taken back: they have nobody else. Not those that the same
 * entries sent, and will send again.
 */
export function messagesToReturn(entries: readonly StoredEntryAt[]): StoredMessage[] {
	const sentAgain = new Set<number>();
	for (const { entry } of entries) {
		if (entry.is("send") && !entry.data.isOnce) sentAgain.add(entry.data.id);
		if (entry.is("step")) for (const id of entry.data.sent ?? []) sentAgain.add(id);
	}
	return entries
		.flatMap(({ entry }) => {
			const isPlain = entry.is("message") && entry.data.isCompletable === false;
			return isPlain ? keptMessages(entry.data.messages) : [];
		})
		.filter(({ id }) => !sentAgain.has(id))
		.sort((a, b) => a.id - b.id);
}

/** A join or race that has failed, as it was before it came to its end. */
export function reopen({ entry }: StoredEntryAt): void {
	if (!entry.is("join") && !entry.is("race")) return;
	entry.status = "running";
	entry.error = null;
	entry.completedAt = 0;
	entry.completedSequence = 0;
	entry.data = { branches: entry.data.branches };
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
