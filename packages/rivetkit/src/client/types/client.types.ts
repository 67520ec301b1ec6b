import type { AnyActorDefinition } from "../../actor/definition.ts";
import type { ClientRaw, KeyInput } from "../client.ts";
import type { ActorHandle } from "./actor-handle.types.ts";
import type { DefinitionParts } from "./definition.types.ts";
import type {
	CreateOptions,
	GetOptions,
	GetOrCreateOptions,
	GetWithIdOptions,
} from "./options.types.ts";

/** What a client needs of a registry's type. */
interface ActorsHolder<Actors = unknown> {
	readonly config: { readonly use: Actors };
}

/** The definitions of a registry, by name. */
export type ExtractActorsFromRegistry<Registry> =
	Registry extends ActorsHolder<infer Actors> ? Actors : never;

/** Ways to one kind of actor (contract: api 15.2). */
export interface ActorAccessor<Definition> {
	/** A handle to the actor of this key, which must exist when it is used. */
	get(key?: KeyInput, options?: GetOptions<Params<Definition>>): ActorHandle<Definition>;
	/** A handle to the actor of this key, which is created when it is used first. */
	getOrCreate(
		key?: KeyInput,
		options?: GetOrCreateOptions<Params<Definition>, Input<Definition>>,
	): ActorHandle<Definition>;
	/** A handle to the actor of this id, which must exist when it is used. */
	getForId(
		actorId: string,
		options?: GetWithIdOptions<Params<Definition>>,
	): ActorHandle<Definition>;
	/** Creates an actor. Rejects with `actor.duplicate_key` when the key is taken. */
	create(
		key?: KeyInput,
		options?: CreateOptions<Params<Definition>, Input<Definition>>,
	): Promise<ActorHandle<Definition>>;
}

type Params<Definition> = DefinitionParts<Definition>["params"];
type Input<Definition> = DefinitionParts<Definition>["input"];

/** The members every client has. Names of the registry are typed, others accept anything. */
interface ClientMembers<Actors> {
	/** A handle to the actor of this name and key, which must exist when it is used. */
	get<Name extends keyof Actors & string>(
		name: Name,
		key?: KeyInput,
		options?: GetOptions<Params<Actors[Name]>>,
	): ActorHandle<Actors[Name]>;
	get(name: string, key?: KeyInput, options?: GetOptions): ActorHandle<AnyActorDefinition>;
	/** A handle to the actor of this name and key, which is created when it is used first. */
	getOrCreate<Name extends keyof Actors & string>(
		name: Name,
		key?: KeyInput,
		options?: GetOrCreateOptions<Params<Actors[Name]>, Input<Actors[Name]>>,
	): ActorHandle<Actors[Name]>;
	getOrCreate(
		name: string,
		key?: KeyInput,
		options?: GetOrCreateOptions,
	): ActorHandle<AnyActorDefinition>;
	/** A handle to the actor of this id, which must exist and have this name when it is used. */
	getForId<Name extends keyof Actors & string>(
		name: Name,
		actorId: string,
		options?: GetWithIdOptions<Params<Actors[Name]>>,
	): ActorHandle<Actors[Name]>;
	getForId(
		name: string,
		actorId: string,
		options?: GetWithIdOptions,
	): ActorHandle<AnyActorDefinition>;
	/** Creates an actor. Rejects with `actor.duplicate_key` when name and key are taken. */
	create<Name extends keyof Actors & string>(
		name: Name,
		key?: KeyInput,
		options?: CreateOptions<Params<Actors[Name]>, Input<Actors[Name]>>,
	): Promise<ActorHandle<Actors[Name]>>;
	create(
		name: string,
		key?: KeyInput,
		options?: CreateOptions,
	): Promise<ActorHandle<AnyActorDefinition>>;
	/** Closes all connections. A second call does nothing but log a warning. */
	dispose(): Promise<void>;
	[Symbol.asyncDispose](): Promise<void>;
}

/** The accessors by actor name. */
type Accessors<Actors> = {
	readonly [Name in Exclude<keyof Actors, keyof ClientRaw>]: ActorAccessor<Actors[Name]>;
};

interface UntypedAccessors {
	readonly [name: string]: ActorAccessor<AnyActorDefinition>;
}

/** Where a client's type keeps its registry's; the property never exists. */
declare const REGISTRY: unique symbol;

interface OfRegistry<Registry> {
	readonly [REGISTRY]?: Registry;
}

/** A client of a registry, with its actors as members. Without a registry any actor is one. */
export type Client<Registry = UntypedRegistry> = OfRegistry<Registry> &
	(Registry extends UntypedRegistry
		? // biome-ignore lint/complexity/noBannedTypes: a registry without names
			ClientMembers<{}> & UntypedAccessors
		: ClientMembers<ExtractActorsFromRegistry<Registry>> &
				Accessors<ExtractActorsFromRegistry<Registry>>);

/** Any client, when the types of its registry do not matter. */
// biome-ignore lint/complexity/noBannedTypes: a registry without names
export type AnyClient = ClientMembers<{}>;

/** Stands for the registry of a client without types. */
export interface UntypedRegistry {
	readonly untyped: true;
}

/** The registry a client's type was made of. */
export type ExtractRegistryFromClient<C> = C extends OfRegistry<infer Registry> ? Registry : never;
