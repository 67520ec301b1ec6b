import {
	ActorGone,
	type ActorSocket,
	CLOSE_ERROR,
	CLOSE_GOING_AWAY,
	type Clock,
	type Random,
	type Timer,
} from "@rivetkit/protocol";
import { isActorNotFound } from "../common/errors.ts";
import type { EngineLimits } from "../common/limits.ts";
import type { EngineLogger } from "../common/logger.ts";
import type { IncarnationEnd } from "../placement/incarnation.ts";
import type { Placement } from "../placement/placement.ts";
import { WakeSlots } from "../placement/wake-slots.ts";
import type { AcceptedSocket } from "./accepted-socket.ts";
import { HeldSocket, type HeldSocketKeeper } from "./held-socket.ts";

/** Pause before an actor that could not be woken is tried again, at least. */
const RETRY_MS = 1_000;
/** An actor that falls asleep at once is woken this often without a pause. */
const WAKES_IN_A_ROW_MAX = 16;

export interface HeldSocketsOptions {
	readonly placement: Placement;
	readonly clock: Clock;
	readonly random: Random;
	readonly limits: EngineLimits;
	readonly logger: EngineLogger;
}

/**
 * The WebSockets of all actors, by actor: what becomes of them when an incarnation ends, and when a
 * sleeping actor has to be woken for them.
 */
export class HeldSockets implements HeldSocketKeeper {
	readonly #options: HeldSocketsOptions;
	readonly #byActor = new Map<string, Set<HeldSocket>>();
	/** Actors that are being woken. */
	readonly #waking = new Set<string>();
	/** What ends the pauses between attempts to wake. */
	readonly #pauses = new Set<() => void>();
	/** Actors that are to be woken only because a client has left. */
	#leftActors = new Set<string>();
	/** For actors that are woken because a client has sent something. */
	readonly #messageSlots: WakeSlots;
	#leftTimer: Timer | undefined;
	#closeWakeCount = 0;
	#closing = false;

	constructor(options: HeldSocketsOptions) {
		this.#options = options;
		this.#messageSlots = new WakeSlots(options.clock, options.limits.wakesAtOnceMax);
	}

	/** Sockets that are open or whose actor has yet to hear that they are not. */
	get count(): number {
		let count = 0;
		for (const sockets of this.#byActor.values()) {
			count += sockets.size;
		}
		return count;
	}

	get limits(): EngineLimits {
		return this.#options.limits;
	}

	get logger(): EngineLogger {
		return this.#options.logger;
	}

	get canHibernate(): boolean {
		return !this.#closing;
	}

	now(): number {
		return this.#options.clock.now();
	}

	newId(): string {
		return this.#options.random.uuid();
	}

	accept(accepted: AcceptedSocket): HeldSocket {
		return new HeldSocket(accepted, this);
	}

	/**
	 * Offers a socket to a live incarnation. Rejects with {@link ActorGone} when that one did not take it
	 * and another may.
	 */
	async offer(
		socket: HeldSocket,
		actorId: string,
		open: (offered: ActorSocket) => Promise<void>,
	): Promise<void> {
		this.#forget(socket);
		socket.actorId = actorId;
		if (socket.state !== "closed") {
			this.#remember(socket);
		}
		const attachment = socket.attach();
		await open(attachment);
		if (attachment.isLive) {
			socket.taken();
		} else if (socket.state === "opening") {
			throw new ActorGone(actorId);
		}
	}

