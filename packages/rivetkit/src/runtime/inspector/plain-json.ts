import { encodeBase64, encodeJson } from "@rivetkit/protocol";
import { untracked } from "../state/index.ts";

/** What values may have, and an answer around them. */
const LEVELS_MAX = 1_024 + 16;
const UNENCODABLE = Symbol("unencodable");

/**
 * A value as plain JSON, for people and scripts (contract: protocol 7.2): bigints as decimal text, dates as
 * ISO text, bytes as base64, sets and typed arrays as lists, maps as objects, or as lists of pairs when a
 * key is no text; regular expressions as text, errors as `{ name, message }`. What is more exact is there in
 * CBOR. Throws an `EncodeError` with the path of a function, a symbol or a cycle, and a `RangeError` for more levels
 * than `levelsMax`.
 */
export function toPlainJson(value: unknown, levelsMax = LEVELS_MAX): string {
	const stripped = untracked(value);
	try {
		return JSON.stringify(plain(stripped, levelsMax)) ?? "null";
	} catch (error) {
		if (error !== UNENCODABLE) throw error;
		// Finds the place, and says it.
		encodeJson(stripped);
		throw new RangeError(`A value is nested over ${levelsMax} levels deep`);
	}
}

function plain(value: unknown, levelsLeft: number): unknown {
	switch (typeof value) {
		case "bigint":
			return value.toString();
		case "function":
		case "symbol":
			throw UNENCODABLE;
		case "object":
			return value === null ? null : plainObject(value, levelsLeft);
		default:
			return value;
	}
}

function plainObject(value: object, levelsLeft: number): unknown {
	if (levelsLeft <= 0) throw UNENCODABLE;
	const inner = (member: unknown) => plain(member, levelsLeft - 1);
	if (Array.isArray(value)) return Array.from(value, inner);
	if (value instanceof Date) return value;
	if (value instanceof Map) return plainMap(value, inner);
	if (value instanceof Set) return Array.from(value, inner);
	if (value instanceof ArrayBuffer) return encodeBase64(new Uint8Array(value));
	if (value instanceof Uint8Array) return encodeBase64(value);
	if (ArrayBuffer.isView(value)) return plainView(value, inner);
	if (value instanceof RegExp) return String(value);
	if (value instanceof Error) return { name: value.name, message: value.message };
	if ("toJSON" in value && typeof value.toJSON === "function") {
		const replaced: unknown = value.toJSON();
		if (replaced !== value) return inner(replaced);
	}
	const record: Record<string, unknown> = Object.create(null);
	for (const [name, member] of Object.entries(value)) record[name] = inner(member);
	return record;
}

function plainMap(map: ReadonlyMap<unknown, unknown>, inner: (member: unknown) => unknown) {
	const entries = [...map];
	if (!entries.every(([key]) => typeof key === "string")) {
		return entries.map(([key, member]) => [inner(key), inner(member)]);
	}
	const record: Record<string, unknown> = Object.create(null);
	for (const [key, member] of entries) record[key as string] = inner(member);
	return record;
}

function plainView(view: ArrayBufferView, inner: (member: unknown) => unknown): unknown {
	if (view instanceof DataView) {
		return encodeBase64(new Uint8Array(view.buffer, view.byteOffset, view.byteLength));
	}
	return Array.from(view as unknown as Iterable<unknown>, inner);
}
