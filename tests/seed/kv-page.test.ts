import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { TestContext } from "rivetkit/test";
import { expect, it } from "vitest";
import { KV_PAGE, readExamples, writeExamples } from "./support/examples-folder.ts";
import { typecheck } from "./support/typecheck.ts";

// docs/kv.md: what it shows compiles, and does what it says.

it("the page's examples compile, and a payment that is refused sells nothing", async (context) => {
	const examples = await readExamples(KV_PAGE);
	await using folder = await writeExamples(examples);
	expect(await typecheck(folder, ["@rivetkit/source"])).toEqual(new Map());
	const { id } = examples.find(({ blocks }) => blocks.some(({ file }) => file === MAIN))!;
	const { shopping } = (await import(pathToFileURL(join(folder.path, id, MAIN)).href)) as {
		shopping(context: TestContext): Promise<unknown>;
	};
	expect(await shopping(context)).toEqual([["pot", "tea"], ["tea"], "payment_refused", ["0", 2]]);
}, 120_000);

const MAIN = "shopping.ts";
