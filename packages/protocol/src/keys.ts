/** Names and keys of actors and the one text form of a key (contract 4.7). */
import { invalidRequest } from "./errors/common.ts";
import { countLimitHit } from "./errors/limit-hits.ts";
import { hasLoneSurrogate, utf8Length } from "./utf8.ts";

/** Longest actor name, in characters (code points). */
export const ACTOR_NAME_CHARS_MAX = 64;
/** Longest component of a key, in UTF-8 bytes. */
export const KEY_PART_BYTES_MAX = 128;
/** Longest serialized key, in UTF-8 bytes. */
export const KEY_BYTES_MAX = 1024;

/** The text form of a key: `[]` is `/`, `["a","","x/y"]` is `a/\0/x\/y`. */
export function serializeKey(key: readonly string[]): string {
	if (key.length === 0) return "/";
	return key
		.map((part) => (part === "" ? "\\0" : part.replaceAll("\\", "\\\\").replaceAll("/", "\\/")))
		.join("/");
}

/** Reads any text as a key; never fails. Absent, `""` and `/` are the empty key. */
export function parseKey(text: string | null | undefined): string[] {
	if (text === null || text === undefined || text === "" || text === "/") return [];
	if (!text.includes("\\")) return text.split("/");
	const key: string[] = [];
	let part = "";
	for (let i = 0; i < text.length; i++) {
		const char = text[i] as string;
		if (char === "/") {
			key.push(part);
			part = "";
		} else if (char !== "\\" || i + 1 === text.length) {
			part += char;
		} else {
			const escaped = text[++i] as string;
			part = escaped === "0" ? "" : part + escaped;
		}
	}
	key.push(part);
	return key;
}

/**
 * The key as a list of its own: a string is one component, nothing is the empty key. Throws
 * `request.invalid` for anything but strings, and for text that UTF-8 cannot tell apart.
 */
export function normalizeKey(key: string | readonly string[] = []): string[] {
	const parts = typeof key === "string" ? [key] : key;
	if (!Array.isArray(parts)) throw invalidRequest("an actor key is a string or a list of strings");
	return parts.map((part: unknown, index) => {
		if (typeof part !== "string") throw unusable(index, `a string but ${describe(part)}`);
		if (hasLoneSurrogate(part)) throw unusable(index, WELL_FORMED);
		return part;
	});
}

const WELL_FORMED = "well-formed Unicode";

function unusable(index: number, what: string) {
	return invalidRequest(`actor key component ${index} is not ${what}`);
}

/** Throws `request.invalid` unless the name has 1 to 64 characters. */
export function checkActorName(name: string): void {
	if (typeof name !== "string") throw invalidRequest("the actor name is not a string");
	const chars = name.length > ACTOR_NAME_CHARS_MAX ? [...name].length : name.length;
	if (chars === 0 || chars > ACTOR_NAME_CHARS_MAX) {
		throw invalidRequest(
			`an actor name has 1 to ${ACTOR_NAME_CHARS_MAX} characters, this one has ${chars}`,
		);
	}
	if (hasLoneSurrogate(name)) throw invalidRequest("the actor name is not well-formed Unicode");
}

/**
 * Throws `request.invalid`, naming the limit, when a component has more than 128 bytes or the
 * serialized key more than 1024, or when it has text that UTF-8 cannot tell apart.
 */
export function checkKey(key: readonly string[]): void {
	for (const [index, part] of key.entries()) {
		const bytes = utf8Length(part);
		if (bytes > KEY_PART_BYTES_MAX) {
			throw tooLarge(`actor key component ${index}`, bytes, KEY_PART_BYTES_MAX);
		}
		if (hasLoneSurrogate(part)) throw unusable(index, WELL_FORMED);
	}
	const bytes = utf8Length(serializeKey(key));
	if (bytes > KEY_BYTES_MAX) {
		throw tooLarge("the serialized actor key", bytes, KEY_BYTES_MAX);
	}
}

/** Ruling 23 has it as an invalid request; it is a limit that was hit all the same. */
function tooLarge(what: string, bytes: number, limit: number): Error {
	countLimitHit("actor.key_too_large");
	return invalidRequest(`${what} has ${bytes} bytes, the limit is ${limit}`);
}

function describe(value: unknown): string {
	return value === null ? "null" : typeof value;
}
