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
	type StopIntent,
} from "@rivetkit/protocol";
import { isReadyTimeout } from "../common/errors.ts";
import type { EngineLimits } from "../common/limits.ts";
import type { EngineLogger } from "../common/logger.ts";
import type { ActorRecord, Store } from "../store/store.ts";
import { Destruction } from "./destruction.ts";
import {
	type ActorKind,
	type Elsewhere,
	type Route,
	type RouteWait,
	StartsElsewhere,
} from "./elsewhere.ts";
import { type AttachedHost, HostSlot } from "./host-slot.ts";
import { type Incarnation, type IncarnationEnd, newPlaced, type Placed } from "./incarnation.ts";
import { Incarnations } from "./incarnations.ts";
import type { Phase } from "./phases.ts";
import { StartBackoff } from "./start-backoff.ts";
import { Starts, type StartWait } from "./starts.ts";
import { Stops } from "./stops.ts";
import type { WaitingCounts } from "./waiting-counts.ts";

/** Changes of phase that one caller waits for: an actor that falls asleep at once is not woken forever. */
const WAKES_MAX = 16;

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
	/** Told when an actor that is to run again could not be started, and nobody has it: it is to be looked for. */
	readonly left?: () => void;
	/** What keeps a start from ending that callers need not wait for; undefined where there is nothing like it. */
	readonly obstacles?: () => ((actorId: string) => unknown) | undefined;
	/** Whether there may be actors of several namespaces. Default: there are not. */
	readonly spansNamespaces?: () => boolean;
}

/**
 * How one that is woken is left: it runs, or waits for room; `crowded` if so many of its pool wait on the node that has it
 * that no more are to be sent there.
 */
export type Woken = "live" | "waiting" | "crowded";

/** What a caller wants of a start. */
interface Wish {
	/** See {@link Placement.ready}. */
	readonly through: "id" | "key";
	/** Undefined: on this node, or not at all. */
	readonly elsewhere: Elsewhere | undefined;
	/** Whether it waits for room however long that takes. */
	readonly isPatient: boolean;
	/** Whether it was sent to other nodes already. */
	readonly isSentAway: boolean;
	/** Whether no more is wanted than that it is live or waits for room. Default: that it is live. */
	readonly onlyBegins?: boolean;
}

export class Placement {
	readonly #options: PlacementOptions;
	readonly #incarnations: Incarnations;
	readonly #hostSlot: HostSlot;
	readonly #backoff: StartBackoff;
	readonly #starts: Starts;
	readonly #stops: Stops;
	readonly #destruction: Destruction;
	/** Actors whose place is being found out or decided. */
	readonly #routing = new Map<string, Promise<Route>>();
	/** See {@link moved}. */
	#moved: Promise<void> = Promise.resolve();
	#closed = false;

