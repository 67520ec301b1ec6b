import { catalogueError, type StorageOp } from "@rivetkit/protocol";
import { applyPageChange, type PageChange, readPageChange } from "./page-change.ts";
import { PAGE_BYTES, pageChecksum } from "./page-checksum.ts";
import type { LogPosition } from "./write-ahead-log.ts";

/**
 * How an actor's database lies in its store, below the runtime's byte for databases:
 *
 * | key | value |
 * |---|---|
 * | `13 00 <u48 commit> <u16 chunk>` | what one commit changed: a head, then page changes |
 * | `13 01 <u32 page>` | a page as a whole: u48 commit, u32 checksum, 4,096 bytes |
 * | `13 02 …` | the bytes of custom providers |
 *
 * A page is its whole value, if there is one, and then the changes of all later commits in their order.
 * So a commit of a few rows is one small entry, wherever the rows are. Records go when every page they
 * are about has been written whole; the newest one stays, as it says what the database is.
 */
export const SUBSPACE_DATABASE = 0x13;
const RECORDS = 0x00;
const PAGES = 0x01;
const PROVIDER = 0x02;

export const RECORDS_START: Uint8Array = Uint8Array.of(SUBSPACE_DATABASE, RECORDS);
export const RECORDS_END: Uint8Array = Uint8Array.of(SUBSPACE_DATABASE, PAGES);
export const PAGES_END: Uint8Array = Uint8Array.of(SUBSPACE_DATABASE, PROVIDER);

/** A backend's limit for one value is 128 KiB (api 8); longer records are cut between two changes. */
const CHUNK_BYTES = 96 * 1024;
const FORMAT = 1;
/** Format, last chunk or not, pages, and the position in the working file's log. */
const HEAD_BYTES = 1 + 1 + 4 + 8 + 4 + 8;
const PAGE_HEAD_BYTES = 6 + 4;

/** What the newest commit says of the database. */
export interface DatabaseHead {
	/** Numbers this database's commits from 1 on. */
	readonly commit: number;
	readonly pageCount: number;
	/** Where the working file had it, which tells after a crash whether it still has. */
	readonly position: LogPosition;
}

/** One commit as it is stored. */
export interface CommitRecord extends DatabaseHead {
	readonly changes: readonly PageChange[];
	/** Bytes of all its values. */
	readonly bytes: number;
}

export function recordKey(commit: number, chunk: number): Uint8Array {
	const key = new Uint8Array(10);
	key.set(RECORDS_START);
	const view = new DataView(key.buffer);
	setUint48(view, 2, commit);
	view.setUint16(8, chunk);
	return key;
}

export function pageKey(page: number): Uint8Array {
	const key = new Uint8Array(6);
	key.set(RECORDS_END);
	new DataView(key.buffer).setUint32(2, page);
	return key;
}

export function providerKey(key: Uint8Array): Uint8Array {
	const full = new Uint8Array(key.byteLength + 2);
	full.set(PAGES_END);
	full.set(key, 2);
	return full;
}

/** Writes of one commit's record; adds to `ops` and returns the bytes of its values. */
export function recordOps(
	head: DatabaseHead,
	changes: readonly PageChange[],
	ops: StorageOp[],
): number {
	let bytes = 0;
	let chunk = 0;
	let first = 0;
	do {
		let length = HEAD_BYTES;
		let last = first;
		while (last < changes.length && length + changes[last]!.bytes.byteLength <= CHUNK_BYTES) {
			length += changes[last]!.bytes.byteLength;
			last++;
		}
		const value = new Uint8Array(length);
		writeHead(value, head, last === changes.length);
		let at = HEAD_BYTES;
		for (let index = first; index < last; index++) {
			value.set(changes[index]!.bytes, at);
			at += changes[index]!.bytes.byteLength;
		}
		ops.push({ op: "put", key: recordKey(head.commit, chunk), value });
		bytes += length;
		chunk++;
		first = last;
	} while (first < changes.length);
	return bytes;
}

export function pageOp(page: number, commit: number, bytes: Uint8Array): StorageOp {
	const value = new Uint8Array(PAGE_HEAD_BYTES + PAGE_BYTES);
	const view = new DataView(value.buffer);
	setUint48(view, 0, commit);
	view.setUint32(6, pageChecksum(bytes));
	value.set(bytes, PAGE_HEAD_BYTES);
	return { op: "put", key: pageKey(page), value };
}

