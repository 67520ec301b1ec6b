/** The JSON form of contract 1.8 to values. */
import { decodeBase64 } from "../base64.ts";
import { asMalformed, malformed } from "../errors/common.ts";
import { MAX_DEPTH } from "../unencodable.ts";

/** The value of a JSON text. Throws `message.malformed` and nothing else. */
export function decodeJson(text: string): unknown {
	try {
		const value: unknown = JSON.parse(text);
		// A tag is a string that begins with `$`; without one nothing can need a change. A level takes two characters.
		const mayNeedWork =
			text.length > 2 * MAX_DEPTH || text.includes('"$') || text.includes('"\\u0024');
		return mayNeedWork ? revive(value, 0) : value;
	} catch (error) {
		throw asMalformed(error);
	}
}

/** Replaces tagged arrays in place, children before parents. Throws for what is nested too deep. */
function revive(value: unknown, depth: number): unknown {
	if (typeof value !== "object" || value === null) return value;
	if (depth >= MAX_DEPTH) throw malformed(`nested deeper than ${MAX_DEPTH} levels`);
	if (Array.isArray(value)) {
		for (let i = 0; i < value.length; i++) {
			const item = value[i];
			if (typeof item === "object" && item !== null) value[i] = revive(item, depth + 1);
		}
		return value.length === 2 ? reviveTag(value) : value;
	}
	// Parsed objects own all their properties, `__proto__` included, so this never meets a setter.
	const record = value as Record<string, unknown>;
	for (const name of Object.keys(record)) {
		const item = record[name];
		if (typeof item === "object" && item !== null) record[name] = revive(item, depth + 1);
	}
	return record;
}

function reviveTag(pair: unknown[]): unknown {
	const [tag, content] = pair;
	if (typeof tag !== "string" || !tag.startsWith("$")) return pair;
	if (tag.startsWith("$$")) {
		pair[0] = tag.slice(1);
		return pair;
	}
	switch (tag) {
		case "$BigInt":
			return readBigint(tag, content);
		case "$Uint8Array":
			return readBytes(tag, content);
		case "$ArrayBuffer":
			return readBytes(tag, content).buffer;
		// The next two come from later releases, and from us to peers that announce themselves (8.2).
		case "$Undefined":
			if (content === 0) return undefined;
			throw unfit(tag);
		case "$Set":
			if (Array.isArray(content)) return new Set(content);
			throw unfit(tag);
		default:
			throw malformed(`unknown tag ${tag}`);
	}
}

function unfit(tag: string): Error {
	return malformed(`unfit content of ${tag}`);
}

function readBigint(tag: string, content: unknown): bigint {
	if (typeof content === "string" && /^-?\d+$/.test(content)) return BigInt(content);
	if (Number.isSafeInteger(content)) return BigInt(content as number);
	throw unfit(tag);
}

function readBytes(tag: string, content: unknown): Uint8Array {
	const bytes = typeof content === "string" ? decodeBase64(content) : null;
	if (bytes === null) throw unfit(tag);
	return bytes;
}