	constructor(options: PlacementOptions) {
		const { store, clock, limits, logger, region, socketsOf, elsewhere, obstacles } = options;
		this.#options = options;
		this.#hostSlot = new HostSlot(clock);
		this.#backoff = new StartBackoff(clock);
		this.#incarnations = new Incarnations({
			clock,
			limits,
			...(obstacles && { obstacles }),
			onEnded: ({ actorId, generation }, how) => {
				options.onEnded?.(actorId, how);
				elsewhere?.ended(actorId, generation, how);
			},
		});
		const parts = { store, logger, incarnations: this.#incarnations, backoff: this.#backoff };
		this.#starts = new Starts({
			...parts,
			region,
			...(socketsOf && { socketsOf }),
			...(elsewhere && { elsewhere }),
			sendAway: (...sent) => void this.#sendAway(...sent),
		});
		this.#stops = new Stops(this.#incarnations, logger, elsewhere !== undefined);
		this.#destruction = new Destruction({
			...parts,
			clock,
			hostSlot: this.#hostSlot,
			isClosed: () => this.#closed,
			ready: (actorId, deadlineTs) => this.ready(actorId, deadlineTs, "key"),
			stop: (actorId) => this.stop(actorId, "destroy"),
		});
	}

	/**
	 * Starts actors on this host from now on. The host before it, if there is one, is drained: its actors
	 * go to sleep there, and wake here: at once if the host `wakesMoved`, else when somebody needs them.
	 */
	attach(attached: AttachedHost): HostEvents {
		const previous = this.#hostSlot.attach(attached);
		if (previous !== undefined) {
			this.#moved = this.#drain(previous.host, attached.wakesMoved ?? false);
		}
		return {
			stopping: (...told) => this.#stops.stopping(...told),
			stopped: (...told) => this.#stops.stopped(...told),
			waits: (actorId, generation) => this.#waits(actorId, generation),
			lost: () => this.#lost(attached.host),
		};
	}

	/** Nothing is started before this settles, however it does: who wants an actor waits, within the limits. */
	holdUntil(ready: Promise<unknown>): void {
		this.#hostSlot.hold();
		const release = () => this.#hostSlot.release();
		ready.then(release, release);
	}

	/** An incarnation that lives on the host already: an earlier process of this engine has begun it. */
	resume(actor: ActorRecord): void {
		const { attached } = this.#hostSlot;
		if (this.#closed || attached === undefined || this.#incarnations.has(actor.actorId)) {
			return;
		}
		const begins = { phase: "starting", intent: undefined } as const;
		const placed = newPlaced(actor.actorId, attached.host, begins);
		placed.generation = actor.generation;
		this.#incarnations.add(placed);
		this.#incarnations.started(placed, actor);
	}

	get liveCount(): number {
		return this.#incarnations.size;
	}

	/** How many starts wait for room at the host, or for the end of a pause. */
	get waiting(): WaitingCounts {
		return this.#incarnations.waiting;
	}

	/** The live incarnation, on whatever node, if calls can be given to it now. */
	live(actorId: string): Incarnation | undefined {
		const placed = this.#incarnations.get(actorId);
		const { elsewhere } = this.#options;
		if (elsewhere === undefined) {
			return placed?.phase === "live" ? placed : undefined;
		}
		return placed === undefined ? elsewhere.live(actorId) : this.liveHere(actorId);
	}

	/** As {@link live}, on this node. */
	liveHere(actorId: string): Incarnation | undefined {
		const placed = this.#incarnations.get(actorId);
		// The lease is looked at before every call: timers are late in a process that was stopped.
		return placed?.phase === "live" && this.#options.elsewhere?.isServing !== false
			? placed
			: undefined;
	}

	/** Id of the live incarnation with this name and serialized key; no store is asked. */
	liveId(namespace: string, name: string, key: string): string | undefined {
		const { elsewhere, spansNamespaces } = this.#options;
		const here = this.#incarnations.liveId({ namespace, name, key });
		// Other nodes' actors are known without their namespace.
		return here ?? (spansNamespaces?.() ? undefined : elsewhere?.liveId(name, key));
	}

	/** Whether a new actor is to begin here; to be asked once for each. */
	takesNext(actor: ActorKind): boolean {
		return this.#options.elsewhere?.takesNext(actor) ?? true;
	}

	/** Whether the host that is attached has actors of this name; true while none is. */
	isHosted(name: string): boolean {
		return this.#hostSlot.attached?.hosts(name) ?? true;
	}

	/** The host that is attached, for questions that need no incarnation. */
	get host(): ActorHost | undefined {
		return this.#hostSlot.attached?.host;
	}

	/** Where the actor's incarnation is in its life; undefined when it has none. */
	phase(actorId: string): Phase | undefined {
		return this.#incarnations.get(actorId)?.phase;
	}

	/** Whether as many starts of this one's pool wait for room here as may, so that no more are to be begun. */
	isCrowdedFor(actorId: string): boolean {
		const pool = this.#incarnations.get(actorId)?.pool;
		return pool !== undefined && this.waiting.in(pool) >= this.#options.limits.wakesWaitingMax;
	}

	/** Whether somebody waits for a change of the incarnation on this node. */
	isAwaited(actorId: string): boolean {
		return (this.#incarnations.get(actorId)?.waiterCount ?? 0) > 0;
	}

	/** Name and serialized key of an actor that lives on this node. */
	placeOf(actorId: string): { readonly name: string; readonly key: string } | undefined {
		return this.#incarnations.get(actorId)?.place;
	}

	/** Whether a start that is under way here waits for room at its host; resolves when that, or its end, is known. */
	async isWaitingHere(actorId: string, deadlineTs: number): Promise<boolean> {
		const placed = this.#incarnations.get(actorId);
		if (placed?.phase !== "starting") {
			return false;
		}
		await this.#incarnations.begun(placed, deadlineTs);
		return placed.isWaiting;
	}

	/** Resolves when the incarnation on this node changes, at once when there is none; within the limits. */
	async changed(actorId: string, deadlineTs: number): Promise<void> {
		const placed = this.#incarnations.get(actorId);
		if (placed !== undefined) {
			await this.#incarnations.changed(placed, deadlineTs);
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
		return this.#starts.assignmentOf(record);
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
		const { elsewhere } = this.#options;
		const how: Wish = { through, elsewhere, isPatient: false, isSentAway: false };
		return (await this.#ready(actorId, deadlineTs, acquired, how)) as Incarnation;
	}

	/** Whether the last start of this actor failed, as far as this node knows. */
	isFailing(actorId: string): boolean {
		return this.#backoff.isFailing(actorId);
	}

	/** As {@link ready}, at once: what made the last start fail is to be mended now. */
	async startAgain(actorId: string, deadlineTs: number): Promise<void> {
		this.#backoff.endPause(actorId);
		await this.ready(actorId, deadlineTs, "id");
	}

	/**
	 * As {@link ready}, on this node or not at all; for calls of other nodes. Undefined when it waits for room, for who
	 * wants no more than that.
	 */
	async readyHere(
		actorId: string,
		deadlineTs: number,
		acquired: ActorRecord,
		wait: RouteWait,
	): Promise<Incarnation | undefined> {
		await null;
		const how: Wish = { through: "key", elsewhere: undefined, ...wait, isSentAway: false };
		const ready = await this.#ready(actorId, deadlineTs, acquired, how);
		return typeof ready === "string" ? undefined : ready;
	}

	/**
	 * Has an actor run that nobody calls: it waits for room at its host however long that takes (contract: engine 6.3).
	 * Resolves when it is live, or waits there, on whatever node. Rejects as {@link ready} does.
	 */
	async wake(actorId: string, deadlineTs: number, acquired?: ActorRecord): Promise<Woken> {
		await null;
		const { elsewhere } = this.#options;
		const how: Wish = { through: "key", elsewhere, isPatient: true, isSentAway: false };
		const ready = await this.#ready(actorId, deadlineTs, acquired, { ...how, onlyBegins: true });
		return typeof ready === "string" ? ready : "live";
	}

	/** No incarnation only for who wants no more than that it begins. */
	async #ready(
		actorId: string,
		deadlineTs: number,
		acquired: ActorRecord | undefined,
		{ through, elsewhere, isPatient, isSentAway, onlyBegins = false }: Wish,
	): Promise<Incarnation | Exclude<Woken, "live">> {
		let fresh = acquired;
		let staysHere = isSentAway;
		for (let wakes = 0; wakes <= WAKES_MAX; wakes++) {
			while (this.#hostSlot.isAwaited && !this.#incarnations.has(actorId)) {
				await this.#nextHost(deadlineTs);
				fresh = undefined;
			}
			while (this.#starts.quota.isUsedUp && !this.#incarnations.has(actorId)) {
				await this.#starts.quota.renewed();
				fresh = undefined;
			}
			if (elsewhere !== undefined && !this.#incarnations.has(actorId)) {
				await elsewhere.serving(deadlineTs);
				if (fresh === undefined || !elsewhere.holds(fresh)) {
					const wait = { isPatient, onlyBegins };
					const route = await this.#route(actorId, deadlineTs, elsewhere, wait);
					if (route.kind === "remote") {
						return route.incarnation;
					}
					if (route.kind === "waiting") {
						if (onlyBegins) {
							return route.isCrowded ? "crowded" : "waiting";
						}
						// Somebody has asked who does not wait for more.
						continue;
					}
					fresh = route.acquired;
				}
			}
			const placed =
				this.#incarnations.get(actorId) ?? this.#begin(actorId, fresh, { staysHere, isPatient });
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
			try {
				if (onlyBegins && placed.phase === "starting") {
					await this.#incarnations.begun(placed, deadlineTs);
					if (placed.isWaiting) {
						return "waiting";
					}
				} else {
					await this.#incarnations.changed(placed, deadlineTs);
				}
			} catch (error) {
				// Whoever may look elsewhere does.
				if (elsewhere === undefined || !(error instanceof StartsElsewhere)) {
					throw error;
				}
				staysHere = true;
			}
		}
		throw catalogueError("guard.actor_wake_retries_exceeded", { actor_id: actorId });
	}

	/** Never rejects: whoever wants it later finds out more. */
	async #sendAway(actorId: string, isPatient: boolean): Promise<void> {
		const { clock, limits, logger, elsewhere } = this.#options;
		const deadlineTs = clock.now() + limits.routeTimeoutMs;
		const how: Wish = { through: "key", elsewhere, isPatient, isSentAway: true };
		try {
			await this.#ready(actorId, deadlineTs, undefined, how);
		} catch (error) {
			// It goes on waiting where it is now, or was deleted.
			logger.debug(
				{ actorId, err: error },
				"an actor that was sent to another node does not run yet",
			);
		}
	}

	/** One for all that ask at the same time, each within its own deadline: the first of them starts what was acquired. */
	async #route(
		actorId: string,
		deadlineTs: number,
		elsewhere: Elsewhere,
		wait: RouteWait,
	): Promise<Route> {
		const { clock } = this.#options;
		for (let known = this.#routing.get(actorId); known; known = this.#routing.get(actorId)) {
			try {
				return await known;
			} catch (error) {
				// Who had begun it had less time, or began earlier.
				if (!isReadyTimeout(error) || clock.now() >= deadlineTs) {
					throw error;
				}
			}
		}
		const blocked = this.#backoff.blocked(actorId);
		if (blocked !== undefined) {
			throw blocked.error;
		}
		const routing = elsewhere
			.route(actorId, deadlineTs, wait)
			.finally(() => this.#routing.delete(actorId));
		this.#routing.set(actorId, routing);
		// Awaited as those that join do: it goes on before them.
		return await routing;
	}

	async #nextHost(deadlineTs: number): Promise<void> {
		const { clock, limits } = this.#options;
		await this.#hostSlot.next(Math.min(limits.readyTimeoutMs, deadlineTs - clock.now()));
	}

	#waits(actorId: string, generation: number): void {
		const placed = this.#incarnations.get(actorId);
		if (placed?.generation === generation) {
			this.#incarnations.waits(placed);
		}
	}

	#begin(actorId: string, acquired: ActorRecord | undefined, wait: StartWait): Placed {
		const { attached } = this.#hostSlot;
		if (this.#closed || attached === undefined) {
			throw catalogueError("guard.service_unavailable");
		}
		return this.#starts.begin(actorId, attached, acquired, wait);
	}

	/** The host answered `ActorGone` for this incarnation. */
	gone(incarnation: Incarnation): void {
		if (this.#options.elsewhere?.gone(incarnation)) {
			return;
		}
		this.#incarnations.tell(incarnation as Placed, "stopping");
	}

	/** Resolves when the actor has no incarnation that is being destroyed. */
	async destroyed(actorId: string, deadlineTs: number): Promise<void> {
		for (;;) {
			const placed = this.#incarnations.get(actorId);
			if (placed === undefined || placed.phase !== "stopping" || placed.intent !== "destroy") {
				return;
			}
			await this.#incarnations.changed(placed, deadlineTs);
		}
	}

	/** Stops the live incarnation and resolves when it is gone. Does nothing when there is none. */
	async stop(actorId: string, intent: StopIntent): Promise<void> {
		await this.#stops.stop(actorId, intent);
	}

	/** Ends the live incarnation, if there is one; an actor that is to go on has another one then, on whatever node. */
	async restart(actorId: string): Promise<void> {
		const goesOn = await this.#stops.stop(actorId, "sleep");
		if (goesOn && !this.#closed) {
			const { clock, limits, left } = this.#options;
			try {
				await this.ready(actorId, clock.now() + limits.routeTimeoutMs, "key");
			} catch (error) {
				left?.();
				throw error;
			}
		}
	}

	/**
	 * Destroys the actor: a sleeping one is woken for it, so that its hooks run; one that cannot start
	 * loses its data without them. Resolves when that is durable.
	 *
	 * @throws `actor.not_found` when there never was such an actor, `guard.service_unavailable` when there is
	 * no host to wake it on, or the engine closes
	 */
	destroy(actorId: string, deadlineTs: number): Promise<void> {
		return this.#destruction.destroy(actorId, deadlineTs);
	}

	/**
	 * Deletes an actor that has no incarnation, and keeps others from starting one meanwhile. Does nothing when it
	 * has one.
	 */
	bury(actorId: string): Promise<void> {
		return this.#destruction.bury(actorId);
	}

	/** Starts nothing more, and stops every incarnation. Resolves when all are gone. */
	async close(): Promise<void> {
		this.#closed = true;
		this.#hostSlot.release();
		this.#hostSlot.close();
		await this.#stops.stopAll();
	}

	/** This node may run nothing any more: whatever it ran is over, and writes nothing from now on. */
	abandon(): void {
		const host = this.#hostSlot.attached?.host;
		this.#stops.abandonAll();
		host?.abandon?.();
	}

	#lost(host: ActorHost): void {
		this.#hostSlot.lost(host, !this.#closed);
		this.#stops.lostWith(host);
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
		const leaving = this.#incarnations.all().filter((placed) => placed.host === host);
		const move = async (actorId: string): Promise<void> => {
			await this.restart(actorId);
			if (wakesMoved && !this.#closed) {
				await this.ready(actorId, clock.now() + limits.routeTimeoutMs, "key");
			}
		};
		await Promise.all(
			leaving.map(({ actorId }) =>
				move(actorId).catch((error: unknown) => {
					this.#options.logger.error(
						{ actorId, err: error },
						"an actor could not be moved from a host that was replaced",
					);
				}),
			),
		);
	}
}
