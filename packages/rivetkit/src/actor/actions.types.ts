import type { StandardSchemaV1 } from "@standard-schema/spec";
import type { Undeclared } from "./declarations.types.ts";
import type { ActionContext } from "./hook-contexts.types.ts";

/** An action written as a plain function. */
// biome-ignore lint/suspicious/noExplicitAny: parameters without annotation stay usable, and an unread result lets helpers refer to their own actor
export type ActionFunction<Context> = (c: Context, ...args: any[]) => any;

/** One schema for the only argument, or a list with one schema per argument. */
export type ActionInput = StandardSchemaV1 | readonly StandardSchemaV1[] | readonly [];

/** What a handler gets behind `c`: the outputs of its schemas. */
export type ActionArguments<Input> = Input extends StandardSchemaV1
	? [input: StandardSchemaV1.InferOutput<Input>]
	: Input extends readonly unknown[]
		? {
				-readonly [Index in keyof Input]: Input[Index] extends StandardSchemaV1
					? StandardSchemaV1.InferOutput<Input[Index]>
					: never;
			}
		: never;

/**
 * An action with validated arguments. `input` is a Standard Schema for the one argument, or a list of
 * schemas, one per argument; the handler gets what they return. Arguments that they refuse are answered
 * with `action.invalid_request` and never reach the handler; arguments behind the last schema are
 * dropped. Clients see the schemas' input types.
 */
export interface ValidatedAction<Context, Input> {
	readonly input: Input & ActionInput;
	// biome-ignore lint/suspicious/noExplicitAny: see ActionFunction
	readonly handler: (c: Context, ...args: ActionArguments<Input>) => any;
}

/**
 * What `actions` takes, with `Inputs` following its shape: schemas where an action has them. Maps nest;
 * a nested action is called `outer.inner` on the wire. Inside nested maps `input` and `handler` are not
 * names of actions.
 */
export type ActionMap<Context, Inputs> = {
	readonly [Name in keyof Inputs]: ActionEntry<Context, Inputs[Name]>;
};

type ActionEntry<Context, Inputs> =
	| ActionFunction<Context>
	| ValidatedAction<Context, Inputs>
	| (ActionMap<Context, Inputs> &
			object & { readonly input?: undefined; readonly handler?: undefined });

/** A map of actions of an actor with these types, for annotating one that is written elsewhere. */
export type Actions<
	State = unknown,
	ConnParams = unknown,
	ConnState = unknown,
	Vars = unknown,
	Input = unknown,
	Database = unknown,
	Events = Undeclared,
	Queues = Undeclared,
> = Record<
	string,
	ActionFunction<ActionContext<State, ConnParams, ConnState, Vars, Input, Database, Events, Queues>>
>;
