import type { WorkflowEngine } from "./engine.ts";

/** For tests: runs every workflow from its records again whenever it waits (workflows 5.2, yield mode). */
export const hooks = { coldStartAtEveryWait: false };

/** How much each had written when it was started again. */
const writesAtColdStart = new WeakMap<WorkflowEngine, number>();

/** Once per wait: without progress it would wait for the same again. */
export function coldStart(engine: WorkflowEngine): void {
	const { execution, journal, host } = engine;
	if (writesAtColdStart.get(engine) === journal.writes) return;
	writesAtColdStart.set(engine, journal.writes);
	void host.nextTurn().then(() => {
		if (execution === engine.execution && execution?.isIdle && !execution.isRollback) {
			engine.restart("a test starts it again");
		}
	});
}
