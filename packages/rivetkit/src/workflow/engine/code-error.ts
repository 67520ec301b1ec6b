import { EntryInProgressError, HistoryDivergedError, RollbackCheckpointError } from "../errors.ts";

const marked = new WeakSet<object>();

/**
 * Marks an error as one of the code, not of what it does (workflows 9, class C): it is not recorded and
 * undoes nothing; the workflow waits for code that is right.
 */
export function codeError<E extends Error>(error: E): E {
	marked.add(error);
	return error;
}

export function isCodeError(error: unknown): boolean {
	if (typeof error !== "object" || error === null) return false;
	return (
		marked.has(error) ||
		error instanceof HistoryDivergedError ||
		error instanceof EntryInProgressError ||
		error instanceof RollbackCheckpointError
	);
}

/** A promise that never settles; each its own, so that nothing piles up behind one of them. */
export function never<T>(): Promise<T> {
	return new Promise<T>(() => {});
}

/** Whether an error is of a class of this name, also one from another copy of the package. */
export function isNamed(error: unknown, name: string): boolean {
	if (typeof error !== "object" || error === null) return false;
	if ((error as { name?: unknown }).name === name) return true;
	for (
		let prototype: object | null = Object.getPrototypeOf(error);
		prototype !== null;
		prototype = Object.getPrototypeOf(prototype)
	) {
		if ((prototype as { constructor?: { name?: unknown } }).constructor?.name === name) return true;
	}
	return false;
}
