/**
 * A copy of what a definition declares as its initial value, the same as `structuredClone` gives. That
 * costs microseconds even for a counter, so an object of nothing but primitives is copied here.
 */
export function copyInitial<T>(value: T): T {
	return isFlat(value) ? { ...value } : structuredClone(value);
}

function isFlat(value: unknown): boolean {
	if (typeof value !== "object" || value === null) return false;
	if (Object.getPrototypeOf(value) !== Object.prototype) return false;
	if (Object.getOwnPropertySymbols(value).length > 0) return false;
	for (const key of Object.keys(value)) {
		if (!isPrimitive((value as Record<string, unknown>)[key])) return false;
	}
	return true;
}

function isPrimitive(value: unknown): boolean {
	return value === null || !["object", "function", "symbol"].includes(typeof value);
}
