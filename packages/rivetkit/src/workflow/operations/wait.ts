import { never } from "../engine/code-error.ts";
import type { Execution } from "../engine/execution.ts";
import type { Scope } from "../engine/scope.ts";

/**
 * What is over already takes a turn all the same: code that does not await it comes to its end before. Meanwhile a race
 * knows since when it is ready.
 */
export async function takeTurn(execution: Execution, scope: Scope, readyTs: number): Promise<void> {
	const { strand } = scope;
	strand.arrivingTs = readyTs;
	await execution.host.nextTurn();
	if (!strand.isOver) strand.arrivingTs = null;
}

/** Waits for a time (ms since the epoch). The actor may sleep meanwhile; its alarm wakes it. */
export async function waitUntil(
	execution: Execution,
	scope: Scope,
	name: string,
	deadlineTs: number,
	reason: "timer" | "retry" = "timer",
): Promise<void> {
	// It may have been given up in the turn before.
	if (execution.isStoppedIn(scope)) return never();
	const { host } = execution;
	const { strand, location } = scope;
	if (deadlineTs <= host.now()) {
		await takeTurn(execution, scope, deadlineTs);
		if (execution.isStoppedIn(scope)) await never();
		strand.ready(deadlineTs);
		return;
	}
	await new Promise<void>((resolve) => {
		const deadline = host.deadline(deadlineTs, () => {
			execution.waits.delete(wait);
			strand.ready(deadlineTs);
			strand.resume();
			resolve();
		});
		const wait = {
			location,
			name,
			deadline: deadlineTs,
			callOff: () => {
				execution.waits.delete(wait);
				deadline.cancel();
			},
		};
		execution.waits.add(wait, reason);
		strand.wait(wait);
	});
	if (execution.isStoppedIn(scope)) await never();
}
