// What becomes of an actor that a node acquires too late for who wanted it.
import { expect, it } from "vitest";
import { Acquisitions } from "../../src/cluster/acquisitions.ts";
import type { PostgresStore } from "../../src/store/postgres/postgres-store.ts";
import type { ActorRecord } from "../../src/store/store.ts";
import { Gate } from "../helpers/gate.ts";
import { TestClock } from "../helpers/test-clock.ts";

/** An acquisition of the actor `a` whose caller has gone, and which is still under way. */
async function tooLate(release: () => Promise<void>) {
	const clock = new TestClock();
	const answer = new Gate<ActorRecord>();
	const released: unknown[] = [];
	const log: string[] = [];
	const noted = (_fields: unknown, message: string) => void log.push(message);
	const use = { isUsed: false, isHeld: true };
	const acquisitions = new Acquisitions({
		store: {
			acquire: () => answer.opened,
			async release(...args: unknown[]) {
				released.push(args);
				await release();
			},
		} as unknown as PostgresStore,
		clock,
		logger: { debug: noted, info: noted, warn: noted, error: noted },
		isUsed: () => use.isUsed,
		isHeld: () => use.isHeld,
	});
	const acquired = acquisitions.acquireBy(clock.now() + 1_000, "a");
	await clock.armed(1_000);
	clock.advance(1_000);
	await expect(acquired).rejects.toMatchObject({ code: "actor_ready_timeout" });
	return { acquisitions, clock, answer, released, log, use };
}

const settled = () => new Promise((resolve) => setImmediate(resolve));
const ACQUIRED = { actorId: "a", generation: 3 } as ActorRecord;

it("it is given back", async () => {
	const t = await tooLate(async () => {});
	t.answer.open(ACQUIRED);
	await settled();
	expect(t.released).toEqual([["a", 3]]);
	expect(t.log).toEqual([]);
});

it("it is not given back when somebody with more time waits for it, before it is known that it is used", async () => {
	const t = await tooLate(async () => {});
	const patient = t.acquisitions.acquireBy(t.clock.now() + 1_000, "a");
	t.answer.open(ACQUIRED);
	expect(await patient).toBe(ACQUIRED);
	await settled();
	expect(t.released).toEqual([]);
});

it("it is given back once when the last one that waits for it has no time left", async () => {
	const t = await tooLate(async () => {});
	const other = t.acquisitions.acquireBy(t.clock.now() + 1_000, "a");
	await t.clock.armed(1_000);
	t.clock.advance(1_000);
	await expect(other).rejects.toMatchObject({ code: "actor_ready_timeout" });
	t.answer.open(ACQUIRED);
	await settled();
	expect(t.released).toContainEqual(["a", 3]);
});

it("that it cannot be given back is in the log, and fails nothing else", async () => {
	const t = await tooLate(async () => {
		throw new Error("PostgreSQL is away");
	});
	t.answer.open(ACQUIRED);
	await settled();
	expect(t.log).toEqual([expect.stringContaining("could not be given back")]);
});

it.each([
	["somebody else has begun to use it", { isUsed: true }],
	["the lease is over, under which it was acquired: it is nobody's", { isHeld: false }],
])("it is left alone when %s", async (_why, use) => {
	const t = await tooLate(async () => {});
	Object.assign(t.use, use);
	t.answer.open(ACQUIRED);
	await settled();
	expect(t.released).toEqual([]);
});
