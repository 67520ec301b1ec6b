/**
 * An embedded engine: directory, placement, gateway and management API over one store, in this process.
 */
import {
	type ActorHost,
	type ActorNameMetadata,
	type ActorRequest,
	type ActorResponse,
	type ActorUpgrade,
	CAPABILITY_ACTION_STREAMS,
	CAPABILITY_CALL_IDS,
	CAPABILITY_QUERY_GATEWAY,
	CAPABILITY_QUEUE_OPTIONS,
	CAPABILITY_RESUME_EVENTS,
	type Clock,
	DEFAULT_NAMESPACE,
	DEFAULT_PORT,
	type HostEvents,
	isLoopbackAddress,
	type Random,
	RUNTIME,
	type ServerMetadata,
	systemClock,
	systemRandom,
} from "@rivetkit/protocol";
import { AlarmClock } from "./alarms/alarm-clock.ts";
import { ClaimedAlarms } from "./alarms/claimed-alarms.ts";
import { Apart, type AttachRunnersOptions, type EngineStats } from "./apart.ts";
import { KvAccess } from "./api/kv-access.ts";
import { ManagementApi, type TransferAccess, type Whereabouts } from "./api/management-api.ts";
import type { ClusterNode } from "./cluster/join-cluster.ts";
import { ErrorAnswers } from "./common/errors.ts";
import { type EngineLimits, engineLimits } from "./common/limits.ts";
import { type EngineLogger, stderrLogger } from "./common/logger.ts";
import { Directory } from "./directory/directory.ts";
import type { AcceptedSocket } from "./gateway/accepted-socket.ts";
import { CallLimiter } from "./gateway/call-limiter.ts";
import { FetchRequest, fetchPreflight, fetchResponse } from "./gateway/fetch-request.ts";
import { Front, normalizeBasePath } from "./gateway/front.ts";
import { Gateway } from "./gateway/gateway.ts";
import { HeldSockets } from "./gateway/held-sockets.ts";
import { Inspections } from "./gateway/inspections.ts";
import { NodeFront } from "./gateway/node-front.ts";
import { type ActorQuery, type ResolvedActor, Resolver } from "./gateway/resolver.ts";
import { createSocketPair, type PairedWebSocket } from "./gateway/socket-pair.ts";
import { StaticPages } from "./gateway/static-pages.ts";
import { Placement } from "./placement/placement.ts";
import { RUNNER_LIMITS, type RunnerLimits } from "./runners/runner-limits.ts";
import { dataDirectoryFingerprint, type ServerInstance } from "./server/instance-id.ts";
import { type ListeningServer, listenOn } from "./server/listen.ts";
import { identifyOccupant, PortTakenError, type WantedAddress } from "./server/port-taken.ts";
import { poolTag } from "./store/postgres/node-rows.ts";
import type { Store } from "./store/store.ts";
import { type TransferLayout, Transfers } from "./transfer/transfers.ts";

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

export interface ListenOptions {
	/** Default 127.0.0.1. */
	readonly host?: string;
	/** Default 6420; 0 lets the system choose. */
	readonly port?: number;
	/** Default `/`. */
	readonly basePath?: string;
	/** How users set the port, for the message when it is taken. Default `port`. */
	readonly portSetting?: string;
	/** How users set the host, for the message when it cannot be used. Default `host`. */
	readonly hostSetting?: string;
}

/** Listeners for a `node:http` server that belongs to somebody else. */
export interface NodeListeners {
	readonly onRequest: NodeFront["onRequest"];
	readonly onUpgrade: NodeFront["onUpgrade"];
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
	 * section 2, with namespaces and pools, and needs the token.
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
	/** How many actors there are by name, awake or not, at most {@link COUNTS_KEPT_MS} ago. */
	actorCounts(): Promise<ReadonlyMap<string, number>>;
	/** WebSockets that are open now, by all ways. */
	readonly socketCount: number;
	/** Stops listening, then stops every actor (they sleep), then closes what is left. Idempotent. */
	close(): Promise<void>;
}

