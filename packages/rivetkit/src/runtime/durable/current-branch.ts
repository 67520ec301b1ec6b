import { AsyncLocalStorage } from "node:async_hooks";

/** Which branch of a durable run the code that is running belongs to, across its waits. */
const current = new AsyncLocalStorage<object | undefined>();

/** That of any actor: in one process an actor's step can call another actor. */
export function currentBranch(): object | undefined {
	return current.getStore();
}

export function runInBranch<T>(branch: object, code: () => T): T {
	return current.run(branch, code);
}

/** Runs what the host is asked for: it belongs to no branch, whoever asks. */
export function outsideBranches<T>(work: () => T): T {
	return current.getStore() === undefined ? work() : current.run(undefined, work);
}
