import type { Timer } from "@rivetkit/protocol";
import type { EngineLogger } from "../common/logger.ts";
import { Deferred } from "../placement/deferred.ts";
import type { Hint, NodeDescription, NodeRow, NodeRows } from "../store/postgres/node-rows.ts";
import type { ClusterClock } from "./cluster-clock.ts";

/** Renewals in the time of one lease. */
const RENEWALS_PER_LEASE = 5;
/** The part of a lease that this process does not use: clocks do not run at exactly the same speed. */
const UNUSED = 0.1;
const RETRY_MS = 100;
/** How often the first registration is tried: a database that is slow for a while keeps no node from starting. */
const START_TRIES_MAX = 10;

export interface NodeLeaseOptions {
	readonly rows: NodeRows;
	readonly clock: ClusterClock;
	readonly logger: EngineLogger;
	readonly leaseMs: number;
	readonly describe: () => NodeDescription;
	/** Actors that run here. */
	readonly actors: () => number;
	/** A new life has begun. */
	readonly onHeld: (epoch: number) => void;
	/** Nothing that was begun under the lease may go on. */
	readonly onLost: () => void;
	/** Who else lives, each time that is known anew. */
	readonly onNodes: (nodes: readonly NodeRow[]) => void;
	/** Nodes have died, and this one is to look after what they left. */
	readonly onReaped: () => void;
}

/**
 * This process's right to run actors.
 *
 * - L1. It is held until a moment on the monotonic clock: that of asking for it, plus its length, less a margin. The
 *   database counts from later, so nobody else sees it end earlier. Wall clocks do not matter.
 * - L2. Whoever wants to act asks {@link isHeld}, which looks at the clock: a process that was stopped and goes on
 *   knows before its timers fire.
 * - L3. One that has lost it never gets it back, but begins another life under a new epoch.
 */
export class NodeLease {
	readonly #options: NodeLeaseOptions;
	#epoch: number | undefined;
	#heldUntil = Number.NEGATIVE_INFINITY;
	/** Settles when the lease is held; those that wait for it wait through several attempts. */
	#held = new Deferred<void>();
	#isTold = false;
	#isCutOff = false;
	#timer: Timer | undefined;
	#deadline: Timer | undefined;
	#isDraining = false;
	#stopped = false;
	#renewing: Promise<void> | undefined;
	/** Something has changed since the renewal under way was sent. */
	#again = false;

	constructor(options: NodeLeaseOptions) {
		this.#options = options;
		this.#held.promise.catch(() => {});
	}

	/** The current life; undefined while there is none. */
	get epoch(): number | undefined {
		return this.isHeld ? this.#epoch : undefined;
	}

	/** Until it ends unless it is renewed (ms). */
	get leftMs(): number {
		return this.isHeld ? this.#heldUntil - performance.now() : 0;
	}

	/** Whether the last attempt to renew it failed: the database cannot be reached. */
	get isCutOff(): boolean {
		return this.#isCutOff;
	}

	get isHeld(): boolean {
		if (this.#epoch === undefined) {
			return false;
		}
		if (performance.now() < this.#heldUntil) {
			return true;
		}
		this.#lose("it could not be renewed in time");
		return false;
	}

	/** Resolves when the lease is held, at once if it is. */
	held(waitMs: number, late: () => unknown): Promise<void> {
		return this.isHeld ? Promise.resolve() : this.#held.within(this.#options.clock, waitMs, late);
	}

	/** Rejects when the first registration fails, again and again. */
	async start(): Promise<void> {
		const { clock, logger } = this.#options;
		for (let tries = 1; !this.#stopped; tries++) {
			try {
				await this.#begin();
				break;
			} catch (error) {
				if (tries >= START_TRIES_MAX) {
					throw error;
				}
				logger.warn({ tries, err: error }, "the node could not be registered; it is tried again");
			}
			await new Promise<void>((resolve) => {
				clock.after(RETRY_MS, resolve);
			});
		}
		await this.#renew();
	}

