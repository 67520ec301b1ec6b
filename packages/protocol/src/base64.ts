/** Base64 between bytes and text, in both alphabets, without the runtime's help. */

const STANDARD = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const URL_SAFE = `${/* @__PURE__ */ STANDARD.slice(0, 62)}-_`;

/** Value of each ASCII code, 255 where it is not a digit; made on first use. */
let digitValues: Uint8Array | undefined;

function makeDigitValues(): Uint8Array {
	const values = new Uint8Array(128).fill(255);
	for (let i = 0; i < 64; i++) {
		values[STANDARD.charCodeAt(i)] = i;
		values[URL_SAFE.charCodeAt(i)] = i;
	}
	return values;
}

/** `standard` is padded, `url` is not. */
export function encodeBase64(bytes: Uint8Array, alphabet: "standard" | "url" = "standard"): string {
	const digits = alphabet === "url" ? URL_SAFE : STANDARD;
	let text = "";
	for (let i = 0; i < bytes.length; i += 3) {
		const b = bytes[i + 1];
		const c = bytes[i + 2];
		const group = ((bytes[i] as number) << 16) | ((b ?? 0) << 8) | (c ?? 0);
		text += digits[group >> 18];
		text += digits[(group >> 12) & 63];
		if (b !== undefined) text += digits[(group >> 6) & 63];
		if (c !== undefined) text += digits[group & 63];
	}
	return alphabet === "url" ? text : text.padEnd(Math.ceil(text.length / 4) * 4, "=");
}

/** Accepts either alphabet, with or without padding; `null` for anything else. */
export function decodeBase64(text: string): Uint8Array | null {
	digitValues ??= makeDigitValues();
	let end = text.length;
	while (end > 0 && text.length - end < 2 && text[end - 1] === "=") end--;
	if (end % 4 === 1 || (end < text.length && text.length % 4 !== 0)) return null;
	const bytes = new Uint8Array(Math.floor((end * 3) / 4));
	let at = 0;
	let bits = 0;
	for (let i = 0; i < end; i++) {
		const code = text.charCodeAt(i);
		const value = code < 128 ? (digitValues[code] as number) : 255;
		if (value === 255) return null;
		bits = (bits << 6) | value;
		if (i % 4 !== 0) bytes[at++] = bits >> (6 - 2 * (i % 4));
	}
	return bytes;
}
