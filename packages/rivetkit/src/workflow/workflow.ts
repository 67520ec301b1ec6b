import type { Undeclared } from "../actor/declarations.types.ts";
import { RUN_FUNCTION_CONFIG } from "../actor/erased.ts";
import type { RunContext } from "../actor/hook-contexts.types.ts";
import type { DurableRunFactory } from "../runtime/durable/durable-run.ts";
import type { StoredRunReader } from "../runtime/durable/durable-view.ts";
import { WorkflowContext } from "./context.ts";
import type { ActorWorkflowContext, StrictWorkflowContext } from "./context.types.ts";
import { WorkflowEngine } from "./engine/engine.ts";
import { readEngineOptions } from "./engine/engine-options.ts";
import { StoredWorkflow } from "./inspect/stored-workflow.ts";
import { WorkflowView } from "./inspect/workflow-view.ts";
import type { WorkflowOptions } from "./options.types.ts";

/** What `run` takes from `workflow()`. */
export type WorkflowRun<S, CP, CS, V, I, DB, E, Q> = (
	c: RunContext<S, CP, CS, V, I, DB, E, Q>,
) => Promise<void>;

interface WorkflowFactory {
	/**
	 * Makes a durable `run` of an async function: its entries run once, and after a crash or a sleep it
	 * goes on where it was. Types come from the actor around it.
	 *
	 * When `ctx.state` or `ctx.vars` is `never` beside a `createState` or `createVars`: write the type of that one's
	 * context, `createState: (_c: unknown, input: Order) => …`. TypeScript looks at functions with untyped
	 * parameters after the call of `workflow`.
	 */
	<S, CP, CS, V, I, DB, E = Undeclared, Q = Undeclared>(
		// biome-ignore lint/suspicious/noExplicitAny: a result that is not compared, so that helpers may refer to the actor this is part of (workflows 12.2)
		fn: (ctx: ActorWorkflowContext<S, CP, CS, V, I, DB, E, Q>) => any,
		options?: WorkflowOptions<RunContext<S, CP, CS, V, I, DB, E, Q>>,
	): WorkflowRun<S, CP, CS, V, I, DB, E, Q>;
	/** The same with contexts that offer the actor's data inside steps only. */
	strict<S, CP, CS, V, I, DB, E = Undeclared, Q = Undeclared>(
		// biome-ignore lint/suspicious/noExplicitAny: as above
		fn: (ctx: StrictWorkflowContext<S, V, DB, E, Q>) => any,
		options?: WorkflowOptions<RunContext<S, CP, CS, V, I, DB, E, Q>>,
	): WorkflowRun<S, CP, CS, V, I, DB, E, Q>;
}

const ICON = "diagram-project";

const durableView: StoredRunReader = (stored) => new WorkflowView(new StoredWorkflow(stored));

function createRun(fn: (ctx: never) => unknown, options?: object): () => Promise<void> {
	if (typeof fn !== "function") throw new TypeError("workflow() takes an async function");
	const engineOptions = readEngineOptions(options as Record<string, unknown> | undefined);
	const durable: DurableRunFactory = (host) =>
		new WorkflowEngine(
			host,
			(execution, scope) => fn(new WorkflowContext(execution, scope) as never),
			engineOptions,
		);
	const run = async (): Promise<void> => {
		throw new Error("A workflow runs as the `run` of an actor, and not by being called");
	};
	return Object.assign(run, { [RUN_FUNCTION_CONFIG]: { icon: ICON, durable, durableView } });
}

export const workflow: WorkflowFactory = Object.assign(createRun, { strict: createRun });
