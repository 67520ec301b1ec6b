// A store that cannot be read for a while is no failure of a workflow (workflows 10.5).
import { createMemoryStore, type Store } from "@rivetkit/engine";
import { expect, it } from "vitest";
import { Loop } from "../../src/workflow/index.ts";
import { type Ctx, World } from "./support/world.ts";

/** A store that refuses some reads. */
class Unreliable {
	readonly store: Store;
	refuses: ((what: "scan" | "get", first: number) => boolean) | null = null;
	refused = 0;

	constructor() {
		const inner = createMemoryStore();
		this.store = new Proxy(inner, {
			get: (target, property) => {
				const member: unknown = Reflect.get(target, property);
				if (property !== "scan" && property !== "get") {
					return typeof member === "function" ? member.bind(target) : member;
				}
				return async (id: string, at: never) => {
					const key = property === "scan" ? (at as { start: Uint8Array }).start : at[0];
					if (this.refuses?.(property, (key as Uint8Array | undefined)?.[0] ?? 0)) {
						this.refused++;
						throw new Error("the connection is lost");
					}
					return Reflect.apply(member as never, target, [id, at]);
				};
			},
		});
	}
}

const HISTORY = 0x14;
const QUEUE_DATA = 0x10;

const program = async (ctx: Ctx, { ledger }: World) => {
	await ctx.step("first", () => void ledger.push("first"));
	try {
		await ctx.loop({
			name: "loop",
			state: 0,
			run: async (loop, n) => {
				const { body } = await loop.queue.next("m", { names: ["work"] });
				await loop.step("use", () => void ledger.push(`use ${body}`));
				return n === 1 ? Loop.break() : Loop.continue(n + 1);
			},
		});
	} catch (error) {
		ledger.push(`caught ${error}`);
		throw error;
	}
};

it.each([1, 2])("is read again later: read %i of the history after a start", async (fatal) => {
	const disk = new Unreliable();
	await using world = await World.start(program, { store: disk.store });
	await world.send("work", "a");
	let reads = 0;
	disk.refuses = (what, first) => what === "scan" && first === HISTORY && ++reads === fatal;
	await world.crash();
	expect((await world.status()).state).toBe("sleeping");
	await world.advance(60_000);
	expect(disk.refused).toBe(1);
	await world.send("work", "b");
	expect(await world.status()).toMatchObject({ state: "completed" });
	expect(world.ledger).toEqual(["first", "use a", "use b"]);
	expect(world.errors).toEqual([]);
});

it("is read again later: the body of a message", async () => {
	const disk = new Unreliable();
	await using world = await World.start(program, { store: disk.store });
	await world.call("pause");
	await world.send("work", "a");
	await world.send("work", "b");
	disk.refuses = (what, first) => what === "get" && first === QUEUE_DATA && disk.refused === 0;
	await world.call("resume");
	await world.settle();
	expect(disk.refused).toBe(1);
	await world.advance(60_000);
	expect(await world.status()).toMatchObject({ state: "completed" });
	expect(world.ledger).toEqual(["first", "use a", "use b"]);
	expect(await world.call("size")).toBe(0);
});
