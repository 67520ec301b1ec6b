/**
 * The memory of an `ArrayBuffer` or a view, not copied; undefined for anything else. Also that of a proxy for a typed
 * array, such as bytes in an actor's state, which native code does not take for one.
 */
export function viewBytes(value: unknown): Uint8Array | undefined {
	if (value instanceof Uint8Array && ArrayBuffer.isView(value)) return value;
	if (ArrayBuffer.isView(value) || isTypedArray(value)) {
		return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
	}
	const isShared = typeof SharedArrayBuffer === "function" && value instanceof SharedArrayBuffer;
	return isShared || value instanceof ArrayBuffer ? new Uint8Array(value) : undefined;
}

function isTypedArray(value: unknown): value is Uint8Array {
	const TypedArray = Object.getPrototypeOf(Uint8Array) as abstract new () => Uint8Array;
	return value instanceof TypedArray;
}

/**
 * What `send` of a WebSocket was given, as it is at this moment.
 *
 * @throws TypeError that names the type of anything but text and bytes
 */
export function socketMessage(data: unknown): string | Uint8Array {
	if (typeof data === "string") return data;
	const bytes = viewBytes(data);
	if (bytes === undefined) {
		throw new TypeError(
			`A WebSocket sends text or bytes, not ${typeName(data)}: encode it first, for example with JSON.stringify`,
		);
	}
	// Not `slice`, which of a `Buffer` is no copy.
	return new Uint8Array(bytes);
}

function typeName(value: unknown): string {
	if (value === null || typeof value !== "object")
		return String(value === null ? null : typeof value);
	return (Reflect.getPrototypeOf(value)?.constructor?.name ?? "") || "object";
}
