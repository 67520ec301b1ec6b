import { actor, event, UserError } from "rivetkit";
import { z } from "zod";

/** What one customer wants to buy: a state with everything that a state can hold. */
export const basket = actor({
	// Awake for as long as somebody may look around.
	options: { name: "Basket", icon: "cart-shopping", sleepTimeout: 600_000 },
	state: {
		title: "Groceries",
		count: 3,
		open: true,
		note: null as string | null,
		total: 12_345_678_901_234_567_890n,
		openedAt: new Date("2026-03-01T09:30:00Z"),
		prices: new Map<string, number>([
			["apple", 0.5],
			["bread", 2.4],
		]),
		tags: new Set(["fresh", "local"]),
		photo: new Uint8Array([1, 2, 3, 250]),
		lines: [
			{ product: "apple", pieces: 4 },
			{ product: "bread", pieces: 1 },
		],
	},
	events: { count: event<{ count: number }>() },
	actions: {
		add: (c, pieces: number) => {
			c.state.count += pieces;
			c.log.debug({ pieces }, "pieces were added");
			c.broadcast("count", { count: c.state.count });
			return { count: c.state.count, at: c.state.openedAt, total: c.state.total };
		},
		read: (c) => c.state,
		// With a schema: the dashboard says what it takes.
		rename: {
			input: z.object({ title: z.string().min(1), loud: z.boolean().optional() }),
			handler: (c, { title, loud }: { title: string; loud?: boolean | undefined }) => {
				c.state.title = loud ? title.toUpperCase() : title;
			},
		},
		refuse: () => {
			throw new UserError("The basket is closed", {
				code: "basket_closed",
				metadata: { opensAt: "9:30" },
			});
		},
	},
});
