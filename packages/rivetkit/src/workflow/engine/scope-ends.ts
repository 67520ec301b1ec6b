import type { Entry, StoredMessage } from "../history/entry.ts";
import { heldAgain } from "../history/stored-message.ts";
import { isCodeError } from "./code-error.ts";
import { notVisited } from "./divergence.ts";
import type { Execution } from "./execution.ts";
import { noteThrown } from "./failure-origin.ts";
import { openAtEnd } from "./in-progress.ts";
import { OpenMessage } from "./open-message.ts";
import type { Scope } from "./scope.ts";
import type { Strand } from "./strand.ts";

/** A completable message that is in this scope's hands, until it is completed or the scope is over. */
export function holdMessage(
	execution: Execution,
	scope: Scope,
	key: Uint8Array,
	entry: Entry,
	stored: StoredMessage,
): OpenMessage {
	const open = new OpenMessage(execution, scope, key, entry, stored);
	if (!stored.isCompleted && !stored.isReturned) {
		scope.addOpen(open);
		scope.strand.holding.add(scope);
	}
	return open;
}

/**
 * A scope has come to its end without an error: everything recorded in it was visited, and messages that
 * were not completed are given back.
 */
export function endScope(execution: Execution, scope: Scope): void {
	if (execution.isRollback) return;
	assertWhole(execution, scope);
	scope.hasEnded = true;
	scope.strand.holding.delete(scope);
	for (const message of scope.takeOpen()) message.giveBack();
	execution.live.leave(scope.strand, scope.liveBefore);
}

/** The function has returned. What it did not come to is only said, unless it is to be an error (workflows 4.5). */
export function endRoot(execution: Execution, { isStrict }: { readonly isStrict: boolean }): void {
	const { root, owner, host } = execution;
	const left = root.unvisited();
	if (isStrict || !left) assertWhole(execution, root);
	else {
		assertRested(root);
		host.log.warn({ workflow: left.name }, notVisited(root, left, owner.versionNote).message);
	}
}

function assertWhole({ owner }: Execution, scope: Scope): void {
	assertRested(scope);
	const left = scope.unvisited();
	if (left) throw notVisited(scope, left, owner.versionNote);
}

function assertRested(scope: Scope): void {
	if (scope.open) throw openAtEnd(scope);
}

/**
 * A scope's code has failed: nothing of it goes on, also what it did not wait for, and what is open in it and below is
 * given back. Code that comes here again from records is told so by them, and does not have it again.
 */
export function failScope(execution: Execution, scope: Scope, reason: unknown): void {
	const { strand } = scope;
	if (execution.isRollback || isCodeError(reason) || execution.isStoppedIn(scope)) return;
	scope.hasFailed = true;
	noteThrown(execution, scope, reason);
	abandon(execution, [...strand.children], reason);
	giveBackUndecided(execution, strand);
	strand.callOff(reason);
	for (const holder of [...strand.holding]) {
		if (!holder.isWithin(scope)) continue;
		strand.holding.delete(holder);
		for (const message of holder.takeOpen()) message.giveBack();
	}
	execution.live.leave(strand, scope.liveBefore);
}

/**
 * Strands are given up: they do not go on, and what they have of the queue is given back. A plain message
 * takes its old place, unless a step has been done with it.
 */
export function abandon(execution: Execution, strands: readonly Strand[], reason: unknown): void {
	// First of all: what waits for messages would get those that go back.
	for (const strand of strands) strand.callOffAll(reason);
	for (const strand of strands) leaveBehind(execution, strand, reason);
}

function leaveBehind(execution: Execution, strand: Strand, reason: unknown): void {
	if (strand.isOver) return;
	for (const child of [...strand.children]) leaveBehind(execution, child, reason);
	giveBackUndecided(execution, strand);
	for (const scope of strand.holding) {
		strand.holding.delete(scope);
		for (const message of scope.takeOpen()) message.giveBack();
	}
	giveBack(execution, strand);
	strandEnded(execution, strand);
	strand.cancel(reason);
}

/** What branches have come to that it does not wait for any more is for nobody. */
function giveBackUndecided(execution: Execution, strand: Strand): void {
	for (const ended of [...strand.undecided]) {
		strand.undecided.delete(ended);
		giveBack(execution, ended);
	}
}

/** What is recorded of a strand is of no more use than how it ended. */
export function strandEnded(execution: Execution, strand: Strand): void {
	execution.live.leave(strand, 0);
}

/** Plain messages that a strand has received and done no step with take their old places. */
export function giveBack({ journal, host }: Execution, strand: Strand): void {
	for (const { message, entry, key } of strand.takeReceived()) {
		// Its record may be kept, for a rollback.
		message.isReturned = true;
		journal.entry(key(), entry);
		host.messages.putBack(heldAgain(message));
	}
}
