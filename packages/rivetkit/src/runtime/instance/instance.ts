import type { WireError } from "@rivetkit/protocol";
import { type ActorAssignment, catalogueError, type StopIntent } from "@rivetkit/protocol";
import type { ErasedActorConfig, ErasedRun } from "../../actor/erased.ts";
import type { ActorOptions } from "../../actor/options.ts";
import type { Logger } from "../../log/logger.ts";
import { SparseSet } from "../../utils/sparse-set.ts";
import { AtomicWork } from "../atomic/atomic-work.ts";
import { CallLog } from "../calls/call-log.ts";
import { mayGoOn, runInCall, runInSpan, runOnStack } from "../calls/call-scope.ts";
import type { RunningCall } from "../calls/running-call.ts";
import type { BatchPart } from "../commit/batch-part.ts";
import type { Committer, Release } from "../commit/committer.ts";
import type { StoredEntries } from "../commit/storage-layout.ts";
import { CLOSE_NORMAL } from "../connections/close-codes.ts";
import { ConnectionRecords } from "../connections/connection-records.ts";
import { ConnectionTable } from "../connections/connection-table.ts";
import { ContextFactory } from "../context/context-factory.ts";
import { assertAllowed, type Operation } from "../context/permissions.ts";
import { DatabaseKeeper } from "../database/database-keeper.ts";
import { DurableHost } from "../durable/durable-host.ts";
import type { DurableRun, DurableRunFactory } from "../durable/durable-run.ts";
import { EventSender } from "../events/event-sender.ts";
import type { HostServices, InProcessClient } from "../host/services.ts";
import { kvHost } from "../kv/kv-host.ts";
import { KvKeeper } from "../kv/kv-keeper.ts";
import { UserKv } from "../kv/user-kv.ts";
import { IdleTimer } from "../lifecycle/idle-timer.ts";
import {
	type Effect,
	hasEnded,
	isStarting,
	isStopping,
	type LifecycleEvent,
	type Phase,
	transition,
} from "../lifecycle/lifecycle.ts";
import { RunHandler } from "../lifecycle/run.ts";
import { MessageQueue } from "../queue/message-queue.ts";
import type { RunScope } from "../queue/run-scope.ts";
import { Schedules } from "../schedule/schedules.ts";
import { ActorTelemetry } from "../telemetry/actor-telemetry.ts";
import type { HostTelemetry } from "../telemetry/host-telemetry.ts";
import { observedLogger } from "../telemetry/observed-logger.ts";
import type { Span } from "../telemetry/span.ts";
import type { SpanKind } from "../telemetry/span-kinds.ts";
import { ActorWrites } from "./actor-writes.ts";
import { AlarmKeeper } from "./alarm-keeper.ts";
import { BackgroundWork } from "./background-work.ts";
import { describeError } from "./describe-error.ts";
import type { JournaledState } from "./state-journal.ts";
import { StateKeeper } from "./state-keeper.ts";
import { type LedgerOwner, WorkLedger } from "./work-ledger.ts";

/** What names a live actor. */
export type AnyActorInstance = Pick<ActorInstance, "actorId" | "name" | "key">;

/** Parts of an instance that not every actor needs; null for those that nothing has needed yet. */
export interface MadeParts {
	readonly connections: ConnectionTable | null;
	readonly schedules: Schedules | null;
	readonly queue: MessageQueue | null;
	readonly kv: KvKeeper | null;
	readonly alarm: AlarmKeeper | null;
}

/** Where an instance lives: does what concerns more than the instance itself. */
export interface InstanceHost {
	/** Runs the stop sequence of an instance that has begun to stop. */
	beginStop(instance: ActorInstance): void;
	/** The engine learns that the instance stops, and for what. `cause` is what began it. */
	tellStopping(instance: ActorInstance, intent: StopIntent, cause: LifecycleEvent): void;
	/** The instance is gone; the engine learns what became of the actor. */
	tellStopped(instance: ActorInstance, intent: StopIntent): void;
}

