import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { TestContext } from "rivetkit/test";
import { expect, it } from "vitest";
import { QUEUES_PAGE, readExamples, writeExamples } from "./support/examples-folder.ts";
import { typecheck } from "./support/typecheck.ts";

// docs/queues.md: what it shows compiles, and does what it says.

it("the page's examples compile, and money moves as often as it was told to", async (context) => {
	const examples = await readExamples(QUEUES_PAGE);
	await using folder = await writeExamples(examples);
	expect(await typecheck(folder, ["@rivetkit/source"])).toEqual(new Map());
	const { id } = examples.find(({ blocks }) => blocks.some(({ file }) => file === MAIN))!;
	const { transfers } = (await import(pathToFileURL(join(folder.path, id, MAIN)).href)) as {
		transfers(context: TestContext): Promise<unknown>;
	};
	expect(await transfers(context)).toEqual(["completed", 40, 10, 90]);
}, 120_000);

const MAIN = "transfer.ts";
