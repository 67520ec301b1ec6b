import fs from "node:fs";
import type { StorageOp } from "@rivetkit/protocol";
import { catalogueError } from "@rivetkit/protocol";
import type { ActorBackend, Incarnation } from "../../backends/backend.ts";
import { OpenFile } from "../../sqlite/pages/open-file.ts";
import { PAGE_BYTES } from "../../sqlite/pages/page-checksum.ts";
import { PageLedger } from "../../sqlite/pages/page-ledger.ts";
import type { DatabaseHead } from "../../sqlite/pages/stored-pages.ts";
import { WorkingFile } from "../../sqlite/pages/working-file.ts";
import { TooManyChanges } from "../../sqlite/pages/write-ahead-log.ts";
import type { DatabasePool } from "./database-pool.ts";
import { StoredDatabase } from "./stored-database.ts";

/** Files from this size on are synced when they are closed: writing them again would take long. */
const SYNCED_BYTES_MIN = 16 * 1024 * 1024;

/** With less than this left, a disk is full. */
const DISK_BYTES_LEFT = 8 * 1024 * 1024;

export interface ContentLimits {
	/** Bytes of the database. */
	readonly databaseBytesMax: number;
	/** Bytes of changed pages in one commit. */
	readonly commitBytesMax: number;
}

/** The working file is not usable; {@link DatabaseContent.recover} writes it again. */
export class WorkingFileLost extends Error {
	override readonly name = "WorkingFileLost";
	constructor(reason: string, options?: ErrorOptions) {
		super(`The working file of the database is not usable: ${reason}`, options);
	}
}

/**
 * One actor's database between its working file and its store: makes the file what the store says, turns
 * what transactions change into writes of the actor's next commit, and takes the file back to what is
 * committed when a commit fails.
 */
export class DatabaseContent {
	readonly #stored: StoredDatabase;
	readonly #pool: DatabasePool;
	readonly #actorId: string;
	readonly #limits: ContentLimits;
	#file: WorkingFile | null = null;
	#open: OpenFile | null = null;
	#ledger = new PageLedger([]);
	/** What is durable. */
	#confirmed: DatabaseHead | null = null;
	#taken: DatabaseHead | null = null;
	/** Pages of commits that are not confirmed. */
	readonly #unconfirmed = new Set<number>();
	/** The file is not what the ledger says, and nobody knows how far. */
	#isDamaged = false;

	constructor(
		backend: ActorBackend,
		actor: Incarnation,
		pool: DatabasePool,
		limits: ContentLimits,
	) {
		this.#stored = new StoredDatabase(backend, actor);
		this.#pool = pool;
		this.#actorId = actor.actorId;
		this.#limits = limits;
	}

	/** Bytes of the database as of the last capture. */
	get bytes(): number {
		return this.#ledger.pageCount * PAGE_BYTES;
	}

	get limits(): ContentLimits {
		return this.#limits;
	}

	/** Whether something may be in the file that is not in the store. */
	get hasUnconfirmed(): boolean {
		return this.#unconfirmed.size > 0 || this.#isDamaged;
	}

	/** Whether the next commit has something to write in any case. */
	get isFolding(): boolean {
		return this.#ledger.isFolding;
	}

	/** Whether the disk that the file is on is full: SQLite says the same of a database that may not grow. */
	get isDiskFull(): boolean {
		try {
			const { bavail, bsize } = fs.statfsSync(this.path);
			return bavail * bsize < DISK_BYTES_LEFT;
		} catch {
			return false;
		}
	}

	/** The file turned out to be damaged: the next recovery writes it as a whole. */
	distrust(): void {
		this.#isDamaged = true;
	}

	/** Where SQLite has the database while it is open. */
	get path(): string {
		return this.#workingFile.path;
	}

