import { rawOf } from "./node-of.ts";
import { MapKey } from "./tracked-node.ts";
import { valueKind } from "./value-kind.ts";

/** Members (properties, elements, entries) that one search looks at before it gives up. */
const MEMBERS_PER_SEARCH = 2_000;

/** An object in a tree, and how it is reached. */
export interface Place {
	readonly raw: object;
	/** The place of the object that contains it; undefined for the root. */
	readonly parent: Place | undefined;
	/** Its key in there, as {@link TrackedNode.at}. */
	readonly at: unknown;
}

/** Where `target` is in the tree of `root`; `unknown` when the search became too long. */
export function findObject(root: unknown, target: object): Place | "absent" | "unknown" {
	if (typeof root !== "object" || root === null) return "absent";
	const pending: Place[] = [{ raw: root, parent: undefined, at: undefined }];
	let membersLeft = MEMBERS_PER_SEARCH;
	for (let place = pending.pop(); place !== undefined; place = pending.pop()) {
		if (place.raw === target) return place;
		for (const [at, member] of membersOf(place.raw)) {
			if (--membersLeft < 0) return "unknown";
			const raw = rawOf(member);
			if (typeof raw === "object" && raw !== null) pending.push({ raw, parent: place, at });
		}
	}
	return "absent";
}

function membersOf(raw: object): Iterable<[at: unknown, member: unknown]> {
	switch (valueKind(raw)) {
		case "array":
			return (raw as unknown[]).entries();
		case "object":
		case "instance":
			return Object.entries(raw);
		case "map":
			return keysAndValues(raw as Map<unknown, unknown>);
		case "set":
			return (raw as Set<unknown>).entries();
		default:
			return [];
	}
}

function* keysAndValues(map: Map<unknown, unknown>): Iterable<[at: unknown, member: unknown]> {
	for (const [key, value] of map) {
		yield [new MapKey(key), key];
		yield [key, value];
	}
}
