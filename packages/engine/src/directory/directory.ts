/**
 * Which actors exist: name + key to id, exactly one live actor for each.
 *
 * - D1. A name or key that breaks a rule leaves nothing behind: checks come before the store.
 * - D2. Ids are unique per creation, so a stale id never reaches a successor (protocol 4.8).
 */
import {
	type ActorNameMetadata,
	type Clock,
	catalogueError,
	checkActorName,
	checkKey,
	parseKey,
	type StorageBatch,
	serializeKey,
} from "@rivetkit/protocol";
import type { EngineLimits } from "../common/limits.ts";
import { compareText } from "../store/order.ts";
import type { ActorRecord, InsertedActor, ListActors, NewActor, Store } from "../store/store.ts";
import { checkAnyName } from "./any-name.ts";

/** Components, or text that means nothing here: it is stored as it is (engine 2.4). */
export type ActorKey = readonly string[] | string;

/** What makes an actor. */
export interface CreateActor {
	readonly name: string;
	readonly key: ActorKey;
	/** CBOR of the input; `null` for none. */
	readonly input: Uint8Array | null;
	readonly crashPolicy?: string;
	/** The pool whose hosts may have it. Default `default`. */
	readonly pool?: string;
}

export interface DirectoryOptions {
	readonly store: Store;
	readonly clock: Clock;
	readonly newId: () => string;
	readonly limits: EngineLimits;
	readonly namespace: string;
	readonly region: string;
	/** Names of the actors that can be created, with their display hints. */
	readonly actorNames: () => Readonly<Record<string, ActorNameMetadata>>;
	/** Whether a new actor begins in this process. Default: it does. */
	readonly startsHere?: (actor: {
		readonly name: string;
		readonly namespace: string;
		readonly pool: string;
	}) => boolean;
	/** Whether the error for an unknown name lists the names there are (ruling 6). */
	readonly listsNames: () => boolean;
	/** Whether actors of any name can be made: runners announce theirs when they come, if at all. */
	readonly hostsAnyName: () => boolean;
}

/** The one pool of an embedded engine (protocol 4.6). */
const RUNNER_NAME = "default";
const CRASH_POLICY = "sleep";

export class Directory {
	readonly #options: DirectoryOptions;

	constructor(options: DirectoryOptions) {
		this.#options = options;
	}

	/** The same of another namespace. */
	within(namespace: string): Directory {
		return namespace === this.namespace ? this : new Directory({ ...this.#options, namespace });
	}

	get namespace(): string {
		return this.#options.namespace;
	}

	/** The live actor with this id. */
	async byId(actorId: string): Promise<ActorRecord | undefined> {
		const record = await this.#options.store.actorById(actorId);
		return record?.destroyTs === null ? record : undefined;
	}

	/** The live actor with this name and key. Throws `request.invalid` for a bad name or key (`api.bad_request` where names are the hosts' own). */
	async byKey(name: string, key: ActorKey): Promise<ActorRecord | undefined> {
		this.#checkName(name);
		const { store, namespace } = this.#options;
		return store.actorByKey(namespace, name, storedKey(key));
	}

	/** The actor with this name and key, made as {@link insert} does if there is none. */
	async getOrCreate(request: CreateActor): Promise<InsertedActor> {
		const existing = await this.byKey(request.name, request.key);
		return existing === undefined ? this.insert(request) : { actor: existing, created: false };
	}

	/** A new actor, acquired for its first incarnation if that is to be here, or the live one that holds the key. */
	async insert(request: CreateActor): Promise<InsertedActor> {
		const { name, pool = RUNNER_NAME } = request;
		const { namespace } = this.#options;
		const acquire = this.#options.startsHere?.({ name, namespace, pool }) ?? true;
		return this.#options.store.insertActor(this.#newActor(request), { acquire });
	}

	/** A new actor, as {@link insert} makes it. Throws `actor.duplicate_key` when a live one holds the key. */
	async create(request: CreateActor): Promise<ActorRecord> {
		const { created, actor } = await this.insert(request);
		if (!created) {
			throw catalogueError("actor.duplicate_key", {
				name: request.name,
				key: componentsOf(request.key),
			});
		}
		return actor;
	}

	/** A new actor with what it stores, asleep. Throws `actor.duplicate_key` when a live one holds the key. */
	async import(request: CreateActor, batch: StorageBatch): Promise<ActorRecord> {
		const { created, actor } = await this.#options.store.importActor(
			this.#newActor(request),
			batch,
		);
		if (!created) {
			throw catalogueError("actor.duplicate_key", {
				name: request.name,
				key: componentsOf(request.key),
			});
		}
		return actor;
	}

	/** Newest first. */
	list(query: Omit<ListActors, "namespace">): Promise<ActorRecord[]> {
		return this.#options.store.listActors({ ...query, namespace: this.#options.namespace });
	}

	/** Names with actors and names that can be created, sorted, strictly after `after`. */
	async names(limit: number, after?: string): Promise<[string, ActorNameMetadata][]> {
		const { store, namespace, actorNames } = this.#options;
		const registered = actorNames();
		const names = new Set(await store.listNames(namespace, limit, after));
		for (const name of Object.keys(registered)) {
			if (after === undefined || compareText(name, after) > 0) {
				names.add(name);
			}
		}
		return [...names]
			.sort(compareText)
			.slice(0, limit)
			.map((name) => [name, Object.hasOwn(registered, name) ? registered[name]! : {}]);
	}

	#newActor(request: CreateActor): NewActor {
		const { clock, newId, limits, namespace, region } = this.#options;
		this.#checkName(request.name);
		const key = storedKey(request.key);
		this.checkRegistered(request.name);
		const inputBytes = request.input?.byteLength ?? 0;
		if (inputBytes > limits.inputBytesMax) {
			throw catalogueError("input.too_large", {
				size: inputBytes,
				limit: limits.inputBytesMax,
			});
		}
		return {
			actorId: newId(),
			namespace,
			name: request.name,
			key,
			runnerNameSelector: request.pool ?? RUNNER_NAME,
			crashPolicy: request.crashPolicy ?? CRASH_POLICY,
			datacenter: region,
			input: request.input,
			createTs: clock.now(),
		};
	}

	#checkName(name: string): void {
		if (this.#options.hostsAnyName()) {
			checkAnyName(name);
		} else {
			checkActorName(name);
		}
	}

	/** Throws `request.invalid` for a name that is not registered (ruling 6). */
	checkRegistered(name: string): void {
		const { actorNames, listsNames, hostsAnyName } = this.#options;
		if (hostsAnyName()) {
			return;
		}
		const registered = actorNames();
		if (!Object.hasOwn(registered, name)) {
			const names = Object.keys(registered).sort();
			const hint = listsNames()
				? `; registered are: ${names.length === 0 ? "none" : names.join(", ")}`
				: "";
			throw catalogueError("request.invalid", {
				detail: `actor '${name}' is not registered${hint}`,
			});
		}
	}
}

/** Components of a key, for what people read. */
export function componentsOf(key: ActorKey): readonly string[] {
	return typeof key === "string" ? parseKey(key) : key;
}

function storedKey(key: ActorKey): string {
	if (typeof key === "string") {
		return key;
	}
	checkKey(key);
	return serializeKey(key);
}
