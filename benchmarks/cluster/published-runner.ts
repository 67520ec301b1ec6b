// The published 2.1.3 package as the runner of the published engine at RIVET_ENDPOINT.

import { actor, setup } from "rivetkit-published";

const counter = actor({
	state: { count: 0 },
	options: { noSleep: true },
	actions: {
		increment: (c, amount: number) => {
			c.state.count += amount;
			return c.state.count;
		},
		count: (c) => c.state.count,
		where: () => "runner",
	},
});

setup({ use: { counter }, noWelcome: true }).startRunner();
process.on("disconnect", () => process.exit(0));
process.send?.({ type: "ready", port: 0 });
