import type { TrackedNode } from "./tracked-node.ts";

/** Under this key every proxy answers with its node; nobody outside this folder has the symbol. */
export const NODE: unique symbol = Symbol("rivetkit.state.node");

/** The node behind a proxy, and undefined for everything that is not one. */
export function nodeOf(value: unknown): TrackedNode | undefined {
	if (typeof value !== "object" || value === null) return undefined;
	const node = (value as { [NODE]?: TrackedNode })[NODE];
	// An object that merely inherits from a proxy answers as well.
	return node !== undefined && node.proxy === value ? node : undefined;
}

/** The untracked object behind a proxy; anything else as it is. */
export function rawOf(value: unknown): unknown {
	const node = nodeOf(value);
	return node === undefined ? value : node.raw;
}
