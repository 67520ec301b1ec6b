/**
 * BARE primitives (contract 1.3) for the generated codecs in `../generated`. Reading is strict: a
 * bool other than 0 or 1, an over-long integer, invalid UTF-8 or missing bytes throw
 * {@link BareError}. Nothing is allocated for a length before that many bytes are known to be there.
 */
import { readUtf8, writeUtf8 } from "../utf8.ts";

/** Undecodable BARE, or a value that its BARE type cannot hold. */
export class BareError extends Error {
	override readonly name = "BareError";
	/** Byte offset of what could not be read. */
	readonly offset: number;
	constructor(offset: number, issue: string) {
		super(`${issue} at byte ${offset}`);
		this.offset = offset;
	}
}

/** An unsigned integer of up to 64 bits: a `number` when it is a safe integer, else a `bigint`. */
export type Uint = number | bigint;

const U64_MAX = 0xffff_ffff_ffff_ffffn;
const U32_COUNT = 0x1_0000_0000;

/** A position in bytes that are being read, or in a buffer that grows while it is written. */
export class ByteCursor {
	bytes: Uint8Array;
	offset: number;
	constructor(bytes: Uint8Array, offset = 0) {
		this.bytes = bytes;
		this.offset = offset;
	}
}

/** Advances over `length` bytes and returns where they start. */
function take(bc: ByteCursor, length: number): number {
	const start = bc.offset;
	if (length > bc.bytes.length - start) throw new BareError(start, "missing bytes");
	bc.offset = start + length;
	return start;
}

/** Makes room for `length` bytes. */
function reserve(bc: ByteCursor, length: number): void {
	const needed = bc.offset + length;
	if (needed <= bc.bytes.length) return;
	const grown = new Uint8Array(Math.max(needed, bc.bytes.length * 2, 64));
	grown.set(bc.bytes.subarray(0, bc.offset));
	bc.bytes = grown;
}

export function readU8(bc: ByteCursor): number {
	return bc.bytes[take(bc, 1)] as number;
}

export function writeU8(bc: ByteCursor, x: number): void {
	reserve(bc, 1);
	bc.bytes[bc.offset++] = x;
}

export function readBool(bc: ByteCursor): boolean {
	const byte = readU8(bc);
	if (byte > 1) throw new BareError(bc.offset - 1, "invalid bool");
	return byte === 1;
}

export function writeBool(bc: ByteCursor, x: boolean): void {
	writeU8(bc, x ? 1 : 0);
}

export function readU16(bc: ByteCursor): number {
	const at = take(bc, 2);
	return (bc.bytes[at] as number) | ((bc.bytes[at + 1] as number) << 8);
}

export function writeU16(bc: ByteCursor, x: number): void {
	if (!Number.isInteger(x) || x < 0 || x > 0xffff) throw outOfRange(bc, "u16", x);
	writeU8(bc, x & 0xff);
	writeU8(bc, x >> 8);
}

export function readU32(bc: ByteCursor): number {
	const at = take(bc, 4);
	const b = bc.bytes;
	return (
		((b[at] as number) |
			((b[at + 1] as number) << 8) |
			((b[at + 2] as number) << 16) |
			((b[at + 3] as number) << 24)) >>>
		0
	);
}

export function writeU32(bc: ByteCursor, x: number): void {
	if (!Number.isInteger(x) || x < 0 || x >= U32_COUNT) throw outOfRange(bc, "u32", x);
	reserve(bc, 4);
	for (let i = 0; i < 4; i++) bc.bytes[bc.offset++] = x >>> (8 * i);
}

export function readU64(bc: ByteCursor): Uint {
	const low = readU32(bc);
	const high = readU32(bc);
	return high < 0x20_0000 ? high * U32_COUNT + low : (BigInt(high) << 32n) | BigInt(low);
}

export function writeU64(bc: ByteCursor, x: Uint): void {
	const value = typeof x === "number" && !Number.isSafeInteger(x) ? -1n : BigInt(x);
	if (value < 0n || value > U64_MAX) throw outOfRange(bc, "u64", x);
	reserve(bc, 8);
	new DataView(bc.bytes.buffer, bc.bytes.byteOffset).setBigUint64(bc.offset, value, true);
	bc.offset += 8;
}

/** Times and counts: beyond the safe integers is refused, so that nobody calculates with bigints. */
export function readI64(bc: ByteCursor): number {
	const start = bc.offset;
	const low = readU32(bc);
	const value = (readU32(bc) | 0) * U32_COUNT + low;
	if (!Number.isSafeInteger(value)) throw new BareError(start, "integer over 53 bits");
	return value;
}

export function writeI64(bc: ByteCursor, x: number): void {
	if (!Number.isSafeInteger(x)) throw outOfRange(bc, "i64", x);
	const low = x >>> 0;
	writeU32(bc, low);
	writeU32(bc, ((x - low) / U32_COUNT) >>> 0);
}

