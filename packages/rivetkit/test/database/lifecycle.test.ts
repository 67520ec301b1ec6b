import { UserError } from "rivetkit";
import { describe, expect, it } from "vitest";
import type { DatabaseProvider } from "../../src/actor/database.types.ts";
import { actor } from "../../src/actor/definition.ts";
import { db, type RawAccess } from "../../src/db/index.ts";
import { eventually } from "../support/eventually.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { Gate } from "../support/gate.ts";
import { WrappedStore } from "../support/store-wrapper.ts";
import { TestRuntime } from "../support/test-runtime.ts";
import { outcomeOf } from "../support/wire-http.ts";

// From before the first hook until after the last save (contract: lifecycle 3.2, 3.3, 5.3, L49, L50).

type Handle = Record<string, (...args: unknown[]) => Promise<unknown>>;
const handleOf = (runtime: TestRuntime, key = "a") =>
	runtime.localClient().subject!.getOrCreate([key]) as unknown as Handle;
const gone = (runtime: TestRuntime) =>
	eventually(() => expect(runtime.embedded.host.liveActorIds).toEqual([]));

const insert = (d: RawAccess, what: string) => d.execute("INSERT INTO log VALUES (?)", what);
const create = (d: RawAccess) => d.execute("CREATE TABLE IF NOT EXISTS log (what)");
const read = async (d: RawAccess) =>
	(await d.execute<{ what: string }>("SELECT what FROM log ORDER BY rowid")).map(
		({ what }) => what,
	);

describe("a database", () => {
	it("can be used in every hook, from onMigrate to onSleep and onDestroy", async () => {
		const destroyed: string[][] = [];
		const subject = actor({
			db: db({ onMigrate: async (d) => void (await create(d)) }),
			onMigrate: async (c, isNew) => void (await insert(c.db, `onMigrate ${isNew}`)),
			createState: async (c) => {
				await insert(c.db, "createState");
				return { rows: (await read(c.db)).length };
			},
			onCreate: async (c) => void (await insert(c.db, "onCreate")),
			createVars: async (c) => void (await insert(c.db, "createVars")),
			onWake: async (c) => void (await insert(c.db, "onWake")),
			onSleep: async (c) => void (await insert(c.db, "onSleep")),
			onDestroy: async (c) => void destroyed.push(await read(c.db)),
			onBeforeConnect: async (c) => void (await insert(c.db, "onBeforeConnect")),
			createConnState: async (c) => void (await insert(c.db, "createConnState")),
			onConnect: async (c) => void (await insert(c.db, "onConnect")),
			onDisconnect: async (c) => void (await insert(c.db, "onDisconnect")),
			onBeforeActionResponse: async (c, _name, _args, output) => {
				await insert(c.db, "onBeforeActionResponse");
				return output;
			},
			actions: {
				read: async (c) => ({ rows: c.state.rows, log: await read(c.db) }),
				nap: (c) => c.sleep(),
				end: (c) => c.destroy(),
			},
		});
		await using runtime = await TestRuntime.start({ subject });
		const handle = handleOf(runtime);
		const call = ["onBeforeConnect", "createConnState", "onConnect"];
		const answered = ["onBeforeActionResponse", "onDisconnect"];
		const created = ["onMigrate true", "createState", "onCreate", "createVars", "onWake"];
		expect(await handle.read!()).toEqual({ rows: 2, log: [...created, ...call] });
		await handle.nap!();
		await gone(runtime);
		const log = [
			...created,
			...[...call, ...answered],
			...[...call, ...answered, "onSleep"],
			...["onMigrate false", "createVars", "onWake", ...call],
		];
		expect(await handle.read!()).toEqual({ rows: 2, log });
		await handle.end!();
		await gone(runtime);
		expect(destroyed).toHaveLength(1);
		expect(destroyed[0]!.slice(0, log.length)).toEqual(log);
		// A new life of the key has a new database.
		expect(await handle.read!()).toEqual({ rows: 2, log: [...created, ...call] });
	});

	it("says that it is closed after the actor has stopped", async () => {
		let leftover: { db: RawAccess } | null = null;
		let client: RawAccess | null = null;
		const subject = actor({
			db: db({ onMigrate: async (d) => void (await create(d)) }),
			actions: {
				leak: (c) => {
					leftover = c as unknown as { db: RawAccess };
					client = c.db;
					c.sleep();
				},
			},
		});
		await using runtime = await TestRuntime.start({ subject });
		await handleOf(runtime).leak!();
		await gone(runtime);
		expect(() => leftover!.db).toThrow("database is closed");
		await expect(client!.execute("SELECT 1")).rejects.toThrow("database is closed");
		await expect(client!.transaction(() => 1)).rejects.toThrow("database is closed");
		await expect(client!.stream("SELECT 1").next()).rejects.toThrow("database is closed");
		expect(await outcomeOf(client!.execute("SELECT 1"))).toBe("database.closed");
	});

	it("closed by its user stays closed, and what was written before is committed", async () => {
		const subject = actor({
			db: db({ onMigrate: async (d) => void (await create(d)) }),
			actions: {
				close: async (c) => {
					await insert(c.db, "before");
					await c.db.close();
					return outcomeOf(insert(c.db, "after"));
				},
				nap: (c) => c.sleep(),
				read: (c) => read(c.db),
			},
		});
		await using runtime = await TestRuntime.start({ subject });
		const handle = handleOf(runtime);
		expect(await handle.close!()).toBe("database.closed");
		await handle.nap!();
		await gone(runtime);
		expect(await handle.read!()).toEqual(["before"]);
	});
});

