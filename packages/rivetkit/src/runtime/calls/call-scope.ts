import { AsyncLocalStorage } from "node:async_hooks";
import type { Span } from "../telemetry/span.ts";

/** What the code that is running belongs to. */
interface Scope {
	/** A call, or an attempt of `run`; null for a hook. */
	readonly owner: object | null;
	/** Of the actor when it began; it may use the database as long as that is the actor's (W-STOP-1). */
	readonly era: number;
	/** Null when no spans are recorded. */
	readonly span: Span | null;
}

export interface CallScope extends Scope {
	/** What it begins by hand in the database ends with this (W-DB-3). */
	readonly owner: object;
}

const current = new AsyncLocalStorage<Scope | undefined>();

/**
 * The span of code that is known not to go on after it returns: entering an async context takes longer
 * than everything else a span costs.
 */
let onStack: Span | null = null;

export function runInCall<T>(owner: object, era: number, span: Span | null, work: () => T): T {
	return enter({ owner, era, span }, work);
}

/** Runs code as part of a span, and of the call that it is in. */
export function runInSpan<T>(span: Span, work: () => T): T {
	const outer = current.getStore();
	return enter({ owner: outer?.owner ?? null, era: outer?.era ?? 0, span }, work);
}

/** As {@link runInSpan}, for code that does not go on after it returns. */
export function runOnStack<T>(span: Span, work: () => T): T {
	const before = onStack;
	onStack = span;
	try {
		return work();
	} finally {
		onStack = before;
	}
}

/** Runs what belongs to no call, whoever asks for it. */
export function outsideCalls<T>(work: () => T): T {
	if (current.getStore() !== undefined) return enter(undefined, work);
	if (onStack === null) return work();
	// What begins here may last: an async context of its own would be kept for it, with nothing in it.
	const before = onStack;
	onStack = null;
	try {
		return work();
	} finally {
		onStack = before;
	}
}

function enter<T>(scope: Scope | undefined, work: () => T): T {
	const before = onStack;
	onStack = null;
	try {
		const exported = scope?.span?.exported;
		if (!exported) return current.run(scope, work);
		return current.run(scope, () => exported.run(work));
	} finally {
		onStack = before;
	}
}

/** The call that the code running now belongs to, across its waits. */
export function callInProgress(): CallScope | undefined {
	const scope = current.getStore();
	return scope !== undefined && scope.owner !== null ? (scope as CallScope) : undefined;
}

/** The span that the code running now belongs to, across its waits; null for none. */
export function currentSpan(): Span | null {
	return onStack ?? current.getStore()?.span ?? null;
}

/** What runs now goes on after it returns, perhaps: it is to run in an async context from the next time on. */
export function mayGoOn(): void {
	if (onStack !== null) onStack.goesOn = true;
}
