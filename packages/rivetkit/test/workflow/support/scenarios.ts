import { Loop } from "../../../src/workflow/index.ts";
import type { Scenario } from "./survival.ts";
import type { Ctx } from "./world.ts";

const work = (count: number, wait: (n: number) => boolean = () => false) =>
	Array.from({ length: count }, (_, n) => ({ name: "work" as const, body: n + 1, wait: wait(n) }));

const sum = (count: number) => (count * (count + 1)) / 2;

/** State and record of a step are one: `n` counts, and `log` names, the steps that are finished. */
const together: Scenario["mismatch"] = ({ n, log }, completed) =>
	n === log.length && [...log].sort().join() === [...completed].sort().join()
		? undefined
		: `state ${n} ${log} with finished steps ${completed}`;

/** The actor, for one of its own steps to call. */
function itself(c: { readonly actorId: string; client(): unknown }): { other(): Promise<void> } {
	const { subject } = c.client() as {
		subject: { getForId(id: string): { other(): Promise<void> } };
	};
	return subject.getForId(c.actorId);
}

/** A message, a step that works on it, and its completion, `count` times; half of the senders wait. */
const completions = (count: number): Scenario => ({
	messages: work(count, (n) => n % 2 === 0),
	fn: async (ctx, { ledger }) => {
		await ctx.loop({
			name: "loop",
			state: 0,
			run: async (loop, n) => {
				const message = await loop.queue.next("next", { names: ["work"], completable: true });
				await loop.step("add", async () => {
					ledger.push(`add ${message.body}`);
					loop.state.n += message.body as number;
				});
				await message.complete({ total: n });
				return n === count - 1 ? Loop.break() : Loop.continue(n + 1);
			},
		});
	},
});

const races = (count: number): Scenario => ({
	messages: work(count),
	fn: async (ctx) => {
		await ctx.loop({
			name: "loop",
			state: 0,
			run: async (loop, n) => {
				const won = await loop.race("race", [
					{
						name: "message",
						run: async (b) => {
							const { body } = await b.queue.next("m");
							await b.step("s", (c) => {
								c.state.n += body as number;
							});
							return body as number;
						},
					},
					{ name: "timer", run: (b) => b.sleep("t", 100_000).then(() => 0) },
				]);
				return n + won.value >= sum(count) ? Loop.break() : Loop.continue(n + won.value);
			},
		});
	},
});

const loopsInLoops = (count: number): Scenario => ({
	fn: async (ctx) => {
		await ctx.loop({
			name: "outer",
			state: 0,
			historyKeep: 3,
			run: async (outer, n) => {
				const version = await outer.getVersion("v", 2);
				await outer.loop({
					name: "inner",
					state: 0,
					historyKeep: 1,
					run: async (inner, m) => {
						await inner.step("s", (c) => {
							c.state.n += version;
						});
						return m === 1 ? Loop.break() : Loop.continue(m + 1);
					},
				});
				return n === count - 1 ? Loop.break() : Loop.continue(n + 1);
			},
		});
	},
});

/** Scenarios at the sizes of the contract, which are too many commits to end each run at another one. */
export const LARGE_SCENARIOS: Readonly<Record<string, Scenario>> = {
	"59. twenty messages": completions(20),
	"62. twenty races": races(20),
	"64. a hundred iterations": loopsInLoops(100),
};

