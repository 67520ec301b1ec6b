// A workflow whose commits fail begins again from what is stored, and runs once at a time (workflows 3.2, W3.2g; lifecycle W-RUN-2).
import { expect, it } from "vitest";
import { Gate } from "../support/gate.ts";
import { WrappedStore } from "../support/store-wrapper.ts";
import { type Ctx, World } from "./support/world.ts";

/** One step that lasts until the gate opens; the ledger says how often it began. */
class Lasting {
	gate = new Gate();
	readonly disk = new WrappedStore();
	readonly fn = async (ctx: Ctx, { ledger }: World) => {
		await ctx.step("first", async () => {
			ledger.push("first");
			await this.gate.passed;
		});
		await ctx.queue.next("go", { names: ["work"] });
	};

	async failACommit(world: World): Promise<void> {
		this.disk.failNext();
		await expect(world.call("other")).rejects.toBeDefined();
		await world.settle();
	}
}

it("a commit that fails while it waits to begin again leaves it its pause, and it runs once", async () => {
	const lasting = new Lasting();
	await using world = await World.start(lasting.fn, { store: lasting.disk.store });
	expect(world.ledger).toEqual(["first"]);
	await lasting.failACommit(world);
	for (let failure = 0; failure < 3; failure++) {
		await lasting.failACommit(world);
		expect(world.ledger).toEqual(["first"]);
	}
	await world.advance(1_000);
	expect(world.ledger).toEqual(["first", "first"]);
	lasting.gate.open();
	await world.settle();
	await world.send("work");
	expect(await world.status()).toMatchObject({ state: "completed" });
	expect(world.ledger).toEqual(["first", "first"]);
});

it("replayed while it waits to begin again, it begins at once, and runs once", async () => {
	const lasting = new Lasting();
	await using world = await World.start(lasting.fn, { store: lasting.disk.store });
	lasting.gate.open();
	await world.settle();
	await lasting.failACommit(world);
	lasting.gate = new Gate();
	await world.call("replay");
	await world.settle();
	expect(world.ledger).toEqual(["first", "first"]);
	await world.advance(1_000);
	expect(world.ledger).toEqual(["first", "first"]);
	lasting.gate.open();
	await world.settle();
	await world.send("work");
	expect(await world.status()).toMatchObject({ state: "completed" });
});

it.each(["pause", "cancel"] as const)(
	"a %s whose commit has failed counts when it is asked for again, while it waits to begin again",
	async (order) => {
		const lasting = new Lasting();
		await using world = await World.start(lasting.fn, { store: lasting.disk.store });
		lasting.gate.open();
		await world.settle();
		lasting.disk.failNext();
		await expect(world.call(order)).rejects.toBeDefined();
		await world.settle();
		await world.call(order);
		await world.advance(1_000);
		await world.send("work");
		const expected = { pause: { paused: true }, cancel: { state: "cancelled" } }[order];
		expect(await world.status()).toMatchObject(expected);
	},
);

it("after a commit that failed it is what is stored, before it runs again", async () => {
	const lasting = new Lasting();
	await using world = await World.start(lasting.fn, { store: lasting.disk.store });
	lasting.gate.open();
	await world.settle();
	lasting.disk.failNext();
	await expect(world.call("pause")).rejects.toBeDefined();
	expect(await world.status()).toMatchObject({ paused: false });
});
