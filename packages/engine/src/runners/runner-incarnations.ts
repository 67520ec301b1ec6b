import {
	type ActorAssignment,
	type ActorSocket,
	type Clock,
	catalogueError,
	type HostEvents,
	type StopIntent,
	serializeKey,
} from "@rivetkit/protocol";
import {
	type ActorCheckpoint,
	type CommandWrapper,
	type EventWrapper,
	type RunnerToServer,
	UNKNOWN_GENERATION,
} from "@rivetkit/protocol/runner";
import type { EngineLogger } from "../common/logger.ts";
import type { ActorCondition } from "../common/runner-questions.ts";
import { type ActorRecord, StaleGenerationError, type Store } from "../store/store.ts";
import type { FailureNotes, RunnerFailureKind } from "./failure-notes.ts";
import { Hosted, type HostedOptions } from "./hosted.ts";
import { HostedAlarm } from "./hosted-alarm.ts";
import { KvQuota } from "./kv-quota.ts";
import { type Outcome, outcomeOf } from "./outcome.ts";
import type { PoolAddress } from "./pool-address.ts";
import type { Restarts, RestartsOptions } from "./restarts.ts";
import { RunnerExchanges } from "./runner-exchanges.ts";
import { answerKv, notOwner } from "./runner-kv.ts";
import type { RunnerLedger } from "./runner-ledger.ts";
import type { RunnerLimits } from "./runner-limits.ts";
import type { RunnerRecord, RunnerSocket, Slot } from "./runner-record.ts";

type KvRequest = Extract<RunnerToServer, { tag: "ToServerKvRequest" }>["val"];

export interface RunnerIncarnationsOptions {
	readonly store: Store;
	readonly clock: Clock;
	readonly logger: EngineLogger;
	readonly limits: RunnerLimits;
	/** Of the engine, told with each stored value. */
	readonly version: string;
	readonly exchanges: RunnerExchanges;
	readonly notes: FailureNotes;
	readonly restarts: Restarts;
	/** See `RunnersHostOptions`. */
	readonly alarmCommitted: (actorId: string, alarmTs: number | null) => void;
	/** Told of what becomes of them; null while nobody wants to know. */
	readonly events: () => HostEvents | null;
	/** An incarnation is over: its runner has a slot more. */
	readonly ended: (runner: RunnerRecord) => void;
	/** An actor without a slot is about to want one: from now on it counts. */
	readonly expected: (actorId: string, pool: PoolAddress) => void;
	/** It is not any more. */
	readonly settled: (actorId: string) => void;
	/** Whether somebody waits for the end of an incarnation, to go on with the next one. */
	readonly isAwaited: (actorId: string) => boolean;
	/** See `RestartsOptions`. */
	readonly wake: RestartsOptions["wake"];
	/** Undefined where nothing is kept of runners. */
	readonly ledger: RunnerLedger | undefined;
	/** Nothing may be stored any more soon: what fails is given up. */
	readonly isClosing: () => boolean;
}

/** Of the events of one incarnation, one acknowledgement for as many (contract: engine 4.6). */
const EVENTS_PER_ACK = 250;

/**
 * The incarnations that runners have: what they are told, and what they tell (contract: engine 4.5, 4.6, 6).
 *
 * - N1. What a runner says counts only from its newest socket, about the newest incarnation it has.
 * - N2. Every write for a runner carries the generation of the incarnation it is for; of one that was given up, none
 *   is taken for the next one.
 * - N5. An engine's next process goes on with what ran (`RunnerLedger`). What it does not know to run, a runner is told to stop.
 * - N4. An incarnation that may write nothing any more, because its node or a newer one says so, is over here at once,
 *   and its runner is told to stop it.
 */
export class RunnerIncarnations {
	readonly #options: RunnerIncarnationsOptions;
	readonly #version: Uint8Array;
	readonly #hosted = new Map<string, Hosted>();

	constructor(options: RunnerIncarnationsOptions) {
		this.#options = options;
		this.#version = new TextEncoder().encode(options.version);
	}

	/** The one that takes calls. */
	live(actorId: string): Hosted | undefined {
		const hosted = this.#hosted.get(actorId);
		return hosted?.isRunning ? hosted : undefined;
	}

