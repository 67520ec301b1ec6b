/**
 * The management API (protocol 4.6): checks a request against its contract and answers from directory,
 * placement and store. Plain JSON both ways.
 */
import {
	type ActorNameMetadata,
	type ActorResponse,
	type ApiActorStatus,
	catalogueError,
	decodeBase64,
	decodeCbor,
	encodeBase64,
	type HeadersView,
	INSPECTOR_TOKEN_KEY,
	isActorError,
	isLoopbackAddress,
	parseKey,
	type Random,
	serializeKey,
} from "@rivetkit/protocol";
import type { z } from "zod";
import { type ErrorAnswers, notFound } from "../common/errors.ts";
import type { EngineLimits } from "../common/limits.ts";
import type { Directory } from "../directory/directory.ts";
import type { InboundRequest } from "../gateway/inbound.ts";
import type { Resolver } from "../gateway/resolver.ts";
import type { ActorRecord, Store } from "../store/store.ts";
import { ACTOR_FILE_TYPE } from "../transfer/actor-file.ts";
import type { Transfers } from "../transfer/transfers.ts";
import {
	ACTOR_IDS_MAX,
	type actorSchema,
	createBodySchema,
	getOrCreateBodySchema,
	importQuerySchema,
	listQuerySchema,
	namesQuerySchema,
	OPERATIONS,
	type OperationId,
} from "./contract.ts";
import { actorPosition, readCursor, writeCursor } from "./cursor.ts";
import { InspectorTokens } from "./inspector-tokens.ts";
import type { KvAccess } from "./kv-access.ts";
import { openApiDocument } from "./openapi.ts";
import { OperationTable } from "./operation-table.ts";

/** Who may have actors as files, and bring them. */
export interface TransferAccess {
	/**
	 * Throws what the caller is refused with.
	 *
	 * @param readActorToken - the token of the one actor that is asked for
	 */
	check(
		caller: { readonly headers: HeadersView; readonly peerAddress?: string | undefined },
		readActorToken: () => Promise<string | null>,
	): Promise<void>;
}

/** Where a caller is; unknown behind a fetch-style server, which does not tell. */
export type Whereabouts = "this machine" | "elsewhere" | "unknown";

export interface ManagementApiOptions {
	readonly store: Store;
	readonly directory: Directory;
	readonly resolver: Resolver;
	/** What an actor does now. */
	readonly statusOf: (actor: ActorRecord) => ApiActorStatus;
	/** Destroys an actor and resolves when all its data is gone. */
	readonly destroy: (actorId: string) => Promise<void>;
	readonly random: Random;
	readonly limits: EngineLimits;
	readonly errors: ErrorAnswers;
	readonly access: KvAccess;
	/** Actors as files; undefined where nobody can say who may have them. */
	readonly transfers: { readonly of: Transfers; readonly access: TransferAccess } | undefined;
	readonly version: string;
	/** The fields of `/metadata`. */
	readonly metadata: (caller: Whereabouts) => Record<string, unknown>;
	/** Why no calls should be sent here now, in words; null when they can be. */
	readonly notReady: () => string | null;
	/** Prometheus text; undefined when there is none. */
	readonly metrics: (() => Promise<string>) | undefined;
}

/** A request whose route is known. */
interface Call {
	readonly request: InboundRequest;
	readonly parameters: Readonly<Record<string, string>>;
	readonly query: URLSearchParams;
}

type Handler = (call: Call) => ActorResponse | Promise<ActorResponse>;

const TABLE = new OperationTable<OperationId>(OPERATIONS);

export class ManagementApi {
	readonly #options: ManagementApiOptions;
	readonly #handlers: Record<OperationId, Handler>;
	readonly #tokens: InspectorTokens;
	#document: string | undefined;

