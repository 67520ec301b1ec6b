/**
 * Which actors are live, and how one becomes live.
 *
 * - P1. One start at a time: however many callers wait for an actor, `host.start` is called once.
 * - P2. An actor costs memory here only while an incarnation of it exists.
 * - P3. A generation is started only after the older one was reported stopped, or its host lost (H1).
 * - P4. A lost host takes no caller with it: they wait for the next one, within their limits.
 * - P5. Starts that need not wait do not keep the process from everything else, however many there are.
 */
import {
	type ActorAssignment,
	type ActorHost,
	type ActorSocket,
	type ApiActorStatus,
	type Clock,
	catalogueError,
	type HostEvents,
	isActorError,
	parseKey,
	RivetError,
	type StopIntent,
} from "@rivetkit/protocol";
import type { EngineLimits } from "../common/limits.ts";
import type { EngineLogger } from "../common/logger.ts";
import { type ActorRecord, StaleGenerationError, type Store } from "../store/store.ts";
import { Deferred } from "./deferred.ts";
import type { ActorKind, Elsewhere, Route } from "./elsewhere.ts";
import { nextPhase, type Phase, type PhaseEvent } from "./phases.ts";
import { StartBackoff } from "./start-backoff.ts";
import { TurnQuota } from "./turn-quota.ts";

/** Changes of phase that one caller waits for: an actor that falls asleep at once is not woken forever. */
const WAKES_MAX = 16;
/** Starts in one turn of the event loop; with what users' hooks do, some ten milliseconds. */
const STARTS_PER_TURN_MAX = 64;

/** When what may hinder a start is looked at, and how often again (ms; engine 3.6). */
const OBSTACLE_LOOK_FIRST_MS = 1_000;
const OBSTACLE_LOOK_AGAIN_MS = 2_000;
/** Rejects a wait that is to go on. */
const LOOK = Symbol("look");

/** How an incarnation ended: the actor goes on, it is gone, or the host was lost in the middle of it. */
export type IncarnationEnd = "stopped" | "destroyed" | "lost";

/** One incarnation. The gateway keeps it to tell which one answered. */
export interface Incarnation {
	readonly host: ActorHost;
	readonly generation: number;
	readonly phase: Phase;
}

interface Placed extends Incarnation {
	readonly actorId: string;
	generation: number;
	phase: Phase;
	/** Known as soon as the incarnation is stopping. */
	intent: StopIntent | undefined;
	/** Under what the live incarnation is found by key; empty before it is live. */
	liveKey: string;
	/** Name and serialized key of the actor, once they are known. */
	place: { readonly name: string; readonly key: string } | undefined;
	/** Settles at the next change of phase that waiting callers care about. */
	changed: Deferred<void> | undefined;
}

export interface PlacementOptions {
	readonly store: Store;
	readonly clock: Clock;
	readonly limits: EngineLimits;
	readonly logger: EngineLogger;
	readonly region: string;
	/** The client sockets that the actor's next incarnation goes on with; asked for once per start. */
	readonly socketsOf?: (actorId: string) => readonly ActorSocket[];
	/** Called when an incarnation is gone, also one that failed to start, before the next one can begin. */
	readonly onEnded?: (actorId: string, how: IncarnationEnd) => void;
	/** Default: there are no other nodes. */
	readonly elsewhere?: Elsewhere;
	/** What keeps a start from ending that callers need not wait for; undefined where there is nothing like it. */
	readonly obstacles?: () => ((actorId: string) => unknown) | undefined;
	/** Whether there may be actors of several namespaces. Default: there are not. */
	readonly spansNamespaces?: () => boolean;
}

interface AttachedHost {
	readonly host: ActorHost;
	readonly hosts: (actorName: string) => boolean;
	readonly wakesMoved?: boolean;
}

