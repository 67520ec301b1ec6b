import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { TestContext } from "rivetkit/test";
import { expect, it } from "vitest";
import { type PAGES, readPage, writeExamples } from "./support/examples-folder.ts";

// The pages of ours do what they say; that they compile is in typecheck.test.ts.

it("docs/database.md: the shop sells what it has", async (context) => {
	expect(await run("database", "orders.ts", "orders", context)).toEqual({
		revenue: 50,
		items: ["anvil: 0", "rope: 2"],
		length: 9,
	});
});

it("docs/kv.md: a payment that is refused sells nothing", async (context) => {
	const seen = [["pot", "tea"], ["tea"], "payment_refused", ["0", 2]];
	expect(await run("kv", "shopping.ts", "shopping", context)).toEqual(seen);
});

it("docs/queues.md: money moves as often as it was told to", async (context) => {
	expect(await run("queues", "transfer.ts", "transfers", context)).toEqual([
		"completed",
		40,
		10,
		90,
	]);
});

it("docs/schedules.md: a quarter of reminders and reports passes in moments", async (context) => {
	expect(await run("schedules", "reminders.ts", "remindersOfAQuarter", context)).toBe(13);
});

it("docs/streaming.md: a reader that leaves ends its generator", async (context) => {
	expect(await run("streaming", "read.ts", "read", context)).toEqual(["a", "stream", "of", 4, 3]);
});

it("docs/workflows.md: an order is paid, another one is undone", async (context) => {
	expect(await run("workflows", "main.ts", "orders", context)).toEqual({
		approved: { status: "paid", charged: 100, reminders: 10 },
		refused: ["failed", "new"],
		left: 1,
	});
});

/** Calls a function that a file of the page's examples exports. */
async function run(
	page: (typeof PAGES)[number],
	file: string,
	name: string,
	context: TestContext,
): Promise<unknown> {
	const examples = await readPage(page);
	await using folder = await writeExamples(examples);
	const { id } = examples.find(({ blocks }) => blocks.some((block) => block.file === file))!;
	const shown = (await import(pathToFileURL(join(folder.path, id, file)).href)) as Record<
		string,
		(context: TestContext) => Promise<unknown>
	>;
	return await shown[name]!(context);
}
