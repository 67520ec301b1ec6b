import { expect, it, onTestFinished } from "vitest";
import { newDatabase, sql } from "../../../../../tests/support/postgres.ts";
import { openPostgresStore } from "../../../src/store/postgres/open-postgres-store.ts";
import type { ReadConnections } from "../../../src/store/postgres/read-connections.ts";
import { Removals } from "../../../src/store/postgres/removals.ts";
import { acquiredActor, manualClock } from "../fixtures.ts";

/** What is left without these is a loop in a loop, as PostgreSQL takes it for a table that it believes to be tiny. */
const PLANS = ["hashjoin", "mergejoin", "hashagg", "sort", "material", "memoize"] as const;

it("drops no more tombstones than are too many, whatever plan PostgreSQL makes of it", async () => {
	const url = await newDatabase();
	const database = new URL(url).pathname.slice(1);
	for (const plan of PLANS) await sql(url, `ALTER DATABASE ${database} SET enable_${plan} = off`);
	const store = await openPostgresStore({
		url,
		clock: manualClock(1000),
		tombstones: { maxCount: 3 },
	});
	onTestFinished(() => store.close());
	const ids: string[] = [];
	for (let index = 0; index < 5; index++) {
		const { actorId } = await acquiredActor(store);
		ids.push(actorId);
		await store.commit({ actorId, generation: 0, ops: [], destroyTs: 900 + index });
	}
	const kept = await Promise.all(ids.map((id) => store.actorById(id)));
	expect(kept.map((record) => record !== undefined)).toEqual([false, false, true, true, true]);
});

it("fails no destruction, which is durable, because tombstones cannot be dropped", async () => {
	const url = await newDatabase();
	const store = await openPostgresStore({ url, tombstones: { maxCount: 0 } });
	onTestFinished(() => store.close());
	await sql(
		url,
		`CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no'; END $$;
		CREATE TRIGGER refuse BEFORE DELETE ON rivetkit.actors FOR EACH ROW EXECUTE FUNCTION public.refuse()`,
	);
	const destroyed = async () => {
		const { actorId } = await acquiredActor(store);
		await store.commit({ actorId, generation: 0, ops: [], destroyTs: Date.now() });
		return actorId;
	};
	const left = await destroyed();
	expect(await store.actorById(left)).toBeDefined();
	await sql(url, "DROP TRIGGER refuse ON rivetkit.actors");
	const last = await destroyed();
	expect(await Promise.all([left, last].map((id) => store.actorById(id)))).toEqual([
		undefined,
		undefined,
	]);
});

/** Removals from a database with so many tombstones, and how often they were counted and dropped. */
function removalsOf(count: number, maxCount: number) {
	const t = { count, counted: 0, dropped: 0 };
	const reads = {
		async query({ text }: { readonly text: string }) {
			if (text.startsWith("SELECT count(*)")) {
				t.counted++;
				return [{ count: t.count }];
			}
			if (text.includes("OFFSET $1")) {
				t.dropped++;
				t.count -= Math.min(1_000, t.count - maxCount);
			}
			return [];
		},
	} as unknown as ReadConnections;
	const removals = new Removals(
		{ clock: manualClock(), tombstones: { maxAgeMs: 1, maxCount } },
		reads,
	);
	const destroy = async (times: number) => {
		for (let time = 0; time < times; time++) {
			t.count++;
			await removals.destroyed();
		}
	};
	return Object.assign(t, { destroy });
}

it("counts tombstones once for as many destructions as are 1 % of their limit, once there are so many", async () => {
	const t = removalsOf(10_000, 10_000);
	await t.destroy(1_000);
	expect(t.counted).toBeLessThanOrEqual(10);
	expect(t.dropped).toBe(t.counted);
	expect(t.count).toBeLessThanOrEqual(10_100);
});

it("drops all that is too much with each destruction, a part at a time, before it rests", async () => {
	const t = removalsOf(13_500, 10_000);
	await t.destroy(4);
	expect([t.counted, t.count]).toEqual([4, 10_000]);
	await t.destroy(100);
	expect([t.counted, t.count]).toEqual([4, 10_100]);
});
