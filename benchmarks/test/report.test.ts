import { expect, test } from "vitest";
import { judge, medianOf, number, ratioOf, report, withoutPaths } from "../src/report.ts";
import type { Outcome } from "../src/run.ts";
import { median, quantile } from "../src/statistics.ts";

const samples = (...values: number[]) =>
	values.map((value) => ({ value, details: { p50Ms: value / 10 } }));

const outcome: Outcome = {
	scenario: {
		name: "http-1",
		title: "HTTP actions",
		unit: "actions/s",
		encoding: "json",
		targets: [
			{ against: "published", ratioMin: 3 },
			{ against: "bare", ratioMin: 0.6 },
			{ valueMax: 100 },
			{ valueMin: 101 },
		],
		prepare: () => Promise.reject(new Error("not run here")),
	},
	samples: new Map([
		["bare", samples(100, 200, 400)],
		["ours", samples(80, 100, 120)],
		["grouped", samples()],
	]),
	failures: new Map([["published", "did not start"]]),
};

test("quantiles are values that were measured; a median of two is between them", () => {
	expect(quantile([1, 2, 3, 4], 0.5)).toBe(2);
	expect(quantile([1, 2, 3, 4], 0.99)).toBe(4);
	expect(quantile([], 0.5)).toBeNaN();
	expect(median([3, 1, 2])).toBe(2);
	expect(median([4, 1])).toBe(2.5);
});

test("a ratio compares what was measured in the same round", () => {
	expect(medianOf(outcome, "ours")).toBe(100);
	expect(ratioOf(outcome, "bare")).toBe(0.5);
	expect(ratioOf(outcome, "published")).toBeUndefined();
	expect(ratioOf(outcome, "grouped")).toBeUndefined();
});

test("a target is met, missed, or has nothing to be held against", () => {
	expect(judge(outcome)).toEqual([
		{ text: "at least 3x published", isMet: undefined },
		{ text: "at least 0.6x bare", isMet: false },
		{ text: "at most 100 actions/s", isMet: true },
		{ text: "at least 101 actions/s", isMet: false },
	]);
});

test("the report says what was measured, what was missed and what failed", () => {
	const text = report([outcome], "3 rounds");
	expect(text).toMatch(
		/\| HTTP actions +\| 200 +\| – +\| – +\| – +\| 100 +\| actions\/s \| 0\.50x/,
	);
	expect(text).toContain("at least 0.6x bare: **no**");
	expect(text).toContain("- http-1, published: did not start");
	expect(text).toMatch(/\| http-1 +\| ours +\| 80, 100, 120 +\| p50Ms 10 \|/);
});

test.each([
	[1_234_567.8, "1,234,568"],
	[999.4, "999"],
	[1.2345, "1.23"],
	[0.00123, "0.00123"],
	[Number.NaN, "–"],
])("%d is written %s", (value, text) => {
	expect(number(value)).toBe(text);
});

test("a page that is kept names no folders of the machine", () => {
	const names = new Map([
		["/home/me/project", "."],
		["/home/me/project/tmp/run-1", "FOLDER"],
	]);
	const text = "at /home/me/project/src/x.ts:1, in /home/me/project/tmp/run-1/store.sqlite";
	expect(withoutPaths(text, names)).toBe("at ./src/x.ts:1, in FOLDER/store.sqlite");
});
