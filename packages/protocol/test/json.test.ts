import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeHttpActionRequest, decodeJson, EncodeError, encodeJson } from "../src/index.ts";
import { jsonValue } from "./support/arbitraries.ts";
import { isMalformed, returnsOrIsMalformed } from "./support/malformed.ts";
import { expectSame } from "./support/same.ts";

const hi = new Uint8Array([0x68, 0x69]);

describe("every row of the table in 1.8, both directions", () => {
	it.each<[unknown, string]>([
		[7n, '["$BigInt","7"]'],
		[-7n, '["$BigInt","-7"]'],
		[hi, '["$Uint8Array","aGk="]'],
		[hi.slice().buffer, '["$ArrayBuffer","aGk="]'],
		[["$price", 3], '["$$price",3]'],
		[["$BigInt", "9"], '["$$BigInt","9"]'],
		[["$$", 1], '["$$$",1]'],
		[["$", null], '["$$",null]'],
		[["$k", 5n], '["$$k",["$BigInt","5"]]'],
		[["$only"], '["$only"]'],
		[["$a", "b", "c"], '["$a","b","c"]'],
		[[1, "$x"], '[1,"$x"]'],
		[{ $BigInt: "5" }, '{"$BigInt":"5"}'],
		[{ a: [[["$x", { b: 1n }]]] }, '{"a":[[["$$x",{"b":["$BigInt","1"]}]]]}'],
	])("%o is %s", (value, text) => {
		expect(encodeJson(value)).toBe(text);
		expectSame(decodeJson(text), value);
	});

	it.each(['["$foo",1]', '["$bigint","5"]', '["$",null]', '["$undefined",0]', '["$Map",[]]'])(
		"%s is malformed",
		(text) => {
			isMalformed(() => decodeJson(text));
			isMalformed(() => decodeJson(`{"deep":[${text}]}`));
			isMalformed(() => decodeJson(text.replace("$", "\\u0024")));
		},
	);
});

describe("the tags of later releases (8.2)", () => {
	it.each<[string, unknown]>([
		['["$Undefined",0]', undefined],
		['["$Set",[]]', new Set()],
		['["$Set",[1,["$BigInt","5"],["$Undefined",0]]]', new Set([1, 5n, undefined])],
	])("%s is decoded", (text, value) => {
		expectSame(decodeJson(text), value);
		expectSame(decodeJson(`{"deep":[${text},null,1]}`), { deep: [value, null, 1] });
	});

	it("values of their look are escaped", () => {
		for (const value of [
			["$Undefined", 0],
			["$Set", [1]],
		]) {
			expectSame(decodeJson(encodeJson(value)), value);
		}
	});

	it.each(['["$Undefined",1]', '["$Undefined",null]', '["$Set",0]', '["$Set",{}]'])(
		"%s is malformed",
		(text) => {
			isMalformed(() => decodeJson(text));
		},
	);
});

describe("decoding tolerates", () => {
	it.each<[string, string, unknown]>([
		["a JSON integer in $BigInt", '["$BigInt",5]', 5n],
		["missing padding", '["$Uint8Array","aGk"]', hi],
		["the URL-safe alphabet", '["$Uint8Array","-_8="]', new Uint8Array([0xfb, 0xff])],
		["an escaped dollar sign", '["\\u0024BigInt","5"]', 5n],
		["tags in the content of escaped arrays", '["$$x",["$BigInt","5"]]', ["$x", 5n]],
	])("%s", (_name, text, value) => {
		expectSame(decodeJson(text), value);
	});

	it("but not a stripped array being looked at again", () => {
		expectSame(decodeJson('[["$$BigInt","5"],0]'), [["$BigInt", "5"], 0]);
	});
});

describe("undecodable text is message.malformed", () => {
	it.each([
		"",
		"{",
		"nope",
		"[1,]",
		'["$BigInt","5.5"]',
		'["$BigInt",1.5]',
		'["$BigInt",1e300]',
		'["$BigInt",null]',
		'["$BigInt",["$BigInt","5"]]',
		'["$Uint8Array","a"]',
		'["$Uint8Array","a=="]',
		'["$Uint8Array","aG k="]',
		'["$Uint8Array","aé"]',
		'["$Uint8Array",7]',
	])("%s", (text) => {
		isMalformed(() => decodeJson(text));
	});

	it("so is nesting beyond the limit around a tag", () => {
		isMalformed(() => decodeJson(`${"[".repeat(5000)}["$BigInt","1"]${"]".repeat(5000)}`));
	});

	const levels = (count: number, open: string, close: string, inner = "") =>
		open.repeat(count) + inner + close.repeat(count);

	it.each<[string, string, string, string]>([
		["lists", "[", "]", ""],
		["objects", '{"a":', "}", "0"],
		["objects in lists", '[1,{"a":', "}]", "0"],
	])("so is nesting beyond the limit without a tag, in %s", (_name, open, close, inner) => {
		const perStep = open.includes("[") && open.includes("{") ? 2 : 1;
		const text = (count: number) => levels(count / perStep, open, close, inner);
		expect(JSON.stringify(decodeJson(text(1024)))).toBe(text(1024));
		isMalformed(() => decodeJson(text(1024 + perStep)));
		isMalformed(() => decodeJson(text(20_000)));
	});

	it("so is nesting beyond the limit in each way of reading a message, as in CBOR", () => {
		const text = `{"args":${levels(20_000, "[", "]")}}`;
		isMalformed(() => decodeHttpActionRequest("json", text));
		isMalformed(() => decodeHttpActionRequest("json", new TextEncoder().encode(text)));
	});
});

