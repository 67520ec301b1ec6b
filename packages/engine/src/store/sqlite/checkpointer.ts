import { StoreError } from "../store.ts";
import { CheckpointThread, type ThreadConnection } from "./checkpoint-thread.ts";
import type { CommitQueue } from "./commit-queue.ts";
import type { SqliteEngine } from "./engine.ts";
import { toStoreError } from "./errors.ts";
import type { WalFile } from "./wal-file.ts";

/** A pass that copied fewer pages than this leaves little for the one that holds the writers. */
const SMALL_PASS_PAGES = 512;
const PASSES_MAX = 4;
/**
 * How far the log must be written on before its length is looked at again, in pages. Each write counts as a
 * page, so a turn of a hundred busy actors counts as hundreds.
 */
const PROBE_PAGES = 1024;
const PAGE_BYTES = 4096;
/** Writers are held early when the log, while it is copied beside them, becomes this much too long. */
const OVERSHOOT_MAX = 3;

export interface CheckpointerOptions {
	readonly engine: SqliteEngine;
	readonly file: string;
	readonly wal: WalFile;
	readonly queue: CommitQueue;
	/** The log is copied into the database and restarted when it is longer than this. */
	readonly checkpointBytes: number;
	/** A failure that leaves the disk in doubt. */
	readonly onFailure: (error: StoreError) => void;
}

/**
 * Keeps the write-ahead log short: copies it into the database file and starts it again from its
 * beginning, all on a thread of its own.
 *
 * - C1. The copying happens while commits go on; writers are held only for what is left at the end, or
 *   when they outrun the copying, so that the log is bounded whatever they do.
 * - C2. Only the thread restarts the log, by a small transaction of its own while the writers are held.
 *   It syncs the log's new header before it writes a frame. If the writer restarted the log unsynced, a
 *   power cut could leave the old header with some of the old frames overwritten, and recovery would
 *   put a part of the old log over newer pages.
 * - C3. While passes run next to the writer, a read transaction of the thread keeps the log from being
 *   restarted by anybody. Copying and restarting at the same instant is what the WAL-reset bug of
 *   SQLite before 3.51.3 is about; here they never meet.
 */
export class Checkpointer {
	readonly #options: CheckpointerOptions;
	#thread: CheckpointThread | undefined;
	#writtenPages = 0;
	#active: Promise<void> | undefined;
	/** Length that sets off the next checkpoint; longer after one that could not restart the log. */
	#thresholdBytes: number;
	#lastWasComplete = true;
	/** Copying beside the writers, who can still be held. */
	#beside = false;
	#probing = false;
	#closing = false;

	constructor(options: CheckpointerOptions) {
		this.#options = options;
		this.#thresholdBytes = options.checkpointBytes;
	}

	/** Tells how many pages were written, roughly; the log itself is asked only now and then. */
	wrote(pages: number): void {
		this.#writtenPages += pages;
	}