	/** The others look who lives, rather than with their next renewal. */
	async #hint(hint: Hint = "nodes"): Promise<void> {
		const { rows, logger } = this.#options;
		await rows.hint(hint).catch((error: unknown) => {
			logger.debug({ err: error }, "the other nodes could not be told; they notice by themselves");
		});
	}

	/** Others give this node nothing new any more. */
	async drain(): Promise<void> {
		this.#isDraining = true;
		await this.#renewing;
		await this.#renew();
		await this.#hint();
	}

	/** What this node says of itself has changed: the others are told. */
	async announce(): Promise<void> {
		if (this.#epoch !== undefined) {
			await this.#renewing;
			await this.#renew();
			await this.#hint();
		}
	}

	/** Who else lives may have changed. */
	renewSoon(): void {
		if (this.#epoch !== undefined && !this.#stopped) {
			this.#again = this.#renewing !== undefined;
			void this.#renew();
		}
	}

	/** Gives the lease back: what is left of it is over at once. */
	async stop(): Promise<void> {
		this.#stopped = true;
		this.#timer?.stop();
		this.#deadline?.stop();
		await this.#renewing;
		const epoch = this.#epoch;
		this.#epoch = undefined;
		if (epoch !== undefined) {
			try {
				await this.#options.rows.leave(epoch);
				await this.#hint("nodes");
				await this.#hint("alarms");
			} catch (error) {
				this.#options.logger.warn({ err: error }, "the node's lease could not be given back");
			}
		}
		await this.#options.rows.close();
	}

	async #begin(): Promise<void> {
		const { rows, leaseMs, clock, describe, onHeld } = this.#options;
		// The time that takes is not taken from the lease.
		await rows.connect();
		const sentAtMs = performance.now();
		const { epoch, nowMs } = await rows.register(describe(), leaseMs);
		clock.read(nowMs, sentAtMs, performance.now());
		this.#epoch = epoch;
		this.#prolong(sentAtMs);
		if (!(performance.now() < this.#heldUntil)) {
			this.#epoch = undefined;
			this.#deadline?.stop();
			throw new Error("the lease ended before it was known to be held");
		}
		onHeld(epoch);
		void this.#hint();
		this.#isTold = true;
		this.#held.resolve();
	}

	#renew(): Promise<void> {
		this.#renewing ??= this.#renewOnce().finally(() => {
			this.#renewing = undefined;
			this.#schedule();
		});
		return this.#renewing;
	}

	async #renewOnce(): Promise<void> {
		const { rows, leaseMs, clock, logger, describe, actors, onNodes, onReaped } = this.#options;
		try {
			if (this.#epoch === undefined) {
				if (!this.#stopped) {
					await this.#begin();
				}
				return;
			}
			const epoch = this.#epoch;
			const sentAtMs = performance.now();
			const state = {
				actors: actors(),
				isDraining: this.#isDraining,
				names: describe().names,
			};
			const { isHeld, nowMs, nodes } = await rows.renew(epoch, state, leaseMs);
			clock.read(nowMs, sentAtMs, performance.now());
			if (this.#epoch !== epoch) {
				// Lost meanwhile, by the clock.
				return;
			}
			if (!isHeld) {
				this.#lose("it had ended");
				return;
			}
			this.#isCutOff = false;
			this.#prolong(sentAtMs);
			onNodes(nodes);
			if ((await rows.reap()) > 0) {
				onReaped();
			}
		} catch (error) {
			this.#isCutOff = true;
			logger.warn({ err: error }, "the node's lease could not be renewed");
		}
	}

	#schedule(): void {
		if (this.#stopped) {
			return;
		}
		this.#timer?.stop();
		if (this.#again) {
			this.#again = false;
			void this.#renew();
			return;
		}
		const { clock, leaseMs } = this.#options;
		const isCalm = this.#epoch !== undefined;
		this.#timer = clock.after(
			isCalm ? leaseMs / RENEWALS_PER_LEASE : RETRY_MS,
			() => void this.#renew(),
		);
	}

	#prolong(sentAtMs: number): void {
		const { clock, leaseMs } = this.#options;
		this.#heldUntil = sentAtMs + leaseMs * (1 - UNUSED);
		this.#deadline?.stop();
		this.#deadline = clock.after(this.#heldUntil - performance.now(), () => void this.isHeld);
	}

	#lose(reason: string): void {
		this.#options.logger.error(
			{ epoch: this.#epoch, reason },
			"this node has lost its lease: its actors stop here, and go on wherever they are needed",
		);
		this.#epoch = undefined;
		this.#deadline?.stop();
		if (this.#isTold) {
			this.#isTold = false;
			this.#held = new Deferred<void>();
			this.#held.promise.catch(() => {});
		}
		this.#options.onLost();
		if (this.#renewing === undefined) {
			void this.#renew();
		}
	}
}
