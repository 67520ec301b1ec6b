import { actor, event, queue, setup } from "rivetkit";

export interface Job {
	readonly text: string;
}

export interface Result {
	readonly words: number;
}

/** Counts the words of texts, one job after the other. */
const worker = actor({
	options: { name: "Worker", icon: "🛠️" },
	state: { done: 0, words: 0 },
	events: { done: event<Result>() },
	queues: {
		// A job that fails is tried again, and kept for inspection after the third time.
		jobs: queue<Job, Result>({ maxAttempts: 3, deadLetter: "failed" }),
		failed: queue<Job>(),
	},
	run: async (c) => {
		for await (const message of c.queue.iter({ names: ["jobs"], completable: true })) {
			const words = message.body.text.split(/\s+/).filter((word) => word !== "").length;
			c.state.done += 1;
			c.state.words += words;
			c.broadcast("done", { words });
			// The counts and the end of the message are one commit; a sender that waits gets the result.
			await message.complete({ words });
		}
	},
	actions: {
		totals: (c) => ({ ...c.state }),
	},
});

export const registry = setup({
	use: { worker },
	managerPort: Number(process.env.PORT ?? 6420),
});
