/**
 * CBOR to values in the profile of contract 1.7. Strict: trailing bytes, unknown tags, indefinite
 * strings and invalid UTF-8 are refused. Memory stays in proportion to the input: nothing is made for
 * a count before the items are there.
 */
import { malformed } from "../errors/common.ts";
import { RivetError } from "../errors/rivet-error.ts";
import { defineOwn } from "../own-property.ts";
import { MAX_DEPTH } from "../unencodable.ts";
import { readUtf8 } from "../utf8.ts";
import { TYPED_ARRAY_TAGS } from "./encode.ts";

const FLOAT64 = 0xfb;
const INDEFINITE = 31;
const BREAK = 0xff;
const NAME_CACHE_SLOTS = 512;

const NOTHING = /* @__PURE__ */ new Uint8Array(0);

let bytes: Uint8Array = NOTHING;
/** View of `bytes`, made when the first float is met. */
let view: DataView | undefined;
let position = 0;
let end = 0;

/** Property names seen lately: short, ASCII, one per slot. Spares making the same strings again. */
const names = /* @__PURE__ */ new Array<string | undefined>(NAME_CACHE_SLOTS);

/** The value of one CBOR item. Throws `message.malformed` and nothing else. */
export function decodeCbor(input: Uint8Array): unknown {
	bytes = input;
	position = 0;
	end = input.length;
	try {
		const value = readItem(0);
		if (position !== end) throw bad("trailing bytes");
		return value;
	} catch (error) {
		throw error instanceof RivetError ? error : bad("undecodable CBOR", error);
	} finally {
		// What was decoded last is not kept alive.
		bytes = NOTHING;
		view = undefined;
	}
}

function bad(what: string, cause?: unknown): RivetError {
	return malformed(`${what} at CBOR byte ${position}`, cause);
}

function readByte(): number {
	if (position >= end) throw bad("missing bytes");
	return bytes[position++] as number;
}

/** The number in a head, up to 2^53 - 1. */
function readArgument(info: number): number {
	if (info < 24) return info;
	if (info === 24) return readByte();
	if (info === 25) return readU16();
	if (info === 26) return readU32();
	if (info === 27) {
		const high = readU32();
		if (high < 0x20_0000) return high * 0x1_0000_0000 + readU32();
	}
	throw bad("bad length");
}

function readU16(): number {
	if (end - position < 2) throw bad("missing bytes");
	return ((bytes[position++] as number) << 8) | (bytes[position++] as number);
}

function readU32(): number {
	if (end - position < 4) throw bad("missing bytes");
	return (
		(((bytes[position++] as number) << 24) |
			((bytes[position++] as number) << 16) |
			((bytes[position++] as number) << 8) |
			(bytes[position++] as number)) >>>
		0
	);
}

function readU64(): bigint {
	const high = readU32();
	return (BigInt(high) << 32n) | BigInt(readU32());
}

function readItem(depth: number): unknown {
	const head = readByte();
	if (head < 24) return head;
	if (head === FLOAT64) return readFloat64();
	const info = head & 0x1f;
	switch (head >> 5) {
		case 0:
			return info === 27 ? readU64() : readArgument(info);
		case 1:
			return info === 27 ? -1n - readU64() : -1 - readArgument(info);
		case 2:
			return readBytes(info);
		case 3:
			return readText(info);
		case 4:
			return readArray(info, deeper(depth));
		case 5:
			return readRecord(info, deeper(depth));
		case 6:
			return readTagged(readArgument(info), deeper(depth));
		default:
			return readSimple(info);
	}
}

function deeper(depth: number): number {
	if (depth >= MAX_DEPTH) throw bad(`nested deeper than ${MAX_DEPTH} levels`);
	return depth + 1;
}

/** Advances over `length` bytes and returns where they start. */
function take(length: number): number {
	if (length > end - position) throw bad("missing bytes");
	const start = position;
	position += length;
	return start;
}

function readBytes(info: number): Uint8Array {
	const start = take(readArgument(info));
	// Not bytes.slice: of a Node Buffer that would share its memory.
	return new Uint8Array(bytes.subarray(start, position));
}

function readText(info: number): string {
	const length = readArgument(info);
	const start = take(length);
	return readUtf8(bytes, start, position);
}

/** A count of items that take at least a byte each, or -1 when a break ends them. */
function readCount(info: number): number {
	if (info === INDEFINITE) return -1;
	const count = readArgument(info);
	if (count > end - position) throw bad("missing bytes");
	return count;
}

/** Whether another item follows, of `count` where `index` were read. */
function hasNext(count: number, index: number): boolean {
	if (count >= 0) return index < count;
	if (position >= end) throw bad("missing bytes");
	if (bytes[position] !== BREAK) return true;
	position++;
	return false;
}

function readArray(info: number, depth: number): unknown[] {
	const count = readCount(info);
	const items: unknown[] = [];
	for (let i = 0; hasNext(count, i); i++) items.push(readItem(depth));
	return items;
}

function readRecord(info: number, depth: number): Record<string, unknown> {
	const count = readCount(info);
	const record: Record<string, unknown> = {};
	for (let i = 0; hasNext(count, i); i++) {
		const name = readName(depth);
		const value = readItem(depth);
		if (name !== "__proto__") record[name] = value;
		else defineOwn(record, name, value);
	}
	return record;
}

function readName(depth: number): string {
	const head = bytes[position];
	if (head !== undefined && head >= 0x60 && head <= 0x77) {
		position++;
		return readShortName(head & 0x1f);
	}
	const key = readItem(depth);
	if (typeof key === "string") return key;
	if (typeof key === "number" || typeof key === "bigint" || typeof key === "boolean") {
		return String(key);
	}
	throw bad("a property name that is not text");
}

