/**
 * Wakes actors whose alarm is due, where several nodes share a store: each takes some of those that are due, and
 * nobody else gets these (engine 10.4).
 *
 * - A1. A claim acquires: who wakes an actor for its alarm runs it.
 * - A2. The store is asked at intervals, when an alarm is due that this node knows of, and when another node says
 *   that there is something. It tells what is due before the next look.
 * - A3. One that cannot be woken, or sleeps again without having dealt with its alarm, is left alone for a second at
 *   least: the store sees to that.
 * - A5. A pool in which not all that are taken at once could wait for room without being more than `wakesWaitingMax` is left
 *   alone until they could; the others are not.
 * - A4. When a node dies, one other wakes the actors that store connections and that nobody runs: their clients may
 *   be gone with it.
 * - A6. What the store took without that its answer came (the connection broke) is given back: nobody else would ever wake it.
 */
import type { Clock, Random, Timer } from "@rivetkit/protocol";
import { isActorNotFound } from "../common/errors.ts";
import type { EngineLimits } from "../common/limits.ts";
import type { EngineLogger } from "../common/logger.ts";
import type { PoolName } from "../common/pool-state.ts";
import type { Placement } from "../placement/placement.ts";
import type { ActorRecord } from "../store/store.ts";

const POLL_MS = 200;
/** Between two looks for alarms that are known (ms): those that are due meanwhile are taken together. */
const LOOK_APART_MS = 10;
const RETRY_MS = 1_000;
/** While a pool is crowded, the pause after a look is so many times as long as the look. */
const CROWDED_REST = 4;
const PAGE = 256;
/** How long after it has failed a claim may still be made by a server that has not noticed (ms): a statement's limit, and room. */
const UNHEARD_MS = 60_000;

/** What alarms need of the store that the nodes share. */
export interface AlarmClaims {
	/**
	 * Takes actors that are due and that nobody runs, of these names, for this node; none without a lease. When it rejects it may
	 * have taken some all the same.
	 *
	 * @param without - pools whose actors are left alone
	 */
	claimDue(
		names: readonly string[],
		limit: number,
		without: readonly PoolName[],
	): Promise<ActorRecord[]>;
	/**
	 * When the first of those that are not due yet will be (ms since the epoch), if that is within `withinMs`;
	 * null for none.
	 */
	nextDue(names: readonly string[], withinMs: number): Promise<number | null>;
	/** Gives back an actor that was taken and does not run: nobody else takes it from a node that lives. */
	giveBack(actor: Pick<ActorRecord, "actorId" | "generation">): Promise<void>;
	/**
	 * Actors with a due alarm that this node has, be they run or not. Of those that it has acquired otherwise, whoever did so
	 * has been told by then.
	 */
	ownedDue(): Promise<readonly Pick<ActorRecord, "actorId" | "generation">[]>;
	/** Leaves a due alarm alone until then (ms since the epoch), unless there is a newer generation. */
	postpone(actorId: string, generation: number, untilMs: number): Promise<void>;
	/** Actors that store connections and that nobody runs, in order, strictly after `after`. */
	restingWithConnections(limit: number, after: string): Promise<string[]>;
}

export interface ClaimedAlarmsOptions {
	readonly claims: AlarmClaims;
	readonly placement: Placement;
	readonly clock: Clock;
	readonly random: Random;
	readonly limits: EngineLimits;
	readonly logger: EngineLogger;
	readonly names: () => readonly string[];
}

export class ClaimedAlarms {
	readonly #options: ClaimedAlarmsOptions;
	#timer: Timer | undefined;
	#timerTs = Number.POSITIVE_INFINITY;
	#looking = false;
	/** It was time to look while a look was under way. */
	#lookAgain = false;
	#running = false;
	/** Actors that are being woken. */
	#waking = 0;
	/** Whether connections have to be looked for that a dead node has left (A4). */
	#lookForLost = false;
	#sweeping = false;
	/** Until when actors may have been taken without that this node was told (A6), in ms since the epoch; null for none. */
	#unheardUntilTs: number | null = null;
	/** When they are looked for next. */
	#unheardLookTs = 0;

