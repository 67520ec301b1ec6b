import { expect, it } from "vitest";
import { patternOf, stepsOf } from "../src/transcript.ts";

it("takes commands and their outputs from console blocks", () => {
	const markdown = [
		"```bash",
		"npm start",
		"```",
		"```console",
		"$ echo a \\",
		"  b",
		"a b",
		"$ true",
		"$ printf '1\\n2'",
		"1",
		"2",
		"```",
	].join("\n");
	expect(stepsOf(`${markdown}\n`)).toEqual([
		{ command: "echo a \\\n  b", output: "a b" },
		{ command: "true", output: "" },
		{ command: "printf '1\\n2'", output: "1\n2" },
	]);
	expect(() => stepsOf("```console\nno command\n```\n")).toThrow("begins with a command");
});

it("lets … stand for anything within a line, and nothing else for anything", () => {
	expect("id: 4711 (new)").toMatch(patternOf("id: … (new)"));
	expect("id: 4711 (old)").not.toMatch(patternOf("id: … (new)"));
	expect("a\nb").not.toMatch(patternOf("…"));
	expect("axb").not.toMatch(patternOf("a.b"));
});
