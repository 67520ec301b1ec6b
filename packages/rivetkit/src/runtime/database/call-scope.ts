import { AsyncLocalStorage } from "node:async_hooks";

/** What the code that is running belongs to: a call, or an attempt of `run`. */
export interface CallScope {
	/** What it begins by hand in the database ends with this (W-DB-3). */
	readonly owner: object;
	/** Of the actor when it began; it may use the database as long as that is the actor's (W-STOP-1). */
	readonly era: number;
}

const current = new AsyncLocalStorage<CallScope | undefined>();

export function runInCall<T>(owner: object, era: number, work: () => T): T {
	return current.run({ owner, era }, work);
}

/** Runs what belongs to no call, whoever asks for it. */
export function outsideCalls<T>(work: () => T): T {
	return current.getStore() === undefined ? work() : current.run(undefined, work);
}

/** The call that the code running now belongs to, across its waits. */
export function callInProgress(): CallScope | undefined {
	return current.getStore();
}
