import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
	currentOf,
	type Draft,
	edited,
	editedSince,
	forcedOnto,
	isUnsaved,
	rebasedOnto,
	startDraft,
	undone,
} from "../src/app/panels/state/draft.ts";
import { mergeMineFirst, mergeValues } from "../src/app/values/merge.ts";

const keyed = (n: number) => new Map([[{ k: 1 }, n]]);
const map = (entries: Record<string, unknown>) => new Map(Object.entries(entries));

describe("two changes of a value", () => {
	it.each<[string, unknown, unknown, unknown, unknown]>([
		["of other members", { a: 1, b: 1 }, { a: 2, b: 1 }, { a: 1, b: 2 }, { a: 2, b: 2 }],
		["deeper", { o: { a: 1, b: 1 } }, { o: { a: 2, b: 1 } }, { o: { a: 1 } }, { o: { a: 2 } }],
		["both new", {}, { mine: 1 }, { theirs: 2 }, { theirs: 2, mine: 1 }],
		["the same", { a: 1 }, { a: 2 }, { a: 2 }, { a: 2 }],
		["both gone", { a: 1, b: 1 }, { b: 1 }, { b: 1 }, { b: 1 }],
		["in maps", map({ a: 1, b: 1 }), map({ a: 2, b: 1 }), map({ b: 3, a: 1 }), map({ b: 3, a: 2 })],
	])("%s are put together", (_, base, mine, theirs, value) => {
		expect(mergeValues(base, mine, theirs)).toEqual({ value });
	});

	it.each<[string, unknown, unknown, unknown]>([
		["of the same member", { a: 1 }, { a: 2 }, { a: 3 }],
		["of one that is gone", { a: 1 }, { a: 2 }, {}],
		["to another kind", { a: {} }, { a: { b: 1 } }, { a: [] }],
		["of maps with keys that are objects", keyed(1), keyed(2), keyed(3)],
	])("%s clash", (_, base, mine, theirs) => expect(mergeValues(base, mine, theirs)).toBeNull());

	it("keeps a member that is named __proto__", () => {
		const theirs = JSON.parse('{"__proto__":{"x":1},"a":1}') as object;
		const merged = mergeValues({ a: 1 }, { a: 2 }, theirs)?.value as object;
		expect(JSON.stringify(merged)).toBe('{"__proto__":{"x":1},"a":2}');
	});

	it("are what one did when the other did nothing", () => {
		fc.assert(
			fc.property(fc.jsonValue(), fc.jsonValue(), (base, changed) => {
				expect(mergeValues(base, changed, base)).toEqual({ value: changed });
				expect(mergeValues(base, base, changed)).toEqual({ value: changed });
			}),
		);
	});
});

describe("two changes of a list", () => {
	it.each<[string, string, string, string, string]>([
		["an edit, and items behind it", "ab", "aB", "abc", "aBc"],
		["an edit, and items before it", "ab", "aB", "xab", "xaB"],
		["an edit, and items before it that are gone", "abc", "abC", "bc", "bC"],
		["an edit, and one beside it", "abc", "aBc", "abC", "aBC"],
		["a removal, and items behind it", "abc", "ac", "abcd", "acd"],
		["both put something behind the last", "a", "ax", "ay", "ayx"],
		["both the same", "ab", "ax", "ax", "ax"],
	])("%s: are put together", (_, base, mine, theirs, value) => {
		expect(mergeValues([...base], [...mine], [...theirs])).toEqual({ value: [...value] });
	});

	it.each<[string, string, string, string]>([
		["the edited item is gone", "abc", "aBc", "ac"],
		["the edited item is another", "abc", "aBc", "axc"],
		["the edited item has moved", "abc", "Bbc", "bca"],
		["the list was turned round", "abc", "aBc", "cba"],
		["which of two alike is gone is not known", "xx", "yx", "x"],
		["something stands in the middle of what was removed", "abc", "a", "abxc"],
	])("%s: clash, and nothing is overwritten", (_, base, mine, theirs) => {
		expect(mergeValues([...base], [...mine], [...theirs])).toBeNull();
		expect(mergeMineFirst([...base], [...mine], [...theirs])).toEqual([...mine]);
	});

	it("never loses what the actor wrote, nor puts an edit in the place of another item", () => {
		const list = fc.array(fc.constantFrom<string>("a", "b", "c"), { minLength: 1, maxLength: 6 });
		const anywhere = fc.nat({ max: 5 });
		fc.assert(
			fc.property(list, list, anywhere, (base, theirs, place) => {
				const index = place % base.length;
				const mine = base.with(index, "mine");
				const merged = mergeValues(base, mine, theirs)?.value as string[] | undefined;
				if (merged === undefined) return;
				expect(merged).toContain("mine");
				// What the edit replaced was that item, and everything else is as the actor wrote it.
				expect(merged.with(merged.indexOf("mine"), base[index]!)).toEqual(theirs);
			}),
		);
	});
});

