import type { Clock, Timer } from "@rivetkit/protocol";

interface Pending {
	readonly dueTs: number;
	readonly delayMs: number;
	readonly fn: () => void;
}

/** Time that only moves when a test says so. */
export class TestClock implements Clock {
	#now = 1_700_000_000_000;
	/** How far the wall clock was set forward; timers wait for time that passes and do not notice. */
	#offset = 0;
	#pending: Pending[] = [];
	#waiting: { delayMs: number; resolve: () => void }[] = [];

	now(): number {
		return this.#now + this.#offset;
	}

	/** Sets the wall clock forward, or back. */
	set(byMs: number): void {
		this.#offset += byMs;
	}

	/** Timers that are set. */
	get pendingCount(): number {
		return this.#pending.length;
	}

	after(delayMs: number, fn: () => void): Timer {
		const pending = { dueTs: this.#now + Math.max(0, delayMs), delayMs, fn };
		this.#pending.push(pending);
		this.#waiting = this.#waiting.filter((waiting) => {
			if (waiting.delayMs !== delayMs) {
				return true;
			}
			waiting.resolve();
			return false;
		});
		return {
			stop: () => {
				this.#pending = this.#pending.filter((other) => other !== pending);
			},
		};
	}

	/** Resolves as soon as a timer with this delay is set. */
	async armed(delayMs: number): Promise<void> {
		if (!this.#pending.some((pending) => pending.delayMs === delayMs)) {
			await new Promise<void>((resolve) => {
				this.#waiting.push({ delayMs, resolve });
			});
		}
	}

	/** Moves time and fires what is due, in order. */
	advance(ms: number): void {
		const until = this.#now + ms;
		for (;;) {
			const [next] = this.#pending
				.filter(({ dueTs }) => dueTs <= until)
				.sort((a, b) => a.dueTs - b.dueTs);
			if (next === undefined) {
				break;
			}
			this.#pending = this.#pending.filter((other) => other !== next);
			this.#now = next.dueTs;
			next.fn();
		}
		this.#now = until;
	}
}