describe("onMigrate", () => {
	it("that throws leaves the database as it was and the actor not started, until it succeeds", async () => {
		let migrate: (d: RawAccess) => Promise<unknown> = create;
		const subject = actor({
			db: db({ onMigrate: async (d) => void (await migrate(d)) }),
			actions: {
				add: (c, what: string) => insert(c.db, what).then(() => {}),
				read: (c) => read(c.db),
				tables: (c) => c.db.execute("SELECT name FROM sqlite_schema ORDER BY name"),
				nap: (c) => c.sleep(),
			},
		});
		const clock = new FakeClock();
		const wrapped = new WrappedStore();
		await using runtime = await TestRuntime.start(
			{ subject },
			{ clock, store: wrapped.store, exposeErrors: true },
		);
		const handle = handleOf(runtime);
		await handle.add!("kept");
		await handle.nap!();
		await gone(runtime);
		const commits = wrapped.commits.length;
		migrate = async (d) => {
			await d.execute("CREATE TABLE half (a)");
			await d.execute("UPDATE log SET what = 'changed'");
			await d.execute("BEGIN; INSERT INTO half VALUES (1); COMMIT");
			await d.transaction((tx) => tx.execute("DELETE FROM log"));
			await d.execute("VACUUM");
			throw new Error("the migration is wrong");
		};
		await expect(handle.read!()).rejects.toThrow("the migration is wrong");
		// It took more than a second, and something else could have asked for a commit: none was made.
		expect(wrapped.commits.length).toBe(commits);
		migrate = create;
		await clock.advance(60_000);
		expect(await handle.read!()).toEqual(["kept"]);
		expect(await handle.tables!()).toEqual([{ name: "log" }]);
	});

	it("is not committed in part while it runs", async () => {
		const wrapped = new WrappedStore();
		const subject = actor({
			db: db({
				onMigrate: async (d) => {
					await create(d);
					await insert(d, "one");
					await new Promise((resolve) => setTimeout(resolve, 5));
					await insert(d, "two");
				},
			}),
			onMigrate: async (c) => {
				await new Promise((resolve) => setTimeout(resolve, 5));
				await insert(c.db, "three");
			},
			actions: { read: (c) => read(c.db) },
		});
		await using runtime = await TestRuntime.start({ subject }, { store: wrapped.store });
		expect(await handleOf(runtime).read!()).toEqual(["one", "two", "three"]);
		expect(wrapped.commits.filter(({ ops }) => ops.length > 0)).toHaveLength(1);
		expect(wrapped.commits[0]!.record?.initialised).toBe(true);
	});

	it("that fails while creating removes what it made, and a public error reaches the creator", async () => {
		let fail = true;
		const subject = actor({
			db: db({
				onMigrate: async (d) => {
					await create(d);
					await insert(d, "made");
					if (fail) throw new UserError("not today", { code: "closed_today" });
				},
			}),
			actions: { read: (c) => read(c.db) },
		});
		await using runtime = await TestRuntime.start({ subject });
		const handle = handleOf(runtime);
		expect(await outcomeOf(handle.read!())).toBe("user.closed_today");
		fail = false;
		expect(await handle.read!()).toEqual(["made"]);
	});

	it("has its own time limit", async () => {
		const clock = new FakeClock();
		const subject = actor({
			db: db({ onMigrate: () => new Promise<void>(() => {}) }),
			options: { onMigrateTimeout: 100 },
			actions: { read: () => 1 },
		});
		await using runtime = await TestRuntime.start({ subject }, { clock, exposeErrors: true });
		const failed = expect(handleOf(runtime).read!()).rejects.toThrow(/onMigrate.*100 ms/);
		await clock.advance(150);
		await failed;
	});
});

