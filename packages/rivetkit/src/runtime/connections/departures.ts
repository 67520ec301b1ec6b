import { SparseSet } from "../../utils/sparse-set.ts";
import type { AlarmSource } from "../instance/alarm-keeper.ts";
import type { ActorInstance } from "../instance/instance.ts";
import { hasEnded } from "../lifecycle/lifecycle.ts";
import { withTimeout } from "../lifecycle/with-timeout.ts";
import type { WheelTimer } from "../timers/timer-wheel.ts";
import type { Connection } from "./connection.ts";
import { traceHook } from "./connection-spans.ts";

/** Pause before an `onDisconnect` runs again whose writes were lost (ms), doubling up to the second. */
const PAUSE_FIRST_MS = 1_000;
const PAUSE_MAX_MS = 60_000;

type OnDisconnect = (c: unknown, conn: unknown) => unknown;

/** A connection whose `onDisconnect` has to run again. */
interface Again {
	readonly connection: Connection;
	readonly timer: WheelTimer;
	readonly failures: number;
}

/**
 * What is left to do for connections that are over: `onDisconnect`, once for each (lifecycle 9.3).
 *
 * - P1. The stored record goes in one commit with what the hook wrote last, so a crash before runs it again.
 * - P2. A commit that fails has taken back what the hook wrote, so it runs again after a pause, unless the
 *   opening of the connection was taken back with it. A hook that throws has run.
 * - P3. A stop waits for no pause: the hook runs at once, one last time. If that is lost, too, the record
 *   stays, and the actor's alarm has the next incarnation do it.
 */
export class Departures implements AlarmSource {
	readonly #instance: ActorInstance;
	/** Hooks that run. */
	readonly #running = new SparseSet<Promise<void>>();
	#again: Set<Again> | null = null;
	/** Stored connections that are left to the next incarnation. */
	#leftCount = 0;

	constructor(instance: ActorInstance) {
		this.#instance = instance;
	}

	get runningCount(): number {
		return this.#running.size;
	}

	/** Resolves when all hooks that run now are done. */
	async allDone(): Promise<void> {
		await Promise.all(this.#running);
	}

	/** Notes whether the opening of a connection may still be taken back. */
	opened(connection: Connection): void {
		const { committer } = this.#instance;
		if (!committer.pending) return;
		connection.isOpeningDurable = false;
		committer.nextCommit().then(
			() => {
				connection.isOpeningDurable = true;
			},
			// Whoever waits for that commit is told.
			() => {},
		);
	}

	/** The connection has left the table. */
	begin(connection: Connection): void | Promise<void> {
		const { onDisconnect } = this.#instance.config;
		if (onDisconnect) return this.#run(connection, onDisconnect, 0);
		this.#forget(connection, 0);
	}

	/** The actor stops: what waits for its time runs now, but not in the middle of what made it stop. */
	hurry(): void {
		for (const again of this.#again ?? []) queueMicrotask(() => this.#runAgain(again));
	}

	/** Nothing can be written any more. */
	end(): void {
		for (const { timer } of this.#again ?? []) timer.cancel();
		this.#again = null;
	}

	nextTs(): null {
		return null;
	}

	/** Never: a live actor does what is to be done by itself. */
	due(): void {}

	wakeTs(): number | null {
		return this.#leftCount > 0 ? this.#instance.now() : null;
	}

	#run(connection: Connection, hook: OnDisconnect, failures: number): Promise<void> {
		const done = this.#perform(connection, hook, failures);
		this.#running.add(done);
		void done.finally(() => this.#running.delete(done));
		return done;
	}

	async #perform(connection: Connection, hook: OnDisconnect, failures: number): Promise<void> {
		const instance = this.#instance;
		const work = instance.work.begin("onDisconnect");
		try {
			// One that closes a connection inside c.atomic must not wait for itself.
			if (!instance.isFree && !instance.isInAtomic) await instance.untilFree();
			if (instance.isFenced) return;
			// A hook without an end must not keep the actor busy for good.
			await withTimeout(
				instance,
				"onDisconnect",
				instance.options.actionTimeout,
				traceHook(connection, "onDisconnect", () => hook(instance.contexts.actor, connection.view)),
				"actionTimeout",
			);
		} catch (error) {
			instance.log.error({ err: error, connId: connection.id }, "onDisconnect failed");
		} finally {
			// The commit is asked for before the ledger says "idle".
			this.#forget(connection, failures);
			instance.work.end(work);
			instance.writes.saveSoon();
		}
	}

	#forget(connection: Connection, failures: number): void {
		const instance = this.#instance;
		const { record } = connection;
		if (hasEnded(instance.phase)) return;
		if (record) {
			instance.connectionRecords.remove(record);
			instance.afterDurable((error) => {
				if (error === undefined) this.#released(connection);
				else this.#lost(connection, failures + 1);
			});
		} else if (instance.config.onDisconnect && instance.committer.dirty) {
			instance.committer.nextCommit().catch(() => this.#lost(connection, failures + 1));
		}
	}

	/** What the hook wrote, and the removal of the record, were taken back (P2). */
	#lost(connection: Connection, failures: number): void {
		const instance = this.#instance;
		if (hasEnded(instance.phase)) return;
		const { record, id } = connection;
		if (!instance.config.onDisconnect || !connection.isOpeningDurable) {
			// Nothing to run: the removal is in the next commit again.
			if (!record) return;
			const again = () => this.#lost(connection, failures);
			instance.committer.nextCommit().then(() => this.#released(connection), again);
			return;
		}
		if (record) instance.connectionRecords.keep(record);
		if (instance.isAborted) {
			const outcome = record ? "the next incarnation runs it again" : "it is given up";
			instance.log.error({ connId: id, failures }, `what onDisconnect wrote was lost; ${outcome}`);
			if (!record) return;
			if (this.#leftCount++ === 0) instance.alarm.add(this);
			instance.committer.markDirty();
			return;
		}
		const pauseMs = Math.min(PAUSE_MAX_MS, PAUSE_FIRST_MS * 2 ** (failures - 1));
		instance.log.warn(
			{ connId: id, failures, pauseMs },
			"what onDisconnect wrote was lost; it is run again",
		);
		// The pause counts as work: an actor that slept through it would have to be woken.
		instance.work.begin("onDisconnect");
		const timer = instance.services.timers.schedule(pauseMs, () => this.#runAgain(again));
		const again: Again = { connection, timer, failures };
		this.#again ??= new Set();
		this.#again.add(again);
	}

	/** The connection is not stored any more: its gateway may forget it. */
	#released({ record }: Connection): void {
		if (!this.#instance.isFenced) record?.socket?.release();
	}

	#runAgain(again: Again): void {
		const instance = this.#instance;
		if (!this.#again?.delete(again)) return;
		again.timer.cancel();
		void this.#run(again.connection, instance.config.onDisconnect!, again.failures);
		instance.work.end("onDisconnect");
	}
}
