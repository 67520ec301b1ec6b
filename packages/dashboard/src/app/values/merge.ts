import { isSameValue } from "./equal.ts";
import { kindOf } from "./kinds.ts";
import { mergeLists } from "./merge-lists.ts";

/** Stands for what is not there. */
const GONE = Symbol("gone");
const CLASH = Symbol("clash");

/**
 * What two made of the same value, in one. Objects, and maps with simple keys, are put together member by member, lists
 * where each changed another part; anything else is one piece. Null when both changed the same piece differently.
 */
export function mergeValues(
	base: unknown,
	mine: unknown,
	theirs: unknown,
): { readonly value: unknown } | null {
	const value = merged(base, mine, theirs, () => CLASH);
	return value === CLASH ? null : { value };
}

/** The same, where pieces that both changed are mine. */
export function mergeMineFirst(base: unknown, mine: unknown, theirs: unknown): unknown {
	return merged(base, mine, theirs, (own) => own);
}

function merged(
	base: unknown,
	mine: unknown,
	theirs: unknown,
	onClash: (mine: unknown) => unknown,
): unknown {
	if (isSame(mine, theirs) || isSame(base, mine)) return theirs;
	if (isSame(base, theirs)) return mine;
	if (Array.isArray(base) && Array.isArray(mine) && Array.isArray(theirs)) {
		return mergeLists(base, mine, theirs) ?? onClash(mine);
	}
	const [was, own, other] = [membersOf(base), membersOf(mine), membersOf(theirs)];
	if (was === null || own === null || other === null) return onClash(mine);
	if (kindOf(base) !== kindOf(mine) || kindOf(mine) !== kindOf(theirs)) {
		return onClash(mine);
	}
	const members = new Map<unknown, unknown>();
	for (const key of new Set([...other.keys(), ...own.keys()])) {
		const value = merged(memberOf(was, key), memberOf(own, key), memberOf(other, key), onClash);
		if (value === CLASH) return CLASH;
		if (value !== GONE) members.set(key, value);
	}
	return theirs instanceof Map ? members : Object.fromEntries(members as Map<string, unknown>);
}

function membersOf(value: unknown): ReadonlyMap<unknown, unknown> | null {
	if (value === GONE) return null;
	if (value instanceof Map) return [...value.keys()].every(isSimple) ? value : null;
	return kindOf(value) === "object" ? new Map(Object.entries(value as object)) : null;
}

function memberOf(members: ReadonlyMap<unknown, unknown>, key: unknown): unknown {
	return members.has(key) ? members.get(key) : GONE;
}

/** Whether it is found again in another map. */
function isSimple(key: unknown): boolean {
	return key === null || typeof key !== "object";
}

function isSame(a: unknown, b: unknown): boolean {
	if (a === GONE || b === GONE) return a === b;
	return isSameValue(a, b);
}
