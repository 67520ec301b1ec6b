/** What a value is, in the words the page shows. */
export type ValueKind =
	| "null"
	| "undefined"
	| "boolean"
	| "number"
	| "bigint"
	| "string"
	| "date"
	| "bytes"
	| "typed array"
	| "regexp"
	| "error"
	| "list"
	| "map"
	| "set"
	| "object";

export type TypedArray =
	| Int8Array
	| Uint8ClampedArray
	| Int16Array
	| Uint16Array
	| Int32Array
	| Uint32Array
	| Float32Array
	| Float64Array
	| BigInt64Array
	| BigUint64Array;

export function kindOf(value: unknown): ValueKind {
	switch (typeof value) {
		case "boolean":
		case "number":
		case "bigint":
		case "string":
		case "undefined":
			return typeof value as ValueKind;
		case "object":
			return value === null ? "null" : objectKind(value);
		default:
			throw new TypeError(`There are no values of type ${typeof value} in an actor`);
	}
}

function objectKind(value: object): ValueKind {
	if (Array.isArray(value)) return "list";
	if (value instanceof Date) return "date";
	if (value instanceof Map) return "map";
	if (value instanceof Set) return "set";
	if (value instanceof Uint8Array || value instanceof ArrayBuffer || value instanceof DataView) {
		return "bytes";
	}
	if (ArrayBuffer.isView(value)) return "typed array";
	if (value instanceof RegExp) return "regexp";
	if (value instanceof Error) return "error";
	return "object";
}

/** Throws a `TypeError` for anything else than bytes. */
export function bytesOf(value: unknown): Uint8Array {
	if (value instanceof Uint8Array) return value;
	if (value instanceof ArrayBuffer) return new Uint8Array(value);
	if (value instanceof DataView) {
		return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
	}
	throw new TypeError("These are no bytes");
}
