export type {
	ActorWorkflowContext as WorkflowContext,
	StrictWorkflowContext,
	WorkflowStepContext,
} from "./context.types.ts";
export { ActorWorkflowContext } from "./context-class.ts";
export type {
	WorkflowBranchContextOf,
	WorkflowContextOf,
	WorkflowLoopContextOf,
	WorkflowStepContextOf,
} from "./context-of.types.ts";
export * from "./defaults.ts";
export * from "./errors.ts";
export { Loop, type LoopBreak, type LoopContinue, type LoopResult } from "./loop.ts";
export type * from "./options.types.ts";
export type {
	WorkflowMessage,
	WorkflowQueue,
	WorkflowQueueNextBatchOptions,
	WorkflowQueueNextOptions,
	WorkflowQueueSender,
} from "./queue.types.ts";
export { type WorkflowRun, workflow } from "./workflow.ts";
