import type { StorageBatch } from "@rivetkit/protocol";
import type { TurnJob, TurnScheduler } from "./turn-scheduler.ts";

/**
 * Turns what an actor wrote into atomic, durable commits, and holds back what may be seen outside until
 * they are.
 *
 * Invariants:
 * - C1. A batch is cut between macrotasks, never inside synchronous code (ruling 18).
 * - C2. At most one commit of an actor is in flight; what is written meanwhile waits for the next, so a
 *   failed commit can be rolled back without a later one having built upon it.
 * - C3. Releases run in the order they were asked for, each after the commit that contains everything
 *   written before it was asked for. With nothing written and nothing in flight they run at once.
 * - C4. When a commit fails, everything waiting for it and everything written since fails with it, and
 *   the source is told to go back to what was committed last.
 * - C5. While the batch is held (`c.atomic`) it is not cut, and no release runs that is asked for then.
 */
export class Committer implements TurnJob {
	readonly #source: CommitSource;
	readonly #turns: TurnScheduler;
	#dirty = false;
	#turnRequested = false;
	#cutWanted = false;
	#held = false;
	#batchCount = 0;
	#open: Release[] | null = null;
	#inFlight: Release[] | null = null;
	/** Asked for by a release while others still wait for their turn (C3). */
	#asked: Release[] | null = null;
	/** Makes the error that refuses what comes after the end; most incarnations end with nothing to refuse. */
	#ended: (() => Error) | null = null;
	/** Told of each write, by whom it is made: while it is called, the writer is on the stack. */
	onWrite: (() => void) | null = null;

	constructor(source: CommitSource, turns: TurnScheduler) {
		this.#source = source;
		this.#turns = turns;
	}

	/** Whether something is written that is not durable yet, or the batch is held for what will be. */
	get pending(): boolean {
		return this.#dirty || this.#inFlight !== null || this.#held;
	}

	get dirty(): boolean {
		return this.#dirty;
	}

	/** Whether a commit is under way, rather than waiting for its time. */
	get isCommitting(): boolean {
		return this.#turnRequested || this.#inFlight !== null;
	}

	/** Whether the open batch will be cut as soon as it can be. */
	get cutIsAsked(): boolean {
		return this.#turnRequested || this.#cutWanted;
	}

	/** Batches taken so far: unchanged means that nothing written meanwhile can be durable. */
	get batchCount(): number {
		return this.#batchCount;
	}

	/** Notes that there is something to commit. Does not ask for a commit yet. */
	markDirty(): void {
		this.#dirty = true;
		this.onWrite?.();
	}

	/** Like {@link markDirty}, for what nobody meant to write: {@link onWrite} is not told. */
	noteDirty(): void {
		this.#dirty = true;
	}