	constructor(options: ManagementApiOptions) {
		this.#options = options;
		this.#tokens = new InspectorTokens(options.store, options.random);
		this.#handlers = {
			listActors: (call) => this.#list(call),
			getOrCreateActor: (call) => this.#getOrCreate(call),
			createActor: (call) => this.#create(call),
			listActorNames: (call) => this.#names(call),
			destroyActor: (call) => this.#destroy(call),
			readKv: (call) => this.#readKv(call),
			exportActor: (call) => this.#export(call),
			importActor: (call) => this.#import(call),
			metadata: ({ request }) => json(options.metadata(whereaboutsOf(request.peerAddress))),
			health: () => json({ status: "ok", runtime: "rivetkit", version: options.version }),
			ready: () => this.#ready(),
			metrics: (call) => this.#metrics(call),
			openapi: () => this.#openapi(),
			greeting: () => text("This is a RivetKit server.\n\nLearn more at GET /doc\n"),
		};
	}

	/** Answers a request that is not for an actor. Never rejects. */
	async handle(request: InboundRequest): Promise<ActorResponse> {
		try {
			const mark = request.path.indexOf("?");
			const path = mark < 0 ? request.path : request.path.slice(0, mark);
			const matched = TABLE.match(request.method === "HEAD" ? "GET" : request.method, path);
			if (matched === undefined) {
				return notFound();
			}
			const query = new URLSearchParams(mark < 0 ? "" : request.path.slice(mark));
			return await this.#handlers[matched.operation]({
				request,
				parameters: matched.parameters,
				query,
			});
		} catch (error) {
			return this.#options.errors.response(error, request);
		}
	}

	/** Not an error: whoever asks is a load balancer, and this is what it asks for. */
	#ready(): ActorResponse {
		const { version, notReady } = this.#options;
		const reason = notReady();
		return reason === null
			? json({ status: "ready", runtime: "rivetkit", version })
			: json({ status: "unavailable", runtime: "rivetkit", version, reason }, 503);
	}

	async #list({ query }: Call): Promise<ActorResponse> {
		const { directory } = this.#options;
		const given = parse(listQuerySchema, Object.fromEntries(query), "query");
		const { name, key, actor_ids: ids } = given;
		if (ids !== undefined && (name !== undefined || key !== undefined)) {
			return listError(
				"Cannot provide both actor_ids and (name + key). Use either actor_ids or (name + key).",
			);
		}
		if (key !== undefined && !name) {
			return listError("Name is required when key is provided.");
		}
		if (ids !== undefined) {
			const wanted = ids
				.split(",")
				.map((id) => id.trim())
				.filter((id) => id !== "");
			if (wanted.length > ACTOR_IDS_MAX) {
				return listError(`Too many actor IDs. Maximum is ${ACTOR_IDS_MAX}, got ${wanted.length}.`);
			}
			const found = await Promise.all([...new Set(wanted)].map((id) => directory.byId(id)));
			return this.#listed(found.filter((actor) => actor !== undefined));
		}
		if (!name) {
			return listError("Name is required when not using actor_ids.");
		}
		if (key !== undefined && given.include_destroyed !== "true") {
			const actor = await directory.byKey(name, parseKey(key));
			return this.#listed(actor === undefined ? [] : [actor]);
		}
		const includeDestroyed = given.include_destroyed === "true";
		const before = given.cursor === undefined ? undefined : readCursor(given.cursor);
		const actors = await directory.list({
			name,
			...(key === undefined ? {} : { key: canonicalKey(key) }),
			includeDestroyed,
			...(before === undefined ? {} : { before: actorPosition(before) }),
			limit: given.limit,
		});
		const last = actors.length === given.limit ? actors.at(-1) : undefined;
		return this.#listed(actors, last && writeCursor(last.createTs, last.actorId));
	}

	async #getOrCreate({ request }: Call): Promise<ActorResponse> {
		const body = await this.#body(request, getOrCreateBodySchema);
		const { actor, created } = await this.#options.resolver.resolve({
			kind: "getOrCreate",
			name: body.name,
			key: parseKey(body.key),
			input: readInput(body.input),
			crashPolicy: body.crash_policy,
			pool: body.runner_name_selector,
		});
		return json({ actor: this.#actorJson(await this.#started(actor)), created });
	}

	async #create({ request }: Call): Promise<ActorResponse> {
		const body = await this.#body(request, createBodySchema);
		const { actor } = await this.#options.resolver.resolve({
			kind: "create",
			name: body.name,
			key: body.key ? parseKey(body.key) : [this.#options.random.uuid()],
			input: readInput(body.input),
			crashPolicy: body.crash_policy,
			pool: body.runner_name_selector,
		});
		return json({ actor: this.#actorJson(await this.#started(actor)) });
	}

	/** The record as it is after the start that answers a creation. */
	async #started(actor: ActorRecord): Promise<ActorRecord> {
		return actor.startTs === null
			? ((await this.#options.directory.byId(actor.actorId)) ?? actor)
			: actor;
	}

	#listed(actors: readonly ActorRecord[], cursor: string | null = null): ActorResponse {
		return json({
			actors: actors.map((actor) => this.#actorJson(actor)),
			pagination: { cursor },
		});
	}

	#actorJson(actor: ActorRecord): z.output<typeof actorSchema> {
		return {
			actor_id: actor.actorId,
			name: actor.name,
			key: actor.key,
			namespace_id: actor.namespace,
			runner_name_selector: actor.runnerNameSelector,
			create_ts: actor.createTs,
			connectable_ts: actor.connectableTs,
			start_ts: actor.startTs,
			sleep_ts: actor.sleepTs,
			destroy_ts: actor.destroyTs,
			status: this.#options.statusOf(actor),
		};
	}

	async #names({ query }: Call): Promise<ActorResponse> {
		const given = parse(namesQuerySchema, Object.fromEntries(query), "query");
		const names = await this.#options.directory.names(given.limit, given.cursor);
		const cursor = names.length === given.limit ? names.at(-1)![0] : null;
		return json({ names: namesJson(names), pagination: { cursor } });
	}

	async #destroy({ request, parameters }: Call): Promise<ActorResponse> {
		this.#options.access.checkChange(request.headers);
		await this.#options.destroy(parameters.actor_id!);
		return json({});
	}

	async #readKv({ request, parameters }: Call): Promise<ActorResponse> {
		const { store, directory, access } = this.#options;
		access.checkRead(request.headers);
		const key = decodeBase64(parameters.key!);
		if (key === null) {
			throw catalogueError("request.invalid", { detail: "the key is not base64" });
		}
		const actorId = parameters.actor_id!;
		if ((await directory.byId(actorId)) === undefined) {
			throw catalogueError("actor.not_found", { identifier: actorId });
		}
		const value = isTokenKey(key)
			? await this.#tokens.read(actorId)
			: (await store.get(actorId, [key]))[0];
		return json({ value: value == null ? null : encodeBase64(value) });
	}

	async #export({ request, parameters }: Call): Promise<ActorResponse> {
		const { transfers, store } = this.#options;
		if (transfers === undefined) {
			return notFound();
		}
		const actorId = parameters.actor_id!;
		await transfers.access.check(request, async () => {
			const [token] = await store.get(actorId, [INSPECTOR_TOKEN_KEY]);
			return token ? new TextDecoder().decode(token) : null;
		});
		return {
			status: 200,
			headers: { "content-type": ACTOR_FILE_TYPE, "cache-control": "no-store" },
			body: await transfers.of.export(actorId),
		};
	}

	async #import({ request, query }: Call): Promise<ActorResponse> {
		const { transfers, limits, access } = this.#options;
		if (transfers === undefined) {
			return notFound();
		}
		const { name, key, replace } = parse(importQuerySchema, Object.fromEntries(query), "query");
		await transfers.access.check(request, async () => null);
		if (replace === "true") {
			access.checkChange(request.headers);
		}
		const { actor, replaced } = await transfers.of.import(
			await request.body.bytes(limits.httpBodyBytesMax),
			{ name, key: key === undefined ? undefined : parseKey(key), replace: replace === "true" },
		);
		return json({ actor: this.#actorJson(actor), replaced });
	}

	async #metrics({ request }: Call): Promise<ActorResponse> {
		const { metrics, access } = this.#options;
		if (metrics === undefined) {
			return notFound();
		}
		access.checkMetrics(request);
		return { status: 200, headers: METRICS_HEADERS, body: await metrics() };
	}

	#openapi(): ActorResponse {
		this.#document ??= JSON.stringify(openApiDocument(this.#options.version));
		return { status: 200, headers: JSON_HEADERS, body: this.#document };
	}

	async #body<T>(request: InboundRequest, schema: z.ZodType<T>): Promise<T> {
		const type = request.headers.get("content-type") ?? "";
		if (!/^application\/(?:[\w.+-]+\+)?json\b/i.test(type)) {
			throw catalogueError("request.invalid", {
				detail: "the content type must be application/json",
			});
		}
		const bytes = await this.#bytes(request);
		let value: unknown;
		try {
			value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
		} catch (error) {
			throw catalogueError("request.invalid", { detail: "the body is not JSON" }, { cause: error });
		}
		return parse(schema, value, "body");
	}

	/** The reader of a body knows messages to actors; here another option raises the limit. */
	async #bytes(request: InboundRequest): Promise<Uint8Array> {
		const limit = this.#options.limits.apiBodyBytesMax;
		try {
			return await request.body.bytes(limit);
		} catch (error) {
			if (isActorError(error) && error.code === "incoming_too_long") {
				const details = { limit, option: "apiBodyBytesMax" } as const;
				throw catalogueError("guard.invalid_request_body", details, { cause: error });
			}
			throw error;
		}
	}
}