	/** Reads what the store says and makes the file ready. Touches no file for an actor without a database. */
	async load(): Promise<void> {
		const records = await this.#stored.records();
		this.#ledger = new PageLedger(records);
		this.#confirmed = this.#ledger.head;
		if (this.#confirmed === null) return;
		const file = this.#workingFile;
		if (file.adopt(this.#confirmed, this.#pool.engine)) return;
		await file.write(this.#confirmed.commit, this.#stored.pages(this.#confirmed, records));
	}

	/** Begins with an empty database, whatever is stored; the next commit removes that. */
	startOver(): void {
		if (this.#confirmed === null) return;
		this.#workingFile.remove();
		this.#confirmed = null;
		this.#ledger = new PageLedger([], { hasLeftovers: true });
	}

	/** Throws {@link WorkingFileLost} when the file is not as it was left. */
	open(settings: readonly string[]): OpenFile {
		const file = this.#workingFile;
		const isNew = this.#ledger.head === null;
		if (this.#isDamaged) throw new WorkingFileLost("it could not be written again");
		if (isNew) file.remove();
		else if (!file.isUntouched) throw new WorkingFileLost("somebody changed or removed it");
		const { engine } = this.#pool;
		const maxPages = Math.max(1, Math.floor(this.#limits.databaseBytesMax / PAGE_BYTES));
		this.#open = new OpenFile(file, engine, this.#ledger.pageCount, { maxPages, settings });
		if (isNew) file.mark(0);
		return this.#open;
	}

	/**
	 * Adds what was changed since the last call. Throws when the changes are too many or cannot be read;
	 * only {@link recover} helps then.
	 *
	 * @param isIdle - no transaction is open
	 */
	take(ops: StorageOp[], isIdle: boolean): void {
		const open = this.#open;
		if (open === null) return;
		const captured = this.#capture(open);
		if (captured === null && !this.#ledger.isFolding) return;
		for (const op of this.#ledger.commit(captured, (page) => open.readPage(page))) ops.push(op);
		this.#taken = this.#ledger.head;
		if (isIdle && this.#mayTouchFile) open.checkpointIfLong(this.#taken!.commit);
	}

	/** What was taken last is durable. */
	committed(): void {
		if (this.#taken === null) return;
		this.#confirmed = this.#taken;
		this.#taken = null;
		this.#unconfirmed.clear();
	}

	/** Takes file and ledger back to what the store has. Expects that nobody uses the connection. */
	async recover(): Promise<void> {
		const changed = this.#closeForRecovery();
		try {
			const records = await this.#stored.records();
			const head = records.at(-1) ?? null;
			this.#ledger = new PageLedger(records);
			this.#confirmed = head;
			this.#taken = null;
			await this.#rewrite(head, records, changed);
			this.#isDamaged = false;
			this.#unconfirmed.clear();
		} catch (error) {
			this.#isDamaged = true;
			throw error;
		}
	}

	/** SQLite is done with the file for now. Expects that everything is confirmed. */
	suspend(): void {
		const open = this.#open;
		if (open === null) return;
		// Nobody said so, but somebody wrote: then the file is not what any commit made of it.
		if (this.#capture(open) !== null) this.#isDamaged = true;
		open.close();
		this.#open = null;
		const file = this.#workingFile;
		if (this.#isDamaged || hasContent(file.logPath)) file.remove();
		else if (this.#confirmed !== null && !file.isUntouched) file.mark(this.#confirmed.commit);
	}

	/** Like {@link suspend}, for long: a large file is synced, so that it can be used after a power cut. */
	async close(): Promise<void> {
		const wasOpen = this.#open !== null;
		this.suspend();
		const confirmed = this.#confirmed;
		if (!wasOpen || confirmed === null || this.bytes < SYNCED_BYTES_MIN) return;
		const file = this.#workingFile;
		if (file.isUntouched && file.syncedCommit === null) await file.markSynced(confirmed.commit);
	}

	/** The actor is gone, or somebody else has it. */
	remove(): void {
		if (this.#file === null && this.#confirmed === null) return;
		try {
			this.#open?.close();
		} finally {
			this.#open = null;
			this.#workingFile.remove();
		}
	}

	get #workingFile(): WorkingFile {
		this.#file ??= new WorkingFile(this.#pool.pathOf(this.#actorId));
		return this.#file;
	}

	/** See {@link WorkingFile}: a synced file waits until a newer commit is durable. */
	get #mayTouchFile(): boolean {
		const synced = this.#workingFile.syncedCommit;
		return synced === null || (this.#confirmed?.commit ?? 0) > synced;
	}

	#capture(open: OpenFile) {
		const limit = this.#limits.commitBytesMax;
		try {
			const captured = open.capture(limit);
			for (const { change } of captured?.changes ?? []) this.#unconfirmed.add(change.page);
			return captured;
		} catch (error) {
			this.#isDamaged = true;
			if (!(error instanceof TooManyChanges)) throw error;
			throw catalogueError("database.commit_too_large", { size: error.bytes, limit });
		}
	}

	/** Which pages of the closed file are not as committed. */
	#closeForRecovery(): Set<number> {
		const open = this.#open;
		this.#open = null;
		if (open !== null) {
			try {
				if (!this.#isDamaged) this.#capture(open);
			} catch {
				// It is marked as damaged and written as a whole.
			}
			try {
				open.close();
			} catch {
				this.#isDamaged = true;
			}
		}
		return new Set(this.#unconfirmed);
	}

	async #rewrite(
		head: DatabaseHead | null,
		records: Awaited<ReturnType<StoredDatabase["records"]>>,
		changed: Set<number>,
	): Promise<void> {
		const file = this.#workingFile;
		if (head === null) {
			file.remove();
			return;
		}
		const size = this.#isDamaged || hasContent(file.logPath) ? null : sizeOf(file.path);
		if (size === null) {
			await file.write(head.commit, this.#stored.pages(head, records));
			return;
		}
		// Pages that were cut off are gone from the file as well.
		for (let page = size / PAGE_BYTES + 1; page <= head.pageCount; page++) changed.add(page);
		const pages = this.#stored.some(changed, head, records);
		await file.writePages(head.commit, head.pageCount, pages);
	}
}

/** Null when there is no such file. */
function sizeOf(path: string): number | null {
	return fs.statSync(path, { throwIfNoEntry: false })?.size ?? null;
}

function hasContent(path: string): boolean {
	return (sizeOf(path) ?? 0) > 0;
}