	/** Runs `release` as soon as everything written so far is durable (C3), or with the error (C4). */
	whenDurable(release: Release): void {
		if (this.#ended && this.#dirty) {
			release(this.#ended());
		} else if (this.#dirty || this.#held) {
			if (this.#open) this.#open.push(release);
			else this.#open = [release];
			this.cutSoon();
		} else if (this.#inFlight) {
			this.#inFlight.push(release);
		} else if (this.#asked) {
			this.#asked.push(release);
		} else {
			release(undefined);
		}
	}

	/** Resolves when everything written so far is durable. Rejects with the commit's error. */
	flush(): Promise<void> {
		return new Promise((resolve, reject) => {
			this.whenDurable((error) => (error === undefined ? resolve() : reject(error)));
		});
	}

	/** Like {@link flush}, but without bringing the commit forward. */
	nextCommit(): Promise<void> {
		if (!this.#dirty || this.#ended) return this.flush();
		return new Promise((resolve, reject) => {
			this.#open ??= [];
			this.#open.push((error) => (error === undefined ? resolve() : reject(error)));
		});
	}

	/** Asks for the batch to be cut at the end of this turn, or as soon as the one in flight is done. */
	cutSoon(): void {
		if (!this.#dirty) return;
		if (this.#inFlight || this.#held) {
			this.#cutWanted = true;
		} else if (!this.#turnRequested) {
			this.#turnRequested = true;
			this.#turns.request(this);
		}
	}

	/** Keeps the batch open, over turns, until {@link letGo}. Not while it is held already. */
	hold(): void {
		this.#held = true;
	}

	letGo(): void {
		this.#held = false;
		if (this.#dirty) {
			if (this.#open) this.#cutWanted = true;
			if (!this.#inFlight) this.#cutAgain();
			return;
		}
		// Asked for while it was held, and nothing was written.
		const releases = this.#open;
		this.#open = null;
		if (!releases) return;
		if (this.#inFlight) this.#inFlight.push(...releases);
		else this.#runAll(releases, this.#ended?.());
	}

	/** Refuses everything from now on: the incarnation may not write any more. */
	end(reason: () => Error): void {
		this.#ended = reason;
		const open = this.#open;
		this.#open = null;
		if (open) this.#runAll(open, reason());
	}

	endOfTurn(): void {
		this.#turnRequested = false;
		if (this.#held) this.#cutWanted = true;
		if (!this.#dirty || this.#inFlight || this.#held || this.#ended) return;
		this.#dirty = false;
		const releases = this.#open ?? [];
		this.#open = null;
		const begunMs = this.#turns.jobsBegunMs;
		let batch: StorageBatch | null;
		try {
			batch = this.#source.takeBatch(begunMs);
		} catch (error) {
			this.#source.rollBack(error, null);
			this.#runAll(releases, error);
			return;
		}
		if (batch === null) {
			this.#runAll(releases, undefined);
			return;
		}
		this.#batchCount++;
		this.#inFlight = releases;
		this.#source.commit(batch, begunMs).then(
			() => this.#durable(begunMs, this.#turns.commitEnded(begunMs)),
			(error) => this.#failed(error, { begunMs, endedMs: this.#turns.commitFailed() }),
		);
	}

	#durable(begunMs: number, endedMs: number): void {
		const releases = this.#inFlight!;
		this.#inFlight = null;
		this.#source.committed(begunMs, endedMs);
		// What the releases write belongs to the next batch; what they ask for finds nothing in flight.
		this.#runAll(releases, undefined);
		this.#cutAgain();
	}

	#failed(error: unknown, commit: FailedCommit): void {
		const releases = this.#inFlight!;
		this.#inFlight = null;
		const open = this.#open;
		this.#open = null;
		this.#dirty = false;
		this.#cutWanted = false;
		this.#source.rollBack(error, commit);
		this.#runAll(open ? [...releases, ...open] : releases, error);
	}

	#runAll(releases: readonly Release[], error: unknown): void {
		if (this.#asked) {
			for (const release of releases) release(error);
			return;
		}
		const asked: Release[] = [];
		this.#asked = asked;
		try {
			for (const release of releases) release(error);
			// Grows while it is worked off.
			for (const release of asked) release(undefined);
		} finally {
			this.#asked = null;
		}
	}

	#cutAgain(): void {
		if (!this.#cutWanted) return;
		this.#cutWanted = false;
		this.cutSoon();
	}
}

/** Called once: without an argument when durable, with the error when the commit failed. */
export type Release = (error: unknown) => void;

/** Where a committer gets its batches from: the actor instance. Times are of `performance.now` (ms). */
export interface CommitSource {
	/**
	 * Everything written since the last call, or null when it comes to nothing (a value set back to what
	 * it was). Throws when it cannot be encoded; the batch is then rolled back.
	 */
	takeBatch(begunMs: number): StorageBatch | null;
	commit(batch: StorageBatch, begunMs: number): Promise<void>;
	/** The batch taken last is durable. */
	committed(begunMs: number, endedMs: number): void;
	/**
	 * The batch taken last, and all written since, did not land: go back to what is committed.
	 *
	 * @param commit - null when it was not even taken
	 */
	rollBack(error: unknown, commit: FailedCommit | null): void;
}

/** When a commit was tried that failed: times of `performance.now` (ms). */
export interface FailedCommit {
	readonly begunMs: number;
	readonly endedMs: number;
}
