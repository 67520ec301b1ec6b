import { describe, expect, it } from "vitest";
import { actor } from "../../src/actor/definition.ts";
import { db, type RawAccess } from "../../src/db/index.ts";
import { eventually } from "../support/eventually.ts";
import { WrappedStore } from "../support/store-wrapper.ts";
import { TestRuntime } from "../support/test-runtime.ts";
import { outcomeOf } from "../support/wire-http.ts";

// c.db.stream: the rows of one moment, whatever happens meanwhile.

const plays = new Map<string, (d: RawAccess, c: { sleep(): void }) => Promise<unknown>>();
const subject = actor({
	db: db({
		onMigrate: async (d) => {
			await d.execute("CREATE TABLE IF NOT EXISTS t (id INTEGER PRIMARY KEY, a)");
			await d.execute(
				"WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000) INSERT OR IGNORE INTO t SELECT i, hex(zeroblob(50)) FROM n",
			);
		},
	}),
	actions: { play: (c, name: string) => plays.get(name)!(c.db, c) },
});

async function play(
	runtime: TestRuntime,
	run: (d: RawAccess, c: { sleep(): void }) => Promise<unknown>,
) {
	const name = `${plays.size}`;
	plays.set(name, run);
	const handle = runtime.localClient().subject!.getOrCreate(["a"]) as unknown as {
		play(name: string): Promise<unknown>;
	};
	return handle.play(name);
}

describe("c.db.stream", () => {
	it("sees what was written before it, and nothing after, while the log is written and commits go on", async () => {
		await using runtime = await TestRuntime.start({ subject }, { exposeErrors: true });
		await play(runtime, async (d) => {
			await d.execute("UPDATE t SET a = 'mine' WHERE id = 5000");
			let sum = 0;
			let last: unknown;
			for await (const { id, a } of d.stream<{ id: number; a: unknown }>(
				"SELECT id, a FROM t ORDER BY id",
			)) {
				sum++;
				last = a;
				if (id % 100 === 0)
					await d.execute("UPDATE t SET a = hex(randomblob(2000)) WHERE id > ?", id);
				if (id === 200) await d.execute("DELETE FROM t WHERE id > 4000");
			}
			expect(sum).toBe(5_000);
			expect(last).toBe("mine");
		});
		expect(await play(runtime, (d) => d.execute("SELECT count(*) AS n FROM t"))).toEqual([
			{ n: 4_000 },
		]);
	});

	it("lets other work of the process run in between", async () => {
		await using runtime = await TestRuntime.start({ subject });
		const turns = await play(runtime, async (d) => {
			let turns = 0;
			const count = setInterval(() => turns++, 0);
			for await (const _row of d.stream("SELECT * FROM t, (SELECT 1 UNION SELECT 2)"));
			clearInterval(count);
			return turns;
		});
		expect(turns).toBeGreaterThan(3);
	});

	it("waits for a transaction to end, and does not see one that is open by hand", async () => {
		await using runtime = await TestRuntime.start({ subject });
		const count = async (d: RawAccess) => {
			for await (const { n } of d.stream<{ n: number }>("SELECT count(*) AS n FROM t")) return n;
			return -1;
		};
		const counts = await play(runtime, async (d) => {
			const deleted = d.transaction(async (tx) => {
				await tx.execute("DELETE FROM t WHERE id > 10");
				await new Promise((resolve) => setImmediate(resolve));
			});
			const after = await count(d);
			await deleted;
			await d.execute("BEGIN; DELETE FROM t");
			const open = await count(d);
			await d.execute("COMMIT");
			return [after, open, await count(d)];
		});
		expect(counts).toEqual([10, 10, 0]);
	});

	it("ends with an error when the actor stops or its last commit fails", async () => {
		const wrapped = new WrappedStore();
		await using runtime = await TestRuntime.start({ subject }, { store: wrapped.store });
		let stream!: AsyncIterableIterator<unknown>;
		const begin = () =>
			play(runtime, async (d) => {
				stream = d.stream("SELECT * FROM t");
				await stream.next();
			});
		await begin();
		wrapped.failNext();
		await play(runtime, (d) => d.execute("DELETE FROM t")).catch(() => {});
		expect(await outcomeOf(stream.next())).toBe("database.rolled_back");
		expect(await stream.next()).toEqual({ done: true, value: undefined });
		await begin();
		await play(runtime, async (_d, c) => c.sleep());
		await eventually(() => expect(runtime.embedded.host.liveActorIds).toEqual([]));
		await eventually(async () => expect(await outcomeOf(stream.next())).toMatch(/closed|ok/));
		expect(await play(runtime, (d) => d.execute("SELECT count(*) AS n FROM t"))).toEqual([
			{ n: 5_000 },
		]);
	});

	it("answers several calls of next in order", async () => {
		await using runtime = await TestRuntime.start({ subject });
		const ids = await play(runtime, async (d) => {
			const stream = d.stream<{ id: number }>("SELECT id FROM t ORDER BY id LIMIT 3");
			const results = await Promise.all([1, 2, 3, 4].map(() => stream.next()));
			return results.map(({ value, done }) => (done ? "end" : value.id));
		});
		expect(ids).toEqual([1, 2, 3, "end"]);
	});
});
