import type { LoopResult } from "./loop.ts";

type MaybePromise<T> = T | Promise<T>;

/** A step with its limits (workflows 3.2). Times in milliseconds. */
export interface StepConfig<T, StepContext> {
	/** Unique in its scope. */
	name: string;
	/** Runs until its result is recorded, then never again. */
	run: (c: StepContext) => T | Promise<T>;
	/** Tries after the first. Default 3. */
	maxRetries?: number | undefined;
	/** All tries together; wins over `maxRetries`. */
	maxAttempts?: number | undefined;
	/** Default 100. */
	retryBackoffBase?: number | undefined;
	/** Default 30,000. */
	retryBackoffMax?: number | undefined;
	/** Per try; 0 or less disables it. Default 30,000. */
	timeout?: number | undefined;
	/** Whether a timeout counts as an ordinary failure. Default false. */
	retryOnTimeout?: boolean | undefined;
	/** Record the result, but do not wait for the record. Default false. */
	ephemeral?: boolean | undefined;
	/** Undoes the step when the workflow fails later; needs a rollback checkpoint before. */
	rollback?: ((c: StepContext, output: T) => MaybePromise<void>) | undefined;
	/** Isolates state changes until the step succeeds. Default false. */
	atomic?: boolean | undefined;
}

interface LoopLimits {
	/** Unique in its scope. */
	name: string;
	/** How long finished iterations may linger. Default 20. */
	commitInterval?: number | undefined;
	historyEvery?: number | undefined;
	/** Finished iterations kept for the inspector. Default 20. */
	historyKeep?: number | undefined;
	/** The newer name of `historyEvery`. */
	historyPruneInterval?: number | undefined;
	/** The newer name of `historyKeep`. */
	historySize?: number | undefined;
}

/** A loop whose iterations hand nothing on. */
export interface LoopConfig<T, Context> extends LoopLimits {
	state?: undefined;
	run: LoopBody<T, Context>;
}

/** The body of a loop without state: nothing or `Loop.continue()` goes on, `Loop.break(value)` ends it. */
// biome-ignore lint/suspicious/noConfusingVoidType: a body that returns nothing
export type LoopBody<T, Context> = (ctx: Context) => MaybePromise<LoopResult<undefined, T> | void>;

/** A loop whose iterations hand state on; every iteration must return a result. */
export interface StatefulLoopConfig<S, T, Context> extends LoopLimits {
	state: S;
	/** Gets a copy of the state of this iteration. */
	run: (ctx: Context, state: S) => MaybePromise<LoopResult<S, T>>;
}

/** One branch of a join. */
export interface JoinBranch<Context> {
	run: (ctx: Context) => unknown;
	/** `"cancel"`: a failure of this branch aborts the others. */
	onError?: "cancel" | undefined;
}

export type JoinResults<Branches extends Record<string, { run: (...args: never[]) => unknown }>> = {
	-readonly [Name in keyof Branches]: Awaited<ReturnType<Branches[Name]["run"]>>;
};

/** One branch of a race; names are unique in it. */
export interface RaceBranch<Context> {
	readonly name: string;
	readonly run: (ctx: Context) => unknown;
}

type AnyRaceBranch = { readonly name: string; readonly run: (...args: never[]) => unknown };

/** The winner's name and value, discriminated by the name when names are literals. */
export type RaceResult<Branches extends readonly AnyRaceBranch[]> = {
	[Index in keyof Branches]: {
		winner: Branches[Index]["name"];
		value: Awaited<ReturnType<Branches[Index]["run"]>>;
	};
}[number];

/** Kinds of entries of a workflow's history. */
export type WorkflowEntryType =
	| "step"
	| "loop"
	| "sleep"
	| "message"
	| "rollback_checkpoint"
	| "join"
	| "race"
	| "removed"
	| "version_check";

/** An error as history keeps it. */
export interface WorkflowError {
	readonly name: string;
	readonly message: string;
	readonly stack?: string;
	readonly metadata?: unknown;
}

export type TryStepKind = "critical" | "timeout" | "exhausted" | "rollback";

export interface TryStepFailure {
	readonly kind: TryStepKind;
	readonly stepName: string;
	readonly attempts: number;
	readonly error: WorkflowError;
}

export type TryStepResult<T> =
	| { readonly ok: true; readonly value: T }
	| { readonly ok: false; readonly failure: TryStepFailure };

export interface TryStepConfig<T, StepContext> extends StepConfig<T, StepContext> {
	/** What becomes a result instead of a throw. Default: all but `"rollback"`. */
	catch?: readonly TryStepKind[] | undefined;
}

export type TryBlockSource = "step" | "join" | "race" | "block";

export interface TryBlockFailure {
	readonly source: TryBlockSource;
	readonly name: string;
	readonly error: WorkflowError;
	readonly step?: TryStepFailure;
}

export type TryBlockResult<T> =
	| { readonly ok: true; readonly value: T }
	| { readonly ok: false; readonly failure: TryBlockFailure };

export interface TryBlockConfig<T, Context> {
	/** Unique in its scope. */
	name: string;
	run: (ctx: Context) => T | Promise<T>;
	/** What becomes a result instead of a throw. Default: all but `"rollback"`. */
	catch?: readonly ("step" | "join" | "race" | "rollback")[] | undefined;
}

/** What `onError` of a workflow is told; each failure once. */
export type WorkflowErrorEvent =
	| {
			readonly step: {
				readonly workflowId: string;
				readonly stepName: string;
				readonly attempt: number;
				readonly maxRetries: number;
				readonly remainingRetries: number;
				readonly willRetry: boolean;
				/** Milliseconds. */
				readonly retryDelay?: number;
				/** Milliseconds since the epoch. */
				readonly retryAt?: number;
				readonly error: WorkflowError;
			};
	  }
	| {
			readonly rollback: {
				readonly workflowId: string;
				readonly stepName: string;
				readonly error: WorkflowError;
			};
	  }
	| { readonly workflow: { readonly workflowId: string; readonly error: WorkflowError } };

export interface WorkflowOptions<Context> {
	/** Hears of failures; never part of replay. A throw is logged and ignored. */
	onError?: ((c: Context, event: WorkflowErrorEvent) => MaybePromise<void>) | undefined;
	/** Recorded entries that the code no longer visits at the root are an error. Default false. */
	strictRoot?: boolean | undefined;
	/** Retries a failed workflow once per new version of the registry (`runner.version`). Default false. */
	recoverOnDeploy?: boolean | undefined;
	/** Entries of history in memory. Default 50,000. */
	maxLiveEntries?: number | undefined;
	/** Bytes of one recorded value. Default 1 MiB. */
	maxEntrySize?: number | undefined;
	/** Iterations of one loop that are kept because they may have to be undone. Default 1,000. */
	maxRollbackIterations?: number | undefined;
}
