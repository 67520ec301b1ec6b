/**
 * Bytes that are kept for long and seldom read. A typed array takes 200 bytes besides its content, a string
 * takes 16, and every live actor keeps the state it committed last: so a few bytes rest as Latin-1 text.
 */
export type RestingBytes = string | Uint8Array;

const TEXT_BYTES_MAX = 256;

/** Larger ones are kept as they are, and must not change any more. */
export function rest(bytes: Uint8Array): RestingBytes {
	return bytes.byteLength > TEXT_BYTES_MAX ? bytes : String.fromCharCode(...bytes);
}

export function awaken(resting: RestingBytes): Uint8Array {
	return typeof resting === "string"
		? Uint8Array.from(resting, (unit) => unit.charCodeAt(0))
		: resting;
}

export function isSame(resting: RestingBytes, bytes: Uint8Array): boolean {
	if (resting.length !== bytes.byteLength) return false;
	if (typeof resting === "string") {
		for (let at = 0; at < bytes.byteLength; at++) {
			if (resting.charCodeAt(at) !== bytes[at]) return false;
		}
		return true;
	}
	for (let at = 0; at < bytes.byteLength; at++) if (resting[at] !== bytes[at]) return false;
	return true;
}
