import fs from "node:fs";
import { PAGE_BYTES } from "./page-checksum.ts";

/** Layout of a write-ahead log, https://sqlite.org/fileformat2.html#walformat. All big-endian. */
const HEADER_BYTES = 32;
const HEADER_PAGE_SIZE_AT = 8;
const HEADER_SALT_AT = 16;
const HEADER_CHECKSUM_AT = 24;
const FRAME_HEADER_BYTES = 24;
const FRAME_PAGE_COUNT_AT = 4;
const FRAME_SALT_AT = 8;
const FRAME_CHECKSUM_AT = 16;
const FRAME_BYTES = FRAME_HEADER_BYTES + PAGE_BYTES;
/** Frames read at once. */
const FRAMES_PER_READ = 64;

/** A place in a log: behind the last frame of a transaction. Survives in what is committed. */
export interface LogPosition {
	/** Tells this log from those before and after it in the same file. */
	readonly salt: bigint;
	/** Frames up to here. */
	readonly frames: number;
	/** The running checksum of all of them, as SQLite keeps it. */
	readonly checksum: bigint;
}

/** What transactions have written since the log was last read. */
export interface LogChanges {
	/**
	 * The newest version of each page, with the offset at which the log holds it. The bytes are good until
	 * any log is read again.
	 */
	readonly pages: ReadonlyMap<number, { readonly bytes: Uint8Array; readonly offset: number }>;
	/** Pages of the database behind the last transaction. */
	readonly pageCount: number;
	readonly position: LogPosition;
}

/** What transactions have written is more than may be read at once. */
export class TooManyChanges extends Error {
	override readonly name = "TooManyChanges";
	/** Of the frames. */
	readonly bytes: number;

	constructor(bytes: number) {
		super(`${bytes} bytes of transactions in the write-ahead log`);
		this.bytes = bytes;
	}
}

/** The log is not what SQLite writes: somebody else changed the file. */
export class DamagedLog extends Error {
	override readonly name = "DamagedLog";
}

/**
 * Reads a write-ahead log behind SQLite's back, through a descriptor of our own. SQLite keeps no locks on
 * this file, so closing it drops none.
 *
 * Reads what this process has just written, so the salt alone tells frames from those of an earlier log.
 *
 * What a transaction that was rolled back left in the log has no end, and later ones overwrite it, rarely
 * all of it. The running checksum tells whether a transaction follows the one before it: it is looked at
 * where one begins, so that a large rollback costs nothing afterwards.
 */
export class WriteAheadLog {
	readonly #descriptor: number;
	readonly #header = Buffer.alloc(HEADER_BYTES);
	#salt: bigint | null = null;
	/** Up to where transactions were read, and the running checksum there. */
	#frames = 0;
	#checksum = 0n;

	constructor(path: string) {
		this.#descriptor = fs.openSync(path, "r");
	}

	/** Frames that the transactions read so far have. */
	get frames(): number {
		return this.#frames;
	}

