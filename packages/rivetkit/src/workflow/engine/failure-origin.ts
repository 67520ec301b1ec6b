import type { Entry } from "../history/entry.ts";
import type { Execution } from "./execution.ts";
import type { Scope } from "./scope.ts";

/** An entry that has failed, or whose time was over. */
interface Origin {
	readonly scope: Scope;
	readonly key: Uint8Array;
	readonly entry: Entry<"step" | "message" | "join" | "race">;
}

/** Causes of causes that are looked at. */
const CAUSES_MAX = 16;

const origins = new WeakMap<object, Origin>();

/** Which entry an error came out of, for as long as it travels. */
export function noteOrigin<E extends Error>(error: E, origin: Origin): E {
	origins.set(error, origin);
	return error;
}

/** The same error as it was recorded. */
export function carryOrigin(from: unknown, to: Error): Error {
	const origin = originOf(from);
	if (origin) origins.set(to, origin);
	return to;
}

/** Of an error, or of the first of its causes that has one. */
function originOf(error: unknown): Origin | null {
	let at = error;
	for (let depth = 0; depth < CAUSES_MAX && typeof at === "object" && at !== null; depth++) {
		const origin = origins.get(at);
		if (origin) return origin;
		at = (at as { cause?: unknown }).cause;
	}
	return null;
}

/**
 * A scope's code has failed with an error: the record of the entry that it came out of says how far out it got. Not of an
 * entry of what has ended well, or of a branch that is forgotten: its record may be gone.
 */
export function noteThrown({ journal }: Execution, scope: Scope, error: unknown): void {
	const origin = originOf(error);
	if (!origin) return;
	for (let at: Scope | null = origin.scope; at !== scope; at = at.parent) {
		if (at === null || at.hasEnded) return;
	}
	const { key, entry } = origin;
	const { depth } = scope.location;
	if ((entry.data.thrownTo ?? Number.POSITIVE_INFINITY) <= depth) return;
	entry.data.thrownTo = depth;
	journal.entry(key, entry);
}
