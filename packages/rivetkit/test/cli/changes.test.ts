import fc from "fast-check";
import { expect, it } from "vitest";
import { changesBetween } from "../../src/cli/output/changes.ts";

it.each([
	[{ a: 1 }, { a: 2 }, [{ path: "a", value: 2 }]],
	[
		{ a: { b: [1, 2] } },
		{ a: { b: [1, 3, 4] } },
		[
			{ path: "a.b[1]", value: 3 },
			{ path: "a.b[2]", value: 4 },
		],
	],
	[{ a: 1, b: 2 }, { b: 2 }, [{ path: "a" }]],
	[{ a: 1 }, { a: 1, b: null }, [{ path: "b", value: null }]],
	[[1], { 0: 1 }, [{ path: "", value: { 0: 1 } }]],
	[null, 5, [{ path: "", value: 5 }]],
	// One value, whatever it is written with.
	[
		{ m: ["$Map", [["a", 1]]] },
		{ m: ["$Map", [["a", 2]]] },
		[{ path: "m", value: ["$Map", [["a", 2]]] }],
	],
])("from %j to %j", (before, after, expected) => {
	expect(changesBetween(before, after)).toEqual(expected);
});

it("there are none exactly when nothing differs", () => {
	fc.assert(
		fc.property(fc.jsonValue(), fc.jsonValue(), (a, b) => {
			expect(changesBetween(a, structuredClone(a))).toEqual([]);
			const differ = JSON.stringify(a) !== JSON.stringify(b);
			// Members in another order are no change.
			if (changesBetween(a, b).length > 0) expect(differ).toBe(true);
			else expect(b).toEqual(a);
		}),
	);
});
