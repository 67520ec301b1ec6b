import { setupTest } from "rivetkit/test";
import { expect, test } from "vitest";
import { registry } from "../src/approval-actors.ts";

test("an expense waits until somebody decides", async (context) => {
	const { client } = await setupTest(context, registry);
	const createWithInput = { what: "Chairs", amount: 120 };
	const expense = client.expense.getOrCreate(["e1"], { createWithInput });
	expect(await expense.get()).toMatchObject({ what: "Chairs", status: "waiting" });
	const decision = { approved: true, by: "Ada" };
	const answer = await expense.send("decisions", decision, { wait: true, timeout: 30_000 });
	expect(answer).toEqual({ status: "completed", response: "approved by Ada" });
	await expect
		.poll(async () => (await expense.get()).status, { timeout: 30_000 })
		.toBe("approved by Ada");
	expect(await client.office.getOrCreate(["main"]).list()).toEqual(["e1"]);
});
