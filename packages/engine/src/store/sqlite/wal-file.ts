import fs from "node:fs";
import { promisify } from "node:util";

const read = promisify(fs.read);
const fdatasync = promisify(fs.fdatasync);

/** Layout of a write-ahead log, from https://sqlite.org/fileformat2.html#walformat. */
const HEADER_BYTES = 32;
const PAGE_SIZE_AT = 8;
const SALTS_AT = 16;
const SALTS_BYTES = 8;
const FRAME_HEADER_BYTES = 24;
const FRAME_SALTS_AT = 8;

export type SyncFile = (descriptor: number) => Promise<void>;

/** Puts a file's data on the disk, on the thread pool. */
export const syncFileData: SyncFile = (descriptor) => fdatasync(descriptor);

/**
 * The write-ahead log, through a descriptor of our own. SQLite keeps no locks on this file, so closing
 * the descriptor drops none (on the database file it would: POSIX locks belong to the process). The
 * file stays the same one while a connection is open.
 */
export class WalFile {
	readonly #descriptor: number;
	readonly #sync: SyncFile;

	constructor(path: string, sync: SyncFile) {
		this.#descriptor = fs.openSync(path, "r+");
		this.#sync = sync;
	}

	/** Everything that was written when this is called is on the disk when it resolves. */
	sync(): Promise<void> {
		return this.#sync(this.#descriptor);
	}

	/**
	 * Whether the log in use has grown beyond `bytes`. Its file does not tell, because a restarted log
	 * overwrites the old one in place; but each frame carries the salts of the log that it belongs to.
	 */
	async isLongerThan(bytes: number): Promise<boolean> {
		const header = await this.#read(0, HEADER_BYTES);
		if (header === undefined) {
			return false;
		}
		const frameBytes = FRAME_HEADER_BYTES + header.readUInt32BE(PAGE_SIZE_AT);
		const frame = Math.floor(Math.max(0, bytes - HEADER_BYTES) / frameBytes);
		const salts = await this.#read(HEADER_BYTES + frame * frameBytes + FRAME_SALTS_AT, SALTS_BYTES);
		return salts?.equals(header.subarray(SALTS_AT, SALTS_AT + SALTS_BYTES)) === true;
	}

	close(): void {
		fs.closeSync(this.#descriptor);
	}

	async #read(position: number, length: number): Promise<Buffer | undefined> {
		const buffer = Buffer.alloc(length);
		const { bytesRead } = await read(this.#descriptor, buffer, 0, length, position);
		return bytesRead === length ? buffer : undefined;
	}
}

/** Makes the names of the files in a directory durable. Windows has no such call and no need of it. */
export async function syncDirectory(directory: string): Promise<void> {
	if (process.platform === "win32") {
		return;
	}
	const handle = await fs.promises.open(directory, "r");
	try {
		await handle.sync();
	} finally {
		await handle.close();
	}
}
