/** Shapes of the management API and of `/metadata` (contract 4.6, 5.1). Clients ignore other fields. */

/** An actor record. Times are ms since the epoch. */
export interface ApiActor {
	readonly actor_id: string;
	readonly name: string;
	/** Serialized ({@link serializeKey}); engines may hold actors without one. */
	readonly key: string | null;
	readonly namespace_id: string;
	readonly runner_name_selector: string;
	readonly create_ts: number;
	readonly connectable_ts?: number | null;
	readonly start_ts?: number | null;
	readonly sleep_ts?: number | null;
	readonly destroy_ts?: number | null;
	/** Why the actor cannot start. */
	readonly error?: unknown;
	readonly datacenter?: string;
	readonly crash_policy?: string;
	readonly pending_allocation_ts?: number | null;
	readonly reschedule_ts?: number | null;
	/** Ours: what the actor does now. */
	readonly status?: ApiActorStatus;
}

/**
 * - `awake`: an incarnation takes calls
 * - `starting`, `stopping`: one is on its way in, or out
 * - `failing`: none lives, the last start failed, and the next one waits
 * - `sleeping`: none lives, and the next call or alarm starts one
 */
export type ApiActorStatus =
	| "awake"
	| "starting"
	| "stopping"
	| "failing"
	| "sleeping"
	| "destroyed";

/** Body of `PUT /actors` (get or create) and `POST /actors` (create; `key` optional there). */
export interface ApiCreateActorRequest {
	readonly name: string;
	readonly key?: string | null;
	readonly runner_name_selector: string;
	readonly crash_policy: string;
	readonly datacenter?: string | null | undefined;
	/** Standard base64 of CBOR. */
	readonly input?: string | null | undefined;
}

export interface ApiPagination {
	readonly cursor: string | null;
}

export interface ApiListActorsResponse {
	readonly actors: readonly ApiActor[];
	readonly pagination?: ApiPagination;
}

export interface ApiGetOrCreateActorResponse {
	readonly actor: ApiActor;
	readonly created: boolean;
}

export interface ApiCreateActorResponse {
	readonly actor: ApiActor;
}

export interface ApiListActorNamesResponse {
	readonly names: Readonly<Record<string, { readonly metadata: ActorNameMetadata }>>;
	readonly pagination?: ApiPagination;
}

export interface ApiKvGetResponse {
	/** Standard base64, byte-exact; `null` when there is no such key. */
	readonly value: string | null;
	readonly update_ts?: number;
}

/** Display hints of an actor name. */
export interface ActorNameMetadata {
	readonly name?: string;
	readonly icon?: string;
}

export type RunnerKind = { readonly normal: object } | { readonly serverless: object };

/** `GET /metadata` of a server. Clients require only `runtime` and `version`. */
export interface ServerMetadata {
	readonly runtime: string;
	readonly version: string;
	readonly runner?: { readonly kind: RunnerKind; readonly version: number };
	readonly actorNames?: Readonly<Record<string, { readonly metadata: ActorNameMetadata }>>;
	/** Where clients should really talk to, and as whom. */
	readonly clientEndpoint?: string;
	readonly clientNamespace?: string;
	readonly clientToken?: string;
	/** Ours: what this server can do beyond the contract (`call-ids`, `query-gateway`). */
	readonly capabilities?: readonly string[];
}

/** `GET /metadata` of one actor. */
export interface ActorMetadata {
	readonly runtime: string;
	readonly version: string;
}

export interface HealthResponse {
	readonly status: "ok";
	readonly runtime: string;
	readonly version: string;
}
