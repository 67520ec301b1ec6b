import { SUBSPACE_KV } from "../commit/storage-layout.ts";

/**
 * A key as a string with one character per byte (U+0000 to U+00FF): a key of a `Map`, and `<` on such
 * strings is the order of the bytes. The id of an ASCII key is the key itself.
 */
export type KeyId = string;

const ENCODER = new TextEncoder();
const DECODER = new TextDecoder("utf-8", { ignoreBOM: true });

/** The id of a key given as text; lone surrogates must have been refused. */
export function idOfText(text: string): KeyId {
	for (let index = 0; index < text.length; index++) {
		if (text.charCodeAt(index) > 0x7f) return idOfBytes(ENCODER.encode(text));
	}
	return text;
}

const UNITS_PER_CALL = 4_096;

export function idOfBytes(bytes: Uint8Array, from = 0): KeyId {
	let id = "";
	for (let start = from; start < bytes.length; start += UNITS_PER_CALL) {
		const part = bytes.subarray(start, start + UNITS_PER_CALL);
		id += String.fromCharCode.apply(null, part as unknown as number[]);
	}
	return id;
}

/** The key as text; what is not valid UTF-8 becomes U+FFFD. */
export function textOfId(id: KeyId): string {
	for (let index = 0; index < id.length; index++) {
		if (id.charCodeAt(index) > 0x7f) return DECODER.decode(bytesOfId(id));
	}
	return id;
}

export function bytesOfId(id: KeyId): Uint8Array {
	const bytes = new Uint8Array(id.length);
	for (let index = 0; index < id.length; index++) bytes[index] = id.charCodeAt(index);
	return bytes;
}

/** The key in the actor's store. */
export function storedKey(id: KeyId): Uint8Array {
	const bytes = new Uint8Array(id.length + 1);
	writeStoredKey(id, bytes, 0);
	return bytes;
}

/** Writes the key in the actor's store at `offset`; returns the offset behind it. */
export function writeStoredKey(id: KeyId, target: Uint8Array, offset: number): number {
	let at = offset;
	target[at++] = SUBSPACE_KV;
	for (let index = 0; index < id.length; index++) target[at++] = id.charCodeAt(index);
	return at;
}

/** Behind every key of a user. */
const SUBSPACE_END = Uint8Array.of(SUBSPACE_KV + 1);

/** The exclusive end of a range in the actor's store; null is the end of the user's keys. */
export function storedEnd(id: KeyId | null): Uint8Array {
	return id === null ? SUBSPACE_END : storedKey(id);
}

export function idOfStoredKey(key: Uint8Array): KeyId {
	return idOfBytes(key, 1);
}

/** The first id behind all that begin with `prefix`; null when there is none. */
export function endOfPrefix(prefix: KeyId): KeyId | null {
	for (let last = prefix.length - 1; last >= 0; last--) {
		const byte = prefix.charCodeAt(last);
		if (byte < 0xff) return prefix.slice(0, last) + String.fromCharCode(byte + 1);
	}
	return null;
}

/** The smaller of two exclusive ends, where null is behind everything. */
export function earlierEnd(a: KeyId | null, b: KeyId | null): KeyId | null {
	if (a === null || b === null) return a ?? b;
	return a < b ? a : b;
}
