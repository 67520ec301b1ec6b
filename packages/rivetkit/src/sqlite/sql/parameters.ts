import { catalogueError, viewBytes } from "@rivetkit/protocol";
import type { Bindings, SqlValue } from "../engine/engine.ts";
import type { Parameters } from "./statements.ts";

const INT64_MIN = -(2n ** 63n);
const INT64_MAX = 2n ** 63n - 1n;

const NONE: Bindings = [];

/**
 * Turns what a user passed into what an engine binds (api 11.1). Throws `database.invalid_parameter`,
 * which names the parameter, when a value cannot be stored or a parameter is missing or unknown.
 *
 * `given` may be changed: it is the caller's rest parameter.
 *
 * @param floats - a bit for each parameter whose integers need not be bound as such
 */
export function toBindings(parameters: Parameters, given: unknown[], floats = 0): Bindings {
	const { positional, names, mixed } = parameters;
	if (mixed) refuse("?", "a statement has ? or ?1 or named parameters, not several kinds");
	if (names.length > 0) return namedBindings(names, given);
	if (given.length !== positional) refuseCount(positional, given);
	if (positional === 0) return NONE;
	for (let index = 0; index < positional; index++) {
		const value = given[index];
		if (typeof value === "string") continue;
		if (typeof value === "number" && (floats >> index) & 1) continue;
		given[index] = toSqlValue(value, index + 1);
	}
	return given as SqlValue[];
}

function namedBindings(names: readonly string[], given: readonly unknown[]): Bindings {
	const [values] = given;
	if (given.length !== 1 || !isPlainObject(values)) {
		refuse(names[0]!, "named parameters take one plain object");
	}
	const bound: Record<string, SqlValue> = {};
	const left = new Set(Object.keys(values));
	for (const name of names) {
		// With or without its prefix; an own property either way.
		const key = [name.slice(1), name].find((candidate) => Object.hasOwn(values, candidate));
		if (key === undefined) refuse(name, "it is missing from the given object");
		left.delete(key);
		bound[name] = toSqlValue(values[key], name);
	}
	for (const key of left) refuse(key, "the statement has no parameter of this name");
	return bound;
}

function refuseCount(positional: number, given: readonly unknown[]): never {
	if (positional === 0) refuse(1, "the statement has no parameters");
	throw catalogueError("database.invalid_parameter", {
		parameter: Math.min(positional, given.length) + 1,
		reason: `the statement has ${positional} parameters, ${given.length} values were given`,
	});
}

/** `where` is the index (from 1) or the name of the parameter. */
function toSqlValue(value: unknown, where: number | string): SqlValue {
	switch (typeof value) {
		case "string":
			return value;
		case "number":
			// As an integer where it is one: bound as a float, 5 would be "5.0" in a column of text.
			return Number.isSafeInteger(value) ? BigInt(value) : value;
		case "boolean":
			return value ? 1n : 0n;
		case "bigint":
			if (value < INT64_MIN || value > INT64_MAX) refuse(where, `${value} is beyond 64 bits`);
			return value;
		case "object":
			return value === null ? null : objectToSqlValue(value, where);
		default:
			return refuse(where, `a value of type ${typeof value} cannot be stored`);
	}
}

function objectToSqlValue(value: object, where: number | string): SqlValue {
	if (value instanceof Date) {
		if (Number.isNaN(value.getTime())) refuse(where, "the date is invalid");
		return value.toISOString();
	}
	const bytes = viewBytes(value);
	if (bytes !== undefined) return bytes;
	if (Array.isArray(value)) {
		if (value.every((byte) => Number.isInteger(byte) && byte >= 0 && byte <= 255)) {
			return Uint8Array.from(value as number[]);
		}
		refuse(where, "a list stands for bytes, and this one holds other values");
	}
	return refuse(where, "objects cannot be stored; write JSON.stringify(value)");
}

function isPlainObject(value: unknown): value is Record<string, unknown> {
	if (typeof value !== "object" || value === null) return false;
	const prototype: unknown = Object.getPrototypeOf(value);
	return prototype === null || prototype === Object.prototype;
}

function refuse(parameter: number | string, reason: string): never {
	throw catalogueError("database.invalid_parameter", { parameter, reason });
}
