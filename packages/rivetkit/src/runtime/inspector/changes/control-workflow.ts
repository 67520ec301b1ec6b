import type { ActorWorkflow } from "../../../actor/workflow-control.types.ts";
import type { DurableRun } from "../../durable/durable-run.ts";
import type { ActorInstance } from "../../instance/instance.ts";
import { invalid } from "../invalid.ts";

/**
 * Does something to the workflow of an actor. Resolves when it is durable. Throws `request.invalid` when
 * the actor has none, and what the operation throws.
 */
export async function controlWorkflow<T>(
	instance: ActorInstance,
	run: (workflow: ActorWorkflow) => T | Promise<T>,
): Promise<T> {
	const { control } = workflowOf(instance);
	await instance.untilFree();
	instance.assertAcceptsWork();
	return run(control);
}

/** Takes back a step and what came after it, or all there is; throws as `c.workflow.replay` does. */
export async function replayWorkflow(
	instance: ActorInstance,
	entryId: string | undefined,
): Promise<DurableRun> {
	await controlWorkflow(instance, (workflow) => workflow.replay({ entryId }));
	return workflowOf(instance);
}

function workflowOf({ durable, name }: ActorInstance): DurableRun {
	if (durable) return durable;
	throw invalid(`the run of actor '${name}' is no workflow`);
}
