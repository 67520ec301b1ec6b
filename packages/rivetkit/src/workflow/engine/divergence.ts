import { HistoryDivergedError } from "../errors.ts";
import type { Entry, Kind } from "../history/entry.ts";
import { isInnerId } from "../history/location.ts";
import type { Scope } from "./scope.ts";

/** An entry of a scope, by its name there. */
interface Named {
	readonly name: string;
	readonly entry: Entry;
}

/** Two entries of one scope have this name. */
export function duplicateName(scope: Scope, name: string): HistoryDivergedError {
	const path = pathIn(scope, name);
	return new HistoryDivergedError(
		`Duplicate entry name "${name}" at location "${path}". Names are unique in their scope.`,
		{ path, reason: "duplicate" },
	);
}

/** The code asks for one kind of entry, and another one was recorded (workflows 4.4). */
export function wrongKind(
	scope: Scope,
	kind: Kind,
	{ name, entry }: Named,
	versionNote: string,
): HistoryDivergedError {
	const path = pathIn(scope, name);
	const advice =
		entry.kind === "removed"
			? `The code said removed("${name}") before; give the new entry another name.`
			: `Give the new entry another name, and tell of the old one with removed("${name}", "${entry.kind}").`;
	return new HistoryDivergedError(
		`Expected ${kind} "${name}" at ${path}, found ${entry.kind}. ${advice}\n${diff(scope, { kind, name })}${versionNote}`,
		{ path, reason: "kind" },
	);
}

/** A scope has come to its end without an entry that was recorded in it (workflows 4.5). */
export function notVisited(
	scope: Scope,
	{ name, entry }: Named,
	versionNote: string,
): HistoryDivergedError {
	const path = pathIn(scope, name);
	const message = `Entry "${path}" exists in history but was not visited. If it is gone from the code, say removed("${name}", "${removableKind(entry)}") there; if it has another name now, say so as well.`;
	return new HistoryDivergedError(`${message}\n${diff(scope, null)}${versionNote}`, {
		path,
		reason: "not visited",
	});
}

/** A rollback does not come to something that it has to undo. */
export function notUndone(
	scope: Scope,
	{ name, entry }: Named,
	versionNote: string,
): HistoryDivergedError {
	const path = pathIn(scope, name);
	const what = entry.kind === "step" ? "Step" : `What was done in ${entry.kind}`;
	const message = `${what} "${path}" is to be undone, and the code does not come to it any more. Deploy code that does, say removed("${name}", "${removableKind(entry)}") there, or end the workflow as it is: cancel({ rollback: false }).`;
	return new HistoryDivergedError(`${message}\n${diff(scope, null)}${versionNote}`, {
		path,
		reason: "not visited",
	});
}

function pathIn(scope: Scope, name: string): string {
	return scope.location.pathOf({ kind: "name", name });
}

function removableKind({ kind }: Entry): string {
	return kind === "try" ? "step" : kind;
}

/** What history has and what the code asked for, in one list. */
const DIFF_LINES_MAX = 20;

function diff(scope: Scope, asked: { readonly kind: Kind; readonly name: string } | null): string {
	const lines: string[] = [];
	for (const [name, entry] of scope.records ?? []) {
		if (isInnerId(name)) continue;
		if (name === asked?.name) lines.push(`- ${entry.kind} "${name}"`, `+ ${asked.kind} "${name}"`);
		else lines.push(`${scope.visited.has(name) ? " " : "-"} ${entry.kind} "${name}"`);
	}
	const more = lines.length - DIFF_LINES_MAX;
	const shown = more > 0 ? [...lines.slice(0, DIFF_LINES_MAX), `  … ${more} more`] : lines;
	const where = scope.location.path === "" ? "the root" : scope.location.path;
	return [`In ${where} (- recorded and not asked for, + asked for):`, ...shown].join("\n");
}
