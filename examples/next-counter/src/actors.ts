import { type ActorContextOf, actor, event, setup } from "rivetkit";

const counter = actor({
	options: { name: "Counter", icon: "🧮" },
	state: { count: 0 },
	events: {
		count: event<number>(),
		watching: event<number>(),
	},
	onConnect: (c) => c.broadcast("watching", watching(c)),
	onDisconnect: (c) => c.broadcast("watching", watching(c)),
	actions: {
		current: (c) => ({ count: c.state.count, watching: watching(c) }),
		add: (c, amount: number) => {
			c.state.count += amount;
			c.broadcast("count", c.state.count);
			return c.state.count;
		},
	},
});

/** Open pages. Calls over HTTP are short connections, too. */
function watching(c: ActorContextOf<typeof counter>): number {
	return [...c.conns.values()].filter((conn) => conn.kind === "websocket").length;
}

export const registry = setup({
	use: { counter },
	managerPort: Number(process.env.MANAGER_PORT ?? 6420),
});
