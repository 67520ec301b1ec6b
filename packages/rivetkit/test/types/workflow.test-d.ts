// Workflows in types (contract: workflows 12).
import {
	actor,
	event,
	queue,
	type WorkflowBranchContextOf,
	type WorkflowContextOf,
	type WorkflowLoopContextOf,
	type WorkflowStepContextOf,
} from "rivetkit";
import { type ActorWorkflowContext, Loop, type WorkflowContext, workflow } from "rivetkit/workflow";
import { expectTypeOf } from "vitest";

type Work = { amount: number };
type Control = { type: "stop"; reason: string };

// Types come from the actor around it; helpers refer to the actor they are part of (12.1, 12.2).
const worker = actor({
	state: { phase: "idle" as "idle" | "running", total: 0 },
	vars: { cache: new Map<string, number>() },
	events: { progress: event<number>() },
	queues: { work: queue<Work, { done: boolean }>(), control: queue<Control>() },
	run: workflow(async (ctx) => {
		expectTypeOf(ctx.state).toEqualTypeOf<{ phase: "idle" | "running"; total: number }>();
		expectTypeOf(ctx.vars).toEqualTypeOf<{ cache: Map<string, number> }>();
		expectTypeOf(ctx.db).toEqualTypeOf<never>();
		ctx.broadcast("progress", 1);
		// @ts-expect-error not a declared event
		ctx.broadcast("other", 1);
		await helper(ctx);
		await ctx.step("setup", async (c) => {
			ctx.state.phase = "running";
			inStep(ctx);
			inStep(c);
			expectTypeOf(c.attempt).toEqualTypeOf<number>();
			expectTypeOf(c.idempotencyKey).toEqualTypeOf<string>();
			c.destroy();
			// @ts-expect-error no entries inside steps
			c.step;
		});

		// A loop whose body also returns nothing (12.4).
		const reason = await ctx.loop("worker", async (loop) => {
			inLoop(loop);
			const message = await loop.queue.next("wait", { names: ["work", "control"] });
			if (message.name === "work") {
				expectTypeOf(message.body).toEqualTypeOf<Work>();
				return;
			}
			expectTypeOf(message.body).toEqualTypeOf<Control>();
			return Loop.break(message.body.reason);
		});
		expectTypeOf(reason).toEqualTypeOf<string>();

		const endless = ctx.loop("endless", async () => {});
		expectTypeOf(endless).toEqualTypeOf<Promise<undefined>>();

		const count = await ctx.loop({
			name: "count",
			state: 0,
			run: async (_loop, n) => {
				expectTypeOf(n).toEqualTypeOf<number>();
				return n === 3 ? Loop.break({ n }) : Loop.continue(n + 1);
			},
		});
		expectTypeOf(count).toEqualTypeOf<{ n: number }>();
		const stateless = await ctx.loop({
			name: "stateless",
			historyKeep: 5,
			run: async () => Loop.break("done"),
		});
		expectTypeOf(stateless).toEqualTypeOf<string>();
		// @ts-expect-error an iteration with state must say how it goes on
		await ctx.loop({ name: "void", state: 0, run: async () => {} });

		// Messages: the union, completion, batches (12.3).
		const batch = await ctx.queue.nextBatch("batch", { count: 10, timeout: 100 });
		for (const message of batch) {
			if (message.name === "control") expectTypeOf(message.body).toEqualTypeOf<Control>();
		}
		// One plain message ends here for good, one of both kinds where it need not be completed (12.3).
		const either = await ctx.queue.next("either", { completable: Date.now() > 0 });
		if (either.complete) await either.complete({ done: true });
		else expectTypeOf(either.complete).toEqualTypeOf<undefined>();
		const [control] = await ctx.queue.nextBatch("plain", { names: ["control"] });
		if (!control?.complete) await ctx.sleep("later", 1);
		const open = await ctx.queue.next("open", { names: ["work"], completable: true });
		if (!open.complete) return;
		await open.complete({ done: true });
		// @ts-expect-error the response is required
		await open.complete();
		// @ts-expect-error not a declared queue
		await ctx.queue.next("typo", { names: ["wrok"] });
		await ctx.queue.send("work", { amount: 1 });

		// Branches (12.5).
		const joined = await ctx.join("both", {
			a: { run: async (branch) => branch.step("a", () => 1) },
			b: { run: async (branch) => inBranch(branch) },
		});
		expectTypeOf(joined).toEqualTypeOf<{ a: number; b: string }>();
		const raced = await ctx.race("first", [
			{ name: "message", run: async (branch) => (await branch.queue.next("m")).id },
			{ name: "timer", run: async (branch) => branch.sleep("t", 1_000).then(() => null) },
		]);
		expectTypeOf(raced.winner).toEqualTypeOf<"message" | "timer">();
		expectTypeOf(raced.value).toEqualTypeOf<bigint | null>();
		if (raced.winner === "message") expectTypeOf(raced.value).toEqualTypeOf<bigint>();
		const names: string[] = ["x", "y"];
		const dynamic = await ctx.race(
			"dynamic",
			names.map((name) => ({ name, run: async (_: WorkflowContextOf<typeof worker>) => 1 })),
		);
		expectTypeOf(dynamic).toEqualTypeOf<{ winner: string; value: number }>();

		// Step configuration (12.6).
		const text = await ctx.step<string>({
			name: "text",
			run: async () => "text",
			maxRetries: 5,
			rollback: async (c, out) => {
				expectTypeOf(out).toEqualTypeOf<string>();
				c.state.total -= 1;
			},
		});
		expectTypeOf(text).toEqualTypeOf<string>();
		const tried = await ctx.tryStep("try", () => 1);
		if (tried.ok) expectTypeOf(tried.value).toEqualTypeOf<number>();
		else expectTypeOf(tried.failure.attempts).toEqualTypeOf<number>();
		await ctx.sleepUntil("until", new Date());
		await ctx.removed("old", "step");
		expectTypeOf(ctx.getVersion("v", 2)).toEqualTypeOf<Promise<number>>();
	}),
	actions: {
		total: (c) => c.state.total,
		// The workflow from outside of it (5.6).
		control: async (c) => {
			expectTypeOf(c.workflow.status().state).toEqualTypeOf<
				"pending" | "running" | "sleeping" | "rolling_back" | "completed" | "failed" | "cancelled"
			>();
			await c.workflow.cancel({ reason: "enough", rollback: true });
			await c.workflow.import(await c.workflow.export());
			// @ts-expect-error not an option
			await c.workflow.recover({ skip: [] });
			return c.workflow.history();
		},
	},
});