export class Placement {
	readonly #options: PlacementOptions;
	readonly #placed = new Map<string, Placed>();
	readonly #liveIds = new Map<string, string>();
	readonly #backoff: StartBackoff;
	readonly #startQuota = new TurnQuota(STARTS_PER_TURN_MAX);
	/** Actors whose place is being found out or decided. */
	readonly #routing = new Map<string, Promise<Route>>();
	#attached: AttachedHost | undefined;
	/** Settles when a host takes the place of the one that was lost. */
	#replaced: Deferred<void> | undefined;
	/** See {@link moved}. */
	#moved: Promise<void> = Promise.resolve();
	#closed = false;

	constructor(options: PlacementOptions) {
		this.#options = options;
		this.#backoff = new StartBackoff(options.clock);
	}

	/**
	 * Starts actors on this host from now on. The host before it, if there is one, is drained: its actors
	 * go to sleep there, and wake here: at once if the host `wakesMoved`, else when somebody needs them.
	 */
	attach(attached: AttachedHost): HostEvents {
		const previous = this.#attached;
		this.#attached = attached;
		this.#replaced?.resolve();
		this.#replaced = undefined;
		if (previous !== undefined) {
			this.#moved = this.#drain(previous.host, attached.wakesMoved ?? false);
		}
		return {
			stopping: (actorId, generation, intent) => this.stopping(actorId, generation, intent),
			stopped: (actorId, generation, intent) => this.stopped(actorId, generation, intent),
			lost: () => this.#lost(attached),
		};
	}

	get liveCount(): number {
		return this.#placed.size;
	}

	/** The live incarnation, on whatever node, if calls can be given to it now. */
	live(actorId: string): Incarnation | undefined {
		const placed = this.#placed.get(actorId);
		const { elsewhere } = this.#options;
		if (elsewhere === undefined) {
			return placed?.phase === "live" ? placed : undefined;
		}
		return placed === undefined ? elsewhere.live(actorId) : this.liveHere(actorId);
	}

	/** As {@link live}, on this node. */
	liveHere(actorId: string): Incarnation | undefined {
		const placed = this.#placed.get(actorId);
		// The lease is looked at before every call: timers are late in a process that was stopped.
		return placed?.phase === "live" && this.#options.elsewhere?.isServing !== false
			? placed
			: undefined;
	}

	/** Id of the live incarnation with this name and serialized key; no store is asked. */
	liveId(namespace: string, name: string, key: string): string | undefined {
		const { elsewhere, spansNamespaces } = this.#options;
		const here = this.#liveIds.get(liveKeyOf({ namespace, name, key }));
		// Other nodes' actors are known without their namespace.
		return here ?? (spansNamespaces?.() ? undefined : elsewhere?.liveId(name, key));
	}

	/** Whether a new actor is to begin here; to be asked once for each. */
	takesNext(actor: ActorKind): boolean {
		return this.#options.elsewhere?.takesNext(actor) ?? true;
	}

	/** Whether the host that is attached has actors of this name; true while none is. */
	isHosted(name: string): boolean {
		return this.#attached?.hosts(name) ?? true;
	}

	/** The host that is attached, for questions that need no incarnation. */
	get host(): ActorHost | undefined {
		return this.#attached?.host;
	}

	/** Where the actor's incarnation is in its life; undefined when it has none. */
	phase(actorId: string): Phase | undefined {
		return this.#placed.get(actorId)?.phase;
	}

	/** Name and serialized key of an actor that lives on this node. */
	placeOf(actorId: string): { readonly name: string; readonly key: string } | undefined {
		return this.#placed.get(actorId)?.place;
	}

	/** Resolves when the incarnation on this node changes, at once when there is none; within the limits. */
	async changed(actorId: string, deadlineTs: number): Promise<void> {
		const placed = this.#placed.get(actorId);
		if (placed !== undefined) {
			await this.#changed(actorId, placed, deadlineTs);
		}
	}

