import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { TestContext } from "rivetkit/test";
import { expect, it } from "vitest";
import { readExamples, WORKFLOWS_PAGE, writeExamples } from "./support/examples-folder.ts";
import { typecheck } from "./support/typecheck.ts";

// docs/workflows.md: what it shows compiles, and does what it says.

it("the page's example compiles; an order is paid, another one is undone", async (context) => {
	const examples = await readExamples(WORKFLOWS_PAGE);
	await using folder = await writeExamples(examples);
	expect(await typecheck(folder, ["@rivetkit/source"])).toEqual(new Map());
	const { id } = examples.find(({ blocks }) => blocks.some(({ file }) => file === MAIN))!;
	const { orders } = (await import(pathToFileURL(join(folder.path, id, MAIN)).href)) as {
		orders(context: TestContext): Promise<unknown>;
	};
	expect(await orders(context)).toEqual({
		approved: { status: "paid", charged: 100, reminders: 10 },
		refused: ["failed", "new"],
		left: 1,
	});
}, 120_000);

const MAIN = "main.ts";
