import {
	type ActorResponse,
	type ApiActorStatus,
	catalogueError,
	decodeBase64,
	encodeBase64,
	INSPECTOR_TOKEN_KEY,
	parseActorId,
} from "@rivetkit/protocol";
import type { z } from "zod";
import type { ActorCondition } from "../common/runner-questions.ts";
import { componentsOf } from "../directory/directory.ts";
import { isKeyless, keylessKey } from "../directory/keyless.ts";
import type { Namespace } from "../pools/namespaces.ts";
import { type ActorRecord, PUT_TS_UNKNOWN } from "../store/store.ts";
import { readInput, readKey } from "./actor-fields.ts";
import { ACTOR_IDS_MAX } from "./contract.ts";
import { actorPosition, readCursor, writeCursor } from "./cursor.ts";
import type { EngineApiOptions } from "./engine-api.types.ts";
import { badRequest, idsOf, jsonAnswer, notAnId, readBody, readQuery } from "./engine-calls.ts";
import {
	actorsQuery,
	type engineActorSchema,
	engineCreateBody,
	engineGetOrCreateBody,
	namesQuery,
} from "./engine-contract.ts";
import { type EngineCall, type EngineOperations, scopeOf } from "./engine-operations.ts";
import { InspectorTokens } from "./inspector-tokens.ts";

/** Actors (engine 2.4). */
export class ActorOperations {
	readonly #options: EngineApiOptions;
	readonly #tokens: InspectorTokens;
	readonly operations: EngineOperations<
		"listActors" | "createActor" | "getOrCreateActor" | "listActorNames" | "destroyActor" | "readKv"
	> = {
		listActors: (call) => this.#list(call),
		createActor: (call) => this.#create(call),
		getOrCreateActor: (call) => this.#getOrCreate(call),
		listActorNames: (call) => this.#listNames(call),
		destroyActor: (call) => this.#destroy(call),
		readKv: (call) => this.#readKv(call),
	};

	constructor(options: EngineApiOptions) {
		this.#options = options;
		this.#tokens = new InspectorTokens(options.store, options.random);
	}

