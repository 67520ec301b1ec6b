import type { StandardSchemaV1 } from "@standard-schema/spec";
import type { ErasedAction } from "./erased.ts";
import { isStandardSchema, listSchema } from "./standard-schema.ts";

/** One entry of an action map, after nested maps were followed. */
export type ActionEntry =
	| { readonly kind: "function"; readonly path: readonly string[]; readonly handler: unknown }
	| {
			readonly kind: "validated";
			readonly path: readonly string[];
			readonly handler: unknown;
			readonly input: StandardSchemaV1 | readonly StandardSchemaV1[];
	  }
	| { readonly kind: "invalid"; readonly path: readonly string[]; readonly value: unknown };

/**
 * All actions of a possibly nested map. An object is an action with validated input when it has an own
 * `input` that is a schema or a list of schemas, and an own function `handler`; any other plain object
 * is a nested map. A map inside itself is reported as invalid.
 */
export function* walkActions(
	actions: object,
	path: readonly string[] = [],
	ancestors: readonly object[] = [],
): Generator<ActionEntry> {
	const maps = [...ancestors, actions];
	for (const [key, value] of Object.entries(actions) as [string, unknown][]) {
		const here = [...path, key];
		if (typeof value === "function") {
			yield { kind: "function", path: here, handler: value };
		} else if (isValidated(value)) {
			yield { kind: "validated", path: here, handler: value.handler, input: value.input };
		} else if (isPlainObject(value) && !maps.includes(value)) {
			yield* walkActions(value, here, maps);
		} else {
			yield { kind: "invalid", path: here, value };
		}
	}
}

/** How an action is called on the wire: `users.add` for `{ users: { add } }` (api 21). */
export function wireName(path: readonly string[]): string {
	return path.join(".");
}

export function compileActions(actions: object): ReadonlyMap<string, ErasedAction> {
	const compiled = new Map<string, ErasedAction>();
	for (const entry of walkActions(actions)) {
		if (entry.kind === "invalid") continue;
		const handler = entry.handler as ErasedAction["handler"];
		compiled.set(
			wireName(entry.path),
			entry.kind === "function"
				? { handler, inputIsList: false }
				: {
						handler,
						inputIsList: Array.isArray(entry.input),
						inputSchema: isStandardSchema(entry.input) ? entry.input : listSchema(entry.input),
					},
		);
	}
	return compiled;
}

interface Validated {
	readonly input: StandardSchemaV1 | readonly StandardSchemaV1[];
	readonly handler: unknown;
}

function isValidated(value: unknown): value is Validated {
	if (!isPlainObject(value)) return false;
	if (!Object.hasOwn(value, "input") || !Object.hasOwn(value, "handler")) return false;
	const { input, handler } = value as Record<string, unknown>;
	if (typeof handler !== "function") return false;
	return isStandardSchema(input) || (Array.isArray(input) && input.every(isStandardSchema));
}

function isPlainObject(value: unknown): value is object {
	if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
	const prototype: unknown = Object.getPrototypeOf(value);
	// A module namespace (`import * as users from "./users.ts"`) has no prototype and is welcome.
	return prototype === null || prototype === Object.prototype;
}
