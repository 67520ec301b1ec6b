import { actor, event, queue, setup, UserError } from "rivetkit";
import { createClient } from "rivetkit/client";

/** Everything a state can hold. */
const basket = actor({
	options: { name: "Basket", icon: "🧺" },
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
	events: { count: event<number>() },
	actions: {
		add: (c, pieces: number) => {
			c.state.count += pieces;
			c.broadcast("count", c.state.count);
			return { count: c.state.count, at: c.state.openedAt, total: c.state.total };
		},
		read: (c) => c.state.count,
		refuse: () => {
			throw new UserError("The basket is closed", { code: "basket_closed" });
		},
	},
});

const parcel = actor({
	options: { name: "Parcel", icon: "truck" },
	state: { sent: 0 },
	queues: { letters: queue<{ to: string }>() },
	actions: { count: (c) => c.state.sent },
});

/** What the tests of the dashboard look at. */
export function startRegistry(options: Partial<Parameters<typeof setup>[0]> = {}) {
	return setup({ use: { basket, parcel }, managerPort: 0, noWelcome: true, ...options });
}

/** Actors with something in every part. @returns the ids of those that pages are about, by name */
export async function fillRegistry(url: string): Promise<Record<string, string>> {
	const client = createClient<ReturnType<typeof startRegistry>>(url);
	for (const key of ["monthly", "party", "picnic"]) await client.basket.getOrCreate([key]).read();
	const basket = client.basket.getOrCreate(["weekly"]);
	const connection = client.basket.getOrCreate(["weekly"], { params: { user: "ada" } }).connect();
	await connection.add(1);
	return { basket: await basket.resolve() };
}
