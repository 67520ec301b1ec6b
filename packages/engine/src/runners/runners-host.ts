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
import { Deferred } from "../placement/deferred.ts";
import { StaleGenerationError, type Store } from "../store/store.ts";
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
	nextCommand: number;
	lastEvent: number;
	acknowledgedEvent: number;
	deadline: Timer | null;
	/** What is done about its events, one after the other. */
	work: Promise<void>;
}

interface Waiting {
	readonly actorId: string;
	readonly pool: string;
	readonly placed: Deferred<RunnerRecord>;
}

/** How many runners, slots and waiting actors there are. */
export interface RunnerStats {
	readonly connected: number;
	/** Without a socket, and not lost yet. */
	readonly disconnected: number;
	readonly draining: number;
	readonly freeSlots: number;
	/** Actors that wait for a slot. */
	readonly waiting: number;
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
	/** Names that runners announce. */
	readonly announced: (names: ReadonlyMap<string, { readonly metadata: string }>) => void;
}

/** Of the events of one incarnation, one acknowledgement for as many (contract: engine 4.6). */
const EVENTS_PER_ACK = 250;

/**
 * The processes that host actors for this engine, as one host (contract: engine 4 to 7): placement asks for an
 * incarnation, the least loaded runner of the actor's pool gets it.
 *
 * - N1. What a runner says counts only from its newest socket, about the newest incarnation it has.
 * - N2. Every write for a runner carries the generation of the incarnation it is for.
 * - N3. A runner that was not heard of for its threshold has lost its actors.
 */
export class RunnersHost implements ActorHost {
	readonly #options: RunnersHostOptions;
	readonly #exchanges: RunnerExchanges;
	readonly #runners = new Map<string, RunnerRecord>();
	readonly #hosted = new Map<string, Hosted>();
	/** In the order they came. */
	readonly #waiting = new Set<Waiting>();
	readonly #failures = new Map<string, { count: number; lastTs: number }>();
	readonly #version: Uint8Array;
	#events: HostEvents | null = null;
	#sweep: Timer | null = null;
	#isClosing = false;

	constructor(options: RunnersHostOptions) {
		this.#options = options;
		this.#version = new TextEncoder().encode(options.version);
		const { random } = options;
		this.#exchanges = new RunnerExchanges(random.bytes(4), () => random.bytes(4));
	}

