import { describe, expect, it, onTestFinished } from "vitest";
import { PostgresServer } from "../../../../../scripts/lib/postgres-server.ts";
import { emptiedDatabase, newDatabase, sql } from "../../../../../tests/support/postgres.ts";
import { openPostgresStore } from "../../../src/store/postgres/open-postgres-store.ts";
import type { PostgresStore } from "../../../src/store/postgres/postgres-store.ts";
import { StaleGenerationError, StoreError } from "../../../src/store/store.ts";
import { acquiredActor, contents, newActor, plain, putBatch, text } from "../fixtures.ts";
import { type Cut, PostgresProxy } from "./postgres-proxy.ts";

async function open(url: string): Promise<PostgresStore> {
	const store = await openPostgresStore({ url });
	onTestFinished(() => store.close());
	return store;
}

/** A store whose connections can be broken. */
async function openThroughProxy() {
	const url = await emptiedDatabase();
	const proxy = await PostgresProxy.start(url);
	onTestFinished(() => proxy[Symbol.asyncDispose]());
	return { store: await open(proxy.url), proxy, url };
}

/** Makes the next insert into `kv` of a value fail as `action` says. */
async function onPut(url: string, value: string, action: string): Promise<void> {
	await sql(
		url,
		`CREATE SEQUENCE IF NOT EXISTS public.tries;
		CREATE OR REPLACE FUNCTION public.on_put() RETURNS trigger LANGUAGE plpgsql AS $$
		BEGIN IF NEW.value = convert_to('${value}', 'UTF8') THEN ${action} END IF; RETURN NEW; END $$;
		CREATE OR REPLACE TRIGGER on_put BEFORE INSERT ON rivetkit.kv FOR EACH ROW EXECUTE FUNCTION public.on_put()`,
	);
	onTestFinished(async () => void (await sql(url, "DROP TRIGGER on_put ON rivetkit.kv")));
}

const transactions = async (url: string) =>
	(await sql<{ sum: string }>(url, "SELECT sum(token) FROM rivetkit.writers"))[0]!.sum;