	constructor(options: ClaimedAlarmsOptions) {
		this.#options = options;
	}

	start(): void {
		this.#running = true;
		this.#armBy(0);
	}

	stop(): void {
		this.#running = false;
		this.#timer?.stop();
	}

	/** An alarm was committed here: somebody has to look when it is due. */
	committed(_actorId: string, alarmTs: number | null): void {
		if (alarmTs !== null) {
			this.#armBy(alarmTs);
		}
	}

	imported(actorId: string, alarmTs: number | null): void {
		this.committed(actorId, alarmTs);
	}

	/** Its alarm is in the store, which is asked again soon. */
	stopped(_actorId: string): void {}

	/** Another node says that something may be due which it does not take itself. */
	hinted(): void {
		this.#armBy(0);
	}

	/** Nodes have died. */
	nodesDied(): void {
		this.#lookForLost = true;
		this.#sweep();
	}

	#armBy(ts: number): void {
		if (!this.#running || ts >= this.#timerTs) {
			return;
		}
		const { clock } = this.#options;
		this.#timer?.stop();
		this.#timerTs = ts;
		const delayMs = Math.min(Math.max(0, ts - clock.now()), POLL_MS);
		this.#timer = clock.after(delayMs, () => {
			this.#timerTs = Number.POSITIVE_INFINITY;
			void this.#look();
		});
	}

	get #atOnceMax(): number {
		const { wakesAtOnceMax, wakesWaitingMax } = this.#options.limits;
		return Math.min(wakesAtOnceMax, wakesWaitingMax);
	}

	async #look(): Promise<void> {
		if (this.#looking) {
			this.#lookAgain = true;
			return;
		}
		const { claims, placement, clock, random, limits, logger, names } = this.#options;
		this.#looking = true;
		let nextMs = POLL_MS * (0.5 + random.fraction());
		try {
			if (this.#unheardUntilTs !== null) {
				await this.#giveBackUnheard(this.#unheardUntilTs);
			}
			// Whatever pool those are of that are taken now, no more wait in it than may.
			const crowded = placement.waiting.crowded(limits.wakesWaitingMax - this.#atOnceMax + 1);
			const limit = this.#atOnceMax - this.#waking;
			const beganTs = clock.now();
			const [claiming, next] = await Promise.allSettled([
				limit > 0 ? this.#claim(limit, crowded) : 0,
				claims.nextDue(names(), POLL_MS * 2),
			]);
			const [claimedCount, nextTs] = [resultOf(claiming), resultOf(next)];
			if (this.#lookAgain || (claimedCount === limit && limit > 0)) {
				nextMs = 0;
			} else if (nextTs !== null) {
				nextMs = Math.min(nextMs, Math.max(LOOK_APART_MS, nextTs - clock.now()));
			}
			if (crowded.length > 0) {
				// Those that are left alone are read each time, however many they are.
				nextMs = Math.max(nextMs, CROWDED_REST * (clock.now() - beganTs));
			}
		} catch (error) {
			logger.error({ err: error }, "due alarms could not be read");
			nextMs = RETRY_MS;
		}
		this.#looking = false;
		this.#lookAgain = false;
		this.#armBy(clock.now() + nextMs);
	}

	/** Wakes those at once that it takes, whatever else fails: nobody else takes them from a node that lives. Returns how many. */
	async #claim(limit: number, without: readonly PoolName[]): Promise<number> {
		const { claims, clock, names } = this.#options;
		let claimed: readonly ActorRecord[];
		try {
			claimed = await claims.claimDue(names(), limit, without);
		} catch (error) {
			this.#unheardUntilTs = clock.now() + UNHEARD_MS;
			throw error;
		}
		for (const record of claimed) {
			void this.#wake(record);
		}
		return claimed.length;
	}

	/** Nothing else is being taken meanwhile, and what was taken before has begun, or was given back. */
	async #giveBackUnheard(untilTs: number): Promise<void> {
		const { claims, placement, clock } = this.#options;
		const now = clock.now();
		if (now < this.#unheardLookTs) {
			return;
		}
		this.#unheardLookTs = now + RETRY_MS;
		const owned = await claims.ownedDue();
		const unheard = owned.filter(({ actorId }) => placement.phase(actorId) === undefined);
		await Promise.all(unheard.map((actor) => this.#giveBack(actor)));
		if (now >= untilTs) {
			this.#unheardUntilTs = null;
		}
	}

	async #giveBack(actor: Pick<ActorRecord, "actorId" | "generation">): Promise<void> {
		const { claims, logger } = this.#options;
		await claims.giveBack(actor).catch((obstacle: unknown) => {
			logger.warn({ actorId: actor.actorId, err: obstacle }, "an actor could not be given back");
		});
	}

	async #wake(record: ActorRecord): Promise<void> {
		const { placement, clock, limits, logger, claims } = this.#options;
		const { actorId, generation } = record;
		this.#waking++;
		try {
			// One that waits for room does so without end, and is this node's for as long.
			await placement.wake(actorId, clock.now() + limits.routeTimeoutMs, record);
		} catch (error) {
			// One that may not be started yet, say: its start has not released it, as there was none. One whose start
			// takes longer than was waited for keeps it.
			if (placement.phase(actorId) === undefined) {
				await this.#giveBack(record);
			}
			if (this.#running && !isActorNotFound(error)) {
				logger.warn({ actorId, err: error }, "an actor could not be woken by its alarm");
				const untilMs = Math.max(placement.retryTs(actorId), clock.now() + RETRY_MS);
				await claims.postpone(actorId, generation, untilMs).catch((obstacle: unknown) => {
					logger.warn({ actorId, err: obstacle }, "an alarm could not be postponed");
				});
			}
		} finally {
			this.#waking--;
			if (this.#waking === this.#atOnceMax - 1) {
				this.#armBy(0);
			}
		}
	}

	/** Wakes the actors of A4, some at a time. */
	#sweep(): void {
		if (this.#sweeping || !this.#running || !this.#lookForLost) {
			return;
		}
		this.#sweeping = true;
		this.#lookForLost = false;
		this.#wakeLost().then(
			() => {
				this.#sweeping = false;
				this.#sweep();
			},
			(error: unknown) => {
				this.#options.logger.error(
					{ err: error },
					"actors whose connections may be lost could not be looked for",
				);
				this.#lookForLost = true;
				// Until then nobody else begins: it would fail, too.
				this.#options.clock.after(RETRY_MS, () => {
					this.#sweeping = false;
					this.#sweep();
				});
			},
		);
	}

	async #wakeLost(): Promise<void> {
		const { claims, placement, clock, limits, logger } = this.#options;
		for (let after = ""; this.#running; ) {
			const page = await claims.restingWithConnections(PAGE, after);
			for (let at = 0; at < page.length && this.#running; at += limits.wakesAtOnceMax) {
				await Promise.all(
					page.slice(at, at + limits.wakesAtOnceMax).map((actorId) =>
						placement
							.ready(actorId, clock.now() + limits.routeTimeoutMs, "key")
							.catch((error: unknown) => {
								if (!isActorNotFound(error)) {
									logger.warn(
										{ actorId, err: error },
										"an actor could not be woken for its lost connections",
									);
								}
							}),
					),
				);
			}
			if (page.length < PAGE) {
				return;
			}
			after = page.at(-1)!;
		}
	}
}

/** What it resolved with; throws what it rejected with. */
function resultOf<T>(settled: PromiseSettledResult<T>): T {
	if (settled.status === "rejected") {
		throw settled.reason;
	}
	return settled.value;
}
