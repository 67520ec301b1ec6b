import { actor, queue } from "rivetkit";
import { workflow } from "rivetkit/workflow";

/** One order on its way: steps, a failure that is tried again, branches, and a wait for a message. */
export const order = actor({
	options: { name: "Order", icon: "package", sleepTimeout: 600_000 },
	state: { status: "new", tries: 0 },
	queues: { payments: queue<{ amount: number }>() },
	run: workflow(async (ctx) => {
		await ctx.step("reserve", (c) => {
			c.state.status = "reserved";
			return { shelf: 12 };
		});
		await ctx.step({
			name: "ask the bank",
			retryBackoffBase: 1,
			run: (c) => {
				c.state.tries += 1;
				if (c.state.tries < 3) throw new Error("The bank is closed");
				return "open";
			},
		});
		await ctx.join("prepare", {
			pack: { run: (branch) => branch.step("find a box", () => "large") },
			label: { run: (branch) => branch.step("print the label", () => "printed") },
		});
		const payment = await ctx.queue.next("payment", { names: ["payments"] });
		await ctx.step("ship", (c) => {
			c.state.status = `shipped for ${payment.body.amount}`;
		});
		return "done";
	}),
	actions: { status: (c) => c.state.status },
});
