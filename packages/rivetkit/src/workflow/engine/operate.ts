import type { Entry, Kind } from "../history/entry.ts";
import { never } from "./code-error.ts";
import { duplicateName, wrongKind } from "./divergence.ts";
import { checkName } from "./entry-name.ts";
import type { Execution } from "./execution.ts";
import { type Asked, afterEnd, insideStep, secondInScope } from "./in-progress.ts";
import type { Scope } from "./scope.ts";

/**
 * One operation of a scope: checks that it may begin and that history agrees, then does it. The promise
 * never settles when the execution does not go on. One that is rejected and that nobody waits for is not
 * the end of the process: its scope stays busy or tells of it with the next operation.
 */
export function operate<K extends Kind, T>(
	execution: Execution,
	scope: Scope,
	kind: K,
	rawName: unknown,
	work: (entry: Entry<K> | undefined, name: string) => Promise<T>,
): Promise<T> {
	try {
		return begin(execution, scope, kind, rawName, work);
	} catch (error) {
		const rejected = Promise.reject(error);
		rejected.catch(noop);
		return rejected;
	}
}

function begin<K extends Kind, T>(
	execution: Execution,
	scope: Scope,
	kind: K,
	rawName: unknown,
	work: (entry: Entry<K> | undefined, name: string) => Promise<T>,
): Promise<T> {
	const attempt = execution.currentAttempt();
	if (attempt) throw insideStep(`${kind} "${String(rawName)}"`, attempt.stepName);
	if (isOver(execution, scope)) {
		return refuse(execution, scope, { kind, name: String(rawName) });
	}
	if (scope.open) throw secondInScope(scope, { kind, name: String(rawName) });
	const name = checkName(rawName);
	if (scope.visited.has(name)) return execution.block(duplicateName(scope, name));
	const entry = scope.records?.get(name);
	if (entry && !entry.is(kind)) {
		return execution.block(wrongKind(scope, kind, { name, entry }, execution.owner.versionNote));
	}
	scope.visited.add(name);
	execution.replayCheck?.visit(scope, kind, name);
	execution.begun++;
	scope.open = { kind, name };
	let working: Promise<T>;
	try {
		working = work(entry as Entry<K> | undefined, name);
	} catch (error) {
		scope.open = null;
		throw error;
	}
	const done: Promise<T> = working.then(
		(value) => {
			scope.open = null;
			return value;
		},
		(error: unknown) => {
			scope.open = null;
			// Not before it fails: a wait that lasts would keep one promise more.
			done.catch(noop);
			throw error;
		},
	);
	return done;
}

/** Whether nothing begins in a scope any more. */
export function isOver(execution: Execution, scope: Scope): boolean {
	return scope.hasEnded || execution.isStoppedIn(scope);
}

/**
 * Code that is not to go on hears nothing of it; other code that uses its context is wrong. What an iteration or a block
 * has left behind when it failed cannot be told from the code around it: the log says so.
 */
export function refuse<T>(execution: Execution, scope: Scope, asked: Asked): Promise<T> {
	if (execution.isStoppedHere) return never();
	if (execution.isRollback) return execution.park();
	const error = afterEnd(scope, asked);
	const { failed } = scope;
	if (!failed || !execution.currentStrand.isWithin(failed.strand)) return execution.block(error);
	execution.host.log.warn(
		{ err: error },
		"something is begun with the context of code that has failed; it never ends",
	);
	return never();
}

function noop(): void {}
