import { nodeOf } from "./node-of.ts";
import { valueKind } from "./value-kind.ts";

/** More than any codec takes. */
const LEVELS_MAX = 1_024;

/**
 * `value` without proxies, for code that reads a lot (encoders): a proxy becomes its raw object, plain
 * containers with proxies in them are copied, everything else is returned as it is. Looks into plain
 * objects, arrays, maps and sets that users built around state; never copies state itself.
 */
export function untracked(value: unknown): unknown {
	return strip(value, new Set());
}

function strip(value: unknown, open: Set<object>): unknown {
	if (typeof value !== "object" || value === null) return value;
	const node = nodeOf(value);
	if (node !== undefined) return node.raw;
	// Cycles and bottomless values are the encoder's to report.
	if (open.has(value) || open.size > LEVELS_MAX) return value;
	open.add(value);
	const stripped = stripMembers(value, open);
	open.delete(value);
	return stripped;
}

function stripMembers(value: object, open: Set<object>): object {
	if (Array.isArray(value)) {
		let copy: unknown[] | undefined;
		for (let index = 0; index < value.length; index++) {
			const stripped = strip(value[index], open);
			if (stripped === value[index]) continue;
			copy ??= value.slice();
			copy[index] = stripped;
		}
		return copy ?? value;
	}
	if (value instanceof Map) {
		const entries = Array.from(value, ([key, member]) => [strip(key, open), strip(member, open)]);
		const original = [...value];
		const isSame = entries.every(
			([key, member], index) => key === original[index]![0] && member === original[index]![1],
		);
		return isSame ? value : new Map(entries as [unknown, unknown][]);
	}
	if (value instanceof Set) {
		const members = Array.from(value, (member) => strip(member, open));
		const original = [...value];
		return members.every((member, index) => member === original[index]) ? value : new Set(members);
	}
	const kind = valueKind(value);
	if (kind !== "object" && kind !== "instance") return value;
	let copy: object | undefined;
	for (const key of Object.keys(value)) {
		const member: unknown = Reflect.get(value, key);
		const stripped = strip(member, open);
		if (stripped === member) continue;
		copy ??= { ...value };
		Object.defineProperty(copy, key, { value: stripped });
	}
	return copy ?? value;
}
