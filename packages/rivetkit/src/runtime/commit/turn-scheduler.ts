/**
 * Runs jobs at the end of the current turn of the event loop: after the macrotask in progress and all
 * its microtasks, so that whatever synchronous code wrote is in one batch. One native callback serves
 * all actors of a host.
 */
export class TurnScheduler {
	#jobs: TurnJob[] = [];
	#armed = false;

	/** Asks for `job.endOfTurn()` once. The job keeps track of whether it is already asked for. */
	request(job: TurnJob): void {
		this.#jobs.push(job);
		if (!this.#armed) {
			this.#armed = true;
			nextMacrotask(this.#run);
		}
	}

	#run = (): void => {
		this.#armed = false;
		const jobs = this.#jobs;
		this.#jobs = [];
		for (const job of jobs) job.endOfTurn();
	};
}

export interface TurnJob {
	/** Must not throw. */
	endOfTurn(): void;
}

// Captured at load: fake timers of a test must not be able to stop commits.
const immediate = globalThis.setImmediate as ((fn: () => void) => unknown) | undefined;
const timeout = globalThis.setTimeout;

function nextMacrotask(fn: () => void): void {
	if (immediate) immediate(fn);
	else timeout(fn, 0);
}
