// Random workflow programs on a process that ends at random commits, against what they come to on paper.
import fc from "fast-check";
import { expect, it } from "vitest";
import { Loop } from "../../src/workflow/index.ts";
import { type Death, survive } from "./support/survival.ts";
import type { Ctx } from "./support/world.ts";

type Node =
	| {
			readonly kind: "step";
			readonly add: number;
			readonly fails: number;
			readonly isAtomic: boolean;
	  }
	| { readonly kind: "ephemeral"; readonly add: number }
	| { readonly kind: "sleep"; readonly ms: number }
	| { readonly kind: "queue"; readonly isCompletable: boolean }
	| { readonly kind: "send" }
	| { readonly kind: "loop"; readonly times: number; readonly body: readonly Node[] }
	| { readonly kind: "join"; readonly branches: readonly (readonly Node[])[] }
	| { readonly kind: "race"; readonly body: readonly Node[] }
	| { readonly kind: "lost"; readonly body: readonly Take[]; readonly ms: number }
	| { readonly kind: "try"; readonly body: readonly Node[]; readonly throws: boolean };

/** What a branch does that loses its race: it takes messages, and does nothing with them. */
type Take =
	| { readonly kind: "take"; readonly isCompletable: boolean }
	| { readonly kind: "sleep"; readonly ms: number }
	| { readonly kind: "fail" }
	| {
			readonly kind: "loop";
			readonly times: number;
			readonly keep: number;
			readonly body: readonly Take[];
	  }
	| { readonly kind: "join"; readonly branches: readonly (readonly Take[])[] }
	| { readonly kind: "race"; readonly branches: readonly (readonly Take[])[] }
	| { readonly kind: "try"; readonly body: readonly Take[] };

const { takes } = fc.letrec<{ takes: readonly Take[]; take: Take }>((tie) => {
	const depth = { depthIdentifier: "takes" };
	const branches = fc.array(tie("takes"), { minLength: 1, maxLength: 2, ...depth });
	return {
		takes: fc.array(tie("take"), { minLength: 1, maxLength: 3, ...depth }),
		take: fc.oneof(
			{ ...depth, maxDepth: 2 },
			{
				weight: 4,
				arbitrary: fc.record({
					kind: fc.constant("take" as const),
					isCompletable: fc.constantFrom(false, false, false, true),
				}),
			},
			{
				weight: 1,
				arbitrary: fc.record({
					kind: fc.constant("sleep" as const),
					ms: fc.constantFrom(0, 1, 15, 60),
				}),
			},
			{ weight: 1, arbitrary: fc.constant({ kind: "fail" as const }) },
			{
				weight: 2,
				arbitrary: fc.record({
					kind: fc.constant("loop" as const),
					times: fc.integer({ min: 1, max: 3 }),
					keep: fc.nat(1),
					body: tie("takes"),
				}),
			},
			{ weight: 3, arbitrary: fc.record({ kind: fc.constant("join" as const), branches }) },
			{ weight: 3, arbitrary: fc.record({ kind: fc.constant("race" as const), branches }) },
			{
				weight: 2,
				arbitrary: fc.record({ kind: fc.constant("try" as const), body: tie("takes") }),
			},
		) as fc.Arbitrary<Take>,
	};
});

const { program } = fc.letrec<{ program: readonly Node[]; node: Node }>((tie) => ({
	program: fc.array(tie("node"), { minLength: 1, maxLength: 4, depthIdentifier: "tree" }),
	node: fc.oneof(
		{ depthIdentifier: "tree", maxDepth: 3 },
		{
			weight: 4,
			arbitrary: fc.record({
				kind: fc.constant("step" as const),
				add: fc.nat(9),
				fails: fc.constantFrom(0, 0, 0, 1),
				isAtomic: fc.boolean(),
			}),
		},
		{
			weight: 1,
			arbitrary: fc.record({ kind: fc.constant("ephemeral" as const), add: fc.nat(9) }),
		},
		{
			weight: 2,
			arbitrary: fc.record({
				kind: fc.constant("sleep" as const),
				ms: fc.constantFrom(0, 1, 15, 60),
			}),
		},
		{
			weight: 2,
			arbitrary: fc.record({ kind: fc.constant("queue" as const), isCompletable: fc.boolean() }),
		},
		{ weight: 1, arbitrary: fc.constant({ kind: "send" as const }) },
		{
			weight: 2,
			arbitrary: fc.record({
				kind: fc.constant("loop" as const),
				times: fc.integer({ min: 1, max: 3 }),
				body: tie("program"),
			}),
		},
		{
			weight: 2,
			arbitrary: fc.record({
				kind: fc.constant("join" as const),
				branches: fc.array(tie("program"), { minLength: 1, maxLength: 3, depthIdentifier: "tree" }),
			}),
		},
		{
			weight: 1,
			arbitrary: fc.record({ kind: fc.constant("race" as const), body: tie("program") }),
		},
		{
			weight: 1,
			arbitrary: fc.record({
				kind: fc.constant("lost" as const),
				body: takes,
				ms: fc.constantFrom(1, 50, 120, 250),
			}),
		},
		{
			weight: 1,
			arbitrary: fc.record({
				kind: fc.constant("try" as const),
				body: tie("program"),
				throws: fc.boolean(),
			}),
		},
	) as fc.Arbitrary<Node>,
}));

