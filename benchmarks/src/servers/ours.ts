// (d): this repository's package, on its embedded engine.

import { actor, event, setup } from "rivetkit";
import { announce } from "./child.ts";
import { freePort, whenServing } from "./free-port.ts";

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
	},
});

const port = await freePort();
const registry = setup({
	use: { counter },
	noWelcome: true,
	logging: { level: "error" },
	managerPort: port,
	managerHost: "127.0.0.1",
	...(process.env.BENCH_STORAGE ? { storagePath: process.env.BENCH_STORAGE } : {}),
});
registry.start();
await whenServing(port);
announce(port);
