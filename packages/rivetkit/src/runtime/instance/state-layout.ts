import type { StorageOp } from "@rivetkit/protocol";
import { type StoredEntries, SUBSPACE_STATE } from "../commit/storage-layout.ts";

/** Values over this many bytes are split; a backend's limit for one value is 128 KiB (api 8). */
export const STATE_CHUNK_BYTES = 96 * 1024;

const STATE_KEY = Uint8Array.of(SUBSPACE_STATE);
const CHUNKS_END = Uint8Array.of(SUBSPACE_STATE + 1);
const FORM_WHOLE = 0;
const FORM_CHUNKED = 1;

/** What a wake finds of the state. */
export interface StoredState {
	/** CBOR, or null when none was ever committed. */
	readonly bytes: Uint8Array | null;
	readonly chunked: boolean;
}

/** Writes of one encoded state. `hadChunks` tells whether chunks of the last commit must go. */
export function stateOps(
	encoded: Uint8Array,
	hadChunks: boolean,
): { ops: StorageOp[]; chunked: boolean } {
	const ops: StorageOp[] = [];
	if (hadChunks) ops.push({ op: "deleteRange", start: chunkKey(0), end: CHUNKS_END });
	if (encoded.byteLength <= STATE_CHUNK_BYTES) {
		const value = new Uint8Array(encoded.byteLength + 1);
		value[0] = FORM_WHOLE;
		value.set(encoded, 1);
		ops.push({ op: "put", key: STATE_KEY, value });
		return { ops, chunked: false };
	}
	const head = new Uint8Array(5);
	head[0] = FORM_CHUNKED;
	const count = Math.ceil(encoded.byteLength / STATE_CHUNK_BYTES);
	new DataView(head.buffer).setUint32(1, count);
	ops.push({ op: "put", key: STATE_KEY, value: head });
	for (let index = 0; index < count; index++) {
		const start = index * STATE_CHUNK_BYTES;
		ops.push({
			op: "put",
			key: chunkKey(index),
			value: encoded.subarray(start, Math.min(start + STATE_CHUNK_BYTES, encoded.byteLength)),
		});
	}
	return { ops, chunked: true };
}

/** Reads what {@link stateOps} wrote. Throws when chunks are missing. */
export function readState(entries: StoredEntries): StoredState {
	const head = entries[0];
	if (!head) return { bytes: null, chunked: false };
	if (head[1][0] === FORM_WHOLE) return { bytes: head[1].subarray(1), chunked: false };
	const count = new DataView(head[1].buffer, head[1].byteOffset, head[1].byteLength).getUint32(1);
	const chunks = entries.slice(1).map(([, value]) => value);
	if (chunks.length !== count) {
		throw new Error(`Stored state is incomplete: ${chunks.length} of ${count} chunks found`);
	}
	const bytes = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.byteLength, 0));
	let offset = 0;
	for (const chunk of chunks) {
		bytes.set(chunk, offset);
		offset += chunk.byteLength;
	}
	return { bytes, chunked: true };
}

function chunkKey(index: number): Uint8Array {
	const key = new Uint8Array(5);
	key[0] = SUBSPACE_STATE;
	new DataView(key.buffer).setUint32(1, index);
	return key;
}
