import type { InspectionTarget } from "@rivetkit/protocol";
import type { InspectorToClient } from "@rivetkit/protocol/inspector";
import type { Logger } from "../../../log/logger.ts";
import type { TimerWheel, WheelTimer } from "../../timers/timer-wheel.ts";
import type { ActorView } from "../view/actor-view.ts";
import { changesBetween, type Snapshot, takeSnapshot } from "./snapshot.ts";

/** An actor is looked at for its watchers at most this often (ms), and so much less often per MiB of state and history. */
const LOOK_EVERY_MS = 100;
const MIB = 1024 * 1024;
/** A history is made of many small values, and takes so much longer to encode. */
const HISTORY_FACTOR = 4;

/** Who is kept up to date. */
export interface Watcher {
	/** The actor as it is at first. */
	begin(view: ActorView, snapshot: Snapshot): void;
	/** The actor was looked at again; there may be no changes that a snapshot knows of. */
	looked(view: ActorView, changes: readonly InspectorToClient[]): void;
	/** It cannot be looked at any more; the error says why. */
	refuse(error: unknown): void;
}

/** What a watch needs of its host. */
export interface WatchHost {
	readonly timers: TimerWheel;
	readonly log: Logger;
	/** The actor as it is now. Rejects with `actor.not_found`. */
	view(target: InspectionTarget): Promise<ActorView>;
	/** Nobody watches any more. */
	ended(watch: ActorWatch): void;
}

/**
 * One actor as several inspectors see it: a look at it serves all of them. It goes on while the
 * actor sleeps, and costs nothing while nothing changes.
 */
export class ActorWatch {
	readonly target: InspectionTarget;
	readonly #host: WatchHost;
	readonly #sessions = new Set<Watcher>();
	/** What those who had their Init know. */
	#known: Snapshot | null = null;
	#timer: WheelTimer | null = null;
	#looking: Promise<void> | null = null;
	#changed = false;

	constructor(target: InspectionTarget, host: WatchHost) {
		this.target = target;
		this.#host = host;
	}

	/** Sends Init, and then what changes. Rejects with `actor.not_found`. */
	async join(session: Watcher): Promise<void> {
		this.#sessions.add(session);
		try {
			await this.#look(session);
		} catch (error) {
			this.leave(session);
			throw error;
		}
	}

	leave(session: Watcher): void {
		if (!this.#sessions.delete(session) || this.#sessions.size > 0) return;
		this.#timer?.cancel();
		this.#timer = null;
		this.#host.ended(this);
	}

	/** Something of the actor may be different. */
	changed(): void {
		this.#changed = true;
		if (this.#timer || this.#looking) return;
		const { state, workflowHistory } = this.#known ?? {};
		const bytes = (state?.byteLength ?? 0) + HISTORY_FACTOR * (workflowHistory?.byteLength ?? 0);
		const pauseMs = Math.round(LOOK_EVERY_MS * (1 + bytes / MIB));
		this.#timer = this.#host.timers.schedule(pauseMs, () => {
			this.#timer = null;
			this.#look(null).catch((error) => this.#lost(error));
		});
	}

	#look(newcomer: Watcher | null): Promise<void> {
		return this.inTurn(() => this.#tell(newcomer));
	}

	/**
	 * One after the other whatever reads the actor and says what it saw: nobody hears of things in the wrong order.
	 * Rejects with what the work rejects with.
	 */
	async inTurn(work: () => Promise<void>): Promise<void> {
		while (this.#looking) await this.#looking;
		const looking = work();
		this.#looking = looking
			.catch(() => {})
			.finally(() => {
				this.#looking = null;
				if (this.#changed && this.#sessions.size > 0) this.changed();
			});
		await looking;
	}

	async #tell(newcomer: Watcher | null): Promise<void> {
		this.#changed = false;
		const view = await this.#host.view(this.target);
		const known = this.#known;
		const snapshot = await takeSnapshot(view, known);
		this.#known = snapshot;
		const changes = known ? changesBetween(known, snapshot) : [];
		for (const session of this.#sessions) {
			if (session === newcomer) session.begin(view, snapshot);
			else session.looked(view, changes);
		}
	}

	#lost(error: unknown): void {
		this.#host.log.debug({ err: error }, "an actor that is watched cannot be looked at any more");
		for (const session of [...this.#sessions]) session.refuse(error);
	}
}
