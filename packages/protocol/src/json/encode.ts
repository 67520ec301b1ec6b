/**
 * Values to the JSON form of contract 1.8: JSON plus `["$BigInt", …]`, `["$ArrayBuffer", …]` and
 * `["$Uint8Array", …]`, with real arrays of that look escaped by one more `$`.
 */
import { encodeBase64 } from "../base64.ts";
import { defineOwn } from "../own-property.ts";
import { locateUnencodable, MAX_DEPTH } from "../unencodable.ts";

const UNENCODABLE = /* @__PURE__ */ Symbol("unencodable");

/** Put in place of a value: an `undefined` for peers that tell it from `null` (contract 8.2). */
export const TAGGED_UNDEFINED: readonly unknown[] = /* @__PURE__ */ Object.freeze([
	"$Undefined",
	0,
]);

/**
 * JSON text of a value; `undefined` becomes `null`. Functions, symbols, cycles and nesting over 1024
 * levels throw `EncodeError` with the path of the first one. An exception of a getter or of
 * `toJSON` passes through.
 */
export function encodeJson(value: unknown): string {
	let plain: unknown;
	try {
		plain = toPlain(value, "", 0);
	} catch (error) {
		throw error === UNENCODABLE ? locateUnencodable(value) : error;
	}
	// What is left is plain data: standard JSON, where NaN is null and undefined is left out.
	return JSON.stringify(plain) ?? "null";
}

/** The same value where JSON can carry it as it is; else a copy that it can. */
function toPlain(value: unknown, key: string, depth: number): unknown {
	switch (typeof value) {
		case "bigint":
			return ["$BigInt", value.toString()];
		case "function":
		case "symbol":
			throw UNENCODABLE;
		case "object":
			return value === null ? null : objectToPlain(value, key, depth);
		default:
			return value;
	}
}

function objectToPlain(value: object, key: string, depth: number): unknown {
	if (value === TAGGED_UNDEFINED) return value;
	if (depth >= MAX_DEPTH) throw UNENCODABLE;
	const prototype = Object.getPrototypeOf(value);
	const isData = prototype === Object.prototype || prototype === Array.prototype;
	if (!isData) {
		if (value instanceof ArrayBuffer) return ["$ArrayBuffer", encodeBase64(new Uint8Array(value))];
		// Also Node's Buffer, before its toJSON makes a list of numbers of it.
		if (value instanceof Uint8Array) return ["$Uint8Array", encodeBase64(value)];
		if (isBoxed(value)) return toPlain(value.valueOf(), key, depth);
	}
	if ("toJSON" in value && typeof value.toJSON === "function") {
		const replaced: unknown = value.toJSON(key);
		// An object that stands for itself is encoded as what it is.
		if (replaced !== value) return toPlain(replaced, key, depth + 1);
	}
	return Array.isArray(value)
		? arrayToPlain(value, depth)
		: recordToPlain(value as Record<string, unknown>, isData, depth);
}

function isBoxed(value: object): boolean {
	return (
		value instanceof Number ||
		value instanceof String ||
		value instanceof Boolean ||
		value instanceof BigInt
	);
}

function arrayToPlain(items: readonly unknown[], depth: number): unknown {
	let copy: unknown[] | undefined;
	for (let i = 0; i < items.length; i++) {
		const item = items[i];
		const plain = toPlain(item, String(i), depth + 1);
		if (plain === item && copy === undefined) continue;
		copy ??= items.slice(0, i);
		copy[i] = plain;
	}
	const plain = copy ?? items;
	const first = plain.length === 2 ? plain[0] : undefined;
	return typeof first === "string" && first.startsWith("$") ? [`$${first}`, plain[1]] : plain;
}

function recordToPlain(
	record: Record<string, unknown>,
	reusable: boolean,
	depth: number,
): Record<string, unknown> {
	const names = Object.keys(record);
	let copy: Record<string, unknown> | undefined = reusable ? undefined : {};
	for (let i = 0; i < names.length; i++) {
		const name = names[i] as string;
		const value = record[name];
		const plain = toPlain(value, name, depth + 1);
		if (plain === value && copy === undefined) continue;
		if (copy === undefined) {
			copy = {};
			for (const earlier of names.slice(0, i)) define(copy, earlier, record[earlier]);
		}
		define(copy, name, plain);
	}
	return copy ?? record;
}

function define(target: Record<string, unknown>, name: string, value: unknown): void {
	if (name !== "__proto__") target[name] = value;
	else defineOwn(target, name, value);
}
