// How long records wait for company, who gets a turn meanwhile, and what keeps the actor awake.
import { describe, expect, it } from "vitest";
import { ALL_ENTRIES } from "../../src/workflow/history/location.ts";
import { eventually } from "../support/eventually.ts";
import { Gate } from "../support/gate.ts";
import { type Ctx, World } from "./support/world.ts";

const KIB = 1024;

describe("6.3. records that nothing waits for", () => {
	/** Ephemeral steps with outputs of so many bytes, and then something foreign that takes its time. */
	const steps = (count: number, bytes: number, gate: Gate) => async (ctx: Ctx) => {
		for (let n = 0; n < count; n++) {
			await ctx.step({ name: `s${n}`, ephemeral: true, run: () => new Uint8Array(bytes) });
		}
		await gate.passed;
	};
	const stored = async (world: World) =>
		(await world.store.inner.scan(world.id, ALL_ENTRIES)).length;

	it("are written 100 ms after the first of them", async () => {
		const gate = new Gate();
		await using world = await World.start(steps(3, 0, gate));
		expect(await stored(world)).toBe(0);
		await world.advance(98);
		expect(await stored(world)).toBe(0);
		await world.advance(4);
		expect(await stored(world)).toBe(3);
		gate.open();
	});

	it("leave at 256 KiB, without time that passes, and not before", async () => {
		const gate = new Gate();
		await using world = await World.start(steps(150, 4 * KIB, gate));
		const sizes = world.store.commits
			.map(({ ops }) =>
				ops
					.filter((op) => op.op === "put" && op.key[0] === 0x14)
					.reduce((sum, op) => sum + (op.op === "put" ? op.value.byteLength : 0), 0),
			)
			.filter((size) => size > 0);
		expect(sizes.length).toBeGreaterThan(0);
		for (const size of sizes) {
			expect(size).toBeGreaterThan(255 * KIB);
			// With what comes in the same turn, 64 operations at most.
			expect(size).toBeLessThan((256 + 64 * 4.1) * KIB);
		}
		expect(await stored(world)).toBeLessThan(150);
		gate.open();
	});

	it("are as many as that takes: small ones leave together", async () => {
		const gate = new Gate();
		await using world = await World.start(steps(1_000, 0, gate));
		expect(await stored(world)).toBe(0);
		await world.advance(101);
		expect(await stored(world)).toBe(1_000);
		gate.open();
	});

	it("count a record once that is changed again before it leaves", async () => {
		const gate = new Gate();
		await using world = await World.start(async (ctx) => {
			await ctx.loop({
				name: "loop",
				state: { n: 0, bytes: new Uint8Array(32 * KIB) },
				historyKeep: 0,
				run: async (loop, { n, bytes }) => {
					await loop.step({ name: "s", ephemeral: true, run: () => n });
					if (n === 40) await gate.passed;
					return { continue: true, state: { n: n + 1, bytes } } as const;
				},
			});
		});
		expect(await stored(world)).toBe(0);
		gate.open();
	});
});

it("13.2. operations that need no wait give others their turn after every 64", async () => {
	let done = 0;
	const at: number[] = [];
	const gate = new Gate();
	await using world = await World.start(async (ctx) => {
		const look = () => {
			at.push(done);
			if (done < 1_000) setImmediate(look);
		};
		setImmediate(look);
		for (; done < 1_000; done++) {
			await ctx.step({ name: `s${done}`, ephemeral: true, run: () => {} });
		}
		await gate.passed;
	});
	await eventually(() => expect(at.at(-1)).toBe(1_000));
	const between = at.slice(1).map((count, index) => count - at[index]!);
	expect(Math.max(...between)).toBeLessThanOrEqual(64);
	expect(at.length).toBeGreaterThan(1_000 / 64);
	gate.open();
	await eventually(async () => expect((await world.status()).state).toBe("completed"));
});

describe("11.4. replay and import of a workflow that comes from its records", () => {
	/** Waits for something foreign between two entries, where a replay comes through again. */
	const program =
		(gates: Gate[]) =>
		async (ctx: Ctx, { ledger }: World) => {
			await ctx.step("first", () => void ledger.push("first"));
			await gates.at(-1)!.passed;
			await ctx.step("second", () => void ledger.push("second"));
			await ctx.queue.next("end");
		};

	it.each(["replay", "import"])(
		"%s waits for 5 s until it has come to where it was",
		async (operation) => {
			const gates = [new Gate()];
			gates[0]!.open();
			await using world = await World.start(program(gates));
			const argument = operation === "import" ? await world.call("export") : {};
			for (const comes of [true, false]) {
				gates.push(new Gate());
				await world.crash();
				let answer: unknown = "none";
				world.call(operation, argument).then(
					() => {
						answer = "done";
					},
					({ code }) => {
						answer = code;
					},
				);
				await world.advance(4_900);
				expect(answer).toBe("none");
				if (comes) gates.at(-1)!.open();
				await world.advance(comes ? 10 : 200);
				await eventually(() => expect(answer).toBe(comes ? "done" : "workflow_in_flight"));
				gates.at(-1)!.open();
				await world.settle();
			}
			expect((await world.status()).waitingFor).toMatchObject([{ path: "end" }]);
			const again = operation === "import" ? [] : ["first", "second"];
			expect(world.ledger).toEqual(["first", "second", ...again]);
		},
	);
});

describe("1.5. what works between entries and in steps", () => {
	it("isEvicted() says that the actor stops, of both contexts", async () => {
		const seen: boolean[][] = [];
		const stopped = new Gate();
		await using world = await World.start(async (ctx) => {
			const look = (c: { isEvicted(): boolean }) => seen.push([ctx.isEvicted(), c.isEvicted()]);
			await ctx.step("s", async (c) => {
				look(c);
				await new Promise((resolve) => c.abortSignal.addEventListener("abort", resolve));
				look(c);
				stopped.open();
			});
			await ctx.queue.next("end");
		});
		expect(seen).toEqual([[false, false]]);
		await world.nap();
		await stopped.passed;
		expect(seen).toEqual([
			[false, false],
			[true, true],
		]);
		await world.state();
		await world.settle();
		// It was recorded in the grace period.
		expect(seen).toHaveLength(2);
		expect((await world.status()).waitingFor).toMatchObject([{ path: "end" }]);
	});

	it("isEvicted() is true between entries once the actor stops", async () => {
		const seen: boolean[] = [];
		await using world = await World.start(async (ctx) => {
			ctx.abortSignal.addEventListener("abort", () => seen.push(ctx.isEvicted()));
			seen.push(ctx.isEvicted());
			await ctx.queue.next("end");
		});
		expect(seen).toEqual([false]);
		await world.nap();
		expect(seen).toEqual([false, true]);
	});

	it.each(["between entries", "in a step"])(
		"keepAwake keeps the actor awake: %s",
		async (where) => {
			const gate = new Gate();
			await using world = await World.start(
				async (ctx) => {
					if (where === "in a step") await ctx.step("s", (c) => void c.keepAwake(gate.passed));
					else void ctx.keepAwake(gate.passed);
					await ctx.queue.next("end", { names: ["control"] });
				},
				{ options: { sleepTimeout: 1_000 } },
			);
			await world.advance(10_000);
			expect(world.isAwake).toBe(true);
			expect((await world.status()).waitingFor).toMatchObject([{ path: "end" }]);
			gate.open();
			await world.advance(2_000);
			expect(world.isAwake).toBe(false);
		},
	);
});