it("SQL of a half-created actor does not survive into the next attempt", async () => {
	let attempt = 0;
	const subject = actor({
		db: db({ onMigrate: async (d) => void (await create(d)) }),
		state: {},
		onCreate: async (c) => {
			await insert(c.db, `attempt ${++attempt}`);
			// Committed before the actor exists.
			await c.saveState({ immediate: true });
			if (attempt === 1) throw new Error("crashed here");
		},
		actions: { read: (c) => read(c.db) },
	});
	const clock = new FakeClock();
	await using runtime = await TestRuntime.start({ subject }, { clock });
	const handle = handleOf(runtime);
	expect(await outcomeOf(handle.read!())).toBe("rivetkit.internal_error");
	await clock.advance(60_000);
	expect(await handle.read!()).toEqual(["attempt 2"]);
});

describe("a provider of one's own (api 11.3)", () => {
	interface Log {
		readonly calls: string[];
	}

	/** Keeps a counter in the provider's own bytes, beside the actor's SQLite database. */
	function counting(
		log: Log,
		fail: { migrate?: boolean } = {},
	): DatabaseProvider<{
		count(): Promise<number>;
		rows(): Promise<unknown[]>;
	}> {
		return {
			createClient: async ({ kv, actorId, openSqlite }) => {
				log.calls.push(`create ${actorId.length > 0}`);
				const sqlite = await openSqlite();
				await sqlite.execute("CREATE TABLE IF NOT EXISTS t (a)");
				const key = Uint8Array.of(1, 2);
				return {
					count: async () => {
						const [stored] = await kv.batchGet([key]);
						const count = (stored?.[0] ?? 0) + 1;
						await kv.batchPut([[key, Uint8Array.of(count)]]);
						await sqlite.execute("INSERT INTO t VALUES (?)", count);
						const [again, none] = await kv.batchGet([key, Uint8Array.of(9)]);
						expect([again, none]).toEqual([Uint8Array.of(count), null]);
						return count;
					},
					rows: () => sqlite.execute("SELECT a FROM t"),
				};
			},
			onMigrate: () => {
				log.calls.push("migrate");
				if (fail.migrate) throw new Error("no");
			},
			onDestroy: () => void log.calls.push("destroy"),
		};
	}

	it("gets bytes of its own and a database, and is closed exactly once", async () => {
		const log: Log = { calls: [] };
		const fail: { migrate?: boolean } = {};
		const subject = actor({
			db: counting(log, fail),
			actions: {
				count: (c) => c.db.count(),
				rows: (c) => c.db.rows(),
				nap: (c) => c.sleep(),
				end: (c) => c.destroy(),
			},
		});
		const clock = new FakeClock();
		const wrapped = new WrappedStore();
		await using runtime = await TestRuntime.start({ subject }, { clock, store: wrapped.store });
		const handle = handleOf(runtime);
		expect(await handle.count!()).toBe(1);
		expect(await handle.count!()).toBe(2);
		wrapped.failNext();
		expect(await outcomeOf(handle.count!())).toBe("rivetkit.internal_error");
		expect(await handle.count!()).toBe(3);
		await handle.nap!();
		await gone(runtime);
		await eventually(() => expect(log.calls).toEqual(["create true", "migrate", "destroy"]));
		expect(await handle.count!()).toBe(4);
		expect(await handle.rows!()).toEqual([{ a: 1 }, { a: 2 }, { a: 3 }, { a: 4 }]);
		await handle.nap!();
		await gone(runtime);
		fail.migrate = true;
		expect(await outcomeOf(handle.count!())).toBe("rivetkit.internal_error");
		await eventually(() => expect(log.calls.filter((call) => call === "destroy")).toHaveLength(3));
		fail.migrate = false;
		await clock.advance(60_000);
		expect(await handle.count!()).toBe(5);
		await handle.end!();
		await gone(runtime);
		await eventually(() => expect(log.calls.filter((call) => call === "destroy")).toHaveLength(4));
		expect(log.calls.filter((call) => call === "create true")).toHaveLength(4);
		expect(await handle.count!()).toBe(1);
	});

	it("is closed, and not migrated, when its client comes after the start was given up", async () => {
		const clock = new FakeClock();
		const calls: string[] = [];
		const slow = new Gate();
		const subject = actor({
			db: {
				createClient: async () => {
					calls.push("create");
					if (calls.length === 1) await slow.passed;
					return { of: calls.length };
				},
				onMigrate: ({ of }) => void calls.push(`migrate ${of}`),
				onDestroy: ({ of }) => void calls.push(`destroy ${of}`),
			} satisfies DatabaseProvider<{ of: number }>,
			options: { startTimeout: 100 },
			actions: { nap: (c) => c.sleep(), ping: () => "pong" },
		});
		await using runtime = await TestRuntime.start({ subject }, { clock, exposeErrors: true });
		const handle = handleOf(runtime);
		const failed = expect(handle.ping!()).rejects.toThrow(/did not start within 100 ms/);
		await eventually(() => expect(calls).toEqual(["create"]));
		await clock.advance(150);
		await failed;
		slow.open();
		await eventually(() => expect(calls).toEqual(["create", "destroy 1"]));
		await clock.advance(60_000);
		expect(await handle.ping!()).toBe("pong");
		await handle.nap!();
		await gone(runtime);
		await eventually(() =>
			expect(calls).toEqual(["create", "destroy 1", "create", "migrate 3", "destroy 3"]),
		);
	});

	it("whose onDestroy throws or hangs does not keep the actor from sleeping", async () => {
		const clock = new FakeClock();
		const subject = actor({
			db: {
				createClient: async () => ({}),
				onMigrate: () => {},
				onDestroy: (): Promise<void> => new Promise(() => {}),
			} satisfies DatabaseProvider<object>,
			actions: { nap: (c) => c.sleep(), ping: () => "pong" },
		});
		const runtime = await TestRuntime.start({ subject }, { clock });
		const handle = handleOf(runtime);
		await handle.nap!();
		await gone(runtime);
		const woken = handle.ping!();
		await clock.advance(5_020);
		expect(await woken).toBe("pong");
		const closed = runtime[Symbol.asyncDispose]();
		await clock.advance(5_020);
		await clock.advance(5_020);
		await closed;
	});
});