export function readUint(bc: ByteCursor): Uint {
	const start = bc.offset;
	let value = 0;
	let scale = 1;
	for (let i = 0; i < 7; i++) {
		const byte = readU8(bc);
		value += (byte & 0x7f) * scale;
		if (byte < 0x80) return canonical(start, i, byte, value);
		scale *= 0x80;
	}
	let high = 0;
	for (let i = 7; i < 10; i++) {
		const byte = readU8(bc);
		high += (byte & 0x7f) << (7 * (i - 7));
		if (byte >= 0x80) continue;
		if (i === 9 && byte > 1) break;
		// 49 bits are in `value`: with fewer than 4 bits above them the sum is a safe integer.
		const whole = high < 16 ? high * scale + value : (BigInt(high) << 49n) | BigInt(value);
		return canonical(start, i, byte, whole);
	}
	throw new BareError(start, "integer over 64 bits");
}

function canonical<T extends Uint>(start: number, index: number, last: number, value: T): T {
	if (index > 0 && last === 0) throw new BareError(start, "over-long integer");
	return value;
}

export function writeUint(bc: ByteCursor, x: Uint): void {
	let rest = typeof x === "number" ? x : smallest(bc, x);
	if (typeof rest === "number") {
		if (!Number.isSafeInteger(rest) || rest < 0) throw outOfRange(bc, "uint", x);
		for (; rest > 0x7f; rest = Math.floor(rest / 0x80)) writeU8(bc, (rest % 0x80) | 0x80);
	} else {
		for (; rest > 0x7fn; rest >>= 7n) writeU8(bc, Number(rest & 0x7fn) | 0x80);
	}
	writeU8(bc, Number(rest));
}

/** A number where it is safe: arithmetic on those is faster. */
function smallest(bc: ByteCursor, x: bigint): Uint {
	if (x < 0n || x > U64_MAX) throw outOfRange(bc, "uint", x);
	return x <= Number.MAX_SAFE_INTEGER ? Number(x) : x;
}

/** The count of a list or map. */
export function readUintSafe(bc: ByteCursor): number {
	return readLength(bc);
}

export function writeUintSafe(bc: ByteCursor, x: number): void {
	writeUint(bc, x);
}

/** Every counted thing takes at least a byte, so a count beyond what is left can be refused at once. */
function readLength(bc: ByteCursor): number {
	const start = bc.offset;
	const length = readUint(bc);
	if (length > bc.bytes.length - bc.offset) throw new BareError(start, "missing bytes");
	return Number(length);
}

export function readString(bc: ByteCursor): string {
	const length = readLength(bc);
	const start = take(bc, length);
	try {
		return readUtf8(bc.bytes, start, bc.offset);
	} catch {
		throw new BareError(start, "invalid UTF-8");
	}
}

export function writeString(bc: ByteCursor, x: string): void {
	const units = x.length;
	reserve(bc, units * 3 + 10);
	// The length comes first but is known last: room is kept for the length in code units, and text
	// whose length in bytes takes more room is moved before that is written.
	const body = bc.offset + lengthOfUint(units);
	const length = writeUtf8(x, bc.bytes, body) - body;
	const moved = bc.offset + lengthOfUint(length);
	if (moved !== body) bc.bytes.copyWithin(moved, body, body + length);
	writeUint(bc, length);
	bc.offset += length;
}

function lengthOfUint(value: number): number {
	let bytes = 1;
	for (let rest = value; rest > 0x7f; rest = Math.floor(rest / 0x80)) bytes++;
	return bytes;
}

/** A view into the bytes that are being read. */
export function readData(bc: ByteCursor): Uint8Array {
	const length = readLength(bc);
	const start = take(bc, length);
	return bc.bytes.subarray(start, bc.offset);
}

export function writeData(bc: ByteCursor, x: Uint8Array): void {
	writeUint(bc, x.length);
	reserve(bc, x.length);
	bc.bytes.set(x, bc.offset);
	bc.offset += x.length;
}

/** A view into the bytes that are being read. */
export function readFixedData(bc: ByteCursor, length: number): Uint8Array {
	const start = take(bc, length);
	return bc.bytes.subarray(start, bc.offset);
}

export function writeFixedData(bc: ByteCursor, x: Uint8Array, length: number): void {
	if (x.length !== length) {
		throw new BareError(bc.offset, `${x.length} bytes where ${length} are expected`);
	}
	reserve(bc, length);
	bc.bytes.set(x, bc.offset);
	bc.offset += length;
}

function outOfRange(bc: ByteCursor, type: string, x: Uint): BareError {
	return new BareError(bc.offset, `${x} is not a ${type}`);
}
