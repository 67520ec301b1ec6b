import { decodeBase64, encodeBase64 } from "@rivetkit/protocol";

/**
 * Values as JSON that reads back as it was: JSON, and for what it has no form for the protocol's tagged pairs
 * (contract: protocol 1.8) with more tags. A real list of two that begins with a text with `$` gets one more
 * `$` in front.
 *
 * | tag | content |
 * |---|---|
 * | `$BigInt` | decimal text |
 * | `$Uint8Array`, `$ArrayBuffer`, `$Float64Array` and so on | base64 of the bytes, little-endian |
 * | `$Date` | ISO text, or null for one that is invalid |
 * | `$Map` | list of pairs |
 * | `$Set` | list |
 * | `$Number` | `NaN`, `Infinity`, `-Infinity`, `-0` |
 * | `$Undefined` | 0 |
 * | `$RegExp` | `[source, flags]` |
 * | `$Error` | `[name, message]` |
 */
export const EXACT_JSON_HELP = `Values are JSON. What JSON has no form for is a pair with a tag: ["$BigInt","5"], ["$Date","2026-01-31T12:00:00.000Z"],
["$Uint8Array","<base64>"], ["$Map",[["key","value"]]], ["$Set",[1,2]], ["$Number","NaN"], ["$Undefined",0].`;

const LEVELS_MAX = 1_024;

type TypedArray = Uint8Array | Float64Array;
interface TypedArrayClass {
	new (buffer: ArrayBuffer): TypedArray;
	readonly name: string;
	readonly BYTES_PER_ELEMENT: number;
}

const TYPED_ARRAYS = [
	Uint8Array,
	Uint8ClampedArray,
	Uint16Array,
	Uint32Array,
	BigUint64Array,
	Int8Array,
	Int16Array,
	Int32Array,
	BigInt64Array,
	Float32Array,
	Float64Array,
] as unknown as readonly TypedArrayClass[];

/** The text of a value. Throws a `TypeError` for functions, symbols and what is nested too deep. */
export function toExactJson(value: unknown, indent?: string): string {
	return toJson(tagged(value, 0), indent);
}

