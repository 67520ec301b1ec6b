import { encodeWorkflowHistory, type workflow } from "@rivetkit/protocol/inspector";
import type { WorkflowAnswer } from "@rivetkit/protocol/inspector/answers";
import type { WorkflowInspectorConfig } from "../../../actor/config.types.ts";
import type { ErasedActorConfig } from "../../../actor/erased.ts";
import type { DetailsOptions, ValueForm } from "../../durable/durable-view.ts";
import type { ActorView } from "./actor-view.ts";

/** The history of an actor's workflow (contract: workflows 11.1). */
export interface WorkflowHistoryJson {
	/** Null without a workflow, and while nothing is recorded. */
	readonly history: unknown;
	readonly isWorkflowEnabled: boolean;
}

export function hasWorkflow({ config }: ActorView): boolean {
	return config.run?.durable !== undefined || workflowAdapter(config) !== undefined;
}

export async function workflowOf(view: ActorView, form: ValueForm): Promise<WorkflowHistoryJson> {
	const isWorkflowEnabled = hasWorkflow(view);
	if (view.workflow) return { history: await view.workflow.history(form), isWorkflowEnabled };
	const adapter = workflowAdapter(view.config);
	return { history: adapter?.getHistory() ?? null, isWorkflowEnabled };
}

/** Ours: entries as a tree. An adapter of somebody else has none. */
export async function workflowDetailsOf(
	view: ActorView,
	options: DetailsOptions,
): Promise<WorkflowAnswer> {
	const details = view.workflow ? await view.workflow.details(options) : null;
	return { workflow: details, isWorkflowEnabled: hasWorkflow(view) };
}

/**
 * The same for the inspector's socket (contract: workflows 11.3). Undefined without a history, for one of
 * another shape than the protocol's, and when the adapter fails.
 */
export async function workflowBytes(view: ActorView): Promise<Uint8Array | undefined> {
	if (view.workflow) return view.workflow.bytes();
	try {
		const history = workflowAdapter(view.config)?.getHistory();
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
