import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { copyInitial } from "../../src/runtime/instance/initial-value.ts";

describe("the copy of an initial value", () => {
	it("is what structuredClone gives, whatever the value", () => {
		const value = fc.anything({
			withBigInt: true,
			withDate: true,
			withMap: true,
			withNullPrototype: true,
			withSet: true,
			withTypedArray: true,
		});
		fc.assert(
			fc.property(fc.oneof(value, fc.dictionary(fc.string(), value)), (original) => {
				const copy = copyInitial(original);
				expect(copy).toStrictEqual(structuredClone(original));
				if (typeof original === "object" && original !== null) expect(copy).not.toBe(original);
			}),
			{ numRuns: 500 },
		);
	});

	it.each([
		["a function", { f: () => {} }],
		["a symbol", { s: Symbol("s") }],
	])("refuses %s, as structuredClone does", (_what, value) => {
		expect(() => copyInitial(value)).toThrow(DOMException);
	});

	it("keeps an own __proto__ as data, and leaves accessors and symbols behind", () => {
		const odd = JSON.parse('{"__proto__": 1, "a": 2}');
		expect(Object.keys(copyInitial(odd))).toEqual(["__proto__", "a"]);
		const computed = {
			get n() {
				return 3;
			},
			[Symbol("s")]: 4,
		};
		const copy = copyInitial(computed);
		expect(Object.getOwnPropertyDescriptor(copy, "n")).toMatchObject({ value: 3, writable: true });
		expect(Object.getOwnPropertySymbols(copy)).toEqual([]);
	});
});
