/**
 * An embedded engine: directory, placement, gateway and management API over one store, in this process.
 */
import {
	type ActorHost,
	type ActorNameMetadata,
	type ActorRequest,
	type ActorResponse,
	type ActorUpgrade,
	type Clock,
	DEFAULT_NAMESPACE,
	ENGINE_TOKEN_ALPHABET,
	type HostEvents,
	isEngineToken,
	isLoopbackAddress,
	newActorId,
	type Random,
	systemClock,
	systemRandom,
} from "@rivetkit/protocol";
import { AlarmClock } from "./alarms/alarm-clock.ts";
import { ClaimedAlarms } from "./alarms/claimed-alarms.ts";
import { Apart, type AttachRunnersOptions, type EngineStats } from "./apart.ts";
import { KvAccess } from "./api/kv-access.ts";
import { ManagementApi } from "./api/management-api.ts";
import type { ClusterNode } from "./cluster/join-cluster.ts";
import type { LeftRunning } from "./cluster/left-running.ts";
import { ErrorAnswers, isActorNotFound } from "./common/errors.ts";
import { type EngineLimits, engineLimits } from "./common/limits.ts";
import { type EngineLogger, stderrLogger } from "./common/logger.ts";
import { ActorCounts } from "./directory/actor-counts.ts";
import { Directory } from "./directory/directory.ts";
import type { AttachHostOptions, Engine, EngineOptions } from "./engine.types.ts";
import type { AcceptedSocket } from "./gateway/accepted-socket.ts";
import { CallLimiter } from "./gateway/call-limiter.ts";
import { FetchRequest, fetchResponse, preflightResponse } from "./gateway/fetch-request.ts";
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
import type { ListeningServer } from "./server/listen.ts";
import { Listeners, type ListenOptions, type NodeListeners } from "./server/listeners.ts";
import { CAPABILITIES, embeddedMetadata } from "./server-metadata.ts";
import { poolTag } from "./store/postgres/node-rows.ts";
import type { Store } from "./store/store.ts";
import { Transfers } from "./transfer/transfers.ts";

