import fc from "fast-check";
import { expect, it } from "vitest";
import { fromExactJson, toExactJson } from "../../src/cli/output/exact-json.ts";

const key = fc.string({ unit: fc.constantFrom("a", "$", "_", "é", "\u009b"), maxLength: 5 });

const { value } = fc.letrec<{ value: unknown }>((tie) => ({
	value: fc.oneof(
		{ depthSize: "small", withCrossShrink: true },
		fc.string(),
		fc.constantFrom("$BigInt", "$", "$$Map", "__proto__"),
		fc.double(),
		fc.integer(),
		fc.bigInt(),
		fc.boolean(),
		fc.constantFrom(null, undefined),
		fc.date({ noInvalidDate: false }),
		fc.uint8Array(),
		fc.float64Array(),
		fc.int16Array(),
		fc.array(tie("value"), { maxLength: 3 }),
		fc.dictionary(fc.oneof(key, fc.constant("__proto__")), tie("value"), {
			maxKeys: 3,
			noNullPrototype: true,
		}),
		fc.array(fc.tuple(key, tie("value")), { maxLength: 3 }).map((pairs) => new Map(pairs)),
		fc.array(tie("value"), { maxLength: 3 }).map((items) => new Set(items)),
	),
}));

it("any value reads back as it was", () => {
	fc.assert(
		fc.property(value, (original) => {
			expect(fromExactJson(toExactJson(original))).toStrictEqual(original);
		}),
	);
});

it("plain data is plain JSON", () => {
	const plain = { a: [1, "x", null, true], b: { c: ["$x"], d: ["$", 1, 2] } };
	expect(toExactJson(plain)).toBe(JSON.stringify(plain));
});

it("has the forms that the help shows", () => {
	expect(toExactJson({ n: 5n, at: new Date(0), bytes: Uint8Array.of(1), list: ["$x", 1] })).toBe(
		'{"n":["$BigInt","5"],"at":["$Date","1970-01-01T00:00:00.000Z"],"bytes":["$Uint8Array","AQ=="],"list":["$$x",1]}',
	);
	expect(toExactJson([/a/g, new RangeError("no"), -0, Number.NaN])).toBe(
		'[["$RegExp",["a","g"]],["$Error",["RangeError","no"]],["$Number","-0"],["$Number","NaN"]]',
	);
	const error = fromExactJson('["$Error",["RangeError","no"]]');
	expect(error).toMatchObject({ name: "RangeError", message: "no" });
	expect(fromExactJson('["$RegExp",["a","g"]]')).toEqual(/a/g);
});

it("no character of it can act on a terminal", () => {
	expect(toExactJson("\u001b[31m\u009b31m\u007f")).toBe('"\\u001b[31m\\u009b31m\\u007f"');
});

it.each([
	['["$Nothing",1]', "unknown tag $Nothing; a real list of this look begins with $$Nothing"],
	['["$BigInt","five"]', '$BigInt cannot hold "five"'],
	['["$Date","when"]', '$Date cannot hold "when"'],
	['["$Map",[1]]', "$Map cannot hold [1]"],
	['["$Number",5]', "$Number cannot hold 5"],
	['["$Uint8Array","%"]', '$Uint8Array cannot hold "%"'],
	['["$Float64Array","AQ=="]', '$Float64Array cannot hold "AQ=="'],
	['["$RegExp",["(",""]]', '$RegExp cannot hold ["(",""]'],
])("%s is refused in words", (text, message) => {
	expect(() => fromExactJson(text)).toThrow(new SyntaxError(message));
});