	async #list({ query }: EngineCall): Promise<ActorResponse> {
		const given = readQuery(actorsQuery, query);
		const namespace = await this.#options.namespaces.get(given.namespace);
		const directory = this.#options.directoryOf(namespace.name);
		const { name, key } = given;
		const ids = idsOf(given.actor_id, given.actor_ids);
		const includeDestroyed = given.include_destroyed === "true";
		if (ids !== undefined) {
			if (name !== undefined || key !== undefined) {
				throw invalidInput("actor ids cannot be given together with name or key");
			}
			return this.#listed(namespace, await this.#byIds(namespace, ids));
		}
		if (!name) {
			throw invalidInput(
				key === undefined ? "actor ids or a name are required" : "a key needs a name",
			);
		}
		if (key !== undefined && isKeyless(key)) {
			return this.#listed(namespace, []);
		}
		if (key !== undefined && !includeDestroyed) {
			const actor = await directory.byKey(name, key);
			return this.#listed(namespace, actor === undefined ? [] : [actor]);
		}
		const before = given.cursor === undefined ? undefined : readCursor(given.cursor);
		const actors = await directory.list({
			name,
			...(key === undefined ? {} : { key }),
			includeDestroyed,
			...(before && { before: actorPosition(before) }),
			limit: given.limit,
		});
		const last = actors.length === given.limit ? actors.at(-1) : undefined;
		return this.#listed(namespace, actors, last && writeCursor(last.createTs, last.actorId));
	}

	/** Destroyed ones included; unknown ones and those of other namespaces are left out. */
	async #byIds(namespace: Namespace, ids: readonly string[]): Promise<ActorRecord[]> {
		if (ids.length > ACTOR_IDS_MAX) {
			throw catalogueError("validation.too_many_actor_ids", {
				count: ids.length,
				max: ACTOR_IDS_MAX,
			});
		}
		for (const id of ids) {
			checkId(id);
		}
		const found = await Promise.all(ids.map((id) => this.#options.store.actorById(id)));
		return found.filter(
			(actor): actor is ActorRecord => actor !== undefined && actor.namespace === namespace.name,
		);
	}

	async #getOrCreate(call: EngineCall): Promise<ActorResponse> {
		const body = await readBody(engineGetOrCreateBody, call.request);
		const namespace = await this.#creationScope(call, body);
		const input = readInput(body.input);
		const key = readKey(body.key);
		const directory = this.#options.directoryOf(namespace.name);
		const { actor, created } = await directory.getOrCreate({
			name: body.name,
			key,
			input,
			crashPolicy: body.crash_policy,
			pool: body.runner_name_selector,
		});
		if (created) {
			this.#options.place(actor);
		}
		return jsonAnswer({ actor: this.#actorJson(namespace, actor), created });
	}

	async #create(call: EngineCall): Promise<ActorResponse> {
		const body = await readBody(engineCreateBody, call.request);
		const namespace = await this.#creationScope(call, body);
		const input = readInput(body.input);
		const key = body.key == null ? keylessKey(this.#options.random) : readKey(body.key);
		const directory = this.#options.directoryOf(namespace.name);
		const { actor, created } = await directory.insert({
			name: body.name,
			key,
			input,
			crashPolicy: body.crash_policy,
			pool: body.runner_name_selector,
		});
		if (!created) {
			const existing = { key, existing_actor_id: actor.actorId };
			throw catalogueError("actor.duplicate_key", {
				name: body.name,
				key: componentsOf(key),
				existing,
			});
		}
		this.#options.place(actor);
		return jsonAnswer({ actor: this.#actorJson(namespace, actor) });
	}

	/** Where an actor is created, in the order of checks of engine 2.4. */
	async #creationScope(
		call: EngineCall,
		body: { datacenter?: string | null | undefined; runner_name_selector: string },
	): Promise<Namespace> {
		const { datacenter, pools, hasRunners } = this.#options;
		const namespace = await scopeOf(this.#options.namespaces, call);
		if (body.datacenter != null && body.datacenter !== datacenter.name) {
			throw catalogueError("datacenter.not_found");
		}
		const pool = body.runner_name_selector;
		const isKnown =
			hasRunners(namespace.name, pool) || (await pools.find(namespace.name, pool)) !== undefined;
		if (!isKnown) {
			throw catalogueError("actor.no_runner_config_configured", {
				namespace: namespace.name,
				pool_name: pool,
			});
		}
		return namespace;
	}

	async #listed(
		namespace: Namespace,
		actors: readonly ActorRecord[],
		cursor: string | null = null,
	): Promise<ActorResponse> {
		const { runners, statusOf } = this.#options;
		const resting = actors.filter((actor) => !HAS_NOTHING_TO_TELL.has(statusOf(actor)));
		const conditions = await runners.conditionsOf(resting);
		return jsonAnswer({
			actors: actors.map((actor) =>
				this.#actorJson(namespace, actor, conditions.get(actor.actorId) ?? NOTHING_TO_TELL),
			),
			pagination: { cursor },
		});
	}

	#actorJson(
		namespace: Namespace,
		actor: ActorRecord,
		condition: ActorCondition = this.#options.runners.conditionHere(actor),
	): z.output<typeof engineActorSchema> {
		const { statusOf, datacenter } = this.#options;
		const { error } = condition;
		const isOver = actor.destroyTs !== null;
		return {
			actor_id: actor.actorId,
			name: actor.name,
			key: isKeyless(actor.key) ? null : actor.key,
			namespace_id: namespace.namespaceId,
			datacenter: datacenter.name,
			runner_name_selector: actor.runnerNameSelector,
			crash_policy: actor.crashPolicy,
			create_ts: actor.createTs,
			start_ts: actor.startTs,
			connectable_ts: isOver || condition.isStopping ? null : actor.connectableTs,
			sleep_ts: sleepTsOf(actor, condition),
			pending_allocation_ts: isOver ? null : condition.pendingAllocationTs,
			reschedule_ts: isOver ? null : condition.rescheduleTs,
			destroy_ts: actor.destroyTs,
			...(error === null || isOver ? {} : { error: error as never }),
			status: statusOf(actor),
		};
	}

	async #listNames({ query }: EngineCall): Promise<ActorResponse> {
		const given = readQuery(namesQuery, query);
		const namespace = await this.#options.namespaces.get(given.namespace);
		const names = await this.#options.names.list(namespace.name, given.limit, given.cursor);
		const cursor = names.length === given.limit ? names.at(-1)![0] : null;
		const entries = names.map(([name, metadata]) => [name, { metadata }] as const);
		return jsonAnswer({ names: Object.fromEntries(entries), pagination: { cursor } });
	}

	async #destroy(call: EngineCall): Promise<ActorResponse> {
		const actor = await this.#actorOf(call);
		if (actor.destroyTs === null) {
			await this.#options.destroy(actor.actorId);
		}
		return jsonAnswer({});
	}

	async #readKv(call: EngineCall): Promise<ActorResponse> {
		const actor = await this.#actorOf(call);
		const key = decodeBase64(call.parameters.key!);
		if (key === null) {
			throw badRequest("the key is not base64");
		}
		if (actor.destroyTs !== null) {
			throw notFound(actor.actorId);
		}
		const isToken = key.byteLength === 1 && key[0] === INSPECTOR_TOKEN_KEY[0];
		if (isToken) {
			// Made when it is first asked for.
			await this.#tokens.read(actor.actorId);
		}
		const [entry] = await this.#options.store.timedEntries(actor.actorId, [key]);
		if (entry === undefined) {
			throw catalogueError("actor.kv_key_not_found");
		}
		const { value, putTs } = entry;
		return jsonAnswer({ value: encodeBase64(value), update_ts: putTs ?? PUT_TS_UNKNOWN });
	}

	/** The actor of a path, destroyed ones included. Throws `actor.not_found`, `datacenter.not_found`, `api.bad_request`. */
	async #actorOf(call: EngineCall): Promise<ActorRecord> {
		const actorId = call.parameters.actor_id!.toLowerCase();
		const namespace = await scopeOf(this.#options.namespaces, call);
		checkId(actorId);
		const actor = await this.#options.store.actorById(actorId);
		if (actor === undefined) {
			throw this.#options.absent(actorId) ?? notFound(actorId);
		}
		if (actor.namespace !== namespace.name) {
			throw notFound(actorId);
		}
		return actor;
	}
}

const HAS_NOTHING_TO_TELL: ReadonlySet<ApiActorStatus> = new Set(["awake", "destroyed"]);
const NOTHING_TO_TELL: ActorCondition = {
	pendingAllocationTs: null,
	rescheduleTs: null,
	error: null,
};

/** One that had to sleep before its first start has done so since it was made. */
function sleepTsOf(actor: ActorRecord, condition: ActorCondition): number | null {
	const { sleepTs = actor.sleepTs, pendingAllocationTs, error } = condition;
	const hasNeverRun = actor.startTs === null && actor.destroyTs === null;
	const isLeftAsleep = hasNeverRun && pendingAllocationTs === null && error !== null;
	return sleepTs ?? (isLeftAsleep && condition.sleepTs === undefined ? actor.createTs : null);
}

function notFound(actorId: string): Error {
	return catalogueError("actor.not_found", { identifier: actorId });
}

function invalidInput(message: string): Error {
	return catalogueError("validation.invalid_input", { message });
}

function checkId(id: string): void {
	if (parseActorId(id) === null) {
		throw notAnId(id);
	}
}
