import { index, integer, sqliteTable, text } from "rivetkit/db/drizzle";

export const customers = sqliteTable("customers", {
	id: integer("id").primaryKey({ autoIncrement: true }),
	name: text("name").notNull().unique(),
});

export const orders = sqliteTable(
	"orders",
	{
		id: integer("id").primaryKey({ autoIncrement: true }),
		customer: integer("customer")
			.notNull()
			.references(() => customers.id, { onDelete: "cascade" }),
		item: text("item").notNull(),
		cents: integer("cents").notNull(),
		orderedAt: integer("ordered_at", { mode: "timestamp_ms" }).notNull(),
	},
	(table) => [index("orders_by_customer").on(table.customer)],
);
