import { actor, event, queue, setup, UserError } from "rivetkit";
import { createClient } from "rivetkit/client";
import { db } from "rivetkit/db";
import { workflow } from "rivetkit/workflow";
import { z } from "zod";

/** Everything a state can hold. */
const basket = actor({
	options: { name: "Basket", icon: "cart-shopping" },
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
			c.log.info({ pieces }, "pieces were added");
			c.broadcast("count", { count: c.state.count });
			return { count: c.state.count, at: c.state.openedAt, total: c.state.total };
		},
		read: (c) => c.state,
		rename: {
			input: z.object({ title: z.string().min(1), loud: z.boolean().optional() }),
			handler: (c, { title, loud }: { title: string; loud?: boolean | undefined }) => {
				c.state.title = loud ? title.toUpperCase() : title;
			},
		},
		refuse: () => {
			throw new UserError("The basket is closed", { code: "basket_closed" });
		},
	},
});

/** A queue that fails until it is mended, jobs, and entries by key. */
const parcel = actor({
	options: { name: "Parcel", icon: "truck", maxQueueSize: 20_000 },
	state: { isMended: false, handled: [] as string[] },
	queues: {
		letters: queue<{ to: string }>({ maxAttempts: 1, deadLetter: "lost" }),
		lost: queue<{ to: string }>(),
		later: queue<{ number: number }>(),
	},
	run: async (c) => {
		for await (const letter of c.queue.iter({ names: ["letters"], completable: true })) {
			if (!c.state.isMended) throw new Error("The address cannot be read");
			c.state.handled.push(letter.body.to);
			await letter.complete();
		}
	},
	actions: {
		mend: (c) => {
			c.state.isMended = true;
		},
		fill: async (c, messages: number) => {
			for (let number = 0; number < messages; number++) await c.queue.send("later", { number });
			await c.kv.put("address", "12 North Street");
			await c.kv.put("stamp", new Uint8Array([0, 255, 1]));
			for (let box = 0; box < 40; box++)
				await c.kv.put(`box/${String(box).padStart(3, "0")}`, `${box}`);
			await c.schedule.after(3_600_000, "mend");
			await c.cron.set({ name: "collect", expression: "0 6 * * *", action: "collect" });
			await c.cron.every({ name: "tick", interval: 5_000, action: "collect" });
		},
		collect: (c) => c.state.handled.length,
		handled: (c) => c.state.handled,
	},
});

/** A table of 250 books. */
const library = actor({
	options: { name: "Library", icon: "database", sleepTimeout: 600_000 },
	db: db({
		onMigrate: async (database) => {
			await database.execute(
				"CREATE TABLE IF NOT EXISTS books (id INTEGER PRIMARY KEY, title TEXT NOT NULL, pages INTEGER)",
			);
			await database.execute("CREATE TABLE IF NOT EXISTS readers (name TEXT PRIMARY KEY)");
		},
	}),
	actions: {
		fill: async (c) => {
			for (let id = 1; id <= 250; id++) {
				await c.db.execute(
					"INSERT INTO books (id, title, pages) VALUES (?, ?, ?)",
					id,
					`Book ${id}`,
					id * 3,
				);
			}
		},
	},
});

/** Steps, a failure that is tried again, branches, a loop, and a wait for a message. */
const order = actor({
	options: { name: "Order", icon: "package" },
	state: { status: "new", tries: 0 },
	queues: { payments: queue<{ amount: number }>() },
	run: workflow(async (ctx) => {
		await ctx.step("reserve", (c) => {
			c.state.status = "reserved";
			return { shelf: 12 };
		});
		await ctx.step({
			name: "ask the bank",
			retryBackoffBase: 1,
			run: (c) => {
				c.state.tries += 1;
				if (c.state.tries < 3) throw new Error("The bank is closed");
				return "open";
			},
		});
		await ctx.join("prepare", {
			pack: { run: (branch) => branch.step("find a box", () => "large") },
			label: { run: (branch) => branch.step("print the label", () => "printed") },
		});
		const payment = await ctx.queue.next("payment", { names: ["payments"] });
		await ctx.step("ship", (c) => {
			c.state.status = `shipped for ${payment.body.amount}`;
		});
		return "done";
	}),
	actions: { status: (c) => c.state.status },
});

/** What the tests of the dashboard look at. */
export function startRegistry(options: Partial<Parameters<typeof setup>[0]> = {}) {
	return setup({
		use: { basket, parcel, library, order },
		managerPort: 0,
		noWelcome: true,
		logging: { level: "error" },
		...options,
	});
}

export type TestRegistry = ReturnType<typeof startRegistry>;

/** Actors with something in every part. @returns the ids of those that pages are about, by name */
export async function fillRegistry(url: string): Promise<Record<string, string>> {
	const client = createClient<TestRegistry>(url);
	for (const key of ["monthly", "party", "picnic"]) await client.basket.getOrCreate([key]).read();
	const basket = client.basket.getOrCreate(["weekly"], { params: { user: "ada" } });
	const connection = basket.connect();
	connection.on("count", () => {});
	// Asking has events and lines of every level recorded from here on, for a minute.
	for (const what of ["events", "logs"])
		await fetch(`${url}/gateway/${await basket.resolve()}/inspector/${what}`);
	await connection.add(1);
	const parcel = client.parcel.getOrCreate(["north"]);
	await parcel.fill(300);
	await parcel.send("letters", { to: "Ada" });
	await parcel.send("letters", { to: "Grace" });
	const library = client.library.getOrCreate(["city"]);
	await library.fill();
	const order = client.order.getOrCreate(["0042"]);
	return {
		basket: await basket.resolve(),
		parcel: await parcel.resolve(),
		library: await library.resolve(),
		order: await order.resolve(),
	};
}
