import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { TestContext } from "rivetkit/test";
import { expect, it } from "vitest";
import { readExamples, STREAMING_PAGE, writeExamples } from "./support/examples-folder.ts";
import { typecheck } from "./support/typecheck.ts";

// docs/streaming.md: what it shows compiles, and does what it says.

it("the page's examples compile, and a reader that leaves ends its generator", async (context) => {
	const examples = await readExamples(STREAMING_PAGE);
	await using folder = await writeExamples(examples);
	expect(await typecheck(folder, ["@rivetkit/source"])).toEqual(new Map());
	const { id } = examples.find(({ blocks }) => blocks.some(({ file }) => file === MAIN))!;
	const { read } = (await import(pathToFileURL(join(folder.path, id, MAIN)).href)) as {
		read(context: TestContext): Promise<unknown>;
	};
	expect(await read(context)).toEqual(["a", "stream", "of", 4, 3]);
}, 120_000);

const MAIN = "read.ts";
