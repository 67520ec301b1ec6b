import fs from "node:fs";
import type { FileHandle } from "node:fs/promises";
import { dirname } from "node:path";
import type { SqliteEngine } from "../engine/engine.ts";
import { currentBoot } from "./boot.ts";
import { PAGE_BYTES } from "./page-checksum.ts";
import type { DatabaseHead } from "./stored-pages.ts";
import { cutLog } from "./write-ahead-log.ts";

/**
 * What is known of a working file that nobody has open, beside it in `<path>.mark`. Written when the file
 * itself, without a log, is exactly what some commit made of the database.
 */
interface Mark {
	readonly format: 1;
	readonly boot: string;
	/** The commit it holds; 0 for a database without any. */
	readonly commit: number;
	/** Whether file and mark were synced, so that they can be trusted after a power cut as well. */
	readonly synced: boolean;
	/** How the file looked: any change by anybody else shows here. */
	readonly size: number;
	readonly inode: string;
	readonly changed: string;
}

/**
 * The file that SQLite works on: a cache of what is in the actor's store, whose loss costs the time to
 * write it again and nothing else.
 *
 * It can be used again (`adopt`) in two cases, and is written again from the store in all others:
 * - W1. Its mark fits, and the mark's commit is the newest one in the store. A log beside it holds nothing
 *   that was committed, and goes.
 * - W2. Its mark fits, the system was not restarted since, and the log beside it holds the position that
 *   the newest commit in the store names. What comes behind it was never committed, and is cut off.
 *
 * A file whose mark is synced is not touched before a newer commit is in the store: after a power cut
 * mark and store would agree on a commit that the file holds only in part.
 */
export class WorkingFile {
	readonly path: string;
	#mark: Mark | null = null;

	constructor(path: string) {
		this.path = path;
	}

	get logPath(): string {
		return `${this.path}-wal`;
	}