const CAPABILITIES: readonly string[] = [
	CAPABILITY_CALL_IDS,
	CAPABILITY_QUERY_GATEWAY,
	CAPABILITY_QUEUE_OPTIONS,
	CAPABILITY_RESUME_EVENTS,
	CAPABILITY_ACTION_STREAMS,
];

/** How long counts of actors are kept: the store reads its index for them. */
export const COUNTS_KEPT_MS = 10_000;

const DEFAULT_HOST = "127.0.0.1";
const DEFAULT_REGION = "default";

function wantedAddress(options: ListenOptions): WantedAddress {
	return {
		host: options.host ?? DEFAULT_HOST,
		port: options.port ?? DEFAULT_PORT,
		basePath: normalizeBasePath(options.basePath ?? "/"),
		portSetting: options.portSetting ?? "port",
		hostSetting: options.hostSetting ?? "host",
	};
}

/**
 * The error of a second process that wants the same address and data as one that runs; null when none
 * with this data directory serves there. For whoever could not open a store because it is in use.
 */
export async function alreadyServed(
	directory: string,
	options: ListenOptions,
): Promise<PortTakenError | null> {
	const wanted = wantedAddress(options);
	const data = dataDirectoryFingerprint(directory);
	const occupant = await identifyOccupant(wanted, { pid: process.pid, data });
	return occupant.kind === "same-data" ? new PortTakenError(wanted, occupant) : null;
}

/** An engine over `store`. Nothing runs until a host is attached. */
export function createEngine(options: EngineOptions): Engine {
	return new EmbeddedEngine(options);
}

class EmbeddedEngine implements Engine {
	readonly #clock: Clock;
	readonly #limits: EngineLimits;
	readonly #logger: EngineLogger;
	readonly #placement: Placement;
	readonly #resolver: Resolver;
	readonly #gateway: Gateway;
	readonly #inspections: Inspections;
	readonly #sockets: HeldSockets;
	readonly #front: Front;
	readonly #errors: ErrorAnswers;
	readonly #alarms: AlarmClock | ClaimedAlarms;
	readonly #node: ClusterNode | undefined;
	joined: Promise<void> = Promise.resolve();
	readonly #instance: ServerInstance;
	readonly #fronts: NodeFront[] = [];
	readonly #servers: ListeningServer[] = [];
	#actorNames: Readonly<Record<string, ActorNameMetadata>> = {};
	#hostsAnyName = false;
	/** While its actors are on runners. */
	#apart: Apart | undefined;
	readonly #options: EngineOptions;
	readonly #directory: Directory;
	readonly #random: Random;
	#closed: Promise<void> | undefined;
	readonly #store: Store;
	readonly #namespace: string;
	#hasJoined = false;
	#counts:
		| { readonly atMs: number; readonly counts: Promise<ReadonlyMap<string, number>> }
		| undefined;

