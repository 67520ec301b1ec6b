/**
 * Everything behind one address: decides whether a request is for an actor (by path, query or headers)
 * or for the management API, in the order of protocol 4.2 to 4.6.
 */
import {
	type ActorResponse,
	type ActorUpgrade,
	catalogueError,
	HEADER_ACTOR,
	HEADER_RAY_ID,
	HEADER_SKIP_READY_WAIT,
	HEADER_TARGET,
	HEADER_TOKEN,
	type HeadersView,
	parseGatewayPath,
	parseQueryGateway,
	parseSubprotocols,
	type QueryGateway,
	TARGET_ACTOR,
} from "@rivetkit/protocol";
import { type ErrorAnswers, notFound } from "../common/errors.ts";
import { isSameSecret } from "../common/tokens.ts";
import type { CallLimiter } from "./call-limiter.ts";
import { apiPreflightHeaders, apiVary, type FlatHeaders, preflightHeaders } from "./cors.ts";
import type { Gateway, Target } from "./gateway.ts";
import { type InboundRequest, pathOfTarget, withHeader, withoutHeaders } from "./inbound.ts";
import { queryTarget } from "./query-target.ts";
import type { Resolver } from "./resolver.ts";
import type { StaticPages } from "./static-pages.ts";

/** Query paths whose reading is kept, and how long they may be: at most about a megabyte. */
const QUERIES_CACHED_MAX = 1_000;
const QUERY_CACHED_CHARS_MAX = 512;

interface ReadQuery {
	/** What the actor sees. */
	readonly path: string;
	readonly target: Target;
	readonly token: string | null;
}

/** What addresses an actor; of upgrades with their entries of `Sec-WebSocket-Protocol`. */
interface Addressed {
	path: string;
	readonly headers: HeadersView;
	readonly protocols?: readonly string[];
}

/** Answers what is for no actor. Never rejects. */
export interface Api {
	handle(request: InboundRequest): Promise<ActorResponse>;
}

/** What is different where several namespaces are behind one address. */
export interface Namespaced {
	/** Names a request, for the caller, the actor and logs (engine 2.1). */
	newRayId(): string;
	/** Without it, whoever reaches the address reaches the actors. */
	readonly gatewayToken: string | undefined;
	resolverOf(namespace: string): Resolver;
	/** Throws what a query that asks for something unknown is refused with. */
	check(query: QueryGateway): Promise<void>;
	/** The id as it is stored. Throws `api.bad_request` for what is none. */
	readActorId(text: string): string;
}

/** Targets that are answered by the API, beside none (engine 3.1). */
const API_TARGETS: ReadonlySet<string> = new Set(["runner", "api-public"]);
const SKIPS_READY_WAIT: ReadonlySet<string> = new Set(["true", "1", "false", "0"]);
const HEADER_OFFER = "sec-websocket-protocol";

const ROUTING_HEADERS = [HEADER_TARGET, HEADER_ACTOR];

export interface FrontOptions {
	readonly gateway: Gateway;
	readonly api: () => Api;
	readonly resolver: Resolver;
	/** Undefined where there is one namespace only, whatever callers say. */
	readonly namespaced: () => Namespaced | undefined;
	readonly errors: ErrorAnswers;
	readonly limiter: CallLimiter | undefined;
	/** Without them, what is below `/ui` is not found. */
	readonly pages: StaticPages | undefined;
}

/** What becomes of an upgrade. */
export type UpgradeRoute =
	| {
			readonly kind: "actor";
			readonly target: Target;
			readonly upgrade: ActorUpgrade;
			/** Its id, where requests have ids. */
			readonly ray: string | undefined;
	  }
	/** Accepted and closed with 1011, because browsers cannot read a failed upgrade (protocol Q12). */
	| {
			readonly kind: "closed";
			readonly error: unknown;
			readonly upgrade: ActorUpgrade;
			readonly ray: string | undefined;
	  }
	/** Not for an actor at all: answered with HTTP (protocol 4.4). */
	| { readonly kind: "refused"; readonly answer: ActorResponse };

export class Front {
	readonly #options: FrontOptions;
	readonly #queries = new Map<string, ReadQuery>();

	constructor(options: FrontOptions) {
		this.#options = options;
	}

