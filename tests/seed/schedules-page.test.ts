import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { TestContext } from "rivetkit/test";
import { expect, it } from "vitest";
import { readExamples, SCHEDULES_PAGE, writeExamples } from "./support/examples-folder.ts";
import { typecheck } from "./support/typecheck.ts";

// docs/schedules.md: what it shows compiles, and does what it says.

it("the page's examples compile, and a quarter of reminders and reports passes in moments", async (context) => {
	const examples = await readExamples(SCHEDULES_PAGE);
	await using folder = await writeExamples(examples);
	expect(await typecheck(folder, ["@rivetkit/source"])).toEqual(new Map());
	const [{ id }] = examples.filter(({ blocks }) => blocks.some(({ file }) => file === MAIN)) as [
		(typeof examples)[0],
	];
	const { remindersOfAQuarter } = (await import(
		pathToFileURL(join(folder.path, id, MAIN)).href
	)) as {
		remindersOfAQuarter(context: TestContext): Promise<number>;
	};
	expect(await remindersOfAQuarter(context)).toBe(13);
}, 120_000);

const MAIN = "reminders.ts";
