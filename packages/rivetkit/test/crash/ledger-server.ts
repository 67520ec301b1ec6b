// A server process for the crash tests: actors that move money between their state and c.kv. Prints its URL
// when it listens.
import { actor, setup, UserError } from "../../src/index.ts";

/** Turns in which a batch that is not held would be cut. */
const pause = async () => {
	for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve));
};

const ledger = actor({
	state: { cash: 0, transfers: 0 },
	options: { stateSaveInterval: 1 },
	actions: {
		/** Moves money over several waits; every third one fails half-way. */
		transfer: (c, amount: number, id: string) =>
			c.atomic(async () => {
				c.state.cash -= amount;
				await pause();
				const saved = Number((await c.kv.get("saved")) ?? 0);
				await c.kv.put("saved", `${saved + amount}`);
				await c.kv.put(`transfer ${id}`, `${amount}`);
				await pause();
				if (amount % 3 === 0) throw new UserError("no");
				c.state.transfers++;
				await c.kv.put(`done ${id}`, `${amount}`);
			}),
		/** Waits for nothing outside, so it is one commit without `c.atomic`. */
		transferAtOnce: async (c, amount: number, id: string) => {
			c.state.cash -= amount;
			await c.kv.put(`transfer ${id}`, `${amount}`);
			c.state.transfers++;
			await c.kv.put(`done ${id}`, `${amount}`);
		},
		/** Keeps the actor's commits coming in between. */
		touch: async (c) => {
			await c.kv.put("touched", `${Math.random()}`);
		},
		read: async (c) => ({
			...c.state,
			saved: Number((await c.kv.get("saved")) ?? 0),
			begun: await c.kv.list("transfer "),
			done: await c.kv.list("done "),
		}),
	},
});

const registry = setup({
	use: { ledger },
	storagePath: process.argv[2]!,
	managerPort: Number(process.argv[3]),
	noWelcome: true,
});
const { url } = await registry.listen();
console.log(`listening ${url}`);
