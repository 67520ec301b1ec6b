import type { ActorKv } from "../actor/actor-kv.ts";
import type { EventArgs, EventName, Undeclared } from "../actor/declarations.types.ts";
import type { Client, UntypedRegistry } from "../client/types/client.types.ts";
import type { Logger } from "../log/logger.ts";
import type {
	JoinBranch,
	JoinResults,
	LoopBody,
	LoopConfig,
	RaceBranch,
	RaceResult,
	StatefulLoopConfig,
	StepConfig,
	TryBlockConfig,
	TryBlockResult,
	TryStepConfig,
	TryStepResult,
	WorkflowEntryType,
} from "./options.types.ts";
import type { WorkflowQueue, WorkflowQueueSender } from "./queue.types.ts";

/** `never` for what the actor does not have. */
export type IfDefined<T> = 0 extends 1 & T ? T : unknown extends T ? never : T;

/** What works both between entries and inside steps. */
interface WorkflowCommon<Events> {
	/** The actor's id: there is one workflow per actor. */
	readonly workflowId: string;
	readonly actorId: string;
	readonly name: string;
	readonly key: string[];
	readonly log: Logger;
	/** Fires when the actor stops; in a branch also when it lost its race. */
	readonly abortSignal: AbortSignal;
	/** Whether the actor is stopping. */
	isEvicted(): boolean;
	/** Between entries: sent once, not again on replay. */
	broadcast<K extends EventName<Events>>(name: K, ...args: EventArgs<Events, K>): void;
	keepAwake<T>(promise: PromiseLike<T>): Promise<T>;
	waitUntil(promise: PromiseLike<unknown>): void;
}

/** The actor's data, which workflows touch inside steps only. */
interface WorkflowData<State, Vars, Database> {
	state: IfDefined<State>;
	readonly vars: IfDefined<Vars>;
	readonly db: IfDefined<Database>;
	readonly kv: ActorKv;
	client<R = UntypedRegistry>(): Client<R>;
}

/**
 * What a helper that is called inside steps needs: the step's own context fits, and the context of the
 * workflow around it as well.
 */
export interface WorkflowStepHelperContext<State, Vars, Database, Events, Queues>
	extends WorkflowCommon<Events>,
		WorkflowData<State, Vars, Database> {
	readonly queue: WorkflowQueueSender<Queues>;
}

/** The context of one step or rollback handler. Using it after the step has ended throws. */
export interface WorkflowStepContext<
	State = unknown,
	Vars = unknown,
	Database = unknown,
	Events = Undeclared,
	Queues = Undeclared,
> extends WorkflowStepHelperContext<State, Vars, Database, Events, Queues> {
	/** 1 for the first try. */
	readonly attempt: number;
	/** The same for all tries of this step, also after a crash. */
	readonly idempotencyKey: string;
	/** Asks for the actor to be destroyed once the step is recorded. */
	destroy(): void;
}

/**
 * The durable operations. Names are unique in their scope (the workflow, one iteration, one branch).
 * Callbacks use the context they are given, not the one around them.
 */
interface WorkflowOperations<Self, Step, Queues> {
	readonly queue: WorkflowQueue<Queues>;
	/** Runs `run` until its result is recorded. Throws `StepExhaustedError` when all tries failed. */
	step<T>(name: string, run: (c: Step) => T | Promise<T>): Promise<T>;
	step<T>(config: StepConfig<T, Step>): Promise<T>;
	/** Like `step`, with failures as data. */
	tryStep<T>(name: string, run: (c: Step) => T | Promise<T>): Promise<TryStepResult<T>>;
	tryStep<T>(config: TryStepConfig<T, Step>): Promise<TryStepResult<T>>;
	/** Runs a block in a scope of its own, with failures as data. */
	try<T>(name: string, run: (ctx: Self) => T | Promise<T>): Promise<TryBlockResult<T>>;
	try<T>(config: TryBlockConfig<T, Self>): Promise<TryBlockResult<T>>;
	/** Repeats the body until it returns `Loop.break(value)`; the position survives crashes. */
	loop<T = undefined>(name: string, run: LoopBody<T, Self>): Promise<T>;
	loop<T = undefined>(config: LoopConfig<T, Self>): Promise<T>;
	loop<S, T = undefined>(config: StatefulLoopConfig<S, T, Self>): Promise<T>;
	/** The actor may sleep meanwhile, for years if need be. */
	sleep(name: string, durationMs: number): Promise<void>;
	/** Until a time (ms since the epoch); a past one is no wait. */
	sleepUntil(name: string, time: number | Date): Promise<void>;
	/** Runs all branches and waits for all. Throws `JoinError` when one failed. */
	join<Branches extends Record<string, JoinBranch<Self>>>(
		name: string,
		branches: Branches,
	): Promise<JoinResults<Branches>>;
	/** The first branch to succeed wins. Throws `RaceError` when all failed. */
	race<const Branches extends readonly RaceBranch<Self>[]>(
		name: string,
		branches: Branches,
	): Promise<RaceResult<Branches>>;
	race<T>(
		name: string,
		branches: readonly { readonly name: string; readonly run: (ctx: Self) => T | Promise<T> }[],
	): Promise<{ winner: string; value: T }>;
	/** Enables `rollback` of steps in this scope and below. */
	rollbackCheckpoint(name: string): Promise<void>;
	/** Tells that an entry of an earlier version of the code is gone. */
	removed(name: string, originalType: WorkflowEntryType): Promise<void>;
	/** Which version of the code this run began with: 1 if it began before `name` was there. */
	getVersion(name: string, latest: number): Promise<number>;
	/**
	 * Time of the latest entry before this point (ms since the epoch); the same on replay. Inside a step it
	 * throws `EntryInProgressError`, as {@link random} and {@link uuid} do.
	 */
	now(): number;
	/** In [0, 1); the same on replay. */
	random(): number;
	/** The same on replay. */
	uuid(): string;
	/** Whether entries answer from records here. */
	readonly isReplaying: boolean;
}

/** `ctx` of `workflow()`, of its loops and of its branches. */
export interface ActorWorkflowContext<
	State = unknown,
	ConnParams = unknown,
	ConnState = unknown,
	Vars = unknown,
	Input = unknown,
	Database = unknown,
	Events = Undeclared,
	Queues = Undeclared,
> extends WorkflowCommon<Events>,
		WorkflowData<State, Vars, Database>,
		WorkflowOperations<
			ActorWorkflowContext<State, ConnParams, ConnState, Vars, Input, Database, Events, Queues>,
			WorkflowStepContext<State, Vars, Database, Events, Queues>,
			Queues
		> {}

/** `ctx` of `workflow.strict()`: without the members that only work inside steps. */
export interface StrictWorkflowContext<
	State = unknown,
	Vars = unknown,
	Database = unknown,
	Events = Undeclared,
	Queues = Undeclared,
> extends WorkflowCommon<Events>,
		WorkflowOperations<
			StrictWorkflowContext<State, Vars, Database, Events, Queues>,
			WorkflowStepContext<State, Vars, Database, Events, Queues>,
			Queues
		> {}
