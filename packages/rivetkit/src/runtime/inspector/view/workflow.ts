import { encodeWorkflowHistory, type workflow } from "@rivetkit/protocol/inspector";
import type { WorkflowInspectorConfig } from "../../../actor/config.types.ts";
import type { ErasedActorConfig } from "../../../actor/erased.ts";
import type { ActorView } from "./actor-view.ts";

/** The history of an actor's workflow (contract: workflows 11.1). */
export interface WorkflowHistoryJson {
	/** Null without a workflow, and while nothing is recorded. */
	readonly history: unknown;
	readonly isWorkflowEnabled: boolean;
}

export function hasWorkflow({ config }: ActorView): boolean {
	return workflowAdapter(config) !== undefined;
}

export function workflowOf({ config }: ActorView): WorkflowHistoryJson {
	const adapter = workflowAdapter(config);
	return adapter
		? { history: adapter.getHistory(), isWorkflowEnabled: true }
		: { history: null, isWorkflowEnabled: false };
}

/**
 * The same for the inspector's socket (contract: workflows 11.3). Undefined without a history, for one of
 * another shape than the protocol's, and when the adapter fails.
 */
export function workflowBytes(view: ActorView): Uint8Array | undefined {
	try {
		const { history } = workflowOf(view);
		if (history === null || history === undefined) return undefined;
		if (history instanceof Uint8Array) return history;
		return encodeWorkflowHistory(history as workflow.WorkflowHistory);
	} catch {
		return undefined;
	}
}

/** What a `run` brings along (contract: api 3.4). */
function workflowAdapter({ run }: ErasedActorConfig): WorkflowInspectorConfig | undefined {
	return (run?.inspector as { workflow?: WorkflowInspectorConfig } | undefined)?.workflow;
}
