import { setupTest } from "rivetkit/test";
import { expect, test } from "vitest";
import { registry } from "../src/actors.ts";

test("counts for all who watch, and knows how many do", async (context) => {
	const { client } = await setupTest(context, registry);
	const [one, other] = [0, 1].map(() => client.counter.getOrCreate(["test"]).connect());
	await one!.current();
	expect(await other!.current()).toEqual({ count: 0, watching: 2 });
	const told = new Promise<number>((resolve) => one!.once("count", resolve));
	await other!.add(5);
	expect(await told).toBe(5);
});