	/** @param basePath - as {@link normalizeBasePath} returns it. Never rejects. */
	handle(request: InboundRequest, basePath: string): Promise<ActorResponse> {
		const ray = this.#options.namespaced()?.newRayId();
		if (ray === undefined) {
			return this.#handle(request, basePath);
		}
		request.headers = withHeader(request.headers, HEADER_RAY_ID, ray);
		return this.#handle(request, basePath).then((answer) => ({
			...answer,
			headers: { ...answer.headers, [HEADER_RAY_ID]: ray },
		}));
	}

	#handle(request: InboundRequest, basePath: string): Promise<ActorResponse> {
		const { gateway, errors, limiter, pages } = this.#options;
		try {
			const path = withoutBasePath(request.path, basePath);
			if (path === undefined) {
				return Promise.resolve(notFound());
			}
			const target = this.#pathTarget(path, request) ?? this.#headerTarget(path, request);
			if (target === undefined) {
				request.path = path;
				return pages?.answer(request) ?? this.#askApi(request);
			}
			this.#checkReadyWait(request);
			if (request.method === "HEAD" && !isRawPath(request.path)) {
				request.method = "GET";
			}
			if (limiter === undefined) {
				return gateway.request(target, request);
			}
			const leave = limiter.enter(request.peerAddress, limitedAs(target, path));
			return gateway.request(target, request).finally(leave);
		} catch (error) {
			return Promise.resolve(errors.response(error, request));
		}
	}

	/** Headers of the answer to `OPTIONS`. */
	preflight(url: string, headers: HeadersView, basePath: string): FlatHeaders {
		const ray = this.#options.namespaced()?.newRayId();
		if (ray === undefined) {
			return preflightHeaders(headers);
		}
		const isForActor = withoutBasePath(url, basePath)?.startsWith("/gateway/") ?? false;
		const flat = isForActor ? preflightHeaders(headers) : apiPreflightHeaders(headers);
		flat.push(HEADER_RAY_ID, ray);
		return flat;
	}

	#askApi(request: InboundRequest): Promise<ActorResponse> {
		const answered = this.#options.api().handle(request);
		return this.#options.namespaced() === undefined
			? answered
			: answered.then((answer) => ({
					...answer,
					headers: { ...answer.headers, vary: apiVary(request.headers) },
				}));
	}

	/** Which actor a WebSocket is for (protocol 4.2 to 4.5). */
	routeUpgrade(
		url: string,
		headers: HeadersView,
		protocols: readonly string[],
		basePath: string,
		peerAddress: string | undefined,
	): UpgradeRoute {
		const path = withoutBasePath(url, basePath);
		if (path === undefined) {
			return { kind: "refused", answer: notFound() };
		}
		const ray = this.#options.namespaced()?.newRayId();
		const named = ray === undefined ? headers : withHeader(headers, HEADER_RAY_ID, ray);
		const forward = { path, headers: named, protocols };
		try {
			const target = this.#pathTarget(path, forward);
			if (target !== undefined) {
				this.#options.limiter?.enter(peerAddress, limitedAs(target, path))();
				return { kind: "actor", target, upgrade: forward, ray };
			}
		} catch (error) {
			const actorPath = forward.path.replace(/^\/gateway\/[^/?]*/, "");
			return { kind: "closed", error, upgrade: { ...forward, path: actorPath }, ray };
		}
		const namespaced = this.#options.namespaced();
		try {
			const target =
				namespaced === undefined
					? protocolTarget(protocols)
					: namespaced.readActorId(offeredTarget(protocols));
			this.#checkToken(null, forward);
			return { kind: "actor", target, upgrade: forward, ray };
		} catch (error) {
			if (namespaced !== undefined) {
				return { kind: "closed", error, upgrade: forward, ray };
			}
			return { kind: "refused", answer: this.#options.errors.response(error, { headers }) };
		}
	}

	/** Reads the path form and the query form; leaves the actor's part in `request.path`. */
	#pathTarget(path: string, request: Addressed): Target | undefined {
		if (!path.startsWith("/gateway/")) {
			return undefined;
		}
		const query = this.#queries.get(path) ?? this.#readQuery(path);
		if (query !== undefined) {
			request.path = query.path;
			this.#checkOffer(query.token, request);
			this.#checkToken(query.token, request);
			return query.target;
		}
		const parsed = parseGatewayPath(path);
		if (parsed === null) {
			return undefined;
		}
		request.path = parsed.path;
		this.#checkOffer(parsed.token, request);
		this.#checkToken(parsed.token, request);
		return this.#idOf(parsed.actorId);
	}

	#idOf(text: string): string {
		return this.#options.namespaced()?.readActorId(text) ?? text;
	}

	/** Throws `guard.missing_header` for a WebSocket that brings neither a token nor sub-protocols (engine 3.2). */
	#checkOffer(token: string | null, { protocols }: Addressed): void {
		if (token === null && protocols?.length === 0 && this.#options.namespaced() !== undefined) {
			throw catalogueError("guard.missing_header", { header: HEADER_OFFER });
		}
	}

	/** Throws `guard.invalid_header`. Nobody is given a call before it is ready, whatever the header says. */
	#checkReadyWait({ headers }: InboundRequest): void {
		const wanted = headers.get(HEADER_SKIP_READY_WAIT);
		if (wanted === null || SKIPS_READY_WAIT.has(wanted)) {
			return;
		}
		if (this.#options.namespaced() !== undefined) {
			throw catalogueError("guard.invalid_header", { header: HEADER_SKIP_READY_WAIT });
		}
	}

	/** Throws `api.forbidden` when the gateway wants a token, and this is another one. */
	#checkToken(token: string | null, { headers, protocols }: Addressed): void {
		const wanted = this.#options.namespaced()?.gatewayToken;
		if (wanted === undefined) {
			return;
		}
		const other =
			protocols === undefined ? headers.get(HEADER_TOKEN) : parseSubprotocols(protocols).token;
		if (!isSameSecret(token ?? other ?? "", wanted)) {
			throw catalogueError("api.forbidden");
		}
	}

	/** Clients repeat themselves, so what was read is kept, up to a bound. */
	#readQuery(path: string): ReadQuery | undefined {
		const parsed = path.includes("?") ? parseQueryGateway(path) : null;
		if (parsed === null) {
			return undefined;
		}
		const namespaced = this.#options.namespaced();
		const resolver = namespaced?.resolverOf(parsed.namespace) ?? this.#options.resolver;
		const query = {
			path: parsed.path,
			token: parsed.token,
			target: queryTarget(parsed, resolver, namespaced !== undefined, async (asked) =>
				namespaced?.check(asked),
			),
		};
		if (path.length <= QUERY_CACHED_CHARS_MAX) {
			if (this.#queries.size >= QUERIES_CACHED_MAX) {
				this.#queries.clear();
			}
			this.#queries.set(path, query);
		}
		return query;
	}

	#headerTarget(path: string, request: InboundRequest): Target | undefined {
		const target = request.headers.get(HEADER_TARGET);
		const isApart = this.#options.namespaced() !== undefined;
		if (target !== TARGET_ACTOR) {
			if (isApart && target !== null && !API_TARGETS.has(target)) {
				throw catalogueError("guard.no_route");
			}
			return undefined;
		}
		const actorId = request.headers.get(HEADER_ACTOR);
		if (actorId === null || actorId === "") {
			throw isApart
				? catalogueError("guard.missing_header", { header: HEADER_ACTOR })
				: catalogueError("request.missing_actor_header");
		}
		this.#checkToken(null, request);
		request.path = path;
		if (!isApart) {
			request.headers = withoutHeaders(request.headers, ROUTING_HEADERS);
		}
		return this.#idOf(actorId);
	}
}

