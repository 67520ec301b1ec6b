/** UTF-8 in the shapes the codecs need: measuring, reading strictly, writing without allocating. */

const ENCODER = /* @__PURE__ */ new TextEncoder();
/** `ignoreBOM` keeps a leading U+FEFF, which is part of the value. */
const STRICT_DECODER = /* @__PURE__ */ new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Below this many bytes a loop beats the call into the runtime's decoder (measured on V8). */
const DECODE_LOOP_BYTES_MAX = 28;
/** Below this many code units a loop beats the runtime's encoder. */
const ENCODE_LOOP_UNITS_MAX = 48;

/** Length of `text` in UTF-8 bytes; a lone surrogate counts as U+FFFD (3 bytes). */
export function utf8Length(text: string): number {
	const units = text.length;
	let bytes = units;
	for (let i = 0; i < units; i++) {
		const unit = text.charCodeAt(i);
		if (unit < 0x80) continue;
		bytes += unit < 0x800 ? 1 : 2;
		// The two halves of a pair make four bytes.
		if (isSurrogate(unit) && (text.codePointAt(i) as number) > 0xffff) i++;
	}
	return bytes;
}

/** Whether `text` is longer than `limitBytes` in UTF-8. Cheap for text that is clearly short or long. */
export function utf8Exceeds(text: string, limitBytes: number): boolean {
	if (text.length > limitBytes) return true;
	if (text.length * 3 <= limitBytes) return false;
	return utf8Length(text) > limitBytes;
}

/** Whether `text` has a surrogate without its partner, which UTF-8 cannot express. */
export function hasLoneSurrogate(text: string): boolean {
	return /\p{Surrogate}/u.test(text);
}

/** Reads `bytes[start..end)` as UTF-8. Throws a `TypeError` on invalid UTF-8. */
export function readUtf8(bytes: Uint8Array, start: number, end: number): string {
	if (end - start <= DECODE_LOOP_BYTES_MAX) {
		const ascii = readAscii(bytes, start, end);
		if (ascii !== undefined) return ascii;
	}
	return STRICT_DECODER.decode(bytes.subarray(start, end));
}

/** Several units per call: each call makes a string, and so does each concatenation. */
function readAscii(bytes: Uint8Array, start: number, end: number): string | undefined {
	let text = "";
	let i = start;
	for (; i + 8 <= end; i += 8) {
		const a = bytes[i] as number;
		const b = bytes[i + 1] as number;
		const c = bytes[i + 2] as number;
		const d = bytes[i + 3] as number;
		const e = bytes[i + 4] as number;
		const f = bytes[i + 5] as number;
		const g = bytes[i + 6] as number;
		const h = bytes[i + 7] as number;
		if ((a | b | c | d | e | f | g | h) > 0x7f) return undefined;
		text += String.fromCharCode(a, b, c, d, e, f, g, h);
	}
	for (; i < end; i++) {
		const a = bytes[i] as number;
		if (a > 0x7f) return undefined;
		text += String.fromCharCode(a);
	}
	return text;
}

/**
 * Writes `text` as UTF-8 at `offset` and returns the offset behind it. `target` must have room for
 * three bytes per code unit. A lone surrogate is written as U+FFFD.
 */
export function writeUtf8(text: string, target: Uint8Array, offset: number): number {
	const units = text.length;
	if (units > ENCODE_LOOP_UNITS_MAX) {
		return offset + ENCODER.encodeInto(text, target.subarray(offset)).written;
	}
	let at = offset;
	for (let i = 0; i < units; i++) {
		let unit = text.charCodeAt(i);
		if (unit < 0x80) {
			target[at++] = unit;
			continue;
		}
		if (unit < 0x800) {
			target[at++] = 0xc0 | (unit >> 6);
			target[at++] = 0x80 | (unit & 0x3f);
			continue;
		}
		if (isSurrogate(unit)) {
			const point = text.codePointAt(i) as number;
			if (point > 0xffff) {
				target[at++] = 0xf0 | (point >> 18);
				target[at++] = 0x80 | ((point >> 12) & 0x3f);
				target[at++] = 0x80 | ((point >> 6) & 0x3f);
				target[at++] = 0x80 | (point & 0x3f);
				i++;
				continue;
			}
			unit = 0xfffd;
		}
		target[at++] = 0xe0 | (unit >> 12);
		target[at++] = 0x80 | ((unit >> 6) & 0x3f);
		target[at++] = 0x80 | (unit & 0x3f);
	}
	return at;
}

function isSurrogate(unit: number): boolean {
	return (unit & 0xf800) === 0xd800;
}
