import { inspect, isDeepStrictEqual } from "node:util";
import { expect } from "vitest";

/**
 * Deep equality with prototypes, where `toStrictEqual` is misled: it takes an own property named
 * `constructor` for the class of the value.
 */
export function expectSame(actual: unknown, expected: unknown): void {
	if (isDeepStrictEqual(actual, expected)) return;
	const show = (value: unknown) => inspect(value, { depth: null, showHidden: true });
	expect.fail(`expected ${show(actual)} to be the same as ${show(expected)}`);
}
