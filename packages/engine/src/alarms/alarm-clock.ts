/**
 * Wakes actors whose alarm is due (engine 6.4). One timer for all of them: the store knows the order.
 *
 * - A1. An alarm wakes, it carries nothing: a live actor looks at its own schedule, so nothing is done
 *   for it here until it stops with the alarm still due.
 * - A2. An actor that fails to start, or waits for room at its host, does not hold up the others; the first is tried again.
 *   While `wakesWaitingMax` of a pool wait for room, no further one of it is woken.
 * - A3. Each due alarm is read once, and once more of a pool that had no room, or of a name that nobody hosted. Sleeping actors cost nothing
 *   here, however many there are and however many are due; live ones with a due alarm cost an entry in a set.
 * - A4. When the process begins, what its predecessor left is woken after those with due alarms: actors that store
 *   connections, as the sockets were that one's, so their clients are gone and the actors have yet to hear of it; and
 *   those with crash policy `restart` that nobody has put to sleep (lifecycle 17), unless they were on runners.
 * - A5. An actor that was woken for an alarm and sleeps again without having dealt with it is woken for the
 *   same one once a second: it must not go round as fast as the processor lets it.
 */
import { type Clock, delayUntil, type Timer } from "@rivetkit/protocol";
import { isActorNotFound } from "../common/errors.ts";
import type { EngineLimits } from "../common/limits.ts";
import type { EngineLogger } from "../common/logger.ts";
import type { PoolName } from "../common/pool-state.ts";
import type { Placement } from "../placement/placement.ts";
import { TurnQuota } from "../placement/turn-quota.ts";
import {
	type ActorRecord,
	type AlarmPosition,
	BEFORE_ALL_ALARMS,
	type Store,
} from "../store/store.ts";
import { isToResume } from "../store/to-resume.ts";

/** Pause before an actor that could not be woken, or goes round (A5), is woken again, at least. */
const RETRY_MS = 1_000;
/** Alarms that are read together: first a few, as most of the time there are few. */
const FIRST_PAGE = 16;
const PAGE = 256;
/** Pause before it is looked again whether somebody hosts actors of a name that nobody hosted. */
const UNHOSTED_RETRY_MS = 600_000;

/** Pause between two pages of what was put off: others' alarms are looked at between them. */
const PUT_OFF_LOOK_MS = 10;
/** Actors that are looked up in one turn of the event loop, whether or not they are then woken. */
const LOOK_UPS_PER_TURN_MAX = 256;

/** Due alarms of some kind of actors that cannot be woken now. */
interface PutOff {
	/** Whether they still cannot. */
	readonly isHeldUp: () => boolean;
	/** How often that is looked at, at least (ms). */
	readonly lookMs: number;
	readonly has: (actor: ActorRecord) => boolean;
	/** Up to where they have been read again. */
	position: AlarmPosition;
	/** From where one has been left since that reading began; null for none. */
	leftFrom: AlarmPosition | null;
}

export interface AlarmClockOptions {
	readonly store: Store;
	readonly placement: Placement;
	readonly clock: Clock;
	readonly limits: EngineLimits;
	readonly logger: EngineLogger;
	/** Whether actors are on runners: `resumeLeftActors` looks after those that ran. Default: they are not. */
	readonly isApart?: () => boolean;
}

export class AlarmClock {
	readonly #options: AlarmClockOptions;
	/** Alarms up to here have been dealt with; those at this place and before are not read again (A3). */
	#position = BEFORE_ALL_ALARMS;
	/** Actors with a due alarm that are live, or about to be: theirs counts when they stop (A1). */
	readonly #live = new Set<string>();
	/** For which alarm actors were woken last that have not dealt with it yet, and when (A5). */
	readonly #woken = new Map<string, { readonly alarmTs: number; readonly atTs: number }>();
	/** When to try again to wake actors that could not be started, or go round, in ms since the epoch. */
	readonly #retries = new Map<string, number>();
	/** Names of actors that are to be woken and that nobody hosts, of which the log tells. */
	readonly #unhosted = new Set<string>();
	/** Due actors whose turn to be started has not come. */
	readonly #waiting = new Set<string>();
	/** Actors to be woken because the process that ran them is gone (A4), not yet done with. */
	readonly #left = new Set<string>();
	/**
	 * Pools of which so many wait for room that no more are woken, and names that nobody hosts, and from where their alarms are
	 * to be read again: what was read is not kept (A3).
	 */
	readonly #putOff = new Map<string, PutOff>();
	/** Up to which id actors were read that the process before has left; null when all were. */
	#leftAfter: string | null = "";
	#wakeCount = 0;
	readonly #lookUps = new TurnQuota(LOOK_UPS_PER_TURN_MAX);
	#timer: Timer | undefined;
	#timerTs = Number.POSITIVE_INFINITY;
	/** A look at the store that is under way, and whether another one has to follow. */
	#looking = false;
	#lookAgain = false;
	#running = false;

