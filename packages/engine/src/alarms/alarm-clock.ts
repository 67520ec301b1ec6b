/**
 * Wakes actors whose alarm is due (engine 6.4). One timer for all of them: the store knows the order.
 *
 * - A1. An alarm wakes, it carries nothing: a live actor looks at its own schedule, so nothing is done
 *   for it here until it stops with the alarm still due.
 * - A2. An actor that fails to start does not hold up the others; it is tried again.
 */
import type { Clock, Timer } from "@rivetkit/protocol";
import { isActorNotFound } from "../common/errors.ts";
import type { EngineLimits } from "../common/limits.ts";
import type { EngineLogger } from "../common/logger.ts";
import type { Placement } from "../placement/placement.ts";
import type { Store } from "../store/store.ts";

/** Pause before an actor that could not be woken is tried again, at least. */
const RETRY_MS = 1_000;
/** Alarms that are looked at together; more are looked at when these are not enough. */
const PAGE = 256;
/** Actors that are started at the same time. */
const WAKES_AT_ONCE = 64;

export interface AlarmClockOptions {
	readonly store: Store;
	readonly placement: Placement;
	readonly clock: Clock;
	readonly limits: EngineLimits;
	readonly logger: EngineLogger;
}

/** A due alarm that something was done about. */
interface Seen {
	readonly alarmTs: number;
	/** When to look again, in ms since the epoch; infinite while the actor is live. */
	readonly retryTs: number;
}

export class AlarmClock {
	readonly #options: AlarmClockOptions;
	readonly #seen = new Map<string, Seen>();
	readonly #waiting: { readonly actorId: string; readonly alarmTs: number }[] = [];
	#wakeCount = 0;
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
		this.#look();
	}

	stop(): void {
		this.#running = false;
		this.#disarm();
	}

	/** An actor's alarm was committed as this (`null`: cleared). */
	committed(alarmTs: number | null): void {
		if (this.#running && alarmTs !== null && alarmTs < this.#timerTs) {
			this.#arm(alarmTs);
		}
	}

	/** An incarnation is gone; if its alarm is still due, it is woken again. */
	stopped(actorId: string): void {
		if (this.#seen.delete(actorId) && this.#running) {
			this.#look();
		}
	}

	#arm(ts: number): void {
		this.#disarm();
		this.#timerTs = ts;
		this.#timer = this.#options.clock.after(ts - this.#options.clock.now(), () => this.#look());
	}

	#disarm(): void {
		this.#timer?.stop();
		this.#timer = undefined;
		this.#timerTs = Number.POSITIVE_INFINITY;
	}

	#look(): void {
		if (this.#looking) {
			this.#lookAgain = true;
			return;
		}
		this.#looking = true;
		this.#queueDue()
			.catch((error: unknown) => {
				this.#options.logger.error({ err: error }, "due alarms could not be read");
				return this.#options.clock.now() + RETRY_MS;
			})
			.then((nextTs) => {
				this.#looking = false;
				if (!this.#running) {
					return;
				}
				if (this.#lookAgain) {
					this.#lookAgain = false;
					this.#look();
				} else if (nextTs < this.#timerTs) {
					this.#arm(nextTs);
				}
			});
	}

	/** Queues what is due; resolves with when to look again. */
	async #queueDue(): Promise<number> {
		this.#disarm();
		const { clock } = this.#options;
		const now = clock.now();
		const alarms = await this.#alarmsUntilAfter(now);
		const due = new Map<string, number>();
		let nextTs = Number.POSITIVE_INFINITY;
		for (const { actorId, alarmTs } of alarms) {
			if (alarmTs <= now) {
				due.set(actorId, alarmTs);
			} else {
				nextTs = Math.min(nextTs, alarmTs);
			}
		}
		for (const [actorId, seen] of this.#seen) {
			if (due.get(actorId) !== seen.alarmTs) {
				this.#seen.delete(actorId);
			}
		}
		for (const [actorId, alarmTs] of due) {
			const seen = this.#seen.get(actorId);
			if (seen === undefined || seen.retryTs <= now) {
				// Noted before the wait: an actor that stops meanwhile is taken off and looked at again.
				this.#seen.set(actorId, { alarmTs, retryTs: Number.POSITIVE_INFINITY });
				this.#waiting.push({ actorId, alarmTs });
			} else {
				nextTs = Math.min(nextTs, seen.retryTs);
			}
		}
		this.#wakeWaiting();
		return nextTs;
	}

	#wakeWaiting(): void {
		while (this.#running && this.#wakeCount < WAKES_AT_ONCE) {
			const next = this.#waiting.shift();
			if (next === undefined) {
				return;
			}
			this.#wakeCount++;
			void this.#wake(next.actorId, next.alarmTs).then(() => {
				this.#wakeCount--;
				this.#wakeWaiting();
			});
		}
	}

	/** All alarms that are due, and the first one that is not. */
	async #alarmsUntilAfter(now: number): Promise<{ actorId: string; alarmTs: number }[]> {
		for (let limit = PAGE; ; limit *= 4) {
			const alarms = await this.#options.store.dueAlarms(Number.MAX_SAFE_INTEGER, limit);
			if (alarms.length < limit || alarms.at(-1)!.alarmTs > now) {
				return alarms;
			}
		}
	}

	async #wake(actorId: string, alarmTs: number): Promise<void> {
		const { placement, clock, limits, logger } = this.#options;
		try {
			await placement.ready(actorId, clock.now() + limits.routeTimeoutMs, "key");
		} catch (error) {
			if (isActorNotFound(error)) {
				this.#seen.delete(actorId);
				return;
			}
			logger.warn({ actorId, alarmTs, err: error }, "an actor could not be woken by its alarm");
			const retryTs = Math.max(placement.retryTs(actorId), clock.now() + RETRY_MS);
			this.#seen.set(actorId, { alarmTs, retryTs });
			this.committed(retryTs);
		}
	}
}
