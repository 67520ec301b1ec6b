import {
	type ActorAssignment,
	ActorGone,
	type ActorHost,
	type ActorRequest,
	type ActorResponse,
	type ActorSocket,
	type ActorUpgrade,
	type Clock,
	catalogueError,
	type HostEvents,
	newActorId,
	type Random,
	type StopIntent,
	serializeKey,
	type Timer,
} from "@rivetkit/protocol";
import {
	type ActorCheckpoint,
	type CommandWrapper,
	type EventWrapper,
	type RunnerToServer,
	type ToServerInit,
	UNKNOWN_GENERATION,
} from "@rivetkit/protocol/runner";
import type { EngineLogger } from "../common/logger.ts";
import type { ActorCondition } from "../common/runner-questions.ts";
import { Deferred } from "../placement/deferred.ts";
import type { PoolConfig } from "../pools/pool-config.ts";
import { StaleGenerationError, type Store } from "../store/store.ts";
import { HostedAlarm } from "./hosted-alarm.ts";
import { KvQuota } from "./kv-quota.ts";
import { RunnerExchanges } from "./runner-exchanges.ts";
import { answerKv, notOwner } from "./runner-kv.ts";
import type { RunnerLimits } from "./runner-limits.ts";
import { RunnerRecord, type RunnerSocket } from "./runner-record.ts";

/** How an event may change an incarnation on a runner. */
interface Hosted {
	readonly actorId: string;
	readonly generation: number;
	readonly crashPolicy: string;
	readonly runner: RunnerRecord;
	/** Settles when the runner says that it runs, or that it does not. */
	readonly started: Deferred<void>;
	readonly stopped: Deferred<void>;
	isRunning: boolean;
	/** What the runner asked for, or the engine. */
	intent: StopIntent | null;
	/** Told to stop because its runner goes away. */
	isLeaving: boolean;
	/** Its move away is no failure. */
	resetsFailures: boolean;
	nextCommand: number;
	lastEvent: number;
	acknowledgedEvent: number;
	deadline: Timer | null;
	/** What is done about its events, one after the other. */
	work: Promise<void>;
	/** Its key/value requests, one after the other. */
	kv: Promise<void>;
	readonly quota: KvQuota;
	readonly alarm: HostedAlarm;
}

interface Waiting extends PoolAddress {
	readonly actorId: string;
	readonly sinceTs: number;
	readonly placed: Deferred<RunnerRecord>;
}

/** Names a pool. */
export interface PoolAddress {
	readonly namespace: string;
	readonly pool: string;
}

/** Why an actor does not run, as the API shows it (contract: engine 2.4). */
type ActorFailure =
	| "no_capacity"
	| { readonly runner_pool_error: unknown }
	| { readonly crashed: { readonly message: string | null } }
	| RunnerFailure;

type RunnerFailure = { readonly [K in RunnerFailureKind]?: { readonly runner_id: string } };

type RunnerFailureKind =
	| "runner_no_response"
	| "runner_connection_lost"
	| "runner_draining_timeout";

/** How many runners, slots and waiting actors there are. */
export interface RunnerStats {
	readonly connected: number;
	/** Without a socket, and not lost yet. */
	readonly disconnected: number;
	readonly draining: number;
	readonly freeSlots: number;
	/** Actors that wait for a slot. */
	readonly waiting: number;
	/** Of calls and messages that wait for runners without a socket to come back. */
	readonly tunnelBacklogBytes: number;
}

export interface RunnersHostOptions {
	readonly store: Store;
	readonly clock: Clock;
	readonly random: Random;
	readonly logger: EngineLogger;
	readonly limits: RunnerLimits;
	/** Of the engine, told with each stored value. */
	readonly version: string;
	/** Told after a commit that set or cleared an actor's alarm. */
	readonly alarmCommitted: (actorId: string, alarmTs: number | null) => void;
	/** Starts an actor again whose crash policy wants that. */
	readonly wake: (actorId: string) => void;
	/** A pool has got its first runner, or lost its last one. */
	readonly poolsChanged: () => void;
	/** A runner that this process did not know has connected: nobody else has it any more. */
	readonly came: (pool: PoolAddress, key: string) => void;
	/** Names that runners announce. */
	readonly announced: (
		namespace: string,
		names: ReadonlyMap<string, { readonly metadata: string }>,
	) => void;
	/** How a pool is configured, if it is. */
	readonly poolConfig: (pool: PoolAddress) => PoolConfig | undefined;
	/** A runner of a pool has come that is not configured. */
	readonly poolAppeared: (pool: PoolAddress) => void;
}

/** Who brings runners into a pool when they are wanted. */
export interface RunnerSupply {
	/** The actors that want a slot, or the runners, are others than before. */
	changed(pool: PoolAddress): void;
	/** What goes wrong with it; undefined while nothing does. */
	errorOf(pool: PoolAddress): unknown;
}

/** Of the events of one incarnation, one acknowledgement for as many (contract: engine 4.6). */
const EVENTS_PER_ACK = 250;
/** Actors whose last failure is remembered, and runners that are gone; the oldest is forgotten first. */
const FAILURES_MAX = 10_000;
const GONE_RUNNERS_MAX = 1_000;

