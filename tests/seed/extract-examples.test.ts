import { describe, expect, it } from "vitest";
import { extractBlocks, groupExamples, localImports } from "./support/extract-examples.ts";

const FENCE = "```";

describe("extracting examples", () => {
	it("finds TypeScript blocks with their headings, names and lines", () => {
		const blocks = extractBlocks(
			[
				"# Guide",
				"## Start",
				"**actors.ts**",
				"",
				`${FENCE}ts`,
				"export const a = 1;",
				FENCE,
				`${FENCE}bash`,
				"npm start",
				FENCE,
				"### Client",
				`${FENCE}typescript client.ts @nocheck`,
				'import { a } from "./actors";',
				FENCE,
				"## Next",
				`${FENCE}ts`,
				"",
				FENCE,
			].join("\n"),
		);
		expect(blocks).toEqual([
			{ line: 5, headings: ["Guide", "Start"], file: "actors.ts", code: "export const a = 1;\n" },
			{
				line: 12,
				headings: ["Guide", "Start", "Client"],
				file: "client.ts",
				code: 'import { a } from "./actors";\n',
			},
			{ line: 16, headings: ["Guide", "Next"], file: "main.ts", code: "\n" },
		]);
	});

	it("puts named files of one section together and borrows what is missing from further up", () => {
		const block = (heading: string, file: string, code = "", line = 1) => ({
			line,
			headings: [heading],
			file,
			code,
		});
		const actors = block("A", "actors.ts", "export const registry = 1;");
		const needs = 'import { registry } from "./actors";';
		const examples = groupExamples([
			actors,
			block("A", "main.ts", needs, 2),
			block("B", "client.ts", needs, 3),
			block("B", "actors.ts", "", 4),
			block("B", "actors.ts", "", 5),
		]);
		expect(
			examples.map(({ id, blocks, borrowed }) => [
				id,
				blocks.map(({ line }) => line),
				borrowed.map(({ headings }) => headings[0]),
			]),
		).toEqual([
			["a-1", [1], []],
			["a-2", [2], ["A"]],
			["b-3", [3, 4], []],
			["b-5", [5], []],
		]);
	});

	it("reads imports with and without extension", () => {
		expect(
			localImports('import a from "./a";\nimport type { b } from "./b.ts";\nimport "c";'),
		).toEqual(["a.ts", "b.ts"]);
	});
});
