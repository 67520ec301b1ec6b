import type { Suggested } from "./definition.types.ts";

/** Where an actor is created; which names exist is the engine's affair. */
export type Region = string;

/** Options every accessor takes. */
export interface QueryOptions<Params = unknown> {
	/** Connection params: JSON, seen by `onBeforeConnect` and `createConnState`. */
	readonly params?: Suggested<Params>;
	/** Asked for params for each new connection; wins over `params`. */
	readonly getParams?: (() => Suggested<Params> | Promise<Suggested<Params>>) | undefined;
	/** Aborts look-ups, actions and connections of the handle with the signal's reason. */
	readonly signal?: AbortSignal | undefined;
}

export type GetOptions<Params = unknown> = QueryOptions<Params>;
export type GetWithIdOptions<Params = unknown> = QueryOptions<Params>;

export interface GetOrCreateOptions<Params = unknown, Input = unknown>
	extends QueryOptions<Params> {
	readonly createInRegion?: Region | undefined;
	/** Given to `createState` and `onCreate` if this call creates the actor. */
	readonly createWithInput?: Suggested<Input>;
}

export interface CreateOptions<Params = unknown, Input = unknown> extends QueryOptions<Params> {
	readonly region?: Region | undefined;
	/** Given to `createState` and `onCreate`. */
	readonly input?: Suggested<Input>;
}

/** What identifies a new actor and what it starts with. */
export interface CreateRequest {
	readonly name: string;
	readonly key: readonly string[];
	readonly input?: unknown;
	readonly region?: Region | undefined;
}
