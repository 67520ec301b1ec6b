import type { WorkflowInspectorConfig } from "../../../actor/config.types.ts";
import type { ActorView } from "./actor-view.ts";

/** The history of an actor's workflow (contract: workflows 11.1). */
export interface WorkflowHistoryJson {
	/** Null without a workflow, and while nothing is recorded. */
	readonly history: unknown;
	readonly isWorkflowEnabled: boolean;
}

export function workflowOf({ config }: ActorView): WorkflowHistoryJson {
	const adapter = workflowAdapter(config.run?.inspector);
	return adapter
		? { history: adapter.getHistory(), isWorkflowEnabled: true }
		: { history: null, isWorkflowEnabled: false };
}

/** What a `run` brings along (contract: api 3.4). */
function workflowAdapter(inspector: unknown): WorkflowInspectorConfig | undefined {
	return (inspector as { workflow?: WorkflowInspectorConfig } | undefined)?.workflow;
}