	get #markPath(): string {
		return `${this.path}.mark`;
	}

	/** The commit of the mark if it is synced: then the file must not be touched yet. */
	get syncedCommit(): number | null {
		return this.#mark?.synced ? this.#mark.commit : null;
	}

	/** Makes the file ready if it holds, or can be made to hold, exactly this commit. */
	adopt(head: DatabaseHead, engine: SqliteEngine): boolean {
		const mark = this.#readMark();
		if (mark === null || !this.#looksLike(mark)) return false;
		const isSameBoot = mark.boot === currentBoot();
		if (mark.commit === head.commit && (isSameBoot || mark.synced)) {
			this.#removeBeside();
			this.#mark = mark;
			return true;
		}
		return isSameBoot && this.#recover(head, engine);
	}

	/** Whether it is still as it was left by {@link mark}. */
	get isUntouched(): boolean {
		return this.#mark !== null && this.#looksLike(this.#mark);
	}

	/** W2: cuts the log, lets SQLite copy it into the file, and looks whether it copied all of it. */
	#recover(head: DatabaseHead, engine: SqliteEngine): boolean {
		try {
			fs.rmSync(`${this.path}-shm`, { force: true });
			fs.rmSync(`${this.path}-journal`, { force: true });
			if (!fs.existsSync(this.logPath) || !cutLog(this.logPath, head.position)) return false;
			const connection = engine.open(this.path);
			try {
				connection.exec("PRAGMA synchronous = OFF; PRAGMA wal_autocheckpoint = 0");
				const copied = connection.prepare("PRAGMA wal_checkpoint(FULL)").get([]);
				const [busy, frames] = copied ?? [];
				if (busy !== 0 || frames !== head.position.frames) return false;
			} finally {
				connection.close();
			}
			this.mark(head.commit);
			return true;
		} catch {
			// Whatever is wrong with it: it is only a cache.
			return false;
		}
	}

	/** The file, with its log copied into it, holds this commit. */
	mark(commit: number): void {
		this.#mark = this.#describe(commit, false);
		fs.writeFileSync(this.#markPath, JSON.stringify(this.#mark));
	}

	/** Like {@link mark}, for good: also after a power cut the file need not be written again. */
	async markSynced(commit: number): Promise<void> {
		await syncFile(this.path);
		const mark = this.#describe(commit, true);
		const handle = await fs.promises.open(this.#markPath, "w");
		try {
			await handle.writeFile(JSON.stringify(mark));
			await handle.datasync();
		} finally {
			await handle.close();
		}
		this.#mark = mark;
	}

	/** The file is about to become something that no mark describes; a newer commit is in the store. */
	unmark(): void {
		this.#mark = null;
		fs.rmSync(this.#markPath, { force: true });
	}

	/** Like {@link unmark}, but no newer commit need be in the store. */
	#unmarkForGood(): void {
		const wasSynced = (this.#mark ?? this.#readMark())?.synced ?? false;
		this.unmark();
		if (wasSynced) syncDirectory(dirname(this.path));
	}

	/** Removes it with everything beside it. */
	remove(): void {
		this.#unmarkForGood();
		this.#removeBeside();
		fs.rmSync(this.path, { force: true });
	}

	#removeBeside(): void {
		for (const suffix of ["-wal", "-shm", "-journal"]) {
			fs.rmSync(this.path + suffix, { force: true });
		}
	}

	/**
	 * Writes the file from pages, which come in ascending order without gaps. Rejects, and leaves no file,
	 * when the pages do.
	 */
	async write(commit: number, pages: AsyncIterable<readonly Uint8Array[]>): Promise<void> {
		this.remove();
		fs.mkdirSync(dirname(this.path), { recursive: true });
		const handle = await fs.promises.open(this.path, "w");
		try {
			let offset = 0;
			for await (const batch of pages) {
				await writeAll(handle, Buffer.concat(batch), offset);
				offset += batch.length * PAGE_BYTES;
			}
		} catch (error) {
			await handle.close();
			this.remove();
			throw error;
		}
		await handle.close();
		this.mark(commit);
	}

	/** Puts pages back to what they were, in a file that nobody has open. */
	async writePages(
		commit: number,
		pageCount: number,
		pages: AsyncIterable<{ readonly page: number; readonly bytes: Uint8Array }>,
	): Promise<void> {
		this.#unmarkForGood();
		this.#removeBeside();
		const handle = await fs.promises.open(this.path, "r+");
		try {
			for await (const { page, bytes } of pages) {
				await writeAll(handle, bytes, (page - 1) * PAGE_BYTES);
			}
			await handle.truncate(pageCount * PAGE_BYTES);
		} finally {
			await handle.close();
		}
		this.mark(commit);
	}

	#readMark(): Mark | null {
		try {
			const mark = JSON.parse(fs.readFileSync(this.#markPath, "utf8")) as Mark | null;
			return mark?.format === 1 ? mark : null;
		} catch {
			return null;
		}
	}

	#describe(commit: number, synced: boolean): Mark {
		const { size, ino, ctimeNs } = fs.statSync(this.path, { bigint: true });
		return {
			format: 1,
			boot: currentBoot(),
			commit,
			synced,
			size: Number(size),
			inode: String(ino),
			changed: String(ctimeNs),
		};
	}

	#looksLike(mark: Mark): boolean {
		try {
			const { size, ino, ctimeNs } = fs.statSync(this.path, { bigint: true });
			return (
				Number(size) === mark.size && String(ino) === mark.inode && String(ctimeNs) === mark.changed
			);
		} catch {
			return false;
		}
	}
}

async function writeAll(handle: FileHandle, bytes: Uint8Array, offset: number): Promise<void> {
	for (let written = 0; written < bytes.byteLength; ) {
		const { bytesWritten } = await handle.write(
			bytes,
			written,
			bytes.byteLength - written,
			offset + written,
		);
		written += bytesWritten;
	}
}

async function syncFile(path: string): Promise<void> {
	const handle = await fs.promises.open(path, "r+");
	try {
		await handle.datasync();
	} finally {
		await handle.close();
	}
}

/** Windows has no such call and no need of it. */
function syncDirectory(directory: string): void {
	if (process.platform === "win32") return;
	const descriptor = fs.openSync(directory, "r");
	try {
		fs.fsyncSync(descriptor);
	} finally {
		fs.closeSync(descriptor);
	}
}