	/** What the record of an actor does not say yet: that it is on its way out. */
	leavingOf(actorId: string): Pick<ActorCondition, "isStopping" | "sleepTs"> {
		const hosted = this.#hosted.get(actorId);
		if (hosted === undefined || hosted.stoppingSinceTs === null) return {};
		return hosted.intent === "sleep"
			? { isStopping: true, sleepTs: hosted.stoppingSinceTs }
			: { isStopping: true };
	}

	/** Those of a runner: a slot that is taken for a start may be one of an actor that another runner has as yet. */
	on(runner: RunnerRecord): Hosted[] {
		return [...this.#hosted.values()].filter((hosted) => hosted.runner === runner);
	}

	/** Has a runner start an actor, in the slot that was taken for it. Resolves when the runner says that it runs. */
	async start(
		slot: Slot,
		assignment: ActorAssignment,
		sockets: readonly ActorSocket[],
	): Promise<void> {
		const { runner } = slot;
		const { actorId, generation, crashPolicy = "sleep", keyText } = assignment;
		const { clock, limits, logger, exchanges } = this.#options;
		const hosted = this.#make(slot, { generation, crashPolicy, isFirst: !assignment.initialised });
		const previous = this.#hosted.get(actorId);
		if (previous) this.#fence(previous, "a newer incarnation is started", "sleeping");
		this.#hosted.set(actorId, hosted);
		hosted.deadline = clock.after(limits.actorStartThresholdMs, () => {
			logger.warn(
				{ actorId, runnerId: runner.runnerId },
				"a runner did not say in time that an actor runs",
			);
			this.#tellStop(hosted);
			this.lost(hosted, "runner_no_response");
		});
		this.#command(hosted, {
			tag: "CommandStartActor",
			val: {
				config: {
					name: assignment.name,
					key: keyText === undefined ? serializeKey(assignment.key) : (keyText ?? undefined),
					createTs: assignment.createTs,
					input: assignment.input ?? undefined,
				},
				hibernatingRequests: RunnerExchanges.idsOf(sockets),
			},
		});
		await hosted.started.promise;
		exchanges.resume(runner, actorId, sockets);
	}

	/** One that an earlier process of this engine has begun, and that may run still. */
	resume(slot: Slot, { generation, crashPolicy }: ActorRecord): void {
		const hosted = this.#make(slot, { generation, crashPolicy, isFirst: false });
		hosted.isResumed = true;
		hosted.isRunning = true;
		hosted.isKept = true;
		// Its start was the first.
		hosted.nextCommand = 1;
		hosted.started.resolve();
		this.#hosted.set(hosted.actorId, hosted);
	}

	/** What an earlier process of this engine has had a runner start, and what nobody has any more. */
	disown(runner: RunnerRecord, actorId: string, generation: number): void {
		runner.givenUp.set(actorId, Math.max(generation, runner.givenUp.get(actorId) ?? generation));
		const isTold = runner.commands.some(
			({ checkpoint, inner }) =>
				checkpoint.actorId === actorId &&
				checkpoint.generation === generation &&
				inner.tag === "CommandStopActor",
		);
		// Its start was the first; a runner that was told to stop it already drops this one.
		const checkpoint: ActorCheckpoint = { actorId, generation, index: 1 };
		if (!isTold) runner.command({ checkpoint, inner: { tag: "CommandStopActor", val: undefined } });
	}

	async stop(actorId: string, intent: StopIntent): Promise<void> {
		const hosted = this.#hosted.get(actorId);
		if (!hosted) return;
		if (intent === "destroy") hosted.intent = intent;
		if (hosted.intent === null) {
			// It leaves because this engine wants it to: what is to run goes on elsewhere, and has not failed.
			hosted.isLeaving = true;
			hosted.resetsFailures = true;
		}
		this.stopSoon(hosted);
		await hosted.stopped.promise;
	}

	/** The actor goes away: no more calls, and its runner is told. */
	stopSoon(hosted: Hosted): void {
		const { actorId, generation, intent } = hosted;
		if (hosted.isRunning) {
			this.#options.events()?.stopping(actorId, generation, intent ?? "sleep");
		}
		if (hosted.isTold) return;
		this.#tellStop(hosted);
		const { clock, limits } = this.#options;
		hosted.stoppingSinceTs = clock.now();
		hosted.deadline?.stop();
		hosted.deadline = clock.after(limits.actorStopThresholdMs, () => {
			this.lost(hosted, hosted.isLeaving ? "runner_draining_timeout" : "runner_no_response");
		});
	}

	/** Nothing is to be expected of its runner any more. */
	lost(hosted: Hosted, why: RunnerFailureKind): void {
		// Over already, whatever it was: a note would be of the next one, or of none.
		if (!this.#isHere(hosted)) return;
		const { notes, restarts, expected } = this.#options;
		const { actorId, runner } = hosted;
		notes.note(actorId, { [why]: { runner_id: runner.runnerId } });
		// Until its end is stored nobody would count it.
		const isAtOnce = hosted.resetsFailures || restarts.isFresh(actorId);
		const outcome = outcomeOf(hosted, "lost");
		if (outcome === "again" ? isAtOnce : this.#isWanted(actorId, outcome)) {
			expected(actorId, runner);
		}
		this.#inTurn(hosted, () => this.#ended(hosted, "its runner was lost", true));
	}

	/** This node may run nothing any more. */
	fenceAll(reason: string): void {
		for (const hosted of [...this.#hosted.values()]) this.#fence(hosted, reason);
	}

	/** Destroys the incarnation that is here, without waiting for its runner (contract: engine 6.7); false without one. */
	async destroy(actorId: string): Promise<boolean> {
		const hosted = this.#hosted.get(actorId);
		if (!hosted) return false;
		const { clock, logger } = this.#options;
		const { generation } = hosted;
		await this.#commit(hosted, { alarmTs: null, destroyTs: clock.now() });
		if (!this.#isHere(hosted)) return true;
		hosted.intent = "destroy";
		if (!hosted.isTold) this.#tellStop(hosted);
		this.#forget(hosted, false, "destroyed", null);
		// The stop command stays due until the runner says that it is done.
		logger.info({ actorId, generation }, "an actor was destroyed while it ran");
		return true;
	}

	/** What a runner has acknowledged; without a generation it is of the incarnation that is here. */
	acknowledgedCommand(runner: RunnerRecord, checkpoint: ActorCheckpoint): void {
		const { actorId, index } = checkpoint;
		const generation =
			checkpoint.generation === UNKNOWN_GENERATION
				? (this.#hosted.get(actorId)?.generation ?? UNKNOWN_GENERATION)
				: checkpoint.generation;
		runner.acknowledged(actorId, generation, index);
	}

	/** Requests of one actor are done in the order in which they came (contract: engine 4.8). */
	kv(runner: RunnerRecord, socket: RunnerSocket, { actorId, requestId, data }: KvRequest): void {
		const hosted = this.#hosted.get(actorId);
		const respond = (answer: Awaited<ReturnType<typeof answerKv>>): void => {
			if (runner.socket === socket) {
				socket.send({ tag: "ToClientKvResponse", val: { requestId, data: answer } });
			}
		};
		// A request carries no generation: until the runner tells of the next one, it is of the one that was given up.
		if (hosted?.runner !== runner || runner.givenUp.has(actorId)) {
			respond(notOwner(actorId));
			return;
		}
		hosted.abortsInARow = 0;
		const work = async () => {
			// What is written after the runner has set an alarm is not known without it.
			const stored = hosted.alarm.whenStored();
			if (stored !== null) await stored;
			if (!this.#isHere(hosted)) {
				respond(notOwner(actorId));
				return;
			}
			try {
				const { store, clock } = this.#options;
				respond(await answerKv(store, hosted, this.#version, data, clock.now()));
			} catch (error) {
				respond(notOwner(actorId));
				throw error;
			}
		};
		hosted.kv = hosted.kv.then(work).catch((error: unknown) => this.#workFailed(hosted, error));
	}

	event(runner: RunnerRecord, { checkpoint, inner }: EventWrapper): void {
		const { actorId, generation, index } = checkpoint;
		const hosted = this.#hosted.get(actorId);
		if (isEnd(inner) && hosted?.generation !== generation) {
			// Of an incarnation that was given up, or whose actor was destroyed meanwhile.
			runner.acknowledged(actorId, generation, Number.MAX_SAFE_INTEGER);
			runner.leftBehind(actorId, generation);
		}
		if (hosted?.runner !== runner || hosted.generation !== generation) {
			if (runner.isResumed && !isEnd(inner)) this.disown(runner, actorId, generation);
			return;
		}
		if (index <= hosted.lastEvent) return;
		hosted.lastEvent = index;
		hosted.abortsInARow = 0;
		runner.leftBehind(actorId, generation);
		switch (inner.tag) {
			case "EventActorIntent": {
				if (hosted.intent !== null) break;
				hosted.intent = inner.val.intent.tag === "ActorIntentSleep" ? "sleep" : "destroy";
				this.stopSoon(hosted);
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
					hosted.hasStopped = true;
					// Whoever told it to stop is gone, with the reason.
					if (code === "Ok" && hosted.isResumed && hosted.intent === null) hosted.isLeaving = true;
					const error = code === "Ok" ? null : (message ?? "the actor has stopped with an error");
					this.#inTurn(hosted, () => this.#ended(hosted, error, false));
				}
				break;
			}
			default:
				inner satisfies never;
		}
		this.#acknowledgeEvents(hosted);
	}

	async #running(hosted: Hosted): Promise<void> {
		if (hosted.isRunning) return;
		hosted.deadline?.stop();
		hosted.runner.acknowledged(hosted.actorId, hosted.generation, 0);
		const now = this.#options.clock.now();
		try {
			await Promise.all([
				this.#commit(hosted, {
					record: {
						initialised: true,
						...(hosted.isFirst ? { startTs: now } : {}),
						connectableTs: now,
						sleepTs: null,
					},
				}),
				this.#keep(hosted),
			]);
		} catch (error) {
			// Its start would be waited for without a bound.
			if (this.#isHere(hosted)) this.#tellStop(hosted);
			this.lost(hosted, "runner_no_response");
			throw error;
		}
		hosted.isRunning = true;
		hosted.started.resolve();
	}

	/** Resolves when the engine's next process will know of it, if it is to. */
	async #keep(hosted: Hosted): Promise<void> {
		const { ledger } = this.#options;
		if (ledger === undefined || !hosted.runner.isKept) return;
		hosted.isKept = true;
		await ledger.runs(hosted.runner, hosted);
	}

	/** What becomes of an incarnation that is over (contract: engine 6.5). */
	async #ended(hosted: Hosted, error: string | null, isLost: boolean): Promise<void> {
		const { actorId } = hosted;
		if (!this.#isHere(hosted)) return;
		const { clock, logger, notes, restarts } = this.#options;
		hosted.deadline?.stop();
		const how = isLost ? "lost" : error === null ? "ok" : "error";
		const outcome = outcomeOf(hosted, how);
		if (how === "ok" || hosted.resetsFailures) restarts.forget(actorId);
		if (how === "error") notes.note(actorId, { crashed: { message: error } });
		const now = clock.now();
		notes.confirm(actorId, now);
		try {
			await this.#commit(
				hosted,
				outcome === "destroyed"
					? { alarmTs: null, destroyTs: now }
					: {
							record: {
								connectableTs: null,
								// What is to run does not sleep, whoever finds it in the store.
								...(outcome === "again" ? {} : { sleepTs: sleptSince(hosted) ?? now }),
							},
						},
			);
		} catch (failure) {
			if (!(failure instanceof StaleGenerationError)) {
				logger.error({ actorId, err: failure }, "the end of an actor was not stored");
			}
		}
		if (!this.#isHere(hosted)) return;
		this.#forget(hosted, isLost, outcome, error);
	}

	/** The incarnation may write nothing any more: nobody waits for its runner, which is told to stop it (N4). */
	#fence(hosted: Hosted, reason: string, outcome?: Outcome): void {
		const { actorId, generation, runner, crashPolicy } = hosted;
		if (!this.#isHere(hosted)) return;
		this.#options.logger.warn(
			{ actorId, generation, runnerId: runner.runnerId, reason },
			"an actor on a runner is given up",
		);
		if (!hosted.isTold && !hosted.hasStopped) this.#tellStop(hosted);
		const becomes = outcome ?? (crashPolicy === "restart" ? "again" : "sleeping");
		this.#forget(hosted, true, becomes, reason);
	}

	/** The incarnation is over for everybody here. */
	#forget(hosted: Hosted, isLost: boolean, outcome: Outcome, error: string | null): void {
		const { actorId, generation, runner, slot } = hosted;
		const { exchanges, events, notes, restarts, ended } = this.#options;
		const isWanted = this.#isWanted(actorId, outcome);
		hosted.deadline?.stop();
		this.#hosted.delete(actorId);
		if (hosted.isKept) this.#options.ledger?.ended(runner, hosted);
		runner.giveBack(slot);
		if (isLost && !hosted.hasStopped) runner.givenUp.set(actorId, generation);
		// A runner that has not said so is to hear that it has to stop, though its socket be away.
		const lastDone = hosted.hasStopped ? Number.MAX_SAFE_INTEGER : hosted.nextCommand - 2;
		runner.acknowledged(actorId, generation, lastDone);
		exchanges.actorEnded(actorId, isLost);
		if (hosted.isRunning) {
			events()?.stopped(actorId, generation, outcome === "destroyed" ? "destroy" : "sleep");
		} else {
			hosted.started.reject(
				outcome === "destroyed"
					? catalogueError("actor.not_found", { identifier: actorId })
					: new Error(error ?? "the actor has stopped before it ran"),
			);
		}
		hosted.stopped.resolve();
		hosted.alarm.release();
		if (outcome === "destroyed") notes.clear(actorId);
		if (outcome === "again") restarts.later(actorId, generation, runner);
		else this.#rests(hosted, isWanted);
		ended(runner);
	}

	/** Whether somebody waits for an actor that sleeps, so that it does not for long. */
	#isWanted(actorId: string, outcome: Outcome): boolean {
		const { isClosing, isAwaited } = this.#options;
		return outcome === "sleeping" && !isClosing() && isAwaited(actorId);
	}

	/** It wants no slot any more; or it does before whoever waits for it has asked: its own is not to be given up meanwhile. */
	#rests({ actorId, runner }: Hosted, isWanted: boolean): void {
		const { expected, settled, wake } = this.#options;
		if (!isWanted) {
			settled(actorId);
			return;
		}
		expected(actorId, runner);
		void wake(actorId).then(() => settled(actorId));
	}

	#make(slot: Slot, begun: Pick<HostedOptions, "generation" | "crashPolicy" | "isFirst">): Hosted {
		const { runner, actorId } = slot;
		const { store, clock, limits, logger } = this.#options;
		const hosted: Hosted = new Hosted({
			slot,
			...begun,
			quota: new KvQuota(store, actorId, limits.kvBytesMax),
			alarm: new HostedAlarm({
				clock,
				store: async (alarmTs) => {
					await this.#commit(hosted, { alarmTs });
					this.#options.alarmCommitted(actorId, alarmTs);
				},
				isClosing: this.#options.isClosing,
				failed: (alarmTs, error) =>
					logger.error(
						{ actorId, runnerId: runner.runnerId, alarmTs, err: error },
						"an actor's alarm could not be stored; it is tried again until it is",
					),
				gaveUp: (alarmTs, error) =>
					logger.error(
						{ actorId, runnerId: runner.runnerId, alarmTs, err: error },
						"an actor's alarm was not stored before the engine stopped: it does not wake the actor",
					),
			}),
		});
		return hosted;
	}

	/** Whether it is the incarnation that counts. */
	#isHere(hosted: Hosted): boolean {
		return this.#hosted.get(hosted.actorId) === hosted;
	}

	#tellStop(hosted: Hosted): void {
		this.#command(hosted, { tag: "CommandStopActor", val: undefined });
	}

	#command(hosted: Hosted, inner: CommandWrapper["inner"]): void {
		const { actorId, generation, runner } = hosted;
		const checkpoint: ActorCheckpoint = { actorId, generation, index: hosted.nextCommand++ };
		runner.command({ checkpoint, inner });
	}

	/** When what came of them is stored: what is acknowledged is told to no next process of this engine. */
	#acknowledgeEvents(hosted: Hosted): void {
		const { actorId, generation, lastEvent } = hosted;
		if (lastEvent - hosted.acknowledgedEvent <= EVENTS_PER_ACK) return;
		hosted.acknowledgedEvent = lastEvent;
		this.#inTurn(hosted, async () => {
			hosted.runner.socket?.send({
				tag: "ToClientAckEvents",
				val: { lastEventCheckpoints: [{ actorId, generation, index: lastEvent }] },
			});
		});
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

/** Sleep begins when it is asked for (contract: engine 4.6). */
function sleptSince({ intent, isLeaving, stoppingSinceTs }: Hosted): number | null {
	return intent === "sleep" || isLeaving ? stoppingSinceTs : null;
}

function isEnd(event: EventWrapper["inner"]): boolean {
	return event.tag === "EventActorStateUpdate" && event.val.state.tag === "ActorStateStopped";
}
