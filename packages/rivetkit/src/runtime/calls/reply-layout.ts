import { SUBSPACE_REPLIES } from "../commit/storage-layout.ts";

/** One entry per commit that answered calls; `sequence` orders them. */
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
