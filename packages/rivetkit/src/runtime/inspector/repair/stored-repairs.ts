import type { ActorAssignment } from "@rivetkit/protocol";

/** Something that is to be done to what is stored of an actor, by whoever owns that now. */
type Work<T> = (assignment: ActorAssignment) => Promise<T>;

/** Starts that one change asks for. */
const STARTS_MAX = 2;

interface Job {
	/** Null before its turn. Never rejects. */
	done: Promise<unknown> | null;
	readonly run: (assignment: ActorAssignment) => Promise<unknown>;
}

/**
 * Changes of stored data that wait for the next start of their actors. A start has the actor for itself, by a generation
 * of its own: before it reads anything, nobody else has it in memory, and who had it before can write no more.
 */
export class StoredRepairs {
	readonly #jobs = new Map<string, Set<Job>>();

	/** What a start has to do first; null for nothing. What it returns never rejects. */
	take(actorId: string): ((assignment: ActorAssignment) => Promise<void>) | null {
		const jobs = this.#jobs.get(actorId);
		if (jobs === undefined) return null;
		this.#jobs.delete(actorId);
		return async (assignment) => {
			for (const job of jobs) {
				job.done = job.run(assignment);
				await job.done;
			}
		};
	}

	/**
	 * Does it with the next start, which `start` asks for; whether that fails afterwards does not matter. Null when the actor runs
	 * and it was not done. Rejects with what it throws, and with what kept the actor from being started.
	 */
	async perform<T>(actorId: string, work: Work<T>, start: () => Promise<void>): Promise<T | null> {
		let result: { readonly value: T } | { readonly error: unknown } | null = null;
		const job: Job = {
			done: null,
			run: async (assignment) => {
				try {
					result = { value: await work(assignment) };
				} catch (error) {
					result = { error };
				}
			},
		};
		const jobs = this.#jobs.get(actorId) ?? new Set();
		this.#jobs.set(actorId, jobs.add(job));
		let obstacle: { readonly error: unknown } | null = null;
		// The first may be one that somebody else has begun before.
		for (let starts = 0; job.done === null && starts < STARTS_MAX; starts++) {
			obstacle = await start().then(
				() => null,
				(error: unknown) => ({ error }),
			);
			if (obstacle === null) break;
		}
		if (job.done === null) {
			jobs.delete(job);
			if (jobs.size === 0 && this.#jobs.get(actorId) === jobs) this.#jobs.delete(actorId);
			if (obstacle) throw obstacle.error;
			return null;
		}
		await job.done;
		const ended = result as { readonly value: T } | { readonly error: unknown } | null;
		if (ended && "value" in ended) return ended.value;
		throw ended?.error;
	}
}
