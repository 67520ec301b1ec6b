import type { Clock } from "@rivetkit/protocol";
import { Deferred } from "../placement/deferred.ts";
import { StaleGenerationError } from "../store/store.ts";

/** Pauses between tries, doubled from the first to the last (ms). */
const RETRY_FIRST_MS = 100;
const RETRY_LAST_MS = 5_000;

export interface HostedAlarmOptions {
	readonly clock: Clock;
	/** Commits the alarm, and tells who waits for alarms. */
	readonly store: (alarmTs: number | null) => Promise<void>;
	/** Nothing can be stored any more soon: what fails is given up. */
	readonly isClosing: () => boolean;
	/** Called for the first of several failures. */
	readonly failed: (alarmTs: number | null, error: unknown) => void;
	/** Called with what is not stored, and never will be. */
	readonly gaveUp: (alarmTs: number | null, error: unknown) => void;
}

/**
 * The alarm of one incarnation on its way to the store. Its runner believes that it is set once it has said so, and
 * never says so again: a store that fails is tried until it has it, also when the incarnation is over meanwhile, for as
 * long as there is no newer one, which has its own.
 */
export class HostedAlarm {
	readonly #options: HostedAlarmOptions;
	/** What is to be stored; undefined when everything is. */
	#unstored: { readonly alarmTs: number | null } | undefined;
	/** Who waits for what is to be stored, and for what is being stored. */
	#waiting: Deferred<void>[] = [];
	#waitingForCommit: Deferred<void>[] = [];

	constructor(options: HostedAlarmOptions) {
		this.#options = options;
	}

	/** Replaces what is to be stored. True when {@link store} has to be called for it. */
	set(alarmTs: number | null): boolean {
		const isDue = this.#unstored === undefined;
		this.#unstored = { alarmTs };
		return isDue;
	}

	/**
	 * Resolves when what was set is stored, given up or of an incarnation that is over; null when there is nothing to wait for. What is set from now
	 * on may be waited for once, too.
	 */
	whenStored(): Promise<void> | null {
		if (this.#unstored === undefined) return null;
		const one = new Deferred<void>();
		this.#waiting.push(one);
		return one.promise;
	}

	/** The incarnation is over: whoever waits need not wait any more. It is stored all the same. */
	release(): void {
		for (const one of this.#waitingForCommit.splice(0)) one.resolve();
		for (const one of this.#waiting.splice(0)) one.resolve();
	}

	/** Resolves when it is stored, or given up. Rejects with {@link StaleGenerationError}. */
	async store(): Promise<void> {
		const { clock, failed, gaveUp, isClosing } = this.#options;
		let hasFailed = false;
		try {
			for (let pauseMs = RETRY_FIRST_MS; ; pauseMs = Math.min(pauseMs * 2, RETRY_LAST_MS)) {
				const unstored = this.#unstored;
				if (unstored === undefined) return;
				this.#waitingForCommit = this.#waiting.splice(0);
				try {
					await this.#options.store(unstored.alarmTs);
					if (this.#unstored === unstored) this.#unstored = undefined;
					for (const one of this.#waitingForCommit.splice(0)) one.resolve();
					continue;
				} catch (error) {
					this.#waiting.unshift(...this.#waitingForCommit.splice(0));
					if (error instanceof StaleGenerationError) throw error;
					if (!hasFailed) failed(unstored.alarmTs, error);
					hasFailed = true;
					if (isClosing()) {
						gaveUp(unstored.alarmTs, error);
						return;
					}
				}
				await new Promise<void>((resolve) => {
					clock.after(pauseMs, resolve);
				});
			}
		} finally {
			this.#unstored = undefined;
			this.release();
		}
	}
}
