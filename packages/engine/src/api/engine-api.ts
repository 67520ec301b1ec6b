/**
 * The management API of an engine apart from any application (engine 2): namespaces, actors, runners and the
 * pools they come from. Everything is addressed by the name of a namespace; with a token, everything but what
 * says that the engine is there needs it.
 */
import {
	type ActorResponse,
	type ApiActorStatus,
	catalogueError,
	decodeBase64,
	encodeBase64,
	HEADER_RAY_ID,
	type HeadersView,
	INSPECTOR_TOKEN_KEY,
	newActorId,
	parseActorId,
	parseKey,
	type Random,
	serializeKey,
	toWireError,
} from "@rivetkit/protocol";
import type { z } from "zod";
import type { ErrorAnswers } from "../common/errors.ts";
import type { ActorCondition, RunnersQuery, RunnerView } from "../common/runner-questions.ts";
import type { Directory } from "../directory/directory.ts";
import type { InboundRequest } from "../gateway/inbound.ts";
import type { ActorNames } from "../pools/actor-names.ts";
import type { Namespace, Namespaces } from "../pools/namespaces.ts";
import { type PoolConfigJson, readPoolConfig } from "../pools/pool-config.ts";
import type { Pools } from "../pools/pools.ts";
import type { ActorRecord, Store } from "../store/store.ts";
import { ACTOR_IDS_MAX } from "./contract.ts";
import { actorPosition, readCursor, writeCursor } from "./cursor.ts";
import { badRequest, jsonAnswer, listOf, readBody, readQuery } from "./engine-calls.ts";
import {
	actorsQuery,
	ENGINE_OPERATIONS,
	type EngineOperationId,
	emptyBody,
	type engineActorSchema,
	engineCreateBody,
	engineGetOrCreateBody,
	healthCheckBody,
	namespaceBody,
	namespacesQuery,
	namesQuery,
	noQuery,
	poolBody,
	poolsQuery,
	type runnerSchema,
	runnersQuery,
	scopeQuery,
} from "./engine-contract.ts";
import { InspectorTokens } from "./inspector-tokens.ts";
import type { KvAccess } from "./kv-access.ts";
import { openApiDocument } from "./openapi.ts";
import { OperationTable } from "./operation-table.ts";

/** Characters of an actor's input as base64 (engine 2.4). */
const INPUT_CHARS_MAX = 1024 * 1024;
/** Bytes of an actor's key (engine 2.4). */
const KEY_BYTES_MAX = 1_024;
const KEY_PREVIEW_CHARS = 64;
/** What needs no token (engine 2.1). */
const OPEN: ReadonlySet<EngineOperationId> = new Set(["health", "ready", "metadata", "openapi"]);

/** What the API needs of those who host the actors, on this node and the others. */
export interface Runners {
	runners(query: RunnersQuery): Promise<RunnerView[]>;
	/** Names of pools that have runners, in no order. */
	pools(namespace: string): Promise<string[]>;
	/** Of those of the actors of which there is something to tell. */
	conditionsOf(actorIds: readonly string[]): Promise<ReadonlyMap<string, ActorCondition>>;
	/** As this node has it. */
	conditionHere(actorId: string): ActorCondition;
	/** What went wrong last with serverless pools whose starts do not succeed (engine 5.5). */
	poolErrors(namespace: string): Promise<ReadonlyMap<string, unknown>>;
}

/** What the API needs of the hosts that the engine starts by requests. */
export interface ServerlessHosts {
	/** Asks the host what it has. Throws `runner_config.not_found`. */
	refresh(namespace: string, pool: string): Promise<void>;
	/** The answer of the health check (engine 5.4). */
	check(url: string, headers: Readonly<Record<string, string>>): Promise<unknown>;
}

export interface Datacenter {
	readonly name: string;
	readonly label: number;
	/** Where hosts and clients reach this engine. */
	readonly publicUrl: () => string;
}