/** What a program comes to: the sum of its steps and of its messages, each of which is worth 100. */
function onPaper(nodes: readonly Node[]): { sum: number; messages: number; sends: number } {
	const total = { sum: 0, messages: 0, sends: 0 };
	const add = (other: typeof total, times = 1) => {
		total.sum += other.sum * times;
		total.messages += other.messages * times;
		total.sends += other.sends * times;
	};
	for (const node of nodes) {
		switch (node.kind) {
			case "step":
			case "ephemeral":
				total.sum += node.add;
				break;
			case "queue":
				total.sum += 100;
				total.messages++;
				break;
			case "send":
				total.sends++;
				break;
			case "loop":
				add(onPaper(node.body), node.times);
				break;
			case "join":
				for (const branch of node.branches) add(onPaper(branch));
				break;
			case "race":
			case "try":
				add(onPaper(node.body));
				break;
			case "sleep":
			case "lost":
				break;
			default:
				node satisfies never;
		}
	}
	return total;
}

async function run(ctx: Ctx, nodes: readonly Node[]): Promise<void> {
	for (const [index, node] of nodes.entries()) await runNode(ctx, node, `${node.kind} ${index}`);
}

async function runNode(ctx: Ctx, node: Node, name: string): Promise<void> {
	switch (node.kind) {
		case "step":
			await ctx.step({
				name,
				retryBackoffBase: 5,
				maxRetries: 1_000,
				atomic: node.isAtomic,
				run: async (c) => {
					if (c.attempt <= node.fails) throw new Error("not yet");
					await new Promise((resolve) => setImmediate(resolve));
					c.state.n += node.add;
				},
			});
			return;
		case "ephemeral":
			await ctx.step({
				name,
				ephemeral: true,
				run: (c) => {
					c.state.n += node.add;
				},
			});
			return;
		case "sleep":
			await ctx.sleep(name, node.ms);
			return;
		case "queue": {
			const { isCompletable } = node;
			const message = await ctx.queue.next(name, { names: ["work"], completable: isCompletable });
			await ctx.step(`${name} step`, async (c) => {
				c.state.n += message.body as number;
				await (message as { complete?: () => Promise<void> }).complete?.();
			});
			return;
		}
		case "send":
			await ctx.queue.send("out", name);
			return;
		case "loop":
			await ctx.loop({
				name,
				state: 1,
				historyKeep: node.times % 2,
				run: async (loop, n) => {
					await run(loop, node.body);
					return n === node.times ? Loop.break() : Loop.continue(n + 1);
				},
			});
			return;
		case "join":
			await ctx.join(
				name,
				Object.fromEntries(
					node.branches.map((branch, index) => [`b${index}`, { run: (b: Ctx) => run(b, branch) }]),
				),
			);
			return;
		case "race": {
			const won = await ctx.race(name, [
				{ name: "body", run: (b) => run(b, node.body) },
				{ name: "never", run: (b) => b.sleep("s", 1e9) },
			]);
			if (won.winner !== "body") throw new Error("the wrong branch won");
			return;
		}
		case "lost": {
			const won = await ctx.race(name, [
				{
					name: "body",
					run: async (b) => {
						await take(b, node.body).catch(() => {});
						await b.sleep("long", 1e9);
					},
				},
				{ name: "timer", run: (b) => b.sleep("t", node.ms) },
			]);
			if (won.winner !== "timer") throw new Error("the wrong branch won");
			return;
		}
		case "try": {
			const result = await ctx.try(name, async (b) => {
				await run(b, node.body);
				if (node.throws) {
					await b.step({
						name: "throws",
						maxRetries: 0,
						run: () => Promise.reject(new Error("t")),
					});
				}
			});
			if (result.ok === node.throws) throw new Error("the block came to something else");
			return;
		}
		default:
			node satisfies never;
	}
}

