import { expect, it } from "vitest";
import { linesOf } from "../src/app/panels/use-tail.ts";

it("a list has a line where entries are missing, whatever is searched for", () => {
	const entries = [1, 3, 4, 9].map((id) => ({ id }));
	const tail = { entries, isRecording: true, gaps: new Set([3, 9]) };
	expect(linesOf(tail, () => true)).toEqual([
		{ gapAfter: 9 },
		{ entry: { id: 9 } },
		{ entry: { id: 4 } },
		{ gapAfter: 3 },
		{ entry: { id: 3 } },
		{ entry: { id: 1 } },
	]);
	expect(linesOf(tail, ({ id }) => id === 1)).toEqual([
		{ gapAfter: 9 },
		{ gapAfter: 3 },
		{ entry: { id: 1 } },
	]);
});
