import { count, desc, eq, relations, sql } from "drizzle-orm";
import { beforeEach, describe, expect, it } from "vitest";
import { actor } from "../../src/actor/definition.ts";
import {
	type DrizzleMigrations,
	db,
	defineConfig,
	integer,
	readMigrations,
	sqliteTable,
	text,
	uniqueIndex,
} from "../../src/db/drizzle/index.ts";
import { eventually } from "../support/eventually.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { TestRuntime } from "../support/test-runtime.ts";

// rivetkit/db/drizzle over output that drizzle-kit wrote (contract: api 11.2, A25, W-DB-4, W-DB-5).

const migrations = readMigrations(new URL("drizzle-kit-output", import.meta.url));

const authors = sqliteTable("authors", {
	id: integer("id").primaryKey({ autoIncrement: true }),
	name: text("name").notNull(),
});
const posts = sqliteTable(
	"posts",
	{
		id: integer("id").primaryKey({ autoIncrement: true }),
		author: integer("author")
			.notNull()
			.references(() => authors.id, { onDelete: "cascade" }),
		title: text("title").notNull(),
		likes: integer("likes").notNull().default(0),
	},
	(table) => [uniqueIndex("posts_title").on(table.title)],
);
const authorRelations = relations(authors, ({ many }) => ({ posts: many(posts) }));
const postRelations = relations(posts, ({ one }) => ({
	writer: one(authors, { fields: [posts.author], references: [authors.id] }),
}));
const schema = { authors, posts, authorRelations, postRelations };

let current: DrizzleMigrations;
beforeEach(() => {
	current = migrations;
});

const blog = actor({
	db: db({
		schema,
		get migrations() {
			return current;
		},
	}),
	actions: {
		publish: async (c, name: string, title: string) => {
			const [author] = await c.db.insert(authors).values({ name }).returning();
			const [post] = await c.db.insert(posts).values({ author: author!.id, title }).returning();
			return post!;
		},
		list: (c) =>
			c.db
				.select({ id: posts.id, title: posts.title, authorId: authors.id, name: authors.name })
				.from(posts)
				.innerJoin(authors, eq(posts.author, authors.id))
				.orderBy(desc(posts.id)),
		/** Both tables have columns `id`: each has to come back. */
		joined: (c) => c.db.select().from(posts).innerJoin(authors, eq(posts.author, authors.id)),
		relational: (c) =>
			c.db.query.authors.findMany({ with: { posts: { columns: { title: true } } } }),
		get: (c, id: number) => c.db.select().from(posts).where(eq(posts.id, id)).get(),
		counted: async (c) => (await c.db.select({ n: count() }).from(posts))[0]!.n,
		raw: (c) => c.db.execute("SELECT title FROM posts ORDER BY id"),
		rename: (c, title: string, fail: boolean) =>
			c.db.transaction(async (tx) => {
				await tx.update(posts).set({ title });
				await tx
					.transaction(async (nested) => {
						await nested.update(posts).set({ likes: 9 });
						if (fail) nested.rollback();
					})
					.catch(() => {});
				if (title === "bad") tx.rollback();
				return tx.select().from(posts);
			}),
		batch: (c) =>
			c.db.batch([
				c.db.insert(authors).values({ name: "batch" }).returning({ name: authors.name }),
				c.db.select({ n: count() }).from(authors),
				c.db
					.update(posts)
					.set({ likes: sql`${posts.likes} + 1` })
					.returning({ likes: posts.likes }),
			]),
		badBatch: (c) =>
			c.db.batch([
				c.db.insert(authors).values({ name: "never" }),
				c.db.insert(posts).values({ author: 999, title: "orphan" }),
			]),
		outside: (c) =>
			c.db.transaction(async () => {
				const failure = await c.db
					.select()
					.from(posts)
					.catch((error: Error) => error.cause);
				return (failure as Error).message;
			}),
		applied: (c) => c.db.execute("SELECT hash, created_at FROM __drizzle_migrations ORDER BY id"),
		keys: (c) => c.db.execute("PRAGMA foreign_keys"),
		tables: (c) =>
			c.db.execute("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name"),
		streamed: async (c) => {
			const titles: unknown[] = [];
			for await (const { title } of c.db.stream<{ title: string }>(
				"SELECT title FROM posts ORDER BY id",
			))
				titles.push(title);
			return titles;
		},
		nap: (c) => c.sleep(),
	},
});

