/**
 * Values to CBOR in the profile of contract 1.7: the types that come back are the types that went in.
 * Encoding runs over one reused buffer; a way to a value is only worked out after a failure.
 */
import { EncodeError } from "../encode-error.ts";
import { locateUnencodable, MAX_DEPTH } from "../unencodable.ts";
import { writeUtf8 } from "../utf8.ts";

const START_BYTES = 8 * 1024;
/** A buffer that grew beyond this for one large value is not kept. */
const KEPT_BYTES_MAX = 1024 * 1024;

const U32_MAX = 0xffff_ffff;
const I32_MIN = -0x8000_0000;
const U64_COUNT = 1n << 64n;

const UINT = 0x00;
const NEGATIVE = 0x20;
const BYTES = 0x40;
const TEXT = 0x60;
const ARRAY = 0x80;
const MAP = 0xa0;
const TAG = 0xc0;

/** Tags of typed arrays with little-endian contents (RFC 8746), by type name. */
export const TYPED_ARRAY_TAGS: Readonly<Record<string, number>> = {
	Uint8Array: 64,
	Uint8ClampedArray: 68,
	Uint16Array: 69,
	Uint32Array: 70,
	BigUint64Array: 71,
	Int8Array: 72,
	Int16Array: 77,
	Int32Array: 78,
	BigInt64Array: 79,
	Float32Array: 85,
	Float64Array: 86,
};

/** What cannot be encoded; the reason is found by looking at the value again. */
const UNENCODABLE = /* @__PURE__ */ Symbol("unencodable");

let buffer = /* @__PURE__ */ new Uint8Array(START_BYTES);
let view = /* @__PURE__ */ new DataView(buffer.buffer);
let position = 0;
/** Set while encoding: a getter of the value may encode something else meanwhile. */
let busy = false;

/**
 * CBOR of a value. Functions, symbols, cycles and nesting over 1024 levels throw {@link EncodeError}
 * with the path of the first one. An exception of a getter passes through.
 */
export function encodeCbor(value: unknown): Uint8Array {
	return encodeCborTransient(value).slice();
}

/** Like {@link encodeCbor}, but the result is only good until the next value is encoded. */
export function encodeCborTransient(value: unknown): Uint8Array {
	if (busy) return encodeNested(value);
	busy = true;
	position = 0;
	try {
		writeValue(value, 0);
		const result = buffer.subarray(0, position);
		if (buffer.length > KEPT_BYTES_MAX) useBuffer(new Uint8Array(START_BYTES));
		return result;
	} catch (error) {
		throw error === UNENCODABLE ? locateUnencodable(value) : error;
	} finally {
		busy = false;
	}
}

function encodeNested(value: unknown): Uint8Array {
	const outer = { buffer, position };
	useBuffer(new Uint8Array(START_BYTES));
	busy = false;
	try {
		return encodeCborTransient(value);
	} finally {
		useBuffer(outer.buffer);
		position = outer.position;
		busy = true;
	}
}

function reserve(length: number): void {
	const needed = position + length;
	if (needed <= buffer.length) return;
	const grown = new Uint8Array(Math.max(needed, buffer.length * 2));
	grown.set(buffer.subarray(0, position));
	useBuffer(grown);
}

function useBuffer(next: Uint8Array<ArrayBuffer>): void {
	buffer = next;
	view = new DataView(next.buffer);
}

function writeValue(value: unknown, depth: number): void {
	switch (typeof value) {
		case "string":
			writeText(value);
			break;
		case "number":
			writeNumber(value);
			break;
		case "boolean":
			writeByte(value ? 0xf5 : 0xf4);
			break;
		case "undefined":
			writeByte(0xf7);
			break;
		case "bigint":
			writeBigint(value);
			break;
		case "object":
			if (value === null) writeByte(0xf6);
			else writeObject(value, depth);
			break;
		default:
			throw UNENCODABLE;
	}
}

function writeByte(byte: number): void {
	reserve(1);
	buffer[position++] = byte;
}

/** Major type and a number up to 2^32 - 1, in the shortest form. */
function writeHead(major: number, value: number): void {
	reserve(5);
	if (value < 24) {
		buffer[position++] = major | value;
	} else if (value < 0x100) {
		buffer[position++] = major | 24;
		buffer[position++] = value;
	} else if (value < 0x10000) {
		buffer[position++] = major | 25;
		buffer[position++] = value >> 8;
		buffer[position++] = value;
	} else {
		writeHead32(major, value);
	}
}

function writeHead32(major: number, value: number): void {
	reserve(5);
	buffer[position++] = major | 26;
	writeU32(value);
}

function writeNumber(value: number): void {
	// -0 is emitted as the integer 0.
	if (value >= I32_MIN && value <= U32_MAX && Math.floor(value) === value) {
		if (value >= 0) writeHead(UINT, value);
		else writeHead(NEGATIVE, -1 - value);
	} else {
		writeFloat(value);
	}
}

function writeFloat(value: number): void {
	reserve(9);
	buffer[position] = 0xfb;
	view.setFloat64(position + 1, value);
	position += 9;
}