async function take(ctx: Ctx, nodes: readonly Take[]): Promise<void> {
	for (const [index, node] of nodes.entries()) await takeNode(ctx, node, `${node.kind} ${index}`);
}

async function takeNode(ctx: Ctx, node: Take, name: string): Promise<void> {
	switch (node.kind) {
		case "take":
			await ctx.queue.next(name, {
				names: ["work"],
				completable: node.isCompletable,
				allowOpen: true,
			});
			return;
		case "sleep":
			await ctx.sleep(name, node.ms);
			return;
		case "fail":
			throw new Error("no");
		case "loop":
			await ctx.loop({
				name,
				state: 1,
				historyKeep: node.keep,
				run: async (loop, n) => {
					await take(loop, node.body);
					return n === node.times ? Loop.break() : Loop.continue(n + 1);
				},
			});
			return;
		case "join":
			await ctx
				.join(
					name,
					Object.fromEntries(
						node.branches.map((branch, index) => [
							`b${index}`,
							{ run: (b: Ctx) => take(b, branch) },
						]),
					),
				)
				.catch(() => {});
			return;
		case "race":
			await ctx
				.race(
					name,
					node.branches.map((branch, index) => ({
						name: `b${index}`,
						run: (b: Ctx) => take(b, branch),
					})),
				)
				.catch(() => {});
			return;
		case "try":
			await ctx.try(name, (b) => take(b, node.body)).catch(() => {});
			return;
		default:
			node satisfies never;
	}
}

const deaths = fc.array(
	fc.record<Death>({
		commit: fc.integer({ min: 1, max: 12 }),
		side: fc.constantFrom<Death["side"]>("before", "after"),
	}),
	{ maxLength: 8 },
);

const takesOne: Take = { kind: "take", isCompletable: false };

/** Losers only, with as many messages as they can take, which the code behind them has to get. */
it("give back what losers have taken, wherever the process ends and with a cold start at every wait", async () => {
	await fc.assert(
		fc.asyncProperty(
			fc.array(takes, { minLength: 1, maxLength: 2 }),
			fc.integer({ min: 1, max: 6 }),
			fc.boolean(),
			deaths,
			async (losers, messages, yields, dies) => {
				const nodes: Node[] = [
					...losers.map((body) => ({ kind: "lost" as const, body, ms: 250 })),
					...Array.from({ length: messages }, () => ({
						kind: "queue" as const,
						isCompletable: false,
					})),
				];
				const outcome = await survive(
					{
						fn: (ctx) => run(ctx, nodes),
						messages: Array.from({ length: messages }, () => ({ name: "work", body: 100 })),
					},
					dies,
					{ yields, looksMax: 200 },
				);
				expect([outcome.head.state, outcome.state.n]).toEqual(["completed", messages * 100]);
				expect(outcome.waiting).toBe(0);
			},
		),
		{
			numRuns: 60,
			// What fails uncaught is written down, but not with each start again.
			examples: [[[[{ kind: "try", body: [{ kind: "fail" }] }, takesOne]], 2, true, []]],
		},
	);
});

it("come to what they come to on paper, wherever the process ends", async () => {
	await fc.assert(
		fc.asyncProperty(program, deaths, async (nodes, dies) => {
			const { sum, messages, sends } = onPaper(nodes);
			fc.pre(messages <= 12 && sum < 5_000);
			const outcome = await survive(
				{
					fn: (ctx) => run(ctx, nodes),
					messages: Array.from({ length: messages }, () => ({ name: "work", body: 100 })),
				},
				dies,
			);
			expect(outcome.head.state).toBe("completed");
			expect(outcome.state.n).toBe(sum);
			expect(outcome.waiting).toBe(sends);
		}),
		{ numRuns: 60 },
	);
});
