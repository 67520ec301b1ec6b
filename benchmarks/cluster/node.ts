// Ours: a node of a cluster, or a server with the embedded store. Where it stores is in the environment.

import { actor, setup } from "rivetkit";
import { announce } from "../src/servers/child.ts";
import { freePort, whenServing } from "../src/servers/free-port.ts";

const nodeName = process.env.RIVET__NODE__NAME ?? "embedded";

const counter = actor({
	state: { count: 0 },
	options: { noSleep: true },
	actions: {
		increment: (c, amount: number) => {
			c.state.count += amount;
			return c.state.count;
		},
		count: (c) => c.state.count,
		where: () => nodeName,
	},
});

const port = await freePort();
setup({
	use: { counter },
	noWelcome: true,
	logging: { level: "error" },
	traces: { enabled: false },
	managerPort: port,
	managerHost: "127.0.0.1",
}).start();
await whenServing(port);
announce(port);