	/** What the next incarnation of an actor goes on with. */
	attachAll(actorId: string): ActorSocket[] {
		const between = [...(this.#byActor.get(actorId) ?? [])].filter(({ isBetween }) => isBetween);
		return between.map((socket) => socket.attach());
	}

	/** An incarnation is gone, or did not get to live. */
	incarnationEnded(actorId: string, how: IncarnationEnd): void {
		for (const socket of [...(this.#byActor.get(actorId) ?? [])]) {
			socket.ended(how);
		}
	}

	/** Holds nothing and wakes nobody from now on: sockets close with the incarnations that have them. */
	stopHolding(): void {
		this.#closing = true;
		this.#leftTimer?.stop();
		this.#leftActors.clear();
		this.#messageSlots.close();
		for (const end of this.#pauses) {
			end();
		}
	}

	/** Closes every socket that is left. */
	closeAll(): void {
		for (const sockets of [...this.#byActor.values()]) {
			for (const socket of [...sockets]) {
				socket.close(CLOSE_GOING_AWAY, "");
			}
		}
	}

	waits(socket: HeldSocket): void {
		const { actorId } = socket;
		if (this.#closing || this.#waking.has(actorId)) {
			return;
		}
		if (socket.state === "left") {
			this.#leftActors.add(actorId);
			this.#leftTimer ??= this.#options.clock.after(
				this.#options.limits.closeWakeDelayMs,
				this.#wakeLeft,
			);
		} else {
			void this.#wake(actorId, this.#messageSlots);
		}
	}

	closed(socket: HeldSocket): void {
		this.#forget(socket);
	}

	#remember(socket: HeldSocket): void {
		const sockets = this.#byActor.get(socket.actorId);
		if (sockets === undefined) {
			this.#byActor.set(socket.actorId, new Set([socket]));
		} else {
			sockets.add(socket);
		}
	}

	#forget(socket: HeldSocket): void {
		const sockets = this.#byActor.get(socket.actorId);
		if (sockets?.delete(socket) && sockets.size === 0) {
			this.#byActor.delete(socket.actorId);
		}
	}

	readonly #wakeLeft = (): void => {
		this.#leftTimer = undefined;
		for (const actorId of this.#leftActors) {
			if (this.#closeWakeCount >= this.limits.wakesAtOnceMax) {
				return;
			}
			this.#leftActors.delete(actorId);
			this.#closeWakeCount++;
			void this.#wake(actorId).then(() => {
				this.#closeWakeCount--;
				// With a timer running, the others wait for it.
				if (this.#leftTimer === undefined) {
					this.#wakeLeft();
				}
			});
		}
	};

	/** Wakes an actor, and again for as long as something waits for it. Never rejects. */
	async #wake(actorId: string, slots?: WakeSlots): Promise<void> {
		if (this.#waking.has(actorId)) {
			return;
		}
		this.#waking.add(actorId);
		for (let wakes = 1; !this.#closing; wakes++) {
			const deadlineTs = this.#earliestDeadlineTs(actorId);
			if (deadlineTs === undefined) {
				break;
			}
			const failure = await this.#tryWake(actorId, deadlineTs, slots);
			if (isActorNotFound(failure?.error)) {
				this.incarnationEnded(actorId, "destroyed");
				break;
			}
			this.#giveUpOverdue(actorId);
			if (failure !== undefined) {
				this.#options.logger.warn(
					{ actorId, err: failure.error },
					"an actor could not be woken for its websockets",
				);
			}
			if (failure !== undefined || wakes >= WAKES_IN_A_ROW_MAX) {
				await this.#pause(actorId);
			}
		}
		this.#waking.delete(actorId);
	}

	async #tryWake(
		actorId: string,
		deadlineTs: number,
		slots: WakeSlots | undefined,
	): Promise<{ readonly error: unknown } | undefined> {
		if (slots !== undefined && !(await slots.enter(deadlineTs))) {
			return undefined;
		}
		try {
			await this.#options.placement.ready(actorId, deadlineTs, "key");
			return undefined;
		} catch (error) {
			return { error };
		} finally {
			slots?.leave();
		}
	}

	/** Until the actor is worth another attempt, or the first client has waited long enough. */
	#pause(actorId: string): Promise<void> {
		const { clock, placement } = this.#options;
		const now = clock.now();
		const retryTs = Math.max(placement.retryTs(actorId), now + RETRY_MS);
		const untilTs = Math.min(retryTs, this.#earliestDeadlineTs(actorId) ?? now);
		return new Promise((resolve) => {
			const end = () => {
				timer.stop();
				this.#pauses.delete(end);
				resolve();
			};
			const timer = clock.after(untilTs - now, end);
			this.#pauses.add(end);
		});
	}

	/** When the first of those that wait has waited for too long; undefined when none waits. */
	#earliestDeadlineTs(actorId: string): number | undefined {
		let earliest: number | undefined;
		for (const { isBetween, waitingSinceTs } of this.#byActor.get(actorId) ?? []) {
			if (isBetween && waitingSinceTs !== undefined) {
				earliest = Math.min(earliest ?? waitingSinceTs, waitingSinceTs);
			}
		}
		return earliest === undefined
			? undefined
			: earliest + this.#options.limits.webSocketWakeTimeoutMs;
	}

	#giveUpOverdue(actorId: string): void {
		const { clock, limits } = this.#options;
		const overdueTs = clock.now() - limits.webSocketWakeTimeoutMs;
		for (const socket of [...(this.#byActor.get(actorId) ?? [])]) {
			if (socket.isBetween && (socket.waitingSinceTs ?? overdueTs + 1) <= overdueTs) {
				socket.close(CLOSE_ERROR, "guard.actor_ready_timeout");
			}
		}
	}
}