describe("a PostgreSQL store whose connection breaks", () => {
	it.each<Cut>(["before", "after", "hanging"])(
		"%s the server heard of a COMMIT: what was called is written once, and answered",
		async (how) => {
			const { store, proxy } = await openThroughProxy();
			const actor = await acquiredActor(store);
			await store.commit(putBatch(actor.actorId, 0, { a: "0" }));
			const cut = proxy.cutNextCommit(how);
			store.owner = 7;
			const outcomes = Promise.allSettled([
				store.commit(putBatch(actor.actorId, 0, { a: "1" })),
				store.commit(putBatch(actor.actorId, 7, { a: "stale" })),
				store.insertActor(newActor({ actorId: `new ${how}`, key: `new ${how}` }), {
					acquire: true,
				}),
			]);
			await cut;
			const [committed, stale, inserted] = await outcomes;
			expect(committed).toEqual({ status: "fulfilled", value: undefined });
			expect(stale).toMatchObject({ reason: { name: "StaleGenerationError", generation: 7 } });
			expect(inserted).toMatchObject({
				value: {
					created: true,
					actor: { actorId: `new ${how}`, generation: 0, acquiredUnder: 7 },
				},
			});
			expect(await contents(store, actor.actorId)).toEqual({ a: "1" });
			await store.commit(putBatch(actor.actorId, 0, { a: "2" }));
			expect(await contents(store, actor.actorId)).toEqual({ a: "2" });
		},
	);

	it("does not write again what was written, when somebody else has gone on from there", async () => {
		const { store, proxy, url } = await openThroughProxy();
		const other = await open(url);
		const actor = await acquiredActor(store);
		// What the cut connection had to say comes late: by then the actor is another's.
		const cut = proxy.cutNextCommit("after");
		const late = store.commit(putBatch(actor.actorId, 0, { a: "late" }));
		await cut;
		await other.acquire(actor.actorId);
		await other.commit(putBatch(actor.actorId, 1, { a: "newer" }));
		await late;
		expect(await contents(other, actor.actorId)).toEqual({ a: "newer" });
	});

	it("answers by what is stored when another takes the actor meanwhile", async () => {
		const { store, proxy, url } = await openThroughProxy();
		const other = await open(url);
		const actor = await acquiredActor(store);
		const cut = proxy.cutNextCommit("before");
		const late = store.commit(putBatch(actor.actorId, 0, { a: "late" })).then(
			() => true,
			(error: unknown) => {
				expect(error).toBeInstanceOf(StaleGenerationError);
				return false;
			},
		);
		await cut;
		await other.acquire(actor.actorId);
		// Either may be first; the answer says what is stored.
		expect(await contents(other, actor.actorId)).toEqual((await late) ? { a: "late" } : {});
	});

	it("keeps every acknowledged write when the server is killed and started again", async () => {
		await using server = await PostgresServer.start();
		const store = await open(server.url());
		const actors = await Promise.all(Array.from({ length: 8 }, () => acquiredActor(store)));
		const acknowledged = new Map<string, number>();
		let isOver = false;
		const writers = actors.map(async ({ actorId }) => {
			for (let n = 1; !isOver; n++) {
				await store.commit(putBatch(actorId, 0, { n: String(n), [`${n}`]: "written" }));
				acknowledged.set(actorId, n);
			}
		});
		const progress = async (from: number) => {
			await expect
				.poll(() => Math.min(...actors.map(({ actorId }) => acknowledged.get(actorId) ?? 0)))
				.toBeGreaterThan(from);
		};
		await progress(3);
		await server.stop("crash");
		const before = Math.max(...acknowledged.values());
		await server.restart();
		await progress(before + 3);
		isOver = true;
		await Promise.all(writers);
		for (const { actorId } of actors) {
			const { n, ...entries } = await contents(store, actorId);
			expect(Number(n)).toBe(acknowledged.get(actorId));
			expect(Object.keys(entries)).toHaveLength(Number(n));
		}
	});

	it("reads wait for the server to come back", async () => {
		await using server = await PostgresServer.start();
		const store = await open(server.url());
		const actor = await acquiredActor(store);
		await server.stop();
		const read = store.actorById(actor.actorId);
		await server.restart();
		expect((await read)?.actorId).toBe(actor.actorId);
	});

	it("closes without the server, and rejects what waited", async () => {
		const server = await PostgresServer.start();
		onTestFinished(() => server[Symbol.asyncDispose]());
		const store = await open(server.url());
		const actor = await acquiredActor(store);
		await server.stop();
		const waiting = store.commit(putBatch(actor.actorId, 0, { a: "1" }));
		const rejected = expect(waiting).rejects.toThrow(StoreError);
		await store.close();
		await rejected;
	});
});

