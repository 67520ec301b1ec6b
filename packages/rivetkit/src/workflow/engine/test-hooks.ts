import type { WorkflowEngine } from "./engine.ts";

/** For tests: runs every workflow from its records again whenever it waits (workflows 5.2, yield mode). */
export const hooks = {
	coldStartAtEveryWait: false,
	coldStart(engine: WorkflowEngine): void {
		engine.restart("a test starts it again");
	},
};
