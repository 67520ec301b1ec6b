import {
	type ActorAssignment,
	ActorDeclined,
	ActorGone,
	type ActorHost,
	type ActorRequest,
	type ActorResponse,
	type ActorSocket,
	type ActorUpgrade,
	catalogueError,
	type HostEvents,
	isActorError,
	type Random,
	type StopIntent,
	type Timer,
} from "@rivetkit/protocol";
import type { RunnerToServer, ToServerInit } from "@rivetkit/protocol/runner";
import type { PoolRoom, PoolState, PoolsElsewhere } from "../common/pool-state.ts";
import type { ActorCondition } from "../common/runner-questions.ts";
import { StartRefused } from "../placement/start-refused.ts";
import type { ActorRecord, Store } from "../store/store.ts";
import { type ActorFailure, FailureNotes } from "./failure-notes.ts";
import type { PoolAddress } from "./pool-address.ts";
import { Restarts, type RestartsOptions } from "./restarts.ts";
import { isRepeatable, RunnerExchanges } from "./runner-exchanges.ts";
import { RunnerFleet, type RunnerFleetOptions } from "./runner-fleet.ts";
import { RunnerIncarnations } from "./runner-incarnations.ts";
import type { RunnerLedger } from "./runner-ledger.ts";
import type { ConnectingRunner, RunnerRecord, RunnerSocket, Slot } from "./runner-record.ts";
import { RunnerRoster } from "./runner-roster.ts";
import { SlotQueue } from "./slot-queue.ts";
import { turnsAway } from "./turned-away.ts";

/**
 * Calls that a runner aborts, without a word of their actor in between, until it is taken not to have that actor: one
 * abort says nothing of the others (contract: engine 3.7, Q12).
 */
const ABORTS_IN_A_ROW_MAX = 5;

/** How many runners, slots and waiting actors there are. */
export interface RunnerStats {
	readonly connected: number;
	/** Without a socket, and not lost yet. */
	readonly disconnected: number;
	readonly draining: number;
	readonly freeSlots: number;
	/** Actors that wait for a slot. */
	readonly waiting: number;
	/** Of calls, messages and closes that wait for runners without a socket to come back. */
	readonly tunnelBacklogBytes: number;
}

export interface RunnersHostOptions
	extends Pick<
		RunnerFleetOptions,
		"clock" | "newId" | "logger" | "limits" | "came" | "announced" | "poolConfig" | "poolAppeared"
	> {
	readonly store: Store;
	/** Undefined where nothing is kept of runners: other nodes take over what a gone one had. */
	readonly ledger: RunnerLedger | undefined;
	readonly random: Random;
	/** How long a runner may leave the offer of a socket unanswered (ms). */
	readonly webSocketOpenTimeoutMs: number;
	/** Of the engine, told with each stored value. */
	readonly version: string;
	/** Told after a commit that set or cleared an actor's alarm. */
	readonly alarmCommitted: (actorId: string, alarmTs: number | null) => void;
	/** Starts an actor again whose crash policy wants that, or for which somebody waits. */
	readonly wake: RestartsOptions["wake"];
	/** Whether somebody waits for the end of an incarnation, to go on with the next one. */
	readonly isAwaited: (actorId: string) => boolean;
	/** An actor is to be started again, but not before this time. */
	readonly paused: RestartsOptions["paused"];
	/** A pool has got its first runner, or lost its last one. */
	readonly poolsChanged: () => void;
	/** What there is for the next actor of some pool may be something else now. */
	readonly roomChanged: () => void;
	/** Undefined where there are no other nodes. */
	readonly elsewhere: PoolsElsewhere | undefined;
}

/** Who brings runners into a pool when they are wanted. */
export interface RunnerSupply {
	/** The actors that want a slot, or the runners, are others than before. */
	changed(pool: PoolAddress): void;
	/** What goes wrong with it; undefined while nothing does. */
	errorOf(pool: PoolAddress): unknown;
}

/**
 * The processes that host actors for this engine, as one host (contract: engine 4 to 7): placement asks for an
 * incarnation, the least loaded runner of the actor's pool gets it.
 *
 * What holds is said by its parts: {@link RunnerFleet}, {@link RunnerIncarnations}, {@link SlotQueue}, {@link RunnerExchanges}.
 */
