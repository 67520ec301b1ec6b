import { isSameValue } from "../../values/equal.ts";
import { mergeMineFirst, mergeValues } from "../../values/merge.ts";

/** Edits of a value, each of which can be taken back. */
export interface Draft {
	/** What the server had when the editing began; what is compared with to see a conflict. */
	readonly base: unknown;
	/** From the base to the newest edit. Never empty. */
	readonly versions: readonly unknown[];
	/** Which of them is shown. */
	readonly at: number;
}

/** Versions that are kept: a long session forgets its first edits. */
const VERSIONS_MAX = 200;

export function startDraft(base: unknown): Draft {
	return { base, versions: [base], at: 0 };
}

export function currentOf({ versions, at }: Draft): unknown {
	return versions[at];
}

/** Whether there is something to save. */
export function isUnsaved(draft: Draft): boolean {
	return !isSameValue(currentOf(draft), draft.base);
}

/** An edit on top of what is shown; what was taken back before is forgotten. */
export function edited({ base, versions, at }: Draft, value: unknown): Draft {
	const kept = [...versions.slice(0, at + 1), value].slice(-VERSIONS_MAX);
	return { base, versions: kept, at: kept.length - 1 };
}

export function canUndo({ at }: Draft): boolean {
	return at > 0;
}

export function canRedo({ versions, at }: Draft): boolean {
	return at < versions.length - 1;
}

export function undone(draft: Draft): Draft {
	return canUndo(draft) ? { ...draft, at: draft.at - 1 } : draft;
}

export function redone(draft: Draft): Draft {
	return canRedo(draft) ? { ...draft, at: draft.at + 1 } : draft;
}

/** What somebody saw of a state when an edit began. */
export interface Sight {
	readonly value: unknown;
	/** Null while there was none. */
	readonly draft: Draft | null;
	/** What the actor had. */
	readonly stored: unknown;
}

/** What an edit of what was seen goes on top of. */
function draftOf({ draft, stored }: Sight): Draft {
	return draft !== null && isUnsaved(draft) ? draft : caughtUp(draft ?? startDraft(stored), stored);
}

/**
 * An edit that began with what was seen then, on top of what is seen now. Where both changed the same it goes on top of what was
 * seen then: it is behind what the actor has, and that shows.
 */
export function editedSince(then: Sight, now: Sight, value: unknown): Draft {
	const merged = mergeValues(then.value, value, now.value);
	return merged === null ? edited(draftOf(then), value) : edited(draftOf(now), merged.value);
}

/** A draft that has nothing to save, with what the actor has made of its state since. */
export function caughtUp(draft: Draft, stored: unknown): Draft {
	return isSameValue(currentOf(draft), stored) ? draft : rebased(edited(draft, stored), stored);
}

/** The same edits over another base: after a save. */
export function rebased(draft: Draft, base: unknown): Draft {
	return { ...draft, base };
}

/**
 * The same edits on top of what the actor wrote meanwhile; null where what is shown changes the same. What can be taken back
 * and done again ends where a version does not go together with that.
 */
export function rebasedOnto({ base, versions, at }: Draft, stored: unknown): Draft | null {
	const rebase = (version: unknown) => mergeValues(base, version, stored);
	const shown = rebase(versions[at]);
	if (shown === null) return null;
	const before = untilClash(versions.slice(0, at).reverse().map(rebase)).reverse();
	const after = untilClash(versions.slice(at + 1).map(rebase));
	return { base: stored, versions: [...before, shown.value, ...after], at: before.length };
}

/** The same where what is shown changes the same: it replaces what the actor wrote there, and only there. */
export function forcedOnto(draft: Draft, stored: unknown): Draft {
	const value = mergeMineFirst(draft.base, currentOf(draft), stored);
	return edited(startDraft(stored), value);
}

function untilClash(merged: readonly ({ readonly value: unknown } | null)[]): unknown[] {
	const clash = merged.indexOf(null);
	return merged.slice(0, clash < 0 ? merged.length : clash).map((one) => one?.value);
}
