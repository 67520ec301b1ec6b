// The table of README.md says which test proves which check of workflows 15: it names what there is, and all of it.
import { existsSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { expect, it } from "vitest";

const LAST_CHECK = 67;

const textOf = (file: string) => readFile(new URL(file, import.meta.url), "utf8");

/** Checks that titles of a file begin with, or that its first line names. */
async function checksOf(file: string): Promise<number[]> {
	const text = await textOf(file);
	const titles = text.matchAll(/["`](\d+[a-z]?(?:, \d+)*)\. /g);
	const named = /^\/\/ Check (\d+)/.exec(text);
	const lists = [...[...titles].map(([, list]) => list!), ...(named ? [named[1]!] : [])];
	const checks = lists.flatMap((list) => list.split(", ").map((one) => Number.parseInt(one, 10)));
	return [...new Set(checks)].sort((a, b) => a - b);
}

it("README.md lists every check with the files that prove it", async () => {
	const rows = (await textOf("README.md")).matchAll(/^\| (\d+) \| [^|]+ \| ([^|]+) \|$/gm);
	const table = [...rows].map(([, check, files]) => ({
		check: Number(check),
		files: [...files!.matchAll(/\]\(([^)]+)\)/g)].map(([, file]) => file!),
	}));
	expect(table.map(({ check }) => check)).toEqual(
		Array.from({ length: LAST_CHECK }, (_, index) => index + 1),
	);
	const here = [
		...(await readdir(new URL(".", import.meta.url))).filter((file) => file.endsWith(".test.ts")),
		"support/scenarios.ts",
	].sort();
	for (const { check, files } of table) {
		expect([check, files.length > 0]).toEqual([check, true]);
		for (const file of files) {
			expect([file, existsSync(new URL(file, import.meta.url))]).toEqual([file, true]);
		}
	}
	for (const file of here) {
		const listed = table.filter(({ files }) => files.includes(file)).map(({ check }) => check);
		expect([file, listed]).toEqual([file, await checksOf(file)]);
	}
});
