import fc from "fast-check";
import { expect, it } from "vitest";
import { decodeBase64, encodeBase64 } from "../src/index.ts";

it("writes what the platform writes, in both alphabets", () => {
	fc.assert(
		fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
			const buffer = Buffer.from(bytes);
			expect(encodeBase64(bytes)).toBe(buffer.toString("base64"));
			expect(encodeBase64(bytes, "url")).toBe(buffer.toString("base64url"));
		}),
	);
});

it("reads both alphabets, with and without padding", () => {
	fc.assert(
		fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
			for (const alphabet of ["standard", "url"] as const) {
				const text = encodeBase64(bytes, alphabet);
				expect(decodeBase64(text)).toStrictEqual(bytes);
				expect(decodeBase64(text.replace(/=+$/, ""))).toStrictEqual(bytes);
			}
		}),
	);
});

it("refuses everything else", () => {
	for (const text of ["a", "a===", "ab=c", "=", "====", "aGk=aGk=", "aG k", "aGkß", "abcde"]) {
		expect(decodeBase64(text), text).toBeNull();
	}
});
