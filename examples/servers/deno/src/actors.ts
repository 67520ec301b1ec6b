import { actor, event, setup } from "rivetkit";

const counter = actor({
	state: { count: 0 },
	events: { count: event<number>() },
	actions: {
		increment: (c, amount: number) => {
			c.state.count += amount;
			c.broadcast("count", c.state.count);
			return c.state.count;
		},
		async *countTo(_c, last: number) {
			for (let n = 1; n <= last; n++) yield n;
		},
	},
});

export const registry = setup({
	use: { counter },
	managerPort: Number(process.env.RIVETKIT_PORT ?? 6420),
});
