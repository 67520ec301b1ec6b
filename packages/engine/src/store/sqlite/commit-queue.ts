import { clearImmediate, setImmediate } from "node:timers";
import type { Clock, Timer } from "@rivetkit/protocol";
import { StaleGenerationError, StoreError } from "../store.ts";
import type { SqliteConnection, SqliteStatement } from "./engine.ts";
import { isBusy, toStoreError } from "./errors.ts";

/** How long the queue waits for a program that holds a write transaction of its own. */
const BUSY_WAIT_MS = 10_000;
const BUSY_RETRY_MS = 5;

/** Bounds how long one turn keeps the event loop, and how much one transaction may roll back. */
const CALLS_PER_TURN_MAX = 1024;

export interface CommitQueueOptions {
	readonly connection: SqliteConnection;
	/** The database file, for messages. */
	readonly file: string;
	readonly clock: Clock;
	/** Puts every committed transaction on the disk. */
	readonly sync: () => Promise<void>;
	/** A transaction was rolled back: what was remembered of it never happened. */
	readonly onRollback: () => void;
	/** A transaction committed. */
	readonly onCommitted: () => void;
}

/** A call that waits: for its transaction to commit, and if `durable` for a sync after that. */
interface Waiting {
	readonly run: (() => unknown) | undefined;
	readonly kind: "read" | "ordered" | "durable";
	readonly resolve: (value: never) => void;
	readonly reject: (error: unknown) => void;
	value: unknown;
	refusal: StaleGenerationError | undefined;
}

/**
 * Turns the writes of many actors into few transactions and fewer syncs.
 *
 * - Q1. Calls run in the order they were made. All calls of one turn of the event loop run in one
 *   transaction.
 * - Q2. A call that throws `StaleGenerationError` must not have written; it alone is refused. Any other
 *   error rolls the whole transaction back and rejects all its calls.
 * - Q3. A durable call resolves when a sync has ended that began after its transaction committed. One
 *   sync is under way at a time, and transactions commit meanwhile.
 * - Q4. An ordered call or a read resolves when its transaction committed.
 * - Q5. After a failure that leaves the disk in doubt, everything waiting and everything later rejects.
 */
export class CommitQueue {
	readonly #options: CommitQueueOptions;
	readonly #begin: SqliteStatement;
	readonly #commit: SqliteStatement;
	readonly #rollback: SqliteStatement;
	/** Called, not yet run. */
	#pending: Waiting[] = [];
	/** Committed, waiting for a sync to begin. */
	#unsynced: Waiting[] = [];
	/** Committed, and the sync they wait for is under way. */
	#syncing: Waiting[] | undefined;
	/** Whether something was committed that no sync covers yet. */
	#dirty: boolean;
	/** The turn that is asked for. */
	#scheduled: ReturnType<typeof setImmediate> | undefined;
	#held = false;
	#busySinceMs: number | undefined;
	#busyTimer: Timer | undefined;
	/** Why nothing new is accepted. */
	#refusing: StoreError | undefined;
	/** Why nothing goes on at all. */
	#stopped: StoreError | undefined;

	constructor(options: CommitQueueOptions) {
		const { connection } = options;
		this.#options = options;
		this.#begin = connection.prepare("BEGIN IMMEDIATE");
		this.#commit = connection.prepare("COMMIT");
		this.#rollback = connection.prepare("ROLLBACK");
		// What a process before us wrote and never synced becomes ours to sync.
		this.#dirty = true;
	}

	/** Runs a write in this turn's transaction; resolves with its value once that committed. */
	ordered<T>(run: () => T): Promise<T> {
		return this.#enqueue("ordered", run);
	}

	/** Runs a write in this turn's transaction; resolves once it is on the disk. */
	durable<T>(run: () => T): Promise<T> {
		return this.#enqueue("durable", run);
	}

	/** Runs a read after every write that was called before it. */
	read<T>(run: () => T): Promise<T> {
		return Promise.resolve(this.readNow(run));
	}

