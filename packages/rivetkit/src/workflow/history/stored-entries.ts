import type { StorageOp } from "@rivetkit/protocol";
import { Entry } from "./entry.ts";
import { chunkKey, entryRange, isChunkOf, lastSegment, segmentId } from "./location.ts";

/** A backend's limit for one value is 128 KiB (api 8). */
const CHUNK_BYTES = 96 * 1024;

/** The writes of an entry as it is now. */
export function putEntry(key: Uint8Array, entry: Entry, ops: StorageOp[]): void {
	const bytes = entry.encode();
	if (entry.isChunked) ops.push({ op: "deleteRange", ...entryRange(key) });
	entry.isChunked = bytes.byteLength > CHUNK_BYTES;
	if (!entry.isChunked) {
		ops.push({ op: "put", key, value: bytes });
		return;
	}
	ops.push({ op: "put", key, value: bytes.subarray(0, CHUNK_BYTES) });
	for (let chunk = 1; chunk * CHUNK_BYTES < bytes.byteLength; chunk++) {
		const value = bytes.subarray(chunk * CHUNK_BYTES, (chunk + 1) * CHUNK_BYTES);
		ops.push({ op: "put", key: chunkKey(key, chunk), value });
	}
}

/** Whether a value may be only the first part of an entry. */
export function mayBeChunked(value: Uint8Array): boolean {
	return value.byteLength >= CHUNK_BYTES;
}

/** Entries with their keys, from an ordered scan. */
export function* readEntries(
	scanned: readonly (readonly [key: Uint8Array, value: Uint8Array])[],
): Iterable<{ readonly key: Uint8Array; readonly entry: Entry }> {
	for (let at = 0; at < scanned.length; ) {
		const [key, first] = scanned[at++]!;
		const values = [first];
		while (at < scanned.length && isChunkOf(key, scanned[at]![0])) values.push(scanned[at++]![1]);
		const entry = Entry.decode(values.length === 1 ? first : joined(values));
		entry.isChunked = values.length > 1;
		yield { key, entry };
	}
}

/** The entries of one scope by {@link segmentId}. */
export function readScope(
	scanned: readonly (readonly [key: Uint8Array, value: Uint8Array])[],
): Map<string, Entry> {
	const entries = new Map<string, Entry>();
	for (const { key, entry } of readEntries(scanned)) {
		entries.set(segmentId(lastSegment(key)), entry);
	}
	return entries;
}

function joined(values: readonly Uint8Array[]): Uint8Array {
	const bytes = new Uint8Array(values.reduce((sum, value) => sum + value.byteLength, 0));
	let at = 0;
	for (const value of values) {
		bytes.set(value, at);
		at += value.byteLength;
	}
	return bytes;
}
