import { type KeyRange, PRIVATE_START } from "./storage-plan.ts";

/*
 * Own keys, behind everything of the runtime, which `PRIVATE_START` begins:
 *
 * | next byte | what |
 * |---|---|
 * | 00 | the record, and the version of all this |
 * | 01 | what is left to do of the last commit |
 * | 02 hash | a value that is too large for the engine: its key, and how many parts it has |
 * | 03 hash index | its parts |
 * | 04 index | a commit that is too large for one put, in pieces |
 */
const LARGE = 2;
const PARTS = 3;
const LOG = 4;

export const RECORD_KEY = privateKey(0);
export const INTENT_KEY = privateKey(1);
/** The record, what is left to do, and the large values. */
export const HEAD_RANGE: KeyRange = { start: RECORD_KEY, end: privateKey(PARTS) };
export const LOG_RANGE: KeyRange = { start: privateKey(LOG), end: privateKey(LOG + 1) };

export function largeKey(hash: Uint8Array): Uint8Array {
	return privateKey(LARGE, hash);
}

export function partKey(hash: Uint8Array, index: number): Uint8Array {
	return privateKey(PARTS, [...hash, ...u32(index)]);
}

export function logKey(index: number): Uint8Array {
	return privateKey(LOG, u32(index));
}

function privateKey(tag: number, rest: Iterable<number> = []): Uint8Array {
	return Uint8Array.of(...PRIVATE_START, tag, ...rest);
}

function u32(value: number): Uint8Array {
	const bytes = new Uint8Array(4);
	new DataView(bytes.buffer).setUint32(0, value);
	return bytes;
}
