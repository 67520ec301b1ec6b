import type { NamedWork } from "../instance/work-ledger.ts";

/** A call that a caller waits for, with its name for messages. */
export interface RunningCall extends NamedWork {
	/** Fires the call's abort signal. */
	abort(reason: unknown): void;
	/** Answers the caller with an error now; whatever the handler still does, nobody hears of it. */
	giveUp(error: unknown): void;
}