/** "" for the root, else with a leading and without a trailing slash. */
export function normalizeBasePath(basePath: string): string {
	const inner = basePath.replace(/^\/+|\/+$/g, "");
	return inner === "" ? "" : `/${inner}`;
}

/** Whether the target of a request is below `basePath`, written in any way. */
export function isBelowBasePath(target: string, basePath: string): boolean {
	return withoutBasePath(pathOfTarget(target), normalizeBasePath(basePath)) !== undefined;
}

/** Undefined for what is not below it. */
export function withoutBasePath(url: string, basePath: string): string | undefined {
	if (basePath === "") {
		return url;
	}
	if (!url.startsWith(basePath)) {
		return undefined;
	}
	const rest = url.slice(basePath.length);
	if (rest === "" || rest.startsWith("?")) {
		return `/${rest}`;
	}
	return rest.startsWith("/") ? rest : undefined;
}

/** The actor that the entries of `Sec-WebSocket-Protocol` name (protocol 4.4). */
function protocolTarget(protocols: readonly string[]): string {
	const { target, actorId, error } = parseSubprotocols(protocols);
	if (error?.group === "request") {
		throw error;
	}
	if (target !== TARGET_ACTOR) {
		const detail =
			target === null ? "the WebSocket names no target" : `unknown WebSocket target '${target}'`;
		throw catalogueError("request.invalid", { detail });
	}
	if (actorId === null || actorId === "") {
		throw catalogueError("request.missing_actor_header");
	}
	return actorId;
}

/** The same where several namespaces are behind one address (engine 3.1, 3.3). */
function offeredTarget(protocols: readonly string[]): string {
	const { target, actorId, error } = parseSubprotocols(protocols);
	if (target === null || API_TARGETS.has(target)) {
		throw catalogueError("guard.websocket_not_supported");
	}
	if (target !== TARGET_ACTOR) {
		throw catalogueError("guard.no_route");
	}
	if (error?.group === "request") {
		throw catalogueError("api.bad_request", { reason: error.message });
	}
	if (actorId === null || actorId === "") {
		throw catalogueError("guard.missing_header", { header: HEADER_OFFER });
	}
	return actorId;
}

/** What calls are counted by: the actor, or the name a query asks for. */
function limitedAs(target: Target, path: string): string {
	return typeof target === "string" ? target : (path.split("/", 3)[2] ?? "");
}

function isRawPath(path: string): boolean {
	return path.startsWith("/request") && /^\/request(?:[/?]|$)/.test(path);
}
