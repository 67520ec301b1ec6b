// (c): the published package, on its local server with its file storage.

import { actor, queue, setup } from "rivetkit-published";
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

const port = await freePort();
const registry = setup({
	use: { counter, sleeper, worker },
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
