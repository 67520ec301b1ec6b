import { createHash } from "node:crypto";
import type { Entry } from "../history/entry.ts";
import type { Execution } from "./execution.ts";
import type { Scope } from "./scope.ts";

/**
 * A name for an entry that is the same for all its tries and after every crash, and another one when the
 * history was taken back on purpose: a UUID made of actor, epoch and location.
 */
export function entryId(execution: Execution, scope: Scope, entry: Entry, name: string): string {
	return idOf(execution.host.actorId, entry.epoch, scope.location.pathOf({ kind: "name", name }));
}

export function idOf(actorId: string, epoch: number, path: string): string {
	const hex = createHash("sha256").update(`${actorId}\n${epoch}\n${path}`).digest("hex");
	const parts = [hex.slice(0, 8), hex.slice(8, 12), `8${hex.slice(13, 16)}`];
	return [...parts, `a${hex.slice(17, 20)}`, hex.slice(20, 32)].join("-");
}
