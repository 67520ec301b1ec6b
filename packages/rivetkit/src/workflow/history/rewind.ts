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
 * it; a wait whose time was over waits anew, if the code has not gone on from that. Failures inside of something that has ended, or of an iteration that is over, are past; so are those of what
 * gave messages back that others have handled since, if the code went on after it: it would wait for them for ever.
 */
export function entriesToRecover(
	located: readonly StoredEntryAt[],
	isQueued: (message: StoredMessage) => boolean,
): Recovery {
	const around = new Surroundings(located);
	const undone = new Set<string>();
	const restarts: Restart[] = [];
	const settled = new Set<string>();
	for (const at of located) {
		const { entry } = at;
		if (entry.rollbackCompletedAt > 0) undone.add(around.restartOfUndone(at));
		if (!hasReturned(entry)) continue;
		const from = around.restartOfReturned(at);
		const isPlain = isPlainWait(entry);
		if (isPlain && from !== null) restarts.push({ at, from });
		const isPast = isPlain ? from === null : around.isPast(at);
		if (isPast || !hasLost(entry, isQueued) || !around.hasGoneOn(at)) continue;
		settled.add(around.givenUpWith(at));
	}
	const timedOut = new Set(
		located.filter((at) => around.hasFailedByTime(at)).map(({ segments }) => pathOf(segments)),
	);
	const recovery = takeBack(located, around, { undone, restarts, settled, timedOut });
	// Code that went on only to throw again has not caught it: this failure is the workflow's.
	const isOfUse =
		recovery.reopened.length > 0 ||
		recovery.gone.some(({ segments, entry }) => isFailure(entry) || timedOut.has(pathOf(segments)));
	if (isOfUse) return recovery;
	return takeBack(located, around, { undone, restarts, settled: new Set(), timedOut });
}

/** A wait whose plain messages went back, and where what has lost them begins anew. */
interface Restart {
	readonly at: StoredEntryAt;
	readonly from: string;
}

interface Beginnings {
	/** Of what was undone. */
	readonly undone: ReadonlySet<string>;
	readonly restarts: readonly Restart[];
	/** What stays as it is, with all in it. */
	readonly settled: ReadonlySet<string>;
	/** Waits whose time was over, and that is why what is around them failed. */
	readonly timedOut: ReadonlySet<string>;
}

function takeBack(
	located: readonly StoredEntryAt[],
	around: Surroundings,
	{ undone, restarts, settled, timedOut }: Beginnings,
): Recovery {
	const isSettled = ({ segments }: StoredEntryAt) => isAtOrBelow(segments, settled);
	const anew = restarts.filter(({ at }) => !isSettled(at)).map(({ from }) => from);
	const beginnings = new Set([...undone, ...anew]);
	const gone: StoredEntryAt[] = [];
	const reopened: StoredEntryAt[] = [];
	for (const at of located) {
		const { segments, entry } = at;
		if (isAtOrBelow(segments, beginnings)) gone.push(at);
		else if (around.isPast(at) || isSettled(at)) continue;
		else if (entry.status === "failed" && (entry.is("join") || entry.is("race"))) reopened.push(at);
		else if (entry.status === "failed" || entry.status === "exhausted") gone.push(at);
		else if (timedOut.has(pathOf(segments))) gone.push(at);
		else if (openMessages(entry).length > 0 || hasReturned(entry)) gone.push(at);
	}
	return { gone, reopened };
}

/** Something that will be done again, and may turn out otherwise. */
function isFailure({ status, rollbackCompletedAt }: Entry): boolean {
	return status === "failed" || status === "exhausted" || rollbackCompletedAt > 0;
}

/** Entries by where they are, to find those around others. */
class Surroundings {
	readonly #byPath: ReadonlyMap<string, Entry>;
	/** The order of the latest entry that was begun, by the scope that it is in. */
	readonly #latest = new Map<string, number>();

	constructor(located: readonly StoredEntryAt[]) {
		const entries = located.map(({ segments, entry }): [string, Entry] => {
			// How a branch ended stands for the branch.
			const path = entry.is("outcome") ? segments.slice(0, -1) : segments;
			return [pathOf(path), entry];
		});
		this.#byPath = new Map(entries);
		for (const at of located) {
			// How a scope ended is nothing that its code went on to.
			if (at.entry.is("outcome") || at.entry.is("start")) continue;
			const scope = scopeOf(at);
			const latest = this.#latest.get(scope) ?? 0;
			this.#latest.set(scope, Math.max(latest, at.entry.createdSequence));
		}
	}

