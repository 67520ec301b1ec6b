import { setupTest } from "rivetkit/test";
import { expect, test } from "vitest";
import { registry } from "../src/actors.ts";

test("counts, and tells who is connected", async (context) => {
	const { client } = await setupTest(context, registry);
	const counter = client.counter.getOrCreate(["test"]).connect();
	const told = new Promise<number>((resolve) => counter.once("count", resolve));
	expect(await counter.increment(2)).toBe(2);
	expect(await told).toBe(2);
	expect(await client.counter.get(["test"]).getCount()).toBe(2);
});
