// A server process for the shutdown tests: told by signals what to do, tells on its output.
import { actor, setup } from "../../src/index.ts";

const [, , data, port, mode] = process.argv;

const keeper = actor({
	state: { count: 0, slept: 0 },
	options: { sleepGracePeriod: mode === "impatient" ? 2_000 : 20_000, onSleepTimeout: 20_000 },
	onSleep: async (c) => {
		c.state.slept++;
		console.log("sleeping");
		if (mode === "stuck") await new Promise(() => {});
	},
	actions: {
		add: (c, amount: number) => (c.state.count += amount),
		// Outside any call, and after its answer: only the save interval or the way out saves it.
		addLater: (c, amount: number) => {
			process.once("SIGUSR2", () => {
				c.state.count += amount;
				throw new Error("a bug in a handler");
			});
		},
		slowAdd: async (c, amount: number) => {
			console.log("working");
			await new Promise((resolve) => setTimeout(resolve, 1_000));
			c.state.count += amount;
			return c.state.count;
		},
		hang: async (c) => {
			c.state.count++;
			console.log("working");
			await new Promise(() => {});
		},
		read: (c) => ({ ...c.state }),
		nap: (c) => c.sleep(),
	},
});

if (mode === "host-decides") {
	process.on("SIGTERM", () => {
		console.log("host handles SIGTERM");
		// Nothing is left to do.
		process.once("beforeExit", () => process.exit(7));
	});
}
const registry = setup({
	use: { keeper },
	storagePath: data!,
	managerPort: Number(port),
	noWelcome: true,
	shutdownTimeout: 30_000,
});
const { url } = await registry.listen();
console.log(`listening ${url}`);