	constructor(options: AlarmClockOptions) {
		this.#options = options;
	}

	/** Arms the timer for the earliest alarm; overdue ones wake their actors now. */
	start(): void {
		this.#running = true;
		// What could not be started may be what a new host has.
		for (const actorId of this.#retries.keys()) {
			this.#retries.set(actorId, 0);
		}
		this.#unhosted.clear();
		this.#woken.clear();
		this.#look();
	}

	stop(): void {
		this.#running = false;
		this.#woken.clear();
		this.#disarm();
	}

	/** A live actor's alarm was committed as this (`null`: cleared). */
	committed(actorId: string, alarmTs: number | null): void {
		if (!this.#running) {
			return;
		}
		const now = this.#options.clock.now();
		if (alarmTs !== null && alarmTs <= now) {
			// It may lie where has been read already.
			this.#live.add(actorId);
			return;
		}
		this.#live.delete(actorId);
		if (this.#woken.delete(actorId)) {
			this.#retries.delete(actorId);
		}
		if (alarmTs !== null) {
			this.#keepUnread(now);
			this.#armBy(alarmTs);
		}
	}

	/** An actor that sleeps came into being with this alarm. */
	imported(actorId: string, alarmTs: number | null): void {
		this.committed(actorId, alarmTs);
		this.stopped(actorId);
	}

	/** An incarnation is gone, or its start failed; if its alarm is still due, it is woken again. */
	stopped(actorId: string): void {
		if (this.#live.delete(actorId) && this.#running) {
			this.#waiting.add(actorId);
			this.#wakeWaiting();
		}
	}

