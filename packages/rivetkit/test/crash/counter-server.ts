// A server process for the crash tests: counters on the embedded store. Prints its URL when it listens.
import { actor, setup } from "../../src/index.ts";

const counter = actor({
	state: { count: 0 },
	actions: {
		increment: (c) => ++c.state.count,
		// Yields in the middle, so that calls of one actor interleave.
		slowIncrement: async (c) => {
			await new Promise((resolve) => setImmediate(resolve));
			return ++c.state.count;
		},
		count: (c) => c.state.count,
		/** Counts, and says each count when it is on disk. */
		async *counting(c) {
			for (;;) yield ++c.state.count;
		},
	},
});

const registry = setup({
	use: { counter },
	storagePath: process.argv[2]!,
	managerPort: Number(process.argv[3]),
	noWelcome: true,
});
const { url } = await registry.listen();
console.log(`listening ${url}`);
