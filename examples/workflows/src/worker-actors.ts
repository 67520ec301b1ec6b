import { actor, event, queue, setup } from "rivetkit";
import { Loop, workflow } from "rivetkit/workflow";

export interface Task {
	readonly text: string;
}

/** Counts words, one task after the other, until it is told to stop. */
const worker = actor({
	state: { done: 0, words: 0, stopped: "" },
	events: { done: event<{ done: number; words: number }>() },
	queues: { tasks: queue<Task, number>(), control: queue<string>() },
	run: workflow(async (ctx) => {
		const reason = await ctx.loop("tasks", async (loop) => {
			const message = await loop.queue.next("next", {
				names: ["tasks", "control"],
				completable: true,
			});
			if (message.name === "control") {
				await message.complete();
				return Loop.break(message.body);
			}
			await loop.step("count", async (c) => {
				const words = message.body.text.split(/\s+/).filter((word) => word !== "").length;
				c.state.words += words;
				c.state.done += 1;
				c.broadcast("done", { done: c.state.done, words });
				// The count, this step and the end of the message are one commit.
				await message.complete(words);
			});
			return;
		});
		await ctx.step("stop", (c) => {
			c.state.stopped = reason;
		});
	}),
	actions: { get: (c) => ({ ...c.state, waiting: c.queue.size("tasks") }) },
});

export const registry = setup({
	use: { worker },
	managerPort: Number(process.env.PORT ?? 6420),
});
