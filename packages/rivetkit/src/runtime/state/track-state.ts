import { inspectValue } from "./inspect-value.ts";
import { type Fault, invalidType } from "./invalid-type.ts";
import { StateTree } from "./state-tree.ts";

/** One tracked value tree. */
export interface TrackedState {
	/** What users see: a live proxy of the root, or the root itself when it is a primitive. */
	readonly value: unknown;
	/** The untracked root. Changing it is not noticed. */
	readonly raw: unknown;
	/**
	 * Makes `next` the root. One change, unless it is the same root. Throws `state.invalid_type`, with
	 * nothing changed, when it cannot be stored.
	 */
	replace(next: unknown): void;
	/**
	 * Adopts a root without check and without counting a change (load, rollback). Proxies of the old
	 * root stay usable as detached data.
	 */
	reset(raw: unknown): void;
}

/** What holds something that has changed. */
export interface ChangedHolder {
	/** From the root: `state.lines[3]`. Takes time to be put together. */
	pathTo(at: unknown): string;
}

export interface TrackStateOptions {
	/** How paths in errors begin: `state` or `conn.state`. */
	rootPath: string;
	/**
	 * Called once per detected change, after it is visible. Must be cheap.
	 *
	 * @param holder - of what has changed; undefined when it is the root
	 * @param at - where in it; undefined when it is the holder as a whole
	 */
	onChange(holder?: ChangedHolder, at?: unknown): void;
	/** Called before each write to the tree; throws to refuse it. */
	beforeWrite?(): void;
}

/**
 * Tracks changes of a value tree at any depth: properties, array methods (one call is one change),
 * `Map`, `Set`, `Date`, typed arrays, and the root. Writing an identical value (`Object.is`) is not a
 * change, reading never is. `raw` is adopted without a check.
 *
 * What is not noticed: changes through references to objects from before they were put in, through
 * the `buffer` of a typed array, and to parts that were removed from the tree.
 */
export function trackState(raw: unknown, options: TrackStateOptions): TrackedState {
	return new StateTree(raw, options);
}

/** Throws `state.invalid_type` with the path of the first part of `value` that cannot be stored. */
export function assertStorable(value: unknown, path: string): void {
	const fault = findUnstorable(value);
	if (fault !== undefined) throw invalidType(path + fault.path, fault.reason);
}

/** The first part of `value` that cannot be stored; undefined when all of it can. */
export function findUnstorable(value: unknown): Fault | undefined {
	return inspectValue(value).fault;
}
