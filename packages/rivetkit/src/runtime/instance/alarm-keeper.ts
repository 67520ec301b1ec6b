import { delayUntil } from "@rivetkit/protocol";
import type { BatchPart, OpenBatch, Savepoint } from "../commit/batch-part.ts";
import type { WheelTimer } from "../timers/timer-wheel.ts";
import type { ActorInstance } from "./instance.ts";

/** A part of the actor that has something to do at a time, whether the actor is awake then or not. */
export interface AlarmSource {
	/** The next time (ms since the epoch), what is not committed yet included; null for never. */
	nextTs(): number | null;
	/**
	 * When an incarnation would have to be awake if this one ended now: earlier than {@link nextTs} while
	 * something is in progress that would have to be done again, later when nobody has to be woken for
	 * what is next. Default: {@link nextTs}.
	 */
	wakeTs?(): number | null;
	/**
	 * The time of {@link nextTs} has come. Called only while the instance is ready, once for everything
	 * that is due at `nowMs`; a source that leaves something due says `changed` when it wants to be asked
	 * again.
	 */
	due(nowMs: number): void;
}

/**
 * The actor's one alarm: the earliest time of all its sources. It is committed together with whatever
 * made it change, so it cannot be lost (lifecycle W-SCH-7); while the actor is awake a timer stands in
 * for it.
 */
export class AlarmKeeper implements BatchPart {
	readonly #instance: ActorInstance;
	#sources: readonly AlarmSource[] = [];
	#committedTs: number | null;
	/** Of the batch being committed; undefined when it leaves the alarm alone. */
	#takenTs: number | null | undefined;
	#timer: WheelTimer | null = null;
	#timerTs = Number.POSITIVE_INFINITY;
	#isRinging = false;

	constructor(instance: ActorInstance) {
		this.#instance = instance;
		this.#committedTs = instance.assignment.alarmTs;
	}

	add(source: AlarmSource): void {
		// A list that is pushed to gets room for seventeen.
		this.#sources = this.#sources.concat(source);
	}

	/** The earliest time of all sources: what is stored. */
	get wakeTs(): number | null {
		let earliest: number | null = null;
		for (const source of this.#sources) {
			const ts = source.wakeTs ? source.wakeTs() : source.nextTs();
			if (ts !== null && (earliest === null || ts < earliest)) earliest = ts;
		}
		return earliest;
	}

	/** A source's next time has changed. What made it change is already marked to be committed. */
	changed(): void {
		if (!this.#instance.isReady || this.#isRinging) return;
		this.#arm(this.#earliestAfter(Number.NEGATIVE_INFINITY));
	}

	#earliestAfter(afterTs: number): number {
		let next = Number.POSITIVE_INFINITY;
		for (const source of this.#sources) {
			const ts = source.nextTs();
			if (ts !== null && ts > afterTs && ts < next) next = ts;
		}
		return next;
	}

	#arm(next: number): void {
		if (next === this.#timerTs) return;
		this.#timerTs = next;
		if (next === Number.POSITIVE_INFINITY) {
			this.#timer?.cancel();
			return;
		}
		const { clock, alarms } = this.#instance.services;
		const delayMs = delayUntil(clock, next);
		if (this.#timer) this.#timer.restart(delayMs);
		else this.#timer = alarms.schedule(delayMs, this.#ring);
	}

	/** From now on sources hear of their times; those that are over, at once. */
	start(): void {
		if (this.wakeTs !== this.#committedTs) {
			this.#instance.committer.markDirty();
			this.#instance.writes.saveSoon();
		}
		this.#ring();
	}

	stop(): void {
		this.#timer?.cancel();
		this.#timerTs = Number.POSITIVE_INFINITY;
	}

	take(batch: OpenBatch): void {
		const wakeTs = this.wakeTs;
		if (wakeTs === this.#committedTs) return;
		batch.alarmTs = wakeTs;
		this.#takenTs = wakeTs;
	}

	committed(): void {
		if (this.#takenTs === undefined) return;
		this.#committedTs = this.#takenTs;
		this.#takenTs = undefined;
	}

	rollBack(): void {
		this.#takenTs = undefined;
		this.changed();
	}

	/** The sources have gone back before it. */
	savepoint(): Savepoint {
		return { rewind: () => this.changed(), release() {} };
	}

	#ring = (): void => {
		this.#timerTs = Number.POSITIVE_INFINITY;
		const instance = this.#instance;
		if (!instance.isReady) return;
		if (!instance.isFree) {
			instance.whenFree(this.#ring);
			return;
		}
		const now = instance.now();
		this.#isRinging = true;
		try {
			for (const source of this.#sources) {
				const ts = source.nextTs();
				if (ts === null || ts > now) continue;
				// An alarm that fires makes the wait for `sleepTimeout` begin anew (lifecycle 5.1).
				instance.touch();
				source.due(now);
			}
		} finally {
			this.#isRinging = false;
			// What is still due has been told of; the timer must not turn without end.
			if (instance.isReady) this.#arm(this.#earliestAfter(now));
		}
	};
}
