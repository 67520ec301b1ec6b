// Databases in types (contract: api 11).
import { eq } from "drizzle-orm";
import { type ActionContextOf, type ActorContextOf, actor } from "rivetkit";
import {
	type DatabaseProvider,
	db,
	type RawAccess,
	type SqlDatabase,
	type SqlExecutor,
	SqliteError,
	type SqlRow,
} from "rivetkit/db";
import {
	type DrizzleMigrations,
	defineConfig,
	db as drizzle,
	integer,
	readMigrations,
	sqliteTable,
	text,
} from "rivetkit/db/drizzle";
import { expectTypeOf } from "vitest";

const raw = actor({
	db: db({
		onMigrate: async (client) => {
			expectTypeOf(client).toEqualTypeOf<RawAccess>();
		},
	}),
	actions: {
		rows: async (c) => {
			expectTypeOf(c.db).toEqualTypeOf<RawAccess>();
			expectTypeOf(await c.db.execute("SELECT 1")).toEqualTypeOf<SqlRow[]>();
			const typed = await c.db.execute<{ a: number }>("SELECT ? AS a", 1);
			expectTypeOf(typed).toEqualTypeOf<{ a: number }[]>();
			await c.db.execute("SELECT ?, ?, ?, ?", null, 1n, new Date(), Uint8Array.of(1));
			await c.db.execute("SELECT :a", { a: 1 });
			// @ts-expect-error SQL is a string
			await c.db.execute(1);
			return typed;
		},
		transaction: (c) =>
			c.db.transaction(
				async (tx) => {
					expectTypeOf(tx).toEqualTypeOf<SqlExecutor>();
					// @ts-expect-error no transaction inside a transaction
					tx.transaction(() => 1);
					return (await tx.execute<{ n: number }>("SELECT 1 AS n"))[0]!.n;
				},
				{ timeout: 1_000 },
			),
		stream: async (c) => {
			for await (const row of c.db.stream<{ a: string }>("SELECT a FROM t WHERE b > ?", 1)) {
				expectTypeOf(row).toEqualTypeOf<{ a: string }>();
			}
			for await (const row of c.db.stream("SELECT 1")) {
				expectTypeOf(row).toEqualTypeOf<SqlRow>();
			}
		},
	},
});

// Helpers get the database with the context.
async function helper(c: ActorContextOf<typeof raw>, d: ActionContextOf<typeof raw>["db"]) {
	expectTypeOf(c.db).toEqualTypeOf<RawAccess>();
	await d.execute("SELECT 1");
}
helper satisfies (...args: never[]) => Promise<void>;

const error: unknown = null;
if (error instanceof SqliteError) {
	expectTypeOf(error.code).toEqualTypeOf<string>();
	expectTypeOf(error.sql).toEqualTypeOf<string | undefined>();
}

const users = sqliteTable("users", {
	id: integer("id").primaryKey(),
	name: text("name").notNull(),
	age: integer("age"),
});
const migrations: DrizzleMigrations = {
	journal: { entries: [{ idx: 0, when: 1, tag: "0000_users", breakpoints: true }] },
	migrations: { m0000: "CREATE TABLE users (id integer)" },
};

const orm = actor({
	db: drizzle({ schema: { users }, migrations }),
	actions: {
		find: async (c, id: number) => {
			const rows = await c.db.select().from(users).where(eq(users.id, id));
			expectTypeOf(rows).toEqualTypeOf<{ id: number; name: string; age: number | null }[]>();
			const [inserted] = await c.db.insert(users).values({ name: "n" }).returning();
			expectTypeOf(inserted!.name).toEqualTypeOf<string>();
			// @ts-expect-error a name is needed
			await c.db.insert(users).values({ age: 1 });
			expectTypeOf(await c.db.execute<{ n: number }>("SELECT 1 AS n")).toEqualTypeOf<
				{ n: number }[]
			>();
			expectTypeOf(await c.db.query.users.findFirst()).toEqualTypeOf<
				{ id: number; name: string; age: number | null } | undefined
			>();
			return rows[0] ?? null;
		},
		move: (c) =>
			c.db.transaction(async (tx) => {
				expectTypeOf(await tx.select({ name: users.name }).from(users)).toEqualTypeOf<
					{ name: string }[]
				>();
			}),
	},
});
orm satisfies object;

drizzle();
drizzle({ migrations: readMigrations(new URL("file:///drizzle")) });
expectTypeOf(defineConfig({ schema: "./schema.ts" }).driver).toEqualTypeOf<"durable-sqlite">();

// A provider of one's own upon the actor's SQLite database.
const provider: DatabaseProvider<{ titles(): Promise<string[]> }> = {
	createClient: async ({ openSqlite, kv, actorId }) => {
		const sqlite = await openSqlite();
		expectTypeOf(sqlite).toEqualTypeOf<SqlDatabase>();
		expectTypeOf(await sqlite.values("SELECT 1")).toEqualTypeOf<unknown[][]>();
		expectTypeOf(await kv.batchGet([Uint8Array.of(1)])).toEqualTypeOf<(Uint8Array | null)[]>();
		expectTypeOf(actorId).toEqualTypeOf<string>();
		return {
			titles: async () =>
				(await sqlite.execute<{ title: string }>("SELECT title FROM t")).map(({ title }) => title),
		};
	},
	onMigrate: (client) => void client.titles(),
};
actor({
	db: provider,
	actions: {
		titles: (c) => {
			expectTypeOf(c.db.titles()).toEqualTypeOf<Promise<string[]>>();
			// @ts-expect-error not a member of the client
			c.db.execute("SELECT 1");
			return c.db.titles();
		},
	},
});
