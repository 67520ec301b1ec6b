import { EncodeError, NestedTooDeep } from "./encode-error.ts";

/** Deepest nesting of values, in arrays, objects, maps, sets and tags, both ways. */
export const MAX_DEPTH = 1024;

/**
 * Finds what made an encoder give up: the first function, symbol, cycle, unknown kind of bytes or
 * too deep nesting, in the order in which values are encoded.
 */
export function locateUnencodable(value: unknown): EncodeError {
	return find(value, "", new Set()) ?? new EncodeError("", "it changed while it was being encoded");
}

function find(value: unknown, path: string, ancestors: Set<object>): EncodeError | undefined {
	if (typeof value === "function" || typeof value === "symbol") {
		return new EncodeError(path, `${typeof value}s cannot be encoded`);
	}
	if (typeof value !== "object" || value === null) return undefined;
	if (ancestors.has(value)) return new EncodeError(path, "it contains itself");
	if (ancestors.size >= MAX_DEPTH) return new NestedTooDeep(path, MAX_DEPTH);
	if (ArrayBuffer.isView(value)) {
		const name = value.constructor.name;
		return name === "Float16Array"
			? new EncodeError(path, `${name}s cannot be encoded`)
			: undefined;
	}
	ancestors.add(value);
	for (const [step, item] of children(value)) {
		const found = find(item, path + step, ancestors);
		if (found) return found;
	}
	ancestors.delete(value);
	return undefined;
}

function* children(value: object): Generator<[step: string, item: unknown]> {
	if (Array.isArray(value) || value instanceof Set) {
		let index = 0;
		for (const item of value) yield [`[${index++}]`, item];
	} else if (value instanceof Map) {
		let index = 0;
		for (const [key, item] of value) {
			yield [`.keys()[${index++}]`, key];
			yield [typeof key === "string" ? `.get(${JSON.stringify(key)})` : `.get(…)`, item];
		}
	} else if (!(value instanceof Date || value instanceof RegExp || value instanceof Error)) {
		for (const [name, item] of Object.entries(value)) {
			yield [
				/^[\p{L}_$][\p{L}\p{N}_$]*$/u.test(name) ? `.${name}` : `[${JSON.stringify(name)}]`,
				item,
			];
		}
	}
}
