import { type Clock, systemClock, type Timer } from "@rivetkit/protocol";

/** The real clock, which knows the timers that are set: each would keep a process that is to end. */
export class CountingClock implements Clock {
	readonly #clock = systemClock();
	readonly #set = new Map<object, string>();

	/** Where those that are set were. */
	get set(): string[] {
		return [...this.#set.values()];
	}

	now(): number {
		return this.#clock.now();
	}

	after(delayMs: number, fn: () => void): Timer {
		const one = {};
		const lines = new Error(`${delayMs} ms`).stack?.split("\n") ?? [];
		this.#set.set(one, [`${delayMs} ms`, ...lines.slice(2, 5)].join(" "));
		const timer = this.#clock.after(delayMs, () => {
			this.#set.delete(one);
			fn();
		});
		return {
			stop: () => {
				this.#set.delete(one);
				timer.stop();
			},
		};
	}
}