	/** What the actor does now. */
	statusOf({ actorId, destroyTs, connectableTs }: ActorRecord): ApiActorStatus {
		if (destroyTs !== null) {
			return "destroyed";
		}
		const phase = this.phase(actorId);
		if (phase === undefined || phase === "gone") {
			if (this.#options.elsewhere !== undefined && connectableTs !== null) {
				return "awake";
			}
			return this.#backoff.isFailing(actorId) ? "failing" : "sleeping";
		}
		return phase === "live" ? "awake" : phase;
	}

	/** What an incarnation of this actor is told. */
	assignmentOf(record: ActorRecord): ActorAssignment {
		return {
			actorId: record.actorId,
			generation: record.generation,
			name: record.name,
			key: parseKey(record.key),
			namespace: record.namespace,
			region: this.#options.region,
			input: record.input,
			createTs: record.createTs,
			alarmTs: record.alarmTs,
			initialised: record.initialised,
			pool: record.runnerNameSelector,
			crashPolicy: record.crashPolicy,
		};
	}

	/** When a start of this actor is worth another attempt (ms since the epoch), 0 for now. */
	retryTs(actorId: string): number {
		return this.#backoff.blocked(actorId)?.retryTs ?? 0;
	}

	/**
	 * Resolves with a live incarnation, starting one if there is none.
	 *
	 * @param deadlineTs - when to give up, in ms since the epoch
	 * @param through - `key`: the caller addresses the actor by key, so it waits for the end of one that is
	 * being destroyed and gets `actor.not_found`; `id`: it gets `actor.stopping` at once (lifecycle 2).
	 * @param acquired - the record of an actor that the caller has just acquired, so that a start need not
	 * do it again
	 * @throws `actor.not_found`, `actor.stopping`, `guard.actor_ready_timeout`,
	 * `guard.actor_wake_retries_exceeded`, `guard.service_unavailable` or what the start failed with.
	 */
	async ready(
		actorId: string,
		deadlineTs: number,
		through: "id" | "key",
		acquired?: ActorRecord,
	): Promise<Incarnation> {
		// Users' code may run before this goes on, and the caller may be in the middle of something.
		await null;
		return this.#ready(actorId, deadlineTs, through, acquired, this.#options.elsewhere);
	}

	/** As {@link ready}, on this node or not at all; for calls of other nodes. */
	async readyHere(
		actorId: string,
		deadlineTs: number,
		acquired: ActorRecord,
	): Promise<Incarnation> {
		await null;
		return this.#ready(actorId, deadlineTs, "key", acquired, undefined);
	}