describe("a PostgreSQL store whose transactions fail", () => {
	it("tells the one whose write is to blame, and writes the others", async () => {
		const url = await emptiedDatabase();
		const store = await open(url);
		await onPut(url, "boom", "RAISE EXCEPTION 'no booms' USING ERRCODE = '22000';");
		const actors = await Promise.all(Array.from({ length: 3 }, () => acquiredActor(store)));
		const [first, bad, last] = await Promise.allSettled(
			actors.map(({ actorId }, index) =>
				store.commit(putBatch(actorId, 0, { a: index === 1 ? "boom" : "fine" })),
			),
		);
		expect([first!.status, last!.status]).toEqual(["fulfilled", "fulfilled"]);
		expect(bad).toMatchObject({
			reason: { code: "failed", message: expect.stringContaining("no booms") },
		});
		expect(await contents(store, actors[0]!.actorId)).toEqual({ a: "fine" });
		expect(await contents(store, actors[1]!.actorId)).toEqual({});
	});

	it("tries again what others made fail", async () => {
		const url = await emptiedDatabase();
		const store = await open(url);
		const actor = await acquiredActor(store);
		await onPut(
			url,
			"again",
			"IF nextval('public.tries') <= 2 THEN RAISE serialization_failure; END IF;",
		);
		await store.commit(putBatch(actor.actorId, 0, { a: "again" }));
		expect(await contents(store, actor.actorId)).toEqual({ a: "again" });
		expect(await sql(url, "SELECT last_value::int AS tries FROM public.tries")).toEqual([
			{ tries: 3 },
		]);
	});

	it("gives up a statement that takes too long, and goes on", async () => {
		const url = await emptiedDatabase();
		const store = await openPostgresStore({ url, statementTimeoutMs: 2_000 });
		onTestFinished(() => store.close());
		const actor = await acquiredActor(store);
		await onPut(url, "slow", "PERFORM pg_sleep(30);");
		await expect(store.commit(putBatch(actor.actorId, 0, { a: "slow" }))).rejects.toMatchObject({
			code: "failed",
			message: expect.stringContaining("statement timeout"),
		});
		await store.commit(putBatch(actor.actorId, 0, { a: "fast" }));
		expect(await contents(store, actor.actorId)).toEqual({ a: "fast" });
	});

	it("refuses a key that PostgreSQL's index cannot hold before writing", async () => {
		const store = await open(await emptiedDatabase());
		const actor = await acquiredActor(store);
		await expect(
			store.commit(putBatch(actor.actorId, 0, { ["k".repeat(2_601)]: "1" })),
		).rejects.toThrow(RangeError);
		await store.commit(putBatch(actor.actorId, 0, { ["k".repeat(2_600)]: "1" }));
	});
});

