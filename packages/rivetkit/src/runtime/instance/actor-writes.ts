import type { StorageBatch } from "@rivetkit/protocol";
import { FencedOff } from "../../backends/backend.ts";
import type { BatchPart, OpenBatch } from "../commit/batch-part.ts";
import { type CommitSource, Committer, type FailedCommit } from "../commit/committer.ts";
import { hasEnded } from "../lifecycle/lifecycle.ts";
import type { WheelTimer } from "../timers/timer-wheel.ts";
import type { ActorInstance } from "./instance.ts";

type ActorRecordChanges = NonNullable<StorageBatch["record"]>;

/**
 * What an incarnation writes: the parts that go into its commits, its record in the directory, when a commit
 * comes that nobody waits for, and what a failed one has lost.
 */
export class ActorWrites implements CommitSource {
	readonly committer: Committer;
	readonly #instance: ActorInstance;
	/** What goes into the commits, in this order. */
	#parts: readonly BatchPart[] = [];
	#record: ActorRecordChanges | null = null;
	/** What the commit under way says of it. */
	#recordInFlight: ActorRecordChanges | null = null;
	#saveTimer: WheelTimer | null = null;
	#saveDueMs = 0;
	/** How often writes were lost to a failed commit. */
	rollBackCount = 0;
	#rollBackError: unknown = null;

	constructor(instance: ActorInstance) {
		this.#instance = instance;
		this.committer = new Committer(this, instance.services.turns);
	}

	add(...parts: readonly BatchPart[]): void {
		// A list that is pushed to gets room for seventeen.
		this.#parts = this.#parts.concat(parts);
	}

