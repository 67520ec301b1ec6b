import { rawOf } from "./node-of.ts";
import { type Bytes, valueKind } from "./value-kind.ts";

/**
 * A deep, untracked copy of a storable value, as it would come back from storage: user classes
 * become plain objects, shared parts are copied once for each place. Expects no cycles.
 */
export function cloneStorable<T>(value: T): T;
export function cloneStorable(value: unknown): unknown {
	if (typeof value !== "object" || value === null) return value;
	const raw = rawOf(value) as object;
	const kind = valueKind(raw);
	switch (kind) {
		case "array":
			return Array.from(raw as unknown[], (member) => cloneStorable(member));
		case "object":
		case "instance":
			return cloneProperties(raw);
		case "map":
			return new Map(
				Array.from(raw as Map<unknown, unknown>, ([key, member]) => [
					cloneStorable(key),
					cloneStorable(member),
				]),
			);
		case "set":
			return new Set(Array.from(raw as Set<unknown>, (member) => cloneStorable(member)));
		case "date":
			return new Date((raw as Date).getTime());
		case "bytes":
			return (raw as Bytes).slice();
		case "regexp":
		case "error":
			return structuredClone(raw);
		case "unstorable":
			return raw;
		default:
			return kind satisfies never;
	}
}

function cloneProperties(raw: object): object {
	const copy = {};
	for (const key of Object.keys(raw)) {
		// Defined, not assigned: an own `__proto__` stays an own property.
		Object.defineProperty(copy, key, {
			value: cloneStorable(Reflect.get(raw, key) as unknown),
			writable: true,
			enumerable: true,
			configurable: true,
		});
	}
	return copy;
}