	async #ready(
		actorId: string,
		deadlineTs: number,
		through: "id" | "key",
		acquired: ActorRecord | undefined,
		elsewhere: Elsewhere | undefined,
	): Promise<Incarnation> {
		let fresh = acquired;
		for (let wakes = 0; wakes <= WAKES_MAX; wakes++) {
			if (this.#replaced !== undefined && !this.#placed.has(actorId)) {
				await this.#hostReplaced(this.#replaced, deadlineTs);
				fresh = undefined;
			}
			while (this.#startQuota.isUsedUp && !this.#placed.has(actorId)) {
				await this.#startQuota.renewed();
				fresh = undefined;
			}
			if (elsewhere !== undefined && !this.#placed.has(actorId)) {
				await elsewhere.serving(deadlineTs);
				if (fresh === undefined) {
					const route = await this.#route(actorId, deadlineTs, elsewhere);
					if (route.kind === "remote") {
						return route.incarnation;
					}
					fresh = route.acquired;
				}
			}
			const placed = this.#placed.get(actorId) ?? this.#start(actorId, fresh);
			// After a wait somebody else may have acquired it again.
			fresh = undefined;
			if (placed.phase === "live") {
				return placed;
			}
			if (placed.phase === "gone") {
				continue;
			}
			if (placed.phase === "stopping" && placed.intent === "destroy" && through === "id") {
				throw catalogueError("actor.stopping", { actorId });
			}
			await this.#changed(actorId, placed, deadlineTs);
		}
		throw catalogueError("guard.actor_wake_retries_exceeded", { actor_id: actorId });
	}

	/** One for all that ask at the same time: the first of them starts what was acquired. */
	#route(actorId: string, deadlineTs: number, elsewhere: Elsewhere): Promise<Route> {
		const known = this.#routing.get(actorId);
		if (known !== undefined) {
			return known;
		}
		const blocked = this.#backoff.blocked(actorId);
		if (blocked !== undefined) {
			return Promise.reject(blocked.error);
		}
		const routing = elsewhere
			.route(actorId, deadlineTs)
			.finally(() => this.#routing.delete(actorId));
		this.#routing.set(actorId, routing);
		return routing;
	}

	/** The host answered `ActorGone` for this incarnation. */
	gone(incarnation: Incarnation): void {
		if (this.#options.elsewhere?.gone(incarnation)) {
			return;
		}
		this.#tell(incarnation as Placed, "stopping");
	}

	/** Resolves when the actor has no incarnation that is being destroyed. */
	async destroyed(actorId: string, deadlineTs: number): Promise<void> {
		for (;;) {
			const placed = this.#placed.get(actorId);
			if (placed === undefined || placed.phase !== "stopping" || placed.intent !== "destroy") {
				return;
			}
			await this.#changed(actorId, placed, deadlineTs);
		}
	}

	/** Stops the live incarnation and resolves when it is gone. Does nothing when there is none. */
	async stop(actorId: string, intent: StopIntent): Promise<void> {
		const placed = this.#placed.get(actorId);
		if (placed === undefined) {
			return;
		}
		if (placed.phase === "starting") {
			await this.#startEnded(actorId, placed);
			return this.stop(actorId, intent);
		}
		this.stopping(actorId, placed.generation, intent);
		await placed.host.stop(actorId, intent);
		this.stopped(actorId, placed.generation, intent);
	}

	/**
	 * Destroys the actor: a sleeping one is woken for it, so that its hooks run; one that cannot start
	 * loses its data without them. Resolves when that is durable.
	 *
	 * @throws `actor.not_found` when there never was such an actor, `guard.service_unavailable` when there is
	 * no host to wake it on, or the engine closes
	 */
	async destroy(actorId: string, deadlineTs: number): Promise<void> {
		for (let found = false; ; found = true) {
			const record = await this.#options.store.actorById(actorId);
			if (record === undefined) {
				if (found) {
					// Destroyed, and its tombstone is gone already.
					return;
				}
				throw catalogueError("actor.not_found", { identifier: actorId });
			}
			if (record.destroyTs !== null) {
				return;
			}
			if (this.#options.clock.now() >= deadlineTs) {
				throw catalogueError("guard.actor_ready_timeout", { actor_id: actorId });
			}
			try {
				const incarnation = await this.ready(actorId, deadlineTs, "key");
				if (!this.#placed.has(actorId)) {
					await incarnation.host.stop(actorId, "destroy");
					continue;
				}
			} catch (error) {
				if (this.#closed || this.#attached === undefined) {
					throw error;
				}
				this.#options.logger.warn(
					{ actorId, name: record.name, key: record.key, err: error },
					"actor is destroyed without its hooks, because it cannot be started",
				);
				await this.bury(actorId);
				continue;
			}
			await this.stop(actorId, "destroy");
		}
	}

	stopping(actorId: string, generation: number, intent: StopIntent): void {
		const placed = this.#placed.get(actorId);
		if (placed === undefined || placed.generation !== generation) {
			return;
		}
		this.#tell(placed, "stopping");
		if (placed.intent !== "destroy") {
			placed.intent = intent;
		}
	}

	stopped(actorId: string, generation: number, intent: StopIntent): void {
		const placed = this.#placed.get(actorId);
		if (placed === undefined || placed.generation !== generation) {
			return;
		}
		placed.intent = intent;
		this.#tell(placed, "stopped");
	}

	/** Starts nothing more, and stops every incarnation. Resolves when all are gone. */
	async close(): Promise<void> {
		this.#closed = true;
		this.#replaced?.resolve();
		this.#replaced = undefined;
		const failures: unknown[] = [];
		while (this.#placed.size > 0) {
			const before = [...this.#placed.keys()];
			const outcomes = await Promise.allSettled(before.map((id) => this.stop(id, "sleep")));
			for (const [index, outcome] of outcomes.entries()) {
				if (outcome.status === "rejected") {
					const actorId = before[index]!;
					const placed = this.#placed.get(actorId);
					if (placed !== undefined) {
						this.#tell(placed, "stopped");
					}
					failures.push(outcome.reason);
				}
			}
		}
		if (failures.length > 0) {
			throw new AggregateError(failures, `${failures.length} actors could not be stopped cleanly`);
		}
	}

	/** This node may run nothing any more: whatever it ran is over, and writes nothing from now on. */
	abandon(): void {
		const host = this.#attached?.host;
		for (const [actorId, placed] of [...this.#placed]) {
			this.#options.logger.warn(
				{ actorId, generation: placed.generation },
				"an actor ended with the lease of its node",
			);
			this.#tell(placed, "lost");
		}
		host?.abandon?.();
	}

	/** Every incarnation of this host has crashed. */
	#lost({ host }: AttachedHost): void {
		if (this.#attached?.host === host) {
			this.#attached = undefined;
			if (!this.#closed) {
				this.#replaced = new Deferred<void>();
			}
		}
		for (const [actorId, placed] of [...this.#placed]) {
			if (placed.host !== host) {
				continue;
			}
			this.#options.logger.warn(
				{ actorId, generation: placed.generation },
				"an actor was lost with its host",
			);
			this.#tell(placed, "lost");
		}
	}

	/**
	 * Resolves when no actor is left on the host that was last replaced, and those that were to wake on the
	 * next one have, or could not; the log tells why.
	 */
	moved(): Promise<void> {
		return this.#moved;
	}

	async #drain(host: ActorHost, wakesMoved: boolean): Promise<void> {
		const { clock, limits } = this.#options;
		const actorIds = [...this.#placed].filter(([, placed]) => placed.host === host);
		const move = async (actorId: string): Promise<void> => {
			await this.stop(actorId, "sleep");
			if (wakesMoved && !this.#closed) {
				await this.ready(actorId, clock.now() + limits.routeTimeoutMs, "key");
			}
		};
		await Promise.all(
			actorIds.map(([actorId]) =>
				move(actorId).catch((error: unknown) => {
					this.#options.logger.error(
						{ actorId, err: error },
						"an actor could not be moved from a host that was replaced",
					);
				}),
			),
		);
	}

	async #hostReplaced(replaced: Deferred<void>, deadlineTs: number): Promise<void> {
		const { clock, limits } = this.#options;
		const waitMs = Math.min(limits.readyTimeoutMs, deadlineTs - clock.now());
		await replaced.within(clock, waitMs, () => catalogueError("guard.service_unavailable"));
	}

	#start(actorId: string, acquired?: ActorRecord): Placed {
		if (this.#closed || this.#attached === undefined) {
			throw catalogueError("guard.service_unavailable");
		}
		const blocked = this.#backoff.blocked(actorId);
		if (blocked !== undefined) {
			throw blocked.error;
		}
		const placed: Placed = {
			actorId,
			host: this.#attached.host,
			generation: -1,
			phase: "starting",
			intent: undefined,
			liveKey: "",
			place: undefined,
			changed: undefined,
		};
		this.#placed.set(actorId, placed);
		this.#startQuota.use();
		void this.#run(actorId, placed, this.#attached, acquired);
		return placed;
	}

	/**
	 * Deletes an actor that has no incarnation, and keeps others from starting one meanwhile. Does nothing when it
	 * has one.
	 */
	async bury(actorId: string): Promise<void> {
		const { store, clock } = this.#options;
		if (this.#placed.has(actorId) || this.#attached === undefined) {
			return;
		}
		const placed: Placed = {
			actorId,
			host: this.#attached.host,
			generation: -1,
			phase: "stopping",
			intent: "destroy",
			liveKey: "",
			place: undefined,
			changed: undefined,
		};
		this.#placed.set(actorId, placed);
		try {
			const { generation } = await store.acquire(actorId);
			placed.generation = generation;
			await store.commit({ actorId, generation, ops: [], destroyTs: clock.now() });
			this.#backoff.clear(actorId);
		} catch (error) {
			if (!(error instanceof StaleGenerationError)) {
				throw error;
			}
		} finally {
			this.stopped(actorId, placed.generation, "destroy");
		}
	}

	/** Does not wait where store and host need not: then the incarnation is live when this returns. */
	async #run(
		actorId: string,
		placed: Placed,
		attached: AttachedHost,
		created: ActorRecord | undefined,
	): Promise<void> {
		let record = created;
		try {
			if (record === undefined) {
				const acquired = this.#acquire(actorId);
				record = acquired instanceof Promise ? await acquired : acquired;
			}
			if (!attached.hosts(record.name)) {
				throw catalogueError("request.invalid", {
					detail: `actor '${record.name}' is not registered on this server`,
				});
			}
			placed.generation = record.generation;
			const { elsewhere } = this.#options;
			const gathered =
				elsewhere !== undefined && record.connected ? await elsewhere.gather(record) : [];
			if (placed.phase === "gone") {
				return;
			}
			const starting = attached.host.start(this.assignmentOf(record), [
				...(this.#options.socketsOf?.(actorId) ?? []),
				...gathered,
			]);
			if (starting !== undefined) {
				await starting;
			}
		} catch (error) {
			if (placed.phase === "gone") {
				// The host was lost meanwhile, and those who waited know.
				return;
			}
			// Whatever goes wrong on the way, those who wait are told, and the actor can be started again.
			const reason = await this.#startFailed(actorId, record, error).catch((obstacle) => obstacle);
			placed.intent = undefined;
			this.#tell(placed, "startFailed", reason);
			return;
		}
		this.#backoff.clear(actorId);
		if (placed.phase === "starting") {
			placed.place = { name: record.name, key: record.key };
			placed.liveKey = liveKeyOf(record);
			this.#tell(placed, "started");
		}
	}

	/** Moves an incarnation through the table of phases, and does what each change means. */
	#tell(placed: Placed, event: PhaseEvent, startFailure?: unknown): void {
		const { actorId, phase: before, changed } = placed;
		placed.phase = nextPhase(before, event);
		if (placed.phase === before) {
			return;
		}
		if (before === "live") {
			this.#liveIds.delete(placed.liveKey);
		}
		if (placed.phase === "live") {
			this.#liveIds.set(placed.liveKey, actorId);
			placed.changed = undefined;
			changed?.resolve();
		}
		if (placed.phase === "gone") {
			if (this.#placed.get(actorId) === placed) {
				this.#placed.delete(actorId);
			}
			if (event === "startFailed") {
				changed?.reject(startFailure);
			} else {
				changed?.resolve();
			}
			const how = endOf(placed, event);
			this.#options.onEnded?.(actorId, how);
			this.#options.elsewhere?.ended(actorId, placed.generation, how);
		}
	}

	#acquire(actorId: string): ActorRecord | Promise<ActorRecord> {
		const acquired = this.#options.store.acquire(actorId);
		return acquired instanceof Promise
			? acquired.catch((error: unknown) => {
					throw error instanceof StaleGenerationError
						? catalogueError("actor.not_found", { identifier: actorId })
						: error;
				})
			: acquired;
	}

	/** What the callers of a failed start get, and whether the actor has to wait before the next one. */
	async #startFailed(
		actorId: string,
		record: ActorRecord | undefined,
		error: unknown,
	): Promise<unknown> {
		if (record === undefined || isOfHosts(error)) {
			return error;
		}
		this.#options.logger.error(
			{ actorId, name: record.name, key: record.key, generation: record.generation, err: error },
			"actor failed to start",
		);
		if (!(await this.#remains(record))) {
			this.#backoff.clear(actorId);
			return error;
		}
		// A public error reaches callers only from a creation (lifecycle W-START-2).
		const masked = record.initialised && error instanceof RivetError && error.public;
		const reason = masked ? new Error(error.message, { cause: error }) : error;
		this.#backoff.failed(actorId, reason);
		return reason;
	}

	/** Whether the actor exists after a failed start; one that cannot be looked up is taken to. */
	async #remains({ actorId, name, key }: ActorRecord): Promise<boolean> {
		try {
			const record = await this.#options.store.actorById(actorId);
			return record !== undefined && record.destroyTs === null;
		} catch (error) {
			this.#options.logger.error(
				{ actorId, name, key, err: error },
				"an actor that failed to start could not be looked up",
			);
			return true;
		}
	}

	/** Waits for a start to end, however it ends. Throws when it does not within the ready limit. */
	async #startEnded(actorId: string, placed: Placed): Promise<void> {
		try {
			await this.#changed(actorId, placed, Number.POSITIVE_INFINITY);
		} catch (error) {
			if (placed.phase === "starting") {
				throw error;
			}
		}
	}

	/** Waits for the next change of phase, for at most one ready limit and not beyond the deadline. */
	#changed(actorId: string, placed: Placed, deadlineTs: number): Promise<void> {
		const { clock, limits, obstacles } = this.#options;
		placed.changed ??= new Deferred<void>();
		const waitMs = Math.min(limits.readyTimeoutMs, deadlineTs - clock.now());
		const obstacleOf = placed.phase === "starting" ? obstacles?.() : undefined;
		const late = () => catalogueError("guard.actor_ready_timeout", { actor_id: actorId });
		return obstacleOf === undefined
			? placed.changed.within(clock, waitMs, late)
			: this.#unlessHindered(placed.changed, waitMs, () => obstacleOf(actorId), late);
	}

	/** As `within`, but gives up as soon as there is an obstacle (engine 3.6). */
	async #unlessHindered(
		changed: Deferred<void>,
		waitMs: number,
		obstacle: () => unknown,
		late: () => unknown,
	): Promise<void> {
		const { clock } = this.#options;
		const untilTs = clock.now() + waitMs;
		for (let lookMs = OBSTACLE_LOOK_FIRST_MS; ; lookMs = OBSTACLE_LOOK_AGAIN_MS) {
			const stepMs = Math.min(lookMs, untilTs - clock.now());
			try {
				return await changed.within(clock, stepMs, () => LOOK);
			} catch (reason) {
				if (reason !== LOOK) {
					throw reason;
				}
			}
			const hindrance = obstacle();
			if (hindrance !== undefined) {
				throw hindrance;
			}
			if (clock.now() >= untilTs) {
				throw late();
			}
		}
	}
}

/** No host had room, or none works: the actor has no part in it. */
function isOfHosts(error: unknown): boolean {
	return isActorError(error) && error.group === "guard";
}

function endOf({ intent }: Placed, event: PhaseEvent): IncarnationEnd {
	if (intent === "destroy") {
		return "destroyed";
	}
	return event === "lost" ? "lost" : "stopped";
}

/** Unambiguous for any namespace, name and key. */
function liveKeyOf({ namespace, name, key }: Pick<ActorRecord, "namespace" | "name" | "key">) {
	return `${namespace.length}:${namespace}${name.length}:${name}${key}`;
}