/**
 * One incarnation of one actor: the parts that make it up, and the few facts they share. What happens
 * when is decided elsewhere: `lifecycle/start.ts`, `lifecycle/stop.ts`, `commit/committer.ts`.
 */
export class ActorInstance implements LedgerOwner {
	readonly services: HostServices;
	readonly config: ErasedActorConfig;
	readonly assignment: ActorAssignment;
	/** Null when nothing is recorded of any actor. */
	readonly telemetry: ActorTelemetry | null;
	readonly writes: ActorWrites;
	readonly committer: Committer;
	readonly state: StateKeeper;
	readonly work: WorkLedger;
	/** Null when the actor has no `run`. */
	readonly run: RunHandler | null;
	/** Null when the actor has no `db`. */
	readonly database: DatabaseKeeper | null;
	/** The workflow behind `run`; null when it is none. */
	readonly durable: DurableRun | null;
	readonly runningCalls = new SparseSet<RunningCall>();
	readonly background: BackgroundWork = new BackgroundWork(this);
	vars: unknown = undefined;
	/** Told that something of the actor may look different now; null while nobody looks. */
	watcher: (() => void) | null = null;
	/** Whether it is to run again at once, wherever there is room: it does not sleep when it stops. */
	goesOn = false;
	/** Whether the synchronous part of a call is on the stack; it asks for its commit when it ends. */
	inCall = false;

	readonly #host: InstanceHost;
	#phase: Phase = "loading";
	/** What a stop is to become, as far as somebody asked for one. */
	#wish: StopIntent | null = null;
	/** Null when the actor does not sleep by itself. */
	readonly #idle: IdleTimer | null;
	#abort: AbortController | null = null;
	#aborted = false;
	#contexts: ContextFactory | null = null;
	#connections: ConnectionTable | null = null;
	#connectionRecords: ConnectionRecords | null = null;
	#events: EventSender | null = null;
	#calls: CallLog | null = null;
	#alarm: AlarmKeeper | null = null;
	#schedules: Schedules | null = null;
	#queue: MessageQueue | null = null;
	#kv: KvKeeper | null = null;
	#userKv: UserKv | null = null;
	#atomic: AtomicWork | null = null;
	#client: InProcessClient | null = null;
	#log: Logger | null = null;

	constructor(
		services: HostServices,
		host: InstanceHost,
		config: ErasedActorConfig,
		assignment: ActorAssignment,
	) {
		this.services = services;
		this.#host = host;
		this.config = config;
		this.assignment = assignment;
		this.telemetry = services.telemetry ? this.#telemetry(services.telemetry) : null;
		this.work = new WorkLedger(this);
		this.run = config.run ? new RunHandler(this) : null;
		this.#idle = config.options.noSleep ? null : new IdleTimer(this);
		this.writes = new ActorWrites(this);
		this.committer = this.writes.committer;
		this.state = new StateKeeper(this);
		this.writes.add(this.state);
		this.database = config.db ? new DatabaseKeeper(this, config.db) : null;
		if (this.database) this.writes.add(...this.database.parts);
		this.durable = config.run?.durable ? this.#durableRun(config.run.durable) : null;
	}

