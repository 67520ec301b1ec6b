import type { ActorInstance } from "../instance/instance.ts";
import { ALARM_LINGER_MS } from "./limits.ts";
import type { QueueData } from "./queue-data.ts";

/**
 * When an actor has to be woken for its queue (ruling 19): as long as it holds messages that `run` would
 * take, the alarm in its record is due, so that a host that starts, or the engine after a stop, wakes it.
 *
 * While the actor is awake the alarm changes as rarely as it can: it is set with the first message, and
 * cleared a while after the last one is gone, with a commit that comes anyway.
 */
export class WakeAlarm {
	readonly #instance: ActorInstance;
	readonly #data: QueueData;
	/** Queues that `run` has received from in this incarnation; null for all, undefined for none yet. */
	#names: Set<string> | null | undefined;
	#hasReceived = false;
	/** The alarm while there are messages to take, or were a moment ago. */
	#dueTs: number | null = null;
	#lastBusyMs = 0;

	constructor(instance: ActorInstance, data: QueueData) {
		this.#instance = instance;
		this.#data = data;
	}

	/** `run` asks for messages of these queues. */
	received(names: readonly string[] | null): void {
		this.#hasReceived = true;
		if (names === null) this.#names = null;
		else if (this.#names !== null) {
			this.#names ??= new Set();
			for (const name of names) this.#names.add(name);
		}
	}

	/** The time for the actor's record: when its host has to wake it, if it is asleep then. */
	get ts(): number | null {
		if (!this.#instance.config.run) return null;
		return this.#instance.isReady ? this.#awakeTs() : this.#asleepTs();
	}

	#awakeTs(): number | null {
		const { index } = this.#data;
		const now = this.#instance.now();
		if (index.size > index.delayedCount) {
			this.#lastBusyMs = now;
			this.#dueTs ??= now;
		} else if (now - this.#lastBusyMs > ALARM_LINGER_MS) {
			this.#dueTs = null;
		}
		return this.#dueTs ?? index.nextDelayedTs;
	}

	/** Exact, because it holds until the next wake. */
	#asleepTs(): number | null {
		let earliest: number | null = null;
		for (const { header } of this.#data.index.all()) {
			// What a workflow has waits for the workflow.
			if (header.leased || !this.#wouldTake(header.name)) continue;
			const ts = Math.max(header.availableAt, header.createdAt);
			if (earliest === null || ts < earliest) earliest = ts;
		}
		return earliest;
	}

	#wouldTake(name: string): boolean {
		const { durable } = this.#instance;
		if (durable) return durable.waitsFor(name);
		// A `run` that came to its end without asking for messages leaves them to others.
		if (!this.#hasReceived) return !this.#instance.run?.scope?.hasReturned;
		if (this.#names === null) return !this.#data.isDeadLetter(name);
		return this.#names?.has(name) ?? false;
	}
}