function writeBigint(value: bigint): void {
	const magnitude = value < 0n ? -1n - value : value;
	const major = value < 0n ? NEGATIVE : UINT;
	if (magnitude < U64_COUNT) {
		reserve(9);
		buffer[position++] = major | 27;
		writeU32(Number(magnitude >> 32n));
		writeU32(Number(magnitude & 0xffff_ffffn));
		return;
	}
	const hex = magnitude.toString(16);
	const digits = hex.length % 2 === 0 ? hex : `0${hex}`;
	writeByte(value < 0n ? 0xc3 : 0xc2);
	writeHead(BYTES, digits.length / 2);
	reserve(digits.length / 2);
	for (let i = 0; i < digits.length; i += 2) {
		buffer[position++] = Number.parseInt(digits.slice(i, i + 2), 16);
	}
}

function writeU32(value: number): void {
	buffer[position++] = value >>> 24;
	buffer[position++] = value >>> 16;
	buffer[position++] = value >>> 8;
	buffer[position++] = value;
}

function writeText(text: string): void {
	const units = text.length;
	reserve(5 + units * 3);
	// The length comes first but is known last: room is kept for the length in code units, and text
	// whose length in bytes needs a longer head is moved before that is written.
	const body = position + headLength(units);
	const length = writeUtf8(text, buffer, body) - body;
	const moved = position + headLength(length);
	if (moved !== body) buffer.copyWithin(moved, body, body + length);
	writeHead(TEXT, length);
	position += length;
}

function headLength(value: number): number {
	if (value < 24) return 1;
	if (value < 0x100) return 2;
	return value < 0x10000 ? 3 : 5;
}

function writeBytes(bytes: Uint8Array): void {
	writeHead(BYTES, bytes.length);
	reserve(bytes.length);
	buffer.set(bytes, position);
	position += bytes.length;
}

function writeObject(value: object, depth: number): void {
	if (depth >= MAX_DEPTH) throw UNENCODABLE;
	if (Array.isArray(value)) {
		writeArray(value, depth);
		return;
	}
	const prototype = Object.getPrototypeOf(value);
	if (prototype === Object.prototype || prototype === null) writeRecord(value, depth);
	else writeInstance(value, depth);
}

function writeInstance(value: object, depth: number): void {
	// A proxy for a typed array, such as bytes in an actor's state, is no view to native code.
	if (ArrayBuffer.isView(value) || value instanceof Object.getPrototypeOf(Uint8Array))
		writeView(value as ArrayBufferView);
	else if (value instanceof Date) writeDate(value);
	else if (value instanceof Map) writeMap(value, depth);
	else if (value instanceof Set) writeSet(value, depth);
	else if (value instanceof ArrayBuffer) writeBytes(new Uint8Array(value));
	else if (value instanceof RegExp) writeTagged27(["RegExp", value.source, value.flags]);
	else if (value instanceof Error) writeTagged27([String(value.name), String(value.message)]);
	else writeRecord(value, depth);
}

function writeArray(items: readonly unknown[], depth: number): void {
	const length = items.length;
	writeHead(ARRAY, length);
	for (let i = 0; i < length; i++) writeValue(items[i], depth + 1);
}

function writeRecord(record: object, depth: number): void {
	const names = Object.keys(record);
	writeHead(MAP, names.length);
	for (let i = 0; i < names.length; i++) {
		const name = names[i] as string;
		writeText(name);
		writeValue((record as Record<string, unknown>)[name], depth + 1);
	}
}

function writeSet(set: ReadonlySet<unknown>, depth: number): void {
	writeHead(TAG, 258);
	writeHead(ARRAY, set.size);
	for (const item of set) writeValue(item, depth + 1);
}

function writeMap(map: ReadonlyMap<unknown, unknown>, depth: number): void {
	writeHead(TAG, 259);
	writeHead(MAP, map.size);
	for (const [key, item] of map) {
		writeValue(key, depth + 1);
		writeValue(item, depth + 1);
	}
}

function writeView(view: ArrayBufferView): void {
	const bytes = new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
	// Node's Buffer is a Uint8Array by name, too, yet goes untagged as it does in the reference.
	const isBuffer = view.constructor?.name === "Buffer";
	const name = (view as unknown as Record<symbol, unknown>)[Symbol.toStringTag];
	if (!isBuffer && name !== "DataView") {
		const tag = TYPED_ARRAY_TAGS[String(name)];
		if (tag === undefined) throw UNENCODABLE;
		writeHead(TAG, tag);
	}
	writeBytes(bytes);
}

function writeDate(date: Date): void {
	const seconds = date.getTime() / 1000;
	writeByte(0xc1);
	if (seconds >= 0 && seconds <= U32_MAX && Number.isInteger(seconds)) writeHead32(UINT, seconds);
	else writeFloat(seconds);
}

function writeTagged27(texts: readonly string[]): void {
	writeHead(TAG, 27);
	writeHead(ARRAY, texts.length);
	for (const text of texts) writeText(text);
}
