import type { StandardSchemaV1 } from "@standard-schema/spec";
import type { IsAny } from "./definition.types.ts";

/** An action as callers see it: without the context, and never a promise of a promise. */
export type ActorActionFunction<
	// biome-ignore lint/suspicious/noExplicitAny: the contract (api 4.3) lets the untyped client take and return anything.
	Args extends readonly unknown[] = any[],
	// biome-ignore lint/suspicious/noExplicitAny: as above
	Response = any,
> = (...args: [...Args]) => ActorActionResult<Awaited<Response>>;

/** What a call of an action gives: its result, or a stream for an action that returns an async iterable. */
export type ActorActionResult<Result> =
	IsAny<Result> extends true
		? Promise<Result>
		: [Result] extends [never]
			? Promise<Result>
			: [Result] extends [AsyncIterable<infer Item, infer End>]
				? ActorActionStream<Item, End>
				: Promise<Result>;

/**
 * What an action streams, an async generator for example: `for await (const item of handle.tokens("…"))`. As
 * with a generator nothing runs before the first item is asked for, there is one iterator, and leaving the
 * loop ends the action. Iterate it at once: it has no result, and awaiting it rejects with
 * `action.is_stream`. Ours: see `docs/streaming.md`.
 */
export interface ActorActionStream<Item, End = unknown> extends PromiseLike<never> {
	[Symbol.asyncIterator](): ActorActionItems<Item, End>;
}

/** The iterator of a streaming action. */
export interface ActorActionItems<Item, End = unknown> {
	/**
	 * The next item; at the end, `done` with what the generator returned. Rejects with the `ActorError` of an
	 * action that failed, with `action.stream_broken` when the connection broke, and after an abort with the
	 * signal's reason.
	 */
	next(): Promise<IteratorResult<Item, End>>;
	/** Ends the action: its `c.abortSignal` fires, and its generator returns. */
	return(value?: unknown): Promise<IteratorResult<Item, End>>;
}

/**
 * The actions of an actor whose type is not known. `any` rather than a function type, so that they can
 * be called under `noUncheckedIndexedAccess` too.
 */
interface UntypedActions {
	// biome-ignore lint/suspicious/noExplicitAny: as above
	readonly [name: string]: any;
}

/** The callable side of an action map: functions, `{ input, handler }` pairs, and nested maps. */
export type ActorActions<Actions, Reserved = never> =
	IsAny<Actions> extends true
		? UntypedActions
		: { readonly [Name in Exclude<keyof Actions, Reserved>]: CallableAction<Actions[Name]> };

type CallableAction<Action> =
	IsAny<Action> extends true
		? UntypedActions[string]
		: // biome-ignore lint/suspicious/noExplicitAny: matches every context
			Action extends (c: any, ...args: infer Args) => infer Response
			? ActorActionFunction<Args, Response>
			: Action extends { readonly input: infer Input; readonly handler: infer Handler }
				? ActorActionFunction<SchemaArguments<Input>, ResponseOf<Handler>>
				: Action extends object
					? ActorActions<Action>
					: never;

/** What callers pass to an action with validated input: what its schemas take. */
type SchemaArguments<Input> = Input extends readonly unknown[]
	? { [Index in keyof Input]: SchemaInput<Input[Index]> }
	: [input: SchemaInput<Input>];

type SchemaInput<Schema> = Schema extends StandardSchemaV1
	? StandardSchemaV1.InferInput<Schema>
	: unknown;

// biome-ignore lint/suspicious/noExplicitAny: matches every handler
type ResponseOf<Handler> = Handler extends (...args: any[]) => infer Response ? Response : unknown;
