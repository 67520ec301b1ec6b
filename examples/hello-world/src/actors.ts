import { actor, event, setup, UserError } from "rivetkit";

const counter = actor({
	options: { name: "Counter", icon: "🧮" },
	state: { count: 0 },
	events: {
		count: event<number>(),
	},
	actions: {
		increment: (c, amount: number) => {
			// Types hold for TypeScript; over HTTP anything may come.
			if (!Number.isSafeInteger(amount)) {
				throw new UserError("amount must be a whole number", { code: "invalid_amount" });
			}
			c.state.count += amount;
			c.broadcast("count", c.state.count);
			return c.state.count;
		},
		getCount: (c) => c.state.count,
	},
});

export const registry = setup({
	use: { counter },
	managerPort: Number(process.env.PORT ?? 6420),
	// This machine only, if not told otherwise; in a container it is 0.0.0.0.
	managerHost: process.env.HOST,
});
