import { readFile } from "node:fs/promises";
import { beforeAll, describe, expect, it } from "vitest";
import { GUIDE, PAGES, readExamples, readPage, writeExamples } from "./support/examples-folder.ts";
import { NOT_TYPECHECKED } from "./support/exceptions.ts";
import { typecheck } from "./support/typecheck.ts";

// Every example of the guide, and of the pages of ours, compiles, strictly, as it stands (contract: api A1).
const examples = await readExamples();
const pages = await Promise.all(PAGES.map(readPage));
let errors: Map<string, string[]>;

beforeAll(async () => {
	await using folder = await writeExamples([...examples, ...pages.flat()]);
	errors = await typecheck(folder, ["@rivetkit/source"]);
});

it("nothing outside of the examples fails", () => {
	expect(errors.get("")).toBeUndefined();
});

describe("the guide's examples on the sources", () => {
	const checked = examples.filter(({ heading }) => !(heading in NOT_TYPECHECKED));
	const excepted = examples.filter(({ heading }) => heading in NOT_TYPECHECKED);

	it("are all there", async () => {
		const fences = (await readFile(GUIDE, "utf8")).match(/^```(ts|typescript)\b/gm);
		expect(examples.flatMap(({ blocks }) => blocks)).toHaveLength(fences?.length ?? 0);
		expect(examples.length).toBeGreaterThan(25);
	});

	it.each(checked)("$title compiles", ({ id }) => {
		expect(errors.get(id) ?? []).toEqual([]);
	});

	it.each(excepted)("$title still needs its exception", ({ id }) => {
		expect(errors.get(id)).not.toBeUndefined();
	});
});

describe("the pages' examples on the sources", () => {
	it("are on every page", () => {
		expect(pages.map(({ length }) => length)).not.toContain(0);
	});

	it.each(pages.flat())("$title compiles", ({ id }) => {
		expect(errors.get(id) ?? []).toEqual([]);
	});
});