	/** What is due after `now` has to be read when it is, though the clock may have been set back. */
	#keepUnread(now: number): void {
		if (this.#position.alarmTs > now) {
			this.#position = { alarmTs: now, actorId: "" };
		}
	}

	#retryAt(actorId: string, ts: number): void {
		if (this.#running) {
			this.#retries.set(actorId, ts);
			this.#armBy(ts);
		}
	}

	/** Makes sure that there is a look at `ts` or before. */
	#armBy(ts: number): void {
		if (ts >= this.#timerTs) {
			return;
		}
		this.#disarm();
		this.#timerTs = ts;
		const { clock } = this.#options;
		this.#timer = clock.after(delayUntil(clock, ts), () => this.#look());
	}

	#disarm(): void {
		this.#timer?.stop();
		this.#timer = undefined;
		this.#timerTs = Number.POSITIVE_INFINITY;
	}

	#look(): void {
		this.#disarm();
		if (this.#looking) {
			this.#lookAgain = true;
			return;
		}
		this.#looking = true;
		this.#readDue()
			.catch((error: unknown) => {
				this.#options.logger.error({ err: error }, "due alarms could not be read");
				return this.#options.clock.now() + RETRY_MS;
			})
			.then((nextTs) => {
				this.#looking = false;
				if (!this.#running) {
					return;
				}
				this.#wakeWaiting();
				if (this.#lookAgain) {
					this.#lookAgain = false;
					this.#look();
				} else {
					this.#armBy(nextTs);
				}
			});
	}

	/**
	 * Queues what is due, as far as there is room; resolves with when to look again. What does not find room is
	 * read when there is.
	 */
	async #readDue(): Promise<number> {
		const now = this.#options.clock.now();
		const retryTs = this.#queueRetries(now);
		this.#keepUnread(now);
		const nextTs = await this.#readAlarms(now);
		await this.#readLeft();
		const putOffTs = await this.#readPutOff(now);
		return Math.min(retryTs, nextTs, putOffTs);
	}

	/** Resolves with the time of the first alarm that is not due, as far as it came to see it. */
	async #readAlarms(now: number): Promise<number> {
		const { store } = this.#options;
		for (let limit = FIRST_PAGE; this.#running && this.#hasRoom; limit = PAGE) {
			const alarms = await store.dueAlarms(Number.MAX_SAFE_INTEGER, limit, this.#position);
			for (const { actorId, alarmTs } of alarms) {
				if (alarmTs > now) {
					return alarmTs;
				}
				this.#position = { alarmTs, actorId };
				this.#queue(actorId);
			}
			if (alarms.length < limit) {
				break;
			}
		}
		return Number.POSITIVE_INFINITY;
	}

	/** Queues what is due of those that can be woken again, a page of each kind. Resolves with when to look again. */
	async #readPutOff(now: number): Promise<number> {
		let nextTs = Number.POSITIVE_INFINITY;
		for (const [id, putOff] of this.#putOff) {
			if (putOff.isHeldUp()) {
				nextTs = Math.min(nextTs, now + putOff.lookMs);
				continue;
			}
			if (!this.#running || !this.#hasRoom) {
				nextTs = Math.min(nextTs, now + RETRY_MS);
				continue;
			}
			const isThrough = await this.#readOnePageOf(putOff, now);
			if (isThrough && putOff.leftFrom === null) {
				this.#putOff.delete(id);
			} else {
				nextTs = Math.min(nextTs, now + PUT_OFF_LOOK_MS);
			}
		}
		return nextTs;
	}

	/** Resolves with whether nothing more was due. Ends early when one is left meanwhile: they cannot be woken again. */
	async #readOnePageOf(putOff: PutOff, now: number): Promise<boolean> {
		const { store } = this.#options;
		putOff.position = earlier(putOff.position, putOff.leftFrom);
		putOff.leftFrom = null;
		const page = await store.dueAlarms(now, PAGE, putOff.position);
		for (const { actorId, alarmTs } of page) {
			if (!this.#hasRoom || putOff.leftFrom !== null) {
				return false;
			}
			const record = await store.actorById(actorId);
			putOff.position = { actorId, alarmTs };
			if (record !== undefined && putOff.has(record)) {
				this.#queue(actorId);
			}
		}
		return page.length < PAGE;
	}

	/** Leaves a due alarm to when there is room in its pool. */
	#leaveCrowded(pool: PoolName, alarmTs: number): void {
		this.#leave(JSON.stringify([pool.namespace, pool.pool]), alarmTs, {
			isHeldUp: () => this.#isCrowded(pool),
			lookMs: RETRY_MS,
			has: ({ namespace, runnerNameSelector }) =>
				namespace === pool.namespace && runnerNameSelector === pool.pool,
		});
	}

	/** Leaves a due alarm to when somebody hosts actors of its name. */
	#leaveUnhosted(name: string, alarmTs: number): void {
		const { placement } = this.#options;
		this.#leave(JSON.stringify(name), alarmTs, {
			isHeldUp: () => placement.host === undefined || !placement.isHosted(name),
			lookMs: UNHOSTED_RETRY_MS,
			has: (actor) => actor.name === name,
		});
	}

	/** @param id - of what `kind` is */
	#leave(id: string, alarmTs: number, kind: Omit<PutOff, "position" | "leftFrom">): void {
		const known = this.#putOff.get(id);
		// Before all others of the same time.
		const position = { alarmTs, actorId: "" };
		if (known === undefined) {
			this.#putOff.set(id, { ...kind, position, leftFrom: null });
			this.#armBy(this.#options.clock.now() + kind.lookMs);
		} else {
			// Wherever it lies, a page that is being read need not have it.
			known.leftFrom = earlier(position, known.leftFrom);
		}
	}

	/** Queues actors that the process before has left, as far as there is room (A4). */
	async #readLeft(): Promise<void> {
		while (this.#running && this.#hasRoom && this.#leftAfter !== null) {
			const actorIds = await this.#options.store.actorsToResume(PAGE, this.#leftAfter);
			for (const actorId of actorIds) {
				// One that is live has found out by itself.
				if (this.#options.placement.live(actorId) === undefined) {
					this.#left.add(actorId);
					this.#queue(actorId);
				}
			}
			this.#leftAfter = actorIds.length < PAGE ? null : actorIds.at(-1)!;
		}
	}

	/** While this holds, more alarms are read. */
	get #hasRoom(): boolean {
		return this.#waiting.size < this.#options.limits.wakesAtOnceMax;
	}

	#queue(actorId: string): void {
		if (this.#retries.has(actorId) || this.#live.has(actorId)) {
			return;
		}
		if (this.#options.placement.live(actorId) === undefined) {
			this.#waiting.add(actorId);
		} else {
			this.#live.add(actorId);
		}
	}

	/** Returns when the next one is worth another attempt. */
	#queueRetries(now: number): number {
		let nextTs = Number.POSITIVE_INFINITY;
		for (const [actorId, retryTs] of this.#retries) {
			if (retryTs <= now) {
				this.#retries.delete(actorId);
				this.#waiting.add(actorId);
			} else {
				nextTs = Math.min(nextTs, retryTs);
			}
		}
		return nextTs;
	}

	#wakeWaiting(): void {
		if (!this.#running) {
			return;
		}
		const hadRoom = this.#hasRoom;
		for (const actorId of this.#waiting) {
			if (this.#wakeCount >= this.#options.limits.wakesAtOnceMax) {
				break;
			}
			this.#waiting.delete(actorId);
			this.#wakeCount++;
			void this.#wake(actorId).then(() => {
				this.#wakeCount--;
				this.#wakeWaiting();
			});
		}
		if (!hadRoom && this.#hasRoom) {
			this.#look();
		}
	}

	/** Whether so many of a pool wait for room that no further actor of it is woken. */
	#isCrowded(pool: PoolName): boolean {
		const { placement, limits } = this.#options;
		return placement.waiting.in(pool) >= limits.wakesWaitingMax;
	}

	async #wake(actorId: string): Promise<void> {
		const { placement, clock, limits, logger } = this.#options;
		try {
			while (this.#lookUps.isUsedUp) {
				await this.#lookUps.renewed();
			}
			this.#lookUps.use();
			if (!(await this.#isWorthWaking(actorId))) {
				return;
			}
			await placement.wake(actorId, clock.now() + limits.routeTimeoutMs);
			// One that waits for room does so without end: it is heard of when it has ended.
			const phase = placement.phase(actorId);
			if (phase === "live" || phase === "starting") {
				this.#live.add(actorId);
			} else {
				this.#waiting.add(actorId);
			}
			this.#left.delete(actorId);
		} catch (error) {
			if (!this.#running || isActorNotFound(error)) {
				this.#left.delete(actorId);
				return;
			}
			const what = this.#left.has(actorId)
				? "an actor could not be started that the process before has left; it is tried again"
				: "an actor could not be woken by its alarm";
			logger.warn({ actorId, err: error }, what);
			this.#retryAt(actorId, Math.max(placement.retryTs(actorId), clock.now() + RETRY_MS));
		}
	}

	/** Whether an actor's alarm is still due or it is as the process before has left it, and somebody hosts actors like it. */
	async #isWorthWaking(actorId: string): Promise<boolean> {
		const { store, placement, clock, logger } = this.#options;
		const record = await store.actorById(actorId);
		const alarmTs = record?.alarmTs ?? null;
		if (!this.#running || record === undefined) {
			return false;
		}
		const now = clock.now();
		if (alarmTs !== null && alarmTs > now) {
			this.#keepUnread(now);
			this.#armBy(alarmTs);
		}
		const isDue = alarmTs !== null && alarmTs <= now;
		if (!isDue && !(this.#left.has(actorId) && this.#isToResume(record))) {
			this.#left.delete(actorId);
			this.#woken.delete(actorId);
			return false;
		}
		const { name, namespace, runnerNameSelector } = record;
		const pool: PoolName = { namespace, pool: runnerNameSelector };
		if (isDue && this.#isCrowded(pool)) {
			this.#leaveCrowded(pool, alarmTs);
			return false;
		}
		if (placement.isHosted(name)) {
			return !isDue || this.#isItsTurn(actorId, alarmTs, now);
		}
		if (!this.#unhosted.has(name)) {
			this.#unhosted.add(name);
			logger.warn({ name }, "actors wait to be woken: no actor of this name is registered here");
		}
		if (isDue) {
			this.#leaveUnhosted(name, alarmTs);
		} else {
			this.#retryAt(actorId, now + UNHOSTED_RETRY_MS);
		}
		return false;
	}

	#isToResume(record: ActorRecord): boolean {
		const { isApart } = this.#options;
		return isApart?.() === true ? record.connected : isToResume(record);
	}

	/** False when it was woken for the same alarm just now (A5); it is then tried again. */
	#isItsTurn(actorId: string, alarmTs: number, now: number): boolean {
		const last = this.#woken.get(actorId);
		if (last?.alarmTs === alarmTs && now >= last.atTs && now - last.atTs < RETRY_MS) {
			this.#retryAt(actorId, last.atTs + RETRY_MS);
			return false;
		}
		this.#woken.set(actorId, { alarmTs, atTs: now });
		return true;
	}
}

function earlier(one: AlarmPosition, other: AlarmPosition | null): AlarmPosition {
	return other !== null && other.alarmTs <= one.alarmTs ? other : one;
}