/**
 * The processes that host actors for this engine, as one host (contract: engine 4 to 7): placement asks for an
 * incarnation, the least loaded runner of the actor's pool gets it.
 *
 * - N1. What a runner says counts only from its newest socket, about the newest incarnation it has.
 * - N2. Every write for a runner carries the generation of the incarnation it is for.
 * - N3. A runner that was not heard of for its threshold has lost its actors.
 * - N4. An incarnation that may write nothing any more, because its node or a newer one says so, is over here at once,
 *   and its runner is told to stop it.
 */
export class RunnersHost implements ActorHost {
	readonly #options: RunnersHostOptions;
	readonly #exchanges: RunnerExchanges;
	readonly #runners = new Map<string, RunnerRecord>();
	readonly #hosted = new Map<string, Hosted>();
	/** In the order they came. */
	readonly #waiting = new Set<Waiting>();
	readonly #failures = new Map<string, { count: number; lastTs: number }>();
	/** Why actors do not run. */
	readonly #reasons = new Map<string, ActorFailure>();
	/** When actors that crashed are started again. */
	readonly #reschedules = new Map<string, number>();
	readonly #gone: RunnerRecord[] = [];
	/** Actors that wait for a slot without end. */
	readonly #patient = new Set<string>();
	/** Set by who starts runners by requests. */
	supply: RunnerSupply | null = null;
	#pools: readonly PoolAddress[] = [];
	readonly #version: Uint8Array;
	#events: HostEvents | null = null;
	#sweep: Timer | null = null;
	#ackSweep: Timer | null = null;
	#isClosing = false;
	/** How often this node has lost its right to run actors: a start that began before has lost its own. */
	#abandonments = 0;