/** Workflows of every kind, each with what the outside does to it (workflows 15, checks 58 to 65). */
export const SCENARIOS: Readonly<Record<string, Scenario>> = {
	"58. three steps": {
		mismatch: together,
		fn: async (ctx, { ledger }) => {
			for (const name of ["a", "b", "c"]) {
				await ctx.step(name, async (c) => {
					ledger.push(name);
					c.state.n += 1;
					await new Promise((resolve) => setImmediate(resolve));
					c.state.log.push(name);
				});
			}
			return "done";
		},
	},
	"59. a loop that receives, works and completes": completions(6),
	"59b. a loop that receives plain messages": {
		messages: work(6),
		fn: async (ctx, { ledger }) => {
			await ctx.loop({
				name: "loop",
				state: 0,
				historyKeep: 2,
				run: async (loop, n) => {
					const message = await loop.queue.next("next", { names: ["work"] });
					await loop.step("add", () => {
						ledger.push(`add ${message.body}`);
						loop.state.n += message.body as number;
					});
					return n === 5 ? Loop.break(n) : Loop.continue(n + 1);
				},
			});
		},
	},
	"60. timed batches": {
		messages: work(4),
		tickMs: 35,
		fn: async (ctx) => {
			await ctx.loop({
				name: "loop",
				state: 0,
				run: async (loop, n) => {
					const batch = await loop.queue.nextBatch("batch", { timeout: 50, count: 10 });
					const sum = batch.reduce((total, { body }) => total + (body as number), 0);
					await loop.step("add", (c) => {
						c.state.n += sum;
					});
					return n + sum >= 10 ? Loop.break() : Loop.continue(n + sum);
				},
			});
		},
	},
	"61. a join in a loop": {
		messages: work(3),
		fn: async (ctx, { ledger }) => {
			await ctx.loop({
				name: "loop",
				state: 0,
				historyKeep: 1,
				run: async (loop, n) => {
					const joined = await loop.join("join", {
						sleep: { run: (b) => b.sleep("s", 30) },
						flaky: {
							run: (b) =>
								b.step({
									name: "f",
									retryBackoffBase: 5,
									maxRetries: 1_000,
									run: (c) => {
										ledger.push(`flaky ${n}`);
										if (c.attempt < 3) throw new Error("no");
										c.state.other += 1;
										return 1;
									},
								}),
						},
						message: { run: async (b) => (await b.queue.next("m")).body as number },
					});
					await loop.step("add", (c) => {
						c.state.n += joined.message + joined.flaky;
					});
					return n === 2 ? Loop.break() : Loop.continue(n + 1);
				},
			});
		},
	},
	"62. races of a message and a timer": races(5),
	"62b. races of two queues with messages in both": {
		messages: [1, 2, 3].flatMap((n) => [
			{ name: "work" as const, body: n },
			{ name: "control" as const, body: 10 * n },
		]),
		fn: async (ctx) => {
			await ctx.sleep("until all are there", 500);
			const next = (name: "work" | "control") => ({
				name,
				run: async (b: Ctx) => (await b.queue.next("m", { names: [name] })).body as number,
			});
			await ctx.loop({
				name: "loop",
				state: 0,
				run: async (loop, sum) => {
					const won = await loop.race("race", [
						next("work"),
						next("control"),
						// Its step has commits come between the end of a branch and the decision.
						{
							name: "busy",
							run: async (b) => {
								await b.step("s", () => {});
								await b.sleep("long", 1e7);
								return 0;
							},
						},
					]);
					await loop.step("add", (c) => {
						c.state.n += won.value;
						c.state.log.push(won.winner);
					});
					return sum + won.value >= 66 ? Loop.break() : Loop.continue(sum + won.value);
				},
			});
		},
	},
	...Object.fromEntries(
		[0, 1, 2, 3].map((failing): [string, Scenario] => [
			`63. a saga that fails at ${failing}`,
			{
				ends: "failed",
				tickMs: 500,
				fn: async (ctx, { ledger }) => {
					await ctx.rollbackCheckpoint("checkpoint");
					for (let n = 0; n < 4; n++) {
						await ctx.step({
							name: `book ${n}`,
							maxRetries: 0,
							run: (c) => {
								if (n === failing) throw new Error(`fails at ${n}`);
								c.state.n += 1;
								return n;
							},
							rollback: (c, output) => {
								ledger.push(`undo ${output}`);
								if (c.attempt === 1) throw new Error("flaky");
								c.state.n -= 1;
								c.state.log.push(`undone ${output}`);
							},
						});
					}
				},
			},
		]),
	),
	"64. loops in loops with versions": loopsInLoops(6),
	"65. steps while an action writes": {
		repeatsCalls: true,
		mismatch: together,
		fn: async (ctx) => {
			for (const name of ["a", "b", "c"]) {
				await ctx.step(name, async (c) => {
					// It commits in the middle of the step.
					await itself(c).other();
					c.state.n += 1;
					c.state.log.push(name);
				});
			}
		},
	},
	"65b. atomic steps while an action writes": {
		repeatsCalls: true,
		mismatch: together,
		fn: async (ctx) => {
			for (const name of ["a", "b", "c"]) {
				await ctx.step({
					name,
					atomic: true,
					run: async (c) => {
						c.state.n += 1;
						// It waits for the end of the step.
						itself(c)
							.other()
							.catch(() => {});
						for (let turn = 0; turn < 5; turn++) {
							await new Promise((resolve) => setImmediate(resolve));
						}
						c.state.log.push(name);
					},
				});
			}
		},
	},
	"all kinds together": {
		messages: [{ name: "control", body: 5 }, ...work(2)],
		fn: async (ctx, { clock }) => {
			await ctx.rollbackCheckpoint("checkpoint");
			await ctx.queue.send("out", "hello");
			await ctx.step("send", async (c) => {
				await c.queue.send("control", 7);
				c.state.n += 1;
			});
			const first = await ctx.queue.next("first", { names: ["control"] });
			const second = await ctx.queue.next("second", { names: ["control"] });
			const out = await ctx.queue.next("out", { names: ["out"], completable: true });
			const block = await ctx.try("block", async (b) => {
				await b.sleep("s", 10);
				await b.step({ name: "fails", maxRetries: 0, run: () => Promise.reject(new Error("x")) });
			});
			await ctx.step("complete", async (c) => {
				await out.complete();
				c.state.n += (first.body as number) + (second.body as number);
				c.state.log.push(String(block.ok), String(out.body));
			});
			await ctx.sleepUntil("until", clock.now() - 5);
			await branches(ctx);
		},
	},
	"all kinds together, undone at the end": {
		ends: "failed",
		messages: work(2),
		fn: async (ctx, { ledger }) => {
			await ctx.rollbackCheckpoint("checkpoint");
			const undoable = (by: number) => ({
				run: (c: Changing) => {
					ledger.push(`do ${by}`);
					c.state.n += by;
					return by;
				},
				rollback: (c: Changing) => {
					ledger.push(`undo ${by}`);
					c.state.n -= by;
					c.state.log.push(`undone ${by}`);
				},
			});
			await ctx.step({ name: "first", ...undoable(1) });
			await ctx.loop({
				name: "loop",
				state: 0,
				historyKeep: 0,
				run: async (loop, n) => {
					const { body } = await loop.queue.next("m", { names: ["work"] });
					await loop.step({ name: "s", ...undoable(10 * (body as number)) });
					return n === 1 ? Loop.break() : Loop.continue(n + 1);
				},
			});
			// One after the other: in which order two of a join end is a matter of the clock.
			await ctx.join("join", {
				a: { run: (b) => b.step({ name: "s", ...undoable(100) }) },
				b: {
					run: async (b) => {
						await b.sleep("later", 50);
						await b.step({ name: "s", ...undoable(200) });
					},
				},
			});
			await ctx.race("race", [
				{ name: "quick", run: (q) => q.step({ name: "s", ...undoable(1_000) }) },
				{ name: "slow", run: (s) => s.sleep("s", 1e7) },
			]);
			await ctx.sleep("a while", 10);
			await ctx.step({ name: "fails", maxRetries: 0, run: () => Promise.reject(new Error("no")) });
		},
	},
};

/** What a step's context and a handler's have in common here. */
interface Changing {
	readonly state: { n: number; log: string[] };
}

async function branches(ctx: Ctx): Promise<void> {
	await ctx.join("join", {
		loop: {
			run: (b) =>
				b.loop({
					name: "l",
					state: 0,
					run: async (it, n) => {
						const message = await it.queue.next("m", { names: ["work"] });
						await it.step("s", (c) => {
							c.state.n += message.body as number;
						});
						return n === 1 ? Loop.break() : Loop.continue(n + 1);
					},
				}),
		},
		race: {
			run: (b) =>
				b.race("r", [
					{ name: "quick", run: (q) => q.sleep("q", 5) },
					{ name: "slow", run: (s) => s.sleep("s", 1e7) },
				]),
		},
	});
}
