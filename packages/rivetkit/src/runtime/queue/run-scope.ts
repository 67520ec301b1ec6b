import { AsyncLocalStorage } from "node:async_hooks";

/** Which `run` the code that is running belongs to, across its waits. */
const current = new AsyncLocalStorage<RunScope>();

/**
 * One attempt of one actor's `run`. Tells code of `run` from all other code of the actor: what it
 * receives is final with its own next write, not with somebody else's, and it must not wait for itself.
 * Refers to nothing, because timers and sockets made inside of it may outlive the actor.
 */
export class RunScope {
	/** It came to its end by itself; `run` begins again with the actor's next wake. */
	hasReturned = false;

	/** Whether the code that is running was started by this attempt. */
	get isCurrent(): boolean {
		return current.getStore() === this;
	}

	/** Runs code as part of this attempt. */
	enter<T>(work: () => T): T {
		return current.run(this, work);
	}
}
