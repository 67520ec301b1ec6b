import { describe, expect, it } from "vitest";
import { linesOf, type Tail, withPart } from "../src/app/panels/use-tail.ts";

interface Entry {
	readonly id: number;
}

const listed = (...ids: number[]): Entry[] => ids.map((id) => ({ id }));
const part = (ids: number[], lastId: number, isGap = false) => ({
	entries: listed(...ids),
	isRecording: true,
	isGap,
	lastId,
});
const shown = (tail: Tail<Entry>) =>
	linesOf(tail, () => true).map((line) =>
		"entry" in line ? line.entry.id : `gap ${line.gapAfter}`,
	);

it("a list has a line where entries are missing, whatever is searched for", () => {
	const tail = { entries: listed(1, 3, 4, 9), isRecording: true, gaps: [3, 9], lastId: 9 };
	expect(shown(tail)).toEqual(["gap 9", 9, 4, "gap 3", 3, 1]);
	expect(linesOf(tail, ({ id }) => id === 1)).toEqual([{ gapAfter: 3 }, { entry: { id: 1 } }]);
});

describe("what is read is put behind what is known", () => {
	it("with a gap behind what was looked through, though the entry there is not shown", () => {
		const first = withPart(undefined, part([2], 7));
		expect([shown(first), first.lastId]).toEqual([[2], 7]);
		const second = withPart(first, part([12], 14, true));
		expect([shown(second), second.lastId]).toEqual([[12, "gap 7", 2], 14]);
	});

	it("and one gap as long as nothing comes behind it", () => {
		let tail = withPart(undefined, part([2], 7));
		for (const lastId of [20, 30, 40]) tail = withPart(tail, part([], lastId, true));
		expect(shown(tail)).toEqual(["gap 7", 2]);
		expect(shown(withPart(tail, part([41], 41, true)))).toEqual([41, "gap 7", 2]);
	});

	it("and no more gaps than entries, however long it goes on", () => {
		let tail: Tail<Entry> | undefined;
		for (let id = 1; id <= 5_000; id++) tail = withPart(tail, part([id], id, id > 1));
		expect(tail!.entries).toHaveLength(2_000);
		expect(tail!.gaps).toHaveLength(2_000);
		expect(shown(tail!).slice(-3)).toEqual(["gap 3001", 3001, "gap 3000"]);
	});
});
