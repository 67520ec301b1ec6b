import type { StandardSchemaV1 } from "@standard-schema/spec";

/** Where the types of a token live; the property never exists. */
declare const types: unique symbol;

// Registered symbols: tokens of another copy of the package are tokens too.
const EVENT: unique symbol = Symbol.for("rivetkit.event_token") as never;
const QUEUE: unique symbol = Symbol.for("rivetkit.queue_token") as never;

/** What `event()` returns: a declared event with payload `T`. Opaque. */
export interface EventToken<T = unknown> {
	readonly [EVENT]: unknown;
	readonly [types]?: { readonly payload: T };
}

/** What `queue()` returns: a declared queue with bodies `M` and completion responses `R`. Opaque. */
export interface QueueToken<M = unknown, R = never> {
	readonly [QUEUE]: unknown;
	readonly [types]?: { readonly message: M; readonly completion: R };
}

/** @deprecated Use `EventToken`. */
export type Type<T = unknown> = EventToken<T>;

export interface EventOptions<C> {
	/**
	 * Asked for each subscribe request of a client with an action context of its connection. `false`
	 * denies with `auth.forbidden`; anything but a boolean is an internal error.
	 */
	canSubscribe?: ((c: C) => boolean | Promise<boolean>) | undefined;
}

export interface SchemaEventOptions<S extends StandardSchemaV1, C> extends EventOptions<C> {
	/** Validates payloads when they are sent; its output is what travels. Must be synchronous. */
	schema: S;
}

export interface QueueOptions<C> {
	/**
	 * Asked for each message a client sends, not for `c.queue.send`. `false` denies with
	 * `auth.forbidden`; anything but a boolean is an internal error.
	 */
	canPublish?: ((c: C) => boolean | Promise<boolean>) | undefined;
	/**
	 * Messages this queue may hold, besides the actor's `maxQueueSize`. Default: no limit of its own. A
	 * dead-letter queue at its limit loses its oldest message; others refuse the new one (`queue.full`).
	 */
	maxSize?: number | undefined;
	/**
	 * Deliveries before a message is given up: it is moved to `deadLetter`, and a sender that waits gets
	 * `queue.message_given_up`. Deliveries that ended with a crash count. Default: no limit.
	 */
	maxAttempts?: number | undefined;
	/**
	 * Delay before a message that was not completed is delivered again (ms), or the first delay, which
	 * doubles up to `max`. Default 0.
	 */
	retryDelay?: number | { initial: number; max: number } | undefined;
	/**
	 * Queue of the same actor that given-up messages move to. It is received from only by name; see
	 * `c.queue.deadLetters` and `c.queue.redrive`. Default: they are dropped and logged.
	 */
	deadLetter?: string | undefined;
}

export interface SchemaQueueOptions<
	M extends StandardSchemaV1,
	R extends StandardSchemaV1 | undefined,
	C,
> extends QueueOptions<C> {
	/** Validates bodies before they are stored; its output is what is stored. */
	message: M;
	/** Validates the response given to `complete`; its output is what the sender gets. */
	complete?: R;
}

/**
 * Declares an event, with the payload type given (`event<string>()`) or taken from the output of a
 * schema (`event({ schema })`). A payload that is a fixed-length tuple spreads into arguments.
 */
export function event<S extends StandardSchemaV1>(
	// biome-ignore lint/suspicious/noExplicitAny: the contract (api 7) types the hook's context `any` unless C is given.
	options: SchemaEventOptions<S, any>,
): EventToken<StandardSchemaV1.InferOutput<S>>;
// biome-ignore lint/suspicious/noExplicitAny: as above
export function event<T, C = any>(
	options?: EventOptions<C> & { schema?: StandardSchemaV1<unknown, T> | undefined },
): EventToken<T>;
export function event(options: object = {}): EventToken<never> {
	return Object.freeze({ [EVENT]: options });
}

/**
 * Declares a queue, with body and completion types given (`queue<Job, Result>()`) or taken from the
 * outputs of schemas (`queue({ message, complete })`).
 */
export function queue<
	M extends StandardSchemaV1,
	R extends StandardSchemaV1 | undefined = undefined,
>(
	// biome-ignore lint/suspicious/noExplicitAny: the contract (api 7) types the hook's context `any` unless C is given.
	options: SchemaQueueOptions<M, R, any>,
): QueueToken<
	StandardSchemaV1.InferOutput<M>,
	R extends StandardSchemaV1 ? StandardSchemaV1.InferOutput<R> : never
>;
// biome-ignore lint/suspicious/noExplicitAny: as above
export function queue<M, R = never, C = any>(
	options?: QueueOptions<C> & {
		message?: StandardSchemaV1<unknown, M> | undefined;
		complete?: StandardSchemaV1<unknown, R> | undefined;
	},
): QueueToken<M, R>;
export function queue(options: object = {}): QueueToken<never, never> {
	return Object.freeze({ [QUEUE]: options });
}

interface ErasedEventOptions {
	readonly schema?: StandardSchemaV1;
	readonly canSubscribe?: (c: unknown) => unknown;
}

/** The options of an event token; `undefined` when the value is none. */
export function eventOptionsOf(value: unknown): ErasedEventOptions | undefined {
	return tokenOptions(value, EVENT) as ErasedEventOptions | undefined;
}

/** The options of a queue token; `undefined` when the value is none. */
export function queueOptionsOf(value: unknown): Record<string, unknown> | undefined {
	return tokenOptions(value, QUEUE) as Record<string, unknown> | undefined;
}

function tokenOptions(value: unknown, brand: symbol): unknown {
	if (typeof value !== "object" || value === null || !Object.hasOwn(value, brand)) return undefined;
	return (value as Record<symbol, unknown>)[brand];
}
