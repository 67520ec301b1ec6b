/**
 * Some engines end a text at its first NUL when they read it, so NUL is stored as \u0001 and `0`, and
 * \u0001 itself as \u0001 and `1`. Order is kept; texts without either are stored as they are.
 */
export function toStoredText(text: string): string {
	return text.includes("\0") || text.includes("\u0001")
		? text.replaceAll("\u0001", "\u00011").replaceAll("\0", "\u00010")
		: text;
}

export function fromStoredText(stored: string): string {
	return stored.includes("\u0001")
		? stored.replaceAll("\u00010", "\0").replaceAll("\u00011", "\u0001")
		: stored;
}

/** An empty array with memory behind it: Node 22.13 stores one without as NULL. */
const EMPTY = new Uint8Array(new ArrayBuffer(8), 0, 0);

export function toStoredBytes(bytes: Uint8Array): Uint8Array {
	return bytes.byteLength === 0 ? EMPTY : bytes;
}
