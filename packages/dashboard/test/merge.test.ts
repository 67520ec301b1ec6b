import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
	currentOf,
	edited,
	isUnsaved,
	rebasedOnto,
	startDraft,
	undone,
} from "../src/app/panels/state/draft.ts";
import { mergeValues } from "../src/app/values/merge.ts";

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
		["of one list", [1, 2], [0, 2], [1, 2, 3]],
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
