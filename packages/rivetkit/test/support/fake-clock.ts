import type { Clock, Timer } from "@rivetkit/protocol";

interface Waiting {
	readonly dueMs: number;
	readonly order: number;
	readonly fn: () => void;
}

/** A clock that stands still until the test moves it. */
export class FakeClock implements Clock {
	#nowMs: number;
	/** How far the wall clock was set back; timers wait for time that passes and do not notice. */
	#setBackMs = 0;
	#order = 0;
	readonly #waiting = new Set<Waiting>();

	constructor(startMs = 1_700_000_000_000) {
		this.#nowMs = startMs;
	}

	now(): number {
		return this.#nowMs - this.#setBackMs;
	}

	/** Sets the wall clock back, as an administrator or a time server may. */
	setBack(ms: number): void {
		this.#setBackMs += ms;
	}

	/** Sets the wall clock forward, or lets a suspended machine wake up. */
	setForward(ms: number): void {
		this.#setBackMs -= ms;
	}

	/** Timers that were armed so far. */
	get armedEver(): number {
		return this.#order;
	}

	/** Timers that are armed. */
	get armed(): number {
		return this.#waiting.size;
	}

	after(delayMs: number, fn: () => void): Timer {
		const waiting = { dueMs: this.#nowMs + Math.max(0, delayMs), order: this.#order++, fn };
		this.#waiting.add(waiting);
		return { stop: () => void this.#waiting.delete(waiting) };
	}

	/** Moves time forward, firing what falls due on the way, each at its own time and in order. */
	advanceSync(ms: number): void {
		const end = this.#nowMs + ms;
		for (;;) {
			const next = this.#next(end);
			if (!next) break;
			this.#nowMs = Math.max(this.#nowMs, next.dueMs);
			this.#waiting.delete(next);
			next.fn();
		}
		this.#nowMs = end;
	}

	/** Like {@link advanceSync}, and lets promises and turns of the event loop settle after each step. */
	async advance(ms: number, settle: () => Promise<void> = turns): Promise<void> {
		const end = this.#nowMs + ms;
		await settle();
		for (;;) {
			const next = this.#next(end);
			if (!next) break;
			this.#nowMs = Math.max(this.#nowMs, next.dueMs);
			this.#waiting.delete(next);
			next.fn();
			await settle();
		}
		this.#nowMs = end;
	}

	#next(end: number): Waiting | undefined {
		let next: Waiting | undefined;
		for (const waiting of this.#waiting) {
			if (waiting.dueMs > end) continue;
			const earlier = !next || waiting.dueMs < next.dueMs;
			if (earlier || (waiting.dueMs === next!.dueMs && waiting.order < next!.order)) next = waiting;
		}
		return next;
	}
}

/** A few turns of the event loop: enough for promise chains and one commit to settle. */
async function turns(): Promise<void> {
	for (let round = 0; round < 4; round++) await new Promise((resolve) => setImmediate(resolve));
}
