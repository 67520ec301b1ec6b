import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { TestContext } from "rivetkit/test";
import { expect, it } from "vitest";
import { DATABASE_PAGE, readExamples, writeExamples } from "./support/examples-folder.ts";
import { typecheck } from "./support/typecheck.ts";

// docs/database.md: what it shows compiles, and does what it says.

it("the page's examples compile, and the shop sells what it has", async (context) => {
	const examples = await readExamples(DATABASE_PAGE);
	await using folder = await writeExamples(examples);
	expect(await typecheck(folder, ["@rivetkit/source"])).toEqual(new Map());
	const { id } = examples.find(({ blocks }) => blocks.some(({ file }) => file === MAIN))!;
	const { orders } = (await import(pathToFileURL(join(folder.path, id, MAIN)).href)) as {
		orders(context: TestContext): Promise<unknown>;
	};
	expect(await orders(context)).toEqual({
		revenue: 50,
		items: ["anvil: 0", "rope: 2"],
		length: 9,
	});
}, 120_000);

const MAIN = "orders.ts";
