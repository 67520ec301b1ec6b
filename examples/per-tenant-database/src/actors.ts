import { desc, eq, sql } from "drizzle-orm";
import { actor, event, setup, UserError } from "rivetkit";
import { db, readMigrations } from "rivetkit/db/drizzle";
import * as schema from "./schema.ts";

const { customers, orders } = schema;

/** One customer with what it has ordered so far. */
export interface Overview {
	readonly id: number;
	readonly name: string;
	readonly orders: number;
	readonly cents: number;
}

/** One actor per tenant: its database is its own, and nobody's query can reach another one's rows. */
const tenant = actor({
	options: { name: "Tenant", icon: "database" },
	db: db({ schema, migrations: readMigrations(new URL("../drizzle", import.meta.url)) }),
	events: { changed: event() },
	actions: {
		addCustomer: async (c, name: string) => {
			const trimmed = name.trim();
			if (!trimmed) throw new UserError("A customer has a name", { code: "name_missing" });
			const [added] = await c.db
				.insert(customers)
				.values({ name: trimmed })
				.onConflictDoNothing()
				.returning();
			if (!added) throw new UserError(`There is a customer ${trimmed}`, { code: "name_taken" });
			c.broadcast("changed");
			return added;
		},
		/** Several orders at once, all or none. */
		addOrders: async (c, customer: number, items: { item: string; cents: number }[]) => {
			await c.db.transaction(async (tx) => {
				const [known] = await tx.select().from(customers).where(eq(customers.id, customer));
				if (!known) throw new UserError("There is no such customer", { code: "no_customer" });
				const orderedAt = new Date();
				for (const { item, cents } of items) {
					if (!(cents > 0)) throw new UserError(`${item} costs nothing`, { code: "no_price" });
					await tx.insert(orders).values({ customer, item, cents, orderedAt });
				}
			});
			c.broadcast("changed");
		},
		overview: (c): Promise<Overview[]> => {
			const total = sql<number>`coalesce(sum(${orders.cents}), 0)`;
			return c.db
				.select({
					id: customers.id,
					name: customers.name,
					orders: sql<number>`count(${orders.id})`,
					cents: total,
				})
				.from(customers)
				.leftJoin(orders, eq(orders.customer, customers.id))
				.groupBy(customers.id)
				.orderBy(desc(total), customers.name);
		},
		/** Plain SQL works beside the builder. */
		revenue: async (c) => {
			const [row] = await c.db.execute<{ cents: number }>(
				"SELECT coalesce(sum(cents), 0) AS cents FROM orders",
			);
			return row!.cents;
		},
	},
});

export const registry = setup({
	use: { tenant },
	managerPort: Number(process.env.MANAGER_PORT ?? 6420),
});
