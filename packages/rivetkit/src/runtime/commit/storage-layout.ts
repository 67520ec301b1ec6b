/**
 * The runtime's own corner of an actor's key space. The first byte names a subspace, so that no key of
 * a user can ever reach another one's data.
 *
 * | byte | what |
 * |---|---|
 * | 1 | state: `01` whole value, or its head when chunked; `01 <u32 index>` chunks |
 * | 2 | answered calls: `02 <u48 sequence>` one entry per commit |
 */

export const SUBSPACE_STATE = 1;
export const SUBSPACE_REPLIES = 2;

export const STATE_KEY: Uint8Array = Uint8Array.of(SUBSPACE_STATE);
/** The first key behind the runtime's own subspaces. */
export const RUNTIME_END: Uint8Array = Uint8Array.of(SUBSPACE_REPLIES + 1);
const STATE_CHUNKS_END = Uint8Array.of(SUBSPACE_REPLIES);

/** Values over this many bytes are split; a backend's limit for one value is 128 KiB (api 8). */
export const STATE_CHUNK_BYTES = 96 * 1024;

const FORM_WHOLE = 0;
const FORM_CHUNKED = 1;

import type { StorageOp } from "@rivetkit/protocol";

function chunkKey(index: number): Uint8Array {
	const key = new Uint8Array(5);
	key[0] = SUBSPACE_STATE;
	new DataView(key.buffer).setUint32(1, index);
	return key;
}

export function replyKey(sequence: number): Uint8Array {
	const key = new Uint8Array(7);
	key[0] = SUBSPACE_REPLIES;
	const view = new DataView(key.buffer);
	view.setUint16(1, Math.floor(sequence / 2 ** 32));
	view.setUint32(3, sequence >>> 0);
	return key;
}

export function replySequence(key: Uint8Array): number {
	const view = new DataView(key.buffer, key.byteOffset, key.byteLength);
	return view.getUint16(1) * 2 ** 32 + view.getUint32(3);
}

/** Writes of one encoded state. `hadChunks` tells whether chunks of the last commit must go. */
export function stateOps(
	encoded: Uint8Array,
	hadChunks: boolean,
): { ops: StorageOp[]; chunked: boolean } {
	const ops: StorageOp[] = [];
	if (hadChunks) {
		ops.push({ op: "deleteRange", start: chunkKey(0), end: STATE_CHUNKS_END });
	}
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

/** What a wake finds in the runtime's subspaces. */
export interface StoredRuntimeData {
	/** CBOR of the state, or null when none was ever committed. */
	readonly state: Uint8Array | null;
	readonly stateChunked: boolean;
	readonly replies: readonly [sequence: number, value: Uint8Array][];
}

/** Reads what {@link stateOps} and the reply window wrote, from an ordered scan of the subspaces. */
export function readRuntimeData(
	entries: readonly (readonly [key: Uint8Array, value: Uint8Array])[],
): StoredRuntimeData {
	let whole: Uint8Array | null = null;
	let chunkCount = 0;
	const chunks: Uint8Array[] = [];
	const replies: [number, Uint8Array][] = [];
	for (const [key, value] of entries) {
		if (key[0] === SUBSPACE_REPLIES) {
			replies.push([replySequence(key), value]);
		} else if (key.byteLength > 1) {
			chunks.push(value);
		} else if (value[0] === FORM_WHOLE) {
			whole = value.subarray(1);
		} else {
			chunkCount = new DataView(value.buffer, value.byteOffset, value.byteLength).getUint32(1);
		}
	}
	if (chunkCount === 0) return { state: whole, stateChunked: false, replies };
	if (chunks.length !== chunkCount) {
		throw new Error(`Stored state is incomplete: ${chunks.length} of ${chunkCount} chunks found`);
	}
	const total = chunks.reduce((sum, chunk) => sum + chunk.byteLength, 0);
	const state = new Uint8Array(total);
	let offset = 0;
	for (const chunk of chunks) {
		state.set(chunk, offset);
		offset += chunk.byteLength;
	}
	return { state, stateChunked: true, replies };
}