	constructor(options: EngineOptions) {
		const { store, version, token, node } = options;
		const random = options.random ?? systemRandom();
		const development = options.development ?? isDevelopment;
		const namespace = options.namespace ?? DEFAULT_NAMESPACE;
		const region = options.region ?? DEFAULT_REGION;
		const clock = options.clock ?? systemClock();
		const limits = engineLimits(options.limits);
		const logger = options.logger ?? stderrLogger;
		const errors = new ErrorAnswers(logger, options.exposeErrors ?? isExposed);
		const placement = new Placement({
			store,
			clock,
			limits,
			logger,
			region,
			socketsOf: (actorId) => this.#sockets.attachAll(actorId),
			onEnded: (actorId, how) => {
				this.#sockets.incarnationEnded(actorId, how);
				this.#alarms.stopped(actorId);
			},
			...(node === undefined ? undefined : { elsewhere: node.cluster }),
			obstacles: () => this.#apart?.obstacleOf,
			spansNamespaces: () => this.#apart !== undefined,
		});
		const directory = new Directory({
			store,
			clock,
			random,
			limits,
			namespace,
			region,
			listsNames: options.development ?? isNoProduction,
			actorNames: () => this.#actorNames,
			startsHere: (actor) => placement.takesNext(actor),
			hostsAnyName: () => this.#hostsAnyName,
		});
		const resolver = new Resolver(directory, placement, clock, limits);
		const sockets = new HeldSockets({ placement, clock, random, limits, logger });
		const inspections = new Inspections({
			store,
			placement,
			clock,
			limits,
			...(node === undefined ? undefined : { elsewhere: node.cluster }),
		});
		const gateway = new Gateway({
			placement,
			sockets,
			inspections,
			clock,
			limits,
			errors,
			attempts: () => this.#apart?.attempts,
		});
		const embeddedApi = new ManagementApi({
			store,
			directory,
			resolver,
			statusOf: (actor) => placement.statusOf(actor),
			destroy: (actorId) => this.destroy(actorId),
			random,
			limits,
			errors,
			access: new KvAccess(token, development),
			notReady: () => this.notReady,
			transfers: options.transfer && {
				access: options.transfer.access,
				of: new Transfers({
					store,
					directory,
					clock,
					limits,
					version,
					layout: options.transfer.layout,
					destroy: (actorId) => this.destroy(actorId),
					imported: (actorId, alarmTs) => this.#alarms.imported(actorId, alarmTs),
				}),
			},
			version,
			metadata: (caller) => this.#metadata(options, caller),
			metrics: options.metrics,
		});
		this.#options = options;
		this.#random = random;
		this.#directory = directory;
		this.#store = store;
		this.#namespace = namespace;
		this.#clock = clock;
		this.#limits = limits;
		this.#logger = logger;
		this.#placement = placement;
		this.#resolver = resolver;
		this.#gateway = gateway;
		this.#inspections = inspections;
		this.#sockets = sockets;
		this.#errors = errors;
		const limiter = CallLimiter.for(clock, limits);
		const pages = options.pagesFolder && new StaticPages(options.pagesFolder);
		this.#front = new Front({
			gateway,
			api: () => this.#apart?.api ?? embeddedApi,
			resolver,
			namespaced: () => this.#apart,
			errors,
			limiter,
			pages,
		});
		this.#node = node;
		this.#alarms =
			node === undefined
				? new AlarmClock({ store, placement, clock, limits, logger })
				: new ClaimedAlarms({
						claims: node.claims,
						placement,
						clock,
						random,
						limits,
						logger,
						names: () => this.#kinds,
					});
		this.#instance = {
			pid: process.pid,
			...(options.dataDirectory === undefined
				? {}
				: { data: dataDirectoryFingerprint(options.dataDirectory) }),
		};
	}

	get liveCount(): number {
		return this.#placement.liveCount;
	}

	/** What this process can run, as nodes say it of themselves. */
	get #kinds(): string[] {
		return this.#apart === undefined
			? Object.keys(this.#actorNames)
			: this.#apart.host.pools.map(poolTag);
	}

	/** Why no calls should be sent here now, in words; null when they can be. */
	get notReady(): string | null {
		if (this.#closed !== undefined) {
			return "this process is stopping";
		}
		if (this.#node === undefined) {
			return null;
		}
		return this.#hasJoined ? this.#node.notReady : "this node has not joined its cluster";
	}

	get socketCount(): number {
		return [...this.#fronts, ...this.#servers].reduce(
			(sum, { socketCount }) => sum + socketCount,
			0,
		);
	}

	actorCounts(): Promise<ReadonlyMap<string, number>> {
		const now = this.#clock.now();
		if (this.#counts === undefined || now - this.#counts.atMs >= COUNTS_KEPT_MS) {
			this.#counts = { atMs: now, counts: this.#store.countActors(this.#namespace) };
		}
		return this.#counts.counts;
	}

	attachHost(host: ActorHost, options: AttachHostOptions): HostEvents {
		const { actorNames, wakesMoved = false, hostsAnyName = false } = options;
		const hosts = (name: string) => hostsAnyName || Object.hasOwn(actorNames, name);
		const events = this.#placement.attach({ host, hosts, wakesMoved });
		this.#inspections.hostReplaced();
		this.#actorNames = actorNames;
		this.#hostsAnyName = hostsAnyName;
		this.#alarms.start();
		if (this.#node !== undefined && !this.#hasJoined) {
			this.#hasJoined = true;
			this.joined = this.#join(this.#node);
			// Whoever waits for it is told.
			this.joined.catch(() => {});
		}
		return events;
	}

	#join(node: ClusterNode): Promise<void> {
		return node.start({
			placement: this.#placement,
			attachAll: (actorId) => this.#sockets.attachAll(actorId),
			ended: (actorId, how) => this.#sockets.incarnationEnded(actorId, how),
			request: (actorId, incarnation, request) => incarnation.host.request(actorId, request),
			inspect: (actorId, request) => this.#inspections.here(actorId, request),
			inspectSocket: (actorId, upgrade, socket) =>
				this.#inspections.openSocketHere(actorId, upgrade, socket),
			hosts: (actor) => this.#apart?.canHost(actor) ?? Object.hasOwn(this.#actorNames, actor.name),
			runnerMoved: (pool, key) => this.#apart?.host.moved(pool, key),
			askRunners: (question) => this.#apart?.runners.answer(question) ?? [],
			names: () => this.#kinds,
			nodesDied: () => {
				if (this.#alarms instanceof ClaimedAlarms) {
					this.#alarms.nodesDied();
				}
			},
			alarmsHinted: () => {
				if (this.#alarms instanceof ClaimedAlarms) {
					this.#alarms.hinted();
				}
			},
		});
	}

	attachRunners(
		limits: Partial<RunnerLimits> = {},
		options: AttachRunnersOptions = {},
	): () => EngineStats {
		const { token, version, metrics } = this.#options;
		const apart = new Apart({
			store: this.#store,
			clock: this.#clock,
			random: this.#random,
			logger: this.#logger,
			errors: this.#errors,
			placement: this.#placement,
			directory: this.#directory,
			resolver: this.#resolver,
			routeTimeoutMs: this.#limits.routeTimeoutMs,
			isAlone: this.#node === undefined,
			limits: { ...RUNNER_LIMITS, ...limits },
			token,
			version,
			metrics,
			region: this.#options.region ?? DEFAULT_REGION,
			notReady: () => this.notReady,
			metadata: (peerAddress) => ({
				capabilities: CAPABILITIES,
				...(isLoopbackAddress(peerAddress) ? { instance: this.#instance } : {}),
			}),
			listeningUrl: () => this.#servers[0]?.url,
			alarmCommitted: (actorId, alarmTs) => this.#alarms.committed(actorId, alarmTs),
			wake: (actorId) => void this.#wake(actorId),
			poolsChanged: () => void this.#node?.namesChanged(),
			came: (pool, key) => this.#node?.cluster.runnerCame(pool, key),
			askOthers: this.#node && ((question) => this.#node!.cluster.askRunners(question)),
			announced: (names) => {
				this.#actorNames = { ...this.#actorNames, ...names };
			},
			...options,
		});
		apart.host.attach(this.attachHost(apart.host, { actorNames: {}, hostsAnyName: true }));
		this.#apart = apart;
		return () => apart.stats;
	}

	async #wake(actorId: string): Promise<void> {
		try {
			const deadlineTs = this.#clock.now() + this.#limits.routeTimeoutMs;
			await this.#placement.ready(actorId, deadlineTs, "key");
		} catch (error) {
			this.#logger.warn({ actorId, err: error }, "an actor could not be started again");
		}
	}

	async fetch(request: Request, options: { readonly basePath?: string } = {}): Promise<Response> {
		if (request.method === "OPTIONS") {
			return fetchPreflight(request);
		}
		const inbound = new FetchRequest(request, this.#limits.httpBodyBytesMax);
		const basePath = normalizeBasePath(options.basePath ?? "/");
		return fetchResponse(request, await this.#front.handle(inbound, basePath));
	}

	async listen(options: ListenOptions = {}): Promise<ListeningServer> {
		const wanted = wantedAddress(options);
		const front = this.#nodeFront(wanted.basePath);
		const server = await listenOn(front, wanted, this.#instance, this.#limits);
		this.#servers.push(server);
		return server;
	}

	nodeListeners(options: { readonly basePath?: string } = {}): NodeListeners {
		const front = this.#nodeFront(normalizeBasePath(options.basePath ?? "/"));
		this.#fronts.push(front);
		return front;
	}

	resolve(query: ActorQuery): Promise<ResolvedActor> {
		return this.#resolver.resolve(query);
	}

	resolveId(query: ActorQuery): Promise<string> {
		return this.#resolver.resolveId(query);
	}

	request(actorId: string, request: ActorRequest): Promise<ActorResponse> {
		return this.#gateway.request(actorId, request);
	}

	openSocket(actorId: string, upgrade: ActorUpgrade, socket: AcceptedSocket): Promise<void> {
		return this.#gateway.openSocket(actorId, upgrade, socket);
	}

	connect(actorId: string, upgrade: ActorUpgrade, protocol: string): PairedWebSocket {
		const url = `ws://actor${upgrade.path}`;
		const { client, server } = createSocketPair({ url, protocol, logger: this.#logger });
		void this.#gateway.openSocket(actorId, upgrade, server);
		return client;
	}

	moved(): Promise<void> {
		return this.#placement.moved();
	}

	destroy(actorId: string): Promise<void> {
		if (this.#apart !== undefined) {
			return this.#apart.destroy(actorId);
		}
		return this.#placement.destroy(actorId, this.#clock.now() + this.#limits.routeTimeoutMs);
	}

	alarmCommitted(actorId: string, alarmTs: number | null): void {
		this.#alarms.committed(actorId, alarmTs);
	}

	close(): Promise<void> {
		this.#closed ??= this.#close();
		return this.#closed;
	}

	async #close(): Promise<void> {
		this.#alarms.stop();
		if (this.#node !== undefined) {
			await this.joined.catch(() => {});
			await this.#node.cluster.drain();
		}
		this.#sockets.stopHolding();
		for (const server of this.#servers) {
			server.stopAccepting();
		}
		this.#apart?.stopPlacing();
		try {
			await this.#placement.close();
		} finally {
			this.#apart?.close();
			this.#sockets.closeAll();
			this.#inspections.closeAll();
			const graceMs = this.#limits.closeGraceMs;
			await Promise.all([
				...this.#servers.map((server) => server.close()),
				...this.#fronts.map((front) => front.closeSockets(graceMs)),
			]);
			await this.#node?.leave();
		}
	}

	#nodeFront(basePath: string): NodeFront {
		return new NodeFront({
			clock: this.#clock,
			limits: this.#limits,
			logger: this.#logger,
			front: this.#front,
			gateway: this.#gateway,
			errors: this.#errors,
			basePath,
			runnerDoor: () => this.#apart?.door,
		});
	}

	#metadata(options: EngineOptions, caller: Whereabouts): Record<string, unknown> {
		const actorNames = Object.entries(this.#actorNames).map(([name, metadata]) => [
			name,
			{ metadata },
		]);
		return {
			runtime: RUNTIME,
			version: options.version,
			runner: { kind: { normal: {} }, version: 1 },
			actorNames: Object.fromEntries(actorNames),
			...options.metadata?.(caller),
			capabilities: CAPABILITIES,
			...(caller === "this machine" ? { instance: this.#instance } : {}),
		};
	}
}

function isDevelopment(): boolean {
	return process.env.NODE_ENV === "development";
}

function isNoProduction(): boolean {
	return process.env.NODE_ENV !== "production";
}

function isExposed(): boolean {
	return process.env.RIVET_EXPOSE_ERRORS === "1" || isDevelopment();
}