function readShortName(length: number): string {
	const start = take(length);
	let hash = length;
	for (let i = start; i < position; i++) hash = (hash * 31 + (bytes[i] as number)) | 0;
	const slot = hash & (NAME_CACHE_SLOTS - 1);
	const cached = names[slot];
	if (cached !== undefined && cached.length === length) {
		let i = 0;
		while (i < length && cached.charCodeAt(i) === bytes[start + i]) i++;
		if (i === length) return cached;
	}
	const name = readUtf8(bytes, start, position);
	if (name.length === length) names[slot] = name;
	return name;
}

function readSimple(info: number): unknown {
	switch (info) {
		case 20:
			return false;
		case 21:
			return true;
		case 22:
			return null;
		case 23:
			return undefined;
		case 25:
			return readFloat16();
		case 26:
			return floats().getFloat32(take(4));
		default:
			throw bad("unknown simple value");
	}
}

function floats(): DataView {
	view ??= new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
	return view;
}

function readFloat64(): number {
	if (end - position < 8) throw bad("missing bytes");
	view ??= new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
	position += 8;
	return view.getFloat64(position - 8);
}

function readFloat16(): number {
	const half = readU16();
	const exponent = (half >> 10) & 0x1f;
	const fraction = half & 0x3ff;
	let magnitude: number;
	if (exponent === 0) magnitude = fraction * 2 ** -24;
	else if (exponent === 31) magnitude = fraction === 0 ? Number.POSITIVE_INFINITY : Number.NaN;
	else magnitude = (1024 + fraction) * 2 ** (exponent - 25);
	return half & 0x8000 ? -magnitude : magnitude;
}

function readTagged(tag: number, depth: number): unknown {
	switch (tag) {
		case 0:
			return dateOf(Date.parse(expectText(readItem(depth))));
		case 1:
			return readEpochDate(readItem(depth));
		case 2:
			return readBignum();
		case 3:
			return -1n - readBignum();
		case 27:
			return readConstructed(readItem(depth));
		case 258:
			return new Set(expectArray(readItem(depth)));
		case 259:
			return readMap(depth);
		case 55799:
			return readItem(depth);
		default:
			return readTypedArray(tag);
	}
}

/** What a tag stands before is not what it needs, at the byte that the message names. */
function unfit(): RivetError {
	return bad("unfit content of a tag");
}

function expectText(value: unknown): string {
	if (typeof value !== "string") throw unfit();
	return value;
}

function expectArray(value: unknown): unknown[] {
	if (!Array.isArray(value)) throw unfit();
	return value;
}

function expectBytes(): Uint8Array {
	const head = readByte();
	if (head >> 5 !== 2) throw unfit();
	return readBytes(head & 0x1f);
}

function readEpochDate(seconds: unknown): Date {
	if (typeof seconds !== "number" && typeof seconds !== "bigint") throw unfit();
	return new Date(Math.round(Number(seconds) * 1000));
}

function dateOf(time: number): Date {
	if (Number.isNaN(time)) throw unfit();
	return new Date(time);
}

function readBignum(): bigint {
	let hex = "";
	for (const byte of expectBytes()) hex += byte.toString(16).padStart(2, "0");
	return hex === "" ? 0n : BigInt(`0x${hex}`);
}

function readMap(depth: number): Map<unknown, unknown> {
	const head = readByte();
	if (head >> 5 !== 5) throw unfit();
	const count = readCount(head & 0x1f);
	const map = new Map<unknown, unknown>();
	for (let i = 0; hasNext(count, i); i++) {
		const key = readItem(depth);
		map.set(key, readItem(depth));
	}
	return map;
}

/** `["RegExp", source, flags]` or `[name, message]` of an error. */
function readConstructed(value: unknown): RegExp | Error {
	const [name, text, flags = ""] = expectArray(value).map(expectText);
	if (name === undefined || text === undefined) throw unfit();
	return name === "RegExp" ? new RegExp(text, flags) : readError(name, text);
}

const NATIVE_ERRORS = [
	"EvalError",
	"RangeError",
	"ReferenceError",
	"SyntaxError",
	"TypeError",
	"URIError",
];

/** An error with the sender's name and message and no stack: ours would only tell of the decoder. */
function readError(name: string, message: string): Error {
	const limit = Reflect.get(Error, "stackTraceLimit");
	Reflect.set(Error, "stackTraceLimit", 0);
	try {
		const native = NATIVE_ERRORS.includes(name)
			? (Reflect.get(globalThis, name) as ErrorConstructor)
			: Error;
		const error = new native(message);
		if (error.name !== name) defineOwn(error, "name", name, { enumerable: false });
		return error;
	} finally {
		if (limit !== undefined) Reflect.set(Error, "stackTraceLimit", limit);
	}
}

type TypedArrayConstructor = new (buffer: ArrayBuffer) => ArrayBufferView;

function readTypedArray(tag: number): unknown {
	for (const name in TYPED_ARRAY_TAGS) {
		if (TYPED_ARRAY_TAGS[name] !== tag) continue;
		const contents = expectBytes();
		if (name === "Uint8Array") return contents;
		// A length that is no multiple of the element's throws a RangeError.
		const arrayType = Reflect.get(globalThis, name) as TypedArrayConstructor;
		return new arrayType(contents.buffer as ArrayBuffer);
	}
	throw bad(`unknown tag ${tag}`);
}