type Blog = Record<string, (...args: unknown[]) => Promise<never>>;

async function start() {
	const clock = new FakeClock();
	const runtime = await TestRuntime.start({ blog }, { exposeErrors: true, clock });
	const of = (key = "a") => runtime.localClient().blog!.getOrCreate([key]) as unknown as Blog;
	const asleep = async (key = "a") => {
		await of(key).nap!();
		await eventually(() => expect(runtime.embedded.host.liveActorIds).toEqual([]));
	};
	return {
		runtime,
		of,
		asleep,
		clock,
		[Symbol.asyncDispose]: () => runtime[Symbol.asyncDispose](),
	};
}

describe("a Drizzle database", () => {
	it("inserts, selects, joins and counts, with SQL beside it", async () => {
		await using setting = await start();
		const a = setting.of();
		expect(await a.publish!("Ada", "Engines")).toEqual({
			id: 1,
			author: 1,
			title: "Engines",
			likes: 0,
		});
		await a.publish!("Grace", "Compilers");
		expect(await a.list!()).toEqual([
			{ id: 2, title: "Compilers", authorId: 2, name: "Grace" },
			{ id: 1, title: "Engines", authorId: 1, name: "Ada" },
		]);
		expect(await a.joined!()).toEqual([
			{ posts: { id: 1, author: 1, title: "Engines", likes: 0 }, authors: { id: 1, name: "Ada" } },
			{
				posts: { id: 2, author: 2, title: "Compilers", likes: 0 },
				authors: { id: 2, name: "Grace" },
			},
		]);
		expect(await a.relational!()).toEqual([
			{ id: 1, name: "Ada", posts: [{ title: "Engines" }] },
			{ id: 2, name: "Grace", posts: [{ title: "Compilers" }] },
		]);
		expect(await a.get!(2)).toMatchObject({ title: "Compilers" });
		expect(await a.get!(3)).toBeUndefined();
		expect(await a.counted!()).toBe(2);
		expect(await a.raw!()).toEqual([{ title: "Engines" }, { title: "Compilers" }]);
		expect(await a.streamed!()).toEqual(["Engines", "Compilers"]);
		await expect(a.publish!("Ada", "Engines")).rejects.toThrow(/Failed query/);
	});

	it("has transactions of its own, nested ones as savepoints, and batches that are one", async () => {
		await using setting = await start();
		const a = setting.of();
		await a.publish!("Ada", "Engines");
		expect(await a.rename!("New", true)).toMatchObject([{ title: "New", likes: 0 }]);
		expect(await a.rename!("Newer", false)).toMatchObject([{ title: "Newer", likes: 9 }]);
		await expect(a.rename!("bad", false)).rejects.toThrow();
		expect(await a.raw!()).toEqual([{ title: "Newer" }]);
		expect(await a.batch!()).toEqual([[{ name: "batch" }], [{ n: 2 }], [{ likes: 10 }]]);
		await expect(a.badBatch!()).rejects.toThrow();
		expect(await a.relational!()).toMatchObject([{ name: "Ada" }, { name: "batch" }]);
		expect(await a.outside!()).toMatch(/use the transaction's own/);
	});

	it("keeps actors of one definition apart, also when they start at the same time", async () => {
		await using setting = await start();
		const keys = Array.from({ length: 12 }, (_unused, key) => `${key}`);
		await Promise.all(keys.map((key) => setting.of(key).publish!(`author ${key}`, `title ${key}`)));
		for (const key of keys) {
			expect(await setting.of(key).raw!()).toEqual([{ title: `title ${key}` }]);
			expect(await setting.of(key).applied!()).toHaveLength(2);
		}
	});
});

describe("migrations", () => {
	it("run once each and in order, and are recorded with their hash", async () => {
		await using setting = await start();
		const a = setting.of();
		current = { ...migrations, journal: { entries: migrations.journal.entries.slice(0, 1) } };
		expect(await a.tables!()).toEqual([
			{ name: "__drizzle_migrations" },
			{ name: "authors" },
			{ name: "posts" },
			{ name: "sqlite_sequence" },
		]);
		const [first] = (await a.applied!()) as { created_at: number; hash: string }[];
		expect(first).toEqual({
			created_at: migrations.journal.entries[0]!.when,
			hash: expect.stringMatching(/^[0-9a-f]{64}$/),
		});
		await setting.asleep();
		current = migrations;
		expect(await a.publish!("Ada", "Engines")).toMatchObject({ likes: 0 });
		expect(await a.applied!()).toHaveLength(2);
		await setting.asleep();
		expect(await a.applied!()).toHaveLength(2);
	});

	it("that make a table anew keep the rows that refer to it, and keys are enforced afterwards", async () => {
		await using setting = await start();
		const a = setting.of();
		await a.publish!("Ada", "Engines");
		await setting.asleep();
		// What drizzle-kit writes when a column becomes NOT NULL.
		current = more(
			migrations,
			`PRAGMA foreign_keys=OFF;--> statement-breakpoint
CREATE TABLE \`__new_authors\` (\`id\` integer PRIMARY KEY AUTOINCREMENT NOT NULL, \`name\` text NOT NULL, \`born\` integer);
--> statement-breakpoint
INSERT INTO \`__new_authors\`("id", "name") SELECT "id", "name" FROM \`authors\`;--> statement-breakpoint
DROP TABLE \`authors\`;--> statement-breakpoint
ALTER TABLE \`__new_authors\` RENAME TO \`authors\`;--> statement-breakpoint
PRAGMA foreign_keys=ON;`,
		);
		expect(await a.list!()).toMatchObject([{ title: "Engines", name: "Ada" }]);
		expect(await a.keys!()).toEqual([{ foreign_keys: 1 }]);
	});

	it("that fail roll back, and the actor does not start until they are mended", async () => {
		await using setting = await start();
		const a = setting.of();
		await a.publish!("Ada", "Engines");
		await setting.asleep();
		for (const [bad, message] of [
			[
				"CREATE TABLE half (a); INSERT INTO nowhere VALUES (1)",
				/m0002.*rolled back.*no such table/,
			],
			[
				"CREATE TABLE half (a); DELETE FROM authors",
				/foreign keys without a target.*posts refers to authors/,
			],
		] as const) {
			current = more(migrations, bad);
			await expect(a.raw!()).rejects.toThrow(message);
			await setting.clock.advance(60_000);
		}
		current = migrations;
		expect(await a.raw!()).toEqual([{ title: "Engines" }]);
		expect(await a.tables!()).not.toContainEqual({ name: "half" });
	});

	it("that were changed after they had been applied are refused, by name", async () => {
		await using setting = await start();
		const a = setting.of();
		await a.publish!("Ada", "Engines");
		await setting.asleep();
		current = {
			...migrations,
			migrations: { ...migrations.migrations, m0000: `${migrations.migrations.m0000}\n-- changed` },
		};
		const { tag } = migrations.journal.entries[0]!;
		await expect(a.raw!()).rejects.toThrow(`Migration ${tag} was applied with other content`);
		current = { journal: migrations.journal, migrations: {} };
		await setting.clock.advance(60_000);
		await expect(a.raw!()).rejects.toThrow(/its SQL is missing/);
	});
});

it.each([
	["the module around them", { default: migrations }],
	["nothing of them", {}],
	["no list", { journal: { entries: {} }, migrations: {} }],
	["null", null],
])("migrations that are %s are refused where they are given", (_, given) => {
	expect(() => db({ migrations: given as never })).toThrow("the default export of drizzle-kit's");
});

it("defineConfig fills in what drizzle-kit needs", () => {
	expect(defineConfig({ schema: "./schema.ts", out: "./drizzle" })).toEqual({
		schema: "./schema.ts",
		out: "./drizzle",
		dialect: "sqlite",
		driver: "durable-sqlite",
	});
});

/** One more migration behind what there are. */
function more(known: DrizzleMigrations, statement: string): DrizzleMigrations {
	const { entries } = known.journal;
	const { idx, when } = entries.at(-1)!;
	const next = idx + 1;
	const tag = `m${String(next).padStart(4, "0")}`;
	return {
		journal: { entries: [...entries, { idx: next, when: when + 1_000, tag, breakpoints: true }] },
		migrations: { ...known.migrations, [tag]: statement },
	};
}
