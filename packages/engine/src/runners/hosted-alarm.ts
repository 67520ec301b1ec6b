import type { Clock } from "@rivetkit/protocol";
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
	/** Settles when what has failed is stored, or never will be. */
	#retrying: Promise<void> | undefined;

	constructor(options: HostedAlarmOptions) {
		this.#options = options;
	}

	/** Replaces what is to be stored. True when {@link store} has to be called for it. */
	set(alarmTs: number | null): boolean {
		const isDue = this.#unstored === undefined;
		this.#unstored = { alarmTs };
		return isDue;
	}

	/** Resolves when nothing that was set is in danger of being lost. */
	get safe(): Promise<void> {
		return this.#retrying ?? Promise.resolve();
	}

	/** Resolves when it is stored, or given up. Rejects with {@link StaleGenerationError}. */
	async store(): Promise<void> {
		const { clock, failed, gaveUp, isClosing } = this.#options;
		let settled = () => {};
		try {
			for (let pauseMs = RETRY_FIRST_MS; ; pauseMs = Math.min(pauseMs * 2, RETRY_LAST_MS)) {
				const unstored = this.#unstored;
				if (unstored === undefined) return;
				try {
					await this.#options.store(unstored.alarmTs);
					if (this.#unstored === unstored) this.#unstored = undefined;
					continue;
				} catch (error) {
					if (error instanceof StaleGenerationError) throw error;
					if (this.#retrying === undefined) {
						failed(unstored.alarmTs, error);
						this.#retrying = new Promise((resolve) => {
							settled = resolve;
						});
					}
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
			this.#retrying = undefined;
			settled();
		}
	}
}