export interface EngineApiOptions {
	readonly store: Store;
	readonly random: Random;
	readonly errors: ErrorAnswers;
	readonly access: KvAccess;
	/** Whether actors can be created without the token, as in 2.1.3. */
	readonly opensCreation: boolean;
	readonly namespaces: Namespaces;
	readonly pools: Pools;
	readonly names: ActorNames;
	readonly directoryOf: (namespace: string) => Directory;
	readonly runners: Runners;
	/** Whether a runner of the pool is connected to this node that takes actors. */
	readonly hasRunners: (namespace: string, pool: string) => boolean;
	readonly serverless: ServerlessHosts;
	readonly statusOf: (actor: ActorRecord) => ApiActorStatus;
	/** Has a new actor placed; nobody waits for it. */
	readonly place: (actor: ActorRecord) => void;
	/** Destroys an actor at once. Throws `actor.not_found`. */
	readonly destroy: (actorId: string) => Promise<void>;
	readonly version: string;
	/** Why no calls should be sent here; null when they should. */
	readonly notReady: () => string | null;
	readonly datacenter: Datacenter;
	/** More fields of `/metadata`. */
	readonly metadata: (peerAddress: string | undefined) => Record<string, unknown>;
	readonly metrics: (() => Promise<string>) | undefined;
}

interface Call {
	readonly request: InboundRequest;
	readonly parameters: Readonly<Record<string, string>>;
	readonly query: URLSearchParams;
}

type Handler = (call: Call) => ActorResponse | Promise<ActorResponse>;

const TABLE = new OperationTable<EngineOperationId>(ENGINE_OPERATIONS);

export class EngineApi {
	readonly #options: EngineApiOptions;
	readonly #handlers: Record<EngineOperationId, Handler>;
	readonly #tokens: InspectorTokens;

	constructor(options: EngineApiOptions) {
		this.#options = options;
		this.#tokens = new InspectorTokens(options.store, options.random);
		this.#handlers = {
			health: () => jsonAnswer(this.#health()),
			ready: () => this.#ready(),
			metadata: ({ request }) => jsonAnswer(this.#metadata(request.peerAddress)),
			healthFanout: ({ query }) => {
				readQuery(noQuery, query);
				return jsonAnswer(this.#fanout());
			},
			listDatacenters: ({ query }) => {
				readQuery(noQuery, query);
				return jsonAnswer(this.#datacenters());
			},
			listNamespaces: (call) => this.#listNamespaces(call),
			createNamespace: (call) => this.#createNamespace(call),
			listActors: (call) => this.#listActors(call),
			createActor: (call) => this.#createActor(call),
			getOrCreateActor: (call) => this.#getOrCreateActor(call),
			listActorNames: (call) => this.#listActorNames(call),
			destroyActor: (call) => this.#destroyActor(call),
			readKv: (call) => this.#readKv(call),
			listRunners: (call) => this.#listRunners(call),
			listRunnerNames: (call) => this.#listRunnerNames(call),
			listRunnerConfigs: (call) => this.#listPools(call),
			putRunnerConfig: (call) => this.#putPool(call),
			deleteRunnerConfig: (call) => this.#deletePool(call),
			refreshRunnerMetadata: (call) => this.#refreshPool(call),
			checkServerlessHealth: (call) => this.#checkHost(call),
			metrics: () => this.#metrics(),
			openapi: () => jsonAnswer(engineOpenApiDocument(options.version)),
		};
	}

	/** Answers a request that is not for an actor. Never rejects. */
	async handle(request: InboundRequest): Promise<ActorResponse> {
		const answer = await this.#answer(request).catch((error: unknown) => this.#failed(error));
		const headers = { ...answer.headers, [HEADER_RAY_ID]: newActorId(this.#options.random) };
		return { ...answer, headers };
	}

	async #answer(request: InboundRequest): Promise<ActorResponse> {
		const mark = request.path.indexOf("?");
		const path = mark < 0 ? request.path : request.path.slice(0, mark);
		if (path === "/") {
			return { status: 308, headers: { location: "/ui/" }, body: null };
		}
		const method = request.method === "HEAD" ? "GET" : request.method;
		const matched = TABLE.match(method, path);
		if (matched === undefined) {
			if (TABLE.knows(path)) {
				return { status: 405, headers: {}, body: null };
			}
			throw catalogueError("api.not_found");
		}
		const { operation, parameters } = matched;
		this.#checkAccess(operation, request.headers);
		const query = new URLSearchParams(mark < 0 ? "" : request.path.slice(mark));
		return this.#handlers[operation]({ request, parameters, query });
	}

	#checkAccess(operation: EngineOperationId, headers: HeadersView): void {
		const { access, opensCreation } = this.#options;
		const isCreation = operation === "createActor" || operation === "getOrCreateActor";
		if (!OPEN.has(operation) && !(opensCreation && isCreation)) {
			access.checkEngine(headers);
		}
	}

	#failed(error: unknown): ActorResponse {
		const wire = toWireError(error, { expose: false });
		const { errors } = this.#options;
		if (wire.group === "rivetkit") {
			errors.log(error, "a management request failed");
			const { message, statusCode } = toWireError(catalogueError("core.internal_error"), {
				expose: false,
			});
			return jsonAnswer({ group: "core", code: "internal_error", message }, statusCode);
		}
		const { group, code, message, metadata, statusCode } = wire;
		const isEmpty = metadata === undefined || metadata === null;
		return jsonAnswer({ group, code, message, ...(isEmpty ? {} : { metadata }) }, statusCode);
	}

	// What is here

	#health() {
		return { status: "ok", runtime: "engine", version: this.#options.version };
	}

	/** Not an error: whoever asks is a load balancer, and this is what it asks for. */
	#ready(): ActorResponse {
		const { version, notReady } = this.#options;
		const reason = notReady();
		return reason === null
			? jsonAnswer({ status: "ready", runtime: "engine", version })
			: jsonAnswer({ status: "unavailable", runtime: "engine", version, reason }, 503);
	}

	#metadata(peerAddress: string | undefined): Record<string, unknown> {
		return {
			runtime: "engine",
			version: this.#options.version,
			...NO_BUILD,
			...this.#options.metadata(peerAddress),
		};
	}

