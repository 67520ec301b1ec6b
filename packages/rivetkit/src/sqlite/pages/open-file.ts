import fs from "node:fs";
import type { SqliteConnection, SqliteEngine } from "../engine/engine.ts";
import { allowsAction } from "../sql/rules.ts";
import { diffPage } from "./page-change.ts";
import { PAGE_BYTES } from "./page-checksum.ts";
import type { CapturedChange, CapturedChanges } from "./page-ledger.ts";
import type { WorkingFile } from "./working-file.ts";
import { readPageAt, WriteAheadLog } from "./write-ahead-log.ts";

/** The log is copied into the file when it has become longer than this (4 MiB, as SQLite does by itself). */
const LOG_FRAMES_MAX = 1000;

/**
 * A working file while SQLite has it open, and what transactions change in it.
 *
 * SQLite neither syncs nor checkpoints here: the store is what is durable, and a log that SQLite restarted
 * by itself would lose changes before they were read.
 */
export class OpenFile {
	readonly connection: SqliteConnection;
	readonly #file: WorkingFile;
	readonly #descriptor: number;
	#log: WriteAheadLog | null = null;
	/** Where the log holds a page that it has. */
	readonly #inLog = new Map<number, number>();
	/** Pages as of the last capture; those beyond are new to the store. */
	#pageCount: number;
	/** Length of the log (frames) from which on it is copied into the file. */
	#checkpointAt = LOG_FRAMES_MAX;
	/** Whether a statement is ours: users may not checkpoint. */
	#isCheckpointing = false;

	/**
	 * @param pageCount - of the file as it is, all of which the store has
	 * @param settings - pragmas of an earlier connection, to be set again
	 */
	constructor(
		file: WorkingFile,
		engine: SqliteEngine,
		pageCount: number,
		options: { readonly maxPages: number; readonly settings: readonly string[] },
	) {
		this.#file = file;
		this.#pageCount = pageCount;
		this.connection = engine.open(file.path);
		try {
			this.connection.exec(
				`PRAGMA page_size = ${PAGE_BYTES}; PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF;
				PRAGMA wal_autocheckpoint = 0; PRAGMA foreign_keys = ON; PRAGMA busy_timeout = 0;
				PRAGMA max_page_count = ${options.maxPages}; ${options.settings.join("; ")}`,
			);
			this.connection.authorize(
				(action, first, second) => this.#isCheckpointing || allowsAction(action, first, second),
			);
			this.#descriptor = fs.openSync(file.path, "r");
		} catch (error) {
			this.connection.close();
			throw error;
		}
	}

	/**
	 * What transactions changed since the last capture. Null when nothing. Its bytes are good until anything
	 * is captured again. Throws `TooManyChanges` when it is more than `bytesMax`; nothing can be captured
	 * then until the file is opened again.
	 */
	capture(bytesMax: number): CapturedChanges | null {
		const read = this.#openLog()?.read(bytesMax) ?? null;
		if (read === null) return null;
		const { pages, pageCount, position, isNew } = read;
		if (isNew) this.#inLog.clear();
		const known = Math.min(this.#pageCount, pageCount);
		const changes: CapturedChange[] = [];
		for (const [page, { bytes }] of pages) {
			const before = page <= known ? this.readPage(page) : null;
			changes.push({ change: diffPage(page, before, bytes), bytes });
		}
		for (const [page, { offset }] of pages) this.#inLog.set(page, offset);
		// Pages that came and were not written: free ones. What the file has there counts all the same.
		for (let page = known + 1; page <= pageCount; page++) {
			if (pages.has(page)) continue;
			const bytes = this.readPage(page).slice();
			changes.push({ change: diffPage(page, null, bytes), bytes });
		}
		this.#pageCount = pageCount;
		return { changes, pageCount, position };
	}

	/** A page as of the last capture; good until the next one is read. */
	readPage(page: number): Uint8Array {
		const offset = this.#inLog.get(page);
		return offset === undefined
			? readPageAt(this.#descriptor, (page - 1) * PAGE_BYTES)
			: this.#log!.readPage(offset);
	}

	/**
	 * Copies the log into the file when it has become long. Expects that all of it is captured, as part of
	 * `commit`, and that no transaction is open. Does nothing while a reader needs the log.
	 */
	checkpointIfLong(commit: number): void {
		const log = this.#openLog();
		if (log === null || log.frames < this.#checkpointAt) return;
		// Tried again when it is longer still; a reader may keep it for long.
		this.#checkpointAt = log.frames + LOG_FRAMES_MAX;
		this.#file.unmark();
		if (!this.#checkpoint()) return;
		this.#checkpointAt = LOG_FRAMES_MAX;
		this.#inLog.clear();
		this.#file.mark(commit);
	}

	#checkpoint(): boolean {
		this.#isCheckpointing = true;
		const statement = this.connection.prepare("PRAGMA wal_checkpoint(TRUNCATE)");
		try {
			// Busy, frames in the log, frames copied.
			return statement.get([])?.[0] === 0;
		} finally {
			statement.finalize();
			this.#isCheckpointing = false;
		}
	}

	/** SQLite copies the log into the file and removes it. */
	close(): void {
		this.#log?.close();
		this.#log = null;
		this.connection.close();
		// Not before: it would drop SQLite's locks, which belong to the process.
		fs.closeSync(this.#descriptor);
	}

	/** Null as long as nothing was ever written. */
	#openLog(): WriteAheadLog | null {
		if (this.#log === null && fs.existsSync(this.#file.logPath)) {
			this.#log = new WriteAheadLog(this.#file.logPath);
		}
		return this.#log;
	}
}
