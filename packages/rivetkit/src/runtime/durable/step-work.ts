import { AsyncLocalStorage } from "node:async_hooks";
import type { Span } from "../telemetry/span.ts";

/** One try of one workflow step (or of what undoes it), as the code that runs inside of it. */
export interface StepWork {
	/** Whose it is; in one process an actor's step can call another actor. */
	readonly owner: object;
	/** Whether it may still touch the actor: false when it has ended, timed out or lost its race. */
	readonly isOpen: boolean;
	/** What the step changed that is held back from commits of others until it ends. */
	changedState: boolean;
	changedKv: boolean;
	changedDatabase: boolean;
	/** Null while none is recorded. */
	span: Span | null;
}

/** Which step the code that is running belongs to, across its waits. */
const current = new AsyncLocalStorage<StepWork | undefined>();

/** The step of `owner` that the code that is running belongs to, also when that step is over. */
export function currentStep(owner: object): StepWork | undefined {
	const work = current.getStore();
	return work?.owner === owner ? work : undefined;
}

/** Throws when the code that is running was left behind by a step that is over (workflows 1.7). */
export function assertStepIsOpen(owner: object, member: string): void {
	if (currentStep(owner)?.isOpen === false) throw guardError(member);
}

/** What workflows throw on a member that works inside steps only (workflows 1.6). */
export function guardError(member: string): Error {
	return new Error(`${member} is only available inside workflow steps`);
}

export function runStep<T>(work: StepWork, fn: () => T): T {
	return current.run(work, fn);
}

/** Runs what the host is asked for: it belongs to no step, whoever asks. */
export function outsideSteps<T>(work: () => T): T {
	return current.getStore() === undefined ? work() : current.run(undefined, work);
}