async function helper(ctx: WorkflowContextOf<typeof worker>): Promise<void> {
	await ctx.sleep("pause", 10);
}
function inLoop(ctx: WorkflowLoopContextOf<typeof worker>): void {
	expectTypeOf(ctx.state.total).toEqualTypeOf<number>();
}
async function inBranch(ctx: WorkflowBranchContextOf<typeof worker>): Promise<string> {
	return ctx.actorId;
}
function inStep(c: WorkflowStepContextOf<typeof worker>): void {
	c.state.total += 1;
	c.broadcast("progress", c.state.total);
}

// A body that is nothing but a helper's call (12.2).
const delegated = actor({
	state: { n: 0 },
	run: workflow(async (ctx) => main(ctx)),
});
async function main(ctx: WorkflowContextOf<typeof delegated>): Promise<void> {
	await ctx.step("n", async () => {
		ctx.state.n += 1;
	});
}

// What the actor lacks is never; without queues any name (12.3).
actor({
	run: workflow(async (ctx) => {
		expectTypeOf(ctx.state).toEqualTypeOf<never>();
		expectTypeOf(ctx.vars).toEqualTypeOf<never>();
		const message = await ctx.queue.next("any", { names: ["whatever"] });
		expectTypeOf(message.body).toEqualTypeOf<unknown>();
	}),
});

// Strict workflows offer data inside steps only (W12).
actor({
	state: { n: 0 },
	run: workflow.strict(async (ctx) => {
		// @ts-expect-error only inside steps
		ctx.state;
		// @ts-expect-error only inside steps
		ctx.client;
		await ctx.loop("loop", async (loop) => {
			// @ts-expect-error only inside steps
			loop.state;
			await loop.step("n", (c) => {
				expectTypeOf(c.state).toEqualTypeOf<{ n: number }>();
			});
			return Loop.break(1);
		});
	}),
});

// Created state and vars that do not need a context are known to the workflow as well.
actor({
	createState: () => ({ n: 0 }),
	createVars: () => ({ started: Date.now() }),
	run: workflow(async (ctx) => {
		expectTypeOf(ctx.state).toEqualTypeOf<{ n: number }>();
		expectTypeOf(ctx.vars).toEqualTypeOf<{ started: number }>();
	}),
});

// Those that do when the context is annotated: else the compiler looks at them after the call of `workflow`.
actor({
	createState: (_c: unknown, input: { n: number }) => ({ n: input.n }),
	createVars: (_c: unknown) => ({ started: Date.now() }),
	run: workflow(async (ctx) => {
		expectTypeOf(ctx.state).toEqualTypeOf<{ n: number }>();
		expectTypeOf(ctx.vars).toEqualTypeOf<{ started: number }>();
	}),
});
// Or when something of the actor that uses the context comes before `run`.
actor({
	createState: (_c, input: { n: number }) => ({ n: input.n }),
	actions: { n: (c) => c.state.n },
	run: workflow(async (ctx) => {
		expectTypeOf(ctx.state).toEqualTypeOf<{ n: number }>();
	}),
});

// With an annotated static form, too.
actor({
	state: { n: 0 },
	createState: (_c, input: number) => ({ n: input }),
	run: workflow(async (ctx) => {
		expectTypeOf(ctx.state).toEqualTypeOf<{ n: number }>();
	}),
});

workflow(async () => {}, {
	onError: (c, event) => {
		if ("step" in event) expectTypeOf(event.step.attempt).toEqualTypeOf<number>();
		c.log.warn("failed");
	},
});

expectTypeOf<WorkflowContext>().toEqualTypeOf<ActorWorkflowContext>();
expectTypeOf<ActorWorkflowContext["workflowId"]>().toEqualTypeOf<string>();
