/** The bytes of a buffer or of what a view shows of one, not copied. Throws `TypeError` for others. */
export function toUint8Array(data: ArrayBufferLike | ArrayBufferView): Uint8Array {
	if (data instanceof Uint8Array) return data;
	if (ArrayBuffer.isView(data)) {
		return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
	}
	if (isBuffer(data)) return new Uint8Array(data);
	throw new TypeError("Input must be ArrayBuffer or ArrayBufferView");
}

/** A copy of exactly the bytes that a view shows. */
export function bufferToArrayBuffer(data: ArrayBufferView): ArrayBuffer {
	return new Uint8Array(toUint8Array(data)).buffer;
}

export function arrayBuffersEqual(a: ArrayBufferLike, b: ArrayBufferLike): boolean {
	if (a.byteLength !== b.byteLength) return false;
	const left = new Uint8Array(a);
	const right = new Uint8Array(b);
	return left.every((byte, index) => byte === right[index]);
}

function isBuffer(data: unknown): data is ArrayBufferLike {
	if (data instanceof ArrayBuffer) return true;
	return typeof SharedArrayBuffer !== "undefined" && data instanceof SharedArrayBuffer;
}