	#telemetry(host: HostTelemetry): ActorTelemetry {
		const { assignment, services } = this;
		return new ActorTelemetry(host, assignment, {
			generation: assignment.generation,
			timers: services.timers,
			commitSpans: () => {
				// What a start writes is one commit.
				if (!this.isReady) return;
				this.committer.noteDirty();
				this.committer.cutSoon();
			},
		});
	}

	#durableRun(create: NonNullable<ErasedRun["durable"]>): DurableRun {
		const host = new DurableHost(this);
		const durable = (create as DurableRunFactory)(host);
		host.attach(durable);
		this.alarm.add(host.deadlines);
		return this.#addPart(durable);
	}

	#addPart<Part extends BatchPart>(part: Part): Part {
		this.writes.add(part);
		this.#atomic?.partAdded(part);
		return part;
	}

	get actorId(): string {
		return this.assignment.actorId;
	}

	get name(): string {
		return this.assignment.name;
	}

	get key(): readonly string[] {
		return this.assignment.key;
	}

	get options(): ActorOptions {
		return this.config.options;
	}

	get contexts(): ContextFactory {
		this.#contexts ??= new ContextFactory(this);
		return this.#contexts;
	}

	get connections(): ConnectionTable {
		this.#connections ??= new ConnectionTable(this);
		return this.#connections;
	}

	/** What is stored of the connections that outlive this incarnation. */
	get connectionRecords(): ConnectionRecords {
		this.#connectionRecords ??= this.#addPart(new ConnectionRecords(this));
		return this.#connectionRecords;
	}

	get events(): EventSender {
		this.#events ??= new EventSender(this);
		return this.#events;
	}

	get calls(): CallLog {
		this.#calls ??= this.#addPart(new CallLog(this.committer));
		return this.#calls;
	}

	get schedules(): Schedules {
		if (!this.#schedules) {
			this.#schedules = new Schedules(this);
			this.alarm.add(this.#addPart(this.#schedules.keeper));
		}
		return this.#schedules;
	}

	/** When the actor has to be awake. */
	get alarm(): AlarmKeeper {
		if (!this.#alarm) {
			this.#alarm = new AlarmKeeper(this);
			this.#atomic?.partAdded(this.#alarm);
		}
		return this.#alarm;
	}

	/** Made with the first message or the first receive. */
	get queue(): MessageQueue {
		this.#queue ??= this.#addPart(new MessageQueue(this));
		return this.#queue;
	}

	/** What is in the queue as it is stored. */
	loadQueue(entries: StoredEntries): void {
		if (entries.length > 0) this.queue.load(entries);
	}

	/** One attempt of `run` is over: what it received and did not handle is given back. */
	runEnded(scope: RunScope, succeeded: boolean): void {
		this.database?.callEnded(scope);
		this.#queue?.runEnded(scope, succeeded);
	}

	get kv(): KvKeeper {
		this.#kv ??= this.#addPart(new KvKeeper(kvHost(this)));
		return this.#kv;
	}

	/** `c.kv`. */
	get userKv(): UserKv {
		const { era } = this;
		this.#userKv ??= new UserKv(this.kv, {
			assertAllowed: () => {
				this.assertCurrent(era);
				this.assertAllowed("kv");
			},
			refused: (operation, err) => this.log.warn({ err }, `c.kv.${operation} was refused`),
		});
		return this.#userKv;
	}

	/** `c.atomic`. */
	get atomic(): AtomicWork {
		this.#atomic ??= new AtomicWork(this, () => this.writes.parts);
		return this.#atomic;
	}

	/** The alarm, if there is one: every commit looks. */
	get madeAlarm(): AlarmKeeper | null {
		return this.#alarm;
	}

	/** What there is so far of the parts that are made when they are needed: looking at them makes none. */
	get made(): MadeParts {
		return {
			connections: this.#connections,
			schedules: this.#schedules,
			queue: this.#queue,
			kv: this.#kv,
			alarm: this.#alarm,
		};
	}

	get log(): Logger {
		if (!this.#log) {
			const log = this.services.log.child({
				actor: this.name,
				key: this.key.join("/"),
				actorId: this.actorId,
			});
			this.#log = this.telemetry ? observedLogger(log, this.telemetry) : log;
		}
		return this.#log;
	}

	/** From when a delay counts: not before now, though the clock may not know exactly when that is. */
	latest(): number {
		const { clock } = this.services;
		return clock.latest?.() ?? clock.now();
	}

	now(): number {
		return this.services.clock.now();
	}

	// Lifecycle

	get phase(): Phase {
		return this.#phase;
	}

	get isReady(): boolean {
		return this.#phase === "ready";
	}

	/** One that is to be destroyed takes nothing new: a call after the answer finds the actor gone. */
	get acceptsCalls(): boolean {
		return this.#phase === "ready" && this.#wish !== "destroy";
	}

	get isFenced(): boolean {
		return this.#phase === "fenced";
	}

	/** What a stop is to become, as far as somebody asked for one. */
	get stopIntent(): StopIntent | null {
		return this.#wish;
	}

	get isStopping(): boolean {
		return isStopping(this.#phase);
	}

	/** Tells the lifecycle that something happened, and does what its table says. */
	dispatch(event: LifecycleEvent): void {
		const { to, wish, effects } = transition(this.#phase, this.#wish, event);
		this.#phase = to;
		this.#wish = wish;
		for (const effect of effects) this.#perform(effect, event);
	}

	#perform(effect: Effect, cause: LifecycleEvent): void {
		switch (effect) {
			case "begin":
				this.#begin();
				return;
			case "stopLater":
				this.services.turns.request({ endOfTurn: () => this.dispatch("stopDue") });
				return;
			case "announce":
				this.#host.tellStopping(this, this.#wish ?? "sleep", cause);
				return;
			case "abort":
				this.#abortAll();
				return;
			case "stop":
				this.#host.beginStop(this);
				return;
			case "giveUp":
				this.#giveUpCalls();
				this.#revokeContexts();
				return;
			case "end":
				this.#end();
				return;
			case "dropSockets":
				this.services.turns.request({
					endOfTurn: () => void this.#connections?.leave(CLOSE_NORMAL, ""),
				});
				return;
			case "report": {
				const destroyed = this.#phase === "stopped" && this.#wish === "destroy";
				this.#host.tellStopped(this, destroyed ? "destroy" : "sleep");
				return;
			}
			case "logIgnored":
				this.log.debug({ phase: this.#phase }, "stop request ignored: the actor already stops");
				return;
			case "logFenced":
				this.log.warn(
					{ generation: this.assignment.generation },
					"a newer incarnation of the actor exists; this one stops without writing",
				);
				return;
			default:
				effect satisfies never;
		}
	}

	/** `c.sleep()`, `c.destroy()` and the engine's wishes; destroying aborts at once (lifecycle 5.4). */
	requestStop(intent: StopIntent): void {
		this.dispatch(intent === "destroy" ? "destroyRequested" : "sleepRequested");
	}

	/** Starts what runs by itself once the instance is ready. */
	#begin(): void {
		this.#connections?.goOn();
		this.#idle?.restart();
		this.run?.start();
		// Alarms that are over fire at once.
		if (this.#alarm || this.assignment.alarmTs !== null) this.alarm.start();
		if (this.#wish !== null) this.#perform("stopLater", "done");
	}

	/** For the work ledger: the wait for `sleepTimeout` begins. */
	fellIdle(): void {
		this.#idle?.restart();
	}

	/** Something happened that makes the wait for `sleepTimeout` begin anew, if the actor is idle. */
	touch(): void {
		this.#idle?.restart();
	}

	/** A receive begins to wait for a message: meanwhile an active `run` does not keep the actor awake. */
	beginRunWait(): void {
		this.work.beginRunWait();
	}

	endRunWait(): void {
		this.work.endRunWait();
	}

	/** Why the actor does not sleep now, in words; for people. */
	awakeBecause(): string[] {
		if (isStarting(this.#phase)) return [`it is starting (${this.#phase})`];
		if (!this.isReady) return [`it is stopping (${this.#phase})`, ...this.unfinishedWork()];
		const reasons = this.work.awakeBecause(this.runningCalls);
		if (!this.#idle) return [...reasons, "options.noSleep is set"];
		if (reasons.length > 0) return reasons;
		const { sleepTimeout } = this.options;
		const { idleMs } = this.#idle;
		return [
			`it has been idle for ${idleMs} ms, and sleeps after ${sleepTimeout} ms (options.sleepTimeout)`,
		];
	}

	/** What a stop still waits for, in words. */
	unfinishedWork(): string[] {
		return this.work.unfinished(this.runningCalls);
	}

	assertAllowed(operation: Operation): void {
		assertAllowed(operation, this.#phase, this.actorId);
		// Reading is harmless, and so is what both are used for beside it: writing is checked itself.
		if (operation !== "state" && operation !== "vars") this.#atomic?.assertNotDropped();
	}

	get acceptsWork(): boolean {
		return this.#phase === "ready" || this.#phase === "draining";
	}

	/** Throws `actor.stopping` when the grace period of calls that came before the stop is over. */
	assertAcceptsWork(): void {
		if (this.acceptsWork) return;
		throw catalogueError("actor.stopping", { actorId: this.actorId });
	}

	get isWritable(): boolean {
		return !hasEnded(this.#phase);
	}

	/**
	 * Throws `actor.stopping` once the incarnation has lost its right to write (W-STOP-5), and `atomic.over`
	 * in what is left of a `c.atomic` that failed.
	 */
	assertWritable(): void {
		if (!this.isWritable) throw catalogueError("actor.stopping", { actorId: this.actorId });
		this.#atomic?.assertNotDropped();
	}

	/** Whether what the runtime starts for a caller may begin now: no `c.atomic` is under way. */
	get isFree(): boolean {
		return this.#atomic === null || this.#atomic.isFree;
	}

	/** Calls `begin` when {@link isFree}, in the order of the calls. `begin` must not throw. */
	whenFree(begin: () => void): void {
		if (this.#atomic === null) begin();
		else this.#atomic.whenFree(begin);
	}

	/** Whether the code that is running belongs to the `c.atomic` that is under way. */
	get isInAtomic(): boolean {
		return this.#atomic?.isRunning ?? false;
	}

	/** To be called before each write to the state of a connection. */
	beforeConnectionWrite(state: JournaledState): void {
		this.#atomic?.beforeConnectionWrite(state);
	}

	/** The state of a connection is about to go back to what is committed. */
	beforeConnectionReset(state: JournaledState): void {
		this.#atomic?.beforeConnectionReset(state);
	}

	/** Resolves in a moment when {@link isFree}. */
	async untilFree(): Promise<void> {
		while (!this.isFree) await new Promise<void>((resolve) => this.whenFree(resolve));
	}

	/** Throws inside `c.atomic`, for what waits until it is over. */
	assertOutsideAtomic(what: string): void {
		this.#atomic?.assertOutside(what);
	}

	get isAborted(): boolean {
		return this.#aborted;
	}

	get abortSignal(): AbortSignal {
		if (!this.#abort) {
			this.#abort = new AbortController();
			if (this.#aborted) this.#abort.abort(catalogueError("actor.aborted", {}));
		}
		return this.#abort.signal;
	}

	#abortAll(): void {
		if (this.#aborted) return;
		this.#aborted = true;
		this.#queue?.abort();
		this.#connections?.hurry();
		this.durable?.abort();
		if (!this.#abort && this.runningCalls.size === 0) return;
		const reason = catalogueError("actor.aborted", {});
		this.#abort?.abort(reason);
		for (const call of this.runningCalls) call.abort(reason);
	}

	/** Which contexts, and what came from them, may write: those made since it last changed. */
	era = 0;

	/** Throws `actor.stopping` for what an earlier era left behind (W-STOP-5). */
	assertCurrent(era: number): void {
		if (era !== this.era) throw catalogueError("actor.stopping", { actorId: this.actorId });
	}

	/** What still runs has had its time: from here on only the hooks of the stop may write (W-STOP-1). */
	#revokeContexts(): void {
		this.era++;
		this.state.renew();
		this.#userKv = null;
		this.#schedules?.renew();
		this.#connections?.renew();
		// Whether its run handled what it received, nobody will know.
		if (this.run?.scope) this.#queue?.runEnded(this.run.scope, false);
		this.#contexts?.renew();
		this.database?.revoke();
	}

	#giveUpCalls(): void {
		// What it wrote is dropped: it would be half of something.
		this.#atomic?.giveUp(catalogueError("actor.stopping", { actorId: this.actorId }));
		if (this.runningCalls.size === 0) return;
		const gone = catalogueError("actor.stopping", { actorId: this.actorId });
		for (const call of [...this.runningCalls]) call.giveUp(gone);
	}

	/** The incarnation may not write any more: everything that waits is refused. */
	#end(): void {
		this.#abortAll();
		this.#idle?.stop();
		this.run?.stop();
		this.durable?.stop();
		this.telemetry?.stopped();
		this.#alarm?.stop();
		this.#queue?.stop();
		this.#connections?.end();
		this.#giveUpCalls();
		this.endWrites();
		if (this.#client) {
			this.#client.dispose().catch((error) => {
				this.log.error({ err: error }, "closing the actor's client failed");
			});
			this.#client = null;
		}
		const isGone =
			this.#phase === "fenced" || (this.#phase === "stopped" && this.#wish === "destroy");
		this.database?.end(isGone ? "remove" : "keep");
	}

	/** No commit begins any more: what waits for one is refused. */
	endWrites(): void {
		this.writes.end(() => catalogueError("actor.stopping", { actorId: this.actorId }));
	}

	// State and variables

	userState(): unknown {
		if (!this.config.hasState) throw catalogueError("actor.state_not_enabled", {});
		if (!hasEnded(this.#phase)) this.assertAllowed("state");
		return this.state.value;
	}

	replaceState(next: unknown): void {
		if (!this.config.hasState) throw catalogueError("actor.state_not_enabled", {});
		this.assertAllowed("state");
		this.state.replace(next);
	}

	userVars(): unknown {
		if (!this.config.hasVars) throw catalogueError("actor.vars_not_enabled", {});
		if (!hasEnded(this.#phase)) this.assertAllowed("vars");
		return this.vars;
	}

	/** `c.db`, where it is allowed. */
	userDatabase(): unknown {
		if (!this.database) throw catalogueError("database.not_enabled", {});
		if (hasEnded(this.#phase)) throw catalogueError("database.closed", {});
		return this.database.client;
	}

	/**
	 * Runs the handler of a call, or `run`, so that the database knows whose statements they are, and so does
	 * the span. `returnsAtOnce`: it is known not to go on after it returns.
	 */
	runCall<T>(call: object, handler: () => T, span: Span | null = null, returnsAtOnce = false): T {
		if (this.database) return runInCall(call, this.era, span, handler);
		if (span === null) return handler();
		return returnsAtOnce && !span.exported ? runOnStack(span, handler) : runInSpan(span, handler);
	}

	/** Runs a hook, or something like it, as a span below what runs now. */
	traced<T>(kind: SpanKind, subject: string | null, work: () => T): T {
		return this.telemetry ? this.telemetry.traced(kind, subject, work) : work();
	}

	// Writing

	/**
	 * Releases an answer or an event: after the commit of what was written before it, or at once. One of a
	 * `c.atomic` that is dropped fails with its error, unless `whenDropped` is there to be called instead.
	 */
	afterDurable(release: Release, whenDropped?: () => void): void {
		const guarded = this.#atomic?.guarded(release, whenDropped) ?? null;
		if (guarded !== null || this.options.confirmWrites) {
			this.committer.whenDurable(guarded ?? release);
		} else {
			release(undefined);
			this.writes.saveSoon();
		}
	}

	/** What is seen of it, and of contexts, in logs and answers: the rest holds the server's secrets. */
	toJSON(): object {
		return { actorId: this.actorId, name: this.name, key: this.key };
	}

	// Towards others

	client(): InProcessClient {
		mayGoOn();
		this.assertWritable();
		this.#client ??= this.services.createClient(this);
		return this.#client;
	}

	/** An error as a caller may see it; what it hides is logged here (contract: api 13.1). */
	describeError(
		error: unknown,
		operation: Readonly<Record<string, unknown>>,
		signal?: () => AbortSignal,
	): WireError {
		return describeError(this, error, operation, signal);
	}
}