const DEFAULT_REGION = "default";

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
	/** Undefined where there are no other nodes. */
	readonly #leftRunning: LeftRunning | undefined;
	joined: Promise<void> = Promise.resolve();
	readonly #instance: ServerInstance;
	readonly #listeners: Listeners;
	readonly #counts: ActorCounts;
	#actorNames: Readonly<Record<string, ActorNameMetadata>> = {};
	#hostsAnyName = false;
	/** While its actors are on runners. */
	#apart: Apart | undefined;
	readonly #options: EngineOptions;
	readonly #directory: Directory;
	readonly #random: Random;
	#closed: Promise<void> | undefined;
	readonly #store: Store;
	#hasJoined = false;

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
			left: () => this.#leftRunning?.look(),
			spansNamespaces: () => this.#apart !== undefined,
		});
		const directory = new Directory({
			store,
			clock,
			newId: () => this.#apart?.newId() ?? newActorId(random),
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
			absent: (actorId) => this.#apart?.absent(actorId),
			takesAnySocketPath: () => this.#apart !== undefined,
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
			metadata: (caller) => embeddedMetadata(options, this.#actorNames, this.#instance, caller),
			metrics: options.metrics,
		});
		this.#options = options;
		this.#random = random;
		this.#directory = directory;
		this.#store = store;
		this.#counts = new ActorCounts(store, clock, namespace);
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
		this.#leftRunning = node?.leftRunning({
			placement,
			clock,
			limits,
			logger,
			names: () => this.#kinds,
		});
		this.#alarms =
			node === undefined
				? new AlarmClock({
						store,
						placement,
						clock,
						limits,
						logger,
						isApart: () => this.#apart !== undefined,
					})
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
		this.#listeners = new Listeners(
			(basePath, aliasPath) =>
				new NodeFront({
					clock,
					limits,
					logger,
					front: this.#front,
					gateway,
					errors,
					basePath,
					...(aliasPath === undefined ? undefined : { aliasPath }),
					runnerDoor: () => this.#apart?.door,
				}),
			this.#instance,
			limits,
		);
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
		return this.#listeners.socketCount;
	}

	actorCounts(): Promise<ReadonlyMap<string, number>> {
		return this.#counts.read();
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

	async #join(node: ClusterNode): Promise<void> {
		await node.start({
			placement: this.#placement,
			attachAll: (actorId) => this.#sockets.attachAll(actorId),
			ended: (actorId, how) => this.#sockets.incarnationEnded(actorId, how),
			request: (actorId, incarnation, request) => incarnation.host.request(actorId, request),
			stop: (actorId, intent) =>
				intent === "destroy" && this.#apart !== undefined
					? this.#apart.destroy(actorId)
					: this.#placement.stop(actorId, intent),
			inspect: (actorId, request) => this.#inspections.here(actorId, request),
			inspectSocket: (actorId, upgrade, socket) =>
				this.#inspections.openSocketHere(actorId, upgrade, socket),
			hosts: (actor) => this.#apart?.canHost(actor) ?? Object.hasOwn(this.#actorNames, actor.name),
			runnerMoved: (pool, key, version) => this.#apart?.runnerMoved(pool, key, version),
			rooms: () => this.#apart?.host.rooms ?? [],
			roomFor: (pool) => this.#apart?.host.roomIn(pool),
			heardRooms: (rooms) => this.#apart?.host.heardElsewhere(rooms),
			askRunners: (question) => this.#apart?.runners.answer(question) ?? [],
			names: () => this.#kinds,
			actorsLeft: () => this.#leftRunning?.look(),
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
		this.#leftRunning?.look();
	}

	attachRunners(
		limits: Partial<RunnerLimits> = {},
		options: AttachRunnersOptions = {},
	): () => EngineStats {
		const { token, version, metrics } = this.#options;
		if (token !== undefined && !isEngineToken(token)) {
			throw new TypeError(`token: ${ENGINE_TOKEN_ALPHABET}`);
		}
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
			webSocketOpenTimeoutMs: this.#limits.webSocketOpenTimeoutMs,
			isAlone: this.#node === undefined,
			destroyElsewhere: async (actorId) =>
				(await this.#node?.cluster.destroyElsewhere(actorId)) ?? false,
			limits: { ...RUNNER_LIMITS, ...limits },
			engineLimits: this.#limits,
			token,
			version,
			metrics,
			region: this.#options.region ?? DEFAULT_REGION,
			notReady: () => this.notReady,
			metadata: (peerAddress) => ({
				capabilities: CAPABILITIES,
				...(isLoopbackAddress(peerAddress) ? { instance: this.#instance } : {}),
			}),
			listeningUrl: () => this.#listeners.url,
			alarmCommitted: (actorId, alarmTs) => this.#alarms.committed(actorId, alarmTs),
			wake: (actorId) => this.#wake(actorId),
			paused: (actorId, generation, untilTs) => {
				this.#node?.claims.postpone(actorId, generation, untilTs).catch((error: unknown) => {
					this.#logger.warn(
						{ actorId, err: error },
						"other nodes could not be told of an actor's pause; they may start it before it is over",
					);
				});
			},
			poolsChanged: () => {
				void this.#node?.namesChanged();
				this.#leftRunning?.look();
			},
			came: (pool, key, version) => this.#node?.cluster.runnerCame(pool, key, version),
			roomChanged: () => this.#node?.cluster.roomChanged(),
			elsewhere: this.#node?.cluster.pools,
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

	/** Resolves with whether it runs, sleeps, or is no more; a start that waits for a slot is waited for. Never rejects. */
	async #wake(actorId: string): Promise<boolean> {
		for (;;) {
			try {
				const deadlineTs = this.#clock.now() + this.#limits.routeTimeoutMs;
				await this.#placement.ready(actorId, deadlineTs, "key");
				return true;
			} catch (error) {
				if (isActorNotFound(error)) return true;
				if (this.#placement.phase(actorId) === "starting") continue;
				this.#logger.warn({ actorId, err: error }, "an actor could not be started again");
				// Where it has waited in vain, it sleeps.
				const record = await this.#store.actorById(actorId).catch((err: unknown) => {
					this.#logger.warn({ actorId, err }, "whether an actor sleeps could not be read");
					return undefined;
				});
				return record !== undefined && (record.sleepTs !== null || record.destroyTs !== null);
			}
		}
	}

	async fetch(request: Request, options: { readonly basePath?: string } = {}): Promise<Response> {
		const basePath = normalizeBasePath(options.basePath ?? "/");
		if (request.method === "OPTIONS") {
			const { pathname } = new URL(request.url);
			return preflightResponse(this.#front.preflight(pathname, request.headers, basePath));
		}
		const inbound = new FetchRequest(request, this.#limits.httpBodyBytesMax);
		return fetchResponse(request, await this.#front.handle(inbound, basePath));
	}

	listen(options: ListenOptions = {}): Promise<ListeningServer> {
		return this.#listeners.listen(options);
	}

	nodeListeners({ basePath }: { readonly basePath?: string } = {}): NodeListeners {
		return this.#listeners.mount(basePath);
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
		this.#leftRunning?.close();
		if (this.#node !== undefined) {
			await this.joined.catch(() => {});
			await this.#node.cluster.drain();
		}
		this.#sockets.stopHolding();
		this.#listeners.stopAccepting();
		this.#apart?.stopPlacing();
		try {
			await this.#placement.close();
		} finally {
			// Who closes the store next must not take it from under the start.
			await this.#apart?.settled();
			this.#apart?.close();
			this.#gateway.stopPausing();
			this.#sockets.closeAll();
			this.#inspections.closeAll();
			await this.#listeners.close();
			await this.#node?.leave();
		}
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
