import { type Clock, catalogueError, serializeKey } from "@rivetkit/protocol";
import { isActorNotFound } from "../common/errors.ts";
import type { EngineLimits } from "../common/limits.ts";
import {
	type ActorKey,
	type CreateActor,
	componentsOf,
	type Directory,
} from "../directory/directory.ts";
import type { Placement } from "../placement/placement.ts";
import type { ActorRecord } from "../store/store.ts";

/** Which actor a caller means (protocol 4.6, client resolution). */
export type ActorQuery =
	| { readonly kind: "id"; readonly actorId: string; readonly name?: string }
	| { readonly kind: "get"; readonly name: string; readonly key: ActorKey }
	| ({ readonly kind: "getOrCreate" } & CreateActor)
	| ({ readonly kind: "create" } & CreateActor);

export interface ResolvedActor {
	readonly actor: ActorRecord;
	readonly created: boolean;
}

/** An actor that is destroyed between its look-up and its start is looked up again this often. */
const LOOKUPS_MAX = 3;

/** Turns what a caller means into an actor: directory first, and a start where the contract says so. */
export class Resolver {
	readonly #directory: Directory;
	readonly #placement: Placement;
	readonly #clock: Clock;
	readonly #limits: EngineLimits;

	constructor(directory: Directory, placement: Placement, clock: Clock, limits: EngineLimits) {
		this.#directory = directory;
		this.#placement = placement;
		this.#clock = clock;
		this.#limits = limits;
	}

	/** The same for actors of another namespace. */
	within(namespace: string): Resolver {
		const directory = this.#directory.within(namespace);
		return directory === this.#directory
			? this
			: new Resolver(directory, this.#placement, this.#clock, this.#limits);
	}

	/** Id of the actor with this name and serialized key if it is live; asks no store. */
	liveId(name: string, serializedKey: string): string | undefined {
		return this.#placement.liveId(this.#directory.namespace, name, serializedKey);
	}

	/** As {@link resolve}, for callers that need no more than the id: cheaper when the actor is live. */
	async resolveId(query: ActorQuery): Promise<string> {
		if (query.kind === "get" || query.kind === "getOrCreate") {
			const actorId = this.liveId(
				query.name,
				typeof query.key === "string" ? query.key : serializeKey(query.key),
			);
			if (actorId !== undefined) {
				return actorId;
			}
		}
		return (await this.resolve(query)).actor.actorId;
	}

	/**
	 * `id` and `get` only look up; `create` and `getOrCreate` resolve when the actor is ready.
	 *
	 * @throws `actor.not_found`, `actor.duplicate_key`, `request.invalid`, `input.too_large`, and what a
	 * start can fail with.
	 */
	async resolve(query: ActorQuery): Promise<ResolvedActor> {
		switch (query.kind) {
			case "id": {
				const actor = await this.#directory.byId(query.actorId);
				if (actor === undefined || (query.name !== undefined && query.name !== actor.name)) {
					throw catalogueError("actor.not_found", { identifier: query.actorId });
				}
				return { actor, created: false };
			}
			case "get": {
				const actor = await this.#directory.byKey(query.name, query.key);
				if (actor === undefined) {
					this.#directory.checkRegistered(query.name);
					throw catalogueError("actor.not_found", {
						identifier: `${query.name}:${JSON.stringify(componentsOf(query.key))}`,
					});
				}
				return { actor, created: false };
			}
			case "getOrCreate":
				return this.#getOrCreate(query);
			case "create": {
				const actor = await this.#create(query);
				await this.#placement.ready(actor.actorId, this.#deadline(), "key", acquired(actor));
				return { actor, created: true };
			}
		}
	}

	async #getOrCreate(query: CreateActor): Promise<ResolvedActor> {
		const deadlineTs = this.#deadline();
		for (let lookup = 1; ; lookup++) {
			const resolved = await this.#directory.getOrCreate(query);
			const { actorId } = resolved.actor;
			if (this.#placement.live(actorId) !== undefined) {
				return resolved;
			}
			try {
				const fresh = resolved.created ? acquired(resolved.actor) : undefined;
				await this.#placement.ready(actorId, deadlineTs, "key", fresh);
				return resolved;
			} catch (error) {
				if (lookup === LOOKUPS_MAX || !isActorNotFound(error)) {
					throw error;
				}
			}
		}
	}

	/** A key whose holder is being destroyed is free as soon as that is done. */
	async #create(query: CreateActor): Promise<ActorRecord> {
		const { created, actor } = await this.#directory.insert(query);
		if (created) {
			return actor;
		}
		await this.#placement.destroyed(actor.actorId, this.#deadline());
		return this.#directory.create(query);
	}

	#deadline(): number {
		return this.#clock.now() + this.#limits.routeTimeoutMs;
	}
}

/** A new actor, if it was acquired for an incarnation here. */
function acquired(created: ActorRecord): ActorRecord | undefined {
	return created.generation < 0 ? undefined : created;
}
