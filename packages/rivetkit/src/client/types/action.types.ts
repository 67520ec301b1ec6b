import type { StandardSchemaV1 } from "@standard-schema/spec";
import type { IsAny } from "./definition.types.ts";

/** An action as callers see it: without the context, and never a promise of a promise. */
export type ActorActionFunction<
	// biome-ignore lint/suspicious/noExplicitAny: the contract (api 4.3) lets the untyped client take and return anything.
	Args extends readonly unknown[] = any[],
	// biome-ignore lint/suspicious/noExplicitAny: as above
	Response = any,
> = (...args: [...Args]) => Promise<Awaited<Response>>;

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
