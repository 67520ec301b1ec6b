import { isSameValue } from "./equal.ts";

/** The one stretch of a list in which another list differs from it. */
interface Hunk {
	/** From this place of the list, up to `end`; where equal items stand side by side, wherever it may have been. */
	readonly start: number;
	readonly end: number;
	/** What stands there in the other list. */
	readonly items: readonly unknown[];
}

/**
 * What two made of the same list, in one. Items have no names, so one is known again only by being the same, in the same
 * order: what both changed has to lie apart. Null where it does not, or may not. What both put into the same place is
 * kept, theirs first.
 */
export function mergeLists(
	base: readonly unknown[],
	mine: readonly unknown[],
	theirs: readonly unknown[],
): unknown[] | null {
	const [own, other] = [hunkOf(base, mine), hunkOf(base, theirs)];
	if (other.end <= own.start) return spliced(base, other, own);
	return own.end <= other.start ? spliced(base, own, other) : null;
}

function spliced(base: readonly unknown[], first: Hunk, second: Hunk): unknown[] {
	return [
		...base.slice(0, first.start),
		...first.items,
		...base.slice(first.end, second.start),
		...second.items,
		...base.slice(second.end),
	];
}

function hunkOf(base: readonly unknown[], changed: readonly unknown[]): Hunk {
	const shorter = Math.min(base.length, changed.length);
	let before = 0;
	while (before < shorter && isSameValue(base[before], changed[before])) before++;
	let behind = 0;
	while (behind < shorter && isSameValue(base.at(-1 - behind), changed.at(-1 - behind))) behind++;
	const start = Math.min(before, shorter - behind);
	const fromEnd = Math.min(behind, shorter - before);
	return {
		start,
		end: base.length - fromEnd,
		items: changed.slice(start, changed.length - fromEnd),
	};
}
