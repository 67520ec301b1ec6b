import type { Entry } from "./entry.ts";
import { Location, type Segment } from "./location.ts";

/** One entry with where it is. */
export interface LocatedEntry {
	readonly segments: readonly Segment[];
	readonly entry: Entry;
}

/** The path that names an entry in its id. */
export function pathOf(segments: readonly Segment[]): string {
	let location = Location.root;
	for (const segment of segments.slice(0, -1)) location = location.child(segment);
	return location.pathOf(segments.at(-1)!);
}
