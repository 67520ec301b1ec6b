import { type Clock, catalogueError } from "@rivetkit/protocol";
import type { EngineLimits } from "../common/limits.ts";
import type { ActorRecord } from "../store/store.ts";
import { Deferred } from "./deferred.ts";
import type { IncarnationEnd, Placed } from "./incarnation.ts";
import { nextPhase, type PhaseEvent } from "./phases.ts";
import { WaitingCounts } from "./waiting-counts.ts";

/** When what may hinder a start is looked at, and how often again (ms; engine 3.6). */
const OBSTACLE_LOOK_FIRST_MS = 1_000;
const OBSTACLE_LOOK_AGAIN_MS = 2_000;
/** Rejects a wait that is to go on. */
const LOOK = Symbol("look");

export interface IncarnationsOptions {
	readonly clock: Clock;
	readonly limits: EngineLimits;
	/** What keeps a start from ending that callers need not wait for; undefined where there is nothing like it. */
	readonly obstacles?: () => ((actorId: string) => unknown) | undefined;
	/** Called when one is gone, also one that failed to start, before the next one can begin. */
	readonly onEnded: (placed: Placed, how: IncarnationEnd) => void;
}

/** The incarnations of this node: where each is in its life, and who waits for that to change. */
export class Incarnations {
	readonly #options: IncarnationsOptions;
	readonly #placed = new Map<string, Placed>();
	readonly #liveIds = new Map<string, string>();
	readonly #waiting = new WaitingCounts();

	constructor(options: IncarnationsOptions) {
		this.#options = options;
	}

	get size(): number {
		return this.#placed.size;
	}

	/** How many starts wait for room at the host. */
	get waiting(): WaitingCounts {
		return this.#waiting;
	}

	get(actorId: string): Placed | undefined {
		return this.#placed.get(actorId);
	}

	has(actorId: string): boolean {
		return this.#placed.has(actorId);
	}

	/** Those there are now, whatever becomes of them meanwhile. */
	all(): Placed[] {
		return [...this.#placed.values()];
	}

	/** Id of the live one with this name and serialized key. */
	liveId(actor: Pick<ActorRecord, "namespace" | "name" | "key">): string | undefined {
		return this.#liveIds.get(liveKeyOf(actor));
	}

	add(placed: Placed): void {
		this.#placed.set(placed.actorId, placed);
	}

	/** Calls can be given to it; unless it is stopping already. */
	started(placed: Placed, { namespace, name, key }: ActorRecord): void {
		if (placed.phase === "starting") {
			placed.place = { name, key };
			placed.liveKey = liveKeyOf({ namespace, name, key });
			this.tell(placed, "started");
		}
	}

	/** Moves one through the table of phases, and does what each change means. */
	tell(placed: Placed, event: PhaseEvent, startFailure?: unknown): void {
		const { actorId, phase: before, changed, begun } = placed;
		placed.phase = nextPhase(before, event);
		if (placed.phase === before) {
			return;
		}
		if (placed.isWaiting) {
			placed.isWaiting = false;
			this.#waiting.remove(placed.pool);
		}
		if (before === "live") {
			this.#liveIds.delete(placed.liveKey);
		}
		if (placed.phase === "live") {
			this.#liveIds.set(placed.liveKey, actorId);
			placed.changed = undefined;
			changed?.resolve();
			begun?.resolve();
		}
		if (placed.phase === "gone") {
			if (this.#placed.get(actorId) === placed) {
				this.#placed.delete(actorId);
			}
			if (event === "startFailed") {
				changed?.reject(startFailure);
				begun?.reject(startFailure);
			} else {
				changed?.resolve();
				begun?.resolve();
			}
			this.#options.onEnded(placed, endOf(placed, event));
		}
	}

	/** The start of this one waits for room at its host. */
	waits(placed: Placed): void {
		if (placed.phase !== "starting" || placed.isWaiting) {
			return;
		}
		placed.isWaiting = true;
		this.#waiting.add(placed.pool);
		placed.begun?.resolve();
	}

	/** Waits until a start is over or waits for room, not beyond the deadline. Rejects with what it failed with. */
	async begun(placed: Placed, deadlineTs: number): Promise<void> {
		if (placed.isWaiting) {
			return;
		}
		const { clock } = this.#options;
		placed.begun ??= new Deferred<void>();
		placed.waiterCount++;
		try {
			await placed.begun.within(clock, deadlineTs - clock.now(), () =>
				catalogueError("guard.actor_ready_timeout", { actor_id: placed.actorId }),
			);
		} finally {
			placed.waiterCount--;
		}
	}

	/** Waits for the next change of phase, for at most one ready limit and not beyond the deadline. */
	async changed(placed: Placed, deadlineTs: number): Promise<void> {
		placed.waiterCount++;
		try {
			await this.#changes(placed, deadlineTs);
		} finally {
			placed.waiterCount--;
		}
	}

	#changes(placed: Placed, deadlineTs: number): Promise<void> {
		const { clock, limits, obstacles } = this.#options;
		const { actorId } = placed;
		placed.changed ??= new Deferred<void>();
		const waitMs = Math.min(limits.readyTimeoutMs, deadlineTs - clock.now());
		const obstacleOf = placed.phase === "starting" ? obstacles?.() : undefined;
		const late = () => catalogueError("guard.actor_ready_timeout", { actor_id: actorId });
		return obstacleOf === undefined
			? placed.changed.within(clock, waitMs, late)
			: this.#unlessHindered(placed.changed, waitMs, () => obstacleOf(actorId), late);
	}

	/** Waits for a start to end, however it ends. Throws when it does not within the ready limit. */
	async startEnded(placed: Placed): Promise<void> {
		try {
			await this.changed(placed, Number.POSITIVE_INFINITY);
		} catch (error) {
			if (placed.phase === "starting") {
				throw error;
			}
		}
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
