import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isSameValue } from "../src/app/values/equal.ts";
import { NotationError, parseList, parseValue } from "../src/app/values/parse.ts";
import { printShort, printValue } from "../src/app/values/print.ts";

/** Anything a state can hold. */
const { value } = fc.letrec<{ value: unknown; leaf: unknown }>((tie) => ({
	leaf: fc.oneof(
		fc.constantFrom(null, undefined, true, false, Number.NaN, -0, Number.POSITIVE_INFINITY),
		fc.double(),
		fc.integer(),
		fc.bigInt(),
		fc.string({ unit: "binary" }),
		fc.date({ noInvalidDate: false }),
		fc.uint8Array(),
		fc.float32Array({ maxLength: 4 }),
		fc.constant(/a\/b"c/giu),
		fc.constant(Object.assign(new Error('not "so"'), { name: "Refused" })),
	),
	value: fc.oneof(
		{ maxDepth: 4, depthSize: "small" },
		tie("leaf"),
		fc.array(tie("value"), { maxLength: 5 }),
		fc.dictionary(fc.string({ unit: "binary" }), tie("value"), { maxKeys: 5 }),
		fc
			.array(fc.tuple(fc.oneof(fc.string(), fc.integer(), fc.bigInt()), tie("value")), {
				maxLength: 4,
			})
			.map((entries) => new Map(entries)),
		fc.array(fc.oneof(fc.string(), fc.integer()), { maxLength: 4 }).map((items) => new Set(items)),
	),
}));

describe("the notation of values", () => {
	it("says everything a state can hold, and is read back as it was", () => {
		fc.assert(
			fc.property(value, (one) => {
				expect(isSameValue(parseValue(printValue(one)), one)).toBe(true);
			}),
		);
	});

	it("reads JSON", () => {
		fc.assert(
			fc.property(fc.json(), (text) => {
				expect(isSameValue(parseValue(text), JSON.parse(text))).toBe(true);
			}),
		);
	});

	it("is as people write it", () => {
		expect(parseValue("{ a: 1, 'b-c': [true, 12n,], }")).toEqual({ a: 1, "b-c": [true, 12n] });
		expect(parseValue("'it\\'s \"so\"'")).toBe('it\'s "so"');
		expect(parseValue('Date("2026-01-31")')).toEqual(new Date("2026-01-31"));
		expect(parseValue("{ __proto__: 1 }")).toSatisfy((made: object) =>
			Object.hasOwn(made, "__proto__"),
		);
		expect(parseList(' 1, "two", { three: 3 } ')).toEqual([1, "two", { three: 3 }]);
		expect(parseList("  ")).toEqual([]);
	});

	it.each([
		["", "a value is missing"],
		["{ a: }", '"}" begins no value'],
		["{ a: 1\n  b: 2 }", 'Line 2, column 3: "}" is missing'],
		["{ a: 1, a: 2 }", '"a" is there already'],
		["hello", '"hello" is no value; write texts in quotes'],
		["01x", '"01x" is not a number'],
		['"open', "the text has no end"],
		['Date("soon")', "Date takes a time"],
		['Bytes("%")', "Bytes takes base64"],
		["Map([1])", "Map takes a list of pairs"],
		["toString()", "there is nothing called toString"],
		["[1] 2", '"2" is not expected here'],
		["[".repeat(10_000), "levels deep"],
	])("says what is wrong with %j", (text, problem) => {
		expect(() => parseValue(text)).toThrow(NotationError);
		expect(() => parseValue(text)).toThrow(problem);
	});

	it("is cut to what one line shows, however large the value is", () => {
		const large = { list: Array.from({ length: 100_000 }, (_, index) => ({ index })) };
		const startMs = performance.now();
		const text = printShort(large, 80);
		expect(text.length).toBeLessThanOrEqual(80);
		expect(text).toMatch(/^\{ list: \[\{ index: 0 \}, /);
		// A value of a megabyte is printed whole in far more than this.
		expect(performance.now() - startMs).toBeLessThan(5_000);
	});
});

describe("equality of values", () => {
	it.each([
		[new Map([["a", 1]]), new Map([["a", 2]])],
		[new Set([1]), new Set([2])],
		[new Date(1), new Date(2)],
		[new Uint8Array([1]), new Uint8Array([2])],
		[{ a: [1, { b: 2 }] }, { a: [1, { b: 3 }] }],
		[1, 1n],
		["1", 1],
		[{ a: undefined }, {}],
		[[], {}],
	])("tells %o from %o", (a, b) => {
		expect(isSameValue(a, b)).toBe(false);
		expect(isSameValue(b, a)).toBe(false);
	});
});