/** JSON of plain data, without characters that a terminal might act on. */
export function toJson(data: unknown, indent?: string): string {
	return JSON.stringify(data, null, indent).replace(
		/[\u007f-\u009f\u2028\u2029]/g,
		(char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`,
	);
}

/** The value as plain data, as {@link toExactJson} writes it. */
export function toExactData(value: unknown): unknown {
	return tagged(value, 0);
}

/** The value of a text. Throws a `SyntaxError` that says what is wrong. */
export function fromExactJson(text: string): unknown {
	return fromExactData(JSON.parse(text));
}

/** The value of plain data that {@link toExactData} made. Throws a `SyntaxError`. */
export function fromExactData(data: unknown): unknown {
	return revived(data, 0);
}

function tagged(value: unknown, level: number): unknown {
	if (level > LEVELS_MAX) throw new TypeError(`a value is nested over ${LEVELS_MAX} levels deep`);
	const inner = (member: unknown) => tagged(member, level + 1);
	switch (typeof value) {
		case "undefined":
			return ["$Undefined", 0];
		case "bigint":
			return ["$BigInt", String(value)];
		case "number":
			return Number.isFinite(value) && !Object.is(value, -0)
				? value
				: ["$Number", Object.is(value, -0) ? "-0" : String(value)];
		case "object":
			return value === null ? null : taggedObject(value, inner);
		case "function":
		case "symbol":
			throw new TypeError(`a ${typeof value} has no form in JSON`);
		default:
			return value;
	}
}

function taggedObject(value: object, inner: (member: unknown) => unknown): unknown {
	if (Array.isArray(value)) {
		const items = Array.from(value, inner);
		const [first] = value;
		const looksTagged = items.length === 2 && typeof first === "string" && first.startsWith("$");
		return looksTagged ? [`$${first}`, items[1]] : items;
	}
	if (value instanceof Date) {
		return ["$Date", Number.isNaN(value.getTime()) ? null : value.toISOString()];
	}
	if (value instanceof Map) {
		return ["$Map", Array.from(value, ([key, member]) => [inner(key), inner(member)])];
	}
	if (value instanceof Set) return ["$Set", Array.from(value, inner)];
	if (value instanceof RegExp) return ["$RegExp", [value.source, value.flags]];
	if (value instanceof Error) return ["$Error", [value.name, value.message]];
	if (value instanceof ArrayBuffer) return ["$ArrayBuffer", encodeBase64(new Uint8Array(value))];
	if (ArrayBuffer.isView(value)) return taggedView(value);
	const record: Record<string, unknown> = Object.create(null);
	for (const [name, member] of Object.entries(value)) record[name] = inner(member);
	return record;
}

function taggedView(view: ArrayBufferView): unknown {
	const bytes = new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
	// Also Node's Buffer, which is a Uint8Array by another name.
	const known = TYPED_ARRAYS.find(({ name }) => name === view.constructor.name);
	return [known ? `$${known.name}` : "$Uint8Array", encodeBase64(bytes)];
}

function revived(data: unknown, level: number): unknown {
	if (typeof data !== "object" || data === null) return data;
	if (level > LEVELS_MAX) throw new SyntaxError(`nested over ${LEVELS_MAX} levels deep`);
	const inner = (member: unknown) => revived(member, level + 1);
	if (Array.isArray(data)) {
		const [tag, content] = data;
		const isTagged = data.length === 2 && typeof tag === "string" && tag.startsWith("$");
		if (!isTagged) return data.map(inner);
		return tag.startsWith("$$") ? [tag.slice(1), inner(content)] : ofTag(tag, content, inner);
	}
	const record: Record<string, unknown> = {};
	for (const [name, member] of Object.entries(data)) {
		Object.defineProperty(record, name, {
			value: inner(member),
			enumerable: true,
			configurable: true,
			writable: true,
		});
	}
	return record;
}

function ofTag(tag: string, content: unknown, inner: (member: unknown) => unknown): unknown {
	switch (tag) {
		case "$Undefined":
			if (content === 0) return undefined;
			break;
		case "$BigInt":
			if (typeof content === "string" && /^-?\d+$/.test(content)) return BigInt(content);
			break;
		case "$Number":
			if (NUMBERS.has(content as string)) return Number(content);
			break;
		case "$Date":
			if (content === null) return new Date(Number.NaN);
			if (typeof content === "string" && !Number.isNaN(Date.parse(content))) {
				return new Date(content);
			}
			break;
		case "$Set":
			if (Array.isArray(content)) return new Set(content.map(inner));
			break;
		case "$Map":
			if (Array.isArray(content) && content.every(isPair)) {
				return new Map(content.map(([key, member]) => [inner(key), inner(member)]));
			}
			break;
		case "$RegExp":
			if (isPair(content)) return regExp(tag, content);
			break;
		case "$Error":
			if (isPair(content) && content.every((part) => typeof part === "string")) {
				return Object.assign(new Error(content[1] as string), { name: content[0] });
			}
			break;
		default:
			return ofBytes(tag, content);
	}
	throw malformed(tag, content);
}

const NUMBERS: ReadonlySet<string> = new Set(["NaN", "Infinity", "-Infinity", "-0"]);

function isPair(content: unknown): content is [unknown, unknown] {
	return Array.isArray(content) && content.length === 2;
}

function regExp(tag: string, content: [unknown, unknown]): RegExp {
	try {
		return new RegExp(String(content[0]), String(content[1]));
	} catch {
		throw malformed(tag, content);
	}
}

function ofBytes(tag: string, content: unknown): unknown {
	const known = TYPED_ARRAYS.find(({ name }) => `$${name}` === tag);
	if (!known && tag !== "$ArrayBuffer") {
		throw new SyntaxError(`unknown tag ${tag}; a real list of this look begins with $${tag}`);
	}
	const bytes = typeof content === "string" ? decodeBase64(content) : null;
	if (bytes === null) throw malformed(tag, content);
	// A copy that is as long as its buffer.
	const buffer = Uint8Array.from(bytes).buffer;
	if (!known) return buffer;
	if (buffer.byteLength % known.BYTES_PER_ELEMENT !== 0) throw malformed(tag, content);
	return new known(buffer);
}

function malformed(tag: string, content: unknown): SyntaxError {
	const shown = JSON.stringify(content);
	return new SyntaxError(
		`${tag} cannot hold ${shown.length > 60 ? `${shown.slice(0, 60)}…` : shown}`,
	);
}
