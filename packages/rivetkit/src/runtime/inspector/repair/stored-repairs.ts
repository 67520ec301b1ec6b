import type { ActorAssignment } from "@rivetkit/protocol";

/** Something that is to be done to what is stored of an actor, by whoever owns that now. */
type Work<T> = (assignment: ActorAssignment) => Promise<T>;

/** Starts that one change asks for. */
const STARTS_MAX = 2;

interface Job {
	/** Its turn has come. */
	isBegun: boolean;
	/** Never rejects. */
	readonly run: (assignment: ActorAssignment) => Promise<void>;
}

type Result<T> = { readonly value: T } | { readonly error: unknown };

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
				job.isBegun = true;
				await job.run(assignment);
			}
		};
	}

	/**
	 * Does it with the next start, which `start` asks for, and resolves when it is done: what becomes of the start afterwards does
	 * not matter. Null when the actor runs and it was not done. Rejects with what it throws, and with what kept the actor from
	 * being started.
	 */
	async perform<T>(actorId: string, work: Work<T>, start: () => Promise<void>): Promise<T | null> {
		const { job, done } = jobOf(work);
		const jobs = this.#jobs.get(actorId) ?? new Set();
		this.#jobs.set(actorId, jobs.add(job));
		let obstacle: { readonly error: unknown } | null = null;
		// The first may be one that somebody else has begun before.
		for (let starts = 0; !job.isBegun && starts < STARTS_MAX; starts++) {
			const started = start().then(
				() => null,
				(error: unknown) => ({ error }),
			);
			obstacle = await Promise.race([started, done.then(() => null)]);
			if (obstacle === null) break;
		}
		if (!job.isBegun) {
			jobs.delete(job);
			if (jobs.size === 0 && this.#jobs.get(actorId) === jobs) this.#jobs.delete(actorId);
			if (obstacle) throw obstacle.error;
			return null;
		}
		const ended = await done;
		if ("error" in ended) throw ended.error;
		return ended.value;
	}
}

function jobOf<T>(work: Work<T>): { job: Job; done: Promise<Result<T>> } {
	let end!: (result: Result<T>) => void;
	const done = new Promise<Result<T>>((resolve) => {
		end = resolve;
	});
	const run = (assignment: ActorAssignment) =>
		work(assignment).then(
			(value) => end({ value }),
			(error: unknown) => end({ error }),
		);
	return { job: { isBegun: false, run }, done };
}