	/**
	 * The transactions since the last call, as one. Null when there is none. `isNew` when the log was begun
	 * anew meanwhile, which SQLite does when all of the old one is in the database: offsets into the old
	 * one are void then. Throws {@link TooManyChanges} when their frames have more than `bytesMax`; the log
	 * cannot be read any more then.
	 */
	read(bytesMax: number): (LogChanges & { readonly isNew: boolean }) | null {
		const isNew = this.#followRestart();
		if (this.#salt === null) return null;
		const pages = new Map<number, { bytes: Uint8Array; offset: number }>();
		/** Of a transaction whose end has not been seen yet. */
		let open: [number, { bytes: Uint8Array; offset: number }][] = [];
		let pageCount: number | null = null;
		const first = this.#frames;
		const end = first + Math.floor(bytesMax / FRAME_BYTES);
		let frames = first;
		for (const frame of this.#framesFrom(first)) {
			if (frame.readBigUInt64BE(FRAME_SALT_AT) !== this.#salt) break;
			if (frames === this.#frames && !follows(frame, this.#checksum)) break;
			const offset = HEADER_BYTES + frames * FRAME_BYTES + FRAME_HEADER_BYTES;
			frames++;
			// Beyond the limit nothing is kept: it may be a transaction that is still open.
			if (frames <= end) {
				open.push([frame.readUInt32BE(0), { bytes: frame.subarray(FRAME_HEADER_BYTES), offset }]);
			}
			const pagesAfter = frame.readUInt32BE(FRAME_PAGE_COUNT_AT);
			if (pagesAfter === 0) continue;
			for (const [page, version] of open) pages.set(page, version);
			open = [];
			pageCount = pagesAfter;
			this.#frames = frames;
			this.#checksum = frame.readBigUInt64BE(FRAME_CHECKSUM_AT);
		}
		if (pageCount === null) return null;
		if (this.#frames > end) throw new TooManyChanges((this.#frames - first) * FRAME_BYTES);
		for (const page of pages.keys()) if (page > pageCount) pages.delete(page);
		const position = { salt: this.#salt, frames: this.#frames, checksum: this.#checksum };
		return { pages, pageCount, position, isNew };
	}

	/** One page as it is at an offset that {@link read} gave; good until the next page is read. */
	readPage(offset: number): Uint8Array {
		return readPageAt(this.#descriptor, offset);
	}

	close(): void {
		fs.closeSync(this.#descriptor);
	}

	/** Looks whether the log is another one than before; if so, reads it from its beginning. */
	#followRestart(): boolean {
		const header = this.#header;
		if (fs.readSync(this.#descriptor, header, 0, HEADER_BYTES, 0) < HEADER_BYTES) {
			this.#salt = null;
			this.#frames = 0;
			return false;
		}
		const salt = header.readBigUInt64BE(HEADER_SALT_AT);
		if (salt === this.#salt) return false;
		assertReadable(header);
		this.#salt = salt;
		this.#frames = 0;
		this.#checksum = header.readBigUInt64BE(HEADER_CHECKSUM_AT);
		return true;
	}

	/** Frames as they are in the file, valid or not. */
	*#framesFrom(first: number): Generator<Buffer, void, void> {
		for (let frame = first, count = 0; ; frame += FRAMES_PER_READ, count++) {
			const length = Math.min(FRAMES_PER_READ * FRAME_BYTES, this.#bytesFrom(frame));
			if (length < FRAME_BYTES) return;
			const chunk = chunkFor(count);
			const at = HEADER_BYTES + frame * FRAME_BYTES;
			const read = fs.readSync(this.#descriptor, chunk, 0, length, at);
			for (let start = 0; start + FRAME_BYTES <= read; start += FRAME_BYTES) {
				yield chunk.subarray(start, start + FRAME_BYTES);
			}
			if (read < FRAMES_PER_READ * FRAME_BYTES) return;
		}
	}

	#bytesFrom(frame: number): number {
		const start = HEADER_BYTES + frame * FRAME_BYTES;
		return fs.fstatSync(this.#descriptor).size - start;
	}
}

/** Whether a frame was written behind the one with this running checksum. */
function follows(frame: Buffer, before: bigint): boolean {
	const words = new Int32Array(frame.buffer, frame.byteOffset, FRAME_BYTES / 4);
	let first = Number(before >> 32n) | 0;
	let second = Number(before & 0xffffffffn) | 0;
	const add = (from: number, to: number) => {
		for (let index = from; index < to; index += 2) {
			first = (first + words[index]! + second) | 0;
			second = (second + words[index + 1]! + first) | 0;
		}
	};
	// Page number and page count, and the page; not salt and checksum.
	add(0, FRAME_SALT_AT / 4);
	add(FRAME_HEADER_BYTES / 4, FRAME_BYTES / 4);
	return (
		first === frame.readInt32BE(FRAME_CHECKSUM_AT) &&
		second === frame.readInt32BE(FRAME_CHECKSUM_AT + 4)
	);
}

/**
 * Cuts a log that a killed process left behind, so that it ends exactly at a position. False when the log
 * does not hold that position.
 */
export function cutLog(path: string, position: LogPosition): boolean {
	const descriptor = fs.openSync(path, "r+");
	try {
		const header = Buffer.alloc(HEADER_BYTES);
		if (fs.readSync(descriptor, header, 0, HEADER_BYTES, 0) < HEADER_BYTES) return false;
		if (header.readBigUInt64BE(HEADER_SALT_AT) !== position.salt) return false;
		const end = HEADER_BYTES + position.frames * FRAME_BYTES;
		const last = Buffer.alloc(FRAME_HEADER_BYTES);
		const read = fs.readSync(descriptor, last, 0, FRAME_HEADER_BYTES, end - FRAME_BYTES);
		if (read < FRAME_HEADER_BYTES) return false;
		if (last.readBigUInt64BE(FRAME_CHECKSUM_AT) !== position.checksum) return false;
		fs.ftruncateSync(descriptor, end);
		return true;
	} finally {
		fs.closeSync(descriptor);
	}
}

/** Memory for the first frames of every read, 4 MiB at most: reads come often, and none overlaps another. */
const chunks: Buffer[] = [];
const CHUNKS_KEPT = 16;

function chunkFor(count: number): Buffer {
	const bytes = FRAMES_PER_READ * FRAME_BYTES;
	if (count >= CHUNKS_KEPT) return Buffer.allocUnsafeSlow(bytes);
	chunks[count] ??= Buffer.allocUnsafeSlow(bytes);
	return chunks[count];
}

/** The page that was read last. */
const lastPage = new Uint8Array(PAGE_BYTES);

/** One page of a file; zeros behind its end. Good until the next one is read. */
export function readPageAt(descriptor: number, offset: number): Uint8Array {
	let read = 0;
	while (read < PAGE_BYTES) {
		const count = fs.readSync(descriptor, lastPage, read, PAGE_BYTES - read, offset + read);
		if (count === 0) break;
		read += count;
	}
	return read < PAGE_BYTES ? lastPage.fill(0, read) : lastPage;
}

/** 0x377f0682 says that checksums are over little-endian words, which is how machines here have them. */
function assertReadable(header: Buffer): void {
	const magic = header.readUInt32BE(0);
	const pageSize = header.readUInt32BE(HEADER_PAGE_SIZE_AT);
	if (magic !== 0x377f0682 || pageSize !== PAGE_BYTES) {
		throw new DamagedLog(
			`not a write-ahead log with pages of ${PAGE_BYTES} bytes (magic ${magic.toString(16)}, page size ${pageSize})`,
		);
	}
}
