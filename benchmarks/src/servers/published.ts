// (c): the published package, on its local server with its file storage.

import { actor, queue, setup } from "rivetkit-published";
import { Loop, workflow } from "rivetkit-published/workflow";
import { announce } from "./child.ts";
import { freePort, whenServing } from "./free-port.ts";

let wakes = 0;
/** How late alarms were, in ms. */
let lateness: number[] = [];

/** Sleeps when it is told to, not by itself in the middle of a measurement. */
const sleeper = actor({
	state: { count: 0 },
	options: { sleepTimeout: 3_600_000 },
	onWake: () => {
		wakes += 1;
	},
	actions: {
		increment: (c, amount: number) => {
			c.state.count += amount;
			return c.state.count;
		},
		count: (c) => c.state.count,
		sleep: (c) => c.sleep(),
		alarmAt: async (c, time: number) => {
			await c.schedule.at(time, "ring", time);
		},
		ring: (c, time: number) => {
			c.state.count += 1;
			lateness.push(Date.now() - time);
		},
	},
});

const counter = actor({
	state: { count: 0 },
	options: { noSleep: true },
	actions: {
		increment: (c, amount: number) => {
			c.state.count += amount;
			return c.state.count;
		},
		announce: (c, times: number, text: string) => {
			for (let index = 0; index < times; index += 1) c.broadcast("news", text);
			return times;
		},
		pairs: async (c, times: number, round: string) => {
			let found = 0;
			for (let index = 0; index < times; index += 1) {
				const key = `key ${index}`;
				const value = `value ${index} of ${round}`;
				await c.kv.put(key, value);
				if ((await c.kv.get(key)) === value) found += 1;
			}
			return found;
		},
		keys: async (c) => (await c.kv.list("key ")).length,
		/** How often sleepers of this process have woken, or begun. */
		wakes: () => wakes,
		rung: () => lateness.length,
		takeLateness: () => {
			const taken = lateness;
			lateness = [];
			return taken;
		},
	},
});

const worker = actor({
	state: { count: 0 },
	queues: { add: queue<number>() },
	options: { noSleep: true, maxQueueSize: 100_000 },
	run: async (c) => {
		for await (const message of c.queue.iter()) c.state.count += message.body;
	},
	actions: {
		increment: (c, amount: number) => {
			c.state.count += amount;
			return c.state.count;
		},
	},
});

/** Bodies of steps that were run since {@link counting} was told to begin: in memory, so that counting is free. */
let runs = 0;
let [firstMs, lastMs] = [0, 0];

function counted(): void {
	lastMs = performance.now();
	if (runs++ === 0) firstMs = lastMs;
}

/** A message says of what kind (its last digit) and how many (the others) iterations of one step are wanted. */
const counting = actor({
	state: { count: 0 },
	queues: { go: queue<number>(), work: queue<number>() },
	options: { noSleep: true, maxQueueSize: 100_000 },
	run: workflow(async (ctx) => {
		const { body } = await ctx.queue.next("go", { names: ["go"] });
		const kind = body % 10;
		const iterations = Math.floor(body / 10);
		await ctx.loop({
			name: "loop",
			state: 0,
			run: async (loop, iteration) => {
				if (kind === 2) await loop.queue.next("work", { names: ["work"] });
				if (kind === 1) {
					await loop.step({ name: "step", ephemeral: true, run: async () => counted() });
				} else await loop.step("step", async () => counted());
				return iteration + 1 === iterations ? Loop.break(iteration) : Loop.continue(iteration + 1);
			},
		});
		// 2.1.3 takes a run that returns for a crash.
		await ctx.queue.next("over", { names: ["go"] });
	}),
	actions: {
		reset: () => {
			runs = 0;
			return 0;
		},
		runs: () => runs,
		spanMs: () => lastMs - firstMs,
	},
});

const port = await freePort();
const registry = setup({
	use: { counter, sleeper, worker, counting },
	noWelcome: true,
	logging: { level: "error" },
	managerPort: port,
	managerHost: "127.0.0.1",
	inspector: { enabled: false },
	...(process.env.BENCH_STORAGE ? { storagePath: process.env.BENCH_STORAGE } : {}),
});
registry.start();
await whenServing(port);
announce(port);
