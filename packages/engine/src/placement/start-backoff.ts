import type { Clock } from "@rivetkit/protocol";

/** Pauses between failed starts of one actor: none, 100 ms, doubling to 30 s (lifecycle W-START-1). */
export const START_BACKOFF_FIRST_MS = 100;
export const START_BACKOFF_MAX_MS = 30_000;
/** Failing actors that are remembered; the longest-known one is forgotten first. */
const ENTRIES_MAX = 10_000;

interface Failure {
	readonly error: unknown;
	readonly failureCount: number;
	readonly retryTs: number;
}

/** Remembers which actors failed to start, so that callers get the last error instead of a new attempt. */
export class StartBackoff {
	readonly #clock: Clock;
	readonly #failures = new Map<string, Failure>();

	constructor(clock: Clock) {
		this.#clock = clock;
	}

	/** The error of the last start while its pause lasts, and when the next attempt is due (ms). */
	blocked(actorId: string): { readonly error: unknown; readonly retryTs: number } | undefined {
		const failure = this.#failures.get(actorId);
		return failure !== undefined && failure.retryTs > this.#clock.now() ? failure : undefined;
	}

	/** Whether the last start failed. */
	isFailing(actorId: string): boolean {
		return this.#failures.has(actorId);
	}

	failed(actorId: string, error: unknown): void {
		const failureCount = (this.#failures.get(actorId)?.failureCount ?? 0) + 1;
		const pauseMs =
			failureCount === 1
				? 0
				: Math.min(START_BACKOFF_MAX_MS, START_BACKOFF_FIRST_MS * 2 ** (failureCount - 2));
		this.#failures.delete(actorId);
		this.#failures.set(actorId, { error, failureCount, retryTs: this.#clock.now() + pauseMs });
		if (this.#failures.size > ENTRIES_MAX) {
			this.#failures.delete(this.#failures.keys().next().value!);
		}
	}

	/** The next attempt is due now, and what it fails with counts as the first. */
	endPause(actorId: string): void {
		const failure = this.#failures.get(actorId);
		if (failure !== undefined) {
			this.#failures.set(actorId, { ...failure, failureCount: 0, retryTs: 0 });
		}
	}

	/** Forgets the actor: it started, or it is gone (ruling 22). */
	clear(actorId: string): void {
		if (this.#failures.size > 0) {
			this.#failures.delete(actorId);
		}
	}
}