	/** Whether the code has come to something behind what is around an entry: it has caught how that failed. */
	hasGoneOn({ segments }: StoredEntryAt): boolean {
		for (let length = 1; length < segments.length; length++) {
			const around = segments.slice(0, length);
			const entry = this.#byPath.get(pathOf(around));
			if (!entry || entry.is("outcome")) continue;
			const scope = pathOrRoot(around.slice(0, -1));
			if ((this.#latest.get(scope) ?? 0) > entry.createdSequence) return true;
		}
		return false;
	}

	/** Whether a wait for one message has thrown that its time was over, and nobody has gone on from that. */
	hasFailedByTime(at: StoredEntryAt): boolean {
		const { entry } = at;
		if (!entry.is("message") || entry.data.isBatch || !entry.data.hasTimedOut) return false;
		const hasGoneOnHere = (this.#latest.get(scopeOf(at)) ?? 0) > entry.createdSequence;
		return !hasGoneOnHere && !this.isPast(at) && !this.hasGoneOn(at);
	}

	/**
	 * What ended with the messages of an entry given back, as a path: the join that has cancelled a branch with it, or else
	 * the scope that it is in.
	 */
	givenUpWith(at: StoredEntryAt): string {
		for (let length = at.segments.length - 1; length > 0; length--) {
			const path = pathOf(at.segments.slice(0, length));
			const entry = this.#byPath.get(path);
			if (!entry?.is("join") || entry.status !== "failed") continue;
			const branch = this.#byPath.get(pathOf(at.segments.slice(0, length + 1)));
			if (!branch?.is("outcome")) return path;
		}
		return scopeOf(at);
	}

	/** Whether something around an entry has come to its end, and not because it failed, or its iteration is over. */
	isPast(at: StoredEntryAt): boolean {
		return this.#hasEndedAround(at) || this.#passedLoop(at) !== null;
	}

	/** Where what has to be done again begins: at the step itself, if the code comes to it once more. */
	restartOfUndone(at: StoredEntryAt): string {
		const { segments } = at;
		const passed = this.#outermost(
			segments,
			(entry, next) => entry.status === "completed" || hasPassed(entry, next),
		);
		return passed ?? pathOf(segments);
	}

	/**
	 * Where what has lost its messages begins anew: a loop that has counted them will receive them again. Null when
	 * nobody waits for them any more: what was given up with them has ended, or is of an iteration that is over.
	 */
	restartOfReturned(at: StoredEntryAt): string | null {
		if (this.#hasEndedAround(at)) return null;
		const loop = this.#passedLoop(at);
		if (loop === null) return pathOf(at.segments);
		const givenUp = this.#outermost(
			at.segments,
			(entry) => entry.status === "failed" && (entry.is("join") || entry.is("race")),
		);
		return givenUp !== null && givenUp.length < loop.length ? loop : null;
	}

	#hasEndedAround({ segments }: StoredEntryAt): boolean {
		return this.#outermost(segments, (entry) => entry.status === "completed") !== null;
	}

	/** The outermost loop around an entry that has come to later iterations since. */
	#passedLoop({ segments }: StoredEntryAt): string | null {
		return this.#outermost(segments, hasPassed);
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

/** Whether a loop has left the iteration that is next on the way to an entry. */
function hasPassed(entry: Entry, next: Segment | undefined): boolean {
	if (!entry.is("loop") || next?.kind !== "iteration") return false;
	return next.iteration < entry.data.iteration;
}

/** Completable messages that a wait has received, and that were neither completed nor given back. */
export function openMessages(entry: Entry): StoredMessage[] {
	if (!entry.is("message") || !entry.data.isCompletable) return [];
	return (entry.data.messages ?? []).filter(
		({ isCompleted, isReturned }) => !isCompleted && !isReturned,
	);
}

/** Whether messages that a wait has received went back to the queue. */
function hasReturned(entry: Entry): boolean {
	return entry.is("message") && (entry.data.messages ?? []).some(({ isReturned }) => isReturned);
}

/** Whether a message that went back to the queue is not in it any more. */
function hasLost(entry: Entry, isQueued: (message: StoredMessage) => boolean): boolean {
	if (!entry.is("message")) return false;
	return (entry.data.messages ?? []).some((message) => message.isReturned && !isQueued(message));
}

function isPlainWait(entry: Entry): entry is Entry<"message"> {
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

function scopeOf({ segments }: StoredEntryAt): string {
	return pathOrRoot(segments.slice(0, -1));
}

function pathOrRoot(segments: readonly Segment[]): string {
	return segments.length === 0 ? "" : pathOf(segments);
}

function isAtOrBelow(segments: readonly Segment[], paths: ReadonlySet<string>): boolean {
	for (let length = 1; length <= segments.length; length++) {
		if (paths.has(pathOf(segments.slice(0, length)))) return true;
	}
	return false;
}