	/** All that goes into the commits, the alarm last: the others decide when the actor has to be awake. */
	get parts(): readonly BatchPart[] {
		const alarm = this.#instance.madeAlarm;
		return alarm ? [...this.#parts, alarm] : this.#parts;
	}

	/** Makes sure that what is written now is committed within `stateSaveInterval` (ruling 17). */
	saveSoon(maxWaitMs = this.#instance.options.stateSaveInterval): void {
		const { committer } = this;
		if (!committer.dirty || committer.cutIsAsked || hasEnded(this.#instance.phase)) return;
		this.#saveAfter(maxWaitMs);
	}

	#saveAfter(maxWaitMs: number): void {
		const instance = this.#instance;
		const due = instance.now() + maxWaitMs;
		if (this.#saveTimer) {
			if (this.#saveDueMs <= due) return;
			this.#saveTimer.cancel();
		}
		this.#saveDueMs = due;
		this.#saveTimer = instance.services.timers.schedule(maxWaitMs, () => {
			this.#saveTimer = null;
			if (this.#record) this.committer.markDirty();
			this.committer.cutSoon();
		});
	}

	/** `c.saveState`. Throws a `RangeError` for a `maxWait` that is no time. */
	saveState({ immediate, maxWait }: { immediate?: boolean; maxWait?: number }): Promise<void> {
		this.#instance.assertOutsideAtomic("c.saveState");
		const saved = immediate ? this.committer.flush() : this.#savedSoon(maxWait);
		// A failed commit is logged; a caller that does not wait must not end the process.
		saved.catch(() => {});
		return saved;
	}

	#savedSoon(maxWait = this.#instance.options.stateSaveInterval): Promise<void> {
		if (!(maxWait >= 0)) {
			throw new RangeError(`maxWait must be a number of milliseconds >= 0, got ${maxWait}`);
		}
		if (!this.committer.pending) return Promise.resolve();
		this.saveSoon(Math.min(maxWait, this.#instance.options.stateSaveInterval));
		return this.committer.nextCommit();
	}

	/** Adds changes of the actor's record to the next batch. */
	writeRecord(record: ActorRecordChanges): void {
		this.#record = { ...this.#record, ...record };
		this.committer.markDirty();
	}

	/**
	 * The same for what nobody's answer has to wait for: it goes with the next commit that somebody needs,
	 * or by itself after `stateSaveInterval`.
	 */
	noteRecord(record: ActorRecordChanges): void {
		this.#record = { ...this.#record, ...record };
		this.#saveAfter(this.#instance.options.stateSaveInterval);
	}

	/**
	 * As {@link noteRecord}, for what is to be known if the process ends: with the next turn of the event loop, behind the
	 * answers of this one.
	 */
	noteRecordNow(record: ActorRecordChanges): void {
		this.#record = { ...this.#record, ...record };
		this.#instance.services.turns.requestNext({
			endOfTurn: () => {
				if (!this.#record || hasEnded(this.#instance.phase)) return;
				this.committer.noteDirty();
				this.committer.cutSoon();
			},
		});
	}

	/**
	 * Why a call that began at `count` must not report success: some of what it wrote may be rolled back,
	 * though its last writes are not (L26).
	 */
	rolledBackSince(count: number): { readonly error: unknown } | null {
		return this.#instance.options.confirmWrites ? this.lostSince(count) : null;
	}

	/** Why writes made since {@link rollBackCount} was `count` may be lost; null when none are. */
	lostSince(count: number): { readonly error: unknown } | null {
		return count === this.rollBackCount ? null : { error: this.#rollBackError };
	}

	takeBatch(begunMs: number): StorageBatch | null {
		this.#dropTimer();
		const instance = this.#instance;
		const batch: OpenBatch = { ops: [] };
		// Taking from one may make another.
		for (let at = 0; at < this.#parts.length; at++) this.#parts[at]!.take(batch);
		instance.madeAlarm?.take(batch);
		if (this.#record) batch.record = { ...batch.record, ...this.#record };
		this.#recordInFlight = this.#record;
		this.#record = null;
		instance.telemetry?.take(batch, isEmptyBatch(batch), {
			begunMs,
			isLast: instance.phase === "saving",
		});
		if (!isEmptyBatch(batch)) return batch;
		instance.telemetry?.dropWriters();
		return null;
	}

	commit(batch: StorageBatch, begunMs: number): Promise<void> {
		const { assignment, services, telemetry } = this.#instance;
		telemetry?.beginCommit(batch, begunMs);
		return services.backend.commit(assignment, batch);
	}

	committed(begunMs: number, endedMs: number): void {
		const instance = this.#instance;
		instance.telemetry?.endCommit(begunMs, endedMs);
		this.#recordInFlight = null;
		for (const part of this.#parts) part.committed();
		instance.madeAlarm?.committed();
		instance.watcher?.();
	}

	rollBack(error: unknown, commit: FailedCommit | null): void {
		const instance = this.#instance;
		if (commit) instance.telemetry?.endCommit(commit.begunMs, commit.endedMs, { thrown: error });
		instance.telemetry?.dropWriters();
		if (error instanceof FencedOff) {
			instance.dispatch("fenced");
			return;
		}
		this.rollBackCount++;
		this.#rollBackError = error;
		// It is as true as before: that the actor has woken is in the next commit.
		if (this.#recordInFlight && instance.isReady) {
			this.#record = { ...this.#recordInFlight, ...this.#record };
			// One that is to run again if its process ends does not wait for somebody who needs a commit.
			if (instance.assignment.crashPolicy === "restart") {
				this.#saveAfter(instance.options.stateSaveInterval);
			}
		}
		this.#recordInFlight = null;
		instance.log.error(
			{ err: error },
			"commit failed; the actor is back at its last committed state",
		);
		for (const part of this.#parts) part.rollBack();
		instance.madeAlarm?.rollBack();
		instance.watcher?.();
	}

	/** The incarnation may not write any more: everything that waits is refused. */
	end(reason: () => Error): void {
		this.#saveTimer?.cancel();
		this.committer.end(reason);
	}

	#dropTimer(): void {
		this.#saveTimer?.cancel();
		this.#saveTimer = null;
	}
}

function isEmptyBatch({ ops, alarmTs, record }: OpenBatch): boolean {
	return ops.length === 0 && alarmTs === undefined && !record;
}
