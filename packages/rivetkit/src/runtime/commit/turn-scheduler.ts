import { AsyncLocalStorage } from "node:async_hooks";

/**
 * Runs jobs at the end of the current turn of the event loop: after the macrotask in progress and all
 * its microtasks, so that whatever synchronous code wrote is in one batch. One native callback serves
 * all actors of a host.
 *
 * A turn that goes on for longer than a commit takes is overdue: what can wait should then go on in the
 * next turn, so that the disk works on the one part while the actors work on the other.
 */
export class TurnScheduler {
	readonly #onEnd: () => void;
	readonly #monotonicMs: () => number;
	#jobs: TurnJob[] = [];
	#nextJobs: TurnJob[] = [];
	/** When the end of this turn was first asked for; negative while it is not. */
	#askedAtMs = NOT_ASKED;
	#commitMs = COMMIT_MS_MIN;
	#jobsBegunMs = 0;
	#turn = 0;

	/**
	 * @param onEnd - called when all jobs of a turn have run: what they handed over may be worked on
	 * @param monotonicMs - time for measuring only, so not the clock that tests and users see
	 */
	constructor(onEnd: () => void = () => {}, monotonicMs: () => number = elapsedMs) {
		this.#onEnd = onEnd;
		this.#monotonicMs = monotonicMs;
	}

	/** Tells turns with jobs apart: unchanged means that it is still the same one. */
	get turn(): number {
		return this.#turn;
	}

	/** Asks for `job.endOfTurn()` once. The job keeps track of whether it is already asked for. */
	request(job: TurnJob): void {
		this.#jobs.push(job);
		this.#ask();
	}

	/** As {@link request}, at the end of the next turn: sockets and the disk were looked at by then. */
	requestNext(job: TurnJob): void {
		this.#nextJobs.push(job);
		this.#ask();
	}

	/** Whether jobs have been waiting for the end of this turn for longer than a commit takes. */
	get isOverdue(): boolean {
		return this.#askedAtMs >= 0 && this.#monotonicMs() - this.#askedAtMs > this.#commitMs;
	}

	/** When the jobs of this turn began: the commits that they hand over begin then (`performance.now`, ms). */
	get jobsBegunMs(): number {
		return this.#jobsBegunMs;
	}

	/** A commit that began then is durable; returns what the time is now. */
	commitEnded(begunMs: number): number {
		const nowMs = this.#monotonicMs();
		const tookMs = nowMs - begunMs;
		const averageMs = this.#commitMs + (tookMs - this.#commitMs) / COMMITS_AVERAGED;
		this.#commitMs = Math.max(COMMIT_MS_MIN, averageMs);
		return nowMs;
	}

	/** What the time is now: how long a failure took says nothing of commits. */
	commitFailed(): number {
		return this.#monotonicMs();
	}

	#ask(): void {
		if (this.#askedAtMs >= 0) return;
		this.#askedAtMs = this.#monotonicMs();
		nextMacrotask(this.#run);
	}

	/** In the async context of nobody: whoever asked first is not who the others work for. */
	#run = AsyncLocalStorage.bind((): void => {
		this.#askedAtMs = NOT_ASKED;
		this.#turn++;
		const jobs = this.#jobs;
		this.#jobs = this.#nextJobs;
		this.#nextJobs = [];
		if (this.#jobs.length > 0) this.#ask();
		this.#jobsBegunMs = this.#monotonicMs();
		for (const job of jobs) job.endOfTurn();
		this.#onEnd();
	});
}

export interface TurnJob {
	/** Must not throw. */
	endOfTurn(): void;
}

const NOT_ASKED = -1;
/** A turn of this length is worth a commit of its own, however fast the disk is (ms). */
const COMMIT_MS_MIN = 0.2;
/** Weight of the past in the average time of a commit. */
const COMMITS_AVERAGED = 16;

// Captured at load: fake timers of a test must not be able to stop commits.
const immediate = globalThis.setImmediate as ((fn: () => void) => unknown) | undefined;
const timeout = globalThis.setTimeout;
const elapsedMs = performance.now.bind(performance);

/** Calls `fn` after this macrotask, whatever timers a test has faked. */
export function nextMacrotask(fn: () => void): void {
	if (immediate) immediate(fn);
	else timeout(fn, 0);
}