	#fanout() {
		const { name, label } = this.#options.datacenter;
		return {
			datacenters: [
				{
					datacenter_label: label,
					datacenter_name: name,
					status: "ok",
					rtt_ms: 0,
					response: this.#health(),
					error: null,
				},
			],
		};
	}

	#datacenters() {
		const { name, label, publicUrl } = this.#options.datacenter;
		return {
			datacenters: [{ label, name, url: publicUrl() }],
			pagination: { cursor: null },
		};
	}

	async #metrics(): Promise<ActorResponse> {
		const { metrics } = this.#options;
		if (metrics === undefined) {
			throw catalogueError("api.not_found");
		}
		const headers = { "content-type": "text/plain; version=0.0.4; charset=utf-8" };
		return { status: 200, headers, body: await metrics() };
	}

	// Namespaces

	async #listNamespaces({ query }: Call): Promise<ActorResponse> {
		const given = readQuery(namespacesQuery, query);
		const { namespaces } = this.#options;
		const ids = listOf(given.namespace_id, given.namespace_ids);
		if (given.name !== undefined || ids !== undefined) {
			const all = ids === undefined ? [] : await namespaces.all();
			const named = given.name === undefined ? undefined : await namespaces.find(given.name);
			const found = all.filter(({ namespaceId }) => ids?.includes(namespaceId));
			const isAsked = (one: Namespace) =>
				(ids === undefined || ids.includes(one.namespaceId)) &&
				(given.name === undefined || one.name === given.name);
			const both = named === undefined ? found : [named, ...found];
			return this.#namespaces(
				[...new Map(both.map((one) => [one.name, one])).values()].filter(isAsked),
			);
		}
		const before = given.cursor === undefined ? undefined : readCursor(given.cursor);
		const found = await namespaces.list(
			given.limit,
			before && {
				createTs: before.createTs,
				...(before.id === undefined ? {} : { name: before.id }),
			},
		);
		const last = found.length === given.limit ? found.at(-1) : undefined;
		return this.#namespaces(found, last && writeCursor(last.createTs, last.name));
	}

	#namespaces(found: readonly Namespace[], cursor: string | null = null): ActorResponse {
		return jsonAnswer({ namespaces: found.map(namespaceJson), pagination: { cursor } });
	}

	async #createNamespace({ request }: Call): Promise<ActorResponse> {
		const body = await readBody(namespaceBody, request);
		const namespace = await this.#options.namespaces.create(body.name, body.display_name);
		return jsonAnswer({ namespace: namespaceJson(namespace) });
	}

	#scope({ query }: Call): Promise<Namespace> {
		return this.#options.namespaces.get(readQuery(scopeQuery, query).namespace);
	}

	// Actors

	async #listActors({ query }: Call): Promise<ActorResponse> {
		const given = readQuery(actorsQuery, query);
		const namespace = await this.#options.namespaces.get(given.namespace);
		const directory = this.#options.directoryOf(namespace.name);
		const { name, key } = given;
		const ids = listOf(given.actor_id, given.actor_ids);
		const includeDestroyed = given.include_destroyed === "true";
		if (ids !== undefined) {
			if (name !== undefined || key !== undefined) {
				throw invalidInput("actor ids cannot be given together with name or key");
			}
			return this.#actors(namespace, await this.#byIds(namespace, ids));
		}
		if (!name) {
			throw invalidInput(
				key === undefined ? "actor ids or a name are required" : "a key needs a name",
			);
		}
		if (key !== undefined && !includeDestroyed) {
			const actor = await directory.byKey(name, parseKey(key));
			return this.#actors(namespace, actor === undefined ? [] : [actor]);
		}
		const before = given.cursor === undefined ? undefined : readCursor(given.cursor);
		const actors = await directory.list({
			name,
			...(key === undefined ? {} : { key: serializeKey(parseKey(key)) }),
			includeDestroyed,
			...(before && { before: actorPosition(before) }),
			limit: given.limit,
		});
		const last = actors.length === given.limit ? actors.at(-1) : undefined;
		return this.#actors(namespace, actors, last && writeCursor(last.createTs, last.actorId));
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

	async #getOrCreateActor(call: Call): Promise<ActorResponse> {
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

	async #createActor(call: Call): Promise<ActorResponse> {
		const body = await readBody(engineCreateBody, call.request);
		const namespace = await this.#creationScope(call, body);
		const input = readInput(body.input);
		const key = body.key == null ? [this.#options.random.uuid()] : readKey(body.key);
		const directory = this.#options.directoryOf(namespace.name);
		const { actor, created } = await directory.insert({
			name: body.name,
			key,
			input,
			crashPolicy: body.crash_policy,
			pool: body.runner_name_selector,
		});
		if (!created) {
			const existing = { key: serializeKey(key), existing_actor_id: actor.actorId };
			throw catalogueError("actor.duplicate_key", { name: body.name, key, existing });
		}
		this.#options.place(actor);
		return jsonAnswer({ actor: this.#actorJson(namespace, actor) });
	}

	/** Where an actor is created, in the order of checks of engine 2.4. */
	async #creationScope(
		call: Call,
		body: { datacenter?: string | null | undefined; runner_name_selector: string },
	): Promise<Namespace> {
		const { datacenter, pools, hasRunners } = this.#options;
		const namespace = await this.#scope(call);
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

	async #actors(
		namespace: Namespace,
		actors: readonly ActorRecord[],
		cursor: string | null = null,
	): Promise<ActorResponse> {
		const { runners, statusOf } = this.#options;
		const resting = actors.filter((actor) => !HAS_NOTHING_TO_TELL.has(statusOf(actor)));
		const conditions = await runners.conditionsOf(resting.map(({ actorId }) => actorId));
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
		condition: ActorCondition = this.#options.runners.conditionHere(actor.actorId),
	): z.output<typeof engineActorSchema> {
		const { statusOf, datacenter } = this.#options;
		const { error } = condition;
		const isOver = actor.destroyTs !== null;
		return {
			actor_id: actor.actorId,
			name: actor.name,
			key: actor.key,
			namespace_id: namespace.namespaceId,
			datacenter: datacenter.name,
			runner_name_selector: actor.runnerNameSelector,
			crash_policy: actor.crashPolicy,
			create_ts: actor.createTs,
			start_ts: actor.startTs,
			connectable_ts: actor.connectableTs,
			sleep_ts: actor.sleepTs,
			pending_allocation_ts: isOver ? null : condition.pendingAllocationTs,
			reschedule_ts: isOver ? null : condition.rescheduleTs,
			destroy_ts: actor.destroyTs,
			...(error === null || isOver ? {} : { error: error as never }),
			status: statusOf(actor),
		};
	}

	async #listActorNames({ query }: Call): Promise<ActorResponse> {
		const given = readQuery(namesQuery, query);
		const namespace = await this.#options.namespaces.get(given.namespace);
		const names = await this.#options.names.list(namespace.name, given.limit, given.cursor);
		const cursor = names.length === given.limit ? names.at(-1)![0] : null;
		const entries = names.map(([name, metadata]) => [name, { metadata }] as const);
		return jsonAnswer({ names: Object.fromEntries(entries), pagination: { cursor } });
	}

	async #destroyActor(call: Call): Promise<ActorResponse> {
		const actor = await this.#actorOf(call);
		if (actor.destroyTs === null) {
			await this.#options.destroy(actor.actorId);
		}
		return jsonAnswer({});
	}

	async #readKv(call: Call): Promise<ActorResponse> {
		const actor = await this.#actorOf(call);
		const key = decodeBase64(call.parameters.key!);
		if (key === null) {
			throw badRequest("the key is not base64");
		}
		if (actor.destroyTs !== null) {
			throw catalogueError("actor.not_found", { identifier: actor.actorId });
		}
		const isToken = key.byteLength === 1 && key[0] === INSPECTOR_TOKEN_KEY[0];
		const value = isToken
			? await this.#tokens.read(actor.actorId)
			: (await this.#options.store.get(actor.actorId, [key]))[0];
		if (value == null) {
			throw catalogueError("actor.kv_key_not_found");
		}
		return jsonAnswer({ value: encodeBase64(value), update_ts: 0 });
	}

	/** The actor of a path, destroyed ones included. Throws `actor.not_found`, `api.bad_request`. */
	async #actorOf(call: Call): Promise<ActorRecord> {
		const actorId = call.parameters.actor_id!;
		const namespace = await this.#scope(call);
		checkId(actorId);
		const actor = await this.#options.store.actorById(actorId);
		if (actor === undefined || actor.namespace !== namespace.name) {
			throw catalogueError("actor.not_found", { identifier: actorId });
		}
		return actor;
	}

	// Runners and their pools

	async #listRunners({ query }: Call): Promise<ActorResponse> {
		const given = readQuery(runnersQuery, query);
		const namespace = await this.#options.namespaces.get(given.namespace);
		const ids = listOf(given.runner_id, given.runner_ids);
		const before = given.cursor === undefined ? undefined : readCursor(given.cursor);
		const found = await this.#options.runners.runners({
			namespace: namespace.name,
			...(given.name === undefined ? {} : { pool: given.name }),
			...(ids === undefined ? {} : { runnerIds: ids }),
			includesStopped: given.include_stopped === "true",
			...(before === undefined ? {} : { before }),
			limit: given.limit,
		});
		const last = found.length === given.limit ? found.at(-1) : undefined;
		return jsonAnswer({
			runners: found.map((runner) => this.#runnerJson(namespace, runner)),
			pagination: { cursor: last ? writeCursor(last.createTs, last.runnerId) : null },
		});
	}

	#runnerJson(namespace: Namespace, runner: RunnerView): z.output<typeof runnerSchema> {
		return {
			runner_id: runner.runnerId,
			namespace_id: namespace.namespaceId,
			datacenter: this.#options.datacenter.name,
			name: runner.pool,
			key: runner.key,
			version: runner.version,
			total_slots: runner.totalSlots,
			remaining_slots: runner.remainingSlots,
			create_ts: runner.createTs,
			drain_ts: runner.drainTs,
			stop_ts: runner.stopTs,
			last_ping_ts: runner.lastPingTs,
			last_connected_ts: runner.lastConnectedTs,
			last_rtt: runner.lastRttMs,
			metadata: runner.metadata,
		};
	}

	async #listRunnerNames({ query }: Call): Promise<ActorResponse> {
		const given = readQuery(namesQuery, query);
		const { cursor: after } = given;
		const namespace = await this.#options.namespaces.get(given.namespace);
		const names = (await this.#options.runners.pools(namespace.name))
			.filter((name) => after === undefined || name > after)
			.sort()
			.slice(0, given.limit);
		const cursor = names.length === given.limit ? names.at(-1)! : null;
		return jsonAnswer({ names, pagination: { cursor } });
	}

	async #listPools({ query }: Call): Promise<ActorResponse> {
		const given = readQuery(poolsQuery, query);
		const namespace = await this.#options.namespaces.get(given.namespace);
		const wanted = listOf(given.runner_name, given.runner_names);
		const { pools, datacenter, runners } = this.#options;
		const found: [string, PoolConfigJson][] = [];
		let after = given.cursor;
		for (let more = true; more && found.length < given.limit; ) {
			const page = await pools.list(namespace.name, given.limit, after);
			for (const { name, config } of page) {
				after = name;
				const isAsked =
					(given.variant === undefined || config.kind === given.variant) &&
					(wanted === undefined || wanted.includes(name));
				if (isAsked) found.push([name, config.json]);
				if (found.length === given.limit) break;
			}
			more = page.length === given.limit;
		}
		const errors = await runners.poolErrors(namespace.name);
		const configs = found.map(([name, json]) => {
			const error = errors.get(name);
			const shown = {
				...json,
				...(error === undefined ? {} : { runner_pool_error: error }),
				protocol_version: null,
			};
			return [name, { datacenters: { [datacenter.name]: shown } }] as const;
		});
		return jsonAnswer({
			runner_configs: Object.fromEntries(configs),
			pagination: { cursor: found.length === given.limit ? found.at(-1)![0] : null },
		});
	}

	async #putPool(call: Call): Promise<ActorResponse> {
		const body = await readBody(poolBody, call.request);
		const namespace = await this.#scope(call);
		const name = call.parameters.runner_name!;
		const { datacenter, pools } = this.#options;
		const configs = Object.entries(body.datacenters).map(([dc, value]) => {
			if (dc !== datacenter.name) {
				throw catalogueError("datacenter.not_found");
			}
			return readPoolConfig(value);
		});
		const [config] = configs;
		if (config === undefined) {
			await pools.delete(namespace.name, name);
			return jsonAnswer({ endpoint_config_changed: true });
		}
		const changed = await pools.put(namespace.name, name, config);
		return jsonAnswer({ endpoint_config_changed: changed });
	}

	async #deletePool(call: Call): Promise<ActorResponse> {
		const namespace = await this.#scope(call);
		await this.#options.pools.delete(namespace.name, call.parameters.runner_name!);
		return jsonAnswer({});
	}

	async #refreshPool(call: Call): Promise<ActorResponse> {
		await readBody(emptyBody, call.request);
		const namespace = await this.#scope(call);
		await this.#options.serverless.refresh(namespace.name, call.parameters.runner_name!);
		return jsonAnswer({});
	}

	async #checkHost(call: Call): Promise<ActorResponse> {
		const { url, headers = {} } = await readBody(healthCheckBody, call.request);
		await this.#scope(call);
		return jsonAnswer(await this.#options.serverless.check(url, headers));
	}
}

