import type { ActorInstance } from "../instance/instance.ts";
import type { LifecycleEvent } from "./lifecycle.ts";
import { HookTimeout, withTimeout } from "./with-timeout.ts";

/** How a step of the stop ended. */
export type StepOutcome = Extract<LifecycleEvent, "done" | "failed" | "overdue">;

/** A step of the stop, or one of several things that it waits for. */
export interface StopStep {
	/** What is waited for, as messages name it. */
	readonly what: string;
	/** The option that limits it, and its value in ms. */
	readonly option: string;
	readonly limitMs: number;
	readonly work: () => unknown;
	/** What is still waited for, in words; for the message when the time is over. */
	readonly waitingFor?: () => readonly string[];
}

/** One budget for all steps of a stop (W-STOP-4); a step's own limit applies inside it. */
export class StopBudget {
	readonly #instance: ActorInstance;
	readonly #endMs: number;

	constructor(instance: ActorInstance) {
		this.#instance = instance;
		this.#endMs = instance.now() + instance.options.sleepGracePeriod;
	}

	/**
	 * Does one step for as long as its option and the budget allow. What goes wrong is logged; the stop
	 * goes on. Never rejects.
	 */
	async spend({ what, option, limitMs, work, waitingFor }: StopStep): Promise<StepOutcome> {
		const instance = this.#instance;
		const leftMs = Math.max(0, this.#endMs - instance.now());
		const [allowedMs, limitedBy] =
			limitMs <= leftMs ? [limitMs, option] : [leftMs, "sleepGracePeriod"];
		try {
			await withTimeout(instance, what, allowedMs, work(), limitedBy);
			return "done";
		} catch (error) {
			const isOverdue = error instanceof HookTimeout && error.hook === what;
			const pending = isOverdue ? (waitingFor?.() ?? []) : [];
			const err = pending.length > 0 ? new StepOverdue(error as HookTimeout, pending) : error;
			instance.log.error(
				{ err, step: what, ...(isOverdue ? { waitedFor: pending } : undefined) },
				"stopping goes on without it",
			);
			return isOverdue ? "overdue" : "failed";
		}
	}
}

/** A step of a stop did not end in time; the message says what it waited for. */
class StepOverdue extends Error {
	override readonly name = "StepOverdue";

	constructor(timeout: HookTimeout, waitingFor: readonly string[]) {
		super(`${timeout.message}; still waiting for ${waitingFor.join(", ")}`);
	}
}

/** How a step ended that did several things. */
export function worstOf(outcomes: readonly StepOutcome[]): StepOutcome {
	if (outcomes.includes("overdue")) return "overdue";
	return outcomes.includes("failed") ? "failed" : "done";
}
