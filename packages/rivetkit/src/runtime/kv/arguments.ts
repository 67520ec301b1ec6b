import { catalogueError } from "@rivetkit/protocol";
import type { KvKeyType, KvListOptions, KvValueType } from "../../actor/kv.types.ts";
import { untracked } from "../state/index.ts";
import { earlierEnd, endOfPrefix, idOfBytes, idOfText, type KeyId } from "./keys.ts";
import { BOUND_BYTES_MAX, KEY_BYTES_MAX, KEYS_PER_CALL_MAX, VALUE_BYTES_MAX } from "./limits.ts";
import type { IdRange } from "./range-set.ts";
import { describe, type Entry, entryOf, isUint8Array } from "./values.ts";

/** What users pass to `c.kv`, checked. Everything here throws `TypeError` or a `kv.*` error. */

export function keyId(key: unknown): KeyId {
	return boundId(key, KEY_BYTES_MAX);
}

export function keyIds(keys: unknown): KeyId[] {
	return list(keys, "keys").map(keyId);
}

export function valueEntry(value: unknown, type: KvValueType | undefined): Entry {
	const entry = entryOf(value, type);
	if (entry.size > VALUE_BYTES_MAX) {
		throw catalogueError("kv.value_too_large", { size: entry.size, limit: VALUE_BYTES_MAX });
	}
	return entry;
}

export function valueEntries(
	entries: unknown,
	type: KvValueType | undefined,
): [id: KeyId, entry: Entry][] {
	return list(entries, "entries").map((pair) => {
		if (!Array.isArray(pair) || pair.length !== 2) {
			throw new TypeError(`An entry of c.kv.putBatch is [key, value], not ${describe(pair)}`);
		}
		return [keyId(pair[0]), valueEntry(pair[1], type)];
	});
}

const VALUE_TYPES: ReadonlySet<unknown> = new Set(["text", "binary", "arrayBuffer"]);

/** The `type` of some options; undefined when it is not given. */
export function typeOption(options: unknown): KvValueType | undefined {
	if (options === undefined) return undefined;
	const { type } = optionsObject(options);
	if (type !== undefined && !VALUE_TYPES.has(type)) {
		throw new TypeError(`type must be "text", "binary" or "arrayBuffer", not ${String(type)}`);
	}
	return type as KvValueType | undefined;
}

/** Which entries `list` is to return, and in which order. */
export interface ListQuery {
	readonly range: IdRange;
	readonly keyType: KvKeyType;
	readonly limit: number;
	readonly reverse: boolean;
}

export function listQuery(prefix: unknown, options: unknown = {}): ListQuery {
	const {
		keyType = "text",
		limit = Number.POSITIVE_INFINITY,
		reverse = false,
		start,
		end,
	} = optionsObject(options) as KvListOptions<KvValueType, KvKeyType>;
	if (keyType !== "text" && keyType !== "binary") {
		throw new TypeError(`keyType must be "text" or "binary", not ${String(keyType)}`);
	}
	if (keyType === "binary" && typeof prefix === "string") {
		throw new TypeError('With keyType "binary" the prefix must be a Uint8Array, not a string');
	}
	if (typeof reverse !== "boolean") {
		throw new TypeError(`reverse must be true or false, not ${String(reverse)}`);
	}
	if (!(Number.isInteger(limit) || limit === Number.POSITIVE_INFINITY) || limit < 0) {
		throw new TypeError(`limit must be a whole number >= 0 or Infinity, not ${String(limit)}`);
	}
	const begin = prefix === undefined ? "" : boundId(prefix, KEY_BYTES_MAX);
	const from = start === undefined ? begin : boundId(start, BOUND_BYTES_MAX);
	const until = end === undefined ? null : boundId(end, BOUND_BYTES_MAX);
	return {
		range: { start: from > begin ? from : begin, end: earlierEnd(until, endOfPrefix(begin)) },
		keyType,
		limit,
		reverse,
	};
}

/** A key, or a bound of a range. */
export function boundId(key: unknown, limit: number = BOUND_BYTES_MAX): KeyId {
	let id: KeyId;
	if (typeof key === "string") {
		id = idOfText(key);
		if (id !== key && /\p{Surrogate}/u.test(key)) {
			throw new TypeError("A key of c.kv must be well-formed: this one has a lone surrogate");
		}
	} else {
		const bytes = untracked(key);
		if (!isUint8Array(bytes)) {
			throw new TypeError(`A key of c.kv is a string or a Uint8Array, not ${describe(key)}`);
		}
		id = idOfBytes(bytes);
	}
	if (id.length > limit) throw catalogueError("kv.key_too_large", { size: id.length, limit });
	return id;
}

function list(values: unknown, what: string): readonly unknown[] {
	const array = untracked(values);
	if (!Array.isArray(array)) {
		throw new TypeError(`The ${what} must be an array, not ${describe(values)}`);
	}
	if (array.length > KEYS_PER_CALL_MAX) {
		throw catalogueError("kv.too_many_keys", { size: array.length, limit: KEYS_PER_CALL_MAX });
	}
	return array;
}

function optionsObject(options: unknown): Readonly<Record<string, unknown>> {
	if (typeof options === "object" && options !== null) return options as Record<string, unknown>;
	throw new TypeError(`The options of a c.kv method are an object, not ${describe(options)}`);
}