const JSON_HEADERS = { "content-type": "application/json" } as const;
/** Of the text format of Prometheus. */
const METRICS_HEADERS = { "content-type": "text/plain; version=0.0.4; charset=utf-8" } as const;

function json(value: unknown, status = 200): ActorResponse {
	return { status, headers: JSON_HEADERS, body: JSON.stringify(value) };
}

function text(body: string): ActorResponse {
	return { status: 200, headers: { "content-type": "text/plain; charset=UTF-8" }, body };
}

function isTokenKey(key: Uint8Array): boolean {
	return key.byteLength === 1 && key[0] === INSPECTOR_TOKEN_KEY[0];
}

/** Failures of `GET /actors` have their own shape. */
function listError(message: string): ActorResponse {
	return json({ error: message }, 400);
}

function namesJson(names: readonly [string, ActorNameMetadata][]) {
	const entries = names.map(([name, metadata]) => [name, { metadata }] as const);
	return Object.fromEntries(entries);
}

function parse<T>(schema: z.ZodType<T>, value: unknown, what: string): T {
	const result = schema.safeParse(value);
	if (result.success) {
		return result.data;
	}
	const details = result.error.issues.map(({ path, message }) =>
		path.length === 0 ? message : `${path.join(".")}: ${message}`,
	);
	throw catalogueError("request.invalid", { detail: `${what}: ${details.join("; ")}` });
}

/** Base64 of CBOR; both are checked here, because a start that cannot read its input fails for ever. */
function readInput(encoded: string | null | undefined): Uint8Array | null {
	if (encoded === null || encoded === undefined) {
		return null;
	}
	const input = decodeBase64(encoded);
	if (input === null) {
		throw catalogueError("request.invalid", { detail: "the input is not base64" });
	}
	try {
		decodeCbor(input);
	} catch (error) {
		throw catalogueError("request.invalid", { detail: "the input is not CBOR" }, { cause: error });
	}
	return input;
}

function canonicalKey(key: string): string {
	return serializeKey(parseKey(key));
}

function whereaboutsOf(address: string | undefined): Whereabouts {
	if (address === undefined) {
		return "unknown";
	}
	return isLoopbackAddress(address) ? "this machine" : "elsewhere";
}