describe("encoding is standard JSON but for the tags (1.8, 1.9)", () => {
	it.each<[string, unknown, string]>([
		["undefined at the top is null", undefined, "null"],
		["undefined in an array is null", [undefined, 1], "[null,1]"],
		["holes are null", Object.assign([], { 1: 1 }), "[null,1]"],
		["keys with undefined are dropped", { a: undefined, b: 1 }, '{"b":1}'],
		["NaN and infinities are null", [Number.NaN, 1 / 0], "[null,null]"],
		["-0 is 0", -0, "0"],
		["dates are ISO text", new Date(0), '"1970-01-01T00:00:00.000Z"'],
		["invalid dates are null", [new Date(Number.NaN)], "[null]"],
		["maps and sets lose their contents", [new Map([[1, 2]]), new Set([1])], "[{},{}]"],
		["regular expressions and errors are empty", [/a/, new Error("x")], "[{},{}]"],
		["Buffer is bytes, not its toJSON (Q3)", Buffer.from("hi"), '["$Uint8Array","aGk="]'],
		["other typed arrays are keyed by index", new Uint16Array([7]), '{"0":7}'],
		[
			"toJSON is asked, with the key",
			{ k: { toJSON: (key: string) => [key, 1n] } },
			'{"k":["k",["$BigInt","1"]]}',
		],
		["what toJSON returns is escaped, too", { toJSON: () => ["$BigInt", "1"] }, '["$$BigInt","1"]'],
		["a tag made by toJSON is escaped", [{ toJSON: () => "$x" }, 1], '["$$x",1]'],
		["boxed values are their values", [Object("$x"), Object(1n)], '["$$x",["$BigInt","1"]]'],
		[
			"class instances are their properties",
			new (class {
				a = 1n;
			})(),
			'{"a":["$BigInt","1"]}',
		],
	])("%s", (_name, value, text) => {
		expect(encodeJson(value)).toBe(text);
	});

	it("own __proto__ properties stay own properties (ruling 24)", () => {
		const text = '{"__proto__":{"polluted":["$BigInt","1"]},"b":["$BigInt","2"]}';
		const value = decodeJson(text) as Record<string, unknown>;
		expect(Object.keys(value)).toEqual(["__proto__", "b"]);
		expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
		expect(value.polluted).toBeUndefined();
		expect(encodeJson(value)).toBe(text);
	});

	it("leaves the value as it was", () => {
		const value = Object.freeze({ a: Object.freeze(["$x", 1n]) });
		expect(encodeJson(value)).toBe('{"a":["$$x",["$BigInt","1"]]}');
		expectSame(value, { a: ["$x", 1n] });
	});

	it.each<[string, () => unknown, string]>([
		["functions", () => ({ a: [() => 1] }), ".a[0]"],
		["symbols", () => [Symbol("s")], "[0]"],
		[
			"cycles",
			() => {
				const cycle: { a: { self?: unknown } } = { a: {} };
				cycle.a.self = cycle;
				return cycle;
			},
			".a.self",
		],
	])("%s fail with their path", (_name, make, path) => {
		expect(() => encodeJson(make())).toThrow(EncodeError);
		expect(() => encodeJson(make())).toThrow(expect.objectContaining({ path }));
	});
});

describe("properties", () => {
	it("decode undoes encode", () => {
		fc.assert(
			fc.property(jsonValue, (value) => expectSame(decodeJson(encodeJson(value)), value)),
			{ numRuns: 1000 },
		);
	});

	it("what holds no tag is exactly what JSON.stringify writes", () => {
		fc.assert(
			fc.property(fc.jsonValue(), (value) => {
				const tagged = JSON.stringify(value).includes('["$');
				if (!tagged) expect(encodeJson(value)).toBe(JSON.stringify(value));
			}),
		);
	});

	it("random text and cut text decode or are malformed, nothing else", () => {
		const pieces = fc.constantFrom("[", "]", '"$BigInt"', ",", '"5"', '"$$"', "{", "}", ":", "1");
		fc.assert(
			fc.property(fc.array(pieces, { maxLength: 12 }), (parts) => {
				returnsOrIsMalformed(() => decodeJson(parts.join("")));
			}),
			{ numRuns: 3000 },
		);
		fc.assert(
			fc.property(jsonValue, fc.nat(), (value, at) => {
				const text = encodeJson(value);
				returnsOrIsMalformed(() => decodeJson(text.slice(0, at % text.length)));
			}),
		);
	});
});
