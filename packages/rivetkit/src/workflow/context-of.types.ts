import type { ActorDefinition, AnyActorDefinition } from "../actor/definition.ts";
import type { ActorWorkflowContext, WorkflowStepHelperContext } from "./context.types.ts";

/** The workflow context of an actor; loops and branches have the same. */
export type WorkflowContextOf<D extends AnyActorDefinition> =
	D extends ActorDefinition<
		infer S,
		infer CP,
		infer CS,
		infer V,
		infer I,
		infer DB,
		infer E,
		infer Q,
		infer _Actions
	>
		? ActorWorkflowContext<S, CP, CS, V, I, DB, E, Q>
		: never;

export type WorkflowLoopContextOf<D extends AnyActorDefinition> = WorkflowContextOf<D>;
export type WorkflowBranchContextOf<D extends AnyActorDefinition> = WorkflowContextOf<D>;

/** For helpers called inside steps: takes the step's context and the workflow's around it. */
export type WorkflowStepContextOf<D extends AnyActorDefinition> =
	D extends ActorDefinition<
		infer S,
		infer _ConnParams,
		infer _ConnState,
		infer V,
		infer _Input,
		infer DB,
		infer E,
		infer Q,
		infer _Actions
	>
		? WorkflowStepHelperContext<S, V, DB, E, Q>
		: never;
