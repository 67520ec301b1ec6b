import type { Clock, Timer } from "@rivetkit/protocol";

interface Pending {
	readonly dueMs: number;
	readonly delayMs: number;
	readonly fn: () => void;
}

/** A clock that stands still until a test moves it. */
export class ManualClock implements Clock {
	#nowMs = 1_000_000;
	readonly #pending = new Set<Pending>();
	readonly #waiting = new Map<number, Set<() => void>>();
	/** The delay of every timer ever started, in order. */
	readonly startedDelays: number[] = [];

	now(): number {
		return this.#nowMs;
	}

	after(delayMs: number, fn: () => void): Timer {
		const pending: Pending = { dueMs: this.#nowMs + Math.max(0, delayMs), delayMs, fn };
		this.#pending.add(pending);
		this.startedDelays.push(delayMs);
		for (const resume of this.#waiting.get(delayMs) ?? []) resume();
		this.#waiting.delete(delayMs);
		return { stop: () => this.#pending.delete(pending) };
	}

	/** Delays of the timers that are running, in the order they were started. */
	get runningDelays(): number[] {
		return [...this.#pending].map(({ delayMs }) => delayMs);
	}

	/** Resolves when a timer of exactly this delay is running. */
	async timerOf(delayMs: number): Promise<void> {
		if (this.runningDelays.includes(delayMs)) return;
		await new Promise<void>((resolve) => {
			const waiting = this.#waiting.get(delayMs) ?? new Set();
			waiting.add(resolve);
			this.#waiting.set(delayMs, waiting);
		});
	}

	/** Moves time on and runs what is due, in order. */
	advance(byMs: number): void {
		const untilMs = this.#nowMs + byMs;
		for (;;) {
			const [next] = [...this.#pending]
				.filter(({ dueMs }) => dueMs <= untilMs)
				.sort((a, b) => a.dueMs - b.dueMs);
			if (!next) break;
			this.#pending.delete(next);
			this.#nowMs = next.dueMs;
			next.fn();
		}
		this.#nowMs = untilMs;
	}

	/** Waits for a timer of exactly this delay and lets it fire. */
	async fire(delayMs: number): Promise<void> {
		await this.timerOf(delayMs);
		this.advance(delayMs);
	}
}