describe("an edit that began before the actor wrote", () => {
	const sight = (stored: unknown, draft: Draft | null = null) => ({
		value: draft === null ? stored : currentOf(draft),
		draft,
		stored,
	});
	const [before, now] = [sight({ list: ["a", "b"], n: 1 }), sight({ list: ["x", "a", "b"], n: 2 })];

	it("is of the item that was seen, wherever that is now", () => {
		const draft = editedSince(before, now, { list: ["a", "B"], n: 1 });
		expect(currentOf(draft)).toEqual({ list: ["x", "a", "B"], n: 2 });
		expect(draft.base).toEqual(now.stored);
	});

	it("is behind the actor where the item is no longer that, until it is forced", () => {
		const gone = sight({ list: ["a"], n: 2 });
		const draft = editedSince(before, gone, { list: ["a", "B"], n: 1 });
		expect([draft.base, rebasedOnto(draft, gone.stored)]).toEqual([before.stored, null]);
		const forced = forcedOnto(draft, gone.stored);
		expect([forced.base, currentOf(forced)]).toEqual([gone.stored, { list: ["a", "B"], n: 2 }]);
		expect(currentOf(undone(forced))).toEqual(gone.stored);
	});

	it("goes on top of other edits", () => {
		const other = edited(startDraft(now.stored), { list: ["x", "a", "b"], n: 7 });
		const draft = editedSince(before, sight(now.stored, other), { list: ["a", "B"], n: 1 });
		expect(currentOf(draft)).toEqual({ list: ["x", "a", "B"], n: 7 });
		expect(currentOf(undone(draft))).toEqual({ list: ["x", "a", "b"], n: 7 });
	});
});

describe("a draft that the actor was faster than", () => {
	const draft = edited(startDraft({ count: 1, open: true }), { count: 1, open: false });

	it("goes on top of what the actor wrote, with what can be taken back", () => {
		const onto = rebasedOnto(draft, { count: 2, open: true })!;
		expect(currentOf(onto)).toEqual({ count: 2, open: false });
		expect(isUnsaved(onto)).toBe(true);
		expect(currentOf(undone(onto))).toEqual({ count: 2, open: true });
		expect(isUnsaved(undone(onto))).toBe(false);
	});

	it("forgets what can be taken back from where it does not go with that", () => {
		const history = edited(edited(startDraft({ n: 1, a: 1 }), { n: 2, a: 1 }), { n: 2, a: 2 });
		const saved = edited({ ...history, base: { n: 2, a: 2 } }, { n: 2, a: 3 });
		const onto = rebasedOnto(saved, { n: 5, a: 2 })!;
		expect(onto.versions).toEqual([
			{ n: 5, a: 1 },
			{ n: 5, a: 2 },
			{ n: 5, a: 3 },
		]);
		expect(currentOf(onto)).toEqual({ n: 5, a: 3 });
	});

	it("stays as it is when both changed the same", () => {
		expect(rebasedOnto(draft, { count: 1, open: null })).toBeNull();
	});
});
