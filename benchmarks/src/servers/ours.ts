// (d): this repository's package, on its embedded engine.

import { actor, event, queue, setup } from "rivetkit";
import { Loop, workflow } from "rivetkit/workflow";
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
	events: { news: event<string>() },
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

/** A workflow that does as many steps as each message says, one after the other. */
const stepper = actor({
	state: { count: 0 },
	queues: { steps: queue<number>() },
	options: { noSleep: true, maxQueueSize: 100_000 },
	run: workflow(async (ctx) => {
		await ctx.loop("messages", async (loop) => {
			const message = await loop.queue.next("next");
			for (let step = 0; step < message.body; step += 1) {
				await loop.step(`step ${step}`, async () => {
					loop.state.count += 1;
				});
			}
		});
	}),
	actions: {
		increment: (c, amount: number) => {
			c.state.count += amount;
			return c.state.count;
		},
	},
});

/** As {@link stepper}; its steps are recorded, and change nothing that is stored beside them. */
const recorder = actor({
	vars: { count: 0 },
	queues: { steps: queue<number>() },
	options: { noSleep: true, maxQueueSize: 100_000 },
	run: workflow(async (ctx) => {
		await ctx.loop("messages", async (loop) => {
			const message = await loop.queue.next("next");
			for (let step = 0; step < message.body; step += 1) {
				await loop.step(`step ${step}`, async () => {
					loop.vars.count += 1;
				});
			}
		});
	}),
	actions: {
		increment: (c, amount: number) => {
			c.vars.count += amount;
			return c.vars.count;
		},
	},
});

/** A workflow with a loop that goes on until the iteration in its key (`loop-<iteration>-…`), and waits there. */
const looper = actor({
	state: { reached: 0 },
	options: { sleepTimeout: 3_600_000 },
	run: workflow(async (ctx) => {
		const iterations = Number(ctx.key[0]?.split("-")[1]);
		await ctx.loop({
			name: "loop",
			state: 0,
			run: async (loop, iteration) => {
				await loop.step({ name: "step", ephemeral: true, run: () => iteration });
				if (iteration === iterations) {
					await loop.step("there", (c) => {
						c.state.reached = iteration;
					});
					await loop.queue.next("forever");
				}
				return Loop.continue(iteration + 1);
			},
		});
	}),
	actions: {
		reached: (c) => c.state.reached,
		/** 1 when the workflow has replayed up to its wait. */
		waits: (c) => (c.workflow.status().waitingFor.length > 0 ? 1 : 0),
		sleep: (c) => c.sleep(),
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

/** What a context has that {@link untilNudged} needs. */
interface WaitingContext {
	readonly key: readonly string[];
	loop(config: {
		name: string;
		state: number;
		run: (loop: WaitingLoop, iteration: number) => Promise<{ continue: true; state: number }>;
	}): Promise<unknown>;
}

interface WaitingLoop {
	step(config: { name: string; ephemeral: boolean; run: () => number }): Promise<unknown>;
	readonly queue: { next(name: string, options: { names: "nudge"[] }): Promise<{ body: number }> };
}

/** Waits in the iteration of its key, and says how long after a message was sent it went on. */
let resumedMs = 0;
async function untilNudged(ctx: WaitingContext): Promise<void> {
	const iterations = Number(ctx.key[0]?.split("-")[1]);
	await ctx.loop({
		name: "loop",
		state: 0,
		run: async (loop, iteration) => {
			if (iteration < iterations) {
				await loop.step({ name: "step", ephemeral: true, run: () => iteration });
			} else {
				const message = await loop.queue.next("next", { names: ["nudge"] });
				resumedMs = performance.now() - message.body;
			}
			return Loop.continue(iteration + 1);
		},
	});
}

const parked = actor({
	state: { count: 0 },
	queues: { nudge: queue<number>() },
	options: { sleepTimeout: 3_600_000 },
	run: workflow((ctx) => untilNudged(ctx)),
	actions: {
		increment: (c, amount: number) => {
			c.state.count += amount;
			return c.state.count;
		},
		/** 1 when the workflow waits for a message. */
		waits: (c) => (c.workflow.status().waitingFor.length > 0 ? 1 : 0),
		nudge: async (c) => {
			await c.queue.send("nudge", performance.now());
		},
		resumedMs: () => resumedMs,
	},
});

/** No workflow: the function of {@link parked}, standing where that one waits, and the two promises it waits for. */
const closures = actor({
	state: { count: 0 },
	options: { sleepTimeout: 3_600_000 },
	createVars: () => ({ outer: never(), inner: never() }),
	onWake: (c) => {
		const { outer, inner } = c.vars;
		void untilNudged({
			key: ["parked-0"],
			loop: (config) => {
				void config.run({ step: () => inner, queue: { next: () => inner } }, config.state);
				return outer;
			},
		});
	},
	actions: {
		increment: (c, amount: number) => {
			c.state.count += amount;
			return c.state.count;
		},
	},
});

function never(): Promise<never> {
	return new Promise(() => {});
}

const port = await freePort();
const registry = setup({
	use: { counter, sleeper, worker, stepper, recorder, looper, counting, parked, closures },
	noWelcome: true,
	logging: { level: "error" },
	// Without it as in production: metrics, no traces.
	traces: { enabled: false },
	managerPort: port,
	managerHost: "127.0.0.1",
	...(process.env.BENCH_STORAGE ? { storagePath: process.env.BENCH_STORAGE } : {}),
});
registry.start();
await whenServing(port);
announce(port);
