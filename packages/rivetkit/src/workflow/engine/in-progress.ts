import { EntryInProgressError } from "../errors.ts";
import type { Kind } from "../history/entry.ts";
import { codeError } from "./code-error.ts";
import type { Scope } from "./scope.ts";

/** What code asks for, or has asked for and not seen the end of. */
export interface Asked {
	readonly kind: Kind;
	readonly name: string;
}

/** An operation begins while another one of its scope is open. */
export function secondInScope(scope: Scope, asked: Asked): EntryInProgressError {
	return busy(
		`${shown(scope, asked)} was started while ${shown(scope, scope.open!)} is open`,
		"Await each operation before the next, and use the context handed to the callback.",
	);
}

/** An operation begins inside of a step; `asked`: what it is called, or which member. */
export function insideStep(asked: string, step: string): EntryInProgressError {
	return busy(
		`${asked} was started inside of step "${step}"`,
		"A step does its work with what its callback gets; operations of the workflow come before or after it.",
	);
}

/** A scope has come to its end while an operation of it is open. */
export function openAtEnd(scope: Scope): EntryInProgressError {
	return codeError(
		new EntryInProgressError(
			`${shown(scope, scope.open!)} is still in progress at the end of ${scopeName(scope)}. Await it.`,
		),
	);
}

/** The code of a scope has ended, and its context is used again. */
export function afterEnd(scope: Scope, asked: Asked): EntryInProgressError {
	return codeError(
		new EntryInProgressError(
			`Cannot start ${shown(scope, asked)}: the code of ${scopeName(scope)} has ended. Use its context inside of its callback only, and await what is begun there.`,
		),
	);
}

function busy(what: string, advice: string): EntryInProgressError {
	return codeError(
		new EntryInProgressError(
			`Cannot start a new workflow entry while another is in progress. ${what}. ${advice}`,
		),
	);
}

function shown(scope: Scope, { kind, name }: Asked): string {
	// It has no name of its own, but that of its queue.
	if (kind === "send") return `send "${name}"`;
	return `${kind} "${scope.location.pathOf({ kind: "name", name })}"`;
}

function scopeName({ location }: Scope): string {
	return location.depth === 0 ? "the workflow" : `"${location.path}"`;
}
