import type { AnyActorOptions } from "./types.ts";

/** JSON of name, key, params and `noCreate` (contract: api 17), with the members of objects in one order. */
export function defaultHash({ name, key, params, noCreate }: AnyActorOptions): string {
	const parts = {
		name,
		key: typeof key === "string" ? [key] : key,
		params,
		noCreate: noCreate ?? false,
	};
	return JSON.stringify(parts, inOneOrder);
}

function inOneOrder(_key: string, value: unknown): unknown {
	if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
	return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}
