import { encodeBase64 } from "@rivetkit/protocol";

/**
 * A value as plain JSON: big numbers as text, bytes as base64, sets as lists, maps as objects or pairs,
 * regular expressions as text.
 */
export function plainJson(value: unknown): unknown {
	switch (typeof value) {
		case "bigint":
			return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
		case "undefined":
			return null;
		case "number":
			return Number.isFinite(value) ? value : String(value);
		case "object":
			return value === null ? null : plainObject(value);
		default:
			return value;
	}
}

function plainObject(value: object): unknown {
	if (value instanceof Uint8Array) return encodeBase64(value);
	if (value instanceof Date) return Number.isNaN(value.getTime()) ? null : value.toISOString();
	if (value instanceof RegExp) return String(value);
	if (value instanceof Error) return { name: value.name, message: value.message };
	if (value instanceof Set) return [...value].map(plainJson);
	if (value instanceof Map) {
		const entries = [...value].map(([key, member]) => [plainJson(key), plainJson(member)]);
		const isNamed = entries.every(([key]) => typeof key === "string");
		return isNamed ? Object.fromEntries(entries) : entries;
	}
	if (Array.isArray(value) || ArrayBuffer.isView(value)) {
		return Array.from(value as unknown as ArrayLike<unknown>, plainJson);
	}
	return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, plainJson(member)]));
}
