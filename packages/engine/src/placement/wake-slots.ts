import type { Clock } from "@rivetkit/protocol";

/** Keeps the number of actors that are started at the same time down; the others wait in line. */
export class WakeSlots {
	readonly #clock: Clock;
	readonly #max: number;
	readonly #line = new Set<(isFree: boolean) => void>();
	#taken = 0;

	constructor(clock: Clock, max: number) {
		this.#clock = clock;
		this.#max = max;
	}

	/**
	 * Resolves with whether there was a slot before `deadlineTs` (ms since the epoch); whoever got one gives
	 * it back with {@link leave}.
	 */
	enter(deadlineTs: number): Promise<boolean> {
		if (this.#taken < this.#max) {
			this.#taken++;
			return Promise.resolve(true);
		}
		return new Promise((resolve) => {
			const told = (isFree: boolean) => {
				timer.stop();
				this.#line.delete(told);
				resolve(isFree);
			};
			const timer = this.#clock.after(deadlineTs - this.#clock.now(), () => told(false));
			this.#line.add(told);
		});
	}

	leave(): void {
		const [next] = this.#line;
		if (next === undefined) {
			this.#taken--;
		} else {
			next(true);
		}
	}

	/** Nobody waits any more. */
	close(): void {
		for (const told of [...this.#line]) {
			told(false);
		}
	}
}
