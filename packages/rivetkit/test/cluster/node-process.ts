// One node of a cluster, for tests and for `npm run check:cluster`: prints its URL when it listens. Where the database
// is, and how the node is called, is in the environment. `CLOCK_SKEW_MS` puts its wall clock wrong.
import { actor, event, queue, setup } from "../../src/index.ts";
import { workflow } from "../../src/workflow/index.ts";

/** What the machine's clock says, whatever this process believes. */
const trueNow = Date.now.bind(Date);
const skewMs = Number(process.env.CLOCK_SKEW_MS ?? 0);
if (skewMs !== 0) Date.now = () => trueNow() + skewMs;
const nodeName = process.env.RIVET__NODE__NAME ?? "?";

/** Every operation has an id, so that what was applied twice, or not at all, can be seen afterwards. */
const ledger = actor({
	state: { total: 0, ticks: 0, twice: [] as string[] },
	events: { tick: event<{ total: number; tick: number }>() },
	queues: { orders: queue<{ id: string }>() },
	options: { sleepTimeout: 2_000 },
	actions: {
		add: async (c, id: string) => {
			if ((await c.kv.get(`op:${id}`)) !== null) c.state.twice.push(id);
			await c.kv.put(`op:${id}`, String(c.state.total));
			c.state.total++;
			c.broadcast("tick", { total: c.state.total, tick: ++c.state.ticks });
			return c.state.total;
		},
		/** The alarm is due at a time of the database. */
		arm: async (c, id: string, delayMs: number) => {
			await c.schedule.after(delayMs, "fired", id);
		},
		fired: async (c, id: string) => {
			const before = await c.kv.get(`alarm:${id}`);
			await c.kv.put(`alarm:${id}`, before === null ? `${trueNow()}` : `${before} ${trueNow()}`);
		},
		read: (c) => ({ total: c.state.total, twice: [...c.state.twice] }),
		keys: async (c) => (await c.kv.list("", { limit: 100_000 })).map(([key]) => key),
		rang: async (c) => await c.kv.list("alarm:", { limit: 100_000 }),
		where: () => nodeName,
		nap: (c) => c.sleep(),
		slow: async (c, id: string, ms: number) => {
			await new Promise((resolve) => setTimeout(resolve, ms));
			await c.kv.put(`op:${id}`, nodeName);
			c.state.total++;
			return nodeName;
		},
	},
	run: async (c) => {
		for await (const message of c.queue.iter({ names: ["orders"], completable: true })) {
			const key = `order:${message.body.id}`;
			if ((await c.kv.get(key)) !== null) c.state.twice.push(key);
			await c.kv.put(key, nodeName);
			c.state.total++;
			await message.complete();
		}
	},
});

/** Does a step per second until it has done them all. */
const climber = actor({
	state: { steps: [] as number[] },
	actions: { steps: (c) => [...c.state.steps] },
	run: workflow(async (ctx) => {
		for (let step = 1; step <= 5; step++) {
			await ctx.step(`step ${step}`, async () => {
				ctx.state.steps.push(step);
			});
			await ctx.sleep(`pause ${step}`, 300);
		}
	}),
});

const registry = setup({
	use: { ledger, climber },
	managerPort: Number(process.env.PORT ?? 0),
	noWelcome: true,
	shutdownTimeout: 20_000,
});
const { url } = await registry.listen();
console.log(`listening ${url}`);
