import { PAGE_BYTES, PAGE_WORDS, pageChecksum, wordsOf } from "./page-checksum.ts";

/**
 * How one page became another: runs of words that differ. Against no page it is against zeros, which
 * leaves out the free middle of a page that was just filled.
 *
 * | bytes | what |
 * |---|---|
 * | 4 | page number |
 * | 4 | checksum of the page it becomes |
 * | 2 | runs; the highest bit is set when it starts from zeros |
 * | 2 + 2 | per run: first word, words |
 * | 4 × words | per run, in the same order: the new words |
 */
export interface PageChange {
	readonly page: number;
	readonly checksum: number;
	/** It does not need the page as it was before. */
	readonly fromZeros: boolean;
	readonly bytes: Uint8Array;
}

const HEADER_BYTES = 10;
const RUN_BYTES = 4;
const FROM_ZEROS = 0x8000;
/** Equal words that do not end a run: as much as the header of another one would take. */
const GAP_WORDS = 1;

const ZEROS = new Int32Array(PAGE_WORDS);
/** Reused: first word and length of each run; a change while it is written. */
const runs = new Uint16Array(PAGE_WORDS);
const scratch = new Uint8Array(HEADER_BYTES + RUN_BYTES * PAGE_WORDS + PAGE_BYTES);
const view = new DataView(scratch.buffer);

/** @param before - null when there was no such page, or none that a restore could know */
export function diffPage(page: number, before: Uint8Array | null, after: Uint8Array): PageChange {
	const old = before === null ? ZEROS : wordsOf(before);
	const words = wordsOf(after);
	let runCount = 0;
	let changed = 0;
	for (let at = 0; at < PAGE_WORDS; at++) {
		if (old[at] === words[at]) continue;
		const start = at;
		let end = at + 1;
		for (at = end; at < PAGE_WORDS && at - end <= GAP_WORDS; at++) {
			if (old[at] !== words[at]) end = at + 1;
		}
		runs[runCount * 2] = start;
		runs[runCount * 2 + 1] = end - start;
		runCount++;
		changed += end - start;
		at = end;
	}
	const checksum = pageChecksum(after);
	view.setUint32(0, page);
	view.setUint32(4, checksum);
	view.setUint16(8, runCount | (before === null ? FROM_ZEROS : 0));
	let write = HEADER_BYTES + runCount * RUN_BYTES;
	const end = write + changed * 4;
	for (let run = 0; run < runCount; run++) {
		const start = runs[run * 2]!;
		const length = runs[run * 2 + 1]!;
		view.setUint16(HEADER_BYTES + run * RUN_BYTES, start);
		view.setUint16(HEADER_BYTES + run * RUN_BYTES + 2, length);
		scratch.set(after.subarray(start * 4, (start + length) * 4), write);
		write += length * 4;
	}
	return { page, checksum, fromZeros: before === null, bytes: scratch.slice(0, end) };
}

/** Reads one change at an offset; `end` is where the next one begins. Throws `RangeError` on nonsense. */
export function readPageChange(
	record: Uint8Array,
	offset: number,
): { change: PageChange; end: number } {
	const view = new DataView(record.buffer, record.byteOffset, record.byteLength);
	const flags = view.getUint16(offset + 8);
	const runCount = flags & ~FROM_ZEROS;
	let end = offset + HEADER_BYTES + runCount * RUN_BYTES;
	for (let run = 0; run < runCount; run++) {
		end += view.getUint16(offset + HEADER_BYTES + run * RUN_BYTES + 2) * 4;
	}
	if (end > record.byteLength) throw new RangeError("a page change is cut off");
	const change = {
		page: view.getUint32(offset),
		checksum: view.getUint32(offset + 4),
		fromZeros: (flags & FROM_ZEROS) !== 0,
		bytes: record.subarray(offset, end),
	};
	return { change, end };
}

/** Makes the change in place. Throws `RangeError` when a run does not fit a page. */
export function applyPageChange(target: Uint8Array, { bytes, fromZeros }: PageChange): void {
	const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
	const runCount = view.getUint16(8) & ~FROM_ZEROS;
	if (fromZeros) target.fill(0);
	let read = HEADER_BYTES + runCount * RUN_BYTES;
	for (let run = 0; run < runCount; run++) {
		const start = view.getUint16(HEADER_BYTES + run * RUN_BYTES) * 4;
		const length = view.getUint16(HEADER_BYTES + run * RUN_BYTES + 2) * 4;
		if (start + length > PAGE_BYTES) throw new RangeError("a page change is longer than a page");
		target.set(bytes.subarray(read, read + length), start);
		read += length;
	}
}