	/** Looks whether the log has become too long. For after each transaction; cheap. */
	check(): void {
		const due = Math.min(PROBE_PAGES, this.#options.checkpointBytes / PAGE_BYTES / 2);
		if (this.#writtenPages < due || this.#closing) {
			return;
		}
		if (this.#active === undefined) {
			this.#writtenPages = 0;
			this.#active = this.#checkpointIfLong().finally(() => {
				this.#active = undefined;
			});
		} else if (this.#beside && !this.#probing) {
			this.#writtenPages = 0;
			this.#probing = true;
			this.#holdIfTooLong()
				.catch((error: unknown) =>
					this.#options.onFailure(toCheckpointError(error, this.#options.file)),
				)
				.finally(() => {
					this.#probing = false;
				});
		}
	}

	/** Waits for a checkpoint under way and ends the thread. */
	async close(): Promise<void> {
		this.#closing = true;
		await this.#active;
		await this.#thread?.close();
	}

	async #checkpointIfLong(): Promise<void> {
		const { wal, file, onFailure } = this.#options;
		try {
			if (!(await wal.isLongerThan(this.#thresholdBytes)) || this.#closing) {
				return;
			}
			this.#lastWasComplete = await this.#checkpoint();
			this.#thresholdBytes = this.#lastWasComplete
				? this.#options.checkpointBytes
				: this.#thresholdBytes + this.#options.checkpointBytes;
		} catch (error) {
			const failure = toCheckpointError(error, file);
			this.#lastWasComplete = false;
			this.#thresholdBytes += this.#options.checkpointBytes;
			// A full disk or a foreign lock passes: the log stays, the next checkpoint tries again.
			if (failure.code !== "full" && failure.code !== "locked") {
				onFailure(failure);
			}
		}
	}

	async #holdIfTooLong(): Promise<void> {
		const { wal, queue, checkpointBytes } = this.#options;
		const tooLong = await wal.isLongerThan(this.#thresholdBytes + OVERSHOOT_MAX * checkpointBytes);
		if (tooLong && this.#beside) {
			queue.hold();
		}
	}

	/** True when the whole log was copied and starts anew. */
	async #checkpoint(): Promise<boolean> {
		const { queue, engine, file, wal, checkpointBytes } = this.#options;
		this.#thread ??= new CheckpointThread(
			engine.module,
			file,
			// Full syncs, also where they need another system call (macOS); never a checkpoint by itself.
			`PRAGMA synchronous = FULL; PRAGMA fullfsync = 1; PRAGMA checkpoint_fullfsync = 1;
			PRAGMA wal_autocheckpoint = 0; PRAGMA journal_size_limit = ${checkpointBytes};
			PRAGMA busy_timeout = 0`,
		);
		const thread = this.#thread;
		const pinned = new Set<ThreadConnection>();
		try {
			if (this.#lastWasComplete) {
				this.#beside = true;
				await copyBesideWriters(thread, pinned);
			}
			this.#beside = false;
			queue.hold();
			await unpin(thread, pinned);
			const { log, checkpointed } = await copy(thread);
			if (checkpointed < log) {
				// A reader elsewhere, perhaps an SQLite tool, still needs the log.
				return false;
			}
			await restartLog(thread);
			// A reader elsewhere can also keep a log that was copied whole.
			return !(await wal.isLongerThan(checkpointBytes));
		} finally {
			this.#beside = false;
			queue.release();
			await unpin(thread, pinned);
		}
	}
}

async function copyBesideWriters(
	thread: CheckpointThread,
	pinned: Set<ThreadConnection>,
): Promise<void> {
	let copied = 0;
	for (let pass = 0; pass < PASSES_MAX; pass++) {
		const [pin, previous]: ThreadConnection[] =
			pass % 2 === 0 ? ["pinA", "pinB"] : ["pinB", "pinA"];
		pinned.add(pin!);
		await thread.run(pin!, "BEGIN", "SELECT value FROM meta");
		if (pinned.has(previous!)) {
			await thread.run(previous!, "COMMIT");
			pinned.delete(previous!);
		}
		const { checkpointed } = await copy(thread);
		if (checkpointed - copied < SMALL_PASS_PAGES) {
			return;
		}
		copied = checkpointed;
	}
}

async function unpin(thread: CheckpointThread, pinned: Set<ThreadConnection>): Promise<void> {
	for (const connection of [...pinned]) {
		pinned.delete(connection);
		await thread.run(connection, "COMMIT");
	}
}

/** Copies what no reader hinders into the database file: syncs the log, writes pages, syncs them. */
async function copy(thread: CheckpointThread): Promise<{ log: number; checkpointed: number }> {
	const [row] = await thread.run("checkpoint", "PRAGMA wal_checkpoint(PASSIVE)");
	return { log: row?.log as number, checkpointed: row?.checkpointed as number };
}

/** The first write after a complete copy begins the log anew; with full syncs its header goes first. */
async function restartLog(thread: CheckpointThread): Promise<void> {
	try {
		await thread.run(
			"checkpoint",
			"BEGIN IMMEDIATE",
			"UPDATE meta SET value = value + 1 WHERE name = 'checkpoints'",
			"COMMIT",
		);
	} catch (error) {
		await thread.run("checkpoint", "ROLLBACK").catch(() => {
			// The transaction did not begin, or SQLite ended it; the first error says why.
		});
		throw error;
	}
}

function toCheckpointError(error: unknown, file: string): StoreError {
	const failure = toStoreError(error, file, "Cannot checkpoint the store");
	return failure instanceof StoreError
		? failure
		: new StoreError(
				"failed",
				file,
				`Cannot checkpoint the store ${file}: ${failure.message}. Restart the process.`,
				{ cause: error },
			);
}
