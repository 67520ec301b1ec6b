// Conformance checks of workflows 15: queues (28 to 30, 32, 33), and the guide's examples (1, 2).
import { expect, it } from "vitest";
import { Loop } from "../../src/workflow/index.ts";
import { eventually } from "../support/eventually.ts";
import { everywhere, onMemory } from "./support/boundaries.ts";
import { type Ctx, World } from "./support/world.ts";

everywhere((on) => {
	it("28. takes by name, in order, what is there, up to a count", async () => {
		await using world = await World.start(async (ctx) => {
			const wait = await ctx.queue.next("go", { names: ["control"] });
			const batch = await ctx.queue.nextBatch("batch", { names: ["work"], count: 3 });
			const rest = await ctx.queue.nextBatch("rest", { count: 10 });
			await ctx.step("note", () => {
				ctx.state.log.push(
					String(wait.body),
					...batch.map(({ body }) => `batch ${body}`),
					...rest.map(({ name, body }) => `${name} ${body}`),
				);
			});
		}, on);
		for (const n of [1, 2, 3, 4]) await world.send("work", n);
		await world.send("out", 5);
		await world.send("control", "go");
		const expected = ["go", "batch 1", "batch 2", "batch 3", "work 4", "out 5"];
		await eventually(async () => expect((await world.state()).log).toEqual(expected));
		expect(await world.call("size")).toBe(0);
	});

	it("28. times out as the contract says, with a deadline that no restart moves", async () => {
		await using world = await World.start(async (ctx, { ledger, clock }) => {
			const batch = await ctx.queue.nextBatch("batch", { timeout: 1_000 });
			ledger.push(`${batch.length} ${clock.now()}`);
			const polled = await ctx.queue.nextBatch("poll", { timeout: 0 });
			try {
				await ctx.queue.next("next", { timeout: 500 });
			} catch (error) {
				await ctx.step("note", () => {
					ctx.state.log.push(
						(error as Error).name,
						(error as Error).message,
						String(polled.length),
					);
				});
			}
		}, on);
		await world.advance(600);
		await world.crash();
		await world.advance(410);
		expect(world.ledger.length).toBeGreaterThan(0);
		await world.advance(600);
		expect((await world.state()).log).toEqual([
			"QueueTimeoutError",
			'queue.next("next") timed out before receiving a message. Use queue.nextBatch(...) for optional/time-limited reads.',
			"0",
		]);
	});

	it("28. a poll takes what is there", async () => {
		await using world = await World.start(async (ctx) => {
			await ctx.queue.next("go", { names: ["control"] });
			const [message] = await ctx.queue.nextBatch("poll", { names: ["work"], timeout: 0 });
			await ctx.step("note", () => void ctx.state.log.push(String(message?.body)));
		}, on);
		await world.send("work", "there");
		await world.send("control", 1);
		await eventually(async () => expect((await world.state()).log).toEqual(["there"]));
	});

	it("29. a message that was sent in time wins over the deadline, one that was not does not", async () => {
		for (const [sentAt, expected] of [
			[900, "work"],
			[1_100, "timeout"],
		] as const) {
			await using world = await World.start(async (ctx) => {
				const [message] = await ctx.queue.nextBatch("wait", { names: ["work"], timeout: 1_000 });
				await ctx.step("note", () => void ctx.state.log.push(message?.name ?? "timeout"));
			}, on);
			// Nobody looks while the message comes and the time passes.
			await world.call("pause");
			await world.advance(sentAt);
			await world.send("work", 1);
			await world.advance(2_000);
			await world.call("resume");
			await world.settle();
			expect((await world.state()).log).toEqual([expected]);
		}
	});

	it("30. answers the sender when the message is completed, between entries or in a step", async () => {
		await using world = await World.start(async (ctx, { ledger }) => {
			const first = await ctx.queue.next("first", { names: ["work"], completable: true });
			await first.complete(`got ${first.body}`);
			try {
				await first.complete("again");
			} catch (error) {
				ledger.push((error as Error).message);
			}
			const second = await ctx.queue.next("second", { names: ["work"], completable: true });
			await ctx.step("work", async (c) => {
				ledger.push(`try ${c.attempt}`);
				await second.complete(`try ${c.attempt}`);
				if (c.attempt === 1) throw new Error("no");
			});
			await ctx.queue.next("forever", { names: ["control"] });
		}, on);
		const answer = await world.ask("work", "a");
		expect(answer.outcome?.response).toBe("got a");
		const pending = world.ask("work", "b");
		await eventually(() => expect(world.ledger).toContain("try 1"));
		await world.settle();
		expect(await world.call("size")).toBe(1);
		await world.advance(300);
		expect((await pending).outcome?.response).toBe("try 2");
		expect(world.ledger.filter((line) => line.startsWith("try"))).toEqual(["try 1", "try 2"]);
		expect(world.ledger).toContain("Queue message already completed");
		await world.crash();
		expect(await world.call("size")).toBe(0);
	});

	it("28. takes all messages that were delayed to the same time, one by one, over a crash, too", async () => {
		for (const crashes of [false, true]) {
			await using world = await World.start(async (ctx) => {
				await ctx.loop("l", async (loop) => {
					const message = await loop.queue.next("m", { names: ["work"], completable: true });
					await loop.step("note", async (c) => {
						c.state.log.push(`${message.body} ${message.attempt}`);
						await message.complete();
					});
				});
			}, on);
			for (const n of [1, 2, 3]) await world.call("put", "work", n, { delay: 1_000 });
			if (crashes) await world.crash();
			await world.advance(1_010);
			await eventually(async () => expect((await world.state()).log).toHaveLength(3));
			await world.crash();
			expect([(await world.state()).log, await world.call("size")]).toEqual([
				["1 1", "2 1", "3 1"],
				0,
			]);
		}
	});

	it("33. hands every message to exactly one of two branches and a plain consumer", async () => {
		await using world = await World.start(async (ctx) => {
			const { a, b } = await ctx.join("both", {
				a: { run: async (branch) => (await branch.queue.next("m", { names: ["work"] })).body },
				b: { run: async (branch) => (await branch.queue.next("m", { names: ["work"] })).body },
			});
			await ctx.step("note", () => void ctx.state.log.push(`${a} ${b}`));
		}, on);
		const plain = world.call("receive", ["work"]);
		await world.settle();
		for (const n of [1, 2, 3]) await world.send("work", n);
		await eventually(async () => expect((await world.state()).log).toHaveLength(1));
		const all = [...(await world.state()).log[0]!.split(" ").map(Number), await plain];
		expect(all.sort()).toEqual([1, 2, 3]);
	});

	it("1. drains a queue with one effect per message", async () => {
		await using world = await World.start(async (ctx, { ledger }) => {
			await ctx.loop("task-loop", async (loop) => {
				const message = await loop.queue.next("wait-task", { names: ["work"] });
				await loop.step("process-task", async () => {
					ledger.push(`POST ${message.body}`);
					loop.state.n += 1;
				});
			});
		}, on);
		for (const url of ["a", "b", "c"]) await world.send("work", url);
		await eventually(async () => expect((await world.state()).n).toBe(3));
		expect(world.ledger).toEqual(["POST a", "POST b", "POST c"]);
	});

	it("2. sets up once, handles what comes, tears down, and leaves the actor readable", async () => {
		await using world = await World.start(
			async (ctx, { ledger }) => {
				await ctx.step("setup", async () => void ledger.push("init"));
				const reason = await ctx.loop("worker-loop", async (loop) => {
					const message = await loop.queue.next("wait-command", { names: ["work", "control"] });
					if (message.name === "work") {
						await loop.step("apply-work", async () => {
							loop.state.n += message.body as number;
						});
						return;
					}
					return Loop.break(message.body as string);
				});
				await ctx.step("teardown", async () => void ledger.push(`shutdown ${reason}`));
			},
			{ ...on, options: { sleepTimeout: 300 } },
		);
		for (const n of [1, 2, 3, 4, 5]) {
			await world.send("work", n);
			await world.advance(500);
		}
		await world.send("control", "stop");
		await eventually(() => expect(world.ledger).toEqual(["init", "shutdown stop"]));
		await world.advance(1_000);
		expect((await world.state()).n).toBe(15);
		expect((await world.status()).state).toBe("completed");
	});
});

onMemory.it(
	"32. drains 5,000 messages with one commit each, at most",
	async () => {
		const fn = async (ctx: Ctx) => {
			await ctx.queue.next("go", { names: ["control"] });
			await ctx.loop("drain", async (loop) => {
				const message = await loop.queue.next("next", { names: ["work"] });
				await loop.step("add", () => {
					loop.state.n += message.body as number;
				});
			});
		};
		await using world = await World.start(fn, { options: { maxQueueSize: 10_000 } });
		for (let at = 0; at < 5_000; at += 250) {
			await Promise.all(
				Array.from({ length: 250 }, () =>
					fetch(`${world.runtime.url}/gateway/${world.id}/queue/work`, {
						method: "POST",
						body: JSON.stringify({ body: 1 }),
					}),
				),
			);
		}
		const before = world.store.commits.length;
		await world.send("control", "go");
		await eventually(async () => expect((await world.state()).n).toBe(5_000), 200_000);
		// Every 64 messages are read together, and others get their turn.
		expect(world.store.commits.length - before).toBeLessThanOrEqual(5_250);
	},
	300_000,
);
