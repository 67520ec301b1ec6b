import type { Entry, StoredMessage } from "./entry.ts";
import { pathOf } from "./located-entry.ts";
import { isAtOrBelow, isPlainWait, openMessages, type StoredEntryAt } from "./rewind.ts";
import { Surroundings } from "./surroundings.ts";

/** What `recover` takes back, which joins and races it has go on, and what it has stay. */
export interface Recovery {
	readonly gone: StoredEntryAt[];
	readonly reopened: StoredEntryAt[];
	/** What code came to before it threw a failure on: it need not come to that again. */
	readonly optional: StoredEntryAt[];
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
	const gone = new Set<StoredEntryAt>();
	const reopened = new Set<StoredEntryAt>();
	const thrownOn = new Set<StoredEntryAt>();
	for (const at of located) {
		const { segments, entry } = at;
		if (isAtOrBelow(segments, beginnings)) gone.add(at);
		else if (around.isPast(at) || isSettled(at)) continue;
		else if (isFailed(entry) || timedOut.has(pathOf(segments))) {
			if (entry.is("join") || entry.is("race")) reopened.add(at);
			else gone.add(at);
			for (const later of around.beforeThrownOn(at)) thrownOn.add(later);
		} else if (openMessages(entry).length > 0 || hasReturned(entry)) gone.add(at);
	}
	const optional = [...thrownOn].filter((at) => !gone.has(at) && !reopened.has(at));
	return { gone: [...gone], reopened: [...reopened], optional };
}

function isFailed({ status }: Entry): boolean {
	return status === "failed" || status === "exhausted";
}

/** Something that will be done again, and may turn out otherwise. */
function isFailure(entry: Entry): boolean {
	return isFailed(entry) || entry.rollbackCompletedAt > 0;
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

/** A join or race that has failed, as it was before it came to its end. */
export function reopen({ entry }: StoredEntryAt): void {
	if (!entry.is("join") && !entry.is("race")) return;
	entry.status = "running";
	entry.error = null;
	entry.completedAt = 0;
	entry.completedSequence = 0;
	entry.data = { branches: entry.data.branches };
}
