import { AsyncLocalStorage } from "node:async_hooks";
import type { Strand } from "./strand.ts";

/** Which branch's code is running, across its waits; of no branch: nothing, or that of another workflow that called. */
const current = new AsyncLocalStorage<Strand>();

/** The strand whose code is running, of those at and below `root`. */
export function currentStrand(root: Strand): Strand {
	const strand = current.getStore();
	return strand?.isWithin(root) ? strand : root;
}

export function runAs<T>(strand: Strand, code: () => T): T {
	return current.run(strand, code);
}
