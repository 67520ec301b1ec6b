import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
	contentType,
	ENCODINGS,
	parseCloseReason,
	parseEncoding,
	truncateCloseReason,
	utf8Exceeds,
	utf8Length,
} from "../src/index.ts";
import { hasLoneSurrogate, readUtf8, writeUtf8 } from "../src/utf8.ts";

const anyText = fc.string({
	unit: fc.oneof(fc.constantFrom("a", "ß", "漢", "😀", "\ud800", "\udc00")),
	maxLength: 80,
});

describe("UTF-8", () => {
	it("is measured as the platform writes it, lone surrogates included", () => {
		fc.assert(
			fc.property(anyText, fc.nat({ max: 300 }), (text, limit) => {
				const bytes = new TextEncoder().encode(text);
				expect(utf8Length(text)).toBe(bytes.length);
				expect(utf8Exceeds(text, limit)).toBe(bytes.length > limit);
			}),
		);
	});

	it("is written and read as the platform does, at any length", () => {
		fc.assert(
			fc.property(anyText, fc.nat({ max: 5 }), (text, offset) => {
				const expected = new TextEncoder().encode(text);
				const target = new Uint8Array(offset + text.length * 3);
				const end = writeUtf8(text, target, offset);
				expect(target.subarray(offset, end)).toStrictEqual(expected);
				expect(readUtf8(target, offset, end)).toBe(
					new TextDecoder("utf-8", { ignoreBOM: true }).decode(expected),
				);
			}),
		);
	});
});

describe("encodings (1.1)", () => {
	it("are named exactly", () => {
		for (const encoding of ENCODINGS) expect(parseEncoding(encoding)).toBe(encoding);
		expect(parseEncoding(null)).toBe("json");
		expect(parseEncoding(undefined)).toBe("json");
		for (const text of ["JSON", "Bare", "", " json", "toString"]) {
			expect(() => parseEncoding(text)).toThrow(
				expect.objectContaining({
					group: "encoding",
					code: "invalid",
					statusCode: 400,
					message: `Invalid encoding \`${text}\`.`,
				}),
			);
		}
	});

	it("have their content types", () => {
		expect(ENCODINGS.map(contentType)).toEqual([
			"application/octet-stream",
			"application/octet-stream",
			"application/json",
		]);
	});
});

describe("close reasons (3.7)", () => {
	it("are cut to 123 bytes, on a character boundary, and never needlessly", () => {
		fc.assert(
			fc.property(anyText, (text) => {
				const whole = new TextDecoder().decode(new TextEncoder().encode(text.repeat(4)));
				const cut = truncateCloseReason(whole);
				expect(whole.startsWith(cut)).toBe(true);
				expect(utf8Length(cut)).toBeLessThanOrEqual(123);
				if (cut === whole) return;
				const next = [...whole.slice(cut.length)][0] ?? "";
				expect(utf8Length(cut + next)).toBeGreaterThan(123);
				expect(hasLoneSurrogate(cut)).toBe(false);
			}),
		);
		expect(truncateCloseReason("x".repeat(123))).toHaveLength(123);
		expect(truncateCloseReason("x".repeat(200))).toHaveLength(123);
	});

	it.each<[string, ReturnType<typeof parseCloseReason>]>([
		["user.no", { group: "user", code: "no" }],
		[
			"guard.actor_ready_timeout#abc",
			{ group: "guard", code: "actor_ready_timeout", rayId: "abc" },
		],
		["a.b.c", { group: "a", code: "b" }],
		["a.b#", { group: "a", code: "b", rayId: "" }],
		["a.b#c#d", { group: "a", code: "b", rayId: "c#d" }],
		["", null],
		["Disposed", null],
		[".b", null],
		["a.", null],
		["#a.b", null],
		["`onConnect` failed", null],
	])("'%s' says %o", (text, reason) => {
		expect(parseCloseReason(text)).toEqual(reason);
	});
});
