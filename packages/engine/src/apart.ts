import {
	type ActorNameMetadata,
	type Clock,
	catalogueError,
	DEFAULT_ENDPOINT,
	DEFAULT_NAMESPACE,
	isActorError,
	newActorId,
	parseActorId,
	type QueryGateway,
	type Random,
	serializeKey,
	type Timer,
} from "@rivetkit/protocol";
import { readKey } from "./api/actor-fields.ts";
import { EngineApi } from "./api/engine-api.ts";
import { notAnId } from "./api/engine-calls.ts";
import { KvAccess } from "./api/kv-access.ts";
import type { ErrorAnswers } from "./common/errors.ts";
import type { EngineLimits } from "./common/limits.ts";
import type { EngineLogger } from "./common/logger.ts";
import type { PoolsElsewhere } from "./common/pool-state.ts";
import type { AskOthers } from "./common/runner-questions.ts";
import { isSameSecret, runnerToken } from "./common/tokens.ts";
import type { Directory } from "./directory/directory.ts";
import type { Attempts } from "./gateway/gateway.ts";
import type { InboundRequest } from "./gateway/inbound.ts";
import type { Resolver } from "./gateway/resolver.ts";
import { BackgroundWakes, CROWDED_RETRY_MS } from "./placement/background-wakes.ts";
import type { Placement } from "./placement/placement.ts";
import { ActorNames } from "./pools/actor-names.ts";
import { Namespaces } from "./pools/namespaces.ts";
import { Pools } from "./pools/pools.ts";
import { AllRunners } from "./runners/all-runners.ts";
import { resumeLeftActors } from "./runners/left-actors.ts";
import type { PoolAddress } from "./runners/pool-address.ts";
import { RunnerDoor } from "./runners/runner-door.ts";
import { RunnerLedger } from "./runners/runner-ledger.ts";
import type { RunnerLimits } from "./runners/runner-limits.ts";
import { type RunnerStats, RunnersHost, type RunnersHostOptions } from "./runners/runners-host.ts";
import { SERVERLESS_LIMITS, type ServerlessLimits } from "./serverless/serverless-limits.ts";
import { ServerlessPools } from "./serverless/serverless-pools.ts";
import { type ActorRecord, StaleGenerationError, type Store } from "./store/store.ts";

/** How an engine apart from any application works. */
export interface AttachRunnersOptions {
	/** Where hosts of serverless pools, and the list of datacenters, find this engine. Default: where it listens first. */
	readonly publicUrl?: string;
	/** Number of this datacenter, 0 to 65535. Default 1. */
	readonly datacenterLabel?: number;
	/** Whether actors can be created without the token, as with 2.1.3 (contract: engine 2.2). Default: they cannot. */
	readonly opensCreation?: boolean;
	/** Whether calls to actors need the token, too (contract: engine 3.2). Default: they do not. */
	readonly requiresGatewayToken?: boolean;
	readonly serverless?: Partial<ServerlessLimits>;
}

/** What an engine counts. */
export interface EngineStats extends RunnerStats {
	/** Requests to hosts of serverless pools that are open. */
	readonly serverlessRequests: number;
	/** Serverless pools that fail. */
	readonly poolsFailing: number;
}

export interface ApartOptions extends AttachRunnersOptions {
	readonly store: Store;
	readonly clock: Clock;
	readonly random: Random;
	readonly logger: EngineLogger;
	readonly errors: ErrorAnswers;
	readonly placement: Placement;
	/** Of any namespace. */
	readonly directory: Directory;
	readonly resolver: Resolver;
	readonly routeTimeoutMs: number;
	readonly webSocketOpenTimeoutMs: number;
	/** Whether no other node may run an actor. */
	readonly isAlone: boolean;
	/** Has another node that has the actor destroy it, as far as it can be reached. False when none has it. */
	readonly destroyElsewhere: (actorId: string) => Promise<boolean>;
	readonly limits: RunnerLimits;
	readonly engineLimits: EngineLimits;
	readonly token: string | undefined;
	readonly version: string;
	readonly region: string;
	readonly notReady: () => string | null;
	readonly metrics: (() => Promise<string>) | undefined;
	readonly metadata: (peerAddress: string | undefined) => Record<string, unknown>;
	readonly listeningUrl: () => string | undefined;
	readonly alarmCommitted: (actorId: string, alarmTs: number | null) => void;
	/** See {@link RunnersHostOptions}. */
	readonly wake: RunnersHostOptions["wake"];
	/** See {@link RunnersHostOptions}. */
	readonly paused: RunnersHostOptions["paused"];
	readonly announced: (names: Readonly<Record<string, ActorNameMetadata>>) => void;
	/** See {@link RunnersHostOptions}. */
	readonly poolsChanged: () => void;
	readonly came: (pool: PoolAddress, key: string, version: number) => void;
	readonly roomChanged: () => void;
	readonly elsewhere: PoolsElsewhere | undefined;
	/** Undefined where there are no other nodes. */
	readonly askOthers: AskOthers | undefined;
}

