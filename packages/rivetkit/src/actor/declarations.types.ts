import type { StandardSchemaV1 } from "@standard-schema/spec";
import type { EventToken, QueueOptions, QueueToken } from "./tokens.ts";

/** One entry of `events`: a token, a schema of the payload, or a schema with a guard (api 7). */
export type EventDeclaration =
	| EventToken<unknown>
	| StandardSchemaV1
	| {
			readonly schema: StandardSchemaV1 | EventToken<unknown>;
			// biome-ignore lint/suspicious/noExplicitAny: the contract (api 7) types the hook's context `any`.
			readonly canSubscribe?: ((c: any) => boolean | Promise<boolean>) | undefined;
	  };

/** One entry of `queues`: a token, a schema of the body, or schemas with a guard and limits (api 7). */
export type QueueDeclaration =
	| QueueToken<unknown, unknown>
	| StandardSchemaV1
	// biome-ignore lint/suspicious/noExplicitAny: the contract (api 7) types the hook's context `any`.
	| (QueueOptions<any> & {
			readonly message: StandardSchemaV1;
			readonly complete?: StandardSchemaV1 | undefined;
	  });

export type EventsConfig = Record<string, EventDeclaration>;
export type QueuesConfig = Record<string, QueueDeclaration>;

/** What is declared when nothing is. */
// biome-ignore lint/complexity/noBannedTypes: the type of a map without entries
export type Undeclared = {};

/** Whether a map declares anything; without declarations any name is accepted (api 4.1). */
type IsUndeclared<M> = [keyof M] extends [never] ? true : false;

/** Names that may be used: the declared ones, or any string when none is declared. */
export type EventName<E> = IsUndeclared<E> extends true ? string : keyof E & string;
export type QueueName<Q> = IsUndeclared<Q> extends true ? string : keyof Q & string;

type PayloadOf<D> =
	D extends EventToken<infer T>
		? T
		: D extends StandardSchemaV1
			? StandardSchemaV1.InferOutput<D>
			: D extends { readonly schema: infer S }
				? PayloadOf<S>
				: unknown;

/** The payload type of one event; `unknown` when it is not declared. */
export type EventPayload<E, K> = K extends keyof E ? PayloadOf<E[K]> : unknown;

/**
 * How a payload is written as arguments: a fixed-length tuple spreads, anything else is one argument,
 * which may be left out when it may be undefined (api 4.3).
 */
type SpreadPayload<T> = [T] extends [readonly unknown[]]
	? number extends T["length"]
		? [payload: T]
		: T extends readonly [...infer Items]
			? Items
			: [payload: T]
	: undefined extends T
		? [payload?: T]
		: [payload: T];

/** The arguments of `broadcast` and `send` behind the event name. */
export type EventArgs<E, K> =
	IsUndeclared<E> extends true ? unknown[] : SpreadPayload<EventPayload<E, K>>;

type BodyOf<D> =
	D extends QueueToken<infer M, unknown>
		? M
		: D extends StandardSchemaV1
			? StandardSchemaV1.InferOutput<D>
			: D extends { readonly message: infer S extends StandardSchemaV1 }
				? StandardSchemaV1.InferOutput<S>
				: unknown;

type CompletionOf<D> =
	D extends QueueToken<unknown, infer R>
		? R
		: D extends StandardSchemaV1
			? never
			: D extends { readonly complete: infer S extends StandardSchemaV1 }
				? StandardSchemaV1.InferOutput<S>
				: never;

/** The body type of one queue; `unknown` when it is not declared. */
export type QueueBody<Q, K> = K extends keyof Q ? BodyOf<Q[K]> : unknown;

/** The completion type of one queue; `never` when it declares none. */
export type QueueCompletion<Q, K> = K extends keyof Q ? CompletionOf<Q[K]> : never;