export class RunnersHost implements ActorHost {
	readonly #options: RunnersHostOptions;
	readonly #exchanges: RunnerExchanges;
	readonly #roster: RunnerRoster;
	readonly #slots: SlotQueue;
	readonly #notes: FailureNotes;
	readonly #restarts: Restarts;
	readonly #incarnations: RunnerIncarnations;
	readonly #fleet: RunnerFleet;
	/** Set by who starts runners by requests. */
	supply: RunnerSupply | null = null;
	#events: HostEvents | null = null;
	#ackSweep: Timer | null = null;
	#isClosing = false;
	/** How often this node has lost its right to run actors: a start that began before has lost its own. */
	#abandonments = 0;

	constructor(options: RunnersHostOptions) {
		this.#options = options;
		const { random, clock, limits } = options;
		this.#exchanges = new RunnerExchanges(
			random.bytes(4),
			() => random.bytes(4),
			clock,
			options.webSocketOpenTimeoutMs,
		);
		this.#notes = new FailureNotes(clock);
		this.#roster = new RunnerRoster(options);
		this.#slots = new SlotQueue({
			clock,
			waitMs: limits.slotWaitMs,
			choose: (pool) => this.#roster.choose(pool),
			hasRoomElsewhere: (pool) => this.#hasRoomElsewhere(pool),
			changed: this.#changed,
			late: (actorId, pool) => this.leftAsleep(actorId, pool),
		});
		const expectations = {
			expected: (actorId: string, { namespace, pool }: PoolAddress) => {
				if (!this.#roster.hasSlotOf(actorId)) this.#slots.expect(actorId, { namespace, pool });
			},
			settled: (actorId: string) => this.#slots.expectNoMore(actorId),
		};
		this.#restarts = new Restarts({ ...options, ...expectations });
		this.#incarnations = new RunnerIncarnations({
			...options,
			...expectations,
			exchanges: this.#exchanges,
			notes: this.#notes,
			restarts: this.#restarts,
			events: () => this.#events,
			ended: (runner) => this.#fleet.freed(runner),
			isClosing: () => this.#isClosing,
		});
		this.#fleet = new RunnerFleet({
			...options,
			roster: this.#roster,
			incarnations: this.#incarnations,
			reconnected: (runner) => this.#exchanges.reconnected(runner),
			serve: () => this.#slots.serve(),
			changed: this.#changed,
		});
	}

	attach(events: HostEvents): void {
		this.#events = events;
		const { clock, limits } = this.#options;
		this.#fleet.watch();
		this.#ackSweep = clock.after(limits.messageAckLookMs, this.#lookAtMessages);
	}

	get stats(): RunnerStats {
		const runners = this.#roster.all;
		const count = (is: (runner: RunnerRecord) => boolean) => runners.filter(is).length;
		const free = runners.filter(({ socket, drainTs }) => socket !== null && drainTs === null);
		return {
			connected: free.length,
			disconnected: count(({ socket, drainTs }) => socket === null && drainTs === null),
			draining: count(({ drainTs }) => drainTs !== null),
			freeSlots: free.reduce((sum, { freeSlots }) => sum + freeSlots, 0),
			waiting: this.#slots.size,
			tunnelBacklogBytes: runners.reduce(
				(sum, { backlog, ends, socket }) =>
					sum + backlog.bytes + (socket === null ? ends.bytes : 0),
				0,
			),
		};
	}

	/**
	 * Goes on with the runners that an earlier process of this engine had, and with what they run: they have their time to
	 * come back (contract: engine 4.4, 7.1). Rejects when the store cannot be read.
	 *
	 * @param runs - told of each actor that runs
	 */
	async resume(runs: (actor: ActorRecord) => void): Promise<void> {
		const { store, ledger } = this.#options;
		for (const kept of (await ledger?.load()) ?? []) {
			const runner = this.#fleet.resume(kept);
			for (const actor of kept.actors) {
				const { actorId, generation } = actor;
				const record = await store.actorById(actorId);
				const isOver =
					record?.generation !== generation ||
					record.destroyTs !== null ||
					record.connectableTs === null;
				if (!isOver) {
					this.#incarnations.resume(runner.take(actorId), record);
					runs(record);
					continue;
				}
				ledger?.ended(runner, actor);
				// A newer one there has taken its place.
				const isReplaced = kept.actors.some(
					(other) => other.actorId === actorId && other.generation > generation,
				);
				if (!isReplaced) this.#incarnations.disown(runner, actorId, generation);
			}
		}
	}

	// Towards placement and gateway

	async start(assignment: ActorAssignment, sockets: readonly ActorSocket[]): Promise<void> {
		const { actorId, namespace } = assignment;
		const pool: PoolAddress = { namespace, pool: assignment.pool ?? "default" };
		const abandonments = this.#abandonments;
		const pause = this.#restarts.pauseOf(actorId);
		if (pause !== undefined) {
			this.#events?.waits?.(actorId, assignment.generation);
			await pause;
		}
		const slot = await this.#takeSlot(pool, assignment);
		if (abandonments !== this.#abandonments) {
			this.#giveBack(slot);
			throw catalogueError("guard.service_unavailable");
		}
		this.#notes.clear(actorId);
		this.#restarts.cancel(actorId);
		await this.#incarnations.start(slot, assignment, sockets);
	}

	stop(actorId: string, intent: StopIntent): Promise<void> {
		return this.#incarnations.stop(actorId, intent);
	}

	async request(actorId: string, request: ActorRequest): Promise<ActorResponse> {
		const hosted = this.#incarnations.live(actorId);
		if (!hosted) throw new ActorGone(actorId);
		const isLive = () =>
			this.#incarnations.live(actorId) === hosted && !hosted.isTold && !hosted.hasStopped;
		let answer: ActorResponse;
		try {
			answer = await this.#exchanges.request(hosted.runner, actorId, request, isLive);
			hosted.abortsInARow = 0;
		} catch (error) {
			if (isAbort(error) && isLive() && ++hosted.abortsInARow >= ABORTS_IN_A_ROW_MAX) {
				// Its runner does not have it, and does not say so: it is asked to end it (Q12). Not by the actor's own
				// wish: a clean end is no destruction.
				hosted.intent ??= "sleep";
				this.#incarnations.stopSoon(hosted);
			}
			throw error;
		}
		if (turnsAway(answer) && isRepeatable(request)) throw new ActorDeclined(actorId);
		return answer;
	}

	async openSocket(actorId: string, upgrade: ActorUpgrade, socket: ActorSocket): Promise<void> {
		const hosted = this.#incarnations.live(actorId);
		if (!hosted) throw new ActorGone(actorId);
		await this.#exchanges.openSocket(hosted.runner, actorId, upgrade, socket);
	}

	abandon(): void {
		this.#abandonments++;
		this.#restarts.refuseAll();
		this.#slots.refuseAll();
		this.#incarnations.fenceAll("its node may not run it any more");
	}

	/** Gives no more slots: those who wait are told. */
	stopPlacing(): void {
		this.#isClosing = true;
		this.#restarts.close();
		this.#slots.close();
	}

	/** Closes the sockets of all runners; those come back to the next engine. */
	close(): void {
		this.stopPlacing();
		this.#ackSweep?.stop();
		this.#fleet.close();
	}

	// Towards runners

	/** See {@link RunnerFleet.connected}. */
	connected(who: ConnectingRunner, init: ToServerInit, socket: RunnerSocket): RunnerRecord {
		return this.#fleet.connected(who, init, socket);
	}

	/** See {@link RunnerFleet.drainOlder}. */
	drainOlder(pool: PoolAddress, version: number): void {
		this.#fleet.drainOlder(pool, version);
	}

	/** See {@link RunnerFleet.dismiss}. */
	dismiss(runnerId: string, resetsFailures = false): void {
		this.#fleet.dismiss(runnerId, resetsFailures);
	}

	/** See {@link RunnerFleet.evict}. */
	evict(runnerId: string): void {
		this.#fleet.evict(runnerId);
	}

	/** See {@link RunnerFleet.moved}. */
	moved(pool: PoolAddress, key: string): void {
		this.#fleet.moved(pool, key);
	}

	// Towards the API and those who supply runners

	/** Runners, those that are gone included, as far as they are remembered. */
	list(namespace: string): RunnerRecord[] {
		return this.#roster.list(namespace);
	}

	runner(runnerId: string): RunnerRecord | undefined {
		return this.#roster.get(runnerId);
	}

	/** Pools with runners that take actors, though perhaps not now. */
	get pools(): readonly PoolAddress[] {
		return this.#roster.pools;
	}

	/** Whether a runner of the pool is connected that takes actors. */
	has(pool: PoolAddress): boolean {
		return this.#roster.has(pool);
	}

	/** Whether runners of the pool are started as they are wanted. */
	isSupplied(pool: PoolAddress): boolean {
		const config = this.#options.poolConfig(pool);
		return config?.kind === "serverless" && config.runnersMax > 0;
	}

	/** Whether an actor of the pool would be placed at once. */
	hasRoom(pool: PoolAddress): boolean {
		return this.#roster.choose(pool) !== undefined;
	}

	/** See {@link RunnerRoster.roomIn}. */
	roomIn(pool: PoolAddress): PoolRoom | undefined {
		return this.#roster.roomIn(pool);
	}

	/** See {@link RunnerRoster.rooms}. */
	get rooms(): PoolState[] {
		return this.#roster.rooms;
	}

	/** Another node has told what it has: those that wait here go there if that is better, or all there is. */
	heardElsewhere(rooms: readonly PoolState[]): void {
		for (const room of rooms) {
			const here = this.#roster.roomIn(room)?.version ?? -1;
			if (room.version >= here && this.#hasRoomElsewhere(room)) this.#slots.leave(room, room.free);
		}
		// What was newer elsewhere may be no more.
		this.#slots.serve();
	}

	/** Whether a node that actors may be sent to has a slot that is as good as any here. */
	#hasRoomElsewhere(pool: PoolAddress): boolean {
		const version = this.#roster.roomIn(pool)?.version ?? -1;
		return this.#options.elsewhere?.hasRoom(pool, version) ?? false;
	}

	/** Actors that are placed, wait, or are about to (contract: engine 5.5). */
	slotsWanted(pool: PoolAddress): number {
		const placed = this.#roster.in(pool).reduce((sum, { actors }) => sum + actors.size, 0);
		return placed + this.#slots.countOf(pool);
	}

	/** What the API shows of an actor beside its record (contract: engine 2.4). */
	conditionOf(actorId: string): ActorCondition {
		const waiting = this.#slots.of(actorId);
		const note = this.#notes.of(actorId);
		return {
			pendingAllocationTs: waiting?.sinceTs ?? null,
			rescheduleTs: this.#restarts.dueTs(actorId),
			error: note?.failure ?? (waiting ? this.#noCapacity(waiting) : null),
			...(note && { errorTs: note.ts }),
			...this.#incarnations.leavingOf(actorId),
			...(this.#restarts.isDue(actorId) ? { sleepTs: null } : {}),
		};
	}

	/** What callers of an actor that waits for a slot need not wait for (contract: engine 3.6). */
	obstacleOf(actorId: string): unknown {
		const waiting = this.#slots.of(actorId);
		const isFailing = waiting !== undefined && this.supply?.errorOf(waiting) !== undefined;
		return isFailing
			? catalogueError("guard.actor_runner_failed", { actor_id: actorId })
			: undefined;
	}

	/** An actor is left asleep because nobody has room for it. */
	leftAsleep(actorId: string, pool: PoolAddress): void {
		this.#restarts.rests(actorId);
		this.#notes.note(actorId, this.#noCapacity(pool));
	}

	/**
	 * Destroys the incarnation that is here, without waiting for its runner (contract: engine 6.7). False when there
	 * is none that could be.
	 */
	async destroy(actorId: string): Promise<boolean> {
		const deleted = new StartRefused(catalogueError("actor.not_found", { identifier: actorId }));
		this.#restarts.refuse(actorId, deleted);
		this.#restarts.forget(actorId);
		this.#notes.clear(actorId);
		this.#slots.refuse(actorId, deleted);
		return this.#incarnations.destroy(actorId);
	}

	/** A message of the runner's newest socket. */
	received(runner: RunnerRecord, socket: RunnerSocket, message: RunnerToServer): void {
		if (runner.socket !== socket) return;
		switch (message.tag) {
			case "ToServerInit":
				break;
			case "ToServerEvents":
				for (const event of message.val) this.#incarnations.event(runner, event);
				break;
			case "ToServerAckCommands":
				for (const checkpoint of message.val.lastCommandCheckpoints) {
					this.#incarnations.acknowledgedCommand(runner, checkpoint);
				}
				break;
			case "ToServerStopping":
				this.#fleet.drain(runner);
				break;
			case "ToServerPong":
				this.#fleet.answeredPing(runner, message.val.ts);
				break;
			case "ToServerKvRequest":
				this.#incarnations.kv(runner, socket, message.val);
				break;
			case "ToServerTunnelMessage":
				this.#exchanges.received(runner, message.val.messageId, message.val.messageKind);
				break;
			default:
				message satisfies never;
		}
	}

	disconnected(runner: RunnerRecord, socket: RunnerSocket): void {
		this.#fleet.disconnected(runner, socket);
	}

	#noCapacity(pool: PoolAddress): ActorFailure {
		const error = this.supply?.errorOf(pool);
		return error === undefined ? "no_capacity" : { runner_pool_error: error };
	}

	/** A slot on a runner that is still there when the generation is durable. */
	async #takeSlot(pool: PoolAddress, assignment: ActorAssignment): Promise<Slot> {
		const { actorId, staysHere = false, initialised, crashPolicy = "sleep" } = assignment;
		// Known wherever the actor gets to (contract: engine 6.3).
		const isPatientAtFirst = !initialised && (crashPolicy !== "sleep" || this.isSupplied(pool));
		const isPatient = assignment.isPatient || isPatientAtFirst;
		const begins = () => {
			// What ended the one before is over. Of one that is to run again it is why it waits.
			if (!this.#restarts.isDue(actorId)) this.#notes.clear(actorId);
			this.#events?.waits?.(actorId, assignment.generation);
		};
		for (;;) {
			const slot = await this.#slots
				.take(pool, actorId, { isPatient, staysHere, begins })
				.catch((error: unknown) => this.#gotNoSlot(assignment, error));
			const { runner } = slot;
			try {
				// The incarnation may outlive this process: its generation must, too.
				await this.#options.store.sync();
			} catch (error) {
				this.#giveBack(slot);
				throw error;
			}
			if (runner.drainTs === null && runner.stopTs === null) return slot;
			runner.giveBack(slot);
			this.#slots.expect(actorId, pool);
			this.#freed(runner);
		}
	}

	/** Who has waited for too long sleeps, though it was to run again: the next engine has to know. */
	async #gotNoSlot(
		{ actorId, generation, crashPolicy }: ActorAssignment,
		error: unknown,
	): Promise<never> {
		const isLate = isActorError(error) && error.code === "actor_ready_timeout";
		if (isLate && crashPolicy === "restart") {
			const { store, clock, logger } = this.#options;
			const record = { sleepTs: clock.now() };
			this.#notes.confirm(actorId, record.sleepTs);
			await store.commit({ actorId, generation, ops: [], record }).catch((obstacle: unknown) => {
				// Whoever finds it awake starts it, which is what its policy says: no failure of the actor.
				logger.warn(
					{ actorId, err: obstacle },
					"that an actor sleeps for want of a slot was not stored; another engine may start it",
				);
			});
		}
		throw error;
	}

	#giveBack(slot: Slot): void {
		slot.runner.giveBack(slot);
		this.#freed(slot.runner);
	}

	#freed(runner: RunnerRecord): void {
		this.#fleet.endDismissed(runner);
		this.#slots.serve();
		this.#changed(runner);
	}

	readonly #changed = (pool: PoolAddress): void => {
		this.supply?.changed(pool);
		this.#options.roomChanged();
	};

	readonly #lookAtMessages = (): void => {
		const { clock, limits } = this.#options;
		this.#exchanges.closeOverdue(clock.now() - limits.messageAckTimeoutMs);
		this.#ackSweep = clock.after(limits.messageAckLookMs, this.#lookAtMessages);
	};
}

function isAbort(error: unknown): boolean {
	return (
		error instanceof ActorDeclined ||
		(isActorError(error) && error.group === "guard" && error.code === "tunnel_request_aborted")
	);
}
