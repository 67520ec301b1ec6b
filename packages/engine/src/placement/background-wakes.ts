import type { Clock } from "@rivetkit/protocol";
import type { EngineLimits } from "../common/limits.ts";
import type { Placement } from "./placement.ts";

/** Pause before it is looked again whether fewer starts wait for room (ms). */
const LOOK_AGAIN_MS = 1_000;

export interface BackgroundWakesOptions {
	readonly placement: Pick<Placement, "wake" | "waitingCount">;
	readonly clock: Clock;
	readonly limits: EngineLimits;
	/** Told of each that could not be woken. */
	readonly failed: (actorId: string, error: unknown) => void;
}

/**
 * Has many actors run that nobody calls: `wakesAtOnceMax` at a time, and none while `wakesWaitingMax` starts wait for room
 * already. One that waits for room is not waited for here.
 */
export class BackgroundWakes {
	readonly #options: BackgroundWakesOptions;
	readonly #pending = new Set<Promise<void>>();
	/** End the pauses that are under way. */
	readonly #resumes = new Set<() => void>();
	#isClosed = false;

	constructor(options: BackgroundWakesOptions) {
		this.#options = options;
	}

	/** Resolves when there is room for this one, and it is begun; false when nothing is begun any more. */
	async begin(actorId: string): Promise<boolean> {
		const { placement, clock, limits, failed } = this.#options;
		while (!this.#isClosed && this.#pending.size >= limits.wakesAtOnceMax) {
			await Promise.race(this.#pending);
		}
		while (!this.#isClosed && placement.waitingCount >= limits.wakesWaitingMax) {
			await this.#pause();
		}
		if (this.#isClosed) {
			return false;
		}
		const pending: Promise<void> = placement
			.wake(actorId, clock.now() + limits.routeTimeoutMs)
			.catch((error: unknown) => failed(actorId, error))
			.finally(() => this.#pending.delete(pending));
		this.#pending.add(pending);
		return true;
	}

	/** Resolves when those that were begun run, wait for room, or have failed. */
	async settled(): Promise<void> {
		await Promise.all(this.#pending);
	}

	/** Begins nothing any more. */
	close(): void {
		this.#isClosed = true;
		for (const resume of this.#resumes) resume();
	}

	async #pause(): Promise<void> {
		await new Promise<void>((resolve) => {
			const resume = () => {
				timer.stop();
				this.#resumes.delete(resume);
				resolve();
			};
			const timer = this.#options.clock.after(LOOK_AGAIN_MS, resume);
			this.#resumes.add(resume);
		});
	}
}
