import type { Clock, Timer } from "@rivetkit/protocol";
import { nextMacrotask } from "../runtime/commit/turn-scheduler.ts";
import type { RuntimeHost } from "../runtime/host/runtime-host.ts";

/** Turns of the event loop in which nothing happens by itself, before time may move on. */
const QUIET_TURNS = 6;
/** How long one `advance` waits altogether for work that may be waiting for time itself (real ms). */
const PATIENCE_MS = 500;

/** Time that stands still until the test moves it. */
export interface TestTime {
	/** Milliseconds since the epoch. */
	now(): number;
	/**
	 * Moves time forward by `ms`. Everything that falls due on the way happens at its own time and in order:
	 * schedules and cron jobs, sleep, wakes, time limits. Resolves when what began has ended; work that
	 * waits for something else than the actors' time is waited for half a second in all. A stretch in which
	 * nothing is due costs nothing, but an open connection is pinged all along
	 * (`options.connectionLivenessInterval`): close it before months pass.
	 *
	 * Throws a `RangeError` for a time that is not finite, or backwards.
	 */
	advance(ms: number): Promise<void>;
}

export interface FakeTimeOptions {
	/** What the clock shows at the beginning (ms since the epoch). Default: the present. */
	readonly startAt?: number | Date | undefined;
	/**
	 * Called with the new time whenever it moves, before anything happens. Actors that ask `Date.now()` see
	 * the same time with `onMove: (now) => vi.setSystemTime(now)` and `vi.useFakeTimers({ toFake: ["Date"] })`.
	 */
	readonly onMove?: ((nowMs: number) => void) | undefined;
}

interface Waiting {
	readonly dueMs: number;
	readonly order: number;
	readonly fn: () => void;
}

/** The clock behind a {@link TestTime}. */
export class FakeTime implements Clock, TestTime {
	/** A sleep of years is one wait. */
	readonly isNeverSet = true;
	readonly #onMove: (nowMs: number) => void;
	#nowMs: number;
	#order = 0;
	readonly #waiting = new Set<Waiting>();
	#host: RuntimeHost | null = null;

	constructor({ startAt = Date.now(), onMove = () => {} }: FakeTimeOptions) {
		this.#onMove = onMove;
		this.#nowMs = Math.floor(Number(startAt));
		this.#onMove(this.#nowMs);
	}

	/** Whose actors are given the time to finish what they began. */
	attach(host: RuntimeHost): void {
		this.#host = host;
	}

	now(): number {
		return this.#nowMs;
	}

	after(delayMs: number, fn: () => void): Timer {
		const waiting = { dueMs: this.#nowMs + Math.max(0, delayMs), order: this.#order++, fn };
		this.#waiting.add(waiting);
		return { stop: () => void this.#waiting.delete(waiting) };
	}

	async advance(ms: number): Promise<void> {
		if (!(Number.isFinite(ms) && ms >= 0)) {
			throw new RangeError(`Time moves forward by a finite number of milliseconds, not by ${ms}`);
		}
		const patience = new Patience();
		const endMs = this.#nowMs + Math.ceil(ms);
		await this.#settled(patience);
		for (let next = this.#next(endMs); next; next = this.#next(endMs)) {
			this.#waiting.delete(next);
			this.#moveTo(next.dueMs);
			next.fn();
			await this.#settled(patience);
		}
		this.#moveTo(endMs);
	}

	/** Lets time pass as long as `work` needs it: at the end nobody moves it any more. */
	async passUntil(work: Promise<unknown>): Promise<void> {
		let isDone = false;
		const done = () => {
			isDone = true;
		};
		work.then(done, done);
		const patience = new Patience();
		while (!isDone) {
			await this.#settled(patience);
			const next = isDone ? undefined : this.#next(Number.POSITIVE_INFINITY);
			if (!next) continue;
			this.#waiting.delete(next);
			this.#moveTo(next.dueMs);
			next.fn();
		}
		await work;
	}

	#moveTo(ms: number): void {
		const nowMs = Math.ceil(ms);
		if (nowMs <= this.#nowMs) return;
		this.#nowMs = nowMs;
		this.#onMove(nowMs);
	}

	#next(endMs: number): Waiting | undefined {
		let next: Waiting | undefined;
		for (const waiting of this.#waiting) {
			if (waiting.dueMs > endMs) continue;
			const isEarlier =
				!next ||
				waiting.dueMs < next.dueMs ||
				(waiting.dueMs === next.dueMs && waiting.order < next.order);
			if (isEarlier) next = waiting;
		}
		return next;
	}

	async #settled(patience: Patience): Promise<void> {
		for (let quiet = 0; quiet < QUIET_TURNS; ) {
			await new Promise<void>((resolve) => nextMacrotask(resolve));
			const activity = this.#host?.activity ?? "quiet";
			const isBusy = activity === "committing" || (activity === "working" && patience.isLeft);
			quiet = isBusy ? 0 : quiet + 1;
			if (activity === "working") patience.use();
			else patience.rest();
		}
	}
}

/** Real time that may be spent on waiting. */
class Patience {
	#leftMs = PATIENCE_MS;
	#sinceMs: number | null = null;

	get isLeft(): boolean {
		return this.#leftMs > 0;
	}

	use(): void {
		const nowMs = performance.now();
		if (this.#sinceMs !== null) this.#leftMs -= nowMs - this.#sinceMs;
		this.#sinceMs = nowMs;
	}

	rest(): void {
		this.#sinceMs = null;
	}
}