/** What an engine has whose actors run in processes elsewhere: namespaces, pools, runners, and their API. */
export class Apart {
	readonly host: RunnersHost;
	readonly runners: AllRunners;
	readonly door: RunnerDoor;
	/** How often the gateway offers a call. */
	readonly attempts: Attempts;
	/** What the gateway wants of its callers. */
	readonly gatewayToken: string | undefined;
	readonly #options: ApartOptions;
	readonly #namespaces: Namespaces;
	readonly #pools: Pools;
	readonly #names: ActorNames;
	readonly #serverless: ServerlessPools;
	readonly #api: EngineApi;
	/** Of actors that an engine which was killed has left. */
	readonly #leftWakes: BackgroundWakes;
	/** Runs while too many of them wait for room. */
	#leftAgain: Timer | undefined;
	#isClosing = false;
	/** The namespace that is always there exists, and the pools are known. */
	readonly #started: Promise<void>;

	constructor(options: ApartOptions) {
		this.#options = options;
		const { store, clock, random, logger, limits, token } = options;
		this.attempts = { max: limits.attemptsMax, pauseMs: limits.attemptPauseMs };
		this.gatewayToken = options.requiresGatewayToken ? token : undefined;
		const newId = () => this.newId();
		this.#leftWakes = new BackgroundWakes({
			...options,
			limits: options.engineLimits,
			failed: (actorId, error) =>
				logger.warn(
					{ actorId, err: error },
					"an actor that an engine has left could not be started",
				),
		});
		this.#namespaces = new Namespaces(store.inventory, clock, newId);
		this.#names = new ActorNames(store, clock);
		this.#pools = new Pools({
			inventory: store.inventory,
			clock,
			logger,
			changed: (namespace, pool, config) =>
				this.#serverless.configured({ namespace, pool }, config),
		});
		this.host = new RunnersHost({
			store,
			ledger: options.isAlone ? new RunnerLedger(store.inventory, logger) : undefined,
			clock,
			random,
			newId,
			logger,
			limits,
			version: options.version,
			webSocketOpenTimeoutMs: options.webSocketOpenTimeoutMs,
			alarmCommitted: options.alarmCommitted,
			wake: options.wake,
			isAwaited: (actorId) => options.placement.isAwaited(actorId),
			paused: options.paused,
			poolsChanged: options.poolsChanged,
			roomChanged: options.roomChanged,
			elsewhere: options.elsewhere,
			came: options.came,
			announced: (namespace, names) => this.#announced(namespace, names),
			poolConfig: ({ namespace, pool }) => this.#pools.get(namespace, pool),
			poolAppeared: ({ namespace, pool }) => {
				this.#pools.ensure(namespace, pool).catch((error: unknown) => {
					logger.warn({ namespace, pool, err: error }, "a new pool could not be stored");
				});
			},
		});
		this.#serverless = new ServerlessPools({
			host: this.host,
			clock,
			random,
			logger,
			limits: { ...SERVERLESS_LIMITS, ...options.serverless },
			publicUrl: () => this.#publicUrl,
			tokenFor: (namespace) => token && runnerToken(token, namespace),
			names: this.#names,
			configOf: ({ namespace, pool }) => this.#pools.find(namespace, pool),
		});
		this.host.supply = this.#serverless;
		this.runners = new AllRunners({
			host: this.host,
			poolErrors: (namespace) => this.#serverless.errorsOf(namespace),
			askOthers: options.askOthers,
		});
		this.door = new RunnerDoor({
			host: this.host,
			processId: random.uuid(),
			clock,
			newId,
			logger,
			limits,
			hasNamespace: async (name) => {
				await this.#started;
				return (await this.#namespaces.find(name)) !== undefined;
			},
			accepts: this.#acceptsRunner,
		});
		this.#api = this.#makeApi();
		this.#started = this.#start();
		// What runs is known by then.
		if (options.isAlone) options.placement.holdUntil(this.#started);
		// Whoever needs it is told.
		this.#started.catch((error: unknown) => {
			logger.error({ err: error }, "namespaces and pools could not be read");
		});
	}

	/** Resolves when nothing of the start is under way any more, however it went. */
	async settled(): Promise<void> {
		await this.#started.catch(() => {});
	}

	readonly api = {
		handle: async (request: InboundRequest) => {
			// A failure is the answer to the first thing that is asked for.
			await this.#started.catch(() => {});
			return this.#api.handle(request);
		},
	};

	get stats(): EngineStats {
		return {
			...this.host.stats,
			serverlessRequests: this.#serverless.requestCount,
			poolsFailing: this.#serverless.failingCount,
		};
	}

	/** See `PlacementOptions.obstacles`. */
	readonly obstacleOf = (actorId: string): unknown => this.host.obstacleOf(actorId);

	/** Whether this engine has runners of a pool, or starts them when they are wanted. */
	canHost({ namespace, pool }: PoolAddress): boolean {
		return (
			this.host.pools.some((one) => one.namespace === namespace && one.pool === pool) ||
			this.host.isSupplied({ namespace, pool })
		);
	}

	/** An id of this datacenter. */
	newId(): string {
		return newActorId(this.#options.random, this.#label);
	}

	newRayId(): string {
		return this.newId();
	}

	/** What the id of an actor that is not here means, if that is known: it may be none, or of another datacenter. */
	absent(actorId: string): Error | undefined {
		const parts = parseActorId(actorId);
		if (parts === null) return notAnId(actorId);
		return parts.datacenterLabel === this.#label
			? undefined
			: catalogueError("datacenter.not_found");
	}

	/** Looks at its form only: calls that find their actor pay for no more. */
	readActorId(text: string): string {
		if (!/^[0-9a-z]{30}$/i.test(text)) throw notAnId(text);
		return text.toLowerCase();
	}

	get #label(): number {
		return this.#options.datacenterLabel ?? 1;
	}

	resolverOf(namespace: string): Resolver {
		return this.#options.resolver.within(namespace);
	}

	/** Throws `namespace.not_found`, `datacenter.not_found`, `actor.no_runner_config_configured`, `actor.key_too_large`. */
	async check(query: QueryGateway): Promise<void> {
		await this.#namespaces.get(query.namespace);
		if (query.method === "get") return;
		readKey(serializeKey(query.key));
		if (query.region !== null && query.region !== this.#options.region) {
			throw catalogueError("datacenter.not_found");
		}
		if (!(await this.#isPool(query.namespace, query.pool))) {
			throw catalogueError("actor.no_runner_config_configured", {
				namespace: query.namespace,
				pool_name: query.pool,
			});
		}
	}

	/** Destroys an actor without waiting for its runner (contract: engine 6.7). Throws `actor.not_found`. */
	async destroy(actorId: string): Promise<void> {
		const { store, clock, placement, routeTimeoutMs, destroyElsewhere } = this.#options;
		const deadlineTs = clock.now() + routeTimeoutMs;
		for (let found = false; ; found = true) {
			const record = await store.actorById(actorId);
			if (record === undefined && !found) {
				throw catalogueError("actor.not_found", { identifier: actorId });
			}
			if (record === undefined || record.destroyTs !== null) {
				return;
			}
			if (clock.now() >= deadlineTs) {
				throw catalogueError("guard.actor_ready_timeout", { actor_id: actorId });
			}
			if (await destroyElsewhere(actorId)) continue;
			const isDone = await this.host.destroy(actorId).catch((error: unknown) => {
				if (error instanceof StaleGenerationError) return false;
				throw error;
			});
			if (!isDone) {
				await placement.bury(actorId);
				// One that is on its way in or out is looked at again when it has got there.
				await placement.changed(actorId, deadlineTs).catch(() => {});
			}
		}
	}

	get #acceptsRunner(): ((given: string, namespace: string) => boolean) | undefined {
		const { token } = this.#options;
		return token === undefined
			? undefined
			: (given, namespace) =>
					isSameSecret(given, token) || isSameSecret(given, runnerToken(token, namespace));
	}

	/** A runner has connected to another node: it is not here any more, and older ones leave where their pool says so. */
	runnerMoved(pool: PoolAddress, key: string, version: number | undefined): void {
		this.host.moved(pool, key);
		const drains = this.#pools.get(pool.namespace, pool.pool)?.drainsOnUpgrade ?? false;
		if (drains && version !== undefined) this.host.drainOlder(pool, version);
	}

	/** Whatever waits for a slot is told that there will be none. */
	stopPlacing(): void {
		this.#isClosing = true;
		this.#leftAgain?.stop();
		this.#leftWakes.close();
		this.#serverless.stop();
		this.host.stopPlacing();
	}

	close(): void {
		this.#pools.close();
		this.host.close();
		this.#serverless.close();
	}

	async #start(): Promise<void> {
		await this.#namespaces.ensure(DEFAULT_NAMESPACE, "Default");
		const { directory, placement } = this.#options;
		const { namespace } = directory;
		if (namespace !== DEFAULT_NAMESPACE) {
			await this.#namespaces.ensure(namespace, namespace);
		}
		await this.#pools.start();
		await this.host.resume((actor) => placement.resume(actor));
		// Where others live, what one leaves is theirs, each as it is needed.
		if (this.#options.isAlone) void this.#resumeLeft();
	}

	/** Never rejects. */
	async #resumeLeft(): Promise<void> {
		const { store, clock, logger, placement } = this.#options;
		let isCrowded = false;
		try {
			for (const { name } of await this.#namespaces.all()) {
				const isThere = await resumeLeftActors(name, {
					store,
					clock,
					logger,
					isPlaced: (actorId) => placement.phase(actorId) !== undefined,
					place: (...placed) => this.#leftWakes.begin(...placed),
					isClosing: () => this.#isClosing,
				});
				isCrowded ||= isThere;
			}
		} catch (error) {
			logger.error({ err: error }, "the actors that an engine has left could not be looked after");
		}
		if (isCrowded && !this.#isClosing) {
			this.#leftAgain = clock.after(CROWDED_RETRY_MS, () => void this.#resumeLeft());
		}
	}

	get #publicUrl(): string {
		const { publicUrl, listeningUrl } = this.#options;
		return publicUrl ?? listeningUrl() ?? DEFAULT_ENDPOINT;
	}

	async #isPool(namespace: string, pool: string): Promise<boolean> {
		return (
			this.host.has({ namespace, pool }) || (await this.#pools.find(namespace, pool)) !== undefined
		);
	}

	/** Has a new actor placed, or leaves it asleep where nobody has room (contract: engine 6.3). */
	#place(actor: ActorRecord): void {
		const { isAlone } = this.#options;
		const { actorId, namespace, runnerNameSelector: pool, crashPolicy } = actor;
		const waits = crashPolicy !== "sleep" || this.host.isSupplied({ namespace, pool });
		if (!waits && isAlone && !this.host.hasRoom({ namespace, pool })) {
			this.host.leftAsleep(actorId, { namespace, pool });
			return;
		}
		this.#startSoon(actorId, actor.generation < 0 ? undefined : actor);
	}

	#startSoon(actorId: string, acquired?: ActorRecord): void {
		const { placement, clock, logger, routeTimeoutMs } = this.#options;
		placement
			.ready(actorId, clock.now() + routeTimeoutMs, "key", acquired)
			.catch((error: unknown) => {
				// It goes on waiting, or callers hear of it.
				const isWaiting = isActorError(error) && error.group === "guard";
				if (!isWaiting) logger.warn({ actorId, err: error }, "a new actor could not be started");
			});
	}

	#announced(namespace: string, names: ReadonlyMap<string, { readonly metadata: string }>): void {
		const metadata = new Map([...names].map(([name, one]) => [name, one.metadata]));
		this.#options.announced(Object.fromEntries([...names.keys()].map((name) => [name, {}])));
		this.#names.announce(namespace, metadata).catch((error: unknown) => {
			this.#options.logger.warn({ namespace, err: error }, "names of actors could not be stored");
		});
	}

	#makeApi(): EngineApi {
		const { store, random, errors, token, version, placement, directory } = this.#options;
		return new EngineApi({
			store,
			random,
			errors,
			access: new KvAccess(token, () => false),
			opensCreation: this.#options.opensCreation ?? false,
			namespaces: this.#namespaces,
			pools: this.#pools,
			names: this.#names,
			directoryOf: (namespace) => directory.within(namespace),
			runners: this.runners,
			acceptsRunner: this.#acceptsRunner,
			hasRunners: (namespace, pool) => this.host.has({ namespace, pool }),
			serverless: {
				refresh: (namespace, pool) => this.#serverless.refresh({ namespace, pool }),
				check: (url, headers) => this.#serverless.check(url, headers),
			},
			statusOf: (actor) => placement.statusOf(actor),
			place: (actor) => this.#place(actor),
			destroy: (actorId) => this.destroy(actorId),
			absent: (actorId) => this.absent(actorId),
			version,
			notReady: this.#options.notReady,
			datacenter: {
				name: this.#options.region,
				label: this.#label,
				publicUrl: () => this.#publicUrl,
			},
			metadata: this.#options.metadata,
			metrics: this.#options.metrics,
		});
	}
}