	constructor(options: RunnersHostOptions) {
		this.#options = options;
		this.#version = new TextEncoder().encode(options.version);
		const { random, clock } = options;
		this.#exchanges = new RunnerExchanges(
			random.bytes(4),
			() => random.bytes(4),
			() => clock.now(),
		);
	}

	attach(events: HostEvents): void {
		this.#events = events;
		const { clock, limits } = this.#options;
		this.#sweep = clock.after(limits.pingIntervalMs, this.#look);
		this.#ackSweep = clock.after(limits.messageAckLookMs, this.#lookAtMessages);
	}

	get stats(): RunnerStats {
		const runners = [...this.#runners.values()];
		const count = (is: (runner: RunnerRecord) => boolean) => runners.filter(is).length;
		const free = runners.filter(({ socket, drainTs }) => socket !== null && drainTs === null);
		return {
			connected: free.length,
			disconnected: count(({ socket, drainTs }) => socket === null && drainTs === null),
			draining: count(({ drainTs }) => drainTs !== null),
			freeSlots: free.reduce((sum, { freeSlots }) => sum + freeSlots, 0),
			waiting: this.#waiting.size,
			tunnelBacklogBytes: runners.reduce((sum, { backlog }) => sum + backlog.bytes, 0),
		};
	}

	// Towards placement and gateway

	async start(assignment: ActorAssignment, sockets: readonly ActorSocket[]): Promise<void> {
		const { actorId, generation, namespace, crashPolicy = "sleep" } = assignment;
		const { clock, limits } = this.#options;
		const pool: PoolAddress = { namespace, pool: assignment.pool ?? "default" };
		const abandonments = this.#abandonments;
		const runner = await this.#takeSlot(pool, actorId);
		if (abandonments !== this.#abandonments) {
			this.#giveBack(runner, actorId);
			throw catalogueError("guard.service_unavailable");
		}
		this.#reasons.delete(actorId);
		this.#reschedules.delete(actorId);
		const hosted: Hosted = {
			actorId,
			generation,
			crashPolicy,
			runner,
			started: new Deferred(),
			stopped: new Deferred(),
			isRunning: false,
			intent: null,
			isLeaving: false,
			resetsFailures: false,
			nextCommand: 0,
			lastEvent: -1,
			acknowledgedEvent: -1,
			deadline: null,
			work: Promise.resolve(),
			kv: Promise.resolve(),
			quota: new KvQuota(this.#options.store, actorId, limits.kvBytesMax),
			alarm: new HostedAlarm({
				clock,
				store: async (alarmTs) => {
					await this.#commit(hosted, { alarmTs });
					this.#options.alarmCommitted(actorId, alarmTs);
				},
				isOver: () => this.#isClosing || this.#hosted.get(actorId) !== hosted,
				failed: (alarmTs, error) =>
					this.#options.logger.error(
						{ actorId, runnerId: runner.runnerId, alarmTs, err: error },
						"an actor's alarm could not be stored; it is tried again until it is",
					),
			}),
		};
		hosted.started.promise.catch(() => {});
		this.#hosted.set(actorId, hosted);
		hosted.deadline = clock.after(limits.actorStartThresholdMs, () => {
			this.#options.logger.warn(
				{ actorId, runnerId: runner.runnerId },
				"a runner did not say in time that an actor runs",
			);
			this.#command(hosted, { tag: "CommandStopActor", val: undefined });
			this.#lost(hosted, "runner_no_response");
		});
		this.#command(hosted, {
			tag: "CommandStartActor",
			val: {
				config: {
					name: assignment.name,
					key: serializeKey(assignment.key),
					createTs: assignment.createTs,
					input: assignment.input ?? undefined,
				},
				hibernatingRequests: RunnerExchanges.idsOf(sockets),
			},
		});
		await hosted.started.promise;
		this.#exchanges.resume(runner, actorId, sockets);
	}

	async stop(actorId: string, intent: StopIntent): Promise<void> {
		const hosted = this.#hosted.get(actorId);
		if (!hosted) return;
		if (hosted.intent !== "destroy") hosted.intent = intent;
		this.#stopSoon(hosted);
		await hosted.stopped.promise;
	}

	request(actorId: string, request: ActorRequest): Promise<ActorResponse> {
		const hosted = this.#live(actorId);
		if (!hosted) return Promise.reject(new ActorGone(actorId));
		return this.#exchanges.request(hosted.runner, actorId, request).catch((error: unknown) => {
			// Its runner does not have it, and does not say why: it is asked to end it (Q12).
			if (error instanceof ActorGone && this.#live(actorId) === hosted) {
				// Not by its own wish: a clean end is no destruction.
				hosted.intent ??= "sleep";
				this.#stopSoon(hosted);
			}
			throw error;
		});
	}

	async openSocket(actorId: string, upgrade: ActorUpgrade, socket: ActorSocket): Promise<void> {
		const hosted = this.#live(actorId);
		if (!hosted) throw new ActorGone(actorId);
		await this.#exchanges.openSocket(hosted.runner, actorId, upgrade, socket);
	}

	abandon(): void {
		this.#abandonments++;
		this.#refuseWaiting();
		for (const hosted of [...this.#hosted.values()]) {
			this.#fence(hosted, "its node may not run it any more");
		}
	}

	/** Gives no more slots: those who wait are told. */
	stopPlacing(): void {
		this.#isClosing = true;
		this.#refuseWaiting();
	}

	#refuseWaiting(): void {
		for (const waiting of [...this.#waiting]) {
			waiting.placed.reject(catalogueError("guard.service_unavailable"));
		}
	}

	/** Closes the sockets of all runners; those come back to the next engine. */
	close(): void {
		this.stopPlacing();
		this.#sweep?.stop();
		this.#ackSweep?.stop();
		for (const runner of this.#runners.values()) runner.socket?.close(1011, "ws.going_away");
	}

	// Towards runners

	/** The record behind an Init: the one of this key, if it lives, else a new one (contract: engine 4.4). */
	connected(
		{ namespace, key }: { readonly namespace: string; readonly key: string },
		init: ToServerInit,
		socket: RunnerSocket,
	): RunnerRecord {
		const { clock, random, limits, logger } = this.#options;
		const now = clock.now();
		const pool: PoolAddress = { namespace, pool: init.name };
		let runner = [...this.#runners.values()].find(
			(known) => isOf(known, pool) && known.key === key && known.drainTs === null,
		);
		if (runner?.socket) runner.socket.close(1000, "ws.eviction");
		const isNew = runner === undefined;
		if (isNew) this.#options.came(pool, key);
		runner ??= new RunnerRecord(
			{ runnerId: newActorId(random), namespace, key },
			init,
			now,
			limits,
		);
		this.#runners.set(runner.runnerId, runner);
		this.#countPools();
		runner.socket = socket;
		runner.lastPongTs = now;
		runner.lastConnectedTs = now;
		runner.metadata = init.metadata;
		if (init.prepopulateActorNames) {
			this.#options.announced(namespace, init.prepopulateActorNames);
		}
		const config = this.#options.poolConfig(pool);
		if (config === undefined) this.#options.poolAppeared(pool);
		socket.send({
			tag: "ToClientInit",
			val: {
				runnerId: runner.runnerId,
				metadata: {
					runnerLostThreshold: limits.runnerLostThresholdMs,
					actorStopThreshold: limits.actorStopThresholdMs,
					serverlessDrainGracePeriod: config?.kind === "serverless" ? config.graceMs : undefined,
				},
			},
		});
		if (runner.commands.length > 0) {
			socket.send({ tag: "ToClientCommands", val: runner.commands });
		}
		runner.sendBacklog();
		logger.info(
			{ runnerId: runner.runnerId, pool: runner.pool, version: socket.version },
			"a runner has connected",
		);
		if (isNew && config?.drainsOnUpgrade) this.drainOlder(pool, init.version);
		this.#serve();
		this.supply?.changed(pool);
		return runner;
	}

	/** A newer version is there: runners of older ones give their actors away (contract: engine 7.4). */
	drainOlder(pool: PoolAddress, version: number): void {
		for (const runner of [...this.#runners.values()]) {
			if (isOf(runner, pool) && runner.version < version) this.dismiss(runner.runnerId);
		}
	}

	/**
	 * Sends a runner away: it takes no actors any more, gives away those it has, and is over when it is empty, or
	 * when they have had their time to stop (contract: engine 4.13, Q16).
	 *
	 * @param resetsFailures - their moves do not count as crashes, and neither do those before
	 */
	dismiss(runnerId: string, resetsFailures = false): void {
		const runner = this.#runners.get(runnerId);
		if (!runner) return;
		runner.isDismissed = true;
		this.#drain(runner, resetsFailures);
		this.#endDismissed(runner);
	}

	/** The runner is over now, whatever it still has. */
	evict(runnerId: string): void {
		const runner = this.#runners.get(runnerId);
		if (runner) this.#remove(runner, "ws.eviction", "runner_draining_timeout");
	}

	// Towards the API and those who supply runners

	/** Runners, those that are gone included, as far as they are remembered. */
	list(namespace: string): RunnerRecord[] {
		return [...this.#gone, ...this.#runners.values()].filter(
			(runner) => runner.namespace === namespace,
		);
	}

	runner(runnerId: string): RunnerRecord | undefined {
		return this.#runners.get(runnerId);
	}

	/** Pools with runners that take actors, though perhaps not now. */
	get pools(): readonly PoolAddress[] {
		return this.#pools;
	}

	/** To be called when runners have come or gone. */
	#countPools(): void {
		const before = this.#pools;
		const pools: PoolAddress[] = [];
		for (const runner of this.#runners.values()) {
			if (runner.drainTs === null && !pools.some((pool) => isOf(runner, pool))) {
				pools.push({ namespace: runner.namespace, pool: runner.pool });
			}
		}
		this.#pools = pools;
		const isKnown = (pool: PoolAddress) =>
			before.some((one) => one.namespace === pool.namespace && one.pool === pool.pool);
		if (pools.length !== before.length || !pools.every(isKnown)) this.#options.poolsChanged();
	}

	/** The runner has connected to another node: its actors go on there, or wherever there is room. */
	moved(pool: PoolAddress, key: string): void {
		for (const runner of [...this.#runners.values()]) {
			if (isOf(runner, pool) && runner.key === key) this.#remove(runner, "ws.eviction");
		}
	}

	/** Whether a runner of the pool is connected that takes actors. */
	has(pool: PoolAddress): boolean {
		return [...this.#runners.values()].some(
			(runner) => isOf(runner, pool) && runner.drainTs === null && runner.socket !== null,
		);
	}

	/** Whether an actor of the pool would be placed at once. */
	hasRoom(pool: PoolAddress): boolean {
		return this.#choose(pool) !== undefined;
	}

	/** Actors that are placed or wait (contract: engine 5.5). */
	slotsWanted(pool: PoolAddress): number {
		let slots = 0;
		for (const runner of this.#runners.values()) {
			if (isOf(runner, pool)) slots += runner.actors.size;
		}
		for (const waiting of this.#waiting) {
			if (isOf(waiting, pool)) slots++;
		}
		return slots;
	}

	/** What the API shows of an actor beside its record (contract: engine 2.4). */
	conditionOf(actorId: string): ActorCondition {
		const waiting = [...this.#waiting].find((one) => one.actorId === actorId);
		return {
			pendingAllocationTs: waiting?.sinceTs ?? null,
			rescheduleTs: this.#reschedules.get(actorId) ?? null,
			error: this.#reasons.get(actorId) ?? (waiting ? this.#noCapacity(waiting) : null),
		};
	}

	/** What callers of an actor that waits for a slot need not wait for (contract: engine 3.6). */
	obstacleOf(actorId: string): unknown {
		const waiting = [...this.#waiting].find((one) => one.actorId === actorId);
		const isFailing = waiting !== undefined && this.supply?.errorOf(waiting) !== undefined;
		return isFailing
			? catalogueError("guard.actor_runner_failed", { actor_id: actorId })
			: undefined;
	}

	/** If the actor has to wait for a slot, then without end (contract: engine 6.3). */
	waitsWithoutEnd(actorId: string): void {
		this.#patient.add(actorId);
	}

	/** From its next start on, it waits as others do. */
	waitsAsOthers(actorId: string): void {
		this.#patient.delete(actorId);
	}

	/** An actor is left asleep because nobody has room for it. */
	leftAsleep(actorId: string, pool: PoolAddress): void {
		this.#note(actorId, this.#noCapacity(pool));
	}

	/**
	 * Destroys the incarnation that is here, without waiting for its runner (contract: engine 6.7). False when there
	 * is none that could be.
	 */
	async destroy(actorId: string): Promise<boolean> {
		this.#reschedules.delete(actorId);
		this.#failures.delete(actorId);
		this.#reasons.delete(actorId);
		this.#patient.delete(actorId);
		for (const waiting of [...this.#waiting]) {
			if (waiting.actorId === actorId) {
				waiting.placed.reject(catalogueError("actor.not_found", { identifier: actorId }));
			}
		}
		const hosted = this.#hosted.get(actorId);
		if (!hosted) return false;
		const { generation } = hosted;
		await this.#commit(hosted, { alarmTs: null, destroyTs: this.#options.clock.now() });
		if (this.#hosted.get(actorId) !== hosted) return true;
		hosted.intent = "destroy";
		if (hosted.nextCommand <= 1) {
			this.#command(hosted, { tag: "CommandStopActor", val: undefined });
		}
		this.#forget(hosted, false, "destroyed", null);
		// The stop command stays due until the runner says that it is done.
		this.#options.logger.info({ actorId, generation }, "an actor was destroyed while it ran");
		return true;
	}

	/** A message of the runner's newest socket. */
	received(runner: RunnerRecord, socket: RunnerSocket, message: RunnerToServer): void {
		if (runner.socket !== socket) return;
		switch (message.tag) {
			case "ToServerInit":
				break;
			case "ToServerEvents":
				for (const event of message.val) this.#event(runner, event);
				break;
			case "ToServerAckCommands":
				for (const { actorId, generation, index } of message.val.lastCommandCheckpoints) {
					const of = generation === UNKNOWN_GENERATION ? this.#generationOf(actorId) : generation;
					runner.acknowledged(actorId, of, index);
				}
				break;
			case "ToServerStopping":
				this.#drain(runner);
				break;
			case "ToServerPong":
				runner.lastPongTs = this.#options.clock.now();
				runner.lastRttMs = Math.max(0, runner.lastPongTs - message.val.ts);
				break;
			case "ToServerKvRequest":
				this.#kv(runner, socket, message.val);
				break;
			case "ToServerTunnelMessage":
				this.#exchanges.received(runner, message.val.messageId, message.val.messageKind);
				break;
			default:
				message satisfies never;
		}
	}

	disconnected(runner: RunnerRecord, socket: RunnerSocket): void {
		if (runner.socket !== socket) return;
		runner.socket = null;
		if (runner.drainTs !== null && runner.actors.size === 0) this.#remove(runner, null);
		this.supply?.changed(runner);
	}

	/** Those of one actor are done in the order in which they came (contract: engine 4.8). */
	#kv(
		runner: RunnerRecord,
		socket: RunnerSocket,
		{ actorId, requestId, data }: Extract<RunnerToServer, { tag: "ToServerKvRequest" }>["val"],
	): void {
		const hosted = this.#hosted.get(actorId);
		const respond = (answer: Awaited<ReturnType<typeof answerKv>>): void => {
			if (runner.socket === socket) {
				socket.send({ tag: "ToClientKvResponse", val: { requestId, data: answer } });
			}
		};
		if (hosted?.runner !== runner) {
			respond(notOwner(actorId));
			return;
		}
		const work = async () => {
			// What is written after the runner has set an alarm is not known without it.
			await hosted.alarm.safe;
			if (this.#hosted.get(actorId) !== hosted) {
				respond(notOwner(actorId));
				return;
			}
			try {
				respond(await answerKv(this.#options.store, hosted, this.#version, data));
			} catch (error) {
				respond(notOwner(actorId));
				throw error;
			}
		};
		hosted.kv = hosted.kv.then(work).catch((error: unknown) => this.#workFailed(hosted, error));
	}

	#event(runner: RunnerRecord, { checkpoint, inner }: EventWrapper): void {
		const hosted = this.#hosted.get(checkpoint.actorId);
		if (isEnd(inner) && hosted?.generation !== checkpoint.generation) {
			// Of an incarnation that was given up, or whose actor was destroyed meanwhile.
			runner.acknowledged(checkpoint.actorId, checkpoint.generation, Number.MAX_SAFE_INTEGER);
		}
		const counts =
			hosted?.runner === runner &&
			hosted.generation === checkpoint.generation &&
			checkpoint.index > hosted.lastEvent;
		if (!counts) return;
		hosted.lastEvent = checkpoint.index;
		this.#acknowledgeEvents(hosted);
		switch (inner.tag) {
			case "EventActorIntent": {
				if (hosted.intent !== null) break;
				hosted.intent = inner.val.intent.tag === "ActorIntentSleep" ? "sleep" : "destroy";
				this.#stopSoon(hosted);
				break;
			}
			case "EventActorSetAlarm": {
				const alarmTs = inner.val.alarmTs ?? null;
				if (hosted.alarm.set(alarmTs)) this.#inTurn(hosted, () => hosted.alarm.store());
				break;
			}
			case "EventActorStateUpdate": {
				const { state } = inner.val;
				if (state.tag === "ActorStateRunning") this.#inTurn(hosted, () => this.#running(hosted));
				else {
					const { code, message } = state.val;
					const error = code === "Ok" ? null : (message ?? "the actor has stopped with an error");
					this.#inTurn(hosted, () => this.#ended(hosted, error, false));
				}
				break;
			}
			default:
				inner satisfies never;
		}
	}

	async #running(hosted: Hosted): Promise<void> {
		if (hosted.isRunning) return;
		hosted.deadline?.stop();
		hosted.runner.acknowledged(hosted.actorId, hosted.generation, 0);
		const now = this.#options.clock.now();
		try {
			await this.#commit(hosted, {
				record: { initialised: true, startTs: now, connectableTs: now, sleepTs: null },
			});
		} catch (error) {
			// Its start would be waited for without a bound.
			this.#command(hosted, { tag: "CommandStopActor", val: undefined });
			this.#lost(hosted, "runner_no_response");
			throw error;
		}
		hosted.isRunning = true;
		hosted.started.resolve();
	}

	/** What becomes of an incarnation that is over (contract: engine 6.5). */
	async #ended(hosted: Hosted, error: string | null, isLost: boolean): Promise<void> {
		const { actorId } = hosted;
		if (this.#hosted.get(actorId) !== hosted) return;
		hosted.deadline?.stop();
		const how = isLost ? "lost" : error === null ? "ok" : "error";
		const outcome = outcomeOf(hosted, how);
		if (how === "ok" || hosted.resetsFailures) this.#failures.delete(actorId);
		if (how === "error") this.#note(actorId, { crashed: { message: error } });
		try {
			if (outcome === "destroyed") {
				await this.#commit(hosted, { alarmTs: null, destroyTs: this.#options.clock.now() });
			} else {
				const now = this.#options.clock.now();
				await this.#commit(hosted, { record: { sleepTs: now, connectableTs: null } });
			}
		} catch (failure) {
			if (!(failure instanceof StaleGenerationError)) {
				this.#options.logger.error({ actorId, err: failure }, "the end of an actor was not stored");
			}
		}
		if (this.#hosted.get(actorId) !== hosted) return;
		hosted.runner.acknowledged(actorId, hosted.generation, Number.MAX_SAFE_INTEGER);
		this.#forget(hosted, isLost, outcome, error);
	}

	/** The incarnation may write nothing any more: nobody waits for its runner, which is told to stop it (N4). */
	#fence(hosted: Hosted, reason: string): void {
		const { actorId, generation, runner, crashPolicy } = hosted;
		if (this.#hosted.get(actorId) !== hosted) return;
		this.#options.logger.warn(
			{ actorId, generation, runnerId: runner.runnerId, reason },
			"an actor on a runner is given up",
		);
		if (hosted.nextCommand <= 1) {
			this.#command(hosted, { tag: "CommandStopActor", val: undefined });
		}
		this.#forget(hosted, true, crashPolicy === "restart" ? "again" : "sleeping", reason);
	}

	/** The incarnation is over for everybody here. */
	#forget(hosted: Hosted, isLost: boolean, outcome: Outcome, error: string | null): void {
		const { actorId, generation, runner } = hosted;
		hosted.deadline?.stop();
		this.#hosted.delete(actorId);
		runner.actors.delete(actorId);
		this.#exchanges.actorEnded(actorId, isLost);
		if (hosted.isRunning) {
			this.#events?.stopped(actorId, generation, outcome === "destroyed" ? "destroy" : "sleep");
		} else {
			hosted.started.reject(
				outcome === "destroyed"
					? catalogueError("actor.not_found", { identifier: actorId })
					: new Error(error ?? "the actor has stopped before it ran"),
			);
		}
		hosted.stopped.resolve();
		if (outcome === "destroyed") this.#reasons.delete(actorId);
		if (outcome === "again") this.#wakeLater(hosted);
		this.#serve();
		const isEmpty = runner.drainTs !== null && runner.actors.size === 0;
		if (isEmpty && runner.socket === null) this.#remove(runner, null);
		else this.#endDismissed(runner);
		this.supply?.changed(runner);
	}

	#lost(hosted: Hosted, why: RunnerFailureKind): void {
		this.#note(hosted.actorId, { [why]: { runner_id: hosted.runner.runnerId } });
		this.#inTurn(hosted, () => this.#ended(hosted, "its runner was lost", true));
	}

	/** What happened to a runner is not covered up by what follows from it (contract: engine 2.4). */
	#note(actorId: string, failure: ActorFailure): void {
		const known = this.#reasons.get(actorId);
		if (isRunnerFailure(known) && !isRunnerFailure(failure)) return;
		this.#reasons.delete(actorId);
		this.#reasons.set(actorId, failure);
		if (this.#reasons.size > FAILURES_MAX) {
			this.#reasons.delete(this.#reasons.keys().next().value!);
		}
	}

	#noCapacity(pool: PoolAddress): ActorFailure {
		const error = this.supply?.errorOf(pool);
		return error === undefined ? "no_capacity" : { runner_pool_error: error };
	}

	/** Crash policy `restart`: at once the first time, then with growing pauses (contract: engine 6.6). */
	#wakeLater({ actorId }: Hosted): void {
		const { clock, random, limits, wake } = this.#options;
		const now = clock.now();
		const known = this.#failures.get(actorId);
		const isFresh = known === undefined || now - known.lastTs > limits.retryResetMs;
		const count = isFresh ? 0 : known.count + 1;
		this.#failures.set(actorId, { count, lastTs: now });
		const exponent = Math.min(count - 1, limits.backoffExponentMax);
		const pauseMs =
			count === 0 ? 0 : limits.retryBaseMs * 2 ** exponent + Math.floor(random.fraction() * 500);
		if (pauseMs > 0) this.#reschedules.set(actorId, now + pauseMs);
		clock.after(pauseMs, () => {
			const isDue = pauseMs === 0 || this.#reschedules.delete(actorId);
			if (isDue && !this.#isClosing) wake(actorId);
		});
	}

	/** The actor goes away: no more calls, and its runner is told. */
	#stopSoon(hosted: Hosted): void {
		if (hosted.isRunning) {
			this.#events?.stopping(hosted.actorId, hosted.generation, hosted.intent ?? "sleep");
		}
		if (hosted.nextCommand > 1) return;
		this.#command(hosted, { tag: "CommandStopActor", val: undefined });
		const { clock, limits } = this.#options;
		hosted.deadline?.stop();
		hosted.deadline = clock.after(limits.actorStopThresholdMs, () => {
			this.#lost(hosted, hosted.isLeaving ? "runner_draining_timeout" : "runner_no_response");
		});
	}

	#drain(runner: RunnerRecord, resetsFailures = false): void {
		const { clock, limits } = this.#options;
		if (runner.drainTs === null) {
			runner.drainTs = clock.now();
			clock.after(limits.actorStopThresholdMs, () => this.evict(runner.runnerId));
			this.#countPools();
		}
		for (const actorId of [...runner.actors]) {
			const hosted = this.#hostedOn(runner, actorId);
			if (!hosted) continue;
			hosted.isLeaving = true;
			hosted.resetsFailures ||= resetsFailures;
			this.#stopSoon(hosted);
		}
		this.supply?.changed(runner);
	}

	#endDismissed(runner: RunnerRecord): void {
		if (runner.isDismissed && runner.actors.size === 0) this.#remove(runner, "ws.eviction");
	}

	/** The runner is no more, and what it still has is lost. */
	#remove(
		runner: RunnerRecord,
		closeReason: "ws.eviction" | "ws.ping_timeout" | null,
		why: RunnerFailureKind = "runner_connection_lost",
	): void {
		if (!this.#runners.delete(runner.runnerId)) return;
		const { socket } = runner;
		runner.socket = null;
		runner.stopTs = this.#options.clock.now();
		runner.commands = [];
		this.#countPools();
		this.#gone.push(runner);
		if (this.#gone.length > GONE_RUNNERS_MAX) this.#gone.shift();
		for (const actorId of [...runner.actors]) {
			const hosted = this.#hostedOn(runner, actorId);
			if (hosted) this.#lost(hosted, why);
		}
		if (closeReason !== null) {
			socket?.close(closeReason === "ws.eviction" ? 1000 : 1011, closeReason);
		}
		this.supply?.changed(runner);
	}

	/** A slot on a runner that is still there when the generation is durable. */
	async #takeSlot(pool: PoolAddress, actorId: string): Promise<RunnerRecord> {
		for (;;) {
			const runner = await this.#runnerFor(pool, actorId);
			try {
				// The incarnation may outlive this process: its generation must, too.
				await this.#options.store.sync();
			} catch (error) {
				this.#giveBack(runner, actorId);
				throw error;
			}
			if (runner.drainTs === null && runner.stopTs === null) return runner;
			this.#giveBack(runner, actorId);
		}
	}

	#giveBack(runner: RunnerRecord, actorId: string): void {
		runner.actors.delete(actorId);
		this.#endDismissed(runner);
		this.#serve();
		this.supply?.changed(runner);
	}

	/** A slot on a runner of the pool, now or when there is one. */
	async #runnerFor(pool: PoolAddress, actorId: string): Promise<RunnerRecord> {
		const { clock, limits } = this.#options;
		const free = this.#choose(pool);
		if (free) {
			free.actors.add(actorId);
			this.supply?.changed(pool);
			return free;
		}
		if (this.#isClosing) throw catalogueError("guard.service_unavailable");
		const waiting: Waiting = {
			...pool,
			actorId,
			sinceTs: clock.now(),
			placed: new Deferred(),
		};
		this.#waiting.add(waiting);
		this.supply?.changed(pool);
		try {
			if (this.#patient.has(actorId)) return await waiting.placed.promise;
			return await waiting.placed.within(clock, limits.slotWaitMs, () => {
				this.#note(actorId, this.#noCapacity(pool));
				return catalogueError("guard.actor_ready_timeout", { actor_id: actorId });
			});
		} finally {
			this.#waiting.delete(waiting);
			this.#patient.delete(actorId);
			this.supply?.changed(pool);
		}
	}

	/** Gives free slots to those who wait, the longest first. */
	#serve(): void {
		for (const waiting of this.#waiting) {
			const runner = this.#choose(waiting);
			if (!runner) continue;
			this.#waiting.delete(waiting);
			// Taken before the next one is looked for.
			runner.actors.add(waiting.actorId);
			waiting.placed.resolve(runner);
		}
	}

	/** The emptiest of the newest version with a live runner; a full one keeps older ones idle (Q19). */
	#choose(pool: PoolAddress): RunnerRecord | undefined {
		const { clock, limits } = this.#options;
		const sinceTs = clock.now() - limits.runnerEligibleThresholdMs;
		const live = [...this.#runners.values()].filter(
			(runner) =>
				isOf(runner, pool) &&
				runner.socket !== null &&
				runner.drainTs === null &&
				runner.lastPongTs >= sinceTs,
		);
		const newest = Math.max(...live.map(({ version }) => version));
		const [best] = live
			.filter(({ version, freeSlots }) => version === newest && freeSlots > 0)
			.sort((a, b) => b.freeSlots / b.totalSlots - a.freeSlots / a.totalSlots);
		return best;
	}

	readonly #look = (): void => {
		const { clock, limits, logger } = this.#options;
		const now = clock.now();
		for (const runner of [...this.#runners.values()]) {
			if (now - runner.lastPongTs <= limits.runnerLostThresholdMs) {
				runner.socket?.send({ tag: "ToClientPing", val: { ts: now } });
				continue;
			}
			logger.warn(
				{ runnerId: runner.runnerId, actors: runner.actors.size },
				"a runner was lost, and its actors with it",
			);
			this.#remove(runner, "ws.ping_timeout");
		}
		this.#sweep = clock.after(limits.pingIntervalMs, this.#look);
	};

	readonly #lookAtMessages = (): void => {
		const { clock, limits } = this.#options;
		this.#exchanges.closeOverdue(clock.now() - limits.messageAckTimeoutMs);
		this.#ackSweep = clock.after(limits.messageAckLookMs, this.#lookAtMessages);
	};

	#command(hosted: Hosted, inner: CommandWrapper["inner"]): void {
		const { actorId, generation, runner } = hosted;
		const checkpoint: ActorCheckpoint = { actorId, generation, index: hosted.nextCommand++ };
		runner.command({ checkpoint, inner });
	}

	#acknowledgeEvents(hosted: Hosted): void {
		const { actorId, generation, lastEvent } = hosted;
		if (lastEvent - hosted.acknowledgedEvent <= EVENTS_PER_ACK) return;
		hosted.acknowledgedEvent = lastEvent;
		hosted.runner.socket?.send({
			tag: "ToClientAckEvents",
			val: { lastEventCheckpoints: [{ actorId, generation, index: lastEvent }] },
		});
	}

	/** A slot that is taken for a start may be one of an actor that another runner has as yet. */
	#hostedOn(runner: RunnerRecord, actorId: string): Hosted | undefined {
		const hosted = this.#hosted.get(actorId);
		return hosted?.runner === runner ? hosted : undefined;
	}

	#live(actorId: string): Hosted | undefined {
		const hosted = this.#hosted.get(actorId);
		return hosted?.isRunning ? hosted : undefined;
	}

	#generationOf(actorId: string): number {
		return this.#hosted.get(actorId)?.generation ?? UNKNOWN_GENERATION;
	}

	#commit(
		{ actorId, generation }: Hosted,
		batch: Omit<Parameters<Store["commit"]>[0], "actorId" | "generation" | "ops">,
	): Promise<void> {
		return this.#options.store.commit({ actorId, generation, ops: [], ...batch });
	}

	#inTurn(hosted: Hosted, work: () => Promise<void>): void {
		hosted.work = hosted.work.then(work).catch((error: unknown) => this.#workFailed(hosted, error));
	}

	#workFailed(hosted: Hosted, error: unknown): void {
		if (error instanceof StaleGenerationError) {
			this.#fence(hosted, error.message);
			return;
		}
		const { actorId, runner } = hosted;
		this.#options.logger.error(
			{ actorId, runnerId: runner.runnerId, err: error },
			"what a runner told of an actor could not be worked on",
		);
	}
}

