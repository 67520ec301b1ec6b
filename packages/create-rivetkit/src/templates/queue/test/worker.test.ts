import { setupTest } from "rivetkit/test";
import { expect, test } from "vitest";
import { registry } from "../src/actors.ts";

test("does jobs in order, and tells who waits for one", async (context) => {
	const { client } = await setupTest(context, registry);
	const worker = client.worker.getOrCreate(["test"]);
	await worker.send("jobs", { text: "one two" });
	const answer = await worker.send("jobs", { text: "three" }, { wait: true, timeout: 30_000 });
	expect(answer).toEqual({ status: "completed", response: { words: 1 } });
	expect(await worker.totals()).toEqual({ done: 2, words: 3 });
});
