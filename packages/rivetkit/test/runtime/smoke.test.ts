import { expect, it } from "vitest";
import { actor } from "../../src/actor/definition.ts";
import { event } from "../../src/actor/tokens.ts";
import { TestRuntime } from "../support/test-runtime.ts";

const counter = actor({
	state: { count: 0 },
	events: { count: event<number>() },
	actions: {
		increment: (c, amount: number) => {
			c.state.count += amount;
			c.broadcast("count", c.state.count);
			return c.state.count;
		},
		slow: async (c) => {
			await new Promise((resolve) => setImmediate(resolve));
			c.state.count += 1;
			return c.state.count;
		},
	},
});

it("counts over HTTP, over a connection and in process, and tells subscribers", async () => {
	await using runtime = await TestRuntime.start({ counter });
	const id = await runtime.actorId("counter", "a");
	const response = await runtime.action(id, "increment", 2);
	expect(await response.json()).toEqual({ output: 2 });
	for (const encoding of ["bare", "cbor", "json"] as const) {
		await using client = runtime.client(encoding);
		const handle = client.counter!.getOrCreate(["a"]);
		const before = await handle.increment(0);
		expect(await handle.increment(1)).toBe(before + 1);
		const connection = handle.connect();
		const told = new Promise((resolve) => connection.on("count", resolve));
		expect(await connection.slow()).toBe(before + 2);
		expect(await connection.increment(5)).toBe(before + 7);
		expect(await told).toBe(before + 7);
	}
	const local = runtime.localClient();
	expect(await local.counter!.getOrCreate(["a"]).increment(0)).toBe(2 + 3 * 7);
	await local.dispose();
});