/** The OpenAPI 3.1 document of {@link EngineApi}. */
export function engineOpenApiDocument(version: string) {
	return openApiDocument(version, {
		title: "RivetKit engine management API",
		operations: ENGINE_OPERATIONS,
	});
}

const HAS_NOTHING_TO_TELL: ReadonlySet<ApiActorStatus> = new Set(["awake", "destroyed"]);
const NOTHING_TO_TELL: ActorCondition = {
	pendingAllocationTs: null,
	rescheduleTs: null,
	error: null,
};

/** Fields of the published engine's `/metadata` that say how it was compiled: this one is not. */
const NO_BUILD = {
	git_sha: "",
	build_timestamp: "",
	rustc_version: "",
	rustc_host: "",
	cargo_target: "",
	cargo_profile: "",
} as const;

function namespaceJson({ namespaceId, name, displayName, createTs }: Namespace) {
	return { namespace_id: namespaceId, name, display_name: displayName, create_ts: createTs };
}

function invalidInput(message: string): Error {
	return catalogueError("validation.invalid_input", { message });
}

function checkId(id: string): void {
	if (parseActorId(id) === null) {
		throw badRequest(`${JSON.stringify(id)} is not an id`);
	}
}

function readKey(key: string): readonly string[] {
	if (key === "") {
		throw catalogueError("actor.empty_key");
	}
	if (Buffer.byteLength(key) > KEY_BYTES_MAX) {
		throw catalogueError("actor.key_too_large", {
			max_size: KEY_BYTES_MAX,
			key_preview: key.slice(0, KEY_PREVIEW_CHARS),
		});
	}
	return parseKey(key);
}

function readInput(encoded: string | null | undefined): Uint8Array | null {
	if (encoded == null) {
		return null;
	}
	if (encoded.length > INPUT_CHARS_MAX) {
		throw catalogueError("actor.input_too_large", { max_size: INPUT_CHARS_MAX });
	}
	const input = decodeBase64(encoded);
	if (input === null) {
		throw badRequest("input: not base64");
	}
	return input;
}
