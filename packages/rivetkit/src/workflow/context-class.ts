import type { Undeclared } from "../actor/declarations.types.ts";
import { WorkflowContext } from "./context.ts";
import type { ActorWorkflowContext as Context } from "./context.types.ts";

/** `ctx` of `workflow()`, of its loops and of its branches. */
export type ActorWorkflowContext<
	State = unknown,
	ConnParams = unknown,
	ConnState = unknown,
	Vars = unknown,
	Input = unknown,
	Database = unknown,
	Events = Undeclared,
	Queues = Undeclared,
> = Context<State, ConnParams, ConnState, Vars, Input, Database, Events, Queues>;

/** For `instanceof`; workflows get theirs, and nobody else makes one. */
export const ActorWorkflowContext: abstract new (...args: never) => Context =
	WorkflowContext as never;
