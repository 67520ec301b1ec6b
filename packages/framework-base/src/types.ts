import type {
	ActorAccessor,
	ActorConn,
	ActorConnStatus,
	ActorHandle,
	ExtractActorsFromRegistry,
	KeyInput,
	Region,
} from "rivetkit/client";

/** Any registry: what `typeof registry` of `setup({ use })` is. */
export interface AnyActorRegistry {
	readonly config: { readonly use: object };
}

/** Names of the actors of a registry. */
export type ActorName<Registry> = keyof ExtractActorsFromRegistry<Registry> & string;

type Accessor<Registry, Name> = Name extends keyof ExtractActorsFromRegistry<Registry>
	? ActorAccessor<ExtractActorsFromRegistry<Registry>[Name]>
	: never;

/** What `getOrCreate` of this actor takes beside the key. */
type CreationOptions<Registry, Name> = NonNullable<
	Parameters<Accessor<Registry, Name>["getOrCreate"]>[1]
>;

/** Options of any actor, when the types of its registry do not matter. */
export interface AnyActorOptions {
	readonly name: string;
	readonly key: KeyInput;
	/** Connection params: JSON. Another value is another connection. */
	readonly params?: unknown;
	/** Where the actor is created if there is none. */
	readonly createInRegion?: Region | undefined;
	/** Given to `createState` and `onCreate` if this use creates the actor. */
	readonly createWithInput?: unknown;
	/** `false`: no connection for this user. Default true. */
	readonly enabled?: boolean | undefined;
	/** The actor has to exist; it is never created. Default false. */
	readonly noCreate?: boolean | undefined;
}

/** Which actor, and how to connect to it (contract: api 17). */
export interface ActorOptions<Registry, Name extends ActorName<Registry>> extends AnyActorOptions {
	readonly name: Name;
	readonly params?: CreationOptions<Registry, Name>["params"];
	readonly createWithInput?: CreationOptions<Registry, Name>["createWithInput"];
}

/** What users of an actor see (contract: api 17). A new object with each change, the same one between changes. */
export interface ActorState<Registry, Name extends ActorName<Registry>> {
	/** `null` before the first user has mounted, and while none is enabled. */
	readonly handle: ActorHandle<ExtractActorsFromRegistry<Registry>[Name]> | null;
	/** As `handle`. */
	readonly connection: ActorConn<ExtractActorsFromRegistry<Registry>[Name]> | null;
	readonly connStatus: ActorConnStatus;
	/** The last error of the connection; `null` again once it is connected. */
	readonly error: Error | null;
	/** The options of this user. */
	readonly opts: ActorOptions<Registry, Name>;
	/** Which connection this is: users with the same hash share one. */
	readonly hash: string;
	/** @deprecated Use `connStatus`. */
	readonly isConnected: boolean;
}

/** {@link ActorState} as a value that changes with the connection. */
export type ActorsStateDerived<Registry, Name extends ActorName<Registry>> = Subscribable<
	ActorState<Registry, Name>
>;

/** A value that changes. Fits `useSyncExternalStore` and its like. */
export interface Subscribable<Value> {
	/** The value now; the same object until it changes. */
	readonly get: () => Value;
	/** Calls `listener` after each change. Returns how to unsubscribe. */
	readonly subscribe: (listener: () => void) => () => void;
}

export interface CreateRivetKitOptions {
	/** Which uses share a connection: those with the same hash. Default: JSON of name, key, params and `noCreate`. */
	readonly hashFunction?: ((options: AnyActorOptions) => string) | undefined;
}
