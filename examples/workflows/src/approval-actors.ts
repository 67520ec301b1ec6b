import { actor, queue, setup } from "rivetkit";
import { Loop, workflow } from "rivetkit/workflow";

export interface Expense {
	readonly what: string;
	readonly amount: number;
}

export interface Decision {
	readonly approved: boolean;
	readonly by: string;
}

/** Which expenses there are: what the page lists. */
const office = actor({
	state: { expenses: [] as string[] },
	actions: {
		add: (c, id: string) => {
			if (!c.state.expenses.includes(id)) c.state.expenses.push(id);
		},
		list: (c) => [...c.state.expenses],
	},
});

const REMINDERS_MAX = 3;

/** One expense on its way: somebody decides, is reminded every day, and after three days it is refused. */
const expense = actor({
	// For the types of the workflow; what an actor begins with is what `createState` makes of its input.
	state: { what: "", amount: 0, status: "waiting", reminders: 0 },
	createState: (_c, input: Expense) => ({ ...input, status: "waiting", reminders: 0 }),
	queues: { decisions: queue<Decision, string>() },
	run: workflow(async (ctx) => {
		await ctx.step("register", async (c) => {
			await c.client<typeof registry>().office.getOrCreate(["main"]).add(c.key.join("/"));
		});
		const status = await ctx.loop({
			name: "decision",
			state: 0,
			run: async (loop, reminders) => {
				const first = await loop.race("wait", [
					{
						name: "decision",
						run: async (branch) => {
							const message = await branch.queue.next("next", {
								names: ["decisions"],
								completable: true,
							});
							const { approved, by } = message.body;
							const text = `${approved ? "approved" : "refused"} by ${by}`;
							// One commit, and the page is answered when it is on disk.
							await branch.step("decide", async (c) => {
								c.state.status = text;
								await message.complete(text);
							});
							return text;
						},
					},
					{ name: "day", run: (branch) => branch.sleep("a day", 24 * 60 * 60 * 1_000) },
				]);
				if (first.winner === "decision") return Loop.break(first.value);
				if (reminders === REMINDERS_MAX) return Loop.break("refused: nobody decided");
				await loop.step("remind", (c) => {
					c.state.reminders += 1;
				});
				return Loop.continue(reminders + 1);
			},
		});
		await ctx.step("note", (c) => {
			c.state.status = status;
		});
	}),
	actions: { get: (c) => ({ ...c.state }) },
});

export const registry = setup({
	use: { office, expense },
	managerPort: Number(process.env.PORT ?? 6420),
});