	/** As {@link read}, without a promise when no write is before it. Never throws, but rejects. */
	readNow<T>(run: () => T): T | Promise<T> {
		if (this.#refusing !== undefined) {
			return Promise.reject(this.#refusing);
		}
		if (this.#pending.length > 0) {
			return this.#enqueue("read", run);
		}
		try {
			return run();
		} catch (error) {
			return Promise.reject(toStoreError(error, this.#options.file, "Cannot read the store"));
		}
	}

	/** Resolves when everything called before is on the disk. */
	sync(): Promise<void> {
		if (this.#pending.length > 0 || this.#refusing !== undefined) {
			return this.#enqueue("durable", undefined) as Promise<void>;
		}
		if (!this.#dirty && this.#syncing === undefined) {
			return Promise.resolve();
		}
		return new Promise((resolve, reject) => {
			const waiting = newWaiting("durable", undefined, resolve, reject);
			if (this.#dirty || this.#syncing === undefined) {
				this.#unsynced.push(waiting);
				this.#startSync();
			} else {
				this.#syncing.push(waiting);
			}
		});
	}

	/** The calls made so far need not wait for the end of the turn: it is here. */
	endTurn(): void {
		if (this.#scheduled !== undefined) {
			// It would find nothing, and keep the event loop from waiting for the sync right away.
			clearImmediate(this.#scheduled);
			this.#scheduled = undefined;
		}
		this.#runTurn();
	}

	/** Keeps calls waiting, so that another connection can write. */
	hold(): void {
		this.#held = true;
	}

	release(): void {
		this.#held = false;
		this.#schedule();
	}

	/** Accepts nothing more; resolves when everything accepted is on the disk or was rejected. */
	finish(reason: StoreError): Promise<void> {
		const accepted = this.#stopped === undefined ? this.sync() : Promise.resolve();
		this.#refusing ??= reason;
		return accepted;
	}

	/** Rejects everything that waits and everything to come. The first reason counts. */
	stop(reason: StoreError): void {
		if (this.#stopped !== undefined) {
			return;
		}
		this.#stopped = reason;
		this.#refusing ??= reason;
		this.#busyTimer?.stop();
		const waiting = [...(this.#syncing ?? []), ...this.#unsynced, ...this.#pending];
		this.#syncing = undefined;
		this.#unsynced = [];
		this.#pending = [];
		for (const call of waiting) {
			call.reject(reason);
		}
	}

	#enqueue<T>(kind: Waiting["kind"], run: (() => T) | undefined): Promise<T> {
		return new Promise((resolve, reject) => {
			if (this.#refusing !== undefined) {
				reject(this.#refusing);
				return;
			}
			this.#pending.push(newWaiting(kind, run, resolve, reject));
			this.#schedule();
		});
	}

	/**
	 * One run per turn: `setImmediate` comes after all the callbacks that the turn's I/O caused. A
	 * microtask would come after the first of them (docs/adr/0001 has the numbers).
	 */
	#schedule(): void {
		if (this.#scheduled === undefined && !this.#held && this.#pending.length > 0) {
			this.#scheduled = setImmediate(this.#onImmediate);
		}
	}

	readonly #onImmediate = (): void => {
		this.#scheduled = undefined;
		this.#runTurn();
	};

	#runTurn(): void {
		if (this.#held || this.#pending.length === 0 || this.#busyTimer !== undefined) {
			return;
		}
		if (!this.#beginTransaction()) {
			return;
		}
		const calls = this.#takeCalls();
		try {
			for (const call of calls) {
				this.#runCall(call);
			}
			this.#commit.get();
		} catch (error) {
			this.#abort(calls, error);
			return;
		}
		this.#dirty = true;
		for (const call of calls) {
			if (call.kind === "durable" && call.refusal === undefined) {
				this.#unsynced.push(call);
			} else {
				settle(call);
			}
		}
		this.#startSync();
		this.#options.onCommitted();
	}

	/** The calls of this turn's transaction; what is too much for one turn waits for the next. */
	#takeCalls(): readonly Waiting[] {
		const calls = this.#pending;
		this.#pending = calls.length > CALLS_PER_TURN_MAX ? calls.splice(CALLS_PER_TURN_MAX) : [];
		this.#schedule();
		return calls;
	}

	#runCall(call: Waiting): void {
		if (call.run === undefined) {
			return;
		}
		try {
			call.value = call.run();
		} catch (error) {
			if (!(error instanceof StaleGenerationError)) {
				throw error;
			}
			call.refusal = error;
		}
	}

	/** False when another program is writing; the turn is then repeated a little later. */
	#beginTransaction(): boolean {
		const { clock, file } = this.#options;
		try {
			this.#begin.get();
			this.#busySinceMs = undefined;
			return true;
		} catch (error) {
			const nowMs = clock.now();
			this.#busySinceMs ??= nowMs;
			if (isBusy(error) && nowMs - this.#busySinceMs < BUSY_WAIT_MS) {
				this.#busyTimer = clock.after(BUSY_RETRY_MS, () => {
					this.#busyTimer = undefined;
					this.#schedule();
				});
				return false;
			}
			this.#busySinceMs = undefined;
			const calls = this.#pending;
			this.#pending = [];
			this.#fail(calls, toStoreError(error, file, "Cannot write to the store"));
			return false;
		}
	}

	#abort(calls: readonly Waiting[], error: unknown): void {
		try {
			this.#rollback.get();
		} catch {
			// SQLite has rolled back by itself after a full disk or an I/O error.
		}
		this.#options.onRollback();
		this.#fail(calls, toStoreError(error, this.#options.file, "Cannot write to the store"));
	}

	/** Rejects the writes among `calls` and runs the reads by themselves. */
	#fail(calls: readonly Waiting[], error: Error): void {
		if (error instanceof StoreError && error.code !== "full" && error.code !== "locked") {
			this.#pending = [...calls, ...this.#pending];
			this.stop(error);
			return;
		}
		for (const call of calls) {
			if (call.kind === "read") {
				this.read(call.run as () => unknown).then(call.resolve as () => void, call.reject);
			} else {
				call.reject(error);
			}
		}
	}

	#startSync(): void {
		if (this.#syncing !== undefined || this.#unsynced.length === 0) {
			return;
		}
		this.#syncing = this.#unsynced;
		this.#unsynced = [];
		this.#dirty = false;
		this.#options.sync().then(this.#synced, this.#syncFailed);
	}

	readonly #synced = (): void => {
		const calls = this.#syncing;
		if (calls === undefined) {
			// Stopped meanwhile.
			return;
		}
		this.#syncing = undefined;
		// The disk works while the callers do.
		this.#startSync();
		for (const call of calls) {
			settle(call);
		}
	};

	readonly #syncFailed = (error: unknown): void => {
		const { file } = this.#options;
		const reason = error instanceof Error ? error.message : String(error);
		this.stop(
			new StoreError(
				"failed",
				file,
				`Cannot sync the store ${file} to disk: ${reason}. What is on disk is now unknown, so nothing ` +
					"more is accepted: check the disk and restart the process.",
				{ cause: error },
			),
		);
	};
}

function newWaiting(
	kind: Waiting["kind"],
	run: (() => unknown) | undefined,
	resolve: (value: never) => void,
	reject: (error: unknown) => void,
): Waiting {
	return { run, kind, resolve, reject, value: undefined, refusal: undefined };
}

function settle(call: Waiting): void {
	if (call.refusal === undefined) {
		call.resolve(call.value as never);
	} else {
		call.reject(call.refusal);
	}
}
