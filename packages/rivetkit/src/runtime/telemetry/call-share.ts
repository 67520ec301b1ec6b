import { BudgetShare } from "./trace-budget.ts";

/**
 * What one incarnation has of the calls of its type that are neither timed nor traced. In a burst each of them touches this
 * object only: {@link TimedCalls} gathers what was counted.
 */
export abstract class CallShare extends BudgetShare {
	/** Calls that are left out before the next one asks. */
	skips = 0;
	/** Calls that have ended well without having left the stack, and were not gathered yet. */
	stayed = 0;
	/** Those that left it, and ended in the same turn of the event loop. */
	waited = 0;
	/** Whether it is gathered next time. */
	isListed = false;

	/** So many calls were gathered. */
	protected abstract gathered(calls: number): void;

	/** All begins anew. */
	clear(): void {
		this.gathered(this.stayed + this.waited);
		this.skips = 0;
		this.stayed = 0;
		this.waited = 0;
		this.isListed = false;
	}
}