function isEnd(event: EventWrapper["inner"]): boolean {
	return event.tag === "EventActorStateUpdate" && event.val.state.tag === "ActorStateStopped";
}

function isOf(one: PoolAddress, { namespace, pool }: PoolAddress): boolean {
	return one.pool === pool && one.namespace === namespace;
}

function isRunnerFailure(failure: ActorFailure | undefined): failure is RunnerFailure {
	return (
		typeof failure === "object" && Object.keys(failure).some((key) => RUNNER_FAILURES.has(key))
	);
}

const RUNNER_FAILURES: ReadonlySet<string> = new Set<RunnerFailureKind>([
	"runner_no_response",
	"runner_connection_lost",
	"runner_draining_timeout",
]);

type Outcome = "sleeping" | "destroyed" | "again";

/** The table of engine 6.5, with Q18: who leaves with its runner does not die of it. */
function outcomeOf(
	{ intent, isLeaving, crashPolicy }: Pick<Hosted, "intent" | "isLeaving" | "crashPolicy">,
	how: "ok" | "error" | "lost",
): Outcome {
	if (intent === "sleep" && how === "ok") return "sleeping";
	if (intent === "destroy" && how === "ok") return "destroyed";
	if (isLeaving) return crashPolicy === "restart" ? "again" : "sleeping";
	if (how === "ok") return "destroyed";
	if (intent === "destroy") return "destroyed";
	switch (crashPolicy) {
		case "restart":
			return "again";
		case "destroy":
			return "destroyed";
		default:
			return "sleeping";
	}
}
