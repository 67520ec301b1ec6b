// A server process for the crash tests: actors whose state, queue and database have to agree.
import { db } from "../../src/db/index.ts";
import { actor, queue, setup } from "../../src/index.ts";
import { digestOf, SCHEMA, takeStep } from "./support/steps.ts";

const book = actor({
	state: { seed: 0, step: 0 },
	db: db({ onMigrate: async (d) => void (await d.execute(SCHEMA)) }),
	queues: { steps: queue<number>() },
	options: { sleepTimeout: 400 },
	actions: {
		/**
		 * Takes the next step; the steps of a call by a caller that repeats it are taken once. Each sends a
		 * message, and books the one of the step before.
		 */
		step: async (c, seed: number, how: number) => {
			const step = c.state.step + 1;
			const message = await c.queue.tryNext();
			if (message) await c.db.execute("INSERT INTO handled VALUES (?)", message.body);
			if (how === 0) {
				await c.db.transaction((tx) => takeStep(tx.execute.bind(tx), seed, step));
			} else {
				await takeStep(c.db.execute.bind(c.db), seed, step);
			}
			await c.queue.send("steps", step);
			c.state.seed = seed;
			c.state.step = step;
			// Some leave in several commits, none of which may be half of a step.
			if (how === 1) await c.saveState({ immediate: true });
			return step;
		},
		content: async (c) => ({
			step: c.state.step,
			handled: (await c.db.execute<{ step: number }>("SELECT step FROM handled ORDER BY step")).map(
				(row) => row.step,
			),
			waiting: await c.queue.size(),
			digest: await digestOf((sql) => c.db.execute(sql)),
			integrity: (await c.db.execute<{ integrity_check: string }>("PRAGMA integrity_check"))[0]!
				.integrity_check,
		}),
	},
});

const registry = setup({
	use: { book },
	storagePath: process.argv[2]!,
	managerPort: Number(process.argv[3]),
	maxOpenDatabases: 3,
	noWelcome: true,
});
const { url } = await registry.listen();
console.log(`listening ${url}`);