	attach(events: HostEvents): void {
		this.#events = events;
		this.#sweep = this.#options.clock.after(this.#options.limits.pingIntervalMs, this.#look);
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
		};
	}

	// Towards placement and gateway

	async start(assignment: ActorAssignment, sockets: readonly ActorSocket[]): Promise<void> {
		const { actorId, generation, pool = "default", crashPolicy = "sleep" } = assignment;
		const { store, clock, limits } = this.#options;
		const runner = await this.#runnerFor(pool, actorId);
		try {
			// The incarnation may outlive this process: its generation must, too.
			await store.sync();
		} catch (error) {
			runner.actors.delete(actorId);
			this.#serve();
			throw error;
		}
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
			nextCommand: 0,
			lastEvent: -1,
			acknowledgedEvent: -1,
			deadline: null,
			work: Promise.resolve(),
		};
		hosted.started.promise.catch(() => {});
		this.#hosted.set(actorId, hosted);
		hosted.deadline = clock.after(limits.actorStartThresholdMs, () => {
			this.#options.logger.warn(
				{ actorId, runnerId: runner.runnerId },
				"a runner did not say in time that an actor runs",
			);
			this.#command(hosted, { tag: "CommandStopActor", val: undefined });
			void this.#lost(hosted);
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
			if (error instanceof ActorGone && this.#live(actorId) === hosted) this.#stopSoon(hosted);
			throw error;
		});
	}

	async openSocket(actorId: string, upgrade: ActorUpgrade, socket: ActorSocket): Promise<void> {
		const hosted = this.#live(actorId);
		if (!hosted) throw new ActorGone(actorId);
		await this.#exchanges.openSocket(hosted.runner, actorId, upgrade, socket);
	}

	/** Closes the sockets of all runners; those come back to the next engine. */
	close(): void {
		this.#isClosing = true;
		this.#sweep?.stop();
		for (const waiting of this.#waiting) {
			waiting.placed.reject(catalogueError("guard.service_unavailable"));
		}
		this.#waiting.clear();
		for (const runner of this.#runners.values()) runner.socket?.close(1011, "ws.going_away");
	}

	// Towards runners

	/** The record behind an Init: the one of this key, if it lives, else a new one (contract: engine 4.4). */
	connected(key: string, init: ToServerInit, socket: RunnerSocket): RunnerRecord {
		const { clock, random, limits, logger } = this.#options;
		const now = clock.now();
		let runner = [...this.#runners.values()].find(
			(known) => known.pool === init.name && known.key === key && known.drainTs === null,
		);
		if (runner?.socket) runner.socket.close(1000, "ws.eviction");
		runner ??= new RunnerRecord(newActorId(random), key, init, now);
		this.#runners.set(runner.runnerId, runner);
		runner.socket = socket;
		runner.lastPongTs = now;
		runner.metadata = init.metadata;
		if (init.prepopulateActorNames) this.#options.announced(init.prepopulateActorNames);
		socket.send({
			tag: "ToClientInit",
			val: {
				runnerId: runner.runnerId,
				metadata: {
					runnerLostThreshold: limits.runnerLostThresholdMs,
					actorStopThreshold: limits.actorStopThresholdMs,
					serverlessDrainGracePeriod: undefined,
				},
			},
		});
		if (runner.commands.length > 0) {
			socket.send({ tag: "ToClientCommands", val: runner.commands });
		}
		logger.info(
			{ runnerId: runner.runnerId, pool: runner.pool, version: socket.version },
			"a runner has connected",
		);
		this.#serve();
		return runner;
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
				break;
			case "ToServerKvRequest":
				void this.#kv(runner, socket, message.val);
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
		if (runner.drainTs !== null && runner.actors.size === 0) this.#runners.delete(runner.runnerId);
	}

	async #kv(
		runner: RunnerRecord,
		socket: RunnerSocket,
		{ actorId, requestId, data }: Extract<RunnerToServer, { tag: "ToServerKvRequest" }>["val"],
	): Promise<void> {
		const hosted = this.#hosted.get(actorId);
		const answer =
			hosted?.runner === runner
				? await answerKv(this.#options.store, hosted, this.#version, data)
				: notOwner(actorId);
		if (runner.socket === socket) {
			socket.send({ tag: "ToClientKvResponse", val: { requestId, data: answer } });
		}
	}

	#event(runner: RunnerRecord, { checkpoint, inner }: EventWrapper): void {
		const hosted = this.#hosted.get(checkpoint.actorId);
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
				this.#inTurn(hosted, async () => {
					await this.#commit(hosted, { alarmTs });
					this.#options.alarmCommitted(hosted.actorId, alarmTs);
				});
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
		await this.#commit(hosted, {
			record: { initialised: true, startTs: now, connectableTs: now, sleepTs: null },
		});
		hosted.isRunning = true;
		hosted.started.resolve();
	}

	/** What becomes of an incarnation that is over (contract: engine 6.5). */
	async #ended(hosted: Hosted, error: string | null, isLost: boolean): Promise<void> {
		const { actorId, generation, runner } = hosted;
		if (this.#hosted.get(actorId) !== hosted) return;
		hosted.deadline?.stop();
		const how = isLost ? "lost" : error === null ? "ok" : "error";
		const outcome = outcomeOf(hosted, how);
		if (how === "ok") this.#failures.delete(actorId);
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
		this.#hosted.delete(actorId);
		runner.actors.delete(actorId);
		runner.acknowledged(actorId, generation, Number.MAX_SAFE_INTEGER);
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
		if (outcome === "again") this.#wakeLater(hosted);
		this.#serve();
		const isEmpty = runner.drainTs !== null && runner.actors.size === 0;
		if (isEmpty && runner.socket === null) this.#runners.delete(runner.runnerId);
	}

	#lost(hosted: Hosted): void {
		this.#inTurn(hosted, () => this.#ended(hosted, "its runner was lost", true));
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
		clock.after(pauseMs, () => {
			if (!this.#isClosing) wake(actorId);
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
		hosted.deadline = clock.after(limits.actorStopThresholdMs, () => this.#lost(hosted));
	}

	#drain(runner: RunnerRecord): void {
		runner.drainTs ??= this.#options.clock.now();
		for (const actorId of [...runner.actors]) {
			const hosted = this.#hosted.get(actorId);
			if (!hosted) continue;
			hosted.isLeaving = true;
			this.#stopSoon(hosted);
		}
	}

	/** A slot on a runner of the pool, now or when there is one. */
	async #runnerFor(pool: string, actorId: string): Promise<RunnerRecord> {
		const { clock, limits } = this.#options;
		const free = this.#choose(pool);
		if (free) {
			free.actors.add(actorId);
			return free;
		}
		const waiting: Waiting = { actorId, pool, placed: new Deferred() };
		this.#waiting.add(waiting);
		try {
			return await waiting.placed.within(clock, limits.slotWaitMs, () =>
				catalogueError("guard.actor_ready_timeout", { actor_id: actorId }),
			);
		} finally {
			this.#waiting.delete(waiting);
		}
	}

	/** Gives free slots to those who wait, the longest first. */
	#serve(): void {
		for (const waiting of this.#waiting) {
			const runner = this.#choose(waiting.pool);
			if (!runner) continue;
			this.#waiting.delete(waiting);
			// Taken before the next one is looked for.
			runner.actors.add(waiting.actorId);
			waiting.placed.resolve(runner);
		}
	}

	/** The emptiest of the newest version with a live runner; a full one keeps older ones idle (Q19). */
	#choose(pool: string): RunnerRecord | undefined {
		const { clock, limits } = this.#options;
		const sinceTs = clock.now() - limits.runnerEligibleThresholdMs;
		const live = [...this.#runners.values()].filter(
			(runner) =>
				runner.pool === pool &&
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
			runner.socket?.close(1011, "ws.ping_timeout");
			runner.socket = null;
			this.#runners.delete(runner.runnerId);
			for (const actorId of [...runner.actors]) {
				const hosted = this.#hosted.get(actorId);
				if (hosted) this.#lost(hosted);
			}
		}
		this.#sweep = clock.after(limits.pingIntervalMs, this.#look);
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
		hosted.work = hosted.work.then(work).catch((error: unknown) => {
			const { actorId, runner } = hosted;
			this.#options.logger.error(
				{ actorId, runnerId: runner.runnerId, err: error },
				"what a runner told of an actor could not be worked on",
			);
		});
	}
}

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
