import fc from "fast-check";
import { expect, it } from "vitest";
import { formatAddress, parseAddress } from "../../src/cli/address.ts";

it.each([
	["counter/", { kind: "key", name: "counter", key: [] }],
	["counter//", { kind: "key", name: "counter", key: [] }],
	["counter/a", { kind: "key", name: "counter", key: ["a"] }],
	["counter/a/b", { kind: "key", name: "counter", key: ["a", "b"] }],
	["counter/a\\/b", { kind: "key", name: "counter", key: ["a/b"] }],
	["counter/\\0", { kind: "key", name: "counter", key: [""] }],
	["a\\/b/c", { kind: "key", name: "a/b", key: ["c"] }],
])("%s is an actor", (text, expected) => {
	expect(parseAddress(text)).toEqual(expected);
});

it.each([
	[
		"counter",
		"'counter' is not the id of an actor; to mean one by name and key, write counter/KEY",
	],
	["", "Its name is empty"],
	["/a", "no name before the slash"],
	[`${"n".repeat(65)}/a`, "names no actor: an actor name has 1 to 64 characters"],
])("%j is none, and the error says what is", (text, expected) => {
	expect(() => parseAddress(text)).toThrow(expected);
});

it("any name and key can be written, and is read as it was", () => {
	const text = fc.string({ unit: "grapheme", maxLength: 12 });
	fc.assert(
		fc.property(
			text.filter((name) => name !== ""),
			fc.array(text, { maxLength: 3 }),
			(name, key) => {
				expect(parseAddress(formatAddress(name, key))).toEqual({ kind: "key", name, key });
			},
		),
	);
});
