import {
	RUNNER_KV_KEY_OVERHEAD_BYTES,
	RUNNER_KV_KEYS_MAX,
	RUNNER_KV_PUT_BYTES_MAX,
} from "@rivetkit/protocol/runner";
import type { Entry } from "./storage-plan.ts";

/** Pieces of what does not fit as a whole. */
const PIECE_BYTES = 96 * 1024;

export function fitsInOnePut(entries: readonly Entry[]): boolean {
	if (entries.length > RUNNER_KV_KEYS_MAX) return false;
	return entries.reduce((bytes, entry) => bytes + sizeOf(entry), 0) <= RUNNER_KV_PUT_BYTES_MAX;
}

/** Entries in as few puts as take them in their order. */
export function* putsOf(entries: readonly Entry[]): Generator<readonly Entry[]> {
	let some: Entry[] = [];
	let bytes = 0;
	for (const entry of entries) {
		const size = sizeOf(entry);
		if (some.length === RUNNER_KV_KEYS_MAX || bytes + size > RUNNER_KV_PUT_BYTES_MAX) {
			yield some;
			some = [];
			bytes = 0;
		}
		some.push(entry);
		bytes += size;
	}
	if (some.length > 0) yield some;
}

/** Bytes as entries that the engine takes. */
export function piecesOf(bytes: Uint8Array, keyOf: (index: number) => Uint8Array): Entry[] {
	const count = Math.ceil(bytes.byteLength / PIECE_BYTES);
	return Array.from({ length: count }, (_, index) => ({
		key: keyOf(index),
		value: bytes.subarray(index * PIECE_BYTES, (index + 1) * PIECE_BYTES),
	}));
}

function sizeOf({ key, value }: Entry): number {
	return key.byteLength + RUNNER_KV_KEY_OVERHEAD_BYTES + value.byteLength;
}