/** All commits' records, in order. Throws `database.damaged` when they are not what was written. */
export function readRecords(
	entries: readonly (readonly [key: Uint8Array, value: Uint8Array])[],
): CommitRecord[] {
	const records: CommitRecord[] = [];
	let changes: PageChange[] = [];
	let bytes = 0;
	for (const [key, value] of entries) {
		const commit = getUint48(viewOf(key), 2);
		const head = readHead(commit, value);
		bytes += value.byteLength;
		try {
			for (let at = HEAD_BYTES; at < value.byteLength; ) {
				const { change, end } = readPageChange(value, at);
				changes.push(change);
				at = end;
			}
		} catch (error) {
			throw damaged(`the record of commit ${commit} cannot be read`, error);
		}
		if (!head.isLast) continue;
		records.push({ ...head, changes, bytes });
		changes = [];
		bytes = 0;
	}
	if (changes.length > 0) throw damaged("the record of the last commit is cut off");
	return records;
}

/** A page as it was written whole. */
export interface WholePage {
	readonly page: number;
	readonly commit: number;
	readonly bytes: Uint8Array;
}

/** Throws `database.damaged` when it is not the page that was written. */
export function readWholePage(key: Uint8Array, value: Uint8Array): WholePage {
	const page = viewOf(key).getUint32(2);
	if (value.byteLength !== PAGE_HEAD_BYTES + PAGE_BYTES) throw damaged(`page ${page} is cut off`);
	const view = viewOf(value);
	// In memory of its own, so that its words are where words can be read.
	const bytes = value.slice(PAGE_HEAD_BYTES);
	if (pageChecksum(bytes) !== view.getUint32(6)) throw damaged(`page ${page} has changed`);
	return { page, commit: getUint48(view, 0), bytes };
}

/** Changes of records, by page. */
export class RecordedChanges {
	readonly #byPage = new Map<number, { commit: number; change: PageChange }[]>();

	constructor(records: readonly CommitRecord[]) {
		for (const { commit, pageCount, changes } of records) {
			for (const change of changes) {
				const known = this.#byPage.get(change.page);
				if (known === undefined) this.#byPage.set(change.page, [{ commit, change }]);
				else known.push({ commit, change });
			}
			// What was cut off comes back as zeros, if it comes back.
			for (const page of this.#byPage.keys()) if (page > pageCount) this.#byPage.delete(page);
		}
	}

	get pages(): Iterable<number> {
		return this.#byPage.keys();
	}

	has(page: number): boolean {
		return this.#byPage.has(page);
	}

	/** One page, from what was written whole (if ever) and what changed since. Null for one of zeros. */
	restore(page: number, whole: WholePage | null): Uint8Array | null {
		const changes = this.#byPage.get(page) ?? [];
		const since = changes.filter(({ commit }) => whole === null || commit > whole.commit);
		if (since.length === 0) return whole?.bytes ?? null;
		const bytes = whole?.bytes ?? new Uint8Array(PAGE_BYTES);
		try {
			for (const { change } of since) applyPageChange(bytes, change);
		} catch (error) {
			throw damaged(`page ${page} cannot be put together`, error);
		}
		if (pageChecksum(bytes) !== since.at(-1)!.change.checksum) {
			throw damaged(`page ${page} does not come out as it was written`);
		}
		return bytes;
	}
}

function writeHead(value: Uint8Array, head: DatabaseHead, isLast: boolean): void {
	const view = viewOf(value);
	view.setUint8(0, FORMAT);
	view.setUint8(1, isLast ? 1 : 0);
	view.setUint32(2, head.pageCount);
	view.setBigUint64(6, head.position.salt);
	view.setUint32(14, head.position.frames);
	view.setBigUint64(18, head.position.checksum);
}

function readHead(commit: number, value: Uint8Array): DatabaseHead & { readonly isLast: boolean } {
	const view = viewOf(value);
	if (value.byteLength < HEAD_BYTES) throw damaged(`the record of commit ${commit} is cut off`);
	if (view.getUint8(0) !== FORMAT) {
		throw damaged(`the record of commit ${commit} has format ${view.getUint8(0)}, not ${FORMAT}`);
	}
	return {
		commit,
		isLast: view.getUint8(1) === 1,
		pageCount: view.getUint32(2),
		position: {
			salt: view.getBigUint64(6),
			frames: view.getUint32(14),
			checksum: view.getBigUint64(18),
		},
	};
}

function viewOf(bytes: Uint8Array): DataView {
	return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function setUint48(view: DataView, at: number, value: number): void {
	view.setUint16(at, Math.floor(value / 2 ** 32));
	view.setUint32(at + 2, value % 2 ** 32);
}

function getUint48(view: DataView, at: number): number {
	return view.getUint16(at) * 2 ** 32 + view.getUint32(at + 2);
}

function damaged(reason: string, cause?: unknown): Error {
	return catalogueError("database.damaged", { reason }, { cause });
}
