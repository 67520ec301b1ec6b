import { normalizeKey } from "@rivetkit/protocol";
import { assertIs } from "./arguments.ts";
import type { ClientEnvironment } from "./environment.ts";
import { asActorError, asClientError } from "./errors.ts";
import { ActorHandleRaw, type HandleOptions, type HandleOwner } from "./handle.ts";
import { handleProxy } from "./proxy.ts";
import type { ActorQuery, NewActor } from "./transport/transport.ts";

/** How a user writes an actor key: components, one component, or nothing for the empty key. */
export type KeyInput = string | readonly string[];

/** Options of `get` and `getForId` without the types of an actor. */
export type UntypedGetOptions = HandleOptions;

/** Options of `getOrCreate` without the types of an actor. */
export interface UntypedGetOrCreateOptions extends HandleOptions {
	readonly createInRegion?: string | undefined;
	readonly createWithInput?: unknown;
}

/** Options of `create` without the types of an actor. */
export interface UntypedCreateOptions extends HandleOptions {
	readonly region?: string | undefined;
	readonly input?: unknown;
}

/**
 * The client without the types of a registry (contract: api 15.2). `createClient` returns it behind a
 * proxy that takes unknown members as actor names.
 */
export class ClientRaw {
	readonly #owner: HandleOwner;
	#disposal: Promise<void> | null = null;

	constructor(environment: ClientEnvironment) {
		this.#owner = { environment, connections: new Set() };
	}

	/** A handle to the actor of this name and key, which must exist when it is used. */
	get(name: string, key?: KeyInput, options: UntypedGetOptions = {}): ActorHandleRaw {
		return this.#handle({ kind: "get", name, key: keyOf(key) }, options);
	}

	/** A handle to the actor of this name and key, which is created when it is used first. */
	getOrCreate(
		name: string,
		key?: KeyInput,
		options: UntypedGetOrCreateOptions = {},
	): ActorHandleRaw {
		const { createInRegion: region, createWithInput: input } = options;
		return this.#handle({ kind: "getOrCreate", name, key: keyOf(key), input, region }, options);
	}

	/**
	 * A handle to the actor of this id, which must exist and have this name when it is used. Throws `request.invalid` for an id
	 * that is no string.
	 */
	getForId(name: string, actorId: string, options: UntypedGetOptions = {}): ActorHandleRaw {
		assertIs("string", "actor id", actorId);
		return this.#handle({ kind: "id", name, actorId }, options);
	}

	/** Creates an actor. Rejects with `actor.duplicate_key` when there is one of this name and key. */
	async create(
		name: string,
		key?: KeyInput,
		options: UntypedCreateOptions = {},
	): Promise<ActorHandleRaw> {
		const { input, region, signal } = options;
		const actor: NewActor = { name, key: keyOf(key), input, region };
		try {
			const actorId = await this.#owner.environment.transport.create(actor, signal);
			return this.#handle({ kind: "found", name, actorId }, options);
		} catch (error) {
			signal?.throwIfAborted();
			throw asClientError(error);
		}
	}

	/**
	 * Closes all connections, and those that handles open later at once. A second call does nothing but log
	 * a warning.
	 */
	dispose(): Promise<void> {
		const { environment, connections } = this.#owner;
		const { transport, log } = environment;
		if (this.#disposal) {
			log.warn("the client was disposed before");
			return this.#disposal;
		}
		this.#owner.connections = null;
		transport.dispose();
		this.#disposal = Promise.all(
			[...(connections ?? [])].map((connection) => connection.dispose()),
		).then(() => {});
		return this.#disposal;
	}

	[Symbol.asyncDispose](): Promise<void> {
		return this.dispose();
	}

	#handle(query: ActorQuery, options: HandleOptions): ActorHandleRaw {
		return handleProxy(new ActorHandleRaw(this.#owner, query, options));
	}
}

function keyOf(key: KeyInput | undefined): readonly string[] {
	try {
		return normalizeKey(key);
	} catch (error) {
		throw asActorError(error);
	}
}
