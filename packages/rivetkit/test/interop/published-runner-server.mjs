/** The published 2.1.3 package as a runner of the engine at RIVET_ENDPOINT. */
import { actor, setup } from "rivetkit-published";

const tally = actor({
	state: { total: 0, left: 0 },
	onDisconnect: (c, connection) => {
		if (connection.params?.isCounted) c.state.left++;
	},
	options: { sleepTimeout: 60_000 },
	actions: {
		bump: (c, by) => {
			c.state.total += by;
			c.broadcast("bumped", c.state.total);
			return c.state.total;
		},
		total: (c) => c.state.total,
		left: (c) => c.state.left,
		later: (c, delayMs) => c.schedule.after(delayMs, "bump", 1_000),
		nap: (c) => c.sleep(),
		leave: (c) => c.destroy(),
	},
	onRequest: (_c, request) =>
		new Response(`raw ${request.method} ${new URL(request.url).pathname}`),
});

setup({ use: { tally } }).startRunner();
