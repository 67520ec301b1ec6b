import type { StopIntent, Timer } from "@rivetkit/protocol";
import { Deferred } from "../placement/deferred.ts";
import type { HostedAlarm } from "./hosted-alarm.ts";
import type { KvQuota } from "./kv-quota.ts";
import type { Ending } from "./outcome.ts";
import type { RunnerRecord, Slot } from "./runner-record.ts";

/** What an incarnation on a runner begins with. */
export interface HostedOptions {
	readonly slot: Slot;
	readonly generation: number;
	readonly crashPolicy: string;
	/** Whether the actor has never run before. */
	readonly isFirst: boolean;
	readonly quota: KvQuota;
	readonly alarm: HostedAlarm;
}

/** One incarnation on a runner. */
export class Hosted implements Ending {
	readonly actorId: string;
	readonly runner: RunnerRecord;
	readonly slot: Slot;
	readonly generation: number;
	readonly crashPolicy: string;
	readonly isFirst: boolean;
	readonly quota: KvQuota;
	readonly alarm: HostedAlarm;
	/** Settles when the runner says that it runs, or that it does not. */
	readonly started: Deferred<void> = new Deferred();
	readonly stopped: Deferred<void> = new Deferred();
	isRunning = false;
	/** Whether the ledger has it. */
	isKept = false;
	/** An earlier process of this engine has begun it, and may have told it to stop. */
	isResumed = false;
	/** What the runner asked for, or the engine. */
	intent: StopIntent | null = null;
	/** When it was told to stop first (ms since the epoch). */
	stoppingSinceTs: number | null = null;
	/** Told to stop because its runner goes away. */
	isLeaving = false;
	/** Its move away is no failure. */
	resetsFailures = false;
	/** Its runner has said that it has stopped: nothing of it can come any more. */
	hasStopped = false;
	nextCommand = 0;
	lastEvent = -1;
	acknowledgedEvent = -1;
	/** Calls that its runner has aborted, since it was last heard of. */
	abortsInARow = 0;
	deadline: Timer | null = null;
	/** What is done about its events, one after the other. */
	work: Promise<void> = Promise.resolve();
	/** Its key/value requests, one after the other. */
	kv: Promise<void> = Promise.resolve();

	constructor({ slot, generation, crashPolicy, isFirst, quota, alarm }: HostedOptions) {
		this.actorId = slot.actorId;
		this.runner = slot.runner;
		this.slot = slot;
		this.generation = generation;
		this.crashPolicy = crashPolicy;
		this.isFirst = isFirst;
		this.quota = quota;
		this.alarm = alarm;
		// Whoever waits for it is told.
		this.started.promise.catch(() => {});
	}

	/** Whether its runner was told to stop it. */
	get isTold(): boolean {
		return this.nextCommand > 1;
	}
}
