import { actor } from "rivetkit";
import { db } from "rivetkit/db";

const BOOKS = 250;

/** What there is to buy: tables in a database of the actor's own. */
export const catalogue = actor({
	options: { name: "Catalogue", icon: "database", sleepTimeout: 600_000 },
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
			for (let id = 1; id <= BOOKS; id++) {
				await c.db.execute(
					"INSERT OR REPLACE INTO books (id, title, pages) VALUES (?, ?, ?)",
					id,
					`Book ${id}`,
					id * 3,
				);
			}
			return BOOKS;
		},
	},
});
