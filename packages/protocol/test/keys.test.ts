import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { checkActorName, checkKey, normalizeKey, parseKey, serializeKey } from "../src/index.ts";

const invalid = (message: RegExp) =>
	expect.objectContaining({
		group: "request",
		code: "invalid",
		statusCode: 400,
		public: true,
		message: expect.stringMatching(message),
	});

describe("serialized keys (4.7)", () => {
	const part = fc.oneof(
		fc.string(),
		fc.string({ unit: fc.constantFrom("\\", "/", "0", "a"), maxLength: 6 }),
		fc.string({ unit: "binary", maxLength: 10 }),
	);

	it("come back, whatever is in them", () => {
		fc.assert(
			fc.property(fc.array(part, { maxLength: 6 }), (key) => {
				expect(parseKey(serializeKey(key))).toEqual(key);
			}),
			{ numRuns: 2000 },
		);
	});

	it("are the same only for the same key", () => {
		fc.assert(
			fc.property(fc.array(part, { maxLength: 3 }), fc.array(part, { maxLength: 3 }), (a, b) => {
				const same = JSON.stringify(a) === JSON.stringify(b);
				expect(serializeKey(a) === serializeKey(b)).toBe(same);
			}),
		);
	});

	it("absent ones are the empty key", () => {
		for (const absent of [undefined, null, "", "/"]) expect(parseKey(absent)).toEqual([]);
	});
});

describe("normalizeKey", () => {
	it("makes a list of its own", () => {
		const key = ["a", "b"];
		expect(normalizeKey(key)).toEqual(key);
		expect(normalizeKey(key)).not.toBe(key);
		expect(normalizeKey("a/b")).toEqual(["a/b"]);
		expect(normalizeKey("")).toEqual([""]);
		expect(normalizeKey(undefined)).toEqual([]);
	});

	it("refuses anything but strings, saying where", () => {
		const wrong = (value: unknown) => () => normalizeKey(value as string);
		expect(wrong(["a", 1])).toThrow(invalid(/component 1 is not a string but number/));
		expect(wrong([null])).toThrow(invalid(/component 0 is not a string but null/));
		expect(wrong(7)).toThrow(invalid(/a string or a list of strings/));
		expect(wrong({ length: 1 })).toThrow(invalid(/a string or a list of strings/));
		expect(wrong(["ok", "\ud800"])).toThrow(invalid(/component 1 is not well-formed Unicode/));
		expect(wrong("\udc00x")).toThrow(invalid(/component 0 is not well-formed Unicode/));
		expect(normalizeKey("\ud83d\ude00")).toEqual(["\ud83d\ude00"]);
	});
});

describe("limits (api 2, ruling 23)", () => {
	it("a component has at most 128 bytes, not characters", () => {
		checkKey(["x".repeat(128), "é".repeat(64)]);
		expect(() => checkKey(["ok", "x".repeat(129)])).toThrow(
			invalid(/component 1 has 129 bytes, the limit is 128/),
		);
		expect(() => checkKey(["é".repeat(65)])).toThrow(invalid(/130 bytes.*128/));
	});

	it("the serialized key has at most 1024 bytes, escapes included", () => {
		const eight = Array.from({ length: 8 }, () => "x".repeat(127));
		checkKey(eight);
		expect(serializeKey([...eight.slice(1), "x".repeat(128)])).toHaveLength(1024);
		checkKey([...eight.slice(1), "x".repeat(128)]);
		expect(() => checkKey([...eight.slice(2), "x".repeat(128), "x".repeat(128)])).toThrow(
			invalid(/1025 bytes, the limit is 1024/),
		);
		expect(() => checkKey(Array.from({ length: 5 }, () => "/".repeat(120)))).toThrow(
			invalid(/1204 bytes.*1024/),
		);
	});

	it("a name has 1 to 64 characters, counted as code points", () => {
		checkActorName("x".repeat(64));
		checkActorName("😀".repeat(64));
		expect(() => checkActorName("x".repeat(65))).toThrow(
			invalid(/1 to 64 characters, this one has 65/),
		);
		expect(() => checkActorName("")).toThrow(invalid(/1 to 64 characters/));
		expect(() => checkActorName(5 as unknown as string)).toThrow(invalid(/not a string/));
	});

	it("text that UTF-8 cannot tell apart is refused", () => {
		expect(() => checkKey(["\ud800"])).toThrow(invalid(/component 0 is not well-formed/));
		expect(() => checkActorName("a\udc00")).toThrow(invalid(/not well-formed/));
		checkKey(["😀\u0000"]);
	});
});