describe("several PostgreSQL stores on one database", () => {
	it("fence each other off", async () => {
		const url = await emptiedDatabase();
		const [one, two] = [await open(url), await open(url)];
		const actor = await acquiredActor(one);
		expect((await two.acquire(actor.actorId)).generation).toBe(1);
		await expect(one.commit(putBatch(actor.actorId, 0, { a: "1" }))).rejects.toThrow(
			StaleGenerationError,
		);
		await two.commit(putBatch(actor.actorId, 1, { a: "2" }));
		expect(await contents(one, actor.actorId)).toEqual({ a: "2" });
	});

	it("commit in one order: of two that race for an actor, one writes", async () => {
		const url = await emptiedDatabase();
		const stores = [await open(url), await open(url)];
		const actor = await acquiredActor(stores[0]!);
		for (let round = 1; round <= 10; round++) {
			const generations = await Promise.all(stores.map((store) => store.acquire(actor.actorId)));
			const outcomes = await Promise.allSettled(
				stores.map((store, index) =>
					store.commit(putBatch(actor.actorId, generations[index]!.generation, { by: `${index}` })),
				),
			);
			expect(outcomes.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
			const winner = outcomes.findIndex(({ status }) => status === "fulfilled");
			expect(await contents(stores[0]!, actor.actorId)).toEqual({ by: `${winner}` });
		}
	});

	it("give a hundred creators of one key one actor", async () => {
		const url = await emptiedDatabase();
		const stores = [await open(url), await open(url)];
		const results = await Promise.all(
			Array.from({ length: 100 }, (_, index) =>
				stores[index % 2]!.insertActor(newActor({ key: "same" }), { acquire: true }),
			),
		);
		expect(results.filter(({ created }) => created)).toHaveLength(1);
		expect(new Set(results.map(({ actor }) => actor.actorId)).size).toBe(1);
	});

	it("put the commits of many actors into few transactions", async () => {
		const url = await emptiedDatabase();
		const store = await open(url);
		const actors = await Promise.all(Array.from({ length: 200 }, () => acquiredActor(store)));
		const before = Number(await transactions(url));
		await Promise.all(
			actors.map(({ actorId }) => store.commit(putBatch(actorId, 0, { a: actorId }))),
		);
		expect(Number(await transactions(url)) - before).toBeLessThanOrEqual(2);
	});

	it("make the tables once, however many open at the same time", async () => {
		const url = await newDatabase();
		const stores = await Promise.all(Array.from({ length: 4 }, () => open(url)));
		const actor = await acquiredActor(stores[0]!);
		expect((await stores[3]!.actorById(actor.actorId))?.generation).toBe(0);
	});
});

describe("a PostgreSQL store that cannot be opened", () => {
	it("says that the tables are a newer version's, and changes nothing", async () => {
		const url = await newDatabase();
		await (await openPostgresStore({ url })).close();
		await sql(url, "UPDATE rivetkit.meta SET value = '99' WHERE name = 'format'");
		await expect(openPostgresStore({ url })).rejects.toMatchObject({
			code: "newer_format",
			message: expect.stringMatching(
				/format 99, made by a newer version of RivetKit.*up to format 4/,
			),
		});
		expect(await sql(url, "SELECT value FROM rivetkit.meta WHERE name = 'format'")).toEqual([
			{ value: "99" },
		]);
	});

	it("whose tables have format 1 gets those of the newest, and keeps what it holds", async () => {
		const url = await newDatabase();
		const before = await openPostgresStore({ url });
		const actor = newActor();
		await before.insertActor(actor, { acquire: true });
		await before.commit(putBatch(actor.actorId, 0, { a: "1" }));
		await before.close();
		await sql(
			url,
			"ALTER TABLE rivetkit.kv DROP COLUMN put_ts; DROP INDEX rivetkit.actors_former; DROP TABLE rivetkit.inventory; UPDATE rivetkit.meta SET value = '1' WHERE name = 'format'",
		);
		const store = await openPostgresStore({ url });
		onTestFinished(() => store.close());
		expect((await store.actorById(actor.actorId))?.key).toBe(actor.key);
		const entry = { kind: "pool", scope: "a", name: "b", value: "{}", createTs: 1 } as const;
		await store.inventory.put(entry);
		expect(await store.inventory.listKind("pool")).toEqual([entry]);
		await store.commit(putBatch(actor.actorId, 0, { b: "2" }, { putTs: 7 }));
		const times = await store.timedEntries(actor.actorId, { start: text(""), end: null });
		expect(times.map(({ value, putTs }) => [plain(value), putTs])).toEqual([
			["1", null],
			["2", 7],
		]);
	});

	it("says that a pooler is in the way", async () => {
		const proxy = await PostgresProxy.start(await emptiedDatabase());
		onTestFinished(() => proxy[Symbol.asyncDispose]());
		proxy.handsOutNumbers = true;
		await expect(openPostgresStore({ url: proxy.url })).rejects.toMatchObject({
			code: "pooled",
			message: expect.stringMatching(
				/There is a connection pooler.*session 4711.*database.postgres.url/,
			),
		});
	});

	it.each([
		["postgres://root:secret@127.0.0.1:1/app", "unavailable", /cannot be reached.*ECONNREFUSED/],
		["mysql://127.0.0.1/app", "failed", /must look like postgres:\/\//],
		["no url", "failed", /must look like postgres:\/\//],
	])("%s: %s", async (url, code, message) => {
		const failure = await openPostgresStore({ url }).catch((error: unknown) => error);
		expect(failure).toMatchObject({
			name: "StoreError",
			code,
			message: expect.stringMatching(message),
		});
		expect((failure as Error).message).not.toContain("secret");
	});

	it("names a certificate that cannot be read", async () => {
		const ssl = { rootCertPath: "/nowhere/ca.pem" };
		await expect(openPostgresStore({ url: "postgres://127.0.0.1/app", ssl })).rejects.toThrow(
			/Cannot read \/nowhere\/ca.pem.*database.postgres.ssl/,
		);
	});
});
