import type {
	ActorHost,
	ActorNameMetadata,
	ActorRequest,
	ActorResponse,
	ActorUpgrade,
	Clock,
	HostEvents,
	Random,
	ServerMetadata,
} from "@rivetkit/protocol";
import type { AttachRunnersOptions, EngineStats } from "./apart.ts";
import type { TransferAccess, Whereabouts } from "./api/management-api.ts";
import type { ClusterNode } from "./cluster/join-cluster.ts";
import type { EngineLimits } from "./common/limits.ts";
import type { EngineLogger } from "./common/logger.ts";
import type { AcceptedSocket } from "./gateway/accepted-socket.ts";
import type { ActorQuery, ResolvedActor } from "./gateway/resolver.ts";
import type { PairedWebSocket } from "./gateway/socket-pair.ts";
import type { RunnerLimits } from "./runners/runner-limits.ts";
import type { ListeningServer } from "./server/listen.ts";
import type { ListenOptions, NodeListeners } from "./server/listeners.ts";
import type { Store } from "./store/store.ts";
import type { TransferLayout } from "./transfer/transfers.ts";

export interface EngineOptions {
	/** Stays the caller's: `close` does not close it. */
	readonly store: Store;
	/**
	 * This process's part in a cluster, with `store` and `clock` from there. Stays the caller's, like the store, but
	 * `close` leaves the cluster. Default: this process is alone.
	 */
	readonly node?: ClusterNode;
	/** Version that `/metadata` and `/health` report. */
	readonly version: string;
	readonly clock?: Clock;
	readonly random?: Random;
	readonly limits?: Partial<EngineLimits>;
	readonly logger?: EngineLogger;
	/** Default `default`. */
	readonly namespace?: string;
	/** Default `default`. */
	readonly region?: string;
	/** Protects the KV route and the destruction of actors over HTTP. */
	readonly token?: string;
	/** Makes actors exportable: how the host lays out what they store, and who may have it. Default: nobody. */
	readonly transfer?: { readonly layout: TransferLayout; readonly access: TransferAccess };
	/** Where the store keeps its files: lets a second process recognise this one. */
	readonly dataDirectory?: string;
	/** What `GET /metrics` answers: Prometheus text. Default: there is no such route. */
	readonly metrics?: () => Promise<string>;
	/** More fields of `/metadata`, asked for each time: `runner`, `clientEndpoint` and so on. */
	readonly metadata?: (caller: Whereabouts) => Partial<ServerMetadata>;
	/**
	 * Whether this is a development server. Default: `NODE_ENV` is `development`; for the names of actors in
	 * error messages, which are no secret, that it is not `production`.
	 */
	readonly development?: () => boolean;
	/**
	 * Absolute folder of the static files below `/ui`, such as the dashboard's; asked for at the first request.
	 * Default: there are none, and `/ui` is 404.
	 */
	readonly pagesFolder?: () => string;
	/** Whether callers see private errors. Default: contract 6.1. */
	readonly exposeErrors?: () => boolean;
}

export interface AttachHostOptions {
	/** Actors that the host can run, with their display hints. */
	readonly actorNames: Readonly<Record<string, ActorNameMetadata>>;
	/** Whether it can run others, too. Default: false. */
	readonly hostsAnyName?: boolean;
	/**
	 * Whether actors that are live on the host before this one wake here at once. Default: when somebody
	 * needs them.
	 */
	readonly wakesMoved?: boolean;
}

export interface Engine {
	/**
	 * Attaches the one host. What is returned is for the host to report to. A host that is lost or replaced
	 * (by attaching another one) takes no client with it: WebSockets stay open, calls wait.
	 */
	attachHost(host: ActorHost, options: AttachHostOptions): HostEvents;
	/** Resolves when a host is attached and this process has its place in the cluster; rejects when it gets none. */
	readonly joined: Promise<void>;
	/**
	 * Takes runners: processes that connect to `/runners/connect` of whatever this engine listens on, and host the
	 * actors of their pools. They are its one host, in place of one that was attached. Runners need the engine's
	 * token when it has one. Returns what counts them.
	 *
	 * From then on the engine is one apart from any application: its management API is that of the contract's
	 * section 2, with namespaces and pools, and needs the token. Throws a `TypeError` for a token that cannot be part
	 * of a WebSocket's subprotocol, where runners send it.
	 */
	attachRunners(limits?: Partial<RunnerLimits>, options?: AttachRunnersOptions): () => EngineStats;
	/** The whole HTTP API, fetch style. Paths outside `basePath` (default `/`) are 404. */
	fetch(request: Request, options?: { readonly basePath?: string }): Promise<Response>;
	/** The whole API on an address of its own. Throws a `ListenError`, such as `PortTakenError`. */
	listen(options?: ListenOptions): Promise<ListeningServer>;
	/** The whole API for an existing `node:http` server. */
	nodeListeners(options?: { readonly basePath?: string }): NodeListeners;

	/** Finds or makes an actor, without a network. Throws as {@link Resolver.resolve} does. */
	resolve(query: ActorQuery): Promise<ResolvedActor>;
	/** As `resolve`, for callers that need no more than the id: cheaper when the actor is live. */
	resolveId(query: ActorQuery): Promise<string>;
	/** One HTTP call without a network. Never rejects: errors are answers. */
	request(actorId: string, request: ActorRequest): Promise<ActorResponse>;
	/** Hands a socket to an actor without a network. Never rejects: refusals close the socket. */
	openSocket(actorId: string, upgrade: ActorUpgrade, socket: AcceptedSocket): Promise<void>;
	/** Opens a WebSocket inside this process and returns the client's end. */
	connect(actorId: string, upgrade: ActorUpgrade, protocol: string): PairedWebSocket;

	/**
	 * Resolves when no actor is left on the host that was last replaced, and those that were to wake on the
	 * next one have, or could not; the log tells why.
	 */
	moved(): Promise<void>;
	/** Destroys the actor with all its data. Throws `actor.not_found`. */
	destroy(actorId: string): Promise<void>;
	/** To be called after a commit that set or cleared (`null`) a live actor's alarm. */
	alarmCommitted(actorId: string, alarmTs: number | null): void;
	/** Why no calls should be sent here now, in words; null when they can be (`GET /ready`). */
	readonly notReady: string | null;
	/** How many incarnations there are now. */
	readonly liveCount: number;
	/** How many actors there are by name, awake or not, at most `COUNTS_KEPT_MS` ago. */
	actorCounts(): Promise<ReadonlyMap<string, number>>;
	/** WebSockets that are open now, by all ways. */
	readonly socketCount: number;
	/** Stops listening, then stops every actor (they sleep), then closes what is left. Idempotent. */
	close(): Promise<void>;
}
