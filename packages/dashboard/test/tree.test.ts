import { describe, expect, it } from "vitest";
import {
	canUndo,
	currentOf,
	edited,
	redone,
	startDraft,
	undone,
} from "../src/app/panels/state/draft.ts";
import { rowsOf } from "../src/app/value-view/rows.ts";
import { appendAt, removeAt, replaceAt } from "../src/app/values/tree.ts";

const state = () => ({
	name: "basket",
	lines: [{ pieces: 1 }, { pieces: 2 }],
	prices: new Map<unknown, unknown>([
		["apple", 0.5],
		[7n, { euro: 2 }],
	]),
	tags: new Set(["a", "b"]),
});

describe("changes of a value", () => {
	it("replace, remove and add at any place, and leave the original alone", () => {
		const before = state();
		const path = [
			{ in: "map", index: 1 },
			{ in: "object", key: "euro" },
		] as const;
		const inPrices = [{ in: "object", key: "prices" }, ...path] as const;
		expect(replaceAt(before, inPrices, 3)).toEqual({
			...state(),
			prices: new Map<unknown, unknown>([
				["apple", 0.5],
				[7n, { euro: 3 }],
			]),
		});
		expect(
			removeAt(before, [
				{ in: "object", key: "lines" },
				{ in: "list", index: 0 },
			]),
		).toEqual({ ...state(), lines: [{ pieces: 2 }] });
		expect(
			removeAt(before, [
				{ in: "object", key: "tags" },
				{ in: "set", index: 0 },
			]),
		).toEqual({ ...state(), tags: new Set(["b"]) });
		expect(appendAt(before, [{ in: "object", key: "prices" }], 8, "x")).toEqual({
			...state(),
			prices: new Map<unknown, unknown>([...state().prices, [8, "x"]]),
		});
		expect(appendAt(before, [], "open", true)).toEqual({ ...state(), open: true });
		expect(before).toEqual(state());
	});

	it("share what they do not touch", () => {
		const before = state();
		const after = replaceAt(before, [{ in: "object", key: "name" }], "box") as typeof before;
		expect(after.lines).toBe(before.lines);
	});
});

describe("a draft", () => {
	it("takes edits back and makes them again, until another edit", () => {
		const first = edited(edited(startDraft(0), 1), 2);
		const back = undone(undone(first));
		expect(currentOf(back)).toBe(0);
		expect(canUndo(back)).toBe(false);
		expect(currentOf(undone(back))).toBe(0);
		expect(currentOf(redone(back))).toBe(1);
		const other = edited(redone(back), 9);
		expect(currentOf(redone(other))).toBe(9);
		expect(currentOf(undone(other))).toBe(1);
	});
});

describe("the lines of a tree", () => {
	it("are those of open nodes only", () => {
		const value = { a: { b: { c: 1 } }, d: 2 };
		const ids = (toggled: Map<string, boolean>) => rowsOf(value, toggled).map(({ id }) => id);
		expect(ids(new Map())).toEqual(["[]", '["a"]', '["a","b"]', '["d"]']);
		expect(ids(new Map([['["a","b"]', true]]))).toContain('["a","b","c"]');
		expect(ids(new Map([["[]", false]]))).toEqual(["[]"]);
	});

	it("do not begin with thousands of children of a child", () => {
		const value = { many: Array.from({ length: 10_000 }, (_, index) => index) };
		expect(rowsOf(value, new Map())).toHaveLength(2);
	});
});
