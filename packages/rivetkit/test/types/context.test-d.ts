// Members of contexts: kv, schedule, cron, database, client, log (contract: api 5, 8, 10, 11).

import { pino } from "pino";
import { actor, event, setup, type UniversalWebSocket, UserError } from "rivetkit";
import { db, type RawAccess } from "rivetkit/db";
import { db as drizzle, integer, sqliteTable, text } from "rivetkit/db/drizzle";
import type { Logger } from "rivetkit/log";
import { expectTypeOf } from "vitest";

actor({
	state: { n: 0 },
	actions: {
		kv: async (c) => {
			expectTypeOf(await c.kv.get("a")).toEqualTypeOf<string | null>();
			expectTypeOf(await c.kv.get("a", { type: "binary" })).toEqualTypeOf<Uint8Array | null>();
			expectTypeOf(await c.kv.getBatch(["a"], { type: "arrayBuffer" })).toEqualTypeOf<
				(ArrayBuffer | null)[]
			>();
			await c.kv.put("a", new Uint8Array(1), { type: "binary" });
			await c.kv.putBatch([
				["a", "1"],
				[new Uint8Array(1), new ArrayBuffer(1)],
			]);
			// @ts-expect-error not a value
			await c.kv.put("a", 1);
			expectTypeOf(await c.kv.list("a")).toEqualTypeOf<[key: string, value: string][]>();
			expectTypeOf(
				await c.kv.list(new Uint8Array(), { keyType: "binary", type: "binary", limit: 5 }),
			).toEqualTypeOf<[key: Uint8Array, value: Uint8Array][]>();
			await c.kv.deleteRange("a", "b");
		},
		schedule: async (c) => {
			expectTypeOf(await c.schedule.after(10, "kv", 1)).toEqualTypeOf<string>();
			expectTypeOf(await c.schedule.cancel("id")).toEqualTypeOf<boolean>();
			await c.cron.set({ name: "n", expression: "0 * * * *", action: "kv" });
			await c.cron.every({ name: "m", interval: 5_000, action: "kv", args: [1] });
			expectTypeOf((await c.cron.history("n"))[0]!.result).toEqualTypeOf<
				"running" | "ok" | "error" | "skipped"
			>();
		},
		rest: async (c) => {
			expectTypeOf(c.key).toEqualTypeOf<string[]>();
			expectTypeOf(c.abortSignal).toEqualTypeOf<AbortSignal>();
			expectTypeOf(await c.keepAwake(Promise.resolve(1))).toEqualTypeOf<number>();
			c.waitUntil(fetch("http://localhost"));
			await c.saveState();
			await c.saveState({ immediate: true });
			expectTypeOf(await c.atomic(async () => 1)).toEqualTypeOf<number>();
			c.log.info({ n: 1 }, "n");
			c.log.child({ part: "x" }).warn("only text");
			c.sleep();
			c.destroy();
			// @ts-expect-error vars are not assigned
			c.vars = 1;
			throw new UserError("no", { code: "no", metadata: { a: 1 }, cause: new Error("x") });
		},
	},
});

// c.client() while the registry is declared below (api 4.3).
const stock = actor({
	state: { left: 1 },
	actions: { reserve: (c, amount: number) => (c.state.left -= amount) },
});
const shop = actor({
	actions: {
		order: async (c): Promise<number> => {
			const client = c.client<typeof registry>();
			// @ts-expect-error not an action
			void client.stock.getOrCreate(["main"]).release;
			return client.stock.getOrCreate(["main"]).reserve(1);
		},
		untyped: async (c) => {
			await c.client().anything?.getOrCreate([]).whatever?.(1, 2);
		},
	},
});
const registry = setup({ use: { stock, shop } });

// Databases.
actor({
	db: db({
		onMigrate: async (client) => {
			expectTypeOf(client).toEqualTypeOf<RawAccess>();
			await client.execute("create table t (a)");
		},
	}),
	onCreate: async (c) => {
		await c.db.execute("insert into t values (?)", 1);
	},
	actions: {
		all: async (c) => {
			const rows = await c.db.execute<{ a: number }>("select a from t where a > ?", 1);
			expectTypeOf(rows).toEqualTypeOf<{ a: number }[]>();
			return c.db.transaction(async (tx) => tx.execute("select 1"));
		},
	},
});
const users = sqliteTable("users", {
	id: integer("id").primaryKey(),
	name: text("name").notNull(),
});
actor({
	db: drizzle({ schema: { users } }),
	actions: {
		add: async (c, name: string) => {
			await c.db.insert(users).values({ name });
			// @ts-expect-error not a column
			await c.db.insert(users).values({ nam: name });
			expectTypeOf(await c.db.query.users.findMany()).toEqualTypeOf<
				{ id: number; name: string }[]
			>();
			await c.db.execute("select 1");
		},
	},
});

// Raw handlers.
actor({
	events: { seen: event<string>() },
	onRequest: async (c, request) => {
		expectTypeOf(c.request).toEqualTypeOf<Request | undefined>();
		return new Response(await request.text());
	},
	onWebSocket: (_c, socket) => {
		expectTypeOf(socket).toEqualTypeOf<UniversalWebSocket>();
		socket.addEventListener("message", (message) => socket.send(message.data));
		socket.addEventListener("close", ({ code }) => expectTypeOf(code).toEqualTypeOf<number>());
		socket.onmessage = async () => {};
	},
});
// @ts-expect-error a raw request is answered with a response
actor({ onRequest: () => "text" });

// Any pino logger is one of ours.
expectTypeOf(pino()).toExtend<Logger>();
setup({ use: { stock }, logging: { baseLogger: pino(), level: "debug" } });
// @ts-expect-error not a level
setup({ use: { stock }, logging: { level: "loud" } });
// @ts-expect-error not an actor
setup({ use: { stock: { state: {} } } });
